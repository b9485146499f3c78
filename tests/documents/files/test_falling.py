"""Processes that are killed at their work: only what killed them is blamed, and what was done is kept."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.terminal import Terminal
from tests.documents.files.falling import DEADLY, fall_or_judge

from faktura.bootstrap import validating

pytestmark = pytest.mark.only("sqlite")


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal whose validation dies of deadly documents, with files of both kinds."""
    monkeypatch.setattr(validating, "validate", fall_or_judge)
    for name, body in (("a", b"a"), ("bad", DEADLY), ("b", b"b"), ("worse", DEADLY), ("c", b"c")):
        (tmp_path / f"{name}.xml").write_bytes(body)
    return Terminal(tmp_path / "nowhere.db")


def test_only_the_deadly_are_blamed(terminal: Terminal, tmp_path: Path) -> None:
    """Each file that felled the process is told as such; all others are judged, before and after."""
    names = ["a", "bad", "b", "worse", "c"]
    said = terminal("validate", *(tmp_path / f"{name}.xml" for name in names), "--json")
    assert said.code == 1
    assert [(Path(row["file"]).stem, row["is_valid"]) for row in said.lines()] == [("a", True), ("bad", None), ("b", True), ("worse", None), ("c", True)]
    assert len(said.err.splitlines()) == 2
    assert all("fell over it" in line for line in said.err.splitlines())


def test_a_process_killed_from_outside_is_no_files_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two files: the next one is judged by another process."""
    monkeypatch.setattr(validating, "validate", fall_or_judge)
    (tmp_path / "a.xml").write_bytes(b"a")
    with closing(validating.Validator()) as validator:
        first = int(validator.check(tmp_path / "a.xml").syntax)
        os.kill(first, signal.SIGKILL)
        assert int(validator.check(tmp_path / "a.xml").syntax) != first
