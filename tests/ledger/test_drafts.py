"""Drafts: they change, and are issued once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.conftest import Ledger

from faktura.domain.errors import ConflictError, InvalidDocumentError, NotFoundError
from faktura.domain.invoice import Invoice
from faktura.domain.provider import Account
from faktura.ledger.drafts import add_draft, find_draft, issue_draft, remove_draft, set_draft
from faktura.ledger.management_ports import StoredDraft
from faktura.ledger.verification import verify
from faktura.storage import postgresql, sqlite

DOCUMENT: dict[str, Any] = {"lines": [{"name": "VPS", "unit_price": "12.5"}]}


@pytest.fixture
def account(ledger: Ledger) -> Account:
    """An account that can be invoiced."""
    ledger.provider("vpsbg")
    return ledger.account("vpsbg")


def whatever(_: StoredDraft) -> None:
    """Any revision will do."""


def kept(ledger: Ledger, draft_id: int) -> StoredDraft | None:
    """The draft, if it is there."""
    with ledger.books.storage.reading() as tx:
        return tx.drafts.get(1, draft_id)


def issue_it(ledger: Ledger, draft_id: int) -> Invoice:
    """Issue whatever it says now."""
    return issue_draft(ledger.books, provider_id=1, draft_id=draft_id, check=whatever)


def test_a_draft_is_issued_once_among_many(ledger: Ledger, account: Account) -> None:
    """Eight threads issue one draft: one gets the document, to the others there is no such draft any more."""
    draft = add_draft(ledger.books, account=account, document=DOCUMENT)
    barrier = threading.Barrier(8)

    def one() -> Invoice | None:
        barrier.wait()
        try:
            return issue_it(ledger, draft.id)
        except NotFoundError:
            return None

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(one) for _ in range(8)]]
    assert [answer.number for answer in answers if answer] == ["0000000001"]
    assert kept(ledger, draft.id) is None
    assert list(verify(ledger.books)) == []


def test_a_refused_draft_stays_as_it_is(ledger: Ledger, account: Account) -> None:
    """Faults of the document, a check that refuses, another provider: nothing is issued, nothing removed, no number taken."""
    draft = add_draft(ledger.books, account=account, document={"lines": []})

    def refuse(_: StoredDraft) -> None:
        raise ConflictError

    with pytest.raises(InvalidDocumentError, match="BR-16"):
        issue_it(ledger, draft.id)
    for command in (issue_draft, remove_draft):
        with pytest.raises(ConflictError):
            command(ledger.books, provider_id=1, draft_id=draft.id, check=refuse)
        with pytest.raises(NotFoundError):
            command(ledger.books, provider_id=2, draft_id=draft.id, check=whatever)
    assert kept(ledger, draft.id) == draft
    mended = set_draft(ledger.books, provider_id=1, draft_id=draft.id, document=DOCUMENT, check=whatever)
    assert (mended.revision, issue_it(ledger, draft.id).number) == (2, "0000000001")
    assert list(verify(ledger.books)) == []


def test_locks_are_taken_in_one_order(ledger: Ledger, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account first, and only then the draft is read for good; the counter after all else: two who change one draft never wait for each other."""
    asked: list[str] = []
    session = sqlite._Session if isinstance(ledger.books.storage, sqlite.SqliteStorage) else postgresql._Session
    for verb in ("all", "one", "run"):
        plain = getattr(session, verb)

        def spy(self: Any, name: str, /, plain: Any = plain, **parameters: object) -> Any:
            if name in {"account_lock", "series_lock", "counter_take"} or name.startswith("draft_"):
                asked.extend([] if asked[-1:] == [name] else [name])
            return plain(self, name, **parameters)

        monkeypatch.setattr(session, verb, spy)
    first, second = (add_draft(ledger.books, account=account, document=DOCUMENT).id for _ in range(2))
    asked.clear()
    set_draft(ledger.books, provider_id=1, draft_id=first, document=DOCUMENT, check=whatever)
    assert asked == ["draft_get", "account_lock", "draft_get", "draft_set", "counter_take"]
    asked.clear()
    remove_draft(ledger.books, provider_id=1, draft_id=first, check=whatever)
    assert asked == ["draft_get", "account_lock", "draft_get", "draft_delete", "counter_take"]
    asked.clear()
    issue_it(ledger, second)
    assert asked == ["draft_get", "account_lock", "draft_get", "draft_delete", "account_lock", "series_lock", "counter_take"]
    with ledger.books.storage.reading() as tx, pytest.raises(NotFoundError):
        find_draft(tx, 1, second)
