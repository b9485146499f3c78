"""Files -> ledger: saved answers of a provider's API, and line-item CSV."""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from faktura.bootstrap.books import DIALECTS
from faktura.config import Settings
from faktura.documents.line_items import Layout, RowFault, read_rows, to_heard
from faktura.domain.errors import InputError, WireError
from faktura.domain.recorded import Change, Heard, Outcome
from faktura.ledger.accounts import find_account, find_provider
from faktura.ledger.importing import record
from faktura.ledger.ports import Books
from faktura.storage.spool import Spool

FILE_BYTES_MAX = 64 * 1024 * 1024
"""A saved answer larger than this is no page of any provider."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that did not go in."""

    message: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know that is no fault."""

    message: str


def printable(message: str) -> str:
    """The message with bytes that are no text written as escapes."""
    return message.encode("utf-8", "backslashreplace").decode()


@dataclass(slots=True)
class Report:
    """What an import did. `tell` hears of every change, fault and notice as it comes."""

    tell: Callable[[Change | Fault | Notice], None]
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    fault_count: int = 0
    held_count: int = 0

    def fault(self, message: str) -> None:
        """Count and tell something that did not go in."""
        self.fault_count += 1
        self.tell(Fault(printable(message)))

    def notice(self, message: str) -> None:
        """Tell something that is no fault."""
        self.tell(Notice(printable(message)))

    def change(self, change: Change) -> None:
        """Count and tell what became of a document."""
        self.outcomes[change.outcome] += 1
        self.tell(change)

    @property
    def is_clean(self) -> bool:
        """Whether everything went in and nothing contradicts."""
        return not self.fault_count and not self.outcomes[Outcome.CONFLICT]


Advance = Callable[[int], None]
"""Hears how many bytes of input were read."""


def import_answers(books: Books, *, provider: str, account: str, files: Sequence[Path], report: Report, advance: Advance) -> None:
    """Record saved answers, list pages and single invoices, in any number and order."""
    with books.storage.reading() as tx:
        find_account(tx, find_provider(tx, provider), account)
    documents = _answers(books, provider, files, report, advance)
    for change in record(books, provider=provider, documents=((account, heard) for heard in documents)):
        report.change(change)


def _answers(books: Books, provider_name: str, files: Sequence[Path], report: Report, advance: Advance) -> Iterator[Heard]:
    with books.storage.reading() as tx:
        provider = find_provider(tx, provider_name)
    dialect = DIALECTS[provider.dialect]
    for path in files:
        try:
            body = read_bounded(path)
            answer = dialect.parse_answer(body, provider=provider)
            seen_at_us = path.stat().st_mtime_ns // 1000
        except (OSError, WireError, InputError) as error:
            report.fault(file_fault(path, error))
            continue
        for fault in answer.faults:
            report.fault(f"{path}: item {fault.position}: {fault.message}")
        # A saved answer was seen when it was saved; so a file that is read twice says nothing new.
        for heard in answer.documents:
            yield replace(heard, seen_at_us=seen_at_us)
        advance(len(body))


def read_bounded(path: Path) -> bytes:
    """A file's bytes; InputError for more than any document or answer has, however large the file says that it is: a device has no size."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        body = b"" if size > FILE_BYTES_MAX else file.read(FILE_BYTES_MAX + 1)
    if max(size, len(body)) > FILE_BYTES_MAX:
        message = f"is too large: it has more than {FILE_BYTES_MAX // 2**20} MiB, which no document or saved answer has"
        raise InputError(message)
    return body


def file_fault(path: Path, error: Exception) -> str:
    """What is wrong with a file, in a line that names it."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return reason if reason.startswith(str(path)) else f"{path}: {reason}"


def import_line_items(books: Books, settings: Settings, *, provider: str, layout: Layout, files: Sequence[Path], report: Report, advance: Advance) -> None:
    """Record invoices from line-item CSV. Rows are grouped on disk first: those of one invoice may stand anywhere."""
    with books.storage.reading() as tx:
        find_provider(tx, provider)
    with collecting_rarely(), Spool(settings.database.scratch_folder) as spool:
        files = _spool_files(spool, files, layout, report, advance)
        report.held_count = spool.held()
        documents = _documents(spool, files, layout, report)
        for change in record(books, provider=provider, documents=documents, create_accounts=True):
            report.change(change)


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Look for garbage in cycles a hundred times less often: rows and documents are in none, and are many."""
    before = gc.get_threshold()
    gc.set_threshold(before[0] * 100, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _spool_files(spool: Spool, files: Iterable[Path], layout: Layout, report: Report, advance: Advance) -> list[Path]:
    """Read all rows; the same content twice is read once, or its lines would double."""
    seen: dict[bytes, Path] = {}
    kept: list[Path] = []
    prefixes: list[str] = []
    for path in files:
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            if digest in seen:
                report.notice(f"{path}: has the same content as {seen[digest]}, read once")
                continue
            seen[digest] = path
            kept.append(path)
            _spool_rows(spool, path, len(kept) - 1, layout=layout, report=report, prefixes=prefixes)
        except (OSError, InputError) as error:
            report.fault(file_fault(path, error))
            continue
        advance(path.stat().st_size)
    for prefix in prefixes:
        spool.hold_prefix(prefix)
    return kept


def _spool_rows(spool: Spool, path: Path, file: int, *, layout: Layout, report: Report, prefixes: list[str]) -> None:
    for row in read_rows(path, layout):
        if not isinstance(row, RowFault):
            spool.add(file, row)
            continue
        for number in row.numbers:
            spool.hold(number)
        if row.prefix:
            prefixes.append(row.prefix)
        held = f"; invoice {', '.join(row.numbers)} is held back" if row.numbers else ""
        report.fault(f"{path}:{row.line}: {row.message}{held}")


def _documents(spool: Spool, files: Sequence[Path], layout: Layout, report: Report) -> Iterator[tuple[str, Heard]]:
    for group in spool.groups():
        path = files[group.file]
        if group.odd:
            account, file, line = group.odd
            report.held_count += 1
            report.fault(f"{files[file]}:{line}: invoice {group.number} names the accounts {group.account} and {account}; it is held back")
            continue
        try:
            seen_at_us = path.stat().st_mtime_ns // 1000
            heard = to_heard(group.rows, number=group.number, created_at_us=group.created_at_us, layout=layout, seen_at_us=seen_at_us)
        except ValueError as error:
            report.held_count += 1
            report.fault(f"{path}: invoice {group.number}: {error}; it is held back")
            continue
        yield group.account, heard
