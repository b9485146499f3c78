"""checkdomain's list of invoices in the asynchronous form, which is the quicker one with PostgreSQL (asyncpg).

`uvicorn bench.peers.fastapi_sqlalchemy.main_async:app`, with PEER_DATABASE.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bench.peers.fastapi_sqlalchemy.queries import account_of, count_of, page_of
from bench.peers.fastapi_sqlalchemy.schemas import Page, to_page

engine = create_async_engine(os.environ["PEER_DATABASE"], pool_size=10)
make_session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
bearer = HTTPBearer()


async def get_session() -> AsyncIterator[AsyncSession]:
    """A session for a request."""
    async with make_session() as session:
        yield session


async def get_account_id(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)], session: Annotated[AsyncSession, Depends(get_session)]) -> int:
    """The account of the request's token."""
    account_id: int | None = await session.scalar(account_of(credentials.credentials))
    if account_id is None:
        raise HTTPException(status_code=401, detail="Unauthorized", headers={"WWW-Authenticate": "Bearer"})
    return account_id


@app.get("/v1/invoices", response_model_exclude_unset=True)
async def list_invoices(
    account_id: Annotated[int, Depends(get_account_id)],
    session: Annotated[AsyncSession, Depends(get_session)],
    page: Annotated[int, Query(ge=1)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Page:
    """A page of the account's invoices, newest first."""
    total = await session.scalar(count_of(account_id)) or 0
    return to_page(page, limit, total, (await session.scalars(page_of(account_id, page, limit))).all())
