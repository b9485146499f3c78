"""What an e-invoice profile asks for beyond the ledger's own rules. Official rules are slow: they look at a document while no transaction runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from faktura.domain.errors import Fault, LedgerError
from faktura.domain.invoice import Invoice

_T = TypeVar("_T")
TURNS_MAX = 3
"""Each turn is for another document: the day may have changed meanwhile, or the buyer."""


class UnjudgedError(LedgerError):
    """Official rules have not looked at this document yet; nothing was written."""

    def __init__(self, document: bytes, profile: str) -> None:
        self.document, self.profile = document, profile
        super().__init__()


class ProfileRules(Protocol):
    """The rules of e-invoice profiles."""

    def faults(self, invoice: Invoice, profile: str) -> list[Fault]:
        """What a document lacks of a profile, and what does not add up; UnjudgedError where that is not known yet."""

    def judge(self, document: bytes, profile: str) -> None:
        """Have the official rules look at an unjudged document, so that its faults are known.

        InvalidDocumentError where the rules fall over it, LedgerError where they cannot be run now.
        """


class _NoRules:
    """Nothing is asked for: where nobody knows profiles."""

    def faults(self, invoice: Invoice, profile: str) -> list[Fault]:
        del invoice, profile
        return []

    def judge(self, document: bytes, profile: str) -> None:
        del document, profile


NO_RULES: ProfileRules = _NoRules()


@dataclass(frozen=True, slots=True)
class RulesWithin:
    """Rules for the parts of a running transaction: nobody judges in it, whoever opened it does so and runs all of it again."""

    rules: ProfileRules

    def faults(self, invoice: Invoice, profile: str) -> list[Fault]:
        """As outside."""
        return self.rules.faults(invoice, profile)

    def judge(self, document: bytes, profile: str) -> None:
        """UnjudgedError for whoever opened the transaction."""
        raise UnjudgedError(document, profile)


def judged(rules: ProfileRules, step: Callable[[], _T], *, turns_max: int = TURNS_MAX) -> _T:
    """What a step comes to that opens its transaction itself. Where it meets an unjudged document, that is judged once the transaction is undone, and the step taken again."""
    for _ in range(turns_max):
        try:
            return step()
        except UnjudgedError as error:
            rules.judge(error.document, error.profile)
    return step()
