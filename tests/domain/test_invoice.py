from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from datetime import date
from importlib import import_module

import pytest
from tests.domain.sample import ALLOWANCE, CHARGE, DRAFT, EUR, issued

from faktura.domain import errors
from faktura.domain.errors import ConflictError, FakturaError, Fault, InvalidDocumentError, LedgerBusyError, fault
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.recorded import Difference

RECORDED = Invoice(
    id=1,
    account_id=1,
    wire_id=1,
    created_at_us=0,
    recorded_at_us=0,
    origin=Origin.RECORDED,
    type_code=None,
    number="0000000001",
    issue_date=date(2024, 9, 25),
    currency=EUR,
)


@pytest.mark.parametrize("term", ["type_code", "seller", "buyer", "total_with_vat_minor", "lines", "series"])
def test_issued_documents_say_everything(term: str) -> None:
    """What this ledger issued has type, parties, lines, total and series."""
    with pytest.raises(ValueError, match="0000000007 lacks a term"):
        replace(issued(DRAFT), **{term: None})  # type: ignore[arg-type]


def test_issued_zero_is_known() -> None:
    """A document of zero is complete: zero is not unknown."""
    assert replace(issued(DRAFT), total_with_vat_minor=0, lines=()).total_with_vat_minor == 0


def test_recorded_documents_may_say_little() -> None:
    """What another system issued is kept with what it said: unknown terms are None, not zero."""
    assert (RECORDED.total_with_vat_minor, RECORDED.lines, RECORDED.order_ids, RECORDED.seller) == (None, None, None, None)


@pytest.mark.parametrize(
    ("type_code", "sign"), [(TypeCode.INVOICE, 1), (TypeCode.DEBIT_NOTE, 1), (TypeCode.PRO_FORMA, 1), (TypeCode.CREDIT_NOTE, -1), (None, 1)]
)
def test_sign(type_code: TypeCode | None, sign: int) -> None:
    """A credit note alone takes away from what the buyer owes."""
    assert replace(RECORDED, type_code=type_code).sign == sign


def test_type_codes() -> None:
    """BT-3: the four codes of UNCL 1001, each with a word of its own."""
    assert {code.value: code.label for code in TypeCode} == {325: "pro-forma", 380: "invoice", 381: "credit note", 383: "debit note"}


def test_allowances_take_away() -> None:
    """A charge adds its amount, an allowance takes it away."""
    assert (ALLOWANCE.signed_minor, CHARGE.signed_minor) == (-500, 300)


@pytest.mark.parametrize("name", ["number", "lines", "anything"])
def test_documents_are_closed(name: str) -> None:
    """A document cannot be changed once it is made."""
    with pytest.raises((FrozenInstanceError, TypeError)):
        setattr(issued(DRAFT), name, "x")


VALUES = [
    kind
    for name in "calendar credit_note draft errors invoice money numbering party payment provider recorded rules totals vat".split()
    for kind in vars(import_module(f"faktura.domain.{name}")).values()
    if isinstance(kind, type) and is_dataclass(kind) and kind.__module__.endswith(name) and not kind.__name__.startswith("_")
]


@pytest.mark.parametrize("kind", VALUES)
def test_values_are_frozen(kind: type) -> None:
    """Every value of the domain is frozen and has slots: it can be shared, compared and kept in a set."""
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(kind)


@pytest.mark.parametrize("kind", [kind for kind in VALUES if len(fields(kind)) > 3])
def test_values_name_their_terms(kind: type) -> None:
    """A value of more than three terms takes them by name only, so that no two can be confused."""
    assert not any(field.kw_only is False for field in fields(kind))


def test_default_message_is_the_docstring() -> None:
    """An error without a message says what its class says, in one line."""
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, FakturaError) and value is not InvalidDocumentError]
    assert LedgerBusyError in classes
    for kind in classes:
        assert str(kind()) == " ".join((kind.__doc__ or "").split()) != ""
    assert str(ConflictError("number 7 exists")) == "number 7 exists"


def test_faults_are_listed_in_the_message() -> None:
    """An invalid document's message has every fault with its path and rule."""
    error = InvalidDocumentError([fault("BR-16", "lines", "none"), fault("x", "", "odd")])
    assert error.faults == (Fault(rule="BR-16", path="lines", message="none"), Fault(rule="x", path="", message="odd"))
    assert str(error) == "lines: none [BR-16]; odd [x]"


def test_difference_for_people() -> None:
    """A difference names the term, what is kept and what was heard."""
    assert str(Difference(term="total_with_vat", kept="12.00", heard="13.00")) == "total_with_vat was 12.00, now 13.00"
