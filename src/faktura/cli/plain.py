"""Command lines of `serve` that need no explaining are read here: the library that reads all others, and explains them, takes longer to load than the server.

Whatever is not plainly right is none of these, and goes the long way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from faktura.config import WORKERS_MAX

_BOUNDS = {"--port": (0, 65535), "--workers": (1, WORKERS_MAX)}


def plain_serve(arguments: Sequence[str]) -> dict[str, Any] | None:
    """What a command line asks `serve` for; None where that is not plain."""
    if not arguments or arguments[0] != "serve":
        return None
    asked: dict[str, Any] = {"host": "127.0.0.1", "port": 8000, "workers": None, "as_json": False}
    rest = list(arguments[1:])
    while rest:
        name, sign, value = rest.pop(0).partition("=")
        if name == "--json" and not sign:
            asked["as_json"] = True
            continue
        if not sign:
            value = rest.pop(0) if rest else ""
        if name == "--host" and value and not value.startswith("-"):
            asked["host"] = value
        elif name in _BOUNDS and value.isascii() and value.isdigit() and len(value) < 6 and _BOUNDS[name][0] <= int(value) <= _BOUNDS[name][1]:  # noqa: PLR2004 - 65535 has five digits
            asked[name.removeprefix("--")] = int(value)
        else:
            return None
    return asked
