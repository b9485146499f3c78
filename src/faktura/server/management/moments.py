"""Query parameters that are dates and instants."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from litestar.params import QueryParameter

from faktura.domain.calendar import parse_date, parse_instant
from faktura.domain.errors import fault
from faktura.domain.moment import Moment
from faktura.server.management.problem import BadRequestError

AsOf = Annotated[
    str | None,
    QueryParameter(name="as_of", max_length=40, description="An instant, such as 2026-10-01T00:00:00Z: from the facts recorded up to it."),
]
On = Annotated[str | None, QueryParameter(name="on", max_length=10, description="A date, such as 2026-09-30: what had value by it.")]


def to_moment(as_of: str | None, on: str | None) -> Moment:
    """The moment asked for; BadRequestError with what is no instant or date."""
    faults = []
    as_of_us, day = None, None
    try:
        as_of_us = None if as_of is None else parse_instant(as_of)
    except (ValueError, OverflowError) as error:
        faults.append(fault("value", "as_of", str(error)))
    try:
        day = None if on is None else parse_date(on)
    except ValueError as error:
        faults.append(fault("value", "on", str(error)))
    if faults:
        raise BadRequestError(faults)
    return Moment(as_of_us=as_of_us, on=day)


def to_day(name: str, text: str | None) -> date | None:
    """The date of a parameter; BadRequestError where it is none."""
    try:
        return None if text is None else parse_date(text)
    except ValueError as error:
        raise BadRequestError([fault("value", name, str(error))]) from error
