"""The journal: per provider, without a gap, chained over digests so that a payload may be erased and the chain still verifies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Any

from faktura.domain.invoice import Invoice, InvoiceLine
from faktura.domain.money import canonical
from faktura.domain.payment import Allocation
from faktura.domain.vat import VatKey
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
    return hashlib.sha256(canonical_json(payload).encode("utf-8", "surrogatepass")).digest()


def canonical_json(value: Any) -> str:  # noqa: ANN401 - whatever an event wrote
    """The text that a digest covers. Written here for what documents are made of: JSON's own encoder would ask back for each such value."""
    return _writers[type(value)](value)


class _Writers(dict[Any, Callable[[Any], str]]):
    """What writes values of a type: found once, since a document has a hundred values."""

    def __missing__(self, kind: type[Any]) -> Callable[[Any], str]:
        write = _dataclass_writer(kind) if is_dataclass(kind) else next((write for known, write in _WRITERS if issubclass(kind, known)), _encode)
        self[kind] = write
        return write


def _dataclass_writer(kind: type[Any]) -> Callable[[Any], str]:
    names = sorted(field.name for field in fields(kind))
    labels = [f'"{name}":' for name in names]
    read = attrgetter(*names, names[0])  # of one name alone it would give no tuple

    def write_fields(value: object) -> str:
        known = [label + _writers[type(item)](item) for label, item in zip(labels, read(value), strict=False) if item is not None]
        return f"{{{','.join(known)}}}"

    return write_fields


def _write_line(line: InvoiceLine) -> str:
    """A line, written out: a document may have thousands, and what its fields are is known. What lines share is written once."""
    adjustments = canonical_json(line.allowances_charges) if line.allowances_charges else "[]"
    item_id = "" if line.item_id is None else f'"item_id":{_quoted(line.item_id)},'
    net = "" if line.net_amount_minor is None else f'"net_amount_minor":{line.net_amount_minor},'
    order_id = "" if line.order_id is None else f'"order_id":{line.order_id},'
    period = "" if line.period is None else f'"period":{canonical_json(line.period)},'
    vat = "" if line.vat is None else f',"vat":{_write_vat(line.vat)}'
    return (
        f'{{"allowances_charges":{adjustments},{item_id}"line_total_minor":{line.line_total_minor},"name":{_quoted(line.name)},{net}{order_id}{period}'
        f'"quantity":"{canonical(line.quantity)}","unit_code":{_quoted(line.unit_code)},"unit_price":"{canonical(line.unit_price)}"{vat}}}'
    )


class _Last:
    """The key that was written last: lines of a document share theirs, which is told without a hash."""

    known: tuple[VatKey | None, str] = (None, "")


def _write_vat(vat: VatKey) -> str:
    last, text = _Last.known
    if vat is not last:
        text = canonical_json(vat)
        _Last.known = vat, text
    return text


_quoted = json.encoder.encode_basestring  # as it is with ensure_ascii=False
_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
_WRITERS: tuple[tuple[type[Any], Callable[[Any], str]], ...] = (
    (str, _quoted),
    (bool, _encode),
    (int, int.__repr__),
    (Decimal, lambda value: f'"{canonical(value)}"'),
    (date, lambda value: f'"{value.isoformat()}"'),
    (bytes, lambda value: f'"{value.hex()}"'),
    (tuple, lambda value: f"[{','.join([canonical_json(item) for item in value])}]"),
    (list, lambda value: f"[{','.join([canonical_json(item) for item in value])}]"),
    (dict, lambda value: f"{{{','.join([f'{_quoted(key)}:{canonical_json(value[key])}' for key in sorted(value)])}}}"),
)
_writers = _Writers({InvoiceLine: _write_line})
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
