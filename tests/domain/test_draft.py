from datetime import date
from decimal import Decimal

import pytest
from tests.domain.sample import BUYER, EUR, STANDARD, fault_set

from faktura.domain.draft import LINES_MAX, ORDER_ID_MAX, TEXT_LENGTH_MAX, parse_draft
from faktura.domain.errors import InvalidDocumentError
from faktura.domain.invoice import AllowanceCharge, Draft, InvoiceLine, Period, PrecedingInvoice, TypeCode
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.vat import PriceBasis, VatCategory, VatKey

LINE = {"name": "VPS", "unit_price": "10.00", "vat_rate": "20"}


def parsed(**given: object) -> Draft:
    """The draft of one line and the given fields, for the account's buyer."""
    return parse_draft({"lines": [LINE], **given}, currency=EUR, buyer=BUYER)


def faults(data: object, buyer: Party | None = BUYER) -> set[tuple[str, str]]:
    """Rule and path of every fault of a document that must be refused."""
    with pytest.raises(InvalidDocumentError) as caught:
        parse_draft(data, currency=EUR, buyer=buyer)
    assert len(caught.value.faults) == len(fault_set(caught.value)), "a fault is reported twice"
    return fault_set(caught.value)


def line_faults(**given: object) -> set[tuple[str, str]]:
    """The faults of a document whose only line has the given fields."""
    return faults({"lines": [{**LINE, **given}]})


def test_smallest_document() -> None:
    """A line with name, price and rate is enough: the account gives buyer and currency, the rest has its default."""
    assert parsed() == Draft(
        type_code=TypeCode.INVOICE,
        currency=EUR,
        price_basis=PriceBasis.NET,
        buyer=BUYER,
        lines=(InvoiceLine(name="VPS", quantity=Decimal(1), unit_price=Decimal(10), line_total_minor=1000, net_amount_minor=None, vat=STANDARD),),
    )


WHOLE: dict[str, object] = {
    "type_code": 383,
    "currency": "JPY",
    "price_basis": "gross",
    "buyer": {"name": "Kunde", "country": "DE", "vat_id": "DE1"},
    "lines": [
        {
            "name": "Domain",
            "quantity": "2.5",
            "unit_price": 1000,
            "vat_rate": "0",
            "vat_category": "AE",
            "unit_code": "ANN",
            "item_id": "de",
            "period": {"start": "2024-01-01", "end": "2024-12-31"},
            "order_id": 9,
            "line_total": "2400",
            "allowances_charges": [{"amount": 100, "reason": "loyal"}],
        }
    ],
    "allowances_charges": [{"charge": True, "amount": "50", "reason": "setup", "vat_rate": 19}],
    "exemption_reasons": {"AE": "Reverse charge"},
    "issue_date": "2024-09-25",
    "due_date": "2024-10-09",
    "tax_point_date": "2024-09-24",
    "period": {"end": "2024-09-30"},
    "preceding_invoice": "0000000001",
    "order_ids": [3, 4],
    "note": "thanks",
    "payment_terms": "14 days",
    "total_without_vat": 2442,
    "vat_total": 8,
    "total_with_vat": "2450",
}
WHOLE_LINE = InvoiceLine(
    name="Domain",
    quantity=Decimal("2.5"),
    unit_price=Decimal(1000),
    line_total_minor=2400,
    net_amount_minor=None,
    vat=VatKey(VatCategory.REVERSE_CHARGE, Decimal(0)),
    unit_code="ANN",
    item_id="de",
    period=Period(start=date(2024, 1, 1), end=date(2024, 12, 31)),
    order_id=9,
    allowances_charges=(AllowanceCharge(is_charge=False, amount_minor=100, reason="loyal"),),
)
WHOLE_DRAFT = Draft(
    type_code=TypeCode.DEBIT_NOTE,
    currency=Currency("JPY"),
    price_basis=PriceBasis.GROSS,
    buyer=Party(name="Kunde", country="DE", vat_id="DE1"),
    lines=(WHOLE_LINE,),
    allowances_charges=(AllowanceCharge(is_charge=True, amount_minor=50, reason="setup", vat=VatKey(VatCategory.STANDARD, Decimal(19))),),
    exemption_reasons=((VatCategory.REVERSE_CHARGE, "Reverse charge"),),
    issue_date=date(2024, 9, 25),
    due_date=date(2024, 10, 9),
    tax_point_date=date(2024, 9, 24),
    period=Period(end=date(2024, 9, 30)),
    preceding_invoice=PrecedingInvoice(number="0000000001"),
    order_ids=(3, 4),
    note="thanks",
    payment_terms="14 days",
)


