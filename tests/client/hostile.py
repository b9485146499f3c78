"""A server that answers whatever a test makes up, byte by byte, and keeps what it was asked."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Parts = Iterable[bytes | float]
"""What is sent; a number is seconds of silence."""
SECONDS_MAX = 30


@dataclass
class Hostile:
    """The server. `answer` gets the number of the request (from 1) and its target."""

    answer: Callable[[int, str], Parts]
    context: ssl.SSLContext | None = None
    heads: list[bytes] = field(default_factory=list)
    """What it was asked, and by which headers."""
    url: str = ""
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def base_url(self) -> str:
        """What a client is given."""
        return f"{self.url}/v1"

    @property
    def targets(self) -> list[str]:
        """The targets of all requests, in order."""
        return [head.split(b" ")[1].decode() for head in self.heads]

    def run(self, listener: socket.socket) -> None:
        """Accept until the listener is closed."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def stop(self) -> None:
        """End all silences."""
        self._stopped.set()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError):
            connection.settimeout(SECONDS_MAX)
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                return
            head += piece
        with self._lock:
            self.heads.append(head)
            count = len(self.heads)
        for part in self.answer(count, head.split(b" ")[1].decode()):
            if isinstance(part, bytes):
                connection.sendall(part)
            elif self._stopped.wait(part):
                return


@contextmanager
def hostile(answer: Callable[[int, str], Parts], *, context: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    """Runs it on a free port of this machine."""
    server = Hostile(answer, context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.url = f"{'https' if context else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=server.run, args=(listener,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=SECONDS_MAX)


def reply(body: bytes | str | dict[str, Any] = b"", *headers: str, status: int = 200) -> bytes:
    """A whole answer, after which the server hangs up."""
    if isinstance(body, dict):
        body = json.dumps(body)
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Word", "Content-Type: application/json", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def chunked(chunks: Iterable[bytes], *headers: str) -> Iterator[bytes]:
    """The same in chunks, of a length that nobody said before."""
    lines = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Connection: close", *headers]
    yield "\r\n".join(lines).encode() + b"\r\n\r\n"
    for chunk in chunks:
        yield b"%x\r\n%b\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


def item(number: int, **changed: object) -> dict[str, Any]:
    """An item of VPSBG's list."""
    said = {
        "id": number,
        "invoice_number": f"{number:010}",
        "created_at": "2024-09-24T21:00:00.000000Z",
        "amount": 90,
        "amount_with_vat": 108,
        "type": "original",
        "order_ids": [number],
    }
    return said | changed


def vpsbg_page(items: Iterable[dict[str, Any]], *, page: object = 1, pages: object = 1, total: object = None, following: object = None) -> dict[str, Any]:
    """A page of VPSBG's list."""
    data = list(items)
    total = len(data) if total is None else total
    return {"data": data, "links": {"next": following}, "meta": {"current_page": page, "last_page": pages, "total": total}}
