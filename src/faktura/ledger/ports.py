"""What the ledger needs of storage and of dialects. Nothing here knows an engine or a provider."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from faktura.domain.invoice import Invoice, TypeCode
from faktura.domain.money import Currency
from faktura.domain.numbering import Series
from faktura.domain.payment import Allocation, Payment, Standing
from faktura.domain.provider import Account, Provider, Token
from faktura.domain.recorded import SourceKind, SourceWord

ListKey = tuple[int, int]
"""What lists are ordered by: (created_at_us, wire_id)."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The first of the ids, wire ids and journal numbers that a transaction took, and the journal's chain so far."""

    first_id: int
    first_wire_id: int
    first_sequence: int
    chain: bytes

    def at(self, place: int) -> Taken:
        """What was taken for the document at a place of a batch, where each takes one id and one wire id."""
        return Taken(self.first_id + place, self.first_wire_id + place, self.first_sequence + place, self.chain)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingRow:
    """A document's standing as it is stored."""

    account_id: int
    invoice_id: int
    ordinal: int | None
    created_at_us: int
    wire_id: int
    number_folded: str
    """The number case-folded: what a search looks in."""
    paid_minor: int | None
    due_minor: int | None
    dialect_version: int
    item: bytes
    single: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingKey:
    """What a billing run bills once: a product for a period of an account."""

    period: str
    product: str
    recorded_at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedIn:
    """What is kept of a document that was issued elsewhere, beside itself."""

    missing_from: int | None
    """The first of the numbers right before its own that history lacked when it came; None where it lacked none."""
    payment_count: int
    """So many payments came with it; their ids are the ones after its own."""
    recorded_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPlace:
    """A document's place in its series."""

    sequence: int
    issue_date: date
    is_moved_in: bool
    """It was issued elsewhere."""
    missing_from: int | None
    """Where the next range of numbers begins that history lacks: it ends before this document or a later one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCredit:
    """What is left of a payment: credit of the account."""

    payment_id: int
    currency: Currency
    paid_on: date
    credit_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSource:
    """Where something was heard before."""

    kind: SourceKind
    digest: bytes
    seen_at_us: int
    contradicts: bool
    """It said otherwise than what is kept: that is told every time it is heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenWord:
    """What one answer wrote down, with its rows' own columns."""

    word: SourceWord
    invoice_id: int
    body: bytes
    recorded_at_us: tuple[int, ...]
    """All instants that its rows bear: one, unless somebody changed a row."""
    observed_seen_at_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """Who did what, when, and the digest of it."""

    sequence: int
    recorded_at_us: int
    actor: str
    event: str
    account_id: int | None
    subject_id: int | None
    digest: bytes
    chain: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One document for an operator's list: `invoice` without its lines."""

    invoice: Invoice
    provider: str
    is_test: bool
    """Of a test provider."""
    account: str
    listed: bool
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPage:
    """What a token may see: rendered documents, newest first. Rows may be stale: `version` tells."""

    provider_id: int
    account_id: int
    revision: int
    total: int
    rows: Sequence[tuple[int, bytes, int]]
    """(dialect version, rendered bytes, invoice id)."""


class ProviderStore(Protocol):
    """Providers, and what they count."""

    def insert(self, provider: Provider, *, created_at_us: int, first_id: int) -> None: ...
    def set(self, provider: Provider) -> None: ...
    def get(self, provider_id: int) -> Provider: ...
    def find(self, name: str) -> Provider | None: ...
    def all(self) -> list[Provider]: ...
    def take(self, provider_id: int, *, ids: int = 0, wire_ids: int = 0, entries: int = 0) -> Taken: ...
    def raise_wire_id(self, provider_id: int, next_wire_id: int) -> None: ...
    def append_journal(self, provider_id: int, entries: Sequence[JournalEntry]) -> None: ...


