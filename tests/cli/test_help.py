"""Help: every command shows an example that its own parser accepts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.cli.terminal import Terminal

from faktura.cli.tree import make_app

TREE: Any = typer.main.get_command(make_app())


@pytest.fixture
def terminal() -> Terminal:
    """A terminal that asks no ledger for anything."""
    return Terminal(Path("nowhere.db"))


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every command that does something."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def groups(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every group of commands."""
    yield path
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from groups(command, (*path, name))


def find(path: tuple[str, ...]) -> Any:
    """The command of a path."""
    command = TREE
    for name in path:
        command = command.commands[name]
    return command


PATHS = list(commands(TREE))


def test_the_tree_has_the_promised_commands() -> None:
    """The names that others rely on are all there."""
    promised = {
        "serve", "demo", "provider add", "provider list", "account add", "account list", "series list", "series set", "token create", "token list",
        "token revoke", "invoice issue", "invoice list", "invoice show", "pay", "credit", "import", "migrate",
    }  # fmt: skip
    assert promised <= {" ".join(path) for path in PATHS}


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_command_shows_an_example_that_parses(terminal: Terminal, path: tuple[str, ...]) -> None:
    """--help of each command shows at least one example of this very command, and its parser takes the example."""
    said = terminal.ok(*path, "--help")
    examples = re.findall(r"Examples?: (.*?)(?= Options:| Arguments:|$)", " ".join(said.out.split()))
    assert examples, said.out
    for example in examples[0].split("; "):
        words = shlex.split(example)
        start = words.index("faktura")
        assert all("=" in word for word in words[:start]), example
        assert tuple(words[start + 1 : start + 1 + len(path)]) == path, example
        find(path).make_context(" ".join(path), words[start + 1 + len(path) :])


@pytest.mark.parametrize("path", list(groups(TREE)), ids=lambda path: " ".join(path) or "faktura")
def test_a_group_without_a_command_shows_its_commands(terminal: Terminal, path: tuple[str, ...]) -> None:
    """Whoever types only a group's name sees what it can do, each command with a sentence."""
    said = terminal(*path)
    shown = said.out + said.err
    for name, command in find(path).commands.items():
        assert re.search(rf"^  {name} +\w+", shown, re.MULTILINE), name
        assert command.get_short_help_str()


@pytest.mark.parametrize(
    "words",
    [
        "nonsense",
        "provider",
        "provider add",
        "provider add vps --dialect vpsbg",
        "invoice show seven",
        "invoice list --nonsense",
        "invoice list --limit 0",
        "serve --port 65536",
        "serve --port -1",
        "import",
        "import x.csv --prices free",
        "pay 1",
        "token create",
        "token create vps a --days 0",
    ],
)
def test_a_usage_error_is_exit_code_2(shop: Terminal, words: str) -> None:
    """What the parser refuses is exit code 2, explained on standard error, without a traceback."""
    said = shop(*words.split())
    assert said.code == 2
    assert "Usage: " in said.err
    assert "Traceback" not in said.err


def test_the_version_is_told(terminal: Terminal) -> None:
    """--version says the name and the version, and needs no ledger."""
    said = terminal("--version")
    assert said.code == 0
    assert re.fullmatch(r"faktura \d+\.\d+\S*\n", said.out)
