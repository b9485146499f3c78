"""A source whose every answer a test writes itself: what providers do not do, and do all the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

PER_PAGE = 30


def item(number: int, **changed: Any) -> dict[str, Any]:
    """An item of VPSBG's list."""
    said = {
        "id": number,
        "invoice_number": f"{number:010d}",
        "created_at": f"20{10 + number // 300:02}-{1 + number // 28 % 12:02}-{1 + number % 28:02}T21:00:00.000000Z",
        "amount": 10,
        "amount_with_vat": 12,
        "type": "original",
        "order_ids": [],
    }
    return said | changed


@dataclass
class Scripted:
    """A VPSBG server whose list is what a test says."""

    url: str = ""
    items: list[Any] = field(default_factory=list)
    total: int | None = None
    """What it announces, where that is not the truth."""
    asked: list[int] = field(default_factory=list)
    """Pages."""
    before: Callable[[int], None] = lambda _: None
    """Runs before a page is answered."""

    def answer(self, page: int) -> bytes:
        """A page of the list."""
        self.asked.append(page)
        self.before(page)
        last = max(1, -(-len(self.items) // PER_PAGE))
        following = f"{self.url}/v1/invoices?page={page + 1}" if page < last else None
        meta = {"current_page": page, "last_page": last, "total": len(self.items) if self.total is None else self.total}
        return json.dumps({"data": self.items[(page - 1) * PER_PAGE : page * PER_PAGE], "links": {"next": following}, "meta": meta}).encode()


@contextmanager
def scripted() -> Iterator[Scripted]:
    """Runs it on loopback."""
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = script.answer(int(parse_qs(urlsplit(self.path).query)["page"][0]))
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
