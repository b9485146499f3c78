"""What a run was made on: the machine, and the versions of all that took part."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import faktura
from bench import postgres

_PACKAGES = (
    *("uvicorn", "uvloop", "httptools", "msgspec", "psycopg", "litestar"),
    *("asyncpg", "fastapi", "sqlalchemy", "pydantic", "starlette", "django", "djangorestframework", "gunicorn"),
)


def machine() -> dict[str, object]:
    """Cores, processor, memory and kernel."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _of("/proc/cpuinfo", "model name"),
        "memory": _of("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "") if Path("/etc/os-release").exists() else platform.system(),
    }


def versions() -> dict[str, str | None]:
    """Python, engines, load and libraries; None for what is not there."""
    found: dict[str, str | None] = {"faktura": faktura.__version__, "python": platform.python_version()}
    found |= {"sqlite": sqlite3.sqlite_version, "postgresql": postgres.version(), "wrk": _wrk()}
    return found | {name: version(name) if _is_installed(name) else None for name in _PACKAGES}


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _wrk() -> str | None:
    try:
        said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout.split()
    except FileNotFoundError:
        return None
    return said[1] if len(said) > 1 else None


def _of(path: str, name: str) -> str:
    """The value of a name in one of the kernel's tables."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
