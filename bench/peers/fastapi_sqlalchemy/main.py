"""checkdomain's list of invoices in the synchronous form of FastAPI's own tutorial, which is the quicker one with SQLite.

`uvicorn bench.peers.fastapi_sqlalchemy.main:app`, with PEER_DATABASE.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from bench.peers.fastapi_sqlalchemy.queries import account_of, count_of, page_of
from bench.peers.fastapi_sqlalchemy.schemas import Page, to_page

engine = create_engine(os.environ["PEER_DATABASE"], pool_size=10)
make_session = sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
bearer = HTTPBearer()


def get_session() -> Iterator[Session]:
    """A session for a request."""
    with make_session() as session:
        yield session


def get_account_id(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)], session: Annotated[Session, Depends(get_session)]) -> int:
    """The account of the request's token."""
    account_id: int | None = session.scalar(account_of(credentials.credentials))
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
    total = session.scalar(count_of(account_id)) or 0
    return to_page(page, limit, total, session.scalars(page_of(account_id, page, limit)).all())
