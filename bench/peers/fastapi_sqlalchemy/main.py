"""checkdomain's list of invoices: `uvicorn bench.peers.fastapi_sqlalchemy.main:app`, with PEER_DATABASE."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import create_engine, func, or_, select
from sqlalchemy.orm import Session, sessionmaker

from bench.peers.fastapi_sqlalchemy.models import ZONE, Invoice, Token

engine = create_engine(os.environ["PEER_DATABASE"], pool_size=10)
make_session = sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
bearer = HTTPBearer()


class Link(BaseModel):
    """A link."""

    href: str


class SelfLinks(BaseModel):
    """An item's links."""

    self: Link


class Item(BaseModel):
    """An invoice of the list."""

    model_config = ConfigDict(populate_by_name=True)

    id: int
    invoice_number: str
    created: str
    amount_total: float
    amount_payed: float | None
    amount_open: float | None
    is_open: bool | None
    is_payed: bool | None
    links: SelfLinks = Field(alias="_links")


class Links(BaseModel):
    """The page's links."""

    self: Link
    first: Link
    last: Link
    next: Link | None = None
    previous: Link | None = None


class Embedded(BaseModel):
    """The page's invoices."""

    invoices: list[Item]


class Page(BaseModel):
    """A page of the list."""

    model_config = ConfigDict(populate_by_name=True)

    page: int
    limit: int
    pages: int
    total: int
    links: Links = Field(alias="_links")
    embedded: Embedded = Field(alias="_embedded")


def get_session() -> Iterator[Session]:
    """A session for a request."""
    with make_session() as session:
        yield session


def get_account_id(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)], session: Annotated[Session, Depends(get_session)]) -> int:
    """The account of the request's token."""
    token_hash = hashlib.sha256(credentials.credentials.encode()).hexdigest()
    is_good = (Token.revoked_at.is_(None), or_(Token.expires_at.is_(None), Token.expires_at > datetime.now(UTC)))
    account_id = session.scalar(select(Token.account_id).where(Token.token_hash == token_hash, *is_good))
    if account_id is None:
        raise HTTPException(status_code=401, detail="Unauthorized", headers={"WWW-Authenticate": "Bearer"})
    return account_id


@app.get("/v1/invoices", response_model_exclude_unset=True)
def list_invoices(
    account_id: Annotated[int, Depends(get_account_id)],
    session: Annotated[Session, Depends(get_session)],
    page: Annotated[int, Query(ge=1)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Page:
    """A page of the account's invoices, newest first."""
    total = session.scalar(select(func.count()).select_from(Invoice).where(Invoice.account_id == account_id)) or 0
    newest_first = select(Invoice).where(Invoice.account_id == account_id).order_by(Invoice.created_at.desc(), Invoice.id.desc())
    invoices = session.scalars(newest_first.limit(limit).offset((page - 1) * limit)).all()
    pages = max(1, -(-total // limit))
    links = Links(self=_link(page, limit), first=_link(1, limit), last=_link(pages, limit))
    if page < pages:
        links.next = _link(page + 1, limit)
    if page > 1:
        links.previous = _link(page - 1, limit)
    return Page(page=page, limit=limit, pages=pages, total=total, links=links, embedded=Embedded(invoices=[_item(invoice) for invoice in invoices]))


def _item(invoice: Invoice) -> Item:
    due = invoice.amount_open_cents
    return Item(
        id=invoice.id,
        invoice_number=invoice.number,
        created=(invoice.created_at if invoice.created_at.tzinfo else invoice.created_at.replace(tzinfo=UTC)).astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S%z"),
        amount_total=invoice.amount_total_cents / 100,
        amount_payed=None if invoice.amount_paid_cents is None else invoice.amount_paid_cents / 100,
        amount_open=None if due is None else due / 100,
        is_open=None if due is None else due != 0,
        is_payed=None if due is None else due == 0,
        links=SelfLinks(self=Link(href=f"/v1/invoices/{invoice.id}")),
    )


def _link(page: int, limit: int) -> Link:
    return Link(href=f"/v1/invoices?page={page}&limit={limit}")