def test_whole_document() -> None:
    """Every field that a user may give arrives in the draft."""
    assert parse_draft(WHOLE, currency=EUR) == WHOLE_DRAFT


def test_all_faults_at_once() -> None:
    """Every mistake of a document is reported, each with its own path."""
    document = {
        "type_code": 999,
        "currency": "euro",
        "price_basis": "both",
        "exemption_reasons": {"X": "no"},
        "issue_date": "25.09.2024",
        "due_date": 5,
        "tax_point_date": "2024-02-30",
        "period": {"start": "soon", "until": 1},
        "preceding_invoice": "",
        "note": 5,
        "payment_terms": " ",
        "colour": "red",
        "buyer": {"country": "bg", "vat_id": 7, "shoe_size": 45},
        "order_ids": [1, -1, "2"],
        "lines": [
            {
                "name": "",
                "quantity": "many",
                "unit_price": "1e3",
                "vat_rate": "101",
                "vat_category": "S",
                "unit_code": [],
                "item_id": {},
                "order_id": 0,
                "vat": 1,
            },
            {"period": 5, "allowances_charges": [{"charge": "yes", "amount": "0.001", "why": "-"}, 7]},
            {"name": "free", "unit_price": "1", "vat_rate": 0},
        ],
        "allowances_charges": {"amount": 1},
    }
    top = "type_code currency price_basis exemption_reasons.X issue_date due_date tax_point_date period.start preceding_invoice note payment_terms".split()
    first = [f"lines[0].{name}" for name in "name quantity unit_price vat_rate unit_code item_id order_id".split()]
    adjustment = "lines[1].allowances_charges"
    assert faults(document) == {
        *(("value", path) for path in [*top, *first, "order_ids[1]", "order_ids[2]", f"{adjustment}[0].charge", f"{adjustment}[0].amount"]),
        *(("unknown", path) for path in ["colour", "period.until", "buyer.shoe_size", "lines[0].vat", f"{adjustment}[0].why"]),
        *(("missing", f"lines[1].{name}") for name in ("name", "unit_price", "vat_rate")),
        *(("missing", path) for path in [f"{adjustment}[0].reason", f"{adjustment}[1].amount", f"{adjustment}[1].reason", "lines[2].vat_category"]),
        *(("type", path) for path in ["lines[1].period", f"{adjustment}[1]", "allowances_charges"]),
        *(("text", path) for path in ["buyer.name", "buyer.vat_id"]),
        ("BR-CL-14", "buyer.country"),
    }


@pytest.mark.parametrize("data", [None, True, 0, 1.5, "", "text", [], [{}], ["lines"], b"{}"])
def test_what_is_no_object(data: object) -> None:
    """A document that is no object is one fault."""
    assert faults(data) == {("type", "")}


def test_no_buyer() -> None:
    """BR-7: a document needs a buyer, its own or the account's."""
    assert faults({"lines": [LINE]}, buyer=None) == {("BR-7", "buyer")}


@pytest.mark.parametrize("buyer", [False, 0, "Buyer", [], ["Buyer"]])
def test_buyer_is_an_object(buyer: object) -> None:
    """A buyer that is no object is a fault, not the account's buyer."""
    assert faults({"lines": [LINE], "buyer": buyer}) == {("type", "buyer")}


