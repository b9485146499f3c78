"""Standings: what a document has paid and due, its place in the account's list, and its rendered forms.

A ledger never deletes, so an account's listed documents hold every ordinal from `first` to `last`, in the order
(created, wire id). That makes the total exact and free, and any page a range.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from faktura.domain.calendar import legal_date, midnight
from faktura.domain.errors import NotFoundError
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.moment import NOW, Moment
from faktura.domain.payment import Settlement, Standing, allocate, settle
from faktura.domain.provider import Account, Provider
from faktura.ledger.listing_ports import ListingRow, ListKey
from faktura.ledger.number_parts import number_parts, part
from faktura.ledger.ports import Books, Dialect, Transaction
from faktura.ledger.selection import Settled

FIRST_ORDINAL = 2**40
"""Where a list begins: room on both sides, and always positive."""

_LAST_DAY = date(9998, 12, 31)
_OLDEST: ListKey = (-(2**62), 0)
_NEWEST: ListKey = (2**62, 0)


def current_standing(tx: Transaction, invoice: Settled, provider: Provider, moment: Moment = NOW) -> Standing:
    """What is paid and due now, or at another moment.

    A source's own word wins for what it recorded; otherwise allocations count. Of a recorded document that nobody
    paid here and whose source said nothing, paid and due are unknown.
    """
    observed = observed_standing(tx, invoice, provider, moment)
    if observed is not None:
        return observed
    is_asked = invoice.type_code is TypeCode.PRO_FORMA
    rows = _asked_for(tx, invoice, moment) if is_asked else tx.payments.settlements(invoice.account_id, invoice.id, moment)
    if (invoice.origin is Origin.RECORDED and not rows) or invoice.total_with_vat_minor is None:
        return Standing()
    settlements = tuple(Settlement(amount_minor=amount, paid_at_us=midnight(day, provider.zone)) for amount, day in rows)
    return settle(invoice.total_with_vat_minor, settlements)


def new_standing(invoice: Invoice) -> Standing:
    """Of a document that is being issued, and settles nothing itself: nothing can have settled it yet."""
    return settle(invoice.total_with_vat_minor or 0, ())


def observed_standing(tx: Transaction, invoice: Settled, provider: Provider, moment: Moment = NOW) -> Standing | None:
    """What its source last showed as paid and due of a recorded document; None where it never did, or not by then.

    By value date, payments that the source dated count by their dates. Where it dated none, what it was seen to show by
    then counts: a later word does not tell when the money came.
    """
    if invoice.origin is not Origin.RECORDED:
        return None
    observed = tx.sources.observed(invoice.account_id, invoice.id, as_of_us=moment.as_of_us)
    if observed is None or moment.on is None:
        return observed
    if observed.settlements is None:
        seen_before_us = midnight(min(moment.on, _LAST_DAY) + timedelta(days=1), provider.zone)
        return tx.sources.observed(invoice.account_id, invoice.id, as_of_us=moment.as_of_us, seen_before_us=seen_before_us)
    dated = tuple(item for item in observed.settlements if legal_date(item.paid_at_us, provider.zone) <= moment.on)
    later_minor = sum(item.amount_minor for item in observed.settlements) - sum(item.amount_minor for item in dated)
    return Standing(
        paid_minor=None if observed.paid_minor is None else observed.paid_minor - later_minor,
        due_minor=None if observed.due_minor is None else observed.due_minor + later_minor,
        settlements=dated,
    )


def _asked_for(tx: Transaction, pro_forma: Settled, moment: Moment) -> list[tuple[int, date]]:
    """What came in for a pro-forma: once it is invoiced, what settles the invoice; until then, the money that is meant for it.

    That money is credit of the account. What of it went elsewhere, or is more than was asked for, is not shown here.
    """
    invoice_id = tx.invoices.of_pro_forma(pro_forma.account_id, pro_forma.id)
    if invoice_id is not None and (moment.is_now or tx.invoices.get(pro_forma.account_id, invoice_id, moment) is not None):
        return tx.payments.settlements(pro_forma.account_id, invoice_id, moment)
    prepaid = tx.payments.prepaid(pro_forma.account_id, pro_forma.id, moment)
    parts = allocate(pro_forma.total_with_vat_minor or 0, [item.credit_minor for item in prepaid])
    return [(part, item.paid_on) for part, item in zip(parts, prepaid, strict=True) if part]


def render(dialect: Dialect, invoice: Invoice, standing: Standing, provider: Provider, *, ordinal: int | None = None) -> ListingRow:
    """The row of a document's standing, with its wire forms."""
    return ListingRow(
        account_id=invoice.account_id,
        invoice_id=invoice.id,
        ordinal=ordinal,
        created_at_us=invoice.created_at_us,
        wire_id=invoice.wire_id,
        number_folded=invoice.number.casefold(),
        paid_minor=standing.paid_minor,
        due_minor=standing.due_minor,
        dialect_version=dialect.version,
        item=dialect.render_item(invoice, standing, provider),
        single=dialect.render_single(invoice, standing, provider),
    )


