"""The journal: per provider, without a gap, chained over digests so that a payload may be erased and the chain still verifies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date
from decimal import Decimal

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
    text = json.dumps(payload, default=_plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: known for field in fields(value) if (known := getattr(value, field.name)) is not None}
    if isinstance(value, Decimal):
        return canonical(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    message = f"{type(value).__name__} has no canonical JSON"
    raise TypeError(message)


def issued_payload(invoice: Invoice, allocations: Sequence[Allocation], key: BillingKey | MovedIn | None) -> object:
    """What the journal's digest of an issued document covers: the document, what it settles, what it bills or that it moved in."""
    more = [*allocations, *([key] if key else [])]
    return [invoice, *more] if more else invoice


def link(chain: bytes, entry: JournalEntry) -> bytes:
    """The chain after an entry: SHA-256 over the chain before it and all that the entry says."""
    said = [entry.sequence, entry.recorded_at_us, entry.actor, entry.event, entry.account_id, entry.subject_id, entry.digest.hex()]
    return hashlib.sha256(chain + json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()).digest()


def write(tx: Transaction, *, provider_id: int, taken: Taken, events: Sequence[Event], actor: str, now_us: int) -> None:
    """Append events under the numbers taken for them, one each."""
    chain = taken.chain
    entries = []
    for offset, event in enumerate(events):
        entry = JournalEntry(
            sequence=taken.first_sequence + offset,
            recorded_at_us=now_us,
            actor=actor,
            event=event.name,
            account_id=event.account_id,
            subject_id=event.subject_id,
            digest=digest(event.payload),
            chain=b"",
        )
        chain = link(chain, entry)
        entries.append(replace(entry, chain=chain))
    tx.providers.append_journal(provider_id, entries)
