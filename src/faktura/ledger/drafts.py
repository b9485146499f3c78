"""Drafts: documents that may still change. A draft has no number, and is gone once it is issued."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from faktura.domain.calendar import legal_date
from faktura.domain.draft import parse_draft, read_draft
from faktura.domain.errors import Fault, InvalidDocumentError, NotFoundError, fault
from faktura.domain.invoice import Draft, Invoice
from faktura.domain.provider import Account, Provider
from faktura.ledger.commands import Prepared, issue, issue_within, lock_account, prepare, prepared_of, profile_faults, refuse
from faktura.ledger.exactly_once import joined
from faktura.ledger.journal import Event, write
from faktura.ledger.management_ports import StoredDraft
from faktura.ledger.ports import Books, Transaction
from faktura.ledger.profile_rules import UnjudgedError, judged

DOCUMENT_LENGTH_MAX = 4 * 1024 * 1024


def add_draft(books: Books, *, account: Account, document: Mapping[str, Any]) -> StoredDraft:
    """Keep a document that shall be issued later; it may be incomplete, `judge` tells."""
    with books.storage.writing() as tx:
        now_us = books.clock()
        taken = tx.providers.take(account.provider_id, ids=1, entries=1)
        draft = StoredDraft(id=taken.first_id, account_id=account.id, document=document_text(document), revision=1, created_at_us=now_us, updated_at_us=now_us)
        tx.drafts.insert(draft)
        write(tx, provider_id=account.provider_id, taken=taken, events=[_event("draft.added", draft)], actor=books.actor, now_us=now_us)
    return draft


def set_draft(books: Books, *, provider_id: int, draft_id: int, document: Mapping[str, Any], check: Callable[[StoredDraft], None]) -> StoredDraft:
    """Replace a draft's document; `check` sees the present one first, and raises to refuse."""
    with books.storage.writing() as tx:
        now_us = books.clock()
        current, _ = _hold(tx, provider_id, draft_id)
        check(current)
        changed = replace(current, document=document_text(document), revision=current.revision + 1, updated_at_us=now_us)
        tx.drafts.set(changed)
        _journal(tx, books, provider_id, _event("draft.changed", changed))
    return changed


def remove_draft(books: Books, *, provider_id: int, draft_id: int, check: Callable[[StoredDraft], None]) -> None:
    """Remove a draft; nothing was issued, so nothing is missing."""
    with books.storage.writing() as tx:
        current, _ = _hold(tx, provider_id, draft_id)
        check(current)
        tx.drafts.delete(current)
        _journal(tx, books, provider_id, _event("draft.removed", current))


def issue_draft(books: Books, *, provider_id: int, draft_id: int, check: Callable[[StoredDraft], None]) -> Invoice:
    """Issue a draft: the document takes its number, and the draft is gone, both or neither."""

    def step() -> Invoice:
        with books.storage.writing() as tx:
            current, account = _hold(tx, provider_id, draft_id)
            check(current)
            draft = read_document(tx, books, account, document_of(current))
            tx.drafts.delete(current)  # before the number, since the counter is the last of all locks
            invoice = issue(joined(books, tx), account_id=account.id, draft=draft)
            _journal(tx, books, provider_id, _event("draft.issued", current))
        return invoice

    return judged(books.profile_rules, step)


def judge(tx: Transaction, books: Books, account: Account, document: Mapping[str, Any]) -> tuple[Prepared | None, tuple[Fault, ...]]:
    """The document as it would be issued today, with its totals, or everything for which it would be refused.

    Of what official rules find, only what they found before: they are slow, and look at it when it is issued.
    """
    provider = tx.providers.get(account.provider_id)
    try:
        draft = read_document(tx, books, account, document)
        prepared = prepare(draft, provider, today=_today(books, provider))
        refuse(profile_faults(books, provider, prepared, prepared.issue_date))
    except InvalidDocumentError as error:
        return None, error.faults
    except UnjudgedError:
        pass
    return prepared, ()


def read_document(tx: Transaction, books: Books, account: Account, document: Mapping[str, Any]) -> Draft:
    """A user's document for an account; InvalidDocumentError with all its faults."""
    provider = tx.providers.get(account.provider_id)
    return parse_draft(document, currency=provider.currency, buyer=account.buyer, seller=provider.seller, today=_today(books, provider))


def issue_document(tx: Transaction, books: Books, provider: Provider, account: Account, document: Mapping[str, Any]) -> Invoice:
    """Issue a user's document inside a running transaction, which holds the account's lock: read and checked once, and no statement twice."""
    today = _today(books, provider)
    read = read_draft(document, currency=provider.currency, buyer=account.buyer, seller=provider.seller, today=today)
    return issue_within(tx, books, provider, account, read.draft, prepared=prepared_of(read, provider, today=today))


def find_draft(tx: Transaction, provider_id: int, draft_id: int) -> StoredDraft:
    """The provider's draft, or NotFoundError."""
    found = tx.drafts.get(provider_id, draft_id)
    if found is None:
        message = f"there is no draft {draft_id}"
        raise NotFoundError(message)
    return found


def _hold(tx: Transaction, provider_id: int, draft_id: int) -> tuple[StoredDraft, Account]:
    """The draft as it is under its account's lock: who changes, removes or issues it waits for the others, and sees what they did."""
    account = lock_account(tx, find_draft(tx, provider_id, draft_id).account_id)
    return find_draft(tx, provider_id, draft_id), account


def document_of(draft: StoredDraft) -> dict[str, Any]:
    """The document that a draft keeps, numbers exact."""
    document = json.loads(draft.document, parse_float=Decimal)
    if not isinstance(document, dict):
        raise TypeError("a draft keeps an object")
    return document


def document_text(document: Mapping[str, Any]) -> str:
    """The JSON text to keep; decimals become texts, which drafts take as well. InvalidDocumentError where it is too long."""
    text = json.dumps(document, default=_plain, ensure_ascii=False, separators=(",", ":"))
    if len(text) > DOCUMENT_LENGTH_MAX or "\\u0000" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        message = f"must be at most {DOCUMENT_LENGTH_MAX} characters of JSON, without NUL and lone surrogates"
        raise InvalidDocumentError([fault("value", "", message)])
    return text


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    message = f"{type(value).__name__} is no JSON"
    raise TypeError(message)


def _today(books: Books, provider: Provider) -> date:
    return legal_date(books.clock(), provider.zone)


def _event(name: str, draft: StoredDraft) -> Event:
    return Event(name=name, payload=draft, account_id=draft.account_id, subject_id=draft.id)


def _journal(tx: Transaction, books: Books, provider_id: int, event: Event) -> None:
    taken = tx.providers.take(provider_id, entries=1)
    write(tx, provider_id=provider_id, taken=taken, events=[event], actor=books.actor, now_us=books.clock())