def refresh(tx: Transaction, books: Books, provider: Provider, invoice: Invoice) -> Standing:
    """Render a document again after a payment, a credit note or a source's word; and the pro-forma it was made from with it."""
    standing = current_standing(tx, invoice, provider)
    tx.listings.refresh(render(books.dialects[provider.dialect], invoice, standing, provider))
    tx.accounts.revise(invoice.account_id)
    if invoice.pro_forma_id is not None:
        refresh_pro_forma(tx, books, provider, invoice.account_id, invoice.pro_forma_id)
    return standing


def refresh_pro_forma(tx: Transaction, books: Books, provider: Provider, account_id: int, pro_forma_id: int | None) -> None:
    """Render a pro-forma again, if there is one, after money meant for it moved."""
    pro_forma = None if pro_forma_id is None else tx.invoices.get(account_id, pro_forma_id)
    if pro_forma is not None:
        refresh(tx, books, provider, pro_forma)


def publish(tx: Transaction, books: Books, provider: Provider, account_id: int, new: Sequence[tuple[Invoice, Standing]]) -> None:
    """Give new documents of one account their standings and their places in its list.

    The account must be locked; where its list ends is read here, since a transaction may publish twice.
    """
    account = tx.accounts.get(account_id)
    if account is None:
        raise AssertionError("the account is locked, so it is there")
    publish_all(tx, books, provider, [(account, new)])


def publish_all(tx: Transaction, books: Books, provider: Provider, new: Sequence[tuple[Account, Sequence[tuple[Invoice, Standing]]]]) -> list[Account]:
    """The same for several accounts, each given once, as it is now; the accounts as they are then.

    Newer than all: after the last. Older than all: before the first. In between: the shorter side moves, once for
    all documents given.
    """
    dialect = books.dialects[provider.dialect]
    newest = tx.listings.keys_at((account.id, account.last_ordinal) for account, _ in new)
    rows: list[ListingRow] = []
    between: list[tuple[Account, int, ListKey, ListKey]] = []
    after: dict[int, Account] = {}
    for account, entries in new:
        ordered = sorted(entries, key=_entry_key) if len(entries) > 1 else entries
        listed = [entry for entry in ordered if dialect.lists(entry[0].type_code)]
        rows += [render(dialect, invoice, standing, provider) for invoice, standing in ordered if not dialect.lists(invoice.type_code)]
        if not listed:
            continue
        count, first, last = len(listed), account.first_ordinal, account.last_ordinal
        low, high = _key(listed[0][0]), _key(listed[-1][0])
        if account.id not in newest or low > newest[account.id]:
            places = range(last + 1, last + 1 + count)
            after[account.id] = account.with_ends(first, last + count)
        elif high < (tx.listings.key_at(account.id, first) or low):
            places = range(first - count, first)
            after[account.id] = account.with_ends(first - count, last)
        else:
            places = range(-count, 0)
            between.append((account, count, low, high))
        rows += [render(dialect, invoice, standing, provider, ordinal=place) for (invoice, standing), place in zip(listed, places, strict=True)]
    tx.listings.insert(rows)
    for account, count, low, high in between:
        after[account.id] = account.with_ends(*_interleave(tx, account, count, low, high))
    for account, entries in new:
        part(tx, account, [(_key(invoice), invoice.number.casefold()) for invoice, _ in entries if dialect.lists(invoice.type_code)])
    tx.accounts.set_ends_all((account.id, account.first_ordinal, account.last_ordinal) for account in after.values())
    return list(after.values())


