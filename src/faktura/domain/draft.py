"""A user's document (parsed JSON or TOML) -> Draft, with every fault at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from faktura.domain.calendar import parse_date
from faktura.domain.errors import FAULTS_SHOWN_MAX, Fault, InvalidDocumentError, SettingError, fault
from faktura.domain.invoice import AllowanceCharge, Draft, InvoiceLine, Period, PrecedingInvoice, Totals, TypeCode
from faktura.domain.money import Currency, parse_decimal
from faktura.domain.party import Party, parse_country, parse_party
from faktura.domain.rules import check
from faktura.domain.text import is_text, shown
from faktura.domain.totals import compute, line_total
from faktura.domain.vat import PriceBasis, VatCategory, VatKey, scaled_rate
from faktura.domain.vat_decision import Supply, VatDecision, decide_vat

T = TypeVar("T")
TEXT_LENGTH_MAX = 4000
LINES_MAX = 100_000
_NAME_SHOWN_MAX = 80
ORDER_ID_MAX = 2**53
_TOTALS = ("total_without_vat", "vat_total", "total_with_vat")
_UNREADABLE = frozenset({"value", "missing", "type", "VAT"})
_NOT_SUMMED = frozenset({"name", "unit_code", "item_id", "order_id", "reason", "period", "start", "end"})
_SUMMED = ("lines", "allowances_charges", "price_basis", "currency")
_FIELDS = frozenset(
    "type_code currency price_basis buyer lines allowances_charges exemption_reasons issue_date due_date tax_point_date "
    "period preceding_invoice order_ids note payment_terms override_reason tax_country".split()
) | set(_TOTALS)
_LINE_FIELDS = frozenset("name quantity unit_price vat_category vat_rate unit_code item_id period order_id allowances_charges line_total".split())
_VAT_FIELDS = frozenset({"vat_category", "vat_rate"})
_ADJUSTMENT_FIELDS = frozenset("charge amount reason vat_category vat_rate".split())


@dataclass(slots=True)
class _Reader:
    """Reads fields of nested mappings and collects faults instead of stopping at the first."""

    currency: Currency
    faults: list[Fault] = field(default_factory=list)
    decision: VatDecision | None = None
    """The VAT of lines that name none."""
    undecided: str | None = None
    """Why there is no decision."""
    is_decided: bool = False
    """Whether a line took the decision."""

    def decide(self, seller: Party, buyer: Party, day: date | None) -> None:
        """Decide the VAT of lines that name none, if seller, buyer and day allow it."""
        if day is None:
            return
        try:
            self.decision = decide_vat(Supply(seller=seller, buyer=buyer, day=day))
        except ValueError as error:
            self.undecided = str(error)

    def value(self, source: Mapping[str, Any], name: str, path: str, read: Callable[[Any], T], default: T) -> T:
        given = source.get(name)
        if given is None:
            return default
        try:
            return read(given)
        except (ValueError, TypeError, SettingError) as error:
            self.faults.append(fault("value", _join(path, name), str(error)))
            return default

    def failed(self, before: int) -> bool:
        """Whether a field could not be read since there were `before` faults: what would follow from it is not judged."""
        return len(self.faults) > before

    def required(self, source: Mapping[str, Any], name: str, path: str, read: Callable[[Any], T], default: T) -> T:
        if source.get(name) is None:
            self.faults.append(fault("missing", _join(path, name), "is missing"))
        return self.value(source, name, path, read, default)

    def mapping(self, value: object, path: str, known: frozenset[str]) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.faults.append(fault("type", path, "must be an object"))
            return {}
        if not known.issuperset(value):
            unknown = islice((key for key in value if key not in known), FAULTS_SHOWN_MAX)
            self.faults.extend(fault("unknown", _join(path, str(key)[:_NAME_SHOWN_MAX]), "is not a field here") for key in unknown)
        return value

    def sequence(self, source: Mapping[str, Any], name: str, path: str) -> list[Any]:
        value = source.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > LINES_MAX:
            self.faults.append(fault("type", _join(path, name), f"must be a list of at most {LINES_MAX} items"))
            return []
        return value


def parse_draft(data: object, *, currency: Currency, buyer: Party | None = None, seller: Party | None = None, today: date | None = None) -> Draft:
    """The draft that a user's document asks for; `currency` and `buyer` are the account's, used where it names none.

    With `seller` and `today`, lines that name no VAT rate take the one that follows from seller, buyer and tax point.
    Raises InvalidDocumentError with all faults: of type, of rate and category, of totals that do not add up, and, where
    the seller is given, of every rule.
    """
    return read_draft(data, currency=currency, buyer=buyer, seller=seller, today=today).draft


class Read(NamedTuple):
    """A draft and what it comes to, computed while it was checked."""

    draft: Draft
    lines: tuple[InvoiceLine, ...]
    allowances_charges: tuple[AllowanceCharge, ...]
    totals: Totals


def read_draft(data: object, *, currency: Currency, buyer: Party | None = None, seller: Party | None = None, today: date | None = None) -> Read:
    """The same with its sums: nobody who issues it needs to make or check them again on that day."""
    reader = _Reader(currency)
    source = reader.mapping(data, "", _FIELDS)
    reader.currency = reader.value(source, "currency", "", Currency, currency)
    given_buyer = source.get("buyer")
    party = parse_party(given_buyer, path="buyer", faults=reader.faults) if given_buyer is not None else buyer
    if given_buyer is None and buyer is None:
        reader.faults.append(fault("BR-7", "buyer", "is missing, and the account has none"))
    tax_point_date, issue_date = _date(reader, source, "tax_point_date"), _date(reader, source, "issue_date")
    if seller and party:
        reader.decide(seller, party, tax_point_date or issue_date or today)
    lines = tuple(_line(reader, value, f"lines[{index}]") for index, value in enumerate(reader.sequence(source, "lines", "")))
    adjustments = _adjustments(reader, source, "", with_vat=True)
    draft = Draft(
        type_code=reader.value(source, "type_code", "", _type_code, TypeCode.INVOICE),
        currency=reader.currency,
        price_basis=reader.value(source, "price_basis", "", _basis, PriceBasis.NET),
        buyer=party or Party(name="unknown"),
        lines=lines,
        allowances_charges=adjustments,
        exemption_reasons=_with_decided(reader, _reasons(reader, source)),
        issue_date=issue_date,
        due_date=_date(reader, source, "due_date"),
        tax_point_date=tax_point_date,
        period=_period(reader, source, ""),
        preceding_invoice=reader.value(source, "preceding_invoice", "", lambda value: PrecedingInvoice(number=_text(value)), None),
        order_ids=tuple(_order_id(reader, value, f"order_ids[{index}]") for index, value in enumerate(reader.sequence(source, "order_ids", ""))),
        note=reader.value(source, "note", "", _text, None),
        payment_terms=reader.value(source, "payment_terms", "", _text, None),
        override_reason=reader.value(source, "override_reason", "", _text, None),
        tax_country=reader.value(source, "tax_country", "", parse_country, None),
    )
    if today and issue_date and issue_date > today:
        reader.faults.append(fault("ISSUE-DATE", "issue_date", f"{issue_date} is in the future; where the books are kept it is {today}"))
    sums = compute(lines=lines, allowances_charges=adjustments, price_basis=draft.price_basis, exemption_reasons=dict(draft.exemption_reasons))
    is_computable = _check_totals(reader, source, sums[2])
    if seller and is_computable:
        # A party that could not be read stands in as "unknown": what it lacks is not another mistake.
        has_buyer = not any(found.path.startswith("buyer") for found in reader.faults)
        found = check(draft, seller=seller, totals=sums[2], issue_date=today)
        reader.faults += [item for item in found if has_buyer or not item.path.startswith("buyer")]
    if reader.faults:
        raise InvalidDocumentError(reader.faults)
    return Read(draft, *sums)


def _check_totals(reader: _Reader, source: Mapping[str, Any], totals: Totals) -> bool:
    """Sums that the user states must be the sums that follow (BR-CO-10 to BR-CO-15); whether they could be made."""
    is_computable = not any(_hides_sums(found) for found in reader.faults)
    rules = {"total_without_vat": "BR-CO-13", "vat_total": "BR-CO-14", "total_with_vat": "BR-CO-15"}
    for name in _TOTALS:
        if source.get(name) is None:
            continue
        stated = reader.value(source, name, "", lambda value: reader.currency.to_minor(parse_decimal(value)), None)
        computed = getattr(totals, f"{name}_minor")
        if is_computable and stated is not None and stated != computed:
            message = f"{reader.currency.format(stated)} is stated, the lines make {reader.currency.format(computed)}"
            reader.faults.append(fault(rules[name], name, message))
    return is_computable


def _hides_sums(found: Fault) -> bool:
    """Whether the sums cannot be made because of this fault: an unreadable amount does that, an unreadable name does not."""
    return found.rule in _UNREADABLE and found.path.startswith(_SUMMED) and found.path.rpartition(".")[2] not in _NOT_SUMMED


def _line(reader: _Reader, value: object, path: str) -> InvoiceLine:
    before = len(reader.faults)
    source = reader.mapping(value, path, _LINE_FIELDS)
    quantity = reader.value(source, "quantity", path, parse_decimal, Decimal(1))
    unit_price = reader.required(source, "unit_price", path, parse_decimal, Decimal(0))
    adjustments = _adjustments(reader, source, path, with_vat=False)
    total = line_total(quantity=quantity, unit_price=unit_price, currency=reader.currency, adjustments=adjustments)
    is_computable = not reader.failed(before)
    stated = reader.value(source, "line_total", path, lambda given: reader.currency.to_minor(parse_decimal(given)), None)
    if is_computable and stated is not None and stated != total:
        message = f"{reader.currency.format(stated)} is stated, quantity and price make {reader.currency.format(total)}"
        reader.faults.append(fault("LINE-TOTAL", f"{path}.line_total", message))
    return InvoiceLine(
        name=reader.required(source, "name", path, _text, "?"),
        quantity=quantity,
        unit_price=unit_price,
        line_total_minor=total,
        net_amount_minor=None,
        vat=_vat(reader, source, path),
        unit_code=reader.value(source, "unit_code", path, _text, "C62"),
        item_id=reader.value(source, "item_id", path, _text, None),
        period=_period(reader, source, path),
        order_id=reader.value(source, "order_id", path, _integer, None),
        allowances_charges=adjustments,
    )


def _adjustments(reader: _Reader, source: Mapping[str, Any], path: str, *, with_vat: bool) -> tuple[AllowanceCharge, ...]:
    items = []
    for index, value in enumerate(reader.sequence(source, "allowances_charges", path)):
        here = _join(path, f"allowances_charges[{index}]")
        item = reader.mapping(value, here, _ADJUSTMENT_FIELDS if with_vat else _ADJUSTMENT_FIELDS - _VAT_FIELDS)
        items.append(
            AllowanceCharge(
                is_charge=reader.value(item, "charge", here, _boolean, False),  # noqa: FBT003 - the default of a field
                amount_minor=reader.required(item, "amount", here, lambda given: reader.currency.to_minor(parse_decimal(given)), 0),
                reason=reader.required(item, "reason", here, _text, "?"),
                vat=_vat(reader, item, here) if with_vat else None,
            )
        )
    return tuple(items)


def _vat(reader: _Reader, source: Mapping[str, Any], path: str) -> VatKey:
    if source.get("vat_rate") is None and source.get("vat_category") is None:
        if reader.decision:
            reader.is_decided = True
            return reader.decision.vat
        if reader.undecided:
            reader.faults.append(fault("VAT", _join(path, "vat_rate"), f"is missing, and {reader.undecided}"))
            return VatKey(None, Decimal(0))
    before = len(reader.faults)
    rate = reader.required(source, "vat_rate", path, _rate, Decimal(0))
    category = reader.value(source, "vat_category", path, _category, VatCategory.STANDARD if rate > 0 else None)
    if category is None and not reader.failed(before):
        reader.faults.append(fault("missing", _join(path, "vat_category"), "rate 0 needs its category: Z, E, AE, K, G or O"))
    return VatKey(category, rate)


def _period(reader: _Reader, source: Mapping[str, Any], path: str) -> Period | None:
    if source.get("period") is None:
        return None
    here = _join(path, "period")
    value = reader.mapping(source["period"], here, frozenset({"start", "end"}))
    return Period(start=reader.value(value, "start", here, parse_date, None), end=reader.value(value, "end", here, parse_date, None))


def _date(reader: _Reader, source: Mapping[str, Any], name: str) -> date | None:
    return reader.value(source, name, "", parse_date, None)


def _order_id(reader: _Reader, value: object, path: str) -> int:
    try:
        return _integer(value)
    except ValueError as error:
        reader.faults.append(fault("value", path, str(error)))
        return 0


def _reasons(reader: _Reader, source: Mapping[str, Any]) -> tuple[tuple[VatCategory, str], ...]:
    given = source.get("exemption_reasons")
    if not isinstance(given, Mapping):
        if given is not None:
            reader.faults.append(fault("value", "exemption_reasons", "must be an object of category and reason"))
        return ()
    found = []
    for key in given:
        name = str(key)[:_NAME_SHOWN_MAX]
        category = reader.value({name: key}, name, "exemption_reasons", _category, None)
        reason = reader.value(given, key, "exemption_reasons", _text, "?")
        if category is not None:
            found.append((category, reason))
    return tuple(found)


def _with_decided(reader: _Reader, reasons: tuple[tuple[VatCategory, str], ...]) -> tuple[tuple[VatCategory, str], ...]:
    """The user's reasons, and the law's where a line took the decided VAT and the user gave none."""
    decision = reader.decision
    if not (reader.is_decided and decision and decision.reason and decision.vat.category) or decision.vat.category in dict(reasons):
        return reasons
    return (*reasons, (decision.vat.category, decision.reason))


def _category(value: object) -> VatCategory:
    if isinstance(value, str) and value in set(VatCategory):
        return VatCategory(value)
    message = f"{shown(value)} is not a VAT category: {', '.join(VatCategory)}"
    raise ValueError(message)


def _basis(value: object) -> PriceBasis:
    if isinstance(value, str) and value in set(PriceBasis):
        return PriceBasis(value)
    message = f"{shown(value)} is not a price basis: net or gross"
    raise ValueError(message)


def _type_code(value: object) -> TypeCode:
    if isinstance(value, int) and not isinstance(value, bool) and value in set(TypeCode):
        return TypeCode(value)
    message = f"{shown(value)} is not a document type: 325 pro-forma, 380 invoice, 381 credit note, 383 debit note"
    raise ValueError(message)


def _rate(value: object) -> Decimal:
    rate = parse_decimal(value)
    scaled_rate(rate)
    if not 0 <= rate <= 100:  # noqa: PLR2004 - percent
        message = f"a VAT rate is 0 to 100 percent, not {rate}"
        raise ValueError(message)
    return rate


def _text(value: object) -> str:
    if not isinstance(value, str) or not is_text(value, length_max=TEXT_LENGTH_MAX):
        message = f"must be a text of 1 to {TEXT_LENGTH_MAX} characters"
        raise ValueError(message)
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < ORDER_ID_MAX:
        message = f"{shown(value)} is not a positive whole number"
        raise ValueError(message)
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        message = f"{shown(value)} is neither true nor false"
        raise ValueError(message)  # noqa: TRY004 - collected as a fault
    return value


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
