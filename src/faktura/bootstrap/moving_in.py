"""Files of a provider's own history -> closed documents: JSON Lines, read twice, first to validate everything, then in the order of their numbers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from faktura.config import Settings
from faktura.documents import strict_json
from faktura.domain.errors import Fault, InputError, fault
from faktura.domain.invoice import TypeCode
from faktura.domain.money import Currency
from faktura.domain.numbering import NumberMethod, Series, period
from faktura.domain.past import PastDocument
from faktura.ledger.accounts import find_provider
from faktura.ledger.history import CORRECTED, Examined, PastLine, PastOutcome, PastReport, examine, open_history, place_of, preceding_faults
from faktura.ledger.journal import digest
from faktura.ledger.moving_in import BATCH_SIZE, Memo, series_ends, write_batch
from faktura.ledger.ports import Books
from faktura.storage.history_spool import HistorySpool, SpooledLine

LINE_BYTES_MAX = 8 * 1024 * 1024
BATCH_BYTES_MAX = 4 * 1024 * 1024
"""What the lines of a batch may weigh: bounds the memory for documents of many lines."""

Advance = Callable[[int], None]
"""Hears how many bytes of input were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Numbers between the first and the last of a series that no document bears."""

    series: str
    year: int
    """0 where the series never starts again."""
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """A number with an earlier date than the number before it."""

    series: str
    sequence: int
    issue_date: str
    previous: int
    previous_date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesEnd:
    """Where a series goes on."""

    series: str
    next_number: int
    last_date: date | None


Told = PastReport | Gap | Fall | SeriesEnd


def move_in(
    books: Books,
    settings: Settings,
    *,
    provider: str,
    files: Sequence[Path],
    create_accounts: bool = False,
    dry_run: bool = False,
    advance: Advance = lambda _: None,
) -> Generator[Told]:
    """Bring a provider's own past documents in; tells of every line, then of gaps and falling dates, and where the series go on.

    Nothing is written while any line has a fault. Each line is told of as moved in after its batch is durable; the same files again,
    also after an interruption, bring in what is missing and nothing twice. InputError for a file that is not there.
    """
    for path in files:
        if not path.is_file():
            message = f"{path}: there is no such file"
            raise InputError(message)
    with HistorySpool(settings.database.scratch_folder) as spool:
        refused = 0
        for report in _validate(books, provider, files, spool, create_accounts=create_accounts, advance=advance):
            refused += report.outcome is PastOutcome.REFUSED
            yield report
        if not refused:
            yield from _survey(spool)
        if refused or dry_run:
            yield from (PastReport(source=at.source, position=at.position, outcome=PastOutcome.VALID, number=at.number) for at in spool.ordered())
            return
        memo: Memo = {}
        for lines in _batches(files, spool, advance):
            yield from write_batch(books, provider=provider, lines=lines, create_accounts=create_accounts, next_wire_id=spool.wire_id_max() + 1, memo=memo)
    for name, next_number, last_date in series_ends(books, provider=provider):
        yield SeriesEnd(series=name, next_number=next_number, last_date=last_date)


def _validate(books: Books, provider_name: str, files: Sequence[Path], spool: HistorySpool, *, create_accounts: bool, advance: Advance) -> Iterator[PastReport]:
    """Read all lines, each against the ledger, then against one another; tells of those that will not be written."""
    with books.storage.reading() as tx:
        provider = find_provider(tx, provider_name)
        history = open_history(tx, provider, create_accounts=create_accounts)
        for series in history.series.values():
            if series.method is NumberMethod.COUNTER:
                numbers = tx.audit.series_numbers(series)
                spool.keep((series.name, period(series, item.issue_date), item.sequence, item.issue_date.isoformat()) for item in numbers)
    for source, path in enumerate(files):
        for position, start, line in _lines(path):
            with books.storage.reading() as tx:
                found = examine(tx, books, provider, history, PastLine(source=source, position=position, data=_parse(line)))
            advance(len(line))
            if found.document is None:
                yield found.report
            else:
                spool.add(_spooled(found, found.document, start, len(line)))
    spool.index()
    yield from _repeated(spool, files)
    yield from _clashes(spool)


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Line number, where it begins, and its bytes; blank lines are left out."""
    with path.open("rb") as file:
        position = start = 0
        while line := file.readline(LINE_BYTES_MAX):
            position += 1
            if line.strip():
                yield position, start, line
            start += len(line)


