"""Rows <-> domain values. Column names are the terms' names, so this is mostly a change of type."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from faktura.domain.document_file import DocumentFile
from faktura.domain.invoice import AllowanceCharge, Invoice, InvoiceLine, Origin, Period, PrecedingInvoice, TypeCode
from faktura.domain.moment import Moment
from faktura.domain.money import Currency, canonical
from faktura.domain.numbering import NumberMethod, Reset, Series
from faktura.domain.party import Party
from faktura.domain.payment import Allocation, Payment, Refund, Reversal, Settlement, Standing
from faktura.domain.provider import Account, Provider, Token
from faktura.domain.vat import PriceBasis, VatBreakdown, VatCategory, VatKey
from faktura.domain.vat_check import VatIdCheck
from faktura.ledger.listing_ports import ListingRow
from faktura.ledger.ports import BillingKey, JournalEntry, MovedIn, SeriesJump

Row = Mapping[str, Any]

_PLAIN_COLUMNS = (
    "account_id wire_id source_wire_id source_type series series_sequence number created_at_us line_total_minor allowance_total_minor charge_total_minor "
    "total_without_vat_minor vat_total_minor total_with_vat_minor note payment_terms override_reason tax_country pro_forma_id recorded_at_us"
).split()


def to_invoice(
    row: Row,
    *,
    lines: tuple[InvoiceLine, ...],
    allowances_charges: tuple[AllowanceCharge, ...],
    vat_breakdown: tuple[VatBreakdown, ...],
) -> Invoice:
    """The document of a row and what hangs on it."""
    start, end = to_date(row["period_start"]), to_date(row["period_end"])
    preceding = row["preceding_number"]
    return Invoice(
        **{name: row[name] for name in _PLAIN_COLUMNS},
        id=row["invoice_id"],
        origin=Origin(row["origin"]),
        type_code=None if row["type_code"] is None else TypeCode(row["type_code"]),
        issue_date=date.fromisoformat(row["issue_date"]),
        currency=Currency(row["currency"]),
        price_basis=None if row["price_basis"] is None else PriceBasis(row["price_basis"]),
        seller=to_party(row["seller"]),
        buyer=to_party(row["buyer"]),
        due_date=to_date(row["due_date"]),
        tax_point_date=to_date(row["tax_point_date"]),
        period=Period(start=start, end=end) if start or end else None,
        vat_rate=to_decimal(row["vat_rate"]),
        vat_breakdown=vat_breakdown,
        lines=None if row["line_count"] is None else lines,
        allowances_charges=allowances_charges,
        preceding_invoice=PrecedingInvoice(number=preceding, issue_date=to_date(row["preceding_issue_date"]), invoice_id=row["preceding_invoice_id"])
        if preceding is not None
        else None,
        order_ids=None if row["order_ids"] is None else tuple(json.loads(row["order_ids"])),
    )


def to_line(row: Row, allowances_charges: tuple[AllowanceCharge, ...]) -> InvoiceLine:
    """The line of a row."""
    start, end = to_date(row["period_start"]), to_date(row["period_end"])
    return InvoiceLine(
        name=row["name"],
        quantity=Decimal(row["quantity"]),
        unit_code=row["unit_code"],
        unit_price=Decimal(row["unit_price"]),
        line_total_minor=row["line_total_minor"],
        net_amount_minor=row["net_amount_minor"],
        vat=_to_vat(row),
        item_id=row["item_id"],
        period=Period(start=start, end=end) if start or end else None,
        order_id=row["order_id"],
        allowances_charges=allowances_charges,
    )


def to_allowance_charge(row: Row) -> AllowanceCharge:
    """The allowance or charge of a row."""
    return AllowanceCharge(
        is_charge=bool(row["is_charge"]),
        amount_minor=row["amount_minor"],
        net_amount_minor=row["net_amount_minor"],
        reason=row["reason"],
        vat=_to_vat(row),
    )


def to_vat_breakdown(row: Row) -> VatBreakdown:
    """The group of a row."""
    return VatBreakdown(
        category=VatCategory(row["category"]) if row["category"] else None,
        rate=Decimal(row["rate"]),
        taxable_amount_minor=row["taxable_amount_minor"],
        tax_amount_minor=row["tax_amount_minor"],
        exemption_reason=row["exemption_reason"],
    )


def flat_row(value: ListingRow | JournalEntry | BillingKey | MovedIn | SeriesJump | VatIdCheck | DocumentFile) -> dict[str, object]:
    """The row of a value whose fields are the columns. `dataclasses.asdict` would copy deeply, and take most of an import's time."""
    return {name: getattr(value, name) for name in value.__slots__}


