from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.sample import BUYER, EUR, SELLER, fault_set

from faktura.domain.draft import parse_draft
from faktura.domain.errors import InvalidDocumentError
from faktura.domain.invoice import Draft
from faktura.domain.rules import check
from faktura.domain.totals import compute

LINE = {"name": "VPS", "unit_price": "10.00", "vat_rate": "20"}
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["10.00", "0", "S", "E", "net", "2024-02-29", 380, 10**30])
)
json_values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8)


def shaped(**known: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Objects that have some of the known fields, mostly with usable values, sometimes with any JSON value."""
    return st.fixed_dictionaries({}, optional={name: st.one_of(usable, usable, usable, json_values) for name, usable in known.items()})


texts = st.sampled_from(["VPS", "domain", "\u0444\u0430\u043a\u0442\u0443\u0440\u0430"])
numbers = st.sampled_from(["1", "10.005", 3, "-2", "999999999999", "0.00000001", 0])
rates = st.sampled_from(["20", 19, "5.5", 0])
categories = st.sampled_from(["S", "Z", "E", "AE", None])
dates = st.sampled_from(["2024-02-29", "2023-12-31", None])
items = st.lists(shaped(charge=st.booleans(), amount=numbers, reason=texts, vat_rate=rates, vat_category=categories), max_size=2)
periods = shaped(start=dates, end=dates)
document_lines = st.lists(
    shaped(
        name=texts,
        quantity=numbers,
        unit_price=numbers,
        vat_rate=rates,
        vat_category=categories,
        line_total=numbers,
        period=periods,
        order_id=numbers,
        allowances_charges=items,
    ),
    max_size=3,
)
documents = shaped(
    type_code=st.sampled_from([325, 380, 381, 383]),
    currency=st.sampled_from(["EUR", "JPY", "BHD"]),
    price_basis=st.sampled_from(["net", "gross"]),
    buyer=shaped(name=texts, country=st.just("BG")),
    lines=document_lines,
    allowances_charges=items,
    exemption_reasons=st.dictionaries(categories, texts, max_size=2),
    issue_date=dates,
    due_date=dates,
    period=periods,
    preceding_invoice=texts,
    order_ids=st.lists(st.integers(1, 9), max_size=2),
    note=texts,
    total_without_vat=numbers,
    vat_total=numbers,
    total_with_vat=numbers,
)
good_lines = st.lists(
    st.fixed_dictionaries({"name": texts, "unit_price": numbers, "vat_rate": st.sampled_from([20, "5.5"])}, optional={"quantity": numbers}),
    min_size=1,
    max_size=3,
)


def atoms(value: object) -> Iterator[object]:
    """Every plain value that a draft holds, at any depth."""
    if is_dataclass(value):
        for field in fields(value):
            yield from atoms(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from atoms(item)
    else:
        yield value


def read(data: object) -> Draft | None:
    """The draft, or None where it is refused with faults that say where and what."""
    try:
        draft = parse_draft(data, currency=EUR, buyer=BUYER)
    except InvalidDocumentError as error:
        found = error.faults
    else:
        assert not [value for value in atoms(draft) if isinstance(value, (float, list, dict))]
        return draft
    assert found
    assert all(fault.rule and fault.message for fault in found)
    return None


@given(data=json_values)
def test_any_json_value(data: object) -> None:
    """Any JSON value is read or refused with faults; nothing else is raised, and no float gets through."""
    read(data)


@given(data=documents)
def test_any_json_value_in_any_field(data: object) -> None:
    """Any JSON value in any field is read or refused with faults, and what is read can be computed and checked."""
    draft = read(data)
    if draft:
        totals = compute(lines=draft.lines, allowances_charges=draft.allowances_charges, price_basis=draft.price_basis)[2]
        assert isinstance(check(draft, seller=SELLER, totals=totals), list)


@given(lines=good_lines, basis=st.sampled_from(["net", "gross"]))
def test_good_documents_are_read(lines: list[object], basis: str) -> None:
    """Well-formed documents are read, and reading them with their own totals stated succeeds too."""
    draft = read({"lines": lines, "price_basis": basis})
    assert draft
    totals = compute(lines=draft.lines, allowances_charges=(), price_basis=draft.price_basis)[2]
    if abs(totals.total_with_vat_minor) < 10**14:
        stated = {name: EUR.to_decimal(getattr(totals, f"{name}_minor")) for name in ("total_without_vat", "vat_total", "total_with_vat")}
        assert read({"lines": lines, "price_basis": basis, **stated}) == draft


def faults(data: object) -> set[tuple[str, str]]:
    """Rule and path of every fault of a document that must be refused."""
    with pytest.raises(InvalidDocumentError) as caught:
        parse_draft(data, currency=EUR, buyer=BUYER)
    return fault_set(caught.value)


def test_null_is_no_order_id() -> None:
    """A list of orders has no empty places."""
    assert faults({"lines": [LINE], "order_ids": [None, 5]}) == {("value", "order_ids[0]")}


def test_wrong_total_beside_another_fault() -> None:
    """A stated total that is no amount, or that good lines do not make, is reported beside a bad date."""
    document = {"lines": [LINE], "due_date": "soon", "vat_total": 2.0, "total_with_vat": "13.00"}
    assert faults(document) == {("value", "due_date"), ("value", "vat_total"), ("BR-CO-15", "total_with_vat")}


@pytest.mark.parametrize("line", [{"quantity": "x", "line_total": "30.00"}, {"vat_rate": "x"}])
def test_one_mistake_is_one_fault(line: dict[str, str]) -> None:
    """An unreadable quantity is not also a wrong line total, nor an unreadable rate a missing category."""
    field = next(iter(line))
    assert faults({"lines": [{**LINE, **line}]}) == {("value", f"lines[0].{field}")}


def test_every_bad_exemption_reason() -> None:
    """Each exemption reason with a fault is reported on its own."""
    found = faults({"lines": [LINE], "exemption_reasons": {"X": "a", "E": "", "AE": "fine"}})
    assert found == {("value", "exemption_reasons.X"), ("value", "exemption_reasons.E")}


@pytest.mark.parametrize("field", ["vat_rate", "vat_category"])
def test_line_allowance_has_no_rate_of_its_own(field: str) -> None:
    """A rate on a line's allowance, which has its line's, is refused and not ignored."""
    line = {**LINE, "allowances_charges": [{"amount": 1, "reason": "a", field: "bad"}]}
    assert faults({"lines": [line]}) == {("unknown", f"lines[0].allowances_charges[0].{field}")}


@pytest.mark.parametrize("document", [{"note": "a\ud800"}, {"buyer": {"name": "a\udfff"}}, {"lines": [{**LINE, "name": "\ud800"}]}])
def test_text_that_cannot_be_written(document: dict[str, object]) -> None:
    """Text that no file or wire can carry is a fault of the document."""
    assert faults({"lines": [LINE], **document})


def nested(depth: int) -> object:
    """Lists in lists."""
    value: object = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("field", ["type_code", "issue_date", "price_basis", "vat_total", "order_ids"])
def test_deep_nesting_in_a_field(field: str) -> None:
    """A value nested a hundred thousand deep is a fault like any other."""
    assert faults({"lines": [LINE], field: nested(100_000)})


@pytest.mark.parametrize("field", ["lines", "allowances_charges", "exemption_reasons", "note", "currency", "period"])
def test_deep_nesting_elsewhere(field: str) -> None:
    """A value nested a hundred thousand deep is a fault where objects, lists and texts belong."""
    assert any(path.startswith(field) for _, path in faults({"lines": [LINE], field: nested(100_000)}))


def test_huge_number_as_country() -> None:
    """A number of five thousand digits, which TOML can write in hexadecimal, is a fault like any other."""
    assert faults({"lines": [LINE], "buyer": {"name": "Buyer", "country": 16**5000}})


@pytest.mark.parametrize("field", ["type_code", "price_basis", "currency"])
def test_messages_stay_short(field: str) -> None:
    """A message does not repeat a megabyte of input."""
    with pytest.raises(InvalidDocumentError) as caught:
        parse_draft({"lines": [LINE], field: "x" * 10**6}, currency=EUR, buyer=BUYER)
    assert len(str(caught.value)) < 1000
