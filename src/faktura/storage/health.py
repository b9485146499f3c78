"""What an examination of a ledger finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It works, and somebody should know."""
    FAULT = "fault"
    """Something that the ledger relies on is not so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    level: Level
    what: str
    """What was looked at, in a word or two."""
    message: str
    """What was found."""
    advice: str = ""
    """What to do, where something is to be done."""


def ok(what: str, message: str) -> Check:
    """All is well."""
    return Check(level=Level.OK, what=what, message=message)


def warn(what: str, message: str, advice: str) -> Check:
    """Somebody should know."""
    return Check(level=Level.WARN, what=what, message=message, advice=advice)


def fault(what: str, message: str, advice: str) -> Check:
    """Somebody must act."""
    return Check(level=Level.FAULT, what=what, message=message, advice=advice)