class SeriesStore(Protocol):
    """Number series."""

    def insert(self, series: Series) -> None: ...
    def all(self, provider_id: int) -> list[Series]: ...
    def set(self, series: Series) -> None: ...
    def lock(self, series: Series) -> Series: ...
    def use(self, series: Series, numbers: Sequence[str]) -> str | None: ...
    def is_used(self, provider_id: int, series: str, number: str) -> bool: ...
    def used_count(self, provider_id: int) -> int: ...
    def jump(self, series: Series, *, to_number: int, recorded_at_us: int) -> None: ...
    def jumps(self, series: Series) -> list[tuple[int, int]]: ...
    def first_own(self, series: Series) -> tuple[int, date] | None: ...
    def high(self, series: Series, year: int) -> int: ...


class AccountStore(Protocol):
    """Accounts and their tokens."""

    def insert(self, account: Account, *, created_at_us: int) -> None: ...
    def find(self, provider_id: int, reference: str) -> Account | None: ...
    def get(self, account_id: int) -> Account | None: ...
    def lock(self, account_id: int) -> Account | None: ...
    def all(self, provider_id: int) -> list[Account]: ...
    def revise(self, account_id: int) -> None: ...
    def set_ends(self, account_id: int, *, first_ordinal: int, last_ordinal: int) -> None: ...
    def insert_token(self, token: Token, *, token_hash: bytes) -> None: ...
    def tokens(self, provider_id: int) -> list[Token]: ...
    def revoke_token(self, token_id: int, *, revoked_at_us: int) -> bool: ...
    def token_exists(self, token_id: int) -> bool: ...
    def tokens_used(self, used: Mapping[bytes, int]) -> None: ...


class InvoiceStore(Protocol):
    """Documents and what hangs on them."""

    def insert(self, invoices: Sequence[Invoice]) -> None: ...
    def get(self, account_id: int, invoice_id: int) -> Invoice | None: ...
    def by_wire_id(self, account_id: int, wire_id: int) -> Invoice | None: ...
    def by_source_wire_id(self, account_id: int, wire_id: int) -> Invoice | None: ...
    def by_number(self, account_id: int, number: str) -> list[Invoice]: ...
    def account_of(self, invoice_id: int) -> int | None: ...
    def credited_minor(self, account_id: int, invoice_id: int) -> int: ...
    def billed(self, account_id: int, period: str, product: str) -> int | None: ...
    def bill(self, account_id: int, invoice_id: int, key: BillingKey) -> None: ...
    def move_in(self, account_id: int, invoice_id: int, moved: MovedIn) -> None: ...
    def moved_in(self, account_id: int, invoice_id: int) -> MovedIn | None: ...
    def overview(self, *, provider: str | None, account: str | None, number: str | None, is_open: bool, limit: int) -> Iterable[Overview]: ...


class PaymentStore(Protocol):
    """Payments and allocations."""

    def insert(self, payment: Payment) -> None: ...
    def allocate(self, allocations: Sequence[Allocation]) -> None: ...
    def get(self, account_id: int, payment_id: int) -> Payment | None: ...
    def allocated_minor(self, account_id: int, payment_id: int) -> int: ...
    def is_repeated(self, account_id: int, *, reference: str, amount_minor: int, paid_on: date) -> bool: ...
    def credit(self, account_id: int) -> list[PaymentCredit]: ...
    def settlements(self, account_id: int, invoice_id: int) -> list[tuple[int, date]]: ...


class SourceStore(Protocol):
    """What other systems said."""

    def insert(self, word: SourceWord, body: bytes, *, account_id: int, invoice_id: int, source_id: int, recorded_at_us: int) -> None: ...
    def insert_parts(self, known: Invoice, word: SourceWord) -> None: ...
    def added(self, known: Invoice, enriched: Invoice) -> tuple[tuple[str, str], ...]: ...
    def known(self, account_id: int, invoice_id: int) -> list[KnownSource]: ...
    def observed(self, account_id: int, invoice_id: int) -> Standing | None: ...


