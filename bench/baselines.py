"""The limits that faktura is measured against: its own server program, which answers remembered bytes.

`python -m bench.baselines ANSWER` answers every request with them; with `--select-one URL` after one `SELECT 1` each.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from bench.serving import Answer
from faktura.server.app import App
from faktura.server.serve import run
from faktura.storage.postgresql import PostgresqlStorage

_THREADS = 16
"""As many as the provider APIs have."""
_SERVERS_OWN = {"date", "connection", "transfer-encoding"}

Message = dict[str, Any]


def remember(answer: Answer, path: Path) -> Path:
    """Write an answer where a server of remembered bytes reads it."""
    headers = [[name.lower(), value] for name, value in answer.headers if name.lower() not in _SERVERS_OWN]
    path.write_text(json.dumps({"status": answer.status, "headers": headers, "body": base64.b64encode(answer.body).decode()}), encoding="utf-8")
    return path


class Remembered:
    """One answer to every request; before it, whatever is to be waited for."""

    def __init__(self, path: Path, *, before: Callable[[], object] | None = None) -> None:
        said = json.loads(path.read_text(encoding="utf-8"))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said["headers"]]
        self._start = {"type": "http.response.start", "status": said["status"], "headers": headers}
        self._body = {"type": "http.response.body", "body": base64.b64decode(said["body"])}
        self._before = before
        self._threads = ThreadPoolExecutor(_THREADS, "select-one")

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        if self._before is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._before)
        await send(self._start)
        await send(self._body)

    def refuse_malformed(self, status: int, peer: str) -> bytes:
        """The protocol asks for the id of an answer to what is no request."""
        del status, peer
        return b"-"


def select_one(url: str) -> Callable[[], object]:
    """One `SELECT 1` through the storage's own driver, pool and role."""
    pool = PostgresqlStorage(url)._serving  # noqa: SLF001 - the limit is that of this very pool

    def ask() -> object:
        with pool.connection() as connection:
            return connection.execute("SELECT 1").fetchall()

    return ask


def main() -> None:
    """Serve, and say as JSON where."""
    parser = argparse.ArgumentParser()
    parser.add_argument("answer", type=Path)
    parser.add_argument("--select-one")
    given = parser.parse_args()
    app = Remembered(given.answer, before=select_one(given.select_one) if given.select_one else None)
    run(cast("App", app), host="127.0.0.1", port=0, ready=lambda port: print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True))


if __name__ == "__main__":
    main()
