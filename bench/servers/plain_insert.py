"""What single issues are measured against: the same server, web framework and route, whose handler writes one finished row and commits it.

It has of ours: uvicorn with our protocol class, the application around the management API (reading of the request, its id, the
counting), Litestar with one POST route that takes the body as JSON, the ledger's file with its schema, indexes and triggers, WAL
and synchronous=FULL. It has not: tokens, idempotency, rules, VAT, numbers, lines, listing, journal. Each request commits alone.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from litestar import Litestar, Response, post
from litestar.params import JSONBody

from faktura.bootstrap.books import DIALECTS, open_books
from faktura.config import read_settings
from faktura.server.app import App
from faktura.server.listener import listen_at, port_of
from faktura.server.serve import run


def main(database: str) -> None:
    """Serve a ledger that has one issued invoice, whose row is written again and again under new ids."""
    settings = read_settings({"FAKTURA_DATABASE": f"sqlite:///{database}", "FAKTURA_ACCESS_LOG": "off"})
    with open_books(settings) as books, _writer(database) as connection:
        app = App(books, DIALECTS, settings)
        app._management._api = _api(connection)  # noqa: SLF001 - in place of the management API
        with listen_at("127.0.0.1", 0) as listener:
            url = f"http://127.0.0.1:{port_of(listener)}"
            run(app, listener=listener, ready=lambda: print(json.dumps({"url": url}), flush=True))


@contextmanager
def _writer(database: str) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -16000")
    yield connection
    connection.close()


def _api(connection: sqlite3.Connection) -> Litestar:
    columns = [row[1] for row in connection.execute("PRAGMA table_info(invoice)")]
    row = list(connection.execute("SELECT * FROM invoice ORDER BY invoice_id LIMIT 1").fetchone())
    (newest,) = connection.execute("SELECT MAX(invoice_id) FROM invoice").fetchone()
    ids = itertools.count(newest + 1)
    place = {name: columns.index(name) for name in ("account_id", "invoice_id", "wire_id", "number")}
    insert = f"INSERT INTO invoice VALUES ({', '.join('?' * len(columns))})"

    @post("/manage/v1/invoices", sync_to_thread=False)
    def write(data: JSONBody[dict[str, Any]]) -> Response[dict[str, Any]]:
        new_id = next(ids)
        mine = row.copy()
        mine[place["account_id"]] = data["account_id"]
        mine[place["invoice_id"]] = mine[place["wire_id"]] = new_id
        mine[place["number"]] = str(new_id)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(insert, mine)
        connection.execute("COMMIT")
        return Response({"id": new_id, "number": mine[place["number"]]}, status_code=201)

    return Litestar([write], logging_config=None, openapi_config=None)


if __name__ == "__main__":
    main(sys.argv[1])
