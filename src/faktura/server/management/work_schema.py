"""Billing runs, the journal and the VAT report as the management API gives them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from msgspec import Meta

from faktura.server.management.schema import Amount, Body, FaultResource, Page, Resource


class RunItemResource(Resource, frozen=True, kw_only=True):
    """An item of a billing run, by its line in the input."""

    position: int
    outcome: str
    invoice_id: int | None
    number: str | None
    faults: list[FaultResource]


class RunItemPage(Page, frozen=True, kw_only=True):
    """Items in the order of the input."""

    items: list[RunItemResource]


class RunResource(Resource, frozen=True, kw_only=True):
    """A billing run: its state, and how many items have come to what."""

    id: int
    state: Annotated[str, Meta(description="queued, checking, issuing or done.")]
    is_dry_run: bool
    items: int
    counts: dict[str, int]
    created_at: str
    updated_at: str


class RunPage(Page, frozen=True, kw_only=True):
    """Billing runs, newest first."""

    items: list[RunResource]


class JournalEntryResource(Resource, frozen=True, kw_only=True):
    """Who did what, when; digest and chain are SHA-256 in hex."""

    sequence: int
    recorded_at: str
    actor: str
    event: str
    account_id: int | None
    subject_id: int | None
    digest: str
    chain: str


class JournalPage(Resource, frozen=True, kw_only=True):
    """What happened after a number, oldest first, without a gap. Ask again with `after` = `last`."""

    items: list[JournalEntryResource]
    last: int


class VatRow(Resource, frozen=True, kw_only=True):
    """All documents of one country, category, rate and currency."""

    tax_country: str | None
    vat_category: str | None
    vat_rate: Amount
    currency: str
    taxable_amount: Amount
    tax_amount: Amount
    documents: int


class OssRowResource(Resource, frozen=True, kw_only=True):
    """Supplies to consumers taxed in another member state (one-stop shop)."""

    tax_country: str
    vat_rate: Amount
    currency: str
    taxable_amount: Amount
    tax_amount: Amount


class RecapitulativeRowResource(Resource, frozen=True, kw_only=True):
    """Supplies to one business of another member state."""

    vat_id: str
    vat_category: str
    currency: str
    taxable_amount: Amount


class VatReportResource(Resource, frozen=True, kw_only=True):
    """What a VAT return, the one-stop shop and the recapitulative statement need. Final once the period is locked."""

    start: str
    end: str
    locked_through: str | None
    summary: list[VatRow]
    oss: list[OssRowResource]
    recapitulative: list[RecapitulativeRowResource]


class PeriodLockBody(Body, frozen=True, kw_only=True):
    """The last day of what is closed; it must be over."""

    through: date


class PeriodLockResource(Resource, frozen=True, kw_only=True):
    """No document may bear a date or tax point up to this day any more."""

    locked_through: str
    recorded_at: str
    actor: str


class VatCheckBody(Body, frozen=True, kw_only=True):
    """What VIES, or another register, said of a VAT id. Kept as proof; it never blocks."""

    vat_id: Annotated[str, Meta(min_length=1, max_length=100, examples=["BG123456789"])]
    is_valid: bool
    checked_at: datetime | None = None
    consultation: Annotated[str | None, Meta(description="The register's own number for the consultation.")] = None
    name: str | None = None
    address: str | None = None


class VatCheckResource(Resource, frozen=True, kw_only=True):
    """A proof that is kept."""

    id: int
    vat_id: str
    is_valid: bool
    checked_at: str
    consultation: str | None
    name: str | None
    address: str | None


class VatCheckPage(Page, frozen=True, kw_only=True):
    """Proofs, oldest first."""

    items: list[VatCheckResource]
