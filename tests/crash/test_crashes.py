"""What is acknowledged survives SIGKILL; `make soak` does the same a thousand times."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.crash.checks import Document, Seen, check_acknowledged, check_billing, check_order
from tests.crash.load import Write, billing_items
from tests.crash.soak import soak


def test_killed_servers_lose_nothing_and_do_nothing_twice(engine: str) -> None:
    """Servers, commands and PostgreSQL itself killed under mixed load: after each restart the ledger is whole, and tells what was told."""
    figures = soak(engine, kills=5, database_kills=1, seed=2026)
    sys.stdout.write(f"{figures}\n")
    assert figures.kills == 5
    assert figures.counts["documents"] > 0
    assert figures.counts["database kills"] == (engine == "postgresql")
    assert bool(figures.counts["answers while the database was away"]) == (engine == "postgresql")


def _document(sequence: int, **changed: object) -> Document:
    whole = Document("vps", "vps/a0", 100 + sequence, sequence, 380, f"{sequence:010d}", sequence, "2026-10-01", 1200, f"issue-{sequence}")
    return replace(whole, **changed)  # type: ignore[arg-type]


_WHOLE = Seen(
    documents=[_document(1), _document(2), _document(3, note="run-1/0")],
    payments=[(200, "pay-1", 1200)],
    allocations=[(200, 101, 1200)],
    keys=frozenset({"issue-1", "pay-1", "run-1"}),
    runs={300: "done"},
    items=[(300, "run-1/0", "issued", 103)],
    billed=[("run-1/0", 103)],
)
_RUN = billing_items("run-1", random.Random(1), count=1)
_ANSWERS = {
    "issue": b'{"id": 101, "number": "0000000001", "total_with_vat": "12.00", "issue_date": "2026-10-01"}',
    "pay": b'{"id": 200, "amount": "12.00", "allocations": [{"invoice_id": 101, "amount": "12.00"}]}',
    "run": b'{"id": 300}',
}
_TOLD = [
    Write(kind=kind, key=f"{kind}-1", provider="vps", path="", body=_RUN, mark=f"{kind}-1", status=201, answer=answer) for kind, answer in _ANSWERS.items()
]
_FIRST, _SECOND, _THIRD = _WHOLE.documents


def _check(seen: Seen) -> None:
    check_order(seen)
    check_billing(seen)
    check_acknowledged(seen, _TOLD)


def test_a_whole_ledger_passes() -> None:
    """The checks find nothing where there is nothing to find."""
    _check(_WHOLE)


@pytest.mark.parametrize(
    "damage",
    [
        lambda seen: replace(seen, documents=[_SECOND, _THIRD]),
        lambda seen: replace(seen, documents=[_FIRST, replace(_SECOND, number=_FIRST.number), _THIRD]),
        lambda seen: replace(seen, documents=[_FIRST, replace(_SECOND, wire_id=1), _THIRD]),
        lambda seen: replace(seen, documents=[_FIRST, replace(_SECOND, sequence=5, number="0000000005"), _THIRD]),
        lambda seen: replace(seen, documents=[_FIRST, replace(_SECOND, issue_date="2026-09-30"), _THIRD]),
        lambda seen: replace(seen, documents=[replace(_FIRST, total_minor=1201), _SECOND, _THIRD]),
        lambda seen: replace(seen, documents=[*_WHOLE.documents, _document(4, note="issue-1")]),
        lambda seen: replace(seen, documents=[_FIRST, _SECOND]),
        lambda seen: replace(seen, payments=[]),
        lambda seen: replace(seen, payments=[*seen.payments, (201, "pay-1", 1200)]),
        lambda seen: replace(seen, payments=[(200, "pay-1", 1100)]),
        lambda seen: replace(seen, allocations=[]),
        lambda seen: replace(seen, allocations=[*seen.allocations, (200, 102, 1)]),
        lambda seen: replace(seen, keys=frozenset({"pay-1", "run-1"})),
        lambda seen: replace(seen, runs={300: "receiving"}),
        lambda seen: replace(seen, items=[]),
        lambda seen: replace(seen, items=[(300, "run-1/0", "waiting", None)]),
        lambda seen: replace(seen, items=[*seen.items, (301, "run-1/0", "issued", 103)], runs={300: "done", 301: "done"}),
        lambda seen: replace(seen, billed=[]),
        lambda seen: replace(seen, billed=[("run-1/0", 102)]),
    ],
)
def test_the_driver_sees_what_a_crash_could_damage(damage: Callable[[Seen], Seen]) -> None:
    """Each thing lost, doubled, changed or half there fails the check."""
    with pytest.raises(AssertionError):
        _check(damage(_WHOLE))