@pytest.mark.parametrize("field", ["name", "unit_price", "vat_rate"])
def test_line_fields_that_must_be_there(field: str) -> None:
    """A line without name, price or rate is incomplete, and null is as good as nothing."""
    assert line_faults(**{field: None}) == {("missing", f"lines[0].{field}")}


@pytest.mark.parametrize("field", ["quantity", "unit_price", "vat_rate", "line_total"])
@pytest.mark.parametrize("value", [1.5, 1.0, True, "1e3", "", [], {}, "NaN", "1_0"])
def test_line_numbers_are_decimals(field: str, value: object) -> None:
    """Numbers of a line are text, whole numbers or decimals; a float is refused even when it is exact."""
    assert ("value", f"lines[0].{field}") in line_faults(**{field: value})


@pytest.mark.parametrize("field", ["total_without_vat", "vat_total", "total_with_vat"])
@pytest.mark.parametrize("value", [10.0, False, "ten", "10.001", [], "100000000000.001"])
def test_stated_totals_are_amounts(field: str, value: object) -> None:
    """A stated total is an amount of the currency; a float or a third decimal is refused."""
    assert faults({"lines": [LINE], field: value}) == {("value", field)}


@pytest.mark.parametrize("amount", [0.5, "0.005", True, None])
def test_allowance_amounts_are_amounts(amount: object) -> None:
    """An allowance's amount is there and is an amount, on a line and on the document."""
    found = faults(
        {
            "lines": [{**LINE, "allowances_charges": [{"amount": amount, "reason": "a"}]}],
            "allowances_charges": [{"amount": amount, "reason": "b", "vat_rate": 20}],
        }
    )
    rule = "missing" if amount is None else "value"
    assert found == {(rule, "lines[0].allowances_charges[0].amount"), (rule, "allowances_charges[0].amount")}


@pytest.mark.parametrize(("rule", "field"), [("BR-CO-13", "total_without_vat"), ("BR-CO-14", "vat_total"), ("BR-CO-15", "total_with_vat")])
@pytest.mark.parametrize("basis", ["net", "gross"])
def test_stated_totals_must_add_up(rule: str, field: str, basis: str) -> None:
    """BR-CO-13 to 15: a stated total is the computed one to the cent, for net and for gross prices."""
    right = {
        "net": {"total_without_vat": 1000, "vat_total": 200, "total_with_vat": 1200},
        "gross": {"total_without_vat": 833, "vat_total": 167, "total_with_vat": 1000},
    }
    cents = right[basis][field]
    assert parsed(price_basis=basis, **{field: EUR.to_decimal(cents)}).lines
    for wrong in (cents - 1, cents + 1, -cents, 0):
        assert faults({"lines": [LINE], "price_basis": basis, field: EUR.to_decimal(wrong)}) == {(rule, field)}


def test_all_wrong_totals_at_once() -> None:
    """Wrong sums are reported together, beside the wrong line total."""
    document = {"lines": [{**LINE, "quantity": 3, "line_total": "29.99"}], "total_without_vat": "29.99", "vat_total": "6.01", "total_with_vat": "36.01"}
    assert faults(document) == {
        *{("LINE-TOTAL", "lines[0].line_total"), ("BR-CO-13", "total_without_vat")},
        *{("BR-CO-14", "vat_total"), ("BR-CO-15", "total_with_vat")},
    }


def test_stated_total_message_shows_both() -> None:
    """The message shows what was stated and what follows, in the currency."""
    with pytest.raises(InvalidDocumentError, match=r"total_with_vat: 12\.01 EUR is stated, the lines make 12\.00 EUR \[BR-CO-15\]"):
        parsed(total_with_vat="12.01")


@pytest.mark.parametrize(
    ("rate", "category", "key"),
    [
        ("20", None, STANDARD),
        ("5.5", "S", VatKey(VatCategory.STANDARD, Decimal("5.5"))),
        (0, "Z", VatKey(VatCategory.ZERO, Decimal(0))),
        ("0.00", "O", VatKey(VatCategory.OUTSIDE_SCOPE, Decimal(0))),
        ("0.0001", None, VatKey(VatCategory.STANDARD, Decimal("0.0001"))),
        ("100", None, VatKey(VatCategory.STANDARD, Decimal(100))),
    ],
)
def test_rate_and_category(rate: object, category: str | None, key: VatKey) -> None:
    """A rate above zero is category S unless said otherwise; a rate of zero needs its category."""
    assert parsed(lines=[{**LINE, "vat_rate": rate, "vat_category": category}]).lines[0].vat == key


