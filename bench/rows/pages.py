"""What the provider APIs answer over HTTP, against the limit of the same server and against what a user would pick instead."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from bench import baselines, postgres
from bench.harness import CannotRunError, Context, Goal, Row, Skipped
from bench.retail import Shop, build_shop
from bench.serving import Answer, Load, Server, announced, compare_loads, faktura, listening, need_wrk
from faktura.config import DatabaseUrl

LIST = "/v1/invoices?page=3&limit=30"
VPSBG_LIST = "/v1/invoices?page=3"
_OK, _NOT_MODIFIED = 200, 304
_COPIES = 2
"""Of the shop's December: 4,050 invoices in one account."""


def rows(context: Context) -> Iterator[Row | Skipped]:
    """On SQLite, then on PostgreSQL, then against the peers on both."""
    need_wrk()
    shop = _sqlite_shop(context)
    with faktura(shop.environment) as server:
        yield from _limits(context, shop, server)
    try:
        database = postgres.database(str(context.scratch / "shop"))
    except CannotRunError as error:
        yield Skipped(what="list page, PostgreSQL", reason=str(error))
        postgresql = None
    else:
        postgresql = build_shop(database, context.scratch, copies=_copies(context), dialects=("checkdomain",))
        with faktura(postgresql.environment) as server:
            yield from _postgresql_limits(context, postgresql, server)
    yield from _peers(context, shop, postgresql)


def _copies(context: Context) -> int:
    return 1 if context.is_quick else _COPIES


def _sqlite_shop(context: Context) -> Shop:
    return build_shop(DatabaseUrl(path=str(context.scratch / "shop.db")), context.scratch, copies=_copies(context))


def _load(server: Server, shop: Shop, path: str, dialect: str = "checkdomain", **more: str) -> Load:
    return Load(server=server, path=path, headers={"Authorization": f"Bearer {shop.tokens[dialect]}", **more})


def _limits(context: Context, shop: Shop, server: Server) -> Iterator[Row | Skipped]:
    """SQLite against the same server program that remembers the answer."""
    goal = Goal(at_least=0.50)
    yield _against_memory(context, "list page, SQLite, one worker (checkdomain, 30 a page)", goal, _load(server, shop, LIST))
    yield _against_memory(context, "list page, SQLite, one worker (VPSBG, 30 a page)", goal, _load(server, shop, VPSBG_LIST, "vpsbg"))
    item = json.loads(_load(server, shop, LIST).fetch().body)["_embedded"]["invoices"][0]
    yield _against_memory(context, "single invoice, SQLite", Goal(at_least=0.60), _load(server, shop, f"/v1/invoices/{item['id']}"))
    what, tag = "list with If-None-Match → 304, SQLite", _load(server, shop, LIST).fetch().header("etag")
    if tag is None:
        yield Skipped(what=what, reason="the server sends no ETag")
    else:
        yield _against_memory(context, what, Goal(at_least=0.70), _load(server, shop, LIST, **{"If-None-Match": tag}), status=_NOT_MODIFIED)


def _against_memory(context: Context, what: str, goal: Goal, ours: Load, *, status: int = _OK) -> Row:
    with _remembering(context, ours, status) as server:
        theirs = Load(server=server, path=ours.path, headers=ours.headers)
        _check_same(ours.fetch(), theirs.fetch(), status=status)
        return compare_loads(what, "the same server program, the same bytes from memory", goal, ours=ours, theirs=theirs, context=context)


def _remembering(context: Context, load: Load, status: int = _OK, *options: str) -> AbstractContextManager[Server]:
    answer = load.fetch()
    if answer.status != status:
        message = f"{load.path} answers {answer.status}, not {status}"
        raise CannotRunError(message)
    path = baselines.remember(answer, context.scratch / "answer.json")
    return announced([sys.executable, "-m", "bench.baselines", str(path), *options], {})


