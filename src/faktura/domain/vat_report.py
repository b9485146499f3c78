"""What VAT a period's documents charged: for the return, the one-stop shop, the recapitulative statement and the sales ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from faktura.domain.credit_note import tax_country_of
from faktura.domain.invoice import Invoice, TypeCode
from faktura.domain.money import Currency
from faktura.domain.vat import VatCategory
from faktura.domain.vat_decision import compact_vat_id
from faktura.domain.vat_rates import EU_COUNTRIES, vat_territory

_STATED = frozenset({VatCategory.REVERSE_CHARGE, VatCategory.INTRA_COMMUNITY})


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesRow:
    """One VAT category and rate of one document, as a sales ledger lists it. Amounts of a credit note are negative."""

    invoice_id: int
    number: str
    issue_date: date
    tax_point_date: date
    """BT-7, else the issue date: what decides the period."""
    type_code: TypeCode
    buyer_name: str
    buyer_country: str | None
    buyer_vat_id: str | None
    seller_country: str | None
    tax_country: str | None
    category: VatCategory | None
    rate: Decimal
    currency: Currency
    taxable_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VatSummaryRow:
    """All documents of one country, category, rate and currency."""

    tax_country: str | None
    category: VatCategory | None
    rate: Decimal
    currency: Currency
    taxable_minor: int
    tax_minor: int
    document_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OssRow:
    """Supplies to consumers that are taxed in another member state than the seller's (Art. 369g Directive 2006/112/EC)."""

    tax_country: str
    rate: Decimal
    currency: Currency
    taxable_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecapitulativeRow:
    """Supplies to one business of another member state (Art. 262 and 264): services that it owes the VAT of (AE), and goods (K)."""

    vat_id: str
    category: VatCategory
    currency: Currency
    taxable_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VatReport:
    """The VAT of a provider's issued documents with a tax point from `start` to `end`, both included."""

    provider: str
    start: date
    end: date
    locked_through: date | None
    """The report of a period is final once it is locked."""
    summary: tuple[VatSummaryRow, ...]
    oss: tuple[OssRow, ...]
    recapitulative: tuple[RecapitulativeRow, ...]


def sales_rows(invoice: Invoice) -> Iterator[SalesRow]:
    """The rows of one issued document."""
    if invoice.type_code is None or invoice.buyer is None:
        raise AssertionError("an issued document has a type and a buyer")
    for group in invoice.vat_breakdown:
        yield SalesRow(
            invoice_id=invoice.id,
            number=invoice.number,
            issue_date=invoice.issue_date,
            tax_point_date=invoice.tax_point_date or invoice.issue_date,
            type_code=invoice.type_code,
            buyer_name=invoice.buyer.name,
            buyer_country=invoice.buyer.country,
            buyer_vat_id=compact_vat_id(invoice.buyer),
            seller_country=invoice.seller.country if invoice.seller else None,
            tax_country=tax_country_of(invoice),
            category=group.category,
            rate=group.rate,
            currency=invoice.currency,
            taxable_minor=invoice.sign * (group.taxable_amount_minor or 0),
            tax_minor=invoice.sign * (group.tax_amount_minor or 0),
        )


def summarize(rows: Iterable[SalesRow], *, provider: str, start: date, end: date, locked_through: date | None) -> VatReport:
    """The report of a period's rows. Memory grows with the groups, not with the rows."""
    summary: dict[tuple[str, str, Decimal, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    oss: dict[tuple[str, Decimal, str], list[int]] = defaultdict(lambda: [0, 0])
    statement: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0])
    for row in rows:
        country, category, currency = row.tax_country or "", row.category or "", row.currency.code
        _add(summary[country, category, row.rate, currency], row.taxable_minor, row.tax_minor, 1)
        if row.category is VatCategory.STANDARD and country in EU_COUNTRIES and country != vat_territory(row.seller_country):
            _add(oss[country, row.rate, currency], row.taxable_minor, row.tax_minor)
        buyer_territory = vat_territory(row.buyer_country)
        if row.category in _STATED and row.buyer_vat_id and buyer_territory in EU_COUNTRIES and buyer_territory != vat_territory(row.seller_country):
            _add(statement[row.buyer_vat_id, category, currency], row.taxable_minor)
    return VatReport(
        provider=provider,
        start=start,
        end=end,
        locked_through=locked_through,
        summary=tuple(
            VatSummaryRow(
                tax_country=country or None,
                category=VatCategory(category) if category else None,
                rate=rate,
                currency=Currency(currency),
                taxable_minor=taxable,
                tax_minor=tax,
                document_count=count,
            )
            for (country, category, rate, currency), (taxable, tax, count) in sorted(summary.items())
        ),
        oss=tuple(
            OssRow(tax_country=country, rate=rate, currency=Currency(currency), taxable_minor=taxable, tax_minor=tax)
            for (country, rate, currency), (taxable, tax) in sorted(oss.items())
        ),
        recapitulative=tuple(
            RecapitulativeRow(vat_id=vat_id, category=VatCategory(category), currency=Currency(currency), taxable_minor=taxable)
            for (vat_id, category, currency), (taxable,) in sorted(statement.items())
        ),
    )


def _add(sums: list[int], *amounts: int) -> None:
    for place, amount in enumerate(amounts):
        sums[place] += amount
