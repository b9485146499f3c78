"""Documents: the invoice row, its lines, allowances, charges and VAT breakdown."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from faktura.domain.invoice import AllowanceCharge, Invoice
from faktura.domain.payment import Standing
from faktura.ledger.ports import BillingKey, MovedIn, Overview
from faktura.storage.driver import Driver, Row
from faktura.storage.rows import (
    allowance_charge_row,
    flat_row,
    invoice_row,
    line_row,
    to_allowance_charge,
    to_invoice,
    to_line,
    to_vat_breakdown,
    vat_breakdown_row,
)


class InvoiceRows:
    """See `faktura.ledger.ports.InvoiceStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def insert(self, invoices: Sequence[Invoice]) -> None:
        """Write documents with all that hangs on them."""
        self._driver.many("invoice_insert", [invoice_row(invoice) for invoice in invoices])
        self.insert_parts(invoices)

    def insert_parts(self, invoices: Sequence[Invoice]) -> None:
        """Write what hangs on documents whose row is there already."""
        self._driver.many("line_insert", _lines(invoices))
        self._driver.many("allowance_charge_insert", _allowances_charges(invoices))
        self._driver.many("vat_breakdown_insert", _vat_breakdowns(invoices))

    def get(self, account_id: int, invoice_id: int) -> Invoice | None:
        """The account's document of that ledger id."""
        return self._whole(self._driver.one("invoice_get", account_id=account_id, invoice_id=invoice_id))

    def written(self, account_id: int, invoice_id: int) -> Invoice | None:
        """The document as it was first written, without what later words of its source added."""
        row = self._driver.one("invoice_get", account_id=account_id, invoice_id=invoice_id)
        if row is None:
            return None
        return self._with_parts(dict(zip(row.keys(), row, strict=True)))

    def is_canonical(self, account_id: int, invoice_id: int) -> bool:
        """Whether the stored rows are exactly those that writing the document again would make."""
        key = {"account_id": account_id, "invoice_id": invoice_id}
        written, whole = self.written(**key), self.get(**key)
        if written is None or whole is None:
            return False
        stored = {name: self._driver.all(name, **key) for name in ("invoice_get", "line_all", "allowance_charge_all", "vat_breakdown_all")}
        made = {
            "invoice_get": [invoice_row(written)],
            "line_all": _lines([whole]),
            "allowance_charge_all": sorted(_allowances_charges([whole]), key=lambda row: (row["line_number"], row["position"])),
            "vat_breakdown_all": _vat_breakdowns([whole]),
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

    def account_of(self, invoice_id: int) -> int | None:
        """Whose document that is. For operators only: a customer's request never asks without an account."""
        row = self._driver.one("invoice_account", invoice_id=invoice_id)
        return None if row is None else row["account_id"]

    def credited_minor(self, account_id: int, invoice_id: int) -> int:
        """The sum of the credit notes that correct a document."""
        row = self._driver.one("invoice_credited", account_id=account_id, invoice_id=invoice_id)
        return int(row["credited_minor"]) if row else 0

    def of_pro_forma(self, account_id: int, pro_forma_id: int) -> int | None:
        """The invoice that was made from a pro-forma, if there is one."""
        row = self._driver.one("invoice_of_pro_forma", account_id=account_id, pro_forma_id=pro_forma_id)
        return None if row is None else row["invoice_id"]

    def billed(self, account_id: int, period: str, product: str) -> int | None:
        """The document that bills a product for a period, if there is one."""
        row = self._driver.one("billing_item_get", account_id=account_id, period=period, product=product)
        return None if row is None else row["invoice_id"]

    def bill(self, account_id: int, invoice_id: int, key: BillingKey) -> None:
        """Keep that a product is billed for a period; the table's key refuses a second time."""
        self._driver.run("billing_item_insert", account_id=account_id, invoice_id=invoice_id, **flat_row(key))

    def move_in(self, account_id: int, invoice_id: int, moved: MovedIn) -> None:
        """Keep that a document was issued elsewhere."""
        self._driver.run("moved_in_insert", account_id=account_id, invoice_id=invoice_id, **flat_row(moved))

    def moved_in(self, account_id: int, invoice_id: int) -> MovedIn | None:
        """What is kept of a document that was issued elsewhere; None for one that was issued here."""
        row = self._driver.one("moved_in_get", account_id=account_id, invoice_id=invoice_id)
        return None if row is None else MovedIn(**dict(zip(row.keys(), row, strict=True)))

    def overview(self, *, provider: str | None, account: str | None, number: str | None, is_open: bool, limit: int) -> Iterator[Overview]:
        """Documents of all accounts, newest first, as an operator filters them."""
        fragments = ["overview"]
        filters = {"provider": provider, "account": account, "number": number}
        fragments += [f"overview_{name}" for name, value in filters.items() if value is not None]
        if is_open:
            fragments.append("overview_open")
        given = {name: value for name, value in filters.items() if value is not None}
        for row in self._driver.assemble([*fragments, "overview_order"], **given, limit=limit):
            yield Overview(
                invoice=to_invoice(self._enriched(row), lines=(), allowances_charges=(), vat_breakdown=()),
                provider=row["provider_name"],
                is_test=json.loads(row["provider_settings"]).get("is_test", False),
                account=row["account_reference"],
                listed=row["ordinal"] is not None,
                standing=Standing(paid_minor=row["paid_minor"], due_minor=row["due_minor"]),
            )

    def _whole(self, row: Row | None) -> Invoice | None:
        return None if row is None else self._with_parts(self._enriched(row))

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

    def _enriched(self, row: Row) -> dict[str, Any]:
        """The row with what later sources added to it."""
        columns = dict(zip(row.keys(), row, strict=True))
        if columns["origin"] == "recorded":
            for term in self._driver.all("enrichment_all", account_id=row["account_id"], invoice_id=row["invoice_id"]):
                columns[term["term"]] = json.loads(term["value"])
        return columns


def _lines(invoices: Iterable[Invoice]) -> Iterator[dict[str, object]]:
    for invoice in invoices:
        for number, line in enumerate(invoice.lines or (), 1):
            yield line_row(line, account_id=invoice.account_id, invoice_id=invoice.id, line_number=number)


def _allowances_charges(invoices: Iterable[Invoice]) -> Iterator[dict[str, object]]:
    for invoice in invoices:
        groups = [(0, invoice.allowances_charges)]
        groups += [(number, line.allowances_charges) for number, line in enumerate(invoice.lines or (), 1) if line.allowances_charges]
        for number, items in groups:
            for position, item in enumerate(items, 1):
                yield allowance_charge_row(item, account_id=invoice.account_id, invoice_id=invoice.id, line_number=number, position=position)


def _vat_breakdowns(invoices: Iterable[Invoice]) -> Iterator[dict[str, object]]:
    for invoice in invoices:
        for position, group in enumerate(invoice.vat_breakdown, 1):
            yield vat_breakdown_row(group, account_id=invoice.account_id, invoice_id=invoice.id, position=position)
