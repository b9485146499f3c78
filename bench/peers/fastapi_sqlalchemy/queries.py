"""The three statements of a page."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, or_, select

from bench.peers.fastapi_sqlalchemy.models import Invoice, Token


def account_of(key: str) -> Select[Any]:
    """The account of a good token."""
    token_hash = hashlib.sha256(key.encode()).hexdigest()
    return select(Token.account_id).where(
        Token.token_hash == token_hash, Token.revoked_at.is_(None), or_(Token.expires_at.is_(None), Token.expires_at > datetime.now(UTC))
    )


def count_of(account_id: int) -> Select[Any]:
    """How many invoices an account has."""
    return select(func.count()).select_from(Invoice).where(Invoice.account_id == account_id)


def page_of(account_id: int, page: int, limit: int) -> Select[Any]:
    """A page of an account's invoices, newest first."""
    newest_first = select(Invoice).where(Invoice.account_id == account_id).order_by(Invoice.created_at.desc(), Invoice.id.desc())
    return newest_first.limit(limit).offset((page - 1) * limit)
