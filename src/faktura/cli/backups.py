"""Commands that keep a second copy of a ledger: copy, backup, restore."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from faktura.bootstrap import backups
from faktura.cli.output import JsonOption, print_json
from faktura.config import DatabaseUrl, Settings, parse_database_url, read_settings

Url = "postgresql://… or sqlite:///PATH, as in FAKTURA_DATABASE"


def copy_command(
    source: Annotated[str, typer.Argument(help=f"The ledger to read: {Url}.")],
    target: Annotated[str, typer.Argument(help=f"An empty database, by a role that may make its schema: {Url}.")],
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Move a ledger to another database, of either engine: copy one consistent state, read it back, and print the digest of both.

    Nothing is ever written over a ledger; an interrupted copy leaves the target empty. Where TARGET is what FAKTURA_DATABASE
    names, its schema is made through FAKTURA_MIGRATION_DATABASE.

    Example: faktura copy sqlite:///ledger.db 'postgresql:///faktura?host=/run/postgresql&user=faktura_owner'
    """
    found = backups.copy(parse_database_url(source), _target(target, read_settings(os.environ)))
    if as_json:
        tables = {name: {"rows": table.rows, "digest": table.digest.hex()} for name, table in found.tables.items()}
        print_json({"digest": found.digest, "rows": found.rows, "tables": tables})
    else:
        typer.echo(f"{found.rows} rows in {len(found.tables)} tables, the same in both\ndigest {found.digest}")


def backup_command(
    file: Annotated[Path, typer.Argument(help="The backup's name; FILE.json with its checksum stands beside it.")],
    overwrite: Annotated[bool, typer.Option("--replace", help="Take the place of an older backup of this name.")] = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Back the ledger up while it is served: one consistent state, always a SQLite ledger that any faktura can open.

    Example: faktura backup /var/backups/faktura-monday.db --replace
    """
    manifest = backups.make_backup(read_settings(os.environ), file, overwrite=overwrite)
    if as_json:
        print_json({"file": str(file), "manifest": manifest})
    else:
        typer.echo(f"{file}: {manifest.rows} rows, {manifest.size_bytes} bytes, as of {manifest.taken_at}\ndigest {manifest.digest}\nsha256 {manifest.sha256}")


def restore_command(
    file: Annotated[Path, typer.Argument(help="A file that `faktura backup` made.")],
    unchecked: Annotated[bool, typer.Option("--without-checksum", help="Do without FILE.json: everything else is verified still.")] = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Put a backup in the place of the ledger that FAKTURA_DATABASE names, once it is verified; nothing may have the ledger open.

    The old SQLite ledger is kept beside; a PostgreSQL database must be empty.

    Example: faktura restore /var/backups/faktura-monday.db
    """
    settings = read_settings(os.environ)
    done = backups.restore(settings, file, with_checksum=not unchecked)
    if as_json:
        print_json(
            {
                "file": str(file),
                "database": settings.database.label,
                "kept": done.kept and str(done.kept),
                "digest": done.ledger.digest,
                "manifest": done.manifest,
            }
        )
        return
    typer.echo(f"{settings.database.label} holds {file}{f', as of {done.manifest.taken_at}' if done.manifest else ''}\ndigest {done.ledger.digest}")
    if done.kept is not None:
        typer.echo(f"the ledger that was there is kept as {done.kept}")


def _target(url: str, settings: Settings) -> DatabaseUrl:
    target = parse_database_url(url)
    return replace(target, migration_url=settings.database.migration_url) if target.url and target.url == settings.database.url else target
