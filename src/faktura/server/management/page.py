"""Paging by cursor: a page stays what it is while documents are issued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

from litestar.params import QueryParameter

from faktura.domain.errors import fault
from faktura.server.management.call import ID_MAX
from faktura.server.management.problem import BadRequestError

LIMIT_MAX = 100

Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=LIMIT_MAX, description="How many items a page has at most.")]
Cursor = Annotated[str | None, QueryParameter(name="cursor", max_length=1000, description="Where to go on: `next` of the page before.")]


class _HasId(Protocol):
    @property
    def id(self) -> int: ...


def after_id(cursor: str | None) -> int:
    """The id after which a page by ids begins; BadRequestError for a cursor that is none."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < len(str(ID_MAX)) + 1):
        raise BadRequestError([fault("cursor", "cursor", "is not the `next` of a page of this list")])
    return min(int(cursor), ID_MAX)


def next_after(found: Sequence[_HasId], limit: int) -> str | None:
    """The cursor of the next page, where one more than the limit was found."""
    return str(found[limit - 1].id) if len(found) > limit else None
