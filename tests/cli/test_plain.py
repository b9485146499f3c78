"""`serve`'s plain command lines are read by two readers, who must agree."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer
from tests.database import sqlite_only

from faktura.cli import servers
from faktura.cli.plain import plain_serve
from faktura.cli.tree import make_app

pytestmark = sqlite_only
PLAIN = [
    "", "--json", "--port 0", "--port=65535", "--port 00080", "--host 0.0.0.0", "--host=::1", "--workers 1", "--workers=256",
    "--port 1 --port 2", "--host a --workers 4 --port 9 --json", "--json --json",
]  # fmt: skip
OTHER = [
    "--help", "-h", "--port", "--port x", "--port -1", "--port 65536", "--port=", "--port ٣", "--port 1_0", "--workers 0", "--workers 257", "--workers two",
    "--host", "--host=", "--host --json", "--json=1", "--jso", "--por 1", "extra", "--", "-- --json", "--port 1.0", "--port 080000",
]  # fmt: skip


@pytest.mark.parametrize("line", PLAIN)
def test_plain_lines_are_read_alike(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read the short way is what the command itself makes of it."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(servers, "serve", lambda **given: asked.append(given))
    typer.main.get_command(make_app("serve")).main(["serve", *line.split()], standalone_mode=False)
    assert asked == [plain_serve(["serve", *line.split()])]


@pytest.mark.parametrize("line", OTHER)
def test_what_is_not_plain_goes_the_long_way(line: str) -> None:
    """Whatever needs an explanation, or may, is left to who explains it."""
    assert plain_serve(["serve", *line.split()]) is None


@pytest.mark.parametrize("arguments", [[], ["migrate"], ["--version"], ["--json", "serve"]])
def test_other_commands_go_the_long_way(arguments: list[str]) -> None:
    """Only `serve` has a short way."""
    assert plain_serve(arguments) is None


def test_a_server_loads_neither_other_commands_nor_what_explains_them() -> None:
    """What a serving process does not need before its first management call is not loaded by it."""
    modules = "typer pydantic litestar psycopg prometheus_client faktura.cli.imports faktura.bootstrap.demo faktura.server.management.api"
    code = f"import sys, faktura.cli.app, faktura.cli.serving; print([name for name in {modules.split()} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
