"""The natural schema of this API in SQLAlchemy's declarative mapping."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import DateTime, ForeignKey, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

ZONE = ZoneInfo("Europe/Berlin")


class Base(DeclarativeBase):
    """All tables."""


class Account(Base):
    """A customer."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(64), unique=True)


class Token(Base):
    """A key of a customer, found by its hash."""

    __tablename__ = "tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Invoice(Base):
    """A document. Amounts are in cents, and what is paid stands in the row, so that a list reads one table."""

    __tablename__ = "invoices"
    __table_args__ = (Index("invoices_list", "account_id", "created_at", "id"), Index("invoices_number", "account_id", "number"))

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    number: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    amount_total_cents: Mapped[int]
    amount_paid_cents: Mapped[int | None]
    amount_open_cents: Mapped[int | None]
    lines: Mapped[list[InvoiceLine]] = relationship(back_populates="invoice", order_by="InvoiceLine.position")


class InvoiceLine(Base):
    """A line, which the list does not show."""

    __tablename__ = "invoice_lines"
    __table_args__ = (Index("invoice_lines_invoice", "invoice_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(255))
    quantity: Mapped[int]
    unit_price_cents: Mapped[int]
    invoice: Mapped[Invoice] = relationship(back_populates="lines")