def flat_values(value: ListingRow | JournalEntry) -> tuple[object, ...]:
    """The same in the order of the fields, where that is the statement's."""
    return tuple([getattr(value, name) for name in value.__slots__])


def provider_row(provider: Provider) -> dict[str, object]:
    """A provider's row; what is not asked for by column is kept as JSON."""
    settings = {
        "public_url": provider.public_url,
        "hosts": provider.hosts,
        "rate_limit": provider.rate_limit,
        "rate_window_seconds": provider.rate_window_seconds,
        "type_words": {str(code.value): word for code, word in provider.type_words},
        "is_test": provider.is_test,
        **{name: value for name in ("e_invoice_profile", "accent", "footer") if (value := getattr(provider, name)) is not None},
        **({"logo": b64encode(provider.logo).decode()} if provider.logo is not None else {}),
    }
    return {
        "provider_id": provider.id,
        "name": provider.name,
        "dialect": provider.dialect,
        "zone": provider.zone,
        "currency": provider.currency.code,
        "seller": party_text(provider.seller),
        "settings": json.dumps(settings),
    }


def to_provider(row: Row) -> Provider:
    """The provider of a row."""
    settings = json.loads(row["settings"])
    return Provider(
        id=row["provider_id"],
        name=row["name"],
        dialect=row["dialect"],
        zone=row["zone"],
        currency=Currency(row["currency"]),
        seller=_party(row["seller"]),
        public_url=settings["public_url"],
        hosts=tuple(settings["hosts"]),
        rate_limit=settings["rate_limit"],
        rate_window_seconds=settings["rate_window_seconds"],
        type_words=tuple((TypeCode(int(code)), word) for code, word in settings["type_words"].items()),
        is_test=settings.get("is_test", False),
        e_invoice_profile=settings.get("e_invoice_profile"),
        accent=settings.get("accent"),
        footer=settings.get("footer"),
        logo=b64decode(settings["logo"]) if "logo" in settings else None,
    )


def to_account(row: Row) -> Account:
    """The account of a row."""
    return Account(
        id=row["account_id"],
        provider_id=row["provider_id"],
        reference=row["reference"],
        buyer=to_party(row["buyer"]),
        first_ordinal=row["first_ordinal"],
        last_ordinal=row["last_ordinal"],
        revision=row["revision"],
    )


def to_series(row: Row) -> Series:
    """The number series of a row."""
    return Series(
        provider_id=row["provider_id"],
        name=row["name"],
        type_codes=tuple(TypeCode(int(code)) for code in row["type_codes"].split(",")),
        method=NumberMethod(row["method"]),
        template=row["template"],
        next_number=row["next_number"],
        last_date=to_date(row["last_date"]),
        reset=Reset(row["reset"]),
    )


def to_token(row: Row) -> Token:
    """The token of a row."""
    return Token(
        id=row["token_id"],
        provider_id=row["provider_id"],
        account_id=row["account_id"],
        label=row["label"],
        hint=row["hint"],
        scopes=tuple(row["scopes"].split()),
        created_at_us=row["created_at_us"],
        expires_at_us=row["expires_at_us"],
        revoked_at_us=row["revoked_at_us"],
        last_used_at_us=row["last_used_at_us"],
    )