def _postgresql_limits(context: Context, shop: Shop, server: Server) -> Iterator[Row]:
    """PostgreSQL against one round trip of the same driver, and against a page written by hand."""
    ours, url = _load(server, shop, LIST), str(shop.database.url)
    what = "list page, PostgreSQL, one worker"
    with _remembering(context, ours, _OK, "--select-one", url) as other:
        theirs = _load(other, shop, LIST)
        _check_same(ours.fetch(), theirs.fetch(), status=_OK)
        against = "the same server with one SELECT 1 a request, same driver and pool"
        yield compare_loads(what, against, Goal(at_least=0.75), ours=ours, theirs=theirs, context=context)
    with listening(lambda port: _uvicorn("bench.asyncpg_page:app", port), {"BENCH_DATABASE": url}) as other:
        theirs = _load(other, shop, LIST)
        _check_same(ours.fetch(), theirs.fetch(), status=_OK)
        yield compare_loads(what, "the same page through asyncpg, hand-written, no framework", Goal(at_least=0.70), ours=ours, theirs=theirs, context=context)


def _uvicorn(app: str, port: int) -> list[str]:
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "--no-proxy-headers", "--backlog", "1024"]
    return [sys.executable, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(port), *options]


def _gunicorn(port: int) -> list[str]:
    options = ["--workers", "1", "--worker-class", "gthread", "--threads", "4", "--keep-alive", "75", "--log-level", "warning"]
    return [sys.executable, "-m", "gunicorn", "bench.peers.django_rest.wsgi:application", "--bind", f"127.0.0.1:{port}", *options]


def _peers(context: Context, shop: Shop, postgresql: Shop | None) -> Iterator[Row]:
    """The list page against both peers, on both engines."""
    for engine, place in (("SQLite", shop), ("PostgreSQL", postgresql)):
        if place is None:
            continue
        peer_url = _fill(context, shop, place)
        with faktura(place.environment) as server:
            for name, peer in (("FastAPI + SQLAlchemy ORM + Pydantic", _fastapi(peer_url)), ("Django REST framework", _django(peer_url))):
                with peer as other:
                    ours, theirs = _load(server, place, LIST), _load(other, place, LIST)
                    _check_equal(ours.fetch(), theirs.fetch())
                    against = f"{name}, {engine}, exact count, one worker"
                    yield compare_loads(f"list page, {engine}, one worker", against, Goal(at_least=30), ours=ours, theirs=theirs, context=context)


def _fill(context: Context, source: Shop, place: Shop) -> str:
    """The URL of the peers' tables on the engine of a shop, made from the same invoices and tokens."""
    from bench.peers.fill import fill  # noqa: PLC0415 - the peers need not be installed for the rows before

    name = str(context.scratch / "peers.db")
    url = f"sqlite:///{name}" if place.database.url is None else postgres.blank_url(name).replace("postgresql:", "postgresql+psycopg:", 1)
    fill(Path(source.database.path), url, tokens=[place.tokens["checkdomain"]])
    return url


def _fastapi(url: str) -> AbstractContextManager[Server]:
    """In the form that is quicker with the engine."""
    form, url = ("main_async", url.replace("+psycopg", "+asyncpg", 1)) if url.startswith("postgresql") else ("main", url)
    return listening(lambda port: _uvicorn(f"bench.peers.fastapi_sqlalchemy.{form}:app", port), {"PEER_DATABASE": url})


def _django(url: str) -> AbstractContextManager[Server]:
    return listening(_gunicorn, {"PEER_DATABASE": url})


def _check_same(ours: Answer, theirs: Answer, *, status: int) -> None:
    """The same bytes, or there is nothing to compare."""
    if (ours.status, theirs.status) != (status, status) or ours.body != theirs.body:
        message = f"the answers differ: {ours.status} {ours.body[:300]!r}… and {theirs.status} {theirs.body[:300]!r}…"
        raise CannotRunError(message)


def _check_equal(ours: Answer, theirs: Answer) -> None:
    """The same JSON value, or there is nothing to compare."""
    values: list[Mapping[str, object]] = [json.loads(answer.body) for answer in (ours, theirs)]
    if (ours.status, theirs.status) != (_OK, _OK) or values[0] != values[1]:
        message = f"the answers differ: {ours.status} {ours.body[:300]!r}… and {theirs.status} {theirs.body[:300]!r}…"
        raise CannotRunError(message)