def _interleave(tx: Transaction, account: Account, count: int, low: ListKey, high: ListKey) -> tuple[int, int]:
    """Number the list anew from the lowest new key up, or from the highest down, whichever touches fewer rows.

    Moving a side takes two passes, moving the whole list to ordinals that were never used takes one: so where the
    shorter side is more than half, the list moves.
    """
    first, last = account.first_ordinal, account.last_ordinal
    above_low = tx.listings.first_after(account.id, low)
    above_high = tx.listings.first_after(account.id, high)
    upper_start = last + 1 if above_low is None else above_low
    lower_end = last if above_high is None else above_high - 1
    upper, lower = last + 1 - upper_start, lower_end + 1 - first
    if 2 * min(upper, lower) > account.listed_total:
        tx.listings.renumber(account.id, first_ordinal=last + 1, from_key=_OLDEST, to_key=_NEWEST, is_fresh=True)
        return last + 1, last + account.listed_total + count
    if upper <= lower:
        tx.listings.renumber(account.id, first_ordinal=upper_start, from_key=low, to_key=_NEWEST, is_fresh=False)
        return first, last + count
    tx.listings.renumber(account.id, first_ordinal=first - count, from_key=_OLDEST, to_key=high, is_fresh=False)
    return first - count, last


def replace_key(tx: Transaction, account: Account, invoice: Invoice) -> None:
    """Put a listed document where its corrected creation instant belongs. Rare, so the whole list is numbered anew."""
    tx.listings.rekey(account.id, invoice.id, invoice.created_at_us)
    tx.listings.rekey_parts(account.id, number_parts(invoice.number.casefold()), key=_key(invoice))
    tx.listings.renumber(account.id, first_ordinal=account.last_ordinal + 1, from_key=_OLDEST, to_key=_NEWEST, is_fresh=True)
    tx.accounts.set_ends(account.id, first_ordinal=account.last_ordinal + 1, last_ordinal=account.last_ordinal + account.listed_total)


def restore(books: Books, provider: Provider, *, batch_size: int = 500) -> int:
    """Render standings that an older release of the dialect made, a batch a transaction; returns how many."""
    done = 0
    while True:
        with books.storage.writing(bulk=True) as tx:
            stale = tx.listings.stale(provider.id, dialect_version=books.dialects[provider.dialect].version, limit=batch_size)
            for account_id in sorted({account_id for account_id, _ in stale}):
                tx.accounts.lock(account_id)
            for account_id, invoice_id in stale:
                invoice = tx.invoices.get(account_id, invoice_id)
                if invoice is not None:
                    refresh(tx, books, provider, invoice)
        done += len(stale)
        if len(stale) < batch_size:
            return done


def render_now(books: Books, *, account_id: int, invoice_id: int, single: bool) -> bytes:
    """A document's wire form by this release's dialect, for a standing that an older one rendered."""
    with books.storage.reading() as tx:
        invoice = tx.invoices.get(account_id, invoice_id)
        account = tx.accounts.get(account_id)
        if invoice is None or account is None:
            raise NotFoundError
        provider = tx.providers.get(account.provider_id)
        row = render(books.dialects[provider.dialect], invoice, current_standing(tx, invoice, provider), provider)
    return row.item if not single else row.single or b""


def _key(invoice: Invoice) -> ListKey:
    return invoice.created_at_us, invoice.wire_id


def _entry_key(entry: tuple[Invoice, Standing]) -> ListKey:
    return _key(entry[0])


def is_owed(type_code: TypeCode | None) -> bool:
    """A pro-forma asks for money but is not owed, so nothing can be allocated to it."""
    return type_code is not TypeCode.PRO_FORMA