def to_payment(row: Row) -> Payment:
    """The payment of a row."""
    return Payment(
        id=row["payment_id"],
        account_id=row["account_id"],
        amount_minor=row["amount_minor"],
        currency=Currency(row["currency"]),
        paid_on=date.fromisoformat(row["paid_on"]),
        recorded_at_us=row["recorded_at_us"],
        reference=row["reference"],
        pro_forma_id=row["pro_forma_id"],
    )


def to_allocation(row: Row) -> Allocation:
    """The allocation of a row."""
    return Allocation(
        id=row["allocation_id"],
        account_id=row["account_id"],
        invoice_id=row["invoice_id"],
        amount_minor=row["amount_minor"],
        payment_id=row["payment_id"],
        credit_note_id=row["credit_note_id"],
        allocated_on=date.fromisoformat(row["allocated_on"]),
        recorded_at_us=row["recorded_at_us"],
    )


def to_refund(row: Row) -> Refund:
    """The refund of a row."""
    return Refund(
        id=row["refund_id"],
        account_id=row["account_id"],
        amount_minor=row["amount_minor"],
        payment_id=row["payment_id"],
        credit_note_id=row["credit_note_id"],
        refunded_on=date.fromisoformat(row["refunded_on"]),
        recorded_at_us=row["recorded_at_us"],
        reference=row["reference"],
    )


def to_reversal(row: Row) -> Reversal:
    """The reversal of a row."""
    return Reversal(
        id=row["reversal_id"],
        account_id=row["account_id"],
        payment_id=row["payment_id"],
        reversed_on=date.fromisoformat(row["reversed_on"]),
        reason=row["reason"],
        recorded_at_us=row["recorded_at_us"],
    )


def settlements_text(settlements: tuple[Settlement, ...] | None) -> str | None:
    """Observed payments as JSON: [[amount_minor, paid_at_us], …]."""
    return None if settlements is None else json.dumps([[item.amount_minor, item.paid_at_us] for item in settlements])


def to_settlements(text: str | None) -> tuple[Settlement, ...] | None:
    """The observed payments of that text."""
    return None if text is None else tuple(Settlement(amount_minor=amount, paid_at_us=at) for amount, at in json.loads(text))


def to_standing(row: Row) -> Standing:
    """The paid and open amounts, and payments, that an observation's row keeps."""
    return Standing(paid_minor=row["paid_minor"], due_minor=row["due_minor"], settlements=to_settlements(row["settlements"]))


@lru_cache(maxsize=1024)
def party_text(party: Party | None) -> str | None:
    """A party as JSON. One seller, and few buyers in turn, stand in many documents."""
    return None if party is None else json.dumps(party.to_mapping(), ensure_ascii=False)


def to_party(text: str | None) -> Party | None:
    """The party of that text."""
    return None if text is None else _party(text)


@lru_cache(maxsize=1024)
def _party(text: str) -> Party:
    return Party(**json.loads(text))


LAST_INSTANT_US = 2**62
"""Later than any instant that is recorded."""


def moment_row(moment: Moment) -> dict[str, object]:
    """A moment as parameters: without bounds, they let everything pass."""
    return {
        "as_of_us": LAST_INSTANT_US if moment.as_of_us is None else moment.as_of_us,
        "on_date": "9999-12-31" if moment.on is None else moment.on.isoformat(),
    }


def date_text(day: date | None) -> str | None:
    """A date as ISO text."""
    return None if day is None else day.isoformat()


def to_date(text: str | None) -> date | None:
    """The date of that text."""
    return None if text is None else date.fromisoformat(text)


def decimal_text(value: Decimal | None) -> str | None:
    """A decimal as canonical text."""
    return None if value is None else canonical(value)


def to_decimal(text: str | None) -> Decimal | None:
    """The decimal of that text."""
    return None if text is None else Decimal(text)


def _to_vat(row: Row) -> VatKey | None:
    if row["vat_rate"] is None:
        return None
    return VatKey(VatCategory(row["vat_category"]) if row["vat_category"] else None, Decimal(row["vat_rate"]))
