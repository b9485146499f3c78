"""Hand out a document's files: the first XML for good, PDFs as often as they are made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from faktura import __version__
from faktura.domain.document_file import DocumentFile, is_made_again
from faktura.domain.errors import NotFoundError
from faktura.ledger.commands import lock_account
from faktura.ledger.journal import Event, write
from faktura.ledger.ports import Books

EVENT = "document.handed-out"


def hand_out(books: Books, *, account_id: int, invoice_id: int, form: str, make: Callable[[], bytes], is_written: bool = True) -> DocumentFile:
    """The file of a document with its bytes, which `make` makes where none are kept; whatever it raises is passed on, and nothing is written then.

    Bytes are made outside of the transaction: of two that make them at once, the first to write wins, and both hand out its bytes.
    Of what is made again each time, each digest is written down once. NotFoundError for an account's document that is not there.
    Not `is_written` tells what would be handed out, and hands out nothing: its file has the id 0.
    """
    is_kept = not is_made_again(form)
    if is_kept:
        with books.storage.reading() as tx:
            known = tx.files.kept(account_id, invoice_id, form)
        if known is not None:
            return known
    body = make()
    sha256 = hashlib.sha256(body).digest()
    if not is_kept:
        with books.storage.reading() as tx:
            known = tx.files.made(account_id, invoice_id, form, sha256)
        if known is not None:
            return replace(known, body=body)
    made = DocumentFile(
        file_id=0,
        account_id=account_id,
        invoice_id=invoice_id,
        form=form,
        sha256=sha256,
        release=__version__,
        recorded_at_us=books.clock(),
        body=body,
    )
    if not is_written:
        return made
    with books.storage.writing() as tx:
        account = lock_account(tx, account_id)
        known = tx.files.kept(account_id, invoice_id, form) if is_kept else tx.files.made(account_id, invoice_id, form, sha256)
        if known is None:
            if tx.invoices.account_of(invoice_id) != account_id:
                raise NotFoundError
            taken = tx.providers.take(account.provider_id, ids=1, entries=1)
            known = replace(made, file_id=taken.first_id, recorded_at_us=books.clock(), body=body if is_kept else None)
            tx.files.insert(known)
            event = Event(name=EVENT, payload=file_payload(known), account_id=account_id, subject_id=known.file_id)
            write(tx, provider_id=account.provider_id, taken=taken, events=[event], actor=books.actor, now_us=known.recorded_at_us)
    return known if is_kept else replace(known, body=body)


def file_payload(file: DocumentFile) -> DocumentFile:
    """What the journal's digest of a file covers: all but its bytes, which its SHA-256 stands for."""
    return replace(file, body=None)
