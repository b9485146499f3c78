"""Closed periods, proofs of VAT ids, and the documents of a VAT report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby

from faktura.domain.invoice import Invoice
from faktura.domain.period import PeriodLock
from faktura.domain.vat_check import VatIdCheck
from faktura.storage.driver import Driver, Row
from faktura.storage.rows import flat_row, to_invoice, to_vat_breakdown


class VatRows:
    """See `faktura.ledger.ports.VatStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def insert_lock(self, lock: PeriodLock) -> None:
        """Write a lock. The caller holds all series of the provider."""
        self._driver.run(
            "period_lock_insert",
            provider_id=lock.provider_id,
            lock_id=lock.id,
            locked_through=lock.locked_through.isoformat(),
            actor=lock.actor,
            recorded_at_us=lock.recorded_at_us,
        )

    def last_lock(self, provider_id: int) -> PeriodLock | None:
        """The lock in force."""
        row = self._driver.one("period_lock_last", provider_id=provider_id)
        return None if row is None else _to_lock(row)

    def lock(self, provider_id: int, lock_id: int) -> PeriodLock | None:
        """The provider's lock of that id."""
        row = self._driver.one("period_lock_get", provider_id=provider_id, lock_id=lock_id)
        return None if row is None else _to_lock(row)

    def lock_count(self, provider_id: int) -> int:
        """How many locks a provider's books ever had."""
        row = self._driver.one("period_lock_count", provider_id=provider_id)
        return 0 if row is None else int(row["locks"])

    def insert_check(self, check: VatIdCheck) -> None:
        """Write the proof of a VAT id."""
        self._driver.run("vat_id_check_insert", **flat_row(check) | {"is_valid": int(check.is_valid)})

    def check(self, account_id: int, check_id: int) -> VatIdCheck | None:
        """The account's proof of that id."""
        row = self._driver.one("vat_id_check_get", account_id=account_id, check_id=check_id)
        return None if row is None else _to_check(row)

    def checks(self, account_id: int) -> list[VatIdCheck]:
        """The account's proofs, oldest first."""
        return [_to_check(row) for row in self._driver.all("vat_id_check_all", account_id=account_id)]

    def taxed(self, provider_id: int, *, start: date, end: date) -> Iterator[Invoice]:
        """Issued 380, 381 and 383 with a tax point in a period, in number order, without their lines, allowances and charges."""
        rows = self._driver.stream("vat_taxed", provider_id=provider_id, start=start.isoformat(), end=end.isoformat())
        for _, parts in groupby(rows, key=lambda row: (row["account_id"], row["invoice_id"])):
            groups = list(parts)
            breakdown = tuple(to_vat_breakdown(group) for group in groups)
            yield to_invoice(groups[0], lines=(), allowances_charges=(), vat_breakdown=breakdown)


def _to_lock(row: Row) -> PeriodLock:
    return PeriodLock(
        id=row["lock_id"],
        provider_id=row["provider_id"],
        locked_through=date.fromisoformat(row["locked_through"]),
        actor=row["actor"],
        recorded_at_us=row["recorded_at_us"],
    )


def _to_check(row: Row) -> VatIdCheck:
    return VatIdCheck(**dict(zip(row.keys(), row, strict=True)) | {"is_valid": bool(row["is_valid"])})
