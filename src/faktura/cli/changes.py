"""`faktura changes`: what sources changed, removed or left out."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from datetime import date
from itertools import chain
from typing import Annotated

import typer

from faktura.cli.output import EXIT_INCOMPLETE, JsonOption, books, day, print_json, print_table
from faktura.documents.incoming import is_pdf
from faktura.domain.calendar import midnight, to_datetime
from faktura.domain.recorded import SourceKind
from faktura.ledger.collecting import list_contradictions, list_doubles, list_gaps
from faktura.ledger.collecting_ports import Contradiction
from faktura.ledger.number_gaps import NumberGap
from faktura.ledger.ports import Books

Row = tuple[object, ...]
"""Of the table."""


def changes_command(
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what was noticed on this date (UTC) or later; of gaps, those before documents issued then or later.")
    ] = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """List what sources said otherwise than before, no longer show, left out between their numbers, or numbered twice. Nothing of it was overwritten.

    --json prints both versions as they were said. Exit code 3 if there is anything, 0 if not.

    Example: faktura changes --since 2026-11-01 --json
    """
    first = day(since)
    rows: list[Row] = []
    with books() as opened:
        for said, row in chain(_contradictions(opened, source, first), _gaps(opened, source, first), _doubles(opened, source) if first is None else ()):
            if as_json:
                print_json(said)
            rows.append(row)
    if not rows:
        if not as_json:
            typer.echo("nothing contradicts what was heard before")
        return
    if not as_json:
        print_table(("seen", "source", "account", "number", "id", "what"), rows)
    raise typer.Exit(EXIT_INCOMPLETE)


def _contradictions(opened: Books, source: str | None, first: date | None) -> Iterator[tuple[dict[str, object], Row]]:
    since_us = 0 if first is None else midnight(first, "UTC")
    for owner, found in list_contradictions(opened, provider=source, since_us=since_us):
        seen = f"{to_datetime(_seen_at_us(found)):%Y-%m-%d %H:%M}"
        yield _contradiction(owner.name, found), (seen, owner.name, found.account, found.number, found.invoice_id, "; ".join(map(str, found.differences)))


def _gaps(opened: Books, source: str | None, first: date | None) -> Iterator[tuple[dict[str, object], Row]]:
    for owner, account, gap in list_gaps(opened, provider=source):
        if first is None or gap.after.issue_date >= first:
            yield _gap(owner.name, account, gap), (gap.after.issue_date, owner.name, account, gap.first, None, _gap_text(gap))


def _doubles(opened: Books, source: str | None) -> Iterator[tuple[dict[str, object], Row]]:
    for owner, double in list_doubles(opened, provider=source):
        named = {"number": double.number, "count": double.count, "id": double.last_invoice_id}
        row = (None, owner.name, double.account, double.number, double.last_invoice_id, f"{double.count} documents of one type bear this number")
        yield {"kind": "double", "source": owner.name, "account": double.account, **named}, row


def _contradiction(owner: str, found: Contradiction) -> dict[str, object]:
    return {
        "kind": "conflict" if all(item.term != "presence" for item in found.differences) else "presence",
        "source": owner,
        "account": found.account,
        "id": found.invoice_id,
        "number": found.number,
        "seen_at": to_datetime(_seen_at_us(found)).isoformat(),
        "heard_in": found.kind.value,
        "differences": [{"term": item.term, "kept": item.kept, "heard": item.heard} for item in found.differences],
        "kept": _text(found.kept_body),
        "heard": _text(found.heard_body),
    }


def _seen_at_us(found: Contradiction) -> int:
    """When it was noticed. A file of a document bears the document's own date, so that the same file says nothing new: it was noticed when it came in."""
    return found.recorded_at_us if found.kind is SourceKind.DOCUMENT else found.seen_at_us


def _text(body: bytes) -> str | None:
    """A source's own words; a PDF has none to print. XML may be in UTF-16, and then says so by its first bytes."""
    is_wide = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return None if is_pdf(body) else body.decode("utf-16" if is_wide else "utf-8", "replace")


def _gap(owner: str, account: str, gap: NumberGap) -> dict[str, object]:
    sides = {name: {"number": item.number, "issue_date": item.issue_date} for name, item in (("before", gap.before), ("after", gap.after))}
    return {"kind": "gap", "source": owner, "account": account, "first": gap.first, "last": gap.last, "count": gap.count, **sides}


def _gap_text(gap: NumberGap) -> str:
    missing = "is missing" if gap.count == 1 else f"to {gap.last} are missing ({gap.count})"
    return f"{missing}, between {gap.before.number} of {gap.before.issue_date} and {gap.after.number} of {gap.after.issue_date}"
