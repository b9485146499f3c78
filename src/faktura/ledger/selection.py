"""Which documents are asked for, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.moment import NOW, Moment
from faktura.domain.money import Currency
from faktura.domain.payment import Standing


class DocumentSort(StrEnum):
    """By what a list of documents is ordered; a document's id decides between equals. A minus is descending."""

    ID = "id"
    NEWEST = "-id"
    ISSUE_DATE = "issue_date"
    LATEST = "-issue_date"
    NUMBER = "number"
    NUMBER_DESCENDING = "-number"

    @property
    def term(self) -> str:
        """What it orders by."""
        return self.value.removeprefix("-")

    @property
    def is_descending(self) -> bool:
        """Whether the greatest comes first."""
        return self.value.startswith("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a document stands in lists. None of it ever changes."""

    invoice_id: int
    account_id: int
    issue_date: str
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which documents a list has, as far as their rows tell, and in which order; without a sort, by creation, newest first."""

    provider_id: int | None = None
    account_id: int | None = None
    provider: str | None = None
    account: str | None = None
    number: str | None = None
    number_folded: str | None = None
    currency: str | None = None
    type_codes: tuple[TypeCode, ...] = ()
    issued_from: date | None = None
    issued_to: date | None = None
    is_due: bool = False
    """Only with an amount due now."""
    is_open: bool = False
    """Only with an amount due now, and known to be owed."""
    sort: DocumentSort | None = None
    after: Place | None = None
    moment: Moment = NOW
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentAmounts:
    """What a balance needs of a document."""

    id: int
    account_id: int
    origin: Origin
    type_code: TypeCode | None
    currency: Currency
    total_with_vat_minor: int | None
    due_date: date | None
    is_observed: bool
    """Its source had spoken of payments by then."""
    standing: Standing
    """Of now, whatever the moment asked for."""


Settled = Invoice | DocumentAmounts
"""Whose standing can be told."""
