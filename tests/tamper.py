"""For tests that change facts behind the ledger's back: the second wall taken down."""

from __future__ import annotations

import sqlite3

from faktura.storage.facts import drop_wall


def unguard(connection: sqlite3.Connection) -> None:
    """Drop the triggers that refuse to change or delete facts."""
    for statement in drop_wall():
        connection.execute(statement)
