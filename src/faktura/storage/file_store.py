"""Files of documents, as they were handed out."""

from __future__ import annotations

from faktura.domain.document_file import DocumentFile, Original
from faktura.storage.driver import Driver, Row
from faktura.storage.rows import flat_row


class FileRows:
    """See `faktura.ledger.file_ports.FileStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def insert(self, file: DocumentFile) -> None:
        """Write what is handed out from now on. The caller holds the account."""
        self._driver.run("document_file_insert", **flat_row(file))

    def kept(self, account_id: int, invoice_id: int, form: str) -> DocumentFile | None:
        """What was handed out first, if anything was."""
        row = self._driver.one("document_file_kept", account_id=account_id, invoice_id=invoice_id, form=form)
        return None if row is None else _to_file(row)

    def made(self, account_id: int, invoice_id: int, form: str, sha256: bytes) -> DocumentFile | None:
        """What was handed out with exactly that digest."""
        row = self._driver.one("document_file_made", account_id=account_id, invoice_id=invoice_id, form=form, sha256=sha256)
        return None if row is None else _to_file(row)

    def get(self, account_id: int, file_id: int) -> DocumentFile | None:
        """The account's file of that id."""
        row = self._driver.one("document_file_get", account_id=account_id, file_id=file_id)
        return None if row is None else _to_file(row)

    def original(self, account_id: int, invoice_id: int) -> Original | None:
        """The first e-invoice that came of a document, but for those that may be of another one."""
        row = self._driver.one("source_original", account_id=account_id, invoice_id=invoice_id)
        return None if row is None else Original(sha256=bytes(row["digest"]), body=bytes(row["body"]))


def _to_file(row: Row) -> DocumentFile:
    return DocumentFile(
        file_id=row["file_id"],
        account_id=row["account_id"],
        invoice_id=row["invoice_id"],
        form=row["form"],
        sha256=bytes(row["sha256"]),
        release=row["release"],
        recorded_at_us=row["recorded_at_us"],
        body=None if row["body"] is None else bytes(row["body"]),
    )
