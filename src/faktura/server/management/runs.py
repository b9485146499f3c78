"""Billing runs: uploaded whole, then worked off while their state can be asked for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from faktura.documents.billing_items import MEDIA_TYPES, ItemParser
from faktura.domain.calendar import instant_text
from faktura.domain.errors import InputError, fault
from faktura.ledger.billing_runs import accept_run, begin_run, drop_run, find_run, receive_items
from faktura.ledger.management_ports import Answer, BillingRun, ItemOutcome, RunItem
from faktura.ledger.ports import Books, Transaction
from faktura.server.management.body import require_media_type
from faktura.server.management.call import ID_MAX, Call, answer, bounded, respond
from faktura.server.management.page import Cursor, Limit, after_id
from faktura.server.management.problem import BadRequestError
from faktura.server.management.schema import FaultResource
from faktura.server.management.work_schema import RunItemPage, RunItemResource, RunPage, RunResource

_PART_ITEMS = 500
_PART_BYTES = 4 * 1024 * 1024


class BillingRuns(Controller):
    """Many documents, each billed once for its account, period and product."""

    path = "/billing-runs"
    tags = ("Billing runs",)

    @post(
        "/",
        opt={
            "scope": "invoices:write",
            "streamed": True,
            "body": dict.fromkeys(MEDIA_TYPES, "An item a line: account, period, product, and a document's fields."),
        },
        status_code=202,
        request_max_body_size=None,
        operation_id="startBillingRun",
        summary="Start a billing run",
    )
    async def start_run(
        self,
        call: NamedDependency[Call],
        request: Request[Any, Any, Any],
        dry_run: Annotated[bool, QueryParameter(name="dry_run", description="Validate everything, issue nothing.")] = False,  # noqa: FBT002
    ) -> Response[RunResource]:
        """The input is kept first, then checked whole, then issued in batches; 202 comes once it is kept, and nothing of it can be lost.

        A run that is sent again issues only what is missing, with or without an Idempotency-Key.
        """
        media_type = require_media_type(request.headers, MEDIA_TYPES)
        call.key()
        run = await asyncio.to_thread(begin_run, call.books, provider_id=call.provider_id, is_dry_run=dry_run)
        try:
            run, digest = await _receive(call, run, ItemParser(media_type), request.stream())
            response = await asyncio.to_thread(_accept, call, run, digest)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(drop_run, call.books, run))
            raise
        if "Idempotent-Replayed" in response.headers:
            await asyncio.to_thread(drop_run, call.books, run)
        request.app.state.wake()
        return response

    @get("/", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="listBillingRuns", summary="Billing runs")
    def list_runs(self, call: NamedDependency[Call], limit: Limit = 30, cursor: Cursor = None) -> Response[RunPage]:
        """Newest first."""
        with call.books.storage.reading() as tx:
            found = tx.runs.page(call.provider_id, before=after_id(cursor) or ID_MAX, limit=limit + 1)
            items = [_run(tx, item) for item in found[:limit]]
        return respond(answer(RunPage(items=items, next=str(found[limit - 1].id) if len(found) > limit else None)))

    @get("/{run_id:int}", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="getBillingRun", summary="A billing run")
    def get_run(self, call: NamedDependency[Call], run_id: FromPath[int]) -> Response[RunResource]:
        """How far it is."""
        with call.books.storage.reading() as tx:
            return respond(answer(_run(tx, find_run(tx, call.provider_id, bounded(run_id)))))

    @get("/{run_id:int}/items", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="listBillingRunItems", summary="What became of a run's items")
    def list_items(
        self,
        call: NamedDependency[Call],
        run_id: FromPath[int],
        limit: Limit = 100,
        cursor: Cursor = None,
        outcome: Annotated[ItemOutcome | None, QueryParameter(name="outcome", description="Only items that came to this.")] = None,
    ) -> Response[RunItemPage]:
        """In the order of the input, with the faults of those that were refused."""
        with call.books.storage.reading() as tx:
            run = find_run(tx, call.provider_id, bounded(run_id))
            found = tx.runs.items(run, outcome=outcome, after=after_id(cursor), limit=limit + 1)
        return respond(answer(RunItemPage(items=[_item(item) for item in found[:limit]], next=str(found[limit - 1].position) if len(found) > limit else None)))


async def _receive(call: Call, run: BillingRun, parser: ItemParser, stream: AsyncIterator[bytes]) -> tuple[BillingRun, bytes]:
    """Keep the input as it comes, in parts: memory does not grow with it."""
    digest = hashlib.sha256()
    part: list[tuple[int, str]] = []
    size = 0
    try:
        async for chunk in stream:
            digest.update(chunk)
            for position, text in parser.feed(chunk):
                part.append((position, text))
                size += len(text)
            if len(part) >= _PART_ITEMS or size >= _PART_BYTES:
                run, part, size = await asyncio.to_thread(receive_items, call.books, run, part), [], 0
        part += parser.close()
    except InputError as error:
        raise BadRequestError([fault("input", "", str(error))]) from error
    if part:
        run = await asyncio.to_thread(receive_items, call.books, run, part)
    if not run.item_count:
        raise BadRequestError([fault("input", "", "has no item")])
    return run, digest.digest()


def _accept(call: Call, run: BillingRun, digest: bytes) -> Response[Any]:
    call.body = digest

    def act(books: Books) -> Answer:
        with books.storage.writing() as tx:
            return answer(_run(tx, accept_run(books, run)), status=202, location=f"/billing-runs/{run.id}")

    return call.once(act)


def _run(tx: Transaction, run: BillingRun) -> RunResource:
    return RunResource(
        id=run.id,
        state=run.state.value,
        is_dry_run=run.is_dry_run,
        items=run.item_count,
        counts={outcome.value: count for outcome, count in sorted(tx.runs.counts(run).items())},
        created_at=instant_text(run.created_at_us) or "",
        updated_at=instant_text(run.updated_at_us) or "",
    )


def _item(item: RunItem) -> RunItemResource:
    faults = [FaultResource(rule=rule, path=path, message=message) for rule, path, message in item.faults]
    return RunItemResource(position=item.position, outcome=item.outcome.value, invoice_id=item.invoice_id, number=item.number, faults=faults)
