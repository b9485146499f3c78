"""Which VAT a service bears: from seller, buyer, and the day of supply. Directive 2006/112/EC, services supplied electronically.

Hosting and domains are such services: to a business they are taxed where it is established (Art. 44), to a consumer where he lives
(Art. 58); the seller pays the latter through the one-stop shop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError

from faktura.domain.countries import unknown_country
from faktura.domain.party import Party
from faktura.domain.vat import VatCategory, VatKey
from faktura.domain.vat_rates import EU_COUNTRIES, standard_rate, vat_territory

_ZERO = Decimal(0)
_TAXED_AT_THE_BUYERS = frozenset({VatCategory.REVERSE_CHARGE, VatCategory.OUTSIDE_SCOPE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What the decision looks at."""

    seller: Party
    buyer: Party
    day: date
    """The tax point (BT-7): which rate is in force."""

    @property
    def is_domestic(self) -> bool:
        """Both in one member state."""
        return self.buyer_territory == self.seller_territory

    @property
    def seller_territory(self) -> str | None:
        """Whose VAT is that of the seller's country."""
        return vat_territory(self.seller.country)

    @property
    def buyer_territory(self) -> str | None:
        """Whose VAT is that of the buyer's country."""
        return vat_territory(self.buyer.country)

    @property
    def is_to_business(self) -> bool:
        """The buyer shows a VAT id of the own country whose check digits are right; VIES may confirm more, but never blocks."""
        return has_valid_vat_id(self.buyer)


@dataclass(frozen=True, slots=True, kw_only=True)
class VatDecision:
    """Category and rate of the supply, the law behind it, and the reason that the document must show."""

    rule: str
    vat: VatKey
    reason: str | None
    tax_country: str
    """The place of supply: whose VAT it is, or would be."""


@dataclass(frozen=True, slots=True)
class VatRule:
    """One row of the table: the first that applies decides."""

    id: str
    applies: Callable[[Supply], bool]
    decide: Callable[[Supply], VatKey]
    reason: str | None = None
    is_taxed_at_home: bool = False
    """The place of supply is the seller's country; otherwise it is the buyer's."""


VAT_RULES: tuple[VatRule, ...] = (
    VatRule(
        "Art. 59",
        lambda supply: supply.buyer_territory not in EU_COUNTRIES,
        lambda _: VatKey(VatCategory.OUTSIDE_SCOPE, _ZERO),
        "Not subject to VAT in the EU: the place of supply is outside (Art. 44, 58 and 59 Directive 2006/112/EC)",
    ),
    VatRule(
        "Art. 45 home",
        lambda supply: supply.is_domestic,
        lambda supply: VatKey(VatCategory.STANDARD, standard_rate(supply.seller_territory or "", supply.day)),
        is_taxed_at_home=True,
    ),
    VatRule(
        "Art. 196",
        lambda supply: supply.is_to_business,
        lambda _: VatKey(VatCategory.REVERSE_CHARGE, _ZERO),
        "Reverse charge (Art. 196 Directive 2006/112/EC)",
    ),
    VatRule(
        "Art. 58",
        lambda _: True,
        lambda supply: VatKey(VatCategory.STANDARD, standard_rate(supply.buyer_territory or "", supply.day)),
    ),
)
"""For a seller in the EU. A business without a valid VAT id is taxed as a consumer."""


def decide_vat(supply: Supply) -> VatDecision:
    """The VAT of an electronic service; ValueError where a country is missing or unknown, or the seller is outside the EU."""
    return _decide(supply.seller.country, supply.buyer.country, supply.buyer.vat_id, supply.day)


@lru_cache(maxsize=4096)
def _decide(seller_country: str | None, buyer_country: str | None, buyer_vat_id: str | None, day: date) -> VatDecision:
    """By what alone decides: documents of one day are many, and their countries few."""
    supply = Supply(seller=Party(name="-", country=seller_country), buyer=Party(name="-", country=buyer_country, vat_id=buyer_vat_id), day=day)
    if supply.seller_territory not in EU_COUNTRIES:
        message = f"VAT is decided for sellers in the EU; the seller's country is {supply.seller.country or 'missing'}"
        raise ValueError(message)
    if not supply.buyer.country:
        raise ValueError("VAT cannot be decided: the buyer's country is missing")
    unknown = unknown_country(supply.buyer.country)
    if unknown:  # to take it for one outside the EU would charge nothing where a code is misspelt
        message = f"VAT cannot be decided: the buyer's country {supply.buyer.country} {unknown}"
        raise ValueError(message)
    rule = next(rule for rule in VAT_RULES if rule.applies(supply))
    place = supply.seller_territory if rule.is_taxed_at_home else supply.buyer_territory
    return VatDecision(rule=rule.id, vat=rule.decide(supply), reason=rule.reason, tax_country=place or "")


def find_decision(supply: Supply) -> VatDecision | None:
    """The VAT of an electronic service, or None where it cannot be decided: a country or a rate is not known."""
    try:
        return decide_vat(supply)
    except ValueError:
        return None


def infer_tax_country(supply: Supply, vat: Collection[VatKey]) -> str | None:
    """Whose VAT a document charges that does not say so; None where the countries are not known.

    Where its VAT is the decided one, the place of supply is too. Where VAT was named otherwise: the buyer's country for AE and O, which say that
    the seller's does not tax it, and for a rate that is the standard rate of the buyer's member state on that day; else the seller's country.
    """
    seller, buyer = supply.seller_territory, supply.buyer_territory
    decision = find_decision(supply)
    if decision and set(vat) <= {decision.vat}:
        return decision.tax_country
    categories = {key.category for key in vat}
    if buyer and categories and categories <= _TAXED_AT_THE_BUYERS:
        return buyer
    if buyer in EU_COUNTRIES and buyer != seller and _has_standard_rate(vat, buyer, supply.day):
        return buyer
    return seller


def _has_standard_rate(vat: Collection[VatKey], country: str, day: date) -> bool:
    try:
        return any(key.category is VatCategory.STANDARD and key.rate == standard_rate(country, day) for key in vat)
    except ValueError:
        return False


def has_valid_vat_id(party: Party) -> bool:
    """Whether the party's VAT id is one of its own country with right check digits."""
    prefix = "EL" if party.country == "GR" else vat_territory(party.country)
    return bool(party.vat_id and prefix and party.vat_id.upper().startswith(prefix) and eu_vat.is_valid(party.vat_id))


def compact_vat_id(party: Party) -> str | None:
    """The party's VAT id as statements list it: upper case, without blanks and dots."""
    try:
        return eu_vat.compact(party.vat_id) if party.vat_id else None
    except ValidationError:  # of no member state
        return party.vat_id
