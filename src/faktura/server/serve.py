"""Runs the application on uvicorn, with bounds that its parser lacks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from faktura.server.acceptor import Acceptor
from faktura.server.app import Receive, Send
from faktura.server.crew import Place
from faktura.server.log import configure_logs
from faktura.server.meter import Meter
from faktura.server.request import Scope

HEAD_BYTES_MAX = 32 * 1024
"""Request line and headers together (RFC 6585, 431)."""
HEAD_SECONDS_MAX = 20
"""How long a head may take, and a body may pause."""
_SHUTDOWN_SECONDS = 10


class Application(Protocol):
    """What is served: `App`, or what stands around it."""

    @property
    def meter(self) -> Meter:
        """What this process has done."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""

    def refuse_malformed(self, status: int, peer: str) -> bytes:
        """Count and log bytes that are no request; the id for the answer."""


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 with bounds: the parser itself keeps whatever it is sent, and waits for as long as it takes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed through
        super().__init__(*args, **kwargs)
        self._unread_bytes = 0
        self._trailer_bytes = 0
        self._in_head = True
        self._in_message = False
        self._too_large = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unread_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_message and (self._deadline is None or not self._in_head):
            self._start_deadline()  # once for a head; for a body as long as it goes on
        if self._unread_bytes <= HEAD_BYTES_MAX:
            return
        self._too_large = True
        if self._in_head:
            self.send_400_response("")
        else:  # trailers without end: the answer may be on its way already
            self.transport.close()

    def on_body(self, body: bytes) -> None:
        self._unread_bytes = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.pipeline:  # read no more while requests wait: a caller who never reads must not fill the memory
            self.flow.pause_reading()

    def on_message_begin(self) -> None:
        self._in_message = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            self._trailer_bytes += len(name) + len(value)
            if self._trailer_bytes > HEAD_BYTES_MAX:
                self._too_large = True
                raise ValueError("trailers too large")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_BYTES_MAX:
            self._too_large = True
            raise ValueError("head too large")  # the parser stops, and send_400_response tells the client
        self._in_head, self._unread_bytes, self._trailer_bytes = False, 0, 0
        self._cancel_deadline()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._in_message, self._unread_bytes = True, False, 0
        self._cancel_deadline()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or too large a one, and hang up."""
        status = b"431 Request Header Fields Too Large" if self._too_large else b"400 Bad Request"
        text = f"The request's headers are larger than {HEAD_BYTES_MAX} bytes." if self._too_large else msg
        body = b'{"message":"%s"}' % text.encode("ascii", "replace")
        request_id = self.app.refuse_malformed(int(status[:3]), self.client[0] if self.client else "")
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n" % (status, len(body))
        head += b"x-request-id: %s\r\n\r\n" % request_id
        self.transport.write(head + body)
        self.transport.close()

    def _start_deadline(self) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(HEAD_SECONDS_MAX, self.transport.close)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class AnnouncingServer(uvicorn.Server):
    """Says when connections are accepted; as one of several workers, takes its share of them, and tells the others what it does."""

    def __init__(self, app: Application, ready: Callable[[], None], place: Place | None = None) -> None:
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=1024,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
        super().__init__(config)
        self._app = app
        self._ready = ready
        self._place = place
        self._acceptor: Acceptor | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT, and then go on: whoever opened the books closes them, and the exit code is 0."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([] if self._place else sockets)
        if not self.started or not sockets:
            return
        if self._place:
            connections = self.server_state.connections
            self._acceptor = Acceptor(sockets[0], self._place, connections=connections, make_protocol=self._make_protocol)
            self.servers.append(self._acceptor)  # type: ignore[arg-type]  # closed as the loop's own servers are
            self._tell(self._place)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        if self._place:
            self._tell(self._place)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._place:
            self._place.leave()  # the others wait for it no more when one of them is to take a connection
        await super().shutdown(sockets)
        if self._place:
            self._place.publish(self._app.meter)

    def _tell(self, place: Place) -> None:
        if self._acceptor:
            place.tell(self._acceptor.open_count())
        place.publish(self._app.meter)

    def _make_protocol(self) -> asyncio.Protocol:
        """As uvicorn makes it for a server of the loop's."""
        return BoundedProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def run(app: Application, *, listener: socket.socket, ready: Callable[[], None], place: Place | None = None) -> None:
    """Serve until SIGTERM or SIGINT; running requests are finished. `ready` is called once connections are accepted.

    `place` is that of a worker among several, who share the listener.
    """
    configure_logs()
    AnnouncingServer(app, ready, place).run(sockets=[listener])
