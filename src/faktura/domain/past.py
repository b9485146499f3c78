"""A document that was issued elsewhere, as its provider brings it: number and date are given, and stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from faktura.domain.calendar import legal_date, parse_date, parse_instant
from faktura.domain.draft import parse_draft
from faktura.domain.errors import Fault, InvalidDocumentError, SettingError, fault
from faktura.domain.invoice import AllowanceCharge, Draft, InvoiceLine, Totals, TypeCode
from faktura.domain.money import Currency, parse_decimal
from faktura.domain.numbering import NUMBER_MAX, Series, parse_number
from faktura.domain.party import Party, parse_party
from faktura.domain.provider import Provider, check_reference
from faktura.domain.rules import check
from faktura.domain.text import is_number_text, is_text, shown
from faktura.domain.totals import compute

WIRE_ID_MAX = 2**53
"""The largest id that a document may bring: ids of ours go on after it, and stay exact in JSON."""

FIRM_RULES = frozenset(
    {
        *("BR-16", "BR-25", "BR-27", "BR-29", "BR-CO-19", "BR-33"),  # what a document is made of
        *("BR-S-5", "BR-VAT-0"),  # category and rate: what sums are computed by
        *("BR-55", "AMOUNT-MAX", "NOT-NEGATIVE"),
    }
)
"""Rules that hold for a document of the past as for a new one; it may break any other where it says why (`override_reason`)."""

EXEMPT_RULES = frozenset({"VAT-OVERRIDE"})
"""Rules of how VAT is decided today: history was decided otherwise, and owes no reason for it."""

_OWN_FIELDS = frozenset({"account", "number", "wire_id", "created_at", "seller", "paid_amount", "payments"})
_PAYMENT_FIELDS = frozenset({"amount", "paid_on", "reference"})
_PAYMENTS_MAX = 1000
_REFERENCE_LENGTH_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPayment:
    """Money that its buyer paid for a document of the past."""

    amount_minor: int
    paid_on: date
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDocument:
    """All that a provider says of a document that it issued elsewhere."""

    account: str
    """The provider's own name of the customer."""
    number: str
    series: Series
    """The one whose template makes the number."""
    seq: int
    """The place in the series that the number says."""
    issue_date: date
    draft: Draft
    lines: tuple[InvoiceLine, ...]
    """With net amounts, as are allowances and charges."""
    allowances_charges: tuple[AllowanceCharge, ...]
    totals: Totals
    seller: Party
    wire_id: int | None
    created_at_us: int | None
    payments: tuple[PastPayment, ...]


def parse_past(data: object, *, provider: Provider, series: Sequence[Series], buyer: Party | None, seller: Party, now_us: int) -> PastDocument:
    """The document of one line of history; `buyer` and `seller` are those of documents that name none.

    Raises InvalidDocumentError with all faults. VAT is never decided here: each line names its own, whatever the law was then.
    """
    if not isinstance(data, Mapping):
        raise InvalidDocumentError([fault("type", "", "must be an object with account, number, issue_date and a document's fields")])
    today = legal_date(now_us, provider.zone)
    faults: list[Fault] = []
    account = _account(data.get("account"), faults)
    number = data.get("number")
    if not is_number_text(number):
        faults.append(fault("missing" if number is None else "value", "number", "is missing" if number is None else f"{shown(number)} is not a number"))
    if data.get("issue_date") is None:
        faults.append(fault("missing", "issue_date", "is missing"))
    wire_id = _wire_id(data.get("wire_id"), faults)
    created_at_us = _created_at(data.get("created_at"), now_us, faults)
    given_seller = data.get("seller")
    party = seller if given_seller is None else parse_party(given_seller, path="seller", faults=faults)
    draft = _draft(data, currency=provider.currency, buyer=buyer, seller=party or seller, today=today, faults=faults)
    if draft is None:
        raise InvalidDocumentError(faults)
    payments = _payments(data, draft, today, faults)
    place = _place(str(number), draft, series, faults) if is_number_text(number) else None
    lines, items, totals = compute(
        lines=draft.lines,
        allowances_charges=draft.allowances_charges,
        price_basis=draft.price_basis,
        exemption_reasons=dict(draft.exemption_reasons),
    )
    faults += _rule_faults(draft, party or seller, totals)
    if faults or place is None or draft.issue_date is None:
        raise InvalidDocumentError(faults)
    return PastDocument(
        account=account,
        number=str(number),
        series=place[0],
        seq=place[1],
        issue_date=draft.issue_date,
        draft=draft,
        lines=lines,
        allowances_charges=items,
        totals=totals,
        seller=party or seller,
        wire_id=wire_id,
        created_at_us=created_at_us,
        payments=payments,
    )


def _account(value: object, faults: list[Fault]) -> str:
    try:
        if isinstance(value, str):
            check_reference(value)
            return value
        faults.append(fault("missing", "account", "is missing, or no text"))
    except SettingError as error:
        faults.append(fault("value", "account", str(error)))
    return "?"


def _wire_id(value: object, faults: list[Fault]) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < WIRE_ID_MAX:
        faults.append(fault("value", "wire_id", f"{shown(value)} is not a whole number from 1 to {WIRE_ID_MAX - 1}"))
        return None
    return value


def _created_at(value: object, now_us: int, faults: list[Fault]) -> int | None:
    if value is None:
        return None
    try:
        if not isinstance(value, str):
            message = f"{shown(value)} is not a date and time such as 2024-09-24T21:00:00Z"
            raise ValueError(message)  # noqa: TRY004 - collected as a fault
        created_at_us = parse_instant(value)
        if created_at_us > now_us:
            message = f"{value} is in the future"
            raise ValueError(message)
    except ValueError as error:
        faults.append(fault("value", "created_at", str(error)))
        return None
    return created_at_us


