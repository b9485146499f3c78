"""A call that comes twice has its effect once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.conftest import Ledger

from faktura.domain.draft import parse_draft
from faktura.domain.errors import InvalidDocumentError
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.ledger.commands import issue
from faktura.ledger.exactly_once import KeyReusedError, once
from faktura.ledger.management_ports import Answer
from faktura.ledger.ports import Books
from faktura.ledger.verification import verify

BUYER = Party(name="Ana", country="BG")


@pytest.fixture
def account_id(ledger: Ledger) -> int:
    """An account that can be invoiced."""
    ledger.provider("vpsbg")
    return ledger.account("vpsbg").id


def issuing(account_id: int, lines: list[object]) -> Callable[[Books], Answer]:
    """What issues an invoice and answers its number."""

    def act(books: Books) -> Answer:
        draft = parse_draft({"lines": lines}, currency=Currency("EUR"), buyer=BUYER)
        return Answer(status=201, headers=(("Location", "/x"),), body=issue(books, account_id=account_id, draft=draft).number.encode())

    return act


def issued(ledger: Ledger, account_id: int) -> int:
    """How many documents the account lists."""
    with ledger.books.storage.reading() as tx:
        account = tx.accounts.get(account_id)
    assert account is not None
    return account.listed_total


def call(ledger: Ledger, act: Callable[[Books], Answer], *, key: str | None = "k", fingerprint: bytes = b"f") -> tuple[Answer, bool]:
    """A call of the provider."""
    return once(ledger.books, provider_id=1, key=key, fingerprint=fingerprint, act=act)


LINE: list[object] = [{"name": "VPS", "unit_price": "12", "vat_rate": "20"}]


def test_the_second_call_gets_the_first_answer(ledger: Ledger, account_id: int) -> None:
    """Same key, same request: one invoice, and the same answer, headers and all, said to be repeated."""
    first = call(ledger, issuing(account_id, LINE))
    second = call(ledger, issuing(account_id, LINE))
    assert (first[1], second[1]) == (False, True)
    assert first[0] == second[0] == Answer(status=201, headers=(("Location", "/x"),), body=b"0000000001")
    assert issued(ledger, account_id) == 1


def test_without_a_key_every_call_counts(ledger: Ledger, account_id: int) -> None:
    """Nothing is kept of a call without a key."""
    answers = [call(ledger, issuing(account_id, LINE), key=None)[0].body for _ in range(2)]
    assert answers == [b"0000000001", b"0000000002"]


def test_a_key_is_the_providers(ledger: Ledger, account_id: int) -> None:
    """Another provider's call under the same key is another call."""
    ledger.provider("checkdomain")
    other = ledger.account("checkdomain").id
    call(ledger, issuing(account_id, LINE))
    answer, is_repeated = once(ledger.books, provider_id=2, key="k", fingerprint=b"f", act=issuing(other, LINE))
    assert not is_repeated
    assert answer.status == 201
    assert issued(ledger, other) == 1


def test_another_request_under_the_key_is_refused(ledger: Ledger, account_id: int) -> None:
    """The key belongs to the first request; the other one has no effect."""
    call(ledger, issuing(account_id, LINE))
    with pytest.raises(KeyReusedError):
        call(ledger, issuing(account_id, LINE), fingerprint=b"other")
    assert issued(ledger, account_id) == 1


def test_a_refusal_is_not_kept(ledger: Ledger, account_id: int) -> None:
    """What was refused may be mended and sent again under the same key."""
    with pytest.raises(InvalidDocumentError):
        call(ledger, issuing(account_id, []))
    assert call(ledger, issuing(account_id, LINE), fingerprint=b"mended")[0].status == 201
    assert issued(ledger, account_id) == 1


def test_effect_and_answer_commit_together(ledger: Ledger, account_id: int) -> None:
    """A process that dies after the effect and before the answer is kept has done nothing: no invoice, no number, no key."""

    def dying(books: Books) -> Answer:
        issuing(account_id, LINE)(books)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(ledger, dying)
    assert issued(ledger, account_id) == 0
    assert call(ledger, issuing(account_id, LINE))[0].body == b"0000000001"
    assert not list(verify(ledger.books))


def test_calls_at_once_have_one_effect(ledger: Ledger, account_id: int) -> None:
    """Eight calls under one key at the same time: one runs, the others wait for its answer."""
    running, most = [0], [0]
    barrier = threading.Barrier(8)

    def slow(books: Books) -> Answer:
        running[0] += 1
        most[0] = max(most[0], running[0])
        answer = issuing(account_id, LINE)(books)
        threading.Event().wait(0.05)
        running[0] -= 1
        return answer

    def one() -> tuple[Answer, bool]:
        barrier.wait()
        return call(ledger, slow)

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(one) for _ in range(8)]]
    assert {answer for answer, _ in answers} == {answers[0][0]}
    assert sorted(is_repeated for _, is_repeated in answers) == [False] + [True] * 7
    assert most == [1]
    assert issued(ledger, account_id) == 1
