"""A temporary database: what an import must sort or group, and memory should not hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self


class Scratch:
    """Tables that nobody needs afterwards. A context manager: leaving it removes them."""

    def __init__(self, folder: Path | None, schema: Iterable[str]) -> None:
        """In a folder; None is the system's own for temporary files."""
        self._folder = TemporaryDirectory(prefix="faktura-import-", dir=folder)
        self._connection = sqlite3.connect(Path(self._folder.name) / "spool.db", isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA temp_store = FILE", *schema, "BEGIN"):
            self._connection.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._folder.cleanup()
