"""Many documents to files, in processes of their own: each file whole or not there, and none made twice."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.util import Finalize
from pathlib import Path

from faktura import __version__
from faktura.bootstrap.books import open_books
from faktura.bootstrap.worker_process import begin_worker, importing_safely
from faktura.config import Settings
from faktura.documents.handing_out import LackingError, default_language, file_name, hand_out_as, hand_out_original, original_ending, stored_form
from faktura.domain.document_file import ORIGINAL, Form, is_made_again
from faktura.domain.errors import FAULTS_SHOWN_MAX, FakturaError, LedgerError
from faktura.ledger.exporting import LeftOut, Wanted, chosen_documents
from faktura.ledger.ports import Books
from faktura.storage.backup import sync

AHEAD = 4
"""Documents a process that wait for it: enough to keep it busy, and memory flat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A document, and the file that it shall be."""

    account_id: int
    invoice_id: int
    label: str
    """What a person calls the document."""
    form: Form | None
    """None gives back the original."""
    language: str | None
    path: Path
    """Of an original without `.xml` or `.pdf`, which its bytes say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a job."""

    label: str
    path: Path
    is_kept: bool = False
    """The file was there, with the bytes that it should have."""
    faults: tuple[str, ...] = ()
    """Why there is no file."""


@dataclass(slots=True)
class Rendered:
    """What a run made."""

    made_count: int = 0
    kept_count: int = 0
    fault_count: int = 0
    """Documents that could not be made."""
    left_out: LeftOut = field(default_factory=LeftOut)


def render_all(
    books: Books,
    settings: Settings,
    wanted: Wanted,
    *,
    form: Form | None,
    folder: Path,
    language: str | None = None,
    workers: int | None = None,
    tell: Callable[[Done], None],
) -> Rendered:
    """A file for each document that is wanted: `FOLDER/PROVIDER/NUMBER_ID.FORM`. `tell` hears of each.

    A file that is there and has the bytes that were handed out is kept, so a run that was stopped goes on where it was.
    """
    report = Rendered()
    count = workers or os.cpu_count() or 1
    with closing(chosen_documents(books, wanted, left_out=report.left_out)) as found:
        jobs = (
            Job(
                account_id=head.invoice.account_id,
                invoice_id=head.invoice.id,
                label=f"{head.provider} {head.invoice.number} (id {head.invoice.id})",
                form=form,
                language=language,
                path=folder / head.provider / file_name(head.invoice.number, form or ORIGINAL, invoice_id=head.invoice.id),
            )
            for head in found
        )
        for done in (do_job(books, job) for job in jobs) if count == 1 else _spread(jobs, settings, count):
            report.made_count += not done.is_kept and not done.faults
            report.kept_count += done.is_kept
            report.fault_count += bool(done.faults)
            tell(done)
    return report


def _spread(jobs: Iterable[Job], settings: Settings, count: int) -> Iterator[Done]:
    """Do jobs in so many processes; what became of them in their order."""
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_begin, initargs=(settings,))
    waiting: deque[Future[Done]] = deque()
    try:
        for job in jobs:
            with importing_safely():  # the first starts the processes
                waiting.append(pool.submit(_work, job))
            if len(waiting) >= AHEAD * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise FakturaError("a process that made files was ended from outside; run it again, what is there is kept") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_opened = ExitStack()
_ledgers: list[Books] = []
"""The ledger of a process that does jobs."""


def _begin(settings: Settings) -> None:
    begin_worker()
    _ledgers.append(_opened.enter_context(open_books(settings)))
    Finalize(None, _opened.close, exitpriority=10)  # when the process ends as it should


def _work(job: Job) -> Done:
    return do_job(_ledgers[0], job)


def do_job(books: Books, job: Job) -> Done:
    """Make a document's file, unless it is there. What keeps one document from being made is told; trouble of the ledger is raised."""
    try:
        if job.form is None:
            return _give_back(books, job)
        if _is_there(books, job, job.form):
            return Done(label=job.label, path=job.path, is_kept=True)
        file = hand_out_as(books, account_id=job.account_id, invoice_id=job.invoice_id, form=job.form, language=job.language)
        write_whole(job.path, file.body or b"")
    except LedgerError:
        raise
    except LackingError as error:
        return Done(label=job.label, path=job.path, faults=tuple(str(item) for item in error.faults[:FAULTS_SHOWN_MAX]))
    except FakturaError as error:
        return Done(label=job.label, path=job.path, faults=(str(error),))
    return Done(label=job.label, path=job.path)


def _give_back(books: Books, job: Job) -> Done:
    original = hand_out_original(books, account_id=job.account_id, invoice_id=job.invoice_id)
    path = job.path.with_suffix(f".{original_ending(original.body)}")
    is_kept = _digest(path) == original.sha256
    if not is_kept:
        write_whole(path, original.body)
    return Done(label=job.label, path=path, is_kept=is_kept)


def write_whole(path: Path, body: bytes) -> None:
    """Put a file where it belongs, durably: it has its name when it is whole, and replaces what had it. FakturaError where it cannot be written."""
    path = path.resolve()  # a link stays one
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file():  # a device or a pipe takes bytes, and is not replaced
            path.write_bytes(body)
            return
        _make_folder(path.parent)
        try:
            aside.write_bytes(body)
            sync(aside)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        sync(path.parent)
    except OSError as error:
        message = f"{path} was not written: {error.strerror or error}"
        raise FakturaError(message) from error


def _make_folder(folder: Path) -> None:
    """The folder, and those above it, where they are not there yet; durable, as what is put into it."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def _digest(path: Path) -> bytes | None:
    """Of the file that is there, if one is."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise FakturaError(message) from error


def _is_there(books: Books, job: Job, form: Form) -> bool:
    digest = _digest(job.path)
    if digest is None:
        return False
    with books.storage.reading() as tx:
        language = job.language
        if form.is_pdf and language is None:
            invoice = tx.invoices.get(job.account_id, job.invoice_id)
            language = None if invoice is None else default_language(invoice)
        stored = stored_form(form, language)
        known = tx.files.made(job.account_id, job.invoice_id, stored, digest)
    return known is not None and (not is_made_again(stored) or known.release == __version__)
