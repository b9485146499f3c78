"""Proofs of VAT ids: kept with the account, as they were given. They never block an issue."""

from __future__ import annotations

from faktura.domain.errors import InvalidDocumentError, fault
from faktura.domain.text import is_text
from faktura.domain.vat_check import VatIdCheck
from faktura.ledger.commands import lock_account
from faktura.ledger.journal import Event, write
from faktura.ledger.ports import Books

TEXT_LENGTH_MAX = 1000


def record_vat_check(
    books: Books,
    *,
    account_id: int,
    vat_id: str,
    is_valid: bool,
    checked_at_us: int | None = None,
    consultation: str | None = None,
    name: str | None = None,
    address: str | None = None,
) -> VatIdCheck:
    """Keep what a register said of an account's VAT id; without an instant, it said so now.

    Raises NotFoundError for an unknown account, InvalidDocumentError with all faults.
    """
    with books.storage.writing() as tx:
        account = lock_account(tx, account_id)
        now_us = books.clock()
        texts = {"vat_id": vat_id, "consultation": consultation, "name": name, "address": address}
        faults = [
            fault("value", term, f"must be a text of 1 to {TEXT_LENGTH_MAX} characters")
            for term, text in texts.items()
            if not (is_text(text, length_max=TEXT_LENGTH_MAX) or (text is None and term != "vat_id"))
        ]
        if checked_at_us is not None and checked_at_us > now_us:
            faults.append(fault("value", "checked_at", "is in the future"))
        if faults:
            raise InvalidDocumentError(faults)
        taken = tx.providers.take(account.provider_id, ids=1, entries=1)
        check = VatIdCheck(
            check_id=taken.first_id,
            account_id=account.id,
            vat_id=vat_id,
            is_valid=is_valid,
            checked_at_us=now_us if checked_at_us is None else checked_at_us,
            recorded_at_us=now_us,
            consultation=consultation,
            name=name,
            address=address,
        )
        tx.vat.insert_check(check)
        event = Event(name="vat-id.checked", payload=check, account_id=account.id, subject_id=check.check_id)
        write(tx, provider_id=account.provider_id, taken=taken, events=[event], actor=books.actor, now_us=now_us)
    return check


def vat_checks(books: Books, *, account_id: int) -> list[VatIdCheck]:
    """What is kept of an account's VAT ids, oldest first."""
    with books.storage.reading() as tx:
        return tx.vat.checks(account_id)
