"""A bookkeeper for tests: a ledger of their own, and pulls of sources into it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import Ledger
from tests.database import dump, execute

from faktura.bootstrap.books import DIALECTS
from faktura.bootstrap.pulling import pull_sources
from faktura.bootstrap.sources import Source, make_source
from faktura.client.pull_report import PullReport
from faktura.domain.recorded import Change
from faktura.ledger.verification import verify


@dataclass
class Heard:
    """What a pull told as it went on."""

    changes: list[Change] = field(default_factory=list)

    def heard(self, _: str, changes: Sequence[Change]) -> None:
        """See `faktura.client.pull_report.Listener`."""
        self.changes += changes

    def moved(self, what: str, done: int, total: int | None) -> None:
        """See `faktura.client.pull_report.Listener`."""


@dataclass
class Bookkeeper:
    """Gathers invoices. `ledger` is theirs, not the provider's."""

    ledger: Ledger

    def source(self, dialect: str, url: str, name: str | None = None) -> Source:
        """The source of an API at a URL, its token in the variable TOKEN."""
        return make_source(DIALECTS, given={"provider": dialect, "base_url": f"{url}/v1", "token_env": "TOKEN"}, name=name)

    def pull(self, source: Source, token: str, *, heard: Heard | None = None, **options: Any) -> PullReport:
        """Pull a source; a second later than the last time."""
        self.ledger.clock.now_us += 1_000_000
        (report,) = pull_sources(self.ledger.books, [source], environment={"TOKEN": token}, listener=heard or Heard(), **options)
        return report

    def dump(self) -> list[str]:
        """Everything that the ledger holds."""
        return dump(self.ledger.books)

    def check(self) -> None:
        """The ledger proves to be whole."""
        assert list(verify(self.ledger.books)) == []


def served_forms(ledger: Ledger, provider: str) -> Mapping[int, tuple[Any, Any]]:
    """What an account's API shows of each document, by its id there: the list's item and the single answer, as JSON values."""
    sql = "SELECT wire_id, item, single FROM listing WHERE ordinal IS NOT NULL AND account_id IN (SELECT a.account_id FROM account a JOIN provider p ON p.provider_id = a.provider_id WHERE p.name = ?)"
    return {row["wire_id"]: (_values(row["item"]), _values(row["single"])) for row in execute(ledger.books, sql, [provider])}


def _values(form: bytes | None) -> Any:
    return None if form is None else json.loads(bytes(form))