def _parse(line: bytes) -> object:
    try:
        return strict_json.loads(line)
    except (ValueError, RecursionError):
        return None


def _spooled(found: Examined, document: PastDocument, start: int, size: int) -> SpooledLine:
    year, seq = place_of(document)
    draft, preceding = document.draft, document.draft.preceding_invoice
    said = [document.account, document.seller, draft, document.wire_id, document.created_at_us, document.payments]
    return SpooledLine(
        source=found.report.source,
        position=found.report.position,
        start=start,
        size=size,
        rank=_rank(document.series),
        series=document.series.name,
        is_counted=document.series.method is NumberMethod.COUNTER,
        year=year,
        seq=seq,
        number=document.number,
        issue_date=document.issue_date.isoformat(),
        account=document.account,
        wire_id=document.wire_id,
        currency=draft.currency.code,
        is_corrected=draft.type_code in CORRECTED,
        preceding=preceding.number if preceding and found.corrects else None,
        has_reason=draft.override_reason is not None,
        digest=digest(said),
    )


def _rank(series: Series) -> int:
    """Invoices first, then what corrects them, where those have series of their own."""
    if TypeCode.INVOICE in series.type_codes:
        return 0
    return 1 if TypeCode.DEBIT_NOTE in series.type_codes else 2


def _repeated(spool: HistorySpool, files: Sequence[Path]) -> Iterator[PastReport]:
    for source, position, number, first_source, first_position, is_same in spool.repeated():
        if is_same:
            yield PastReport(source=source, position=position, outcome=PastOutcome.DUPLICATE, number=number)
        else:
            message = f"{number} stands in {files[first_source]}:{first_position} too, with other content"
            yield _refused(source, position, number, [fault("DUPLICATE", "number", message)])


def _clashes(spool: HistorySpool) -> Iterator[PastReport]:
    """Lines that are fine each alone, and not together."""
    for source, position, number, series, other in spool.places_taken():
        whose = f"{other} has" if other else "another document in the ledger has"
        message = f"{whose} the same place in series {series}; where numbers start again each year, say so: `faktura series set --reset year`"
        yield _refused(source, position, number, [fault("SERIES", "number", message)])
    for source, position, number, wire_id, other in spool.wire_ids_taken():
        yield _refused(source, position, number, [fault("WIRE-ID", "wire_id", f"{other} of the same account has the id {wire_id} too")])
    for source, position, number, named, currency, has_reason, count, found_currency in spool.corrections():
        currencies = [Currency(found_currency)] * count if found_currency else []
        faults = preceding_faults(named, Currency(currency), currencies, has_reason=has_reason)
        if faults:
            yield _refused(source, position, number, faults)


def _refused(source: int, position: int, number: str, faults: Sequence[Fault]) -> PastReport:
    return PastReport(source=source, position=position, outcome=PastOutcome.REFUSED, number=number, faults=tuple(faults))


def _survey(spool: HistorySpool) -> Iterator[Gap | Fall]:
    """Gaps and falling dates of the whole series, with what the ledger has of it: history may come in several files."""
    before: tuple[str, int, int, str] | None = None
    for row in spool.places():
        series, year, seq, issue_date = row
        if before is not None and before[:2] == (series, year):
            _, _, previous, previous_date = before
            if seq > previous + 1:
                yield Gap(series=series, year=year, first=previous + 1, last=seq - 1)
            if issue_date < previous_date:
                yield Fall(series=series, sequence=seq, issue_date=issue_date, previous=previous, previous_date=previous_date)
        before = row


def _batches(files: Sequence[Path], spool: HistorySpool, advance: Advance) -> Iterator[list[PastLine]]:
    """The lines in the order of their numbers, read again from where they stand."""
    waiting: list[PastLine] = []
    weight = 0
    for at in spool.ordered():
        with files[at.source].open("rb") as file:
            file.seek(at.start)
            waiting.append(PastLine(source=at.source, position=at.position, data=_parse(file.read(at.size))))
        weight += at.size
        advance(at.size)
        if len(waiting) >= BATCH_SIZE or weight >= BATCH_BYTES_MAX:
            yield waiting
            waiting, weight = [], 0
    if waiting:
        yield waiting
