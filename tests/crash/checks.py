"""What must hold after every crash: looked up in the tables, past faktura, and asked of the restarted server."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.crash.home import PROVIDERS, Place
from tests.crash.load import Line, Write, products

from faktura.ledger.verification import verify

_PRO_FORMA, _CREDIT_NOTE = 325, 381
_TRIES = 50
_COUNTED = ("vps", "dom", "past")
"""Providers whose invoices and corrections a series counts."""


@dataclass(frozen=True, slots=True)
class Document:
    """A row of `invoice`, in short."""

    provider: str
    account: str
    id: int
    wire_id: int
    type_code: int | None
    number: str
    sequence: int
    issue_date: str
    total_minor: int | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A ledger as its tables have it."""

    documents: Sequence[Document]
    payments: Sequence[tuple[int, str | None, int]]
    """Id, reference, minor units."""
    allocations: Sequence[tuple[int | None, int, int]]
    """Payment, document, minor units."""
    keys: frozenset[str]
    """Idempotency keys that have an answer."""
    runs: dict[int, str]
    """State by id."""
    items: Sequence[tuple[int, str, str, int | None]]
    """Run, product, outcome, document."""
    billed: Sequence[tuple[str, int]]
    """Product, document."""

    def marked(self) -> Counter[str]:
        """How many effects bear a mark: documents and payments."""
        return Counter([document.note for document in self.documents if document.note] + [reference for _, reference, _ in self.payments if reference])


def look(place: Place) -> Seen:
    """Read a ledger's tables, in one state of it."""
    names = {account_id: name for name, account_id in place.accounts.items()}
    documents, payments, allocations, keys, runs, items, billed = place.rows(
        "SELECT account_id, invoice_id, wire_id, type_code, number, COALESCE(series_sequence, 0), issue_date, total_with_vat_minor, note FROM invoice ORDER BY 1, 2",
        "SELECT payment_id, reference, amount_minor FROM payment ORDER BY payment_id",
        "SELECT payment_id, invoice_id, amount_minor FROM allocation ORDER BY allocation_id",
        "SELECT idempotency_key FROM idempotency WHERE status IS NOT NULL",
        "SELECT run_id, state FROM billing_run",
        "SELECT run_id, body, outcome, invoice_id FROM billing_run_item ORDER BY run_id, position",
        "SELECT product, invoice_id FROM billing_item",
    )
    return Seen(
        documents=[Document(names[row[0]].partition("/")[0], names[row[0]], *row[1:]) for row in documents],
        payments=[(payment_id, reference, minor) for payment_id, reference, minor in payments],
        allocations=[(payment_id, invoice_id, minor) for payment_id, invoice_id, minor in allocations],
        keys=frozenset(key for (key,) in keys),
        runs=dict(runs),
        items=[(run_id, json.loads(body)["product"], outcome, invoice_id) for run_id, body, outcome, invoice_id in items],
        billed=[(product, invoice_id) for product, invoice_id in billed],
    )


def check_order(seen: Seen) -> None:
    """No id and no number is given twice, no number is left out, and dates never fall as numbers rise."""
    for provider in PROVIDERS:
        own = [document for document in seen.documents if document.provider == provider]
        for what in ("id", "wire_id"):
            _unique(f"{what} of {provider}", [getattr(document, what) for document in own])
        counted = sorted((item for item in own if provider in _COUNTED and item.type_code != _PRO_FORMA), key=lambda item: item.sequence)
        assert [item.sequence for item in counted] == list(range(1, len(counted) + 1)), (provider, [item.sequence for item in counted])
        _unique(f"number of {provider}", [item.number for item in counted])
        dates = [item.issue_date for item in counted]
        assert dates == sorted(dates), (provider, dates)
    _unique("payment", [payment_id for payment_id, *_ in seen.payments])


def check_billing(seen: Seen) -> None:
    """What is billed is billed once, by a document that is there; and runs know it."""
    notes = {document.id: document.note for document in seen.documents}
    _unique("product", [product for product, _ in seen.billed])
    billed = dict(seen.billed)
    for product, invoice_id in billed.items():
        assert notes.get(invoice_id) == product, (product, invoice_id)
    issued = [(product, invoice_id) for _, product, outcome, invoice_id in seen.items if outcome == "issued"]
    _unique("issued product", [product for product, _ in issued])
    for product, document_id in issued:
        assert billed.get(product) == document_id, (product, document_id, billed.get(product))
    for run_id, product, outcome, _ in seen.items:
        if seen.runs[run_id] == "done":
            assert outcome in {"issued", "billed-before"}, (run_id, product, outcome)
            assert product in billed, (run_id, product)


