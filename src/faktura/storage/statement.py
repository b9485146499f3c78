"""Loads statements.sql: `-- name: x` starts a statement, `-- name: x [engine]` one that only that engine understands; comment lines after it stay with it."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

PARAMETER = re.compile(r"(?<![:\w]):([a-z]\w*)")
_NAME = re.compile(r"^-- name: (\w+)(?: \[(\w+)\])?$", re.MULTILINE)


@cache
def load_statements(engine: str = "sqlite") -> dict[str, str]:
    """All named statements of an engine, without their comment lines and closing semicolons."""
    text = (files("faktura.storage") / "statements.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)
    given = [(name, _clean(body)) for name, only, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True) if only in {None, engine}]
    named = dict(given)
    if len(named) != len(given):
        message = "statements.sql names a statement twice"
        raise ValueError(message)
    return named


@cache
def in_order(text: str, mark: str) -> str:
    """A statement whose parameters come in the order in which it names them, each once; `mark` stands for a parameter."""
    names = PARAMETER.findall(text)
    if len(set(names)) != len(names):
        message = f"a statement that names a parameter twice takes its parameters by name: {text}"
        raise ValueError(message)
    return PARAMETER.sub(mark, text)


def _clean(body: str) -> str:
    lines = [line for line in body.strip().splitlines() if not line.lstrip().startswith("--")]
    return "\n".join(lines).strip().rstrip(";")
