"""A terminal for tests: faktura's command line in this process, or in one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests import database

from faktura.cli.app import run


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output as one JSON document, numbers as Decimal."""
        return json.loads(self.out, parse_float=Decimal)

    def lines(self) -> list[Any]:
        """Standard output as JSON Lines."""
        return [json.loads(line, parse_float=Decimal) for line in self.out.splitlines()]

    def refused(self) -> str:
        """The one line of an orderly refusal: exit code 1, nothing on standard output, no traceback."""
        assert "Traceback" not in self.err, self.err.splitlines()[-1]
        assert (self.code, self.out) == (1, ""), self
        (line,) = self.err.splitlines()
        assert line.startswith("faktura: "), line
        return line.removeprefix("faktura: ")


@dataclass(frozen=True)
class Terminal:
    """A ledger's command line."""

    database: Path
    """Which its database stands for: the file itself, or a PostgreSQL database of its own."""

    def __call__(self, *arguments: object, stdin: bytes = b"", **environment: str) -> Said:
        """Run a command here, with streams that encode as a terminal's do; a crash ends as Python ends it."""
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n")
        err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", newline="\n")
        argv = ["faktura", *map(str, arguments)]
        given = patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with redirect_stdout(out), redirect_stderr(err), given, patch.object(sys, "argv", argv), patch.dict(os.environ, self._environment(environment)):
            code = _ended()
            out.flush()
            err.flush()
        return Said(code, out.buffer.getvalue().decode(), err.buffer.getvalue().decode())

    def ok(self, *arguments: object, **options: Any) -> Said:
        """Run a command that must succeed."""
        said = self(*arguments, **options)
        assert said.code == 0, said
        return said

    def process(self, *arguments: str | bytes, **environment: str) -> Said:
        """Run a command in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "faktura", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | self._environment(environment),
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def _environment(self, environment: dict[str, str]) -> dict[str, str]:
        own = {"FAKTURA_MIGRATION_DATABASE": ""} if "FAKTURA_DATABASE" in environment else database.database_environment(self.database)
        return {**own, **environment}

    def dump(self, *, without: str | None = None) -> list[str]:
        """Everything the ledger holds; perhaps without a table's rows."""
        return database.dump(self.database, but=() if without is None else (without,))

    def select(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of the ledger; `?` stands for a value."""
        return [tuple(row.values()) for row in database.execute(self.database, sql, parameters)]


def _ended() -> int:
    try:
        run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # noqa: BLE001 - as the interpreter would end it
        traceback.print_exc()
        return 1
    return 0
