"""How far a source was collected, and what it contradicted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import groupby

from faktura.domain.invoice import TypeCode
from faktura.domain.recorded import Difference, SourceKind
from faktura.ledger.collecting_ports import CollectedDocument, CollectedNumber, Contradiction, Double
from faktura.storage.driver import Driver, Row


class CollectedRows:
    """See `faktura.ledger.collecting_ports.CollectedStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def count(self, account_id: int) -> int:
        """How many documents of the account a source gave."""
        row = self._driver.one("collected_count", account_id=account_id)
        return 0 if row is None else int(row["documents"])

    def absent(self, account_id: int) -> list[CollectedDocument]:
        """Those that their source did not show any more, newest first."""
        return [_document(row) for row in self._driver.all("collected_absent", account_id=account_id)]

    def due(self, account_id: int) -> list[CollectedDocument]:
        """Those with an amount due that is known and not nothing, newest first."""
        return [_document(row) for row in self._driver.all("collected_due", account_id=account_id)]

    def without_single(self, account_id: int, *, before: int, limit: int) -> list[CollectedDocument]:
        """Those before an ordinal whose source was not asked for them alone since its list last said anything new, newest first."""
        return [_document(row) for row in self._driver.all("collected_without_single", account_id=account_id, before=before, limit=limit)]

    def without_single_count(self, account_id: int) -> int:
        """How many these are in all."""
        row = self._driver.one("collected_without_single_count", account_id=account_id)
        return 0 if row is None else int(row["documents"])

    def all(self, account_id: int, *, before_us: int) -> Iterable[CollectedDocument]:
        """All that a source gave and that were recorded before an instant, by the source's id."""
        return (_document(row) for row in self._driver.stream("collected_all", account_id=account_id, before_us=before_us))

    def numbers(self, account_id: int) -> Iterable[CollectedNumber]:
        """Their numbers, in no order."""
        for row in self._driver.stream("collected_numbers", account_id=account_id):
            type_code = None if row["type_code"] is None else TypeCode(row["type_code"])
            yield CollectedNumber(number=row["number"], type_code=type_code, issue_date=date.fromisoformat(row["issue_date"]))

    def doubles(self, account_id: int) -> list[Double]:
        """Numbers that several documents of a type bear."""
        return [
            Double(
                account=row["reference"],
                number=row["number"],
                type_code=None if row["type_code"] is None else TypeCode(row["type_code"]),
                count=row["documents"],
                last_invoice_id=row["last_invoice_id"],
            )
            for row in self._driver.all("collected_doubles", account_id=account_id)
        ]

    def contradicted_count(self, provider_id: int) -> int:
        """How many documents of the provider were contradicted by their sources."""
        row = self._driver.one("contradicted_count", provider_id=provider_id)
        return 0 if row is None else int(row["documents"])

    def contradictions(self, provider_id: int, *, since_us: int) -> Iterable[Contradiction]:
        """What contradicted the ledger since an instant, in the order in which it came."""
        rows = self._driver.stream("contradictions", provider_id=provider_id, since_us=since_us)
        for _, group in groupby(rows, key=lambda row: (row["account_id"], row["source_id"])):
            yield _contradiction(list(group))


def _document(row: Row) -> CollectedDocument:
    return CollectedDocument(invoice_id=row["invoice_id"], wire_id=row["source_wire_id"], ordinal=row["ordinal"])


def _contradiction(rows: list[Row]) -> Contradiction:
    first = rows[0]
    return Contradiction(
        account_id=first["account_id"],
        account=first["reference"],
        invoice_id=first["invoice_id"],
        number=first["number"],
        source_id=first["source_id"],
        kind=SourceKind(first["kind"]),
        seen_at_us=first["seen_at_us"],
        recorded_at_us=first["recorded_at_us"],
        differences=tuple(Difference(term=row["term"], kept=row["kept"], heard=row["heard"]) for row in rows),
        kept_body=bytes(first["kept_body"]),
        heard_body=bytes(first["heard_body"]),
    )
