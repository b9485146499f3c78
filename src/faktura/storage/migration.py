"""Migrations: numbered SQL files, applied in order, forward only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from faktura.domain.errors import SchemaError


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema."""

    version: int
    name: str
    statements: tuple[str, ...]


@cache
def load_migrations() -> tuple[Migration, ...]:
    """All migrations of this release, oldest first."""
    found = []
    for entry in (files("faktura.storage") / "migrations").iterdir():
        named = re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name)
        if named:
            lines = [line for line in entry.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("--")]
            statements = tuple(part.strip() for part in "\n".join(lines).split(";") if part.strip())
            found.append(Migration(version=int(named[1]), name=named[2], statements=statements))
    return tuple(sorted(found, key=lambda migration: migration.version))


def check_version(version: int) -> None:
    """SchemaError when the ledger's schema is newer than this release knows."""
    newest = load_migrations()[-1].version
    if version > newest:
        message = f"the ledger has schema {version}, this release of faktura knows up to {newest}: use a newer faktura; nothing was changed"
        raise SchemaError(message)
