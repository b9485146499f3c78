"""The limits that faktura is measured against: its own server program, which answers remembered bytes.

`python -m bench.baselines ANSWER` answers every request with them; with `--select-one URL` after one `SELECT 1` each.
"""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from bench.serving import Answer
from faktura.ledger.listing_ports import Ask
from faktura.server.app import App
from faktura.server.listener import listen_at, port_of
from faktura.server.serve import run
from faktura.storage.postgresql import PostgresqlStorage
from faktura.storage.statement import load_statements

_NAME = "select_one"
_SERVERS_OWN = {"date", "connection", "transfer-encoding"}

Message = dict[str, Any]


def remember(answer: Answer, path: Path) -> Path:
    """Write an answer where a server of remembered bytes reads it."""
    headers = [[name.lower(), value] for name, value in answer.headers if name.lower() not in _SERVERS_OWN]
    path.write_text(json.dumps({"status": answer.status, "headers": headers, "body": base64.b64encode(answer.body).decode()}), encoding="utf-8")
    return path


class Remembered:
    """One answer to every request; before it, whatever is to be waited for."""

    def __init__(self, path: Path, *, before: Callable[[], Awaitable[object]] | None = None) -> None:
        said = json.loads(path.read_text(encoding="utf-8"))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said["headers"]]
        self._start = {"type": "http.response.start", "status": said["status"], "headers": headers}
        self._body = {"type": "http.response.body", "body": base64.b64decode(said["body"])}
        self._before = before

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        if self._before is not None:
            await self._before()
        await send(self._start)
        await send(self._body)

    def refuse_malformed(self, status: int, peer: str) -> bytes:
        """The protocol asks for the id of an answer to what is no request."""
        del status, peer
        return b"-"


def select_one(url: str) -> Callable[[], Awaitable[object]]:
    """One `SELECT 1` as the storage asks every single statement of a request: its driver, its connections, its role, its mark of the token."""
    load_statements("postgresql")[_NAME] = "SELECT 1"
    storage = PostgresqlStorage(url)
    ask: Ask[object] = Ask(_NAME, {"token_hash": bytes(32)}, lambda rows: rows)
    return lambda: storage.fetch(ask)


def main() -> None:
    """Serve, and say as JSON where."""
    parser = argparse.ArgumentParser()
    parser.add_argument("answer", type=Path)
    parser.add_argument("--select-one")
    given = parser.parse_args()
    app = Remembered(given.answer, before=select_one(given.select_one) if given.select_one else None)
    with listen_at("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{port_of(listener)}"
        run(cast("App", app), listener=listener, ready=lambda: print(json.dumps({"url": url}), flush=True))


if __name__ == "__main__":
    main()