def check_acknowledged(seen: Seen, writes: Iterable[Write]) -> None:
    """Everything that somebody was told of is there, once, as they were told."""
    documents = {document.id: document for document in seen.documents}
    payments = {payment_id: (reference, minor) for payment_id, reference, minor in seen.payments}
    settled = defaultdict(list)
    for payment_id, invoice_id, minor in seen.allocations:
        settled[payment_id].append((invoice_id, minor))
    marked = seen.marked()
    for write in writes:
        told = write.json()
        assert write.key in seen.keys, (write.key, "has no answer")
        if write.kind in {"issue", "credit", "issue-draft"}:
            kept = documents.get(told["id"])
            assert kept is not None, (write.key, told)
            assert (kept.number, kept.total_minor, kept.issue_date) == (told["number"], _minor(told["total_with_vat"]), told["issue_date"]), (kept, told)
            assert marked[write.mark] == 1, (write.key, marked[write.mark])
        elif write.kind == "pay":
            assert payments.get(told["id"]) == (write.mark, _minor(told["amount"])), (payments.get(told["id"]), told)
            assert sorted(settled[told["id"]]) == sorted((item["invoice_id"], _minor(item["amount"])) for item in told["allocations"]), told
            assert marked[write.mark] == 1, (write.key, marked[write.mark])
        elif write.kind == "run":
            assert seen.runs.get(told["id"], "receiving") != "receiving", (write.key, told)
            kept_products = [product for run_id, product, *_ in seen.items if run_id == told["id"]]
            assert kept_products == products(write.body), (write.key, kept_products)


def check_refused(seen: Seen, writes: Iterable[Write]) -> None:
    """What was refused left nothing."""
    marked = seen.marked()
    for write in writes:
        assert write.key not in seen.keys, (write.key, write.status, write.answer)
        if write.kind in {"issue", "credit", "pay"}:
            assert not marked[write.mark], (write.key, write.status, write.answer)


def check_wire(place: Place, line: Line, accounts: Iterable[str]) -> None:
    """A provider's own list shows what the ledger has, while that stands still: a billing run may be at work."""
    for name in accounts:
        for _ in range(_TRIES):
            before = _expected(look(place), name)
            shown = _shown_items(place, line, name)
            if _expected(look(place), name) == before:
                break
        _unique(f"listed by {name}", shown)
        assert set(shown) == before, (name, sorted(set(shown) ^ before))


def _expected(seen: Seen, name: str) -> set[tuple[int, str, Decimal]]:
    is_vps = PROVIDERS[name.partition("/")[0]] == "vpsbg"
    own = [item for item in seen.documents if item.account == name and (is_vps or item.type_code != _PRO_FORMA)]
    return {(item.wire_id, item.number, _signed(item)) for item in own}


def _shown_items(place: Place, line: Line, name: str) -> list[tuple[int, str, Decimal]]:
    is_vps = PROVIDERS[name.partition("/")[0]] == "vpsbg"
    total = "amount_with_vat" if is_vps else "amount_total"
    return [(item["id"], item["invoice_number"], Decimal(str(item[total]))) for item in _pages(place, line, name, is_vps=is_vps)]


def check_verified(place: Place) -> None:
    """`faktura verify` finds nothing."""
    with place.books() as books:
        findings = [str(finding) for finding in verify(books)]
    assert not findings, findings[:20]


def _pages(place: Place, line: Line, name: str, *, is_vps: bool) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    page = 1
    while True:
        status, _, body = line.ask("GET", f"/v1/invoices?page={page}" + ("" if is_vps else "&limit=100"), place.tokens[name])
        assert status == 200, (name, status, body[:500])
        told = json.loads(body)
        items += told["data"] if is_vps else told["_embedded"]["invoices"]
        if page >= (told["meta"]["last_page"] if is_vps else told["pages"]):
            return items
        page += 1


def _signed(document: Document) -> Decimal:
    assert document.total_minor is not None
    return Decimal(-document.total_minor if document.type_code == _CREDIT_NOTE else document.total_minor) / 100


def _minor(amount: str) -> int:
    return int(Decimal(amount) * 100)


def _unique(what: str, values: Sequence[object]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    assert not twice, (what, twice)
