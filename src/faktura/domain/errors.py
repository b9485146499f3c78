"""The error tree. A docstring is the default message; status codes and exit codes live at the edges."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One mistake in what a user gave: the rule it breaks, where, and a sentence."""

    rule: str
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.message} [{self.rule}]"


class FakturaError(Exception):
    """faktura could not do this."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))


class InvalidDocumentError(FakturaError):
    """The document breaks rules; `faults` lists all of them."""

    def __init__(self, faults: tuple[Fault, ...] | list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))


class NotFoundError(FakturaError):
    """There is no such thing in this ledger."""


class ConflictError(FakturaError):
    """The ledger already holds something that forbids this."""


class LedgerError(FakturaError):
    """The ledger's storage cannot serve this now."""


class LedgerBusyError(LedgerError):
    """Another process has been writing to the ledger for too long; nothing was written, try again."""


class LedgerFullError(LedgerError):
    """There is no room to write to the ledger; nothing of this step was kept. Make room and run it again."""


class LedgerReadOnlyError(LedgerError):
    """The ledger's file or folder cannot be written; nothing was changed."""


class LedgerAwayError(LedgerError):
    """The ledger's database cannot be reached; nothing of this step was kept."""


class LedgerInterruptedError(LedgerError):
    """The database broke this step off, and nothing of it was kept: the same step may be tried again."""


class LedgerUncertainError(LedgerError):
    """The database went away while it committed: this step was kept whole or not at all, and only the ledger can tell."""


class SchemaError(LedgerError):
    """The ledger's schema does not fit this release of faktura."""


class SettingError(FakturaError):
    """A setting cannot be used as it is."""


class WireError(FakturaError):
    """The answer or request does not follow the provider's documented format."""


class InputError(FakturaError):
    """An input file or row cannot be read as what it claims to be."""


FAULTS_SHOWN_MAX = 1000
"""How many faults of one thing are told: whoever sends more has another problem."""


def fault(rule: str, path: str, message: str) -> Fault:
    """Shorthand for the many places that report one."""
    return Fault(rule=rule, path=path, message=message)
