"""Drafts, answers by idempotency key, billing runs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from faktura.ledger.management_ports import Answer, BillingRun, ItemOutcome, KeptAnswer, RunItem, RunState, StoredDraft
from faktura.storage.driver import Driver, Row


class DraftRows:
    """See `faktura.ledger.management_ports.DraftStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def insert(self, draft: StoredDraft) -> None:
        """Write a new draft."""
        self._driver.run("draft_insert", account_id=draft.account_id, draft_id=draft.id, created_at_us=draft.created_at_us, **_changing(draft))

    def get(self, provider_id: int, draft_id: int) -> StoredDraft | None:
        """The provider's draft of that id."""
        row = self._driver.one("draft_get", provider_id=provider_id, draft_id=draft_id)
        return None if row is None else _to_draft(row)

    def set(self, draft: StoredDraft) -> None:
        """Write a draft's new text and revision."""
        self._driver.run("draft_set", account_id=draft.account_id, draft_id=draft.id, **_changing(draft))

    def delete(self, draft: StoredDraft) -> None:
        """Remove a draft: it was issued, or is not wanted."""
        self._driver.run("draft_delete", account_id=draft.account_id, draft_id=draft.id)

    def page(self, provider_id: int, *, account_id: int | None, after: int, limit: int) -> list[StoredDraft]:
        """Drafts of a provider or of one account, oldest first, after an id."""
        key = {"provider_id": provider_id, "after": after, "limit": limit}
        rows = self._driver.all("draft_page", **key) if account_id is None else self._driver.all("draft_page_account", account_id=account_id, **key)
        return [_to_draft(row) for row in rows]


class AnswerRows:
    """See `faktura.ledger.management_ports.AnswerStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def claim(self, provider_id: int, key: str, *, fingerprint: bytes, now_us: int) -> KeptAnswer | None:
        """Take the key for this transaction, or give what was answered under it. Waits for a transaction that has it."""
        row = {"provider_id": provider_id, "idempotency_key": key}
        if self._driver.run("idempotency_claim", **row, fingerprint=fingerprint, created_at_us=now_us):
            return None
        kept = self._driver.one("idempotency_get", **row)
        if kept is None:
            raise AssertionError("a key that could not be claimed is there")
        headers = tuple((name, value) for name, value in json.loads(kept["headers"] or "[]"))
        return KeptAnswer(fingerprint=bytes(kept["fingerprint"]), answer=Answer(status=kept["status"] or 0, headers=headers, body=bytes(kept["body"] or b"")))

    def keep(self, provider_id: int, key: str, answer: Answer) -> None:
        """Keep the answer under the key that this transaction claimed."""
        self._driver.run(
            "idempotency_keep", provider_id=provider_id, idempotency_key=key, status=answer.status, headers=json.dumps(answer.headers), body=answer.body
        )


