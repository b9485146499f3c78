"""Seller (BG-4) and buyer (BG-7)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from faktura.domain.errors import Fault, InvalidDocumentError, fault
from faktura.domain.text import is_text, shown

_COUNTRY = re.compile(r"[A-Z]{2}\Z")
_ELECTRONIC_ADDRESS = re.compile(r"[0-9A-Z]{2,4}:\S+\Z")
_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?\Z")
TEXT_LENGTH_MAX = 1000
_IDS = ("vat_id", "registration_id", "tax_number")
"""What tells a party from others, the surest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who sells or buys. Everything a document shows of a party is copied into the document when it is issued."""

    name: str
    """BT-27 / BT-44."""
    street: str | None = None
    """BT-35 / BT-50."""
    city: str | None = None
    """BT-37 / BT-52."""
    post_code: str | None = None
    """BT-38 / BT-53."""
    country: str | None = None
    """BT-40 / BT-55, ISO 3166-1 alpha-2."""
    vat_id: str | None = None
    """BT-31 / BT-48, with its country prefix."""
    registration_id: str | None = None
    """BT-30 / BT-47: the company register's number (in Bulgaria the EIK)."""
    tax_number: str | None = None
    """BT-32: the seller's local tax number."""
    email: str | None = None
    """BT-43 / BT-58."""
    contact_name: str | None = None
    """BT-41 / BT-56."""
    phone: str | None = None
    """BT-42 / BT-57."""
    electronic_address: str | None = None
    """BT-34 / BT-49 with its scheme of the EAS list before a colon: `0088:4035811991021`, `EM:billing@example.com`."""
    buyer_reference: str | None = None
    """BT-10: what the buyer wants to find its invoices by, such as the Leitweg-ID."""
    iban: str | None = None
    """BT-84: where the seller is paid."""
    bic: str | None = None
    """BT-86."""
    account_name: str | None = None
    """BT-85."""

    def __post_init__(self) -> None:
        faults = [fault("text", name, "is not a text of 1 to 1000 characters") for name in self.__slots__ if not self._usable(name)]
        if self.country is not None:
            try:
                parse_country(self.country)
            except ValueError as error:
                faults.append(fault("BR-CL-14", "country", str(error)))
        if self.electronic_address is not None or self.iban is not None or self.bic is not None:
            faults += self._bad_codes({found.path for found in faults})
        if faults:
            raise InvalidDocumentError(faults)

    def _usable(self, name: str) -> bool:
        value = getattr(self, name)
        if value is None:
            return name != "name"
        return is_text(value, length_max=TEXT_LENGTH_MAX)

    def _bad_codes(self, unusable: set[str]) -> Iterator[Fault]:
        """What is a text, but not of the form that its term asks for."""
        if self.electronic_address is not None and "electronic_address" not in unusable and not _ELECTRONIC_ADDRESS.match(self.electronic_address):
            yield fault("BR-CL-25", "electronic_address", f"{shown(self.electronic_address)} is not a scheme and an address, such as 0088:4035811991021")
        if self.iban is not None and "iban" not in unusable and not is_iban(self.iban):
            yield fault("IBAN", "iban", f"{shown(self.iban)} is not an IBAN: its length or its check digits are wrong")
        if self.bic is not None and "bic" not in unusable and not _BIC.match(self.bic):
            yield fault("BIC", "bic", f"{shown(self.bic)} is not a BIC of 8 or 11 characters")

    def to_mapping(self) -> dict[str, str]:
        """What is known of the party, for storage and JSON."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}


def has_id(party: Party) -> bool:
    """Whether anything but its name tells who it is."""
    return any(_plain_id(party, name) for name in _IDS)


def is_same_by_id(one: Party, other: Party) -> bool | None:
    """Whether two are one by the first identifier that both have; None where they have none in common."""
    for name in _IDS:
        found, against = _plain_id(one, name), _plain_id(other, name)
        if found and against:
            return found == against
    return None


def is_same_name(one: Party, other: Party) -> bool:
    """In any case, and however it is spaced."""
    return "".join(one.name.split()).casefold() == "".join(other.name.split()).casefold()


def _plain_id(party: Party, name: str) -> str:
    """Without the case and signs that people write between."""
    return "".join(sign for sign in (getattr(party, name) or "").upper() if sign.isalnum())


def is_iban(value: str) -> bool:
    """Whether length and check digits are those of an account number (ISO 13616); spaces do not count."""
    from stdnum import iban  # noqa: PLC0415 - loads the formats of all countries: only for who names an account

    # What countries check inside is not checked: banks gave out numbers before they did.
    return bool(iban.is_valid(value, check_country=False))


def parse_country(value: object) -> str:
    """An ISO 3166-1 alpha-2 code; ValueError otherwise."""
    if not isinstance(value, str) or not _COUNTRY.match(value):
        message = f"{shown(value)} is not an ISO 3166-1 code such as BG"
        raise ValueError(message)
    return value


def parse_party(value: object, *, path: str, faults: list[Fault]) -> Party | None:
    """A party from a user's mapping; mistakes go to `faults` under `path`."""
    if not isinstance(value, Mapping):
        faults.append(fault("type", path, "must be an object with at least a name"))
        return None
    known = {field.name for field in fields(Party)}
    unknown = sorted(str(key) for key in value if key not in known)
    faults.extend(fault("unknown", f"{path}.{key}", "is not a field of a party") for key in unknown)
    try:
        return Party(**{str(key): given for key, given in value.items() if key in known} | {"name": value.get("name")})
    except InvalidDocumentError as error:
        faults.extend(fault(found.rule, f"{path}.{found.path}", found.message) for found in error.faults)
        return None
