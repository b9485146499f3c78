"""Payments, billing runs and the journal as the management API gives them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from faktura.server.management.schema import Amount, FaultResource, Page, Resource


class PaymentResource(Resource, frozen=True, kw_only=True):
    """Money received. What is not allocated is credit of the account."""

    id: int
    account_id: int
    amount: Amount
    currency: str
    paid_on: str
    reference: str | None
    recorded_at: str
    credit: Amount


class AllocationResource(Resource, frozen=True, kw_only=True):
    """A part of a payment or credit note that settles a document."""

    id: int
    invoice_id: int
    amount: Amount
    allocated_on: str


class PaymentPage(Page, frozen=True, kw_only=True):
    """Payments of an account, oldest first."""

    items: list[PaymentResource]


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
