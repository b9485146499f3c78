"""The rules of the house that no linter keeps."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import faktura
from faktura.cli.tree import COMMANDS

SOURCE = Path(faktura.__file__).parent
ROOT = Path(__file__).parents[1]
FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 400

# Exceptions, each with its reason.
LONG_FUNCTIONS: dict[str, str] = {}
LONG_MODULES: dict[str, str] = {}


def modules() -> Iterator[tuple[str, str]]:
    """Name and text of every module."""
    for path in sorted(SOURCE.rglob("*.py")):
        yield str(path.relative_to(SOURCE)), path.read_text(encoding="utf-8")


def test_modules_are_short() -> None:
    """No module has more than 400 lines, but for listed exceptions that still need it."""
    long = {name for name, text in modules() if len(text.splitlines()) > MODULE_LINES_MAX}
    assert long == set(LONG_MODULES)


def test_functions_are_short() -> None:
    """No function has more than 60 lines, but for listed exceptions that still need it."""
    long = set()
    for name, text in modules():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX:
                long.add(f"{name}:{node.name}")
    assert long == set(LONG_FUNCTIONS)


def test_no_float_in_the_books() -> None:
    """Domain, ledger, storage and dialects never touch a float: no literal, no conversion."""
    for name, text in modules():
        if name.split("/")[0] not in {"domain", "ledger", "storage", "dialects", "documents"}:
            continue
        for node in ast.walk(ast.parse(text)):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), f"{name}:{node.lineno}"
            assert not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"), f"{name}:{node.lineno}"


def test_every_setting_is_documented() -> None:
    """Each FAKTURA_ variable that the code reads has its row in the settings page, and no other."""
    read = set()
    for _, text in modules():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch("FAKTURA_[A-Z_]+", node.value):
                read.add(node.value)
    page = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    assert {f"`{name}`" for name in read} == {cell for line in page.splitlines() if (cell := line.strip("| ").split(" | ")[0]).startswith("`FAKTURA_")}


def test_every_exit_code_is_documented() -> None:
    """Each command whose module ends with 3, something is to be looked at, says what that means in the table; and no other does."""
    endings = {name.removeprefix("cli/").removesuffix(".py") for name, text in modules() if name.startswith("cli/") and "Exit(EXIT_INCOMPLETE)" in text}
    endings |= {"validation"}  # of several files the gravest
    assert endings >= {"imports", "rendering", "changes"}
    told = {command for command, place in COMMANDS.items() if place.partition(":")[0] in endings}
    page = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("| 3 |")]
    assert {part.split("`")[1] for part in row.removeprefix("| 3 |").split(". ")} == told
    (row,) = [line for line in page.splitlines() if line.startswith("| 1 |")]
    assert "`validate`" in row


def test_nothing_names_a_place_outside() -> None:
    """Requirements carry hashes and no addresses."""
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        assert "--hash=sha256:" in text
