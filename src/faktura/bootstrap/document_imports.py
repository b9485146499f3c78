"""E-invoices in files -> ledger, each with the original's bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from faktura.bootstrap.imports import Advance, Report, file_fault, read_bounded
from faktura.documents.incoming import Incoming, read_document
from faktura.domain.errors import FAULTS_SHOWN_MAX, InputError, InvalidDocumentError, SettingError
from faktura.domain.provider import Provider
from faktura.domain.recorded import Heard
from faktura.ledger.accounts import find_account, find_provider
from faktura.ledger.importing import record
from faktura.ledger.ports import Books

SUFFIXES = frozenset({".xml", ".pdf"})


def import_documents(books: Books, *, provider: str, account: str, files: Sequence[Path], report: Report, advance: Advance) -> None:
    """Record e-invoices of a provider for one of its accounts; what of them only their originals have is told."""
    with books.storage.reading() as tx:
        owner = find_provider(tx, provider)
        find_account(tx, owner, account)
    documents = _documents(owner, files, report, advance)
    for change in record(books, provider=provider, documents=((account, heard) for heard in documents)):
        report.change(change)


def _documents(provider: Provider, files: Sequence[Path], report: Report, advance: Advance) -> Iterator[Heard]:
    for path in files:
        try:
            body = read_bounded(path)
            found = read_document(body, provider=provider)
        except InvalidDocumentError as error:
            for fault in error.faults:
                report.fault(f"{path}: {fault}")
            continue
        except (OSError, InputError) as error:
            report.fault(file_fault(path, error))
            continue
        except (SettingError, ArithmeticError, ValueError) as error:  # one file's nonsense never stops the others
            report.fault(f"{path}: its values cannot be kept: {error}")
            continue
        _tell(path, found, report)
        yield found.heard
        advance(len(body))


def _tell(path: Path, found: Incoming, report: Report) -> None:
    """What a person should know of a document that goes in."""
    for remark in found.remarks:
        report.notice(f"{path}: {remark}")
    if found.left_out:
        report.notice(f"{path}: kept in the original only: {', '.join(found.left_out)}")
    for doubt in found.doubts[:FAULTS_SHOWN_MAX]:
        report.notice(f"{path}: does not agree with itself: {doubt}")
    if len(found.doubts) > FAULTS_SHOWN_MAX:
        report.notice(f"{path}: and {len(found.doubts) - FAULTS_SHOWN_MAX} more that do not agree")