def _draft(data: Mapping[str, Any], *, currency: Currency, buyer: Party | None, seller: Party, today: date, faults: list[Fault]) -> Draft | None:
    """The document's own fields; where they cannot be read, the firm rules that it breaks are told along."""
    document = {name: value for name, value in data.items() if name not in _OWN_FIELDS}
    try:
        return parse_draft(document, currency=currency, buyer=buyer, today=today)
    except InvalidDocumentError as error:
        faults += error.faults
    try:
        parse_draft(document, currency=currency, buyer=buyer, seller=seller, today=today)
    except InvalidDocumentError as error:
        faults += [found for found in error.faults if found.rule in FIRM_RULES and found not in faults]
    return None


def _rule_faults(draft: Draft, seller: Party, totals: Totals) -> Sequence[Fault]:
    found = [item for item in check(draft, seller=seller, totals=totals) if item.rule not in EXEMPT_RULES]
    if draft.override_reason:
        return [item for item in found if item.rule in FIRM_RULES]
    hint = "; a document of the past may, where its override_reason says why"
    return [item if item.rule in FIRM_RULES else fault(item.rule, item.path, item.message + hint) for item in found]


def _place(number: str, draft: Draft, series: Sequence[Series], faults: list[Fault]) -> tuple[Series, int] | None:
    """The series that makes such a number for this type and date, and the place in it."""
    fitting = [item for item in series if draft.type_code in item.type_codes]
    if not fitting:
        faults.append(fault("SERIES", "type_code", f"the provider has no number series for a {draft.type_code.label}"))
        return None
    for item in fitting:
        parsed = parse_number(item.template, number)
        if parsed is None or parsed.seq >= NUMBER_MAX:
            continue
        if draft.issue_date is None:
            return None
        if parsed.fits(draft.issue_date):
            return item, parsed.seq
        faults.append(fault("SERIES", "number", f"{number} is not of {draft.issue_date}: the template {item.template} of series {item.name} shows the date"))
        return None
    templates = " or ".join(f"{item.template} of series {item.name}" for item in fitting)
    faults.append(fault("SERIES", "number", f"{shown(number)} does not fit the template {templates} (`faktura series set` changes it)"))
    return None


def _payments(data: Mapping[str, Any], draft: Draft, today: date, faults: list[Fault]) -> tuple[PastPayment, ...]:
    """The payments that a line states one by one, or the one that its `paid_amount` stands for, on the day of issue."""
    money, before = draft.currency, len(faults)
    paid_minor = _amount(data, "paid_amount", "paid_amount", money, faults)
    given = data.get("payments")
    if given is not None and (not isinstance(given, list) or len(given) > _PAYMENTS_MAX):
        faults.append(fault("type", "payments", f"must be a list of at most {_PAYMENTS_MAX} payments"))
        return ()
    payments = [_payment(value, f"payments[{index}]", draft, today, faults) for index, value in enumerate(given or ())]
    if len(faults) > before:
        return ()
    if given is None and paid_minor:
        payments = [PastPayment(amount_minor=paid_minor, paid_on=draft.issue_date or today)]
    total = sum(item.amount_minor for item in payments)
    if paid_minor is not None and paid_minor != total:
        faults.append(fault("PAYMENT", "paid_amount", f"{money.format(paid_minor)} is stated, the payments make {money.format(total)}"))
    if payments and draft.type_code not in {TypeCode.INVOICE, TypeCode.DEBIT_NOTE}:
        faults.append(fault("PAYMENT", "payments", f"a {draft.type_code.label} is not paid; what a credit note settles follows from the invoice that it names"))
    return tuple(payments)


def _payment(value: object, path: str, draft: Draft, today: date, faults: list[Fault]) -> PastPayment:
    if not isinstance(value, Mapping):
        faults.append(fault("type", path, "must be an object with an amount"))
        value = {"amount": 1}
    faults.extend(fault("unknown", f"{path}.{shown(key)}", "is not a field of a payment") for key in value if key not in _PAYMENT_FIELDS)
    amount_minor = _amount(value, "amount", f"{path}.amount", draft.currency, faults)
    if not amount_minor:
        faults.append(fault("PAYMENT", f"{path}.amount", "a payment is more than nothing"))
    paid_on, reference = draft.issue_date or today, value.get("reference")
    if value.get("paid_on") is not None:
        try:
            paid_on = parse_date(value["paid_on"])
        except ValueError as error:
            faults.append(fault("value", f"{path}.paid_on", str(error)))
    if paid_on > today:
        faults.append(fault("PAYMENT", f"{path}.paid_on", f"{paid_on} is in the future, today is {today}"))
    if reference is not None and not is_text(reference, length_max=_REFERENCE_LENGTH_MAX):
        faults.append(fault("PAYMENT", f"{path}.reference", f"must be a text of 1 to {_REFERENCE_LENGTH_MAX} characters"))
    return PastPayment(amount_minor=amount_minor or 0, paid_on=paid_on, reference=reference if isinstance(reference, str) else None)


def _amount(source: Mapping[str, Any], name: str, path: str, money: Currency, faults: list[Fault]) -> int | None:
    """An amount of nothing or more; None where there is none."""
    if source.get(name) is None:
        return None
    try:
        amount_minor = money.to_minor(parse_decimal(source[name]))
        if amount_minor < 0:
            message = f"{money.format(amount_minor)} is less than nothing"
            raise ValueError(message)
    except ValueError as error:
        faults.append(fault("value", path, str(error)))
        return None
    return amount_minor
