"""The journal: per provider, without a gap, chained over digests so that a payload may be erased and the chain still verifies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from faktura.domain.invoice import Invoice
from faktura.domain.money import canonical
from faktura.domain.payment import Allocation
from faktura.ledger.ports import BillingKey, JournalEntry, MovedIn, Taken, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: its name, whom it concerns, and the value it wrote."""

    name: str
    payload: object
    account_id: int | None = None
    subject_id: int | None = None


def digest(payload: object) -> bytes:
    """SHA-256 of a value's canonical JSON: sorted keys, no unknown (None) fields, decimals as canonical text.

    Unknown fields are left out, so that a later release may add one without changing old digests.
    """
    return hashlib.sha256(_canonical(payload).encode("utf-8", "surrogatepass")).digest()


def _plain(value: object) -> object:
    """What JSON has no word for; the encoder asks for each such value."""
    kind: Any = type(value)
    names = _names(kind)
    if names is not None:
        return {name: known for name in names if (known := getattr(value, name)) is not None}
    if isinstance(value, Decimal):
        return canonical(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    message = f"{type(value).__name__} has no canonical JSON"
    raise TypeError(message)


@cache
def _names(kind: Hashable) -> tuple[str, ...] | None:
    """The fields of a dataclass; None for what is none."""
    return tuple(field.name for field in fields(kind)) if isinstance(kind, type) and is_dataclass(kind) else None


_canonical = json.JSONEncoder(default=_plain, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
_said = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def issued_payload(invoice: Invoice, allocations: Sequence[Allocation], key: BillingKey | MovedIn | None) -> object:
    """What the journal's digest of an issued document covers: the document, what it settles, what it bills or that it moved in."""
    more = [*allocations, *([key] if key else [])]
    return [invoice, *more] if more else invoice


def link(chain: bytes, entry: JournalEntry) -> bytes:
    """The chain after an entry: SHA-256 over the chain before it and all that the entry says."""
    said = [entry.sequence, entry.recorded_at_us, entry.actor, entry.event, entry.account_id, entry.subject_id, entry.digest.hex()]
    return _chained(chain, said)


def _chained(chain: bytes, said: list[object]) -> bytes:
    return hashlib.sha256(chain + _said(said).encode()).digest()


def write(tx: Transaction, *, provider_id: int, taken: Taken, events: Sequence[Event], actor: str, now_us: int) -> None:
    """Append events under the numbers taken for them, one each."""
    chain = taken.chain
    entries = []
    for sequence, event in enumerate(events, taken.first_sequence):
        digested = digest(event.payload)
        chain = _chained(chain, [sequence, now_us, actor, event.name, event.account_id, event.subject_id, digested.hex()])
        entries.append(
            JournalEntry(
                sequence=sequence,
                recorded_at_us=now_us,
                actor=actor,
                event=event.name,
                account_id=event.account_id,
                subject_id=event.subject_id,
                digest=digested,
                chain=chain,
            )
        )
    tx.providers.append_journal(provider_id, entries)
