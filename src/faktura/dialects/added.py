"""Dialects of a user's own modules: docs/new-provider.md."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from faktura.dialects.base import Defaults, WireDialect
from faktura.dialects.known import DIALECTS
from faktura.domain.errors import SettingError
from faktura.domain.provider import check_name

MEMBERS = sorted({*WireDialect.__annotations__, *(name for name in vars(WireDialect) if not name.startswith("_"))})
"""What a dialect must have."""


def add_dialects(text: str) -> None:
    """Add the dialects that FAKTURA_DIALECTS names, `module:Class` with commas between. One that is there already stays.

    SettingError for a module that cannot be imported, a class that is no dialect, and a name that another dialect has.
    """
    for spec in (item.strip() for item in text.split(",")):
        if spec:
            _add(spec)


def _add(spec: str) -> None:
    found = _find(spec)
    try:
        dialect = found()
    except Exception as error:
        raise _refused(spec, f"cannot be made without arguments: {error}") from error
    missing = [name for name in MEMBERS if _is_missing(dialect, name)]
    if missing:
        raise _refused(spec, f"is no WireDialect: it has no {', '.join(missing)}")
    if not isinstance(dialect.name, str) or not isinstance(dialect.defaults, Defaults):
        raise _refused(spec, "is no WireDialect: its `name` must be text, and its `defaults` a faktura.dialects.base.Defaults")
    try:
        check_name(dialect.name)
    except SettingError as error:
        message = f"FAKTURA_DIALECTS: {spec!r}: {error}"
        raise SettingError(message) from error
    known = DIALECTS.get(dialect.name)
    if known is not None and type(known) is not found:
        raise _refused(spec, f"is called {dialect.name!r}, and so is another dialect")
    DIALECTS.setdefault(dialect.name, dialect)


def _is_missing(dialect: object, name: str) -> bool:
    """Also what a class that says it is a WireDialect only inherits from it."""
    found = getattr(dialect, name, None)
    return found is None or getattr(found, "__func__", None) is vars(WireDialect).get(name, _is_missing)


def _find(spec: str) -> type[Any]:
    module_name, _, name = spec.partition(":")
    if not module_name or not name:
        raise _refused(spec, "is not module:Class")
    try:
        module = import_module(module_name)
    except Exception as error:  # whatever the module does when it is imported
        raise _refused(spec, f"cannot be imported from Python's path (PYTHONPATH adds to it): {error}") from error
    found = getattr(module, name, None)
    if not isinstance(found, type):
        raise _refused(spec, f"is no class of the module {module_name}")
    return found


def _refused(spec: str, why: str) -> SettingError:
    return SettingError(f"FAKTURA_DIALECTS: {spec!r} {why}")
