"""Where the management API hangs in the server: made when it is first asked for, so that a server without it starts fast."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from faktura.ledger.ports import Books
from faktura.server.rendering import Renderer
from faktura.server.request import REQUEST, Request, Scope

PREFIX = "/manage/"
_FILE = re.compile(r"(/manage/v1/invoices/[0-9]{1,19})(\.[a-z.]+)\Z", re.ASCII)
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
_Asgi = Callable[[Any, Any, Any], Awaitable[None]]


class ManagementMount:
    """Passes requests on, names them, and says what became of them."""

    def __init__(self, books: Books, *, used: Callable[[bytes, int], None], wake: Callable[[], None], renderer: Renderer) -> None:
        self._books = books
        self._used = used
        self._wake = wake
        self._renderer = renderer
        self._api: _Asgi | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, request: Request) -> tuple[int, int]:
        """Answer a request; status and size of the answer, for the log. Those who answer say in the request what it was."""
        scope[REQUEST] = request
        file = _FILE.match(scope["path"])
        if file is not None:  # the framework routes by whole parts of a path
            scope = {**scope, "path": f"{file.group(1)}/{file.group(2)}", "raw_path": b""}
        is_head = scope["method"] == "HEAD"
        if is_head:  # RFC 9110, 9.3.2: what GET answers, without its body
            scope = {**scope, "method": "GET"}
        seen = {"status": 500, "bytes": 0}

        async def watch(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request.request_id)]
            elif message["type"] == "http.response.body":
                if is_head:
                    message = {**message, "body": b""}
                seen["bytes"] += len(message.get("body", b""))
            await send(dict(message))

        await (self._api or await self._make())(scope, receive, watch)
        return seen["status"], seen["bytes"]

    async def _make(self) -> _Asgi:
        async with self._lock:
            if self._api is None:
                self._api = await asyncio.to_thread(self._import)
        return self._api

    def _import(self) -> _Asgi:
        from faktura.server.management.api import make_management  # noqa: PLC0415 - half a second that only its users wait

        api: _Asgi = make_management(self._books, used=self._used, wake=self._wake, renderer=self._renderer)
        return api
