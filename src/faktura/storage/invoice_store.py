"""Documents: the invoice row, its lines, allowances, charges and VAT breakdown."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from faktura.domain.invoice import AllowanceCharge, Invoice, Origin, TypeCode
from faktura.domain.moment import NOW, Moment
from faktura.domain.money import Currency
from faktura.domain.payment import Standing
from faktura.domain.vat import VatBreakdown
from faktura.ledger.ports import BillingKey, MovedIn, Overview
from faktura.ledger.selection import DocumentAmounts, Place, Selection
from faktura.storage.document_rows import (
    BREAKDOWN_COLUMNS,
    LINE_COLUMNS,
    allowance_charge_row,
    invoice_row,
    invoice_values,
    line_values,
    vat_breakdown_values,
)
from faktura.storage.driver import Driver, Row
from faktura.storage.rows import flat_row, moment_row, to_allowance_charge, to_date, to_invoice, to_line, to_vat_breakdown

_PAGE_MAX = 10_000
"""A longer list is read as it goes, and not held."""


class InvoiceRows:
    """See `faktura.ledger.ports.InvoiceStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def insert(self, invoices: Sequence[Invoice]) -> None:
        """Write documents with all that hangs on them."""
        self._driver.many("invoice_insert", map(invoice_values, invoices))
        self.insert_parts(invoices)

    def insert_parts(self, invoices: Sequence[Invoice]) -> None:
        """Write what hangs on documents whose row is there already."""
        self._driver.many("line_insert", _lines(invoices))
        self._driver.many("allowance_charge_insert", _allowances_charges(invoices))
        self._driver.many("vat_breakdown_insert", _vat_breakdowns(invoices))

    def get(self, account_id: int, invoice_id: int, moment: Moment = NOW) -> Invoice | None:
        """The account's document of that ledger id, if it counts at that moment, as it was known then."""
        found = self._whole(self._driver.one("invoice_get", account_id=account_id, invoice_id=invoice_id), moment)
        return found if found is not None and moment.counts(found.recorded_at_us, found.issue_date) else None

    def written(self, account_id: int, invoice_id: int) -> Invoice | None:
        """The document as it was first written, without what later words of its source added."""
        row = self._driver.one("invoice_get", account_id=account_id, invoice_id=invoice_id)
        if row is None:
            return None
        return self._with_parts(dict(zip(row.keys(), row, strict=True)))

    def is_canonical(self, account_id: int, invoice_id: int) -> bool:
        """Whether the stored rows are exactly those that writing the document again would make."""
        key = {"account_id": account_id, "invoice_id": invoice_id}
        written, whole = self.written(account_id, invoice_id), self.get(account_id, invoice_id)
        if written is None or whole is None:
            return False
        stored = {name: self._driver.all(name, **key) for name in ("invoice_get", "line_all", "allowance_charge_all", "vat_breakdown_all")}
        made = {
            "invoice_get": [invoice_row(written)],
            "line_all": [dict(zip(LINE_COLUMNS, values, strict=True)) for values in _lines([whole])],
            "allowance_charge_all": sorted(_allowances_charges([whole]), key=lambda row: (row["line_number"], row["position"])),
            "vat_breakdown_all": [dict(zip(BREAKDOWN_COLUMNS, values, strict=True)) for values in _vat_breakdowns([whole])],
        }
        return all([dict(zip(row.keys(), row, strict=True)) for row in rows] == list(made[name]) for name, rows in stored.items())

    def by_wire_id(self, account_id: int, wire_id: int) -> Invoice | None:
        """The account's document of that wire id."""
        return self._whole(self._driver.one("invoice_by_wire_id", account_id=account_id, wire_id=wire_id))

    def by_source_wire_id(self, account_id: int, wire_id: int) -> Invoice | None:
        """The account's document to which a source gave that id."""
        return self._whole(self._driver.one("invoice_by_source_wire_id", account_id=account_id, wire_id=wire_id))

    def by_number(self, account_id: int, number: str) -> list[Invoice]:
        """The account's documents of that number: one for each type, or what a source repeated."""
        rows = self._driver.all("invoice_by_number", account_id=account_id, number=number)
        return [found for row in rows if (found := self._whole(row)) is not None]

    def known_numbers(self, numbers: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
        """Those of (account, number) that a document of that account bears."""
        asked = [{"account_id": account_id, "number": number} for account_id, number in numbers]
        return {(row["account_id"], row["number"]) for row in self._driver.each("invoice_number_known", asked)}

    def account_of(self, invoice_id: int) -> int | None:
        """Whose document that is. For operators only: a customer's request never asks without an account."""
        row = self._driver.one("invoice_account", invoice_id=invoice_id)
        return None if row is None else row["account_id"]

    def credited_minor(self, account_id: int, invoice_id: int, moment: Moment = NOW) -> int:
        """The sum of the credit notes that correct a document, of those that count at a moment."""
        key = {"account_id": account_id, "invoice_id": invoice_id}
        if moment.is_now:
            rows = self._driver.assemble(["invoice_credited"], **key)
        else:
            rows = self._driver.assemble(["invoice_credited", "invoice_credited_moment"], **key, **moment_row(moment))
        return sum(int(row["credited_minor"]) for row in rows)

    def credited_vat(self, account_id: int, invoice_id: int) -> list[VatBreakdown]:
        """The VAT groups of the credit notes that correct a document."""
        return [to_vat_breakdown(row) for row in self._driver.all("invoice_credited_vat", account_id=account_id, invoice_id=invoice_id)]

    def of_pro_forma(self, account_id: int, pro_forma_id: int) -> int | None:
        """The invoice that was made from a pro-forma, if there is one."""
        row = self._driver.one("invoice_of_pro_forma", account_id=account_id, pro_forma_id=pro_forma_id)
        return None if row is None else row["invoice_id"]

    def billed(self, account_id: int, period: str, product: str) -> int | None:
        """The document that bills a product for a period, if there is one."""
        row = self._driver.one("billing_item_get", account_id=account_id, period=period, product=product)
        return None if row is None else row["invoice_id"]

    def billed_all(self, keys: Iterable[tuple[int, str, str]]) -> dict[tuple[int, str, str], int]:
        """The documents that bill (account, period, product), of those that are billed."""
        rows = self._driver.each("billing_item_find", [{"account_id": account, "period": period, "product": product} for account, period, product in keys])
        return {(row["account_id"], row["period"], row["product"]): row["invoice_id"] for row in rows}

    def bill(self, items: Iterable[tuple[Invoice, BillingKey]]) -> None:
        """Keep that products are billed for a period; the table's key refuses a second time."""
        self._driver.many("billing_item_insert", [(item.account_id, key.period, key.product, item.id, key.recorded_at_us) for item, key in items])

    def move_in(self, account_id: int, invoice_id: int, moved: MovedIn) -> None:
        """Keep that a document was issued elsewhere."""
        self._driver.run("moved_in_insert", account_id=account_id, invoice_id=invoice_id, **flat_row(moved))

    def moved_in(self, account_id: int, invoice_id: int) -> MovedIn | None:
        """What is kept of a document that was issued elsewhere; None for one that was issued here."""
        row = self._driver.one("moved_in_get", account_id=account_id, invoice_id=invoice_id)
        return None if row is None else MovedIn(**dict(zip(row.keys(), row, strict=True)))

    def overview(self, selection: Selection) -> Iterator[Overview]:
        """Documents of accounts as an operator selects them, without their lines, as they were known at the selection's moment."""
        fragments, given = _selected(selection)
        rows = self._driver.assemble(fragments, **given) if selection.limit <= _PAGE_MAX else self._driver.stream(*fragments, **given)
        for row in rows:
            yield Overview(
                invoice=to_invoice(self._enriched(row, selection.moment), lines=(), allowances_charges=(), vat_breakdown=()),
                provider=row["provider_name"],
                is_test=json.loads(row["provider_settings"]).get("is_test", False),
                account=row["account_reference"],
                standing=Standing(paid_minor=row["paid_minor"], due_minor=row["due_minor"]),
            )

    def place(self, invoice_id: int) -> Place | None:
        """Where a document stands in lists. For operators only, as it asks without an account."""
        row = self._driver.one("invoice_place", invoice_id=invoice_id)
        return None if row is None else Place(**dict(zip(row.keys(), row, strict=True)))

    def bills_order(self, invoice: Invoice, order_id: int) -> bool:
        """Whether a document or one of its lines bills an order, as far as the given document is known to have lines."""
        if order_id in (invoice.order_ids or ()):
            return True
        key = {"account_id": invoice.account_id, "invoice_id": invoice.id}
        return invoice.lines is not None and self._driver.one("line_of_order", **key, order_id=order_id) is not None

    def amounts(self, account_id: int, moment: Moment) -> Iterator[DocumentAmounts]:
        """What a balance adds up of the account's documents that count at a moment, as they were known then."""
        for row in self._driver.stream("invoice_amounts", account_id=account_id, **moment_row(moment)):
            yield DocumentAmounts(
                id=row["invoice_id"],
                account_id=row["account_id"],
                origin=Origin(row["origin"]),
                type_code=None if row["type_code"] is None else TypeCode(row["type_code"]),
                currency=Currency(row["currency"]),
                total_with_vat_minor=row["total_with_vat_minor"] if row["added_total"] is None else json.loads(row["added_total"]),
                due_date=to_date(row["due_date"] if row["added_due_date"] is None else json.loads(row["added_due_date"])),
                is_observed=bool(row["is_observed"]),
                standing=Standing(paid_minor=row["paid_minor"], due_minor=row["due_minor"]),
            )

    def _whole(self, row: Row | None, moment: Moment = NOW) -> Invoice | None:
        return None if row is None else self._with_parts(self._enriched(row, moment))

    def _with_parts(self, row: dict[str, Any]) -> Invoice:
        key = {"account_id": row["account_id"], "invoice_id": row["invoice_id"]}
        adjustments: dict[int, list[AllowanceCharge]] = defaultdict(list)
        for item in self._driver.all("allowance_charge_all", **key):
            adjustments[item["line_number"]].append(to_allowance_charge(item))
        return to_invoice(
            row,
            lines=tuple(to_line(line, tuple(adjustments[line["line_number"]])) for line in self._driver.all("line_all", **key)),
            allowances_charges=tuple(adjustments[0]),
            vat_breakdown=tuple(to_vat_breakdown(group) for group in self._driver.all("vat_breakdown_all", **key)) if row["breakdown_count"] else (),
        )

    def _enriched(self, row: Row, moment: Moment) -> dict[str, Any]:
        """The row with what later sources had added to it by then. A source's later word is of its own date, so only the instant counts."""
        columns = dict(zip(row.keys(), row, strict=True))
        if columns["origin"] == "recorded":
            key = {"account_id": row["account_id"], "invoice_id": row["invoice_id"], "as_of_us": moment_row(moment)["as_of_us"]}
            for term in self._driver.all("enrichment_all", **key):
                columns[term["term"]] = json.loads(term["value"])
        return columns


def _selected(selection: Selection) -> tuple[list[str], dict[str, object]]:
    """The fragments of a selection's statement, and their parameters. A value decides which fragments there are, never what they say."""
    given: dict[str, object] = {"limit": selection.limit}
    fragments = ["overview"]
    for name, value in (("provider", selection.provider), ("account", selection.account), ("number", selection.number), ("currency", selection.currency)):
        if value is not None:
            fragments.append(f"overview_{name}")
            given[name] = value
    if selection.number_folded is not None:
        fragments.append("overview_number_folded")
        given["number_folded"] = selection.number_folded
    if selection.type_codes:
        fragments.append("overview_types")
        given |= {f"type_{place + 1}": selection.type_codes[place % len(selection.type_codes)].value for place in range(len(TypeCode))}
    beside = "" if selection.sort is None or selection.sort.term == "issue_date" else "_beside"
    for name, term, day in (("from", "issued_from", selection.issued_from), ("to", "issued_to", selection.issued_to), ("on", "on_date", selection.moment.on)):
        if day is not None:
            fragments.append(f"overview_{name}{beside}")
            given[term] = day.isoformat()
    if selection.moment.as_of_us is not None:
        fragments.append("overview_as_of")
        given["as_of_us"] = selection.moment.as_of_us
    fragments += [name for name, asked in (("overview_open", selection.is_open), ("overview_due", selection.is_due)) if asked]
    return fragments + _ordered(selection, given), given


def _ordered(selection: Selection, given: dict[str, object]) -> list[str]:
    """The fragments of whose documents, after which and in which order; their parameters are added."""
    sort, after = selection.sort, selection.after
    fragments = []
    if selection.account_id is not None:
        fragments.append("overview_account_id" if selection.number_folded is None else "overview_number_of_account")
        given["account_id"] = selection.account_id
    elif selection.provider_id is not None:
        along = "overview_provider_ids" if sort is None or sort.term == "id" else "overview_provider_id"
        fragments.append(along if selection.number_folded is None else "overview_number_of_provider")
        given["provider_id"] = selection.provider_id
    if sort is None:
        return [*fragments, "overview_order"]
    if after is not None:
        fragments.append(f"overview_{'before' if sort.is_descending else 'after'}_{sort.term}")
        given["after_id"] = after.invoice_id
        if sort.term != "id":
            given["after_term"] = getattr(after, sort.term)
    return [*fragments, f"overview_by_{sort.term}{'_descending' if sort.is_descending else ''}"]


def _lines(invoices: Iterable[Invoice]) -> Iterator[tuple[object, ...]]:
    for invoice in invoices:
        for number, line in enumerate(invoice.lines or (), 1):
            yield line_values(line, account_id=invoice.account_id, invoice_id=invoice.id, line_number=number)


def _allowances_charges(invoices: Iterable[Invoice]) -> Iterator[dict[str, object]]:
    for invoice in invoices:
        groups = [(0, invoice.allowances_charges)]
        groups += [(number, line.allowances_charges) for number, line in enumerate(invoice.lines or (), 1) if line.allowances_charges]
        for number, items in groups:
            for position, item in enumerate(items, 1):
                yield allowance_charge_row(item, account_id=invoice.account_id, invoice_id=invoice.id, line_number=number, position=position)


def _vat_breakdowns(invoices: Iterable[Invoice]) -> Iterator[tuple[object, ...]]:
    for invoice in invoices:
        for position, group in enumerate(invoice.vat_breakdown, 1):
            yield vat_breakdown_values(group, account_id=invoice.account_id, invoice_id=invoice.id, position=position)
