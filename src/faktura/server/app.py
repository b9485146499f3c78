"""The ASGI application: health, readiness, the management API, and the provider APIs for everything else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars

from faktura.config import Settings
from faktura.dialects.base import WireDialect
from faktura.domain.errors import LedgerError
from faktura.ledger.ports import Books
from faktura.server.billing_worker import BillingWorker
from faktura.server.management_mount import PREFIX, ManagementMount
from faktura.server.meter import Meter
from faktura.server.provider_api import ProviderApi, Response
from faktura.server.rate_limit import RateLimits
from faktura.server.rendering import Renderer
from faktura.server.request import Request, Scope, new_request_id, read_request

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_USED_SECONDS = 60
"""A token's last use is written this often, off the request."""
_PLAIN = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
PROBES = {"/healthz", "/readyz"}
_NOT_MODIFIED = 304

_log = structlog.get_logger()


def is_provider_call(path: str) -> bool:
    """Whether the provider APIs answer it: neither the management API nor a probe."""
    return not path.startswith(PREFIX) and path not in PROBES


class App:
    """One process's server. It owns no storage: who made the books closes them."""

    def __init__(
        self, books: Books, dialects: Mapping[str, WireDialect], settings: Settings, *, meter: Meter | None = None, limits: RateLimits | None = None
    ) -> None:
        self._meter = meter or Meter()
        self.books = books
        self.settings = settings
        renderer = Renderer()
        self.api = ProviderApi(books, dialects, settings, limits, renderer=renderer)
        self._worker: BillingWorker | None = None
        self._management = ManagementMount(books, used=self._token_used, wake=self._wake, renderer=renderer)

    @property
    def meter(self) -> Meter:
        """What this process has done."""
        return self._meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        started = time.perf_counter_ns()
        request = read_request(scope, self.settings.trusted_proxies)
        if request.path.startswith(PREFIX):
            bind_contextvars(request_id=request.request_id.decode())  # for whatever is logged meanwhile; this task serves one request
            status, size = await self._management(scope, receive, send, request=request)
            self.finish(request, Response(status, [], b"", failure=request.failure), started, size=size)
            return
        response = await self.api.answer(request) if request.path not in PROBES else await self._probe(request) or await self.api.answer(request)
        await self.deliver(request, response, started, send)

    async def deliver(self, request: Request, response: Response, started_ns: int, send: Send) -> None:
        """Send an answer of the provider APIs, count it and log it."""
        headers, size = response.headers, len(response.body)
        if response.status != _NOT_MODIFIED:  # whose length would be that of what is not sent
            headers.append((b"content-length", b"%d" % size))
        headers.append((b"x-request-id", request.request_id))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else response.body})
        self.finish(request, response, started_ns, size=size)

    def _token_used(self, token_hash: bytes, now_us: int) -> None:
        self.api.tokens_used[token_hash] = now_us

    def _wake(self) -> None:
        if self._worker is not None:
            self._worker.wake()

    async def _probe(self, request: Request) -> Response | None:
        """`/healthz`: the process lives. `/readyz`: it can read its ledger."""
        if request.method not in {"GET", "HEAD"}:
            return None
        request.route = request.path[1:]
        if request.path == "/healthz":
            return Response(200, [*_PLAIN], b'{"status":"ok"}')
        try:
            await asyncio.to_thread(self._read_providers)
        except Exception as error:  # noqa: BLE001 - whatever it is, the ledger cannot be read
            return Response(503, [*_PLAIN], b'{"status":"ledger unavailable"}', failure=error)
        return Response(200, [*_PLAIN], b'{"status":"ready"}')

    def _read_providers(self) -> None:
        self.books.storage.serving().providers.all()  # on a connection of the thread that this runs in

    def refuse_malformed(self, status: int, peer: str) -> bytes:
        """Count and log bytes that are no request, or too large a one; the id for the answer."""
        request = Request(method="", path="", query_string="", token_hash=None, host="", origin="", peer=peer, request_id=new_request_id(), route="malformed")
        self.finish(request, Response(status, [], b""), time.perf_counter_ns(), size=0)
        return request.request_id

    def finish(self, request: Request, response: Response, started_ns: int, *, size: int) -> None:
        """Count an answered request, and log it."""
        duration_us = (time.perf_counter_ns() - started_ns) // 1000
        self._meter.request(response.provider or request.provider_id, request.route, response.status, duration_us / 1e6)
        if response.failure:
            self._meter.error(response.failure)
        if not (self.settings.access_log or response.failure):
            return
        fields = {
            "method": request.method,
            "path": request.path,
            "status": response.status,
            "bytes": size,
            "duration_us": duration_us,
            "route": request.route,
            "provider": response.provider or request.provider_id,
            "account_id": response.account_id,
            "peer": request.peer,
            "request_id": request.request_id.decode(),
        }
        if response.faults:
            fields["faults"] = response.faults
        if response.failure:
            # The ledger's own trouble is told in its words; what nobody foresaw, with where it happened.
            is_foreseen = isinstance(response.failure, LedgerError)
            _log.error("request failed", **fields, reason=str(response.failure), exc_info=None if is_foreseen else response.failure)
        else:
            _log.info("request", **fields)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        task = asyncio.create_task(self._write_used())
        self._worker = BillingWorker(self.books, self._meter, lease_seconds=self.settings.billing_lease_seconds)
        self._worker.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._worker.stop()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await asyncio.to_thread(self._flush_used)
        await send({"type": "lifespan.shutdown.complete"})

    async def _write_used(self) -> None:
        while True:
            await asyncio.sleep(_USED_SECONDS)
            await asyncio.to_thread(self._flush_used)

    def _flush_used(self) -> None:
        used, self.api.tokens_used = self.api.tokens_used, {}
        if not used:
            return
        try:
            with self.books.storage.writing() as tx:
                tx.accounts.tokens_used(dict(used))  # a request that began before may still add to it
        except Exception as error:  # noqa: BLE001 - the server goes on, and tries again with the next use
            _log.warning("the last use of tokens was not written", reason=str(error), tokens=len(used))
