"""What accountants take along: the documents of a selection, and their sums by currency, with the unknown beside them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum

from faktura.domain.invoice import Invoice, TypeCode
from faktura.domain.moment import NOW, Moment
from faktura.domain.money import Currency
from faktura.ledger.listing_query import DocumentFilter, DocumentHead, list_invoices
from faktura.ledger.ports import Books
from faktura.ledger.selection import DocumentSort


class SumField(StrEnum):
    """What sums are split by. They are always split by currency: amounts of two currencies are never added."""

    PROVIDER = "provider"
    ACCOUNT = "account"
    """Brings the provider along: a reference is unique in one provider only."""
    MONTH = "month"
    CURRENCY = "currency"
    STATE = "state"
    TYPE = "type"


AMOUNTS = ("total_without_vat", "vat_total", "total_with_vat", "paid_amount", "amount_due")
"""BT-109, BT-110, BT-112, BT-113 and BT-115: what is added up, in this order."""
ALL_DOCUMENTS = DocumentFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which documents are exported or added up.

    Pro-formas are no invoices, so they belong to it only where `filters` name their type; test providers' documents only where
    the provider is named.
    """

    provider: str | None = None
    account: str | None = None
    filters: DocumentFilter = ALL_DOCUMENTS
    is_open: bool = False
    sort: DocumentSort | None = DocumentSort.ISSUE_DATE
    moment: Moment = NOW


@dataclass(slots=True)
class LeftOut:
    """What a selection met and did not take, because nobody asked for it by name."""

    pro_formas: int = 0
    of_test_providers: int = 0


@dataclass(slots=True)
class AmountSum:
    """The sum of the amounts that are known, and how many documents there are whose amount is not."""

    known_minor: int = 0
    unknown_count: int = 0

    def add(self, amount_minor: int | None, sign: int | None) -> None:
        """Count one document's amount; without a sign nobody knows which way it counts."""
        if amount_minor is None or sign is None:
            self.unknown_count += 1
        else:
            self.known_minor += sign * amount_minor


@dataclass(slots=True)
class GroupSum:
    """The sums of a group of documents in one currency."""

    key: tuple[str | None, ...]
    """The values of what it was split by, without the currency, as `Sums.columns` names them; None is unknown."""
    currency: Currency
    count: int = 0
    amounts: tuple[AmountSum, ...] = field(default_factory=lambda: tuple(AmountSum() for _ in AMOUNTS))
    """As AMOUNTS has them."""


def type_label(invoice: Invoice) -> str | None:
    """The word for a document's type; for one that nobody here knows, its source's word, marked."""
    if invoice.type_code is not None:
        return invoice.type_code.label
    return None if invoice.source_type is None else f"{invoice.source_type} (unknown)"


class Sums:
    """Adds documents up as they pass: memory grows with the groups, not with the documents. Credit notes count negative."""

    def __init__(self, by: Sequence[SumField]) -> None:
        named = [name for item in by for name in ((SumField.PROVIDER, item) if item is SumField.ACCOUNT else (item,))]
        self.columns = tuple(name for name in dict.fromkeys(named) if name is not SumField.CURRENCY)
        self._groups: dict[tuple[tuple[str | None, ...], str], GroupSum] = {}

    def add(self, head: DocumentHead) -> None:
        """Count one document."""
        invoice, standing = head.invoice, head.standing
        values = {
            SumField.PROVIDER: head.provider,
            SumField.ACCOUNT: head.account,
            SumField.MONTH: invoice.issue_date.isoformat()[:7],
            SumField.STATE: None if head.state is None else head.state.value,
            SumField.TYPE: type_label(invoice),
        }
        key = tuple(values[column] for column in self.columns)
        group = self._groups.get((key, invoice.currency.code))
        if group is None:
            group = self._groups[key, invoice.currency.code] = GroupSum(key=key, currency=invoice.currency)
        group.count += 1
        sign = None if invoice.type_code is None else invoice.sign
        given = (invoice.total_without_vat_minor, invoice.vat_total_minor, invoice.total_with_vat_minor, standing.paid_minor, standing.due_minor)
        for item, amount_minor in zip(group.amounts, given, strict=True):
            item.add(amount_minor, sign)

    def groups(self) -> list[GroupSum]:
        """What came out, in the order of the keys and currencies; unknown comes last."""
        return sorted(self._groups.values(), key=lambda group: ([(value is None, value or "") for value in group.key], group.currency.code))


def chosen_documents(books: Books, wanted: Wanted, *, left_out: LeftOut, is_whole: bool = False) -> Generator[DocumentHead]:
    """The documents that are wanted, as `list_invoices` has them; what is left out is counted meanwhile. Close the iterator, or read it to its end."""
    listed = list_invoices(
        books,
        provider=wanted.provider,
        account=wanted.account,
        filters=wanted.filters,
        is_open=wanted.is_open,
        sort=wanted.sort,
        moment=wanted.moment,
        is_whole=is_whole,
    )
    with closing(listed) as found:
        for head in found:
            if head.is_test and wanted.provider is None:
                left_out.of_test_providers += 1
            elif head.invoice.type_code is TypeCode.PRO_FORMA and TypeCode.PRO_FORMA not in wanted.filters.type_codes:
                left_out.pro_formas += 1
            else:
                yield head


def sum_documents(books: Books, wanted: Wanted, *, by: Iterable[SumField], left_out: LeftOut) -> Sums:
    """The sums of the documents that are wanted, in one consistent state of the ledger."""
    sums = Sums(tuple(by))
    with closing(chosen_documents(books, wanted, left_out=left_out)) as found:
        for head in found:
            sums.add(head)
    return sums
