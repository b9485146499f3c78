"""checkdomain's list page as a hand would write it for PostgreSQL: one statement of its own, asyncpg, a bare ASGI application.

`uvicorn bench.asyncpg_page:app`, with BENCH_DATABASE. It reads the same tables and answers the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import asyncpg

Message = dict[str, Any]

_PAGE = """
WITH owner AS MATERIALIZED (
  SELECT a.account_id, a.last_ordinal - a.first_ordinal + 1 AS total, a.last_ordinal - $3::bigint AS newest, a.last_ordinal - $3::bigint - $4::bigint AS too_old
  FROM token t JOIN account a USING (account_id)
  WHERE t.token_hash = $1 AND t.revoked_at_us IS NULL AND (t.expires_at_us IS NULL OR t.expires_at_us > $2)
)
SELECT o.total, (
  SELECT STRING_AGG(l.item, ','::bytea ORDER BY l.ordinal DESC) FROM listing l
  WHERE l.account_id = o.account_id AND l.ordinal <= o.newest AND l.ordinal > o.too_old
)
FROM owner o
"""
_HEADERS = [(b"content-type", b"application/json"), (b"vary", b"Authorization")]


class Application:
    """The page, and 401 without a good token."""

    pool: asyncpg.Pool[Any]

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await receive()
            self.pool = await asyncpg.create_pool(os.environ["BENCH_DATABASE"], min_size=8, max_size=8)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self.pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        asked = parse_qs(scope["query_string"])
        page, limit = int(asked.get(b"page", [b"1"])[0]), int(asked.get(b"limit", [b"10"])[0])
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        token_hash = hashlib.sha256(authorization.removeprefix(b"Bearer ")).digest()
        row = await self.pool.fetchrow(_PAGE, token_hash, time.time_ns() // 1000, (page - 1) * limit, limit)
        status, body = (200, _envelope(row[0], row[1] or b"", page, limit)) if row else (401, b'{"code":401,"message":"Unauthorized","errors":null}')
        headers = [*_HEADERS, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _envelope(total: int, items: bytes, page: int, limit: int) -> bytes:
    pages = max(1, -(-total // limit))
    href = '{"href":"/v1/invoices?page=%d&limit=%d"}'
    links = f'"self":{href},"first":{href},"last":{href}' % (page, limit, 1, limit, pages, limit)
    if page < pages:
        links += f',"next":{href}' % (page + 1, limit)
    if page > 1:
        links += f',"previous":{href}' % (page - 1, limit)
    head = f'{{"page":{page},"limit":{limit},"pages":{pages},"total":{total},"_links":{{{links}}},"_embedded":{{"invoices":['
    return head.encode() + items + b"]}}"


app = Application()