class AuditStore(Protocol):
    """The facts as they were written, and what is derived of them, for verification."""

    def journal(self, provider_id: int, *, after: int = 0) -> Iterator[JournalEntry]: ...
    def journal_head(self, provider_id: int) -> tuple[int, bytes]: ...
    def written_invoice(self, account_id: int, invoice_id: int) -> Invoice | None: ...
    def is_canonical(self, account_id: int, invoice_id: int) -> bool: ...
    def written_word(self, account_id: int, source_id: int) -> WrittenWord | None: ...
    def first_source(self, account_id: int, invoice_id: int) -> int | None: ...
    def allocation(self, account_id: int, allocation_id: int) -> Allocation | None: ...
    def billing_key(self, account_id: int, invoice_id: int) -> BillingKey | None: ...
    def allocations(self, account_id: int, source_id: int) -> list[Allocation]: ...
    def listing(self, account_id: int, invoice_id: int) -> ListingRow | None: ...
    def ordinals(self, account_id: int) -> tuple[int, int | None, int | None]: ...
    def disorder(self, account_id: int) -> int | None: ...
    def counts(self, account_id: int) -> dict[str, int]: ...
    def foreign_account(self) -> int | None: ...
    def series_numbers(self, series: Series) -> Iterator[SeriesPlace]: ...


class ListingStore(Protocol):
    """Standings: what is paid and due, the order of the list, and the rendered forms."""

    def insert(self, rows: Sequence[ListingRow]) -> None: ...
    def refresh(self, row: ListingRow) -> None: ...
    def key_at(self, account_id: int, ordinal: int) -> ListKey | None: ...
    def first_after(self, account_id: int, key: ListKey) -> int | None: ...
    def rekey(self, account_id: int, invoice_id: int, created_at_us: int) -> None: ...
    def renumber(self, account_id: int, *, first_ordinal: int, from_key: ListKey, to_key: ListKey, is_fresh: bool) -> None: ...
    def stale(self, provider_id: int, *, dialect_version: int, limit: int) -> list[tuple[int, int]]: ...


class ServingStore(Protocol):
    """Single-statement reads for the HTTP edge. They start from a token's hash, so no caller passes an account."""

    def owner_of_token(self, token_hash: bytes) -> tuple[int, int] | None: ...
    def page(self, token_hash: bytes, *, now_us: int, skip: int, size: int) -> ServedPage | None: ...
    def search(self, token_hash: bytes, *, now_us: int, text: str, skip: int, size: int) -> ServedPage | None: ...
    def single(self, token_hash: bytes, *, now_us: int, wire_id: int) -> ServedPage | None: ...


class Transaction(Protocol):
    """One transaction's view of everything stored."""

    @property
    def providers(self) -> ProviderStore: ...
    @property
    def series(self) -> SeriesStore: ...
    @property
    def accounts(self) -> AccountStore: ...
    @property
    def invoices(self) -> InvoiceStore: ...
    @property
    def payments(self) -> PaymentStore: ...
    @property
    def sources(self) -> SourceStore: ...
    @property
    def listings(self) -> ListingStore: ...
    @property
    def audit(self) -> AuditStore: ...
    @property
    def serving(self) -> ServingStore: ...


class Storage(Protocol):
    """Opens transactions."""

    def writing(self) -> AbstractContextManager[Transaction]:
        """Rolled back unless the block ends well; durable when it does."""

    def reading(self) -> AbstractContextManager[Transaction]:
        """One consistent state."""

    def serving(self) -> Transaction:
        """Single statements, each its own transaction; for the calling thread only."""


class Dialect(Protocol):
    """How a provider's API shows documents: what the ledger needs to know of it when it writes."""

    @property
    def version(self) -> int: ...

    def check_settings(self, provider: Provider) -> None:
        """SettingError for settings that this API cannot live with."""

    def lists(self, type_code: TypeCode | None) -> bool:
        """Whether the API shows documents of this type at all."""

    def created_at(self, at_us: int, issue_date: date, zone: str) -> int:
        """The creation instant that the API shows for a document issued at that instant."""

    def render_item(self, invoice: Invoice, standing: Standing, provider: Provider) -> bytes:
        """The document as an item of the list, without host or query."""

    def render_single(self, invoice: Invoice, standing: Standing, provider: Provider) -> bytes | None:
        """The document on its own, or None where the API has no such call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What every use case works with: storage, the dialects by name, the clock and who acts."""

    storage: Storage
    dialects: Mapping[str, Dialect]
    clock: Callable[[], int]
    """Now, in microseconds since 1970 in UTC."""
    actor: str = "operator"
