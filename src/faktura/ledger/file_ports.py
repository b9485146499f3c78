"""What the ledger needs of storage for files that were handed out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from faktura.domain.document_file import DocumentFile, Original


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFile:
    """A document that a token may see, and the file that is kept of it."""

    provider_id: int
    account_id: int
    invoice_id: int | None
    """None where the token's account has no such document in its list."""
    number: str = ""
    sha256: bytes | None = None
    body: bytes | None = None


class FileStore(Protocol):
    """Files as they were handed out, and as they came."""

    def insert(self, file: DocumentFile) -> None: ...
    def kept(self, account_id: int, invoice_id: int, form: str) -> DocumentFile | None: ...
    def made(self, account_id: int, invoice_id: int, form: str, sha256: bytes) -> DocumentFile | None: ...
    def get(self, account_id: int, file_id: int) -> DocumentFile | None: ...
    def original(self, account_id: int, invoice_id: int) -> Original | None: ...
