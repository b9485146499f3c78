"""A writing call that may come twice has its effect once: key, fingerprint and answer commit with the effect, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from faktura.domain.errors import FakturaError, LedgerInterruptedError, LedgerUncertainError
from faktura.ledger.listing_ports import Ask
from faktura.ledger.management_ports import Answer
from faktura.ledger.ports import Books, Transaction
from faktura.ledger.profile_rules import RulesWithin, judged

KEY_LENGTH_MAX = 255


_T = TypeVar("_T")


class KeyReusedError(FakturaError):
    """The idempotency key was used for another request; take a new one."""


@dataclass(frozen=True, slots=True)
class _Joined:
    """Storage whose transactions are all the one that runs already."""

    tx: Transaction

    is_remote = False

    @contextmanager
    def writing(self, *, bulk: bool = False) -> Iterator[Transaction]:  # noqa: ARG002 - it is part of another's
        """The running transaction; whoever opened it commits it."""
        yield self.tx

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """The running transaction."""
        yield self.tx

    def serving(self) -> Transaction:
        """The running transaction."""
        return self.tx

    async def fetch(self, ask: Ask[_T]) -> _T:
        """Nothing is asked for elsewhere while a transaction runs."""
        raise TypeError(ask.name)


def joined(books: Books, tx: Transaction) -> Books:
    """Books whose commands become parts of a running transaction."""
    return replace(books, storage=_Joined(tx), profile_rules=RulesWithin(books.profile_rules))


def once(books: Books, *, provider_id: int, key: str | None, fingerprint: bytes, act: Callable[[Books], Answer]) -> tuple[Answer, bool]:
    """The answer of `act`, and whether it was given before.

    `act` gets books whose commands all run in one transaction, with the key and the answer. What it raises rolls
    everything back, the key too: a refusal may be tried again. Another call with the key waits for the first. Answers
    are kept for good: one that expired could issue an invoice twice. A step that the database broke off is tried once more, and one that was lost while it was
    committed where the key can tell what became of it. KeyReusedError for another request's key.
    """

    def turn() -> tuple[Answer, bool]:
        return _once(books, provider_id, key, fingerprint, act)

    try:
        return judged(books.profile_rules, turn)
    except LedgerInterruptedError:  # nothing of it was kept
        pass
    except LedgerUncertainError:
        if key is None:
            raise
    return judged(books.profile_rules, turn)


def _once(books: Books, provider_id: int, key: str | None, fingerprint: bytes, act: Callable[[Books], Answer]) -> tuple[Answer, bool]:
    with books.storage.writing() as tx:
        if key is None:
            return act(joined(books, tx)), False
        kept = tx.answers.claim(provider_id, key, fingerprint=fingerprint, now_us=books.clock())
        if kept is None:
            answer = act(joined(books, tx))
            tx.answers.keep(provider_id, key, answer)
            return answer, False
        if kept.fingerprint != fingerprint:
            raise KeyReusedError
        return kept.answer, True