class RunRows:
    """See `faktura.ledger.management_ports.RunStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def insert(self, run: BillingRun) -> None:
        """Write a new run."""
        self._driver.run(
            "billing_run_insert",
            **_progress(run),
            is_dry_run=int(run.is_dry_run),
            actor=run.actor,
            created_at_us=run.created_at_us,
        )

    def set(self, run: BillingRun) -> None:
        """Write how far a run is, and who holds it."""
        self._driver.run("billing_run_set", **_progress(run))

    def get(self, provider_id: int, run_id: int) -> BillingRun | None:
        """The provider's run of that id."""
        row = self._driver.one("billing_run_get", provider_id=provider_id, run_id=run_id)
        return None if row is None else _to_run(row)

    def page(self, provider_id: int, *, before: int, limit: int) -> list[BillingRun]:
        """The provider's runs, newest first, before an id."""
        return [_to_run(row) for row in self._driver.all("billing_run_page", provider_id=provider_id, before=before, limit=limit)]

    def waiting(self, now_us: int) -> list[BillingRun]:
        """Runs of all providers that are not done and that nobody holds now."""
        return [_to_run(row) for row in self._driver.all("billing_run_waiting", now_us=now_us)]

    def delete(self, run: BillingRun) -> None:
        """Remove a run whose input never came in whole."""
        self._driver.run("billing_run_items_delete", provider_id=run.provider_id, run_id=run.id)
        self._driver.run("billing_run_delete", provider_id=run.provider_id, run_id=run.id)

    def insert_items(self, run: BillingRun, items: Sequence[tuple[int, str]]) -> None:
        """Write items: (position, JSON text)."""
        key = {"provider_id": run.provider_id, "run_id": run.id, "outcome": ItemOutcome.WAITING.value}
        self._driver.many("billing_run_item_insert", [{**key, "position": position, "body": body} for position, body in items])

    def set_items(self, run: BillingRun, items: Sequence[RunItem]) -> None:
        """Write what became of items."""
        self._driver.many(
            "billing_run_item_set",
            [
                {
                    "provider_id": run.provider_id,
                    "run_id": run.id,
                    "position": item.position,
                    "outcome": item.outcome.value,
                    "invoice_id": item.invoice_id,
                    "number": item.number,
                    "faults": json.dumps(item.faults) if item.faults else None,
                }
                for item in items
            ],
        )

    def items(self, run: BillingRun, *, outcome: ItemOutcome | None, after: int, limit: int) -> list[RunItem]:
        """A run's items in the order of its input, after a position, without their bodies."""
        key = {"provider_id": run.provider_id, "run_id": run.id, "after": after, "limit": limit}
        rows = (
            self._driver.all("billing_run_item_page", **key)
            if outcome is None
            else self._driver.all("billing_run_item_page_outcome", outcome=outcome.value, **key)
        )
        return [_to_item(row) for row in rows]

    def batch(self, run: BillingRun, *, outcome: ItemOutcome, count_max: int, length_max: int) -> list[RunItem]:
        """A run's first items of an outcome: so many, and so many characters, but at least one."""
        key = {"provider_id": run.provider_id, "run_id": run.id, "outcome": outcome.value}
        count = length = 0
        for row in self._driver.all("billing_run_item_lengths", **key, limit=count_max):
            length += row["length"]
            if count and length > length_max:
                break
            count += 1
        return [_to_item(row) for row in self._driver.all("billing_run_item_batch", **key, limit=count)]

    def counts(self, run: BillingRun) -> dict[ItemOutcome, int]:
        """How many items have come to what."""
        rows = self._driver.all("billing_run_counts", provider_id=run.provider_id, run_id=run.id)
        return {ItemOutcome(row["outcome"]): row["items"] for row in rows}

    def unfinished(self) -> list[tuple[int, int, RunState, dict[ItemOutcome, int]]]:
        """Provider id, id and state of each run that waits or is worked on, and how many of its items have come to what."""
        found: dict[tuple[int, int, RunState], dict[ItemOutcome, int]] = {}
        for row in self._driver.all("billing_run_unfinished"):
            found.setdefault((row["provider_id"], row["run_id"], RunState(row["state"])), {})[ItemOutcome(row["outcome"])] = row["items"]
        return [(*key, counts) for key, counts in found.items()]


def _changing(draft: StoredDraft) -> dict[str, object]:
    return {"document": draft.document, "revision": draft.revision, "updated_at_us": draft.updated_at_us}


def _to_draft(row: Row) -> StoredDraft:
    return StoredDraft(
        id=row["draft_id"],
        account_id=row["account_id"],
        document=row["document"],
        revision=row["revision"],
        created_at_us=row["created_at_us"],
        updated_at_us=row["updated_at_us"],
    )


def _progress(run: BillingRun) -> dict[str, object]:
    return {
        "provider_id": run.provider_id,
        "run_id": run.id,
        "state": run.state.value,
        "item_count": run.item_count,
        "holder": run.holder,
        "leased_until_us": run.leased_until_us,
        "updated_at_us": run.updated_at_us,
    }


def _to_run(row: Row) -> BillingRun:
    return BillingRun(
        provider_id=row["provider_id"],
        id=row["run_id"],
        state=RunState(row["state"]),
        is_dry_run=bool(row["is_dry_run"]),
        actor=row["actor"],
        item_count=row["item_count"],
        holder=row["holder"],
        leased_until_us=row["leased_until_us"],
        created_at_us=row["created_at_us"],
        updated_at_us=row["updated_at_us"],
    )


def _to_item(row: Row) -> RunItem:
    faults = tuple((rule, path, message) for rule, path, message in json.loads(row["faults"] or "[]"))
    return RunItem(
        position=row["position"], body=row["body"], outcome=ItemOutcome(row["outcome"]), invoice_id=row["invoice_id"], number=row["number"], faults=faults
    )
