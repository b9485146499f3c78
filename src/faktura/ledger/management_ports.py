"""What the management API needs of storage beside the books: drafts, answers given, billing runs. None of it is a fact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDraft:
    """A document without a number, as its user wrote it: JSON text that need not be complete."""

    id: int
    account_id: int
    document: str
    revision: int
    created_at_us: int
    updated_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a writing call was answered."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer with what it answered."""

    fingerprint: bytes
    answer: Answer


class RunState(StrEnum):
    """How far a billing run is."""

    RECEIVING = "receiving"
    """Its input is still coming in; nobody else sees the run."""
    QUEUED = "queued"
    CHECKING = "checking"
    ISSUING = "issuing"
    DONE = "done"


class ItemOutcome(StrEnum):
    """What is known of an item of a run."""

    WAITING = "waiting"
    VALID = "valid"
    REFUSED = "refused"
    BILLED_BEFORE = "billed-before"
    ISSUED = "issued"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingRun:
    """A run as it is kept."""

    provider_id: int
    id: int
    state: RunState
    is_dry_run: bool
    actor: str
    item_count: int
    holder: str | None
    leased_until_us: int
    created_at_us: int
    updated_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunItem:
    """An item of a run: JSON text, and what became of it."""

    position: int
    body: str
    """Empty in lists of what became of items: they may be long, and nobody asks for them there."""
    outcome: ItemOutcome
    invoice_id: int | None = None
    number: str | None = None
    faults: tuple[tuple[str, str, str], ...] = ()
    """(rule, path, message)."""


class DraftStore(Protocol):
    """Drafts."""

    def insert(self, draft: StoredDraft) -> None: ...
    def get(self, provider_id: int, draft_id: int) -> StoredDraft | None: ...
    def set(self, draft: StoredDraft) -> None: ...
    def delete(self, draft: StoredDraft) -> None: ...
    def page(self, provider_id: int, *, account_id: int | None, after: int, limit: int) -> list[StoredDraft]: ...


class AnswerStore(Protocol):
    """Answers by idempotency key."""

    def claim(self, provider_id: int, key: str, *, fingerprint: bytes, now_us: int) -> KeptAnswer | None: ...
    def keep(self, provider_id: int, key: str, answer: Answer) -> None: ...


class RunStore(Protocol):
    """Billing runs and their items."""

    def insert(self, run: BillingRun) -> None: ...
    def set(self, run: BillingRun) -> None: ...
    def get(self, provider_id: int, run_id: int) -> BillingRun | None: ...
    def page(self, provider_id: int, *, before: int, limit: int) -> list[BillingRun]: ...
    def waiting(self, now_us: int) -> list[BillingRun]: ...
    def delete(self, run: BillingRun) -> None: ...
    def insert_items(self, run: BillingRun, items: Sequence[tuple[int, str]]) -> None: ...
    def set_items(self, run: BillingRun, items: Sequence[RunItem]) -> None: ...
    def items(self, run: BillingRun, *, outcome: ItemOutcome | None, after: int, limit: int) -> list[RunItem]: ...
    def batch(self, run: BillingRun, *, outcome: ItemOutcome, count_max: int, length_max: int) -> list[RunItem]: ...
    def counts(self, run: BillingRun) -> dict[ItemOutcome, int]: ...
    def unfinished(self) -> list[tuple[int, int, RunState, dict[ItemOutcome, int]]]: ...