@pytest.mark.parametrize("rate", [0, "0", "0.00", "-0"])
def test_rate_zero_needs_its_category(rate: object) -> None:
    """Why no VAT is charged is never guessed."""
    assert line_faults(vat_rate=rate) == {("missing", "lines[0].vat_category")}


@pytest.mark.parametrize("rate", ["-1", "100.0001", "101", "19.00001", "200"])
def test_rates_out_of_bounds(rate: str) -> None:
    """A rate is 0 to 100 percent with at most four decimals."""
    assert line_faults(vat_rate=rate, vat_category="S") == {("value", "lines[0].vat_rate")}


@pytest.mark.parametrize("category", ["s", "X", "", 1, [], {}, True])
def test_categories_out_of_the_list(category: object) -> None:
    """A category is one of the codes of EN 16931."""
    assert line_faults(vat_category=category) == {("value", "lines[0].vat_category")}


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", ORDER_ID_MAX, 10**40, [], {}])
def test_order_ids_are_positive_whole_numbers(value: object) -> None:
    """An order id is a whole number from 1 that every JSON reader keeps exact."""
    assert line_faults(order_id=value) == {("value", "lines[0].order_id")}
    assert faults({"lines": [LINE], "order_ids": [7, value]}) == {("value", "order_ids[1]")}
    assert parsed(order_ids=[1, ORDER_ID_MAX - 1]).order_ids == (1, ORDER_ID_MAX - 1)


@pytest.mark.parametrize("value", [380.0, "380", 381.5, True, 0, 326, -380, [], {}, "invoice"])
def test_type_codes_out_of_the_list(value: object) -> None:
    """A document type is one of the four whole numbers."""
    assert faults({"lines": [LINE], "type_code": value}) == {("value", "type_code")}


@pytest.mark.parametrize("value", ["", " ", "\t\n", "x" * (TEXT_LENGTH_MAX + 1), "a\x00b", 1, 1.5, True, [], {}])
def test_texts_are_texts(value: object) -> None:
    """A text is neither empty nor endless, and has no NUL."""
    assert faults({"lines": [{**LINE, "name": value}], "note": value, "payment_terms": value}) == {
        ("value", path) for path in ("lines[0].name", "note", "payment_terms")
    }
    assert parsed(note="x" * TEXT_LENGTH_MAX).note == "x" * TEXT_LENGTH_MAX


@pytest.mark.parametrize("value", ["x", {"0": LINE}, 5, (LINE,), True])
def test_lists_are_lists(value: object) -> None:
    """Lines, order ids and allowances are lists."""
    assert faults({"lines": value, "order_ids": value, "allowances_charges": value}) == {
        ("type", path) for path in ("lines", "order_ids", "allowances_charges")
    }


def test_too_many_items() -> None:
    """A list beyond the bound is refused as a whole, without a fault for each item."""
    assert faults({"lines": [LINE], "order_ids": [0] * (LINES_MAX + 1)}) == {("type", "order_ids")}


@pytest.mark.parametrize("key", ["line", "Lines", "totals", "number", "__class__", "", "lines[0]", 5])
def test_unknown_fields(key: object) -> None:
    """A field that nobody reads is a fault, on the document, its lines, its allowances and its periods."""
    extra: dict[object, object] = {key: 1}
    document = {
        "period": extra,
        "lines": [LINE | extra],
        "allowances_charges": [{"amount": 1, "reason": "a", "vat_rate": 20} | extra],
    }
    assert faults(document | extra) == {("unknown", f"{where}{key}") for where in ("", "period.", "lines[0].", "allowances_charges[0].")}
