"""What the API answers, as Pydantic models, and how it is made of rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from pydantic import BaseModel, ConfigDict, Field

from bench.peers.fastapi_sqlalchemy.models import ZONE, Invoice


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


def to_page(page: int, limit: int, total: int, invoices: Sequence[Invoice]) -> Page:
    """The page of those invoices."""
    pages = max(1, -(-total // limit))
    links = Links(self=to_link(page, limit), first=to_link(1, limit), last=to_link(pages, limit))
    if page < pages:
        links.next = to_link(page + 1, limit)
    if page > 1:
        links.previous = to_link(page - 1, limit)
    return Page(page=page, limit=limit, pages=pages, total=total, links=links, embedded=Embedded(invoices=[to_item(invoice) for invoice in invoices]))


def to_item(invoice: Invoice) -> Item:
    """An invoice as the list shows it."""
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


def to_link(page: int, limit: int) -> Link:
    """A page's address."""
    return Link(href=f"/v1/invoices?page={page}&limit={limit}")
