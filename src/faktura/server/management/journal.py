"""The journal as a feed: resumable, without a gap, with long poll."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from faktura.domain.calendar import instant_text
from faktura.ledger.ports import JournalEntry
from faktura.ledger.queries import journal_after
from faktura.server.management.call import ID_MAX, Call, answer, respond
from faktura.server.management.page import Limit
from faktura.server.management.work_schema import JournalEntryResource, JournalPage

WAIT_SECONDS_MAX = 30
_LOOK_AGAIN_SECONDS = 0.2


class Journal(Controller):
    """Who did what, when."""

    path = "/journal"
    tags = ("Journal",)

    @get("/", opt={"scope": "invoices:read"}, operation_id="readJournal", summary="What happened after a number")
    async def read_journal(
        self,
        call: NamedDependency[Call],
        after: Annotated[int, QueryParameter(name="after", ge=0, le=ID_MAX, description="The last number that you have seen.")] = 0,
        limit: Limit = 100,
        wait: Annotated[int, QueryParameter(name="wait", ge=0, le=WAIT_SECONDS_MAX, description="Seconds to wait for something to happen.")] = 0,
    ) -> Response[JournalPage]:
        """Oldest first. With `wait`, an empty page comes only after so many seconds in which nothing happened."""
        until = time.monotonic() + wait
        while not (found := await asyncio.to_thread(journal_after, call.books, provider_id=call.provider_id, after=after, limit=limit)):
            if time.monotonic() >= until:
                break
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return respond(answer(JournalPage(items=[_entry(item) for item in found], last=found[-1].sequence if found else after)))


def _entry(entry: JournalEntry) -> JournalEntryResource:
    return JournalEntryResource(
        sequence=entry.sequence,
        recorded_at=instant_text(entry.recorded_at_us) or "",
        actor=entry.actor,
        event=entry.event,
        account_id=entry.account_id,
        subject_id=entry.subject_id,
        digest=entry.digest.hex(),
        chain=entry.chain.hex(),
    )
