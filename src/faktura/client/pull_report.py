"""What a pull came to, and who hears of it as it goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from faktura.domain.errors import FakturaError
from faktura.domain.recorded import Change, Outcome

FAULTS_MAX = 100
"""So many are told; a source with more has another problem."""


@dataclass(slots=True)
class PullReport:
    """What a pull of one source came to."""

    source: str
    requests: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    """Documents by what became of them; what details add is not counted again."""
    singles: int = 0
    """Documents whose details came."""
    singles_left: int = 0
    """Documents whose details another pull will ask for."""
    vanished: int = 0
    """Documents that the source does not show any more, and still did when it was last asked."""
    returned: int = 0
    """Documents that it shows again."""
    total: int | None = None
    """How many the source says it has."""
    known: int = 0
    """How many of them the ledger has."""
    faults: dict[str, None] = field(default_factory=dict)
    """What could not be read or made sure of, each once, in the order in which it came."""
    failure: FakturaError | None = None
    """Why the pull ended before it was done."""

    def fault(self, message: str) -> None:
        """Keep what could not be read or made sure of."""
        if len(self.faults) < FAULTS_MAX:
            self.faults[message] = None
        elif len(self.faults) == FAULTS_MAX:
            self.faults["and more of the kind"] = None

    @property
    def is_complete(self) -> bool:
        """The ledger has all that the source shows, details apart that its rate limit put off."""
        return self.failure is None and not self.faults and self.total in {None, self.known}

    @property
    def is_calm(self) -> bool:
        """Nothing new contradicts what the ledger keeps."""
        return not self.outcomes[Outcome.CONFLICT] and not self.vanished and not self.returned


class Listener(Protocol):
    """Hears of a pull as it goes on."""

    def heard(self, source: str, changes: Sequence[Change]) -> None:
        """Documents came in, and this became of them."""

    def moved(self, what: str, done: int, total: int | None) -> None:
        """So many of the source's documents, or of their details, were looked at."""
