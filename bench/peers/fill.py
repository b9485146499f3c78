"""The peers' tables, filled from a ledger's checkdomain invoices."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy import create_engine, insert, text
from sqlalchemy.orm import Session

from bench.peers.fastapi_sqlalchemy.models import Account, Base, Invoice, InvoiceLine, Token

_BATCH = 5_000


def fill(ledger: Path, url: str, *, tokens: Sequence[str]) -> None:
    """Make the tables and copy accounts, invoices and lines; the tokens become the first account's."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    with closing(sqlite3.connect(ledger)) as source, Session(engine) as session:
        provider = source.execute("SELECT provider_id FROM provider WHERE dialect = 'checkdomain'").fetchone()[0]
        of_provider = f"account_id IN (SELECT account_id FROM account WHERE provider_id = {int(provider)})"
        accounts = source.execute(f"SELECT account_id, reference FROM account WHERE {of_provider}").fetchall()
        session.execute(insert(Account), [{"id": place, "reference": reference} for place, (_, reference) in enumerate(accounts, 1)])
        places = {account_id: place for place, (account_id, _) in enumerate(accounts, 1)}
        hashes = [hashlib.sha256(token.encode()).hexdigest() for token in tokens]
        session.execute(insert(Token), [{"token_hash": digest, "account_id": 1, "expires_at": None, "revoked_at": None} for digest in hashes])
        ids: dict[int, int] = {}
        rows = []
        for account_id, invoice_id, item, created_at_us in source.execute(
            f"SELECT account_id, invoice_id, item, created_at_us FROM listing WHERE {of_provider}"
        ):
            said = json.loads(item, parse_float=Decimal)
            ids[invoice_id] = said["id"]
            cents = {name: None if said[key] is None else int(said[key] * 100) for name, key in _AMOUNTS}
            created_at = datetime.fromtimestamp(created_at_us // 1_000_000, UTC)
            rows.append({"id": said["id"], "account_id": places[account_id], "number": said["invoice_number"], "created_at": created_at, **cents})
        _insert(session, Invoice, rows)
        lines = source.execute(f"SELECT invoice_id, line_number, name, quantity, unit_price FROM invoice_line WHERE {of_provider}")
        _insert(session, InvoiceLine, [_line(ids[invoice_id], *parts) for invoice_id, *parts in lines])
        session.commit()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


_AMOUNTS = (("amount_total_cents", "amount_total"), ("amount_paid_cents", "amount_payed"), ("amount_open_cents", "amount_open"))


def _line(invoice_id: int, position: int, name: str, quantity: str, unit_price: str) -> dict[str, object]:
    cents = int(Decimal(unit_price) * 100)
    return {"invoice_id": invoice_id, "position": position, "name": name[:255], "quantity": int(Decimal(quantity)), "unit_price_cents": cents}


def _insert(session: Session, table: type[Base], rows: list[dict[str, object]]) -> None:
    for start in range(0, len(rows), _BATCH):
        session.execute(insert(table), rows[start : start + _BATCH])
