"""Structured logs: one JSON object a line on standard error.

No token is ever logged: none is passed here, and what callers write where it does not belong, in a path or an id, is
taken out of the line itself.
"""

from __future__ import annotations

import io
import logging
import re
import sys
from contextlib import suppress
from typing import BinaryIO, cast

import msgspec
import structlog
import structlog.contextvars

_TOKEN = re.compile(rb"fkt_[0-9A-Za-z_-]*")


def configure_logs() -> None:
    """Route our logs and the web server's to standard error as JSON lines."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_serialize),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(file=cast("BinaryIO", _Unfailing())),
        cache_logger_on_first_use=True,
    )
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [_Forward()] if name in {"uvicorn", "asyncio"} else []
        logger.propagate = name != "uvicorn"
        logger.setLevel(logging.WARNING)


class _Unfailing(io.RawIOBase):
    """Standard error, whose lines are lost where it cannot be written, as on a full disk: a caller is answered all the same."""

    def write(self, line: bytes, /) -> int:  # type: ignore[override]
        """Write a line, at once."""
        with suppress(OSError, ValueError):
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
        return len(line)


class _Forward(logging.Handler):
    """Passes the standard library's records on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def _serialize(event: object, **_: object) -> bytes:
    line = msgspec.json.encode(event, enc_hook=str)
    return _TOKEN.sub(b"fkt_\xe2\x80\xa6", line) if b"fkt_" in line else line
