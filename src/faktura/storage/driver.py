"""What the stores need of a database: a few verbs over named statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

Row = Any
"""One result row: values by column name and by index."""


class Driver(Protocol):
    """One transaction of one engine."""

    def all(self, name: str, /, **parameters: object) -> list[Row]:
        """Run a statement and return its rows."""

    def one(self, name: str, /, **parameters: object) -> Row | None:
        """Run a statement and return its first row."""

    def run(self, name: str, /, **parameters: object) -> int:
        """Run a statement and return how many rows it wrote."""

    def many(self, name: str, rows: Iterable[Mapping[str, object] | Sequence[object]]) -> None:
        """Run a statement once for every row: its parameters by name, or in the order in which the statement names them."""

    def each(self, name: str, rows: Iterable[Mapping[str, object]]) -> list[Row]:
        """Run a statement that returns rows once for each of these parameters; what all of them returned."""

    def assemble(self, names: Iterable[str], **parameters: object) -> Iterable[Row]:
        """Run the statement that these named fragments make together, where its rows are few."""

    def stream(self, *names: str, **parameters: object) -> Iterable[Row]:
        """Run a statement, or what these fragments make together, whose rows may be more than memory should hold; other statements may run meanwhile."""
