"""Drafts: documents that may still change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from litestar import Controller, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from faktura.domain.calendar import instant_text
from faktura.domain.errors import FAULTS_SHOWN_MAX
from faktura.ledger.commands import Prepared
from faktura.ledger.drafts import add_draft, document_of, find_draft, issue_draft, judge, remove_draft, set_draft
from faktura.ledger.management_ports import Answer, StoredDraft
from faktura.ledger.ports import Books, Transaction
from faktura.server.management.body import Checked
from faktura.server.management.call import ID_MAX, Call, answer, bounded, respond
from faktura.server.management.document_schema import DraftBody, DraftChange, DraftPage, DraftResource, InvoiceResource, TotalsResource
from faktura.server.management.invoices import issued_answer
from faktura.server.management.page import Cursor, Limit, after_id, next_after
from faktura.server.management.schema import FaultResource


class Drafts(Controller):
    """A draft has no number; it takes one when it is issued."""

    path = "/drafts"
    tags = ("Drafts",)

    @get("/", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="listDrafts", summary="Drafts")
    def list_drafts(
        self,
        call: NamedDependency[Call],
        limit: Limit = 30,
        cursor: Cursor = None,
        account_id: Annotated[int | None, QueryParameter(name="account_id", ge=1, le=ID_MAX, description="Only of this account.")] = None,
    ) -> Response[DraftPage]:
        """Oldest first."""
        with call.books.storage.reading() as tx:
            if account_id is not None:
                call.account(tx, account_id)
            found = tx.drafts.page(call.provider_id, account_id=account_id, after=after_id(cursor), limit=limit + 1)
            items = [_draft(call, tx, item) for item in found[:limit]]
        return respond(answer(DraftPage(items=items, next=next_after(found, limit))))

    @post(
        "/",
        opt={"scope": "invoices:write", "etag": True},
        sync_to_thread=True,
        dto=Checked[DraftBody],
        return_dto=None,
        operation_id="addDraft",
        summary="Keep a draft",
    )
    def add_draft(self, call: NamedDependency[Call], data: JSONBody[DraftBody]) -> Response[DraftResource]:
        """It need not be complete: the answer lists for what it would be refused today."""

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                account = call.account(tx, data.account_id)
                draft = add_draft(books, account=account, document=data.document)
                return answer(_draft(call, tx, draft), status=201, location=f"/drafts/{draft.id}", etag=_etag(draft))

        return call.once(act)

    @get("/{draft_id:int}", opt={"scope": "invoices:read", "etag": True}, sync_to_thread=True, operation_id="getDraft", summary="A draft")
    def get_draft(self, call: NamedDependency[Call], draft_id: FromPath[int]) -> Response[DraftResource]:
        """With its ETag, for changing it."""
        with call.books.storage.reading() as tx:
            draft = find_draft(tx, call.provider_id, bounded(draft_id))
            return respond(answer(_draft(call, tx, draft), etag=_etag(draft)))

    @put(
        "/{draft_id:int}",
        opt={"scope": "invoices:write", "match": True, "etag": True},
        sync_to_thread=True,
        dto=Checked[DraftChange],
        return_dto=None,
        operation_id="setDraft",
        summary="Change a draft",
    )
    def set_draft(self, call: NamedDependency[Call], draft_id: FromPath[int], data: JSONBody[DraftChange]) -> Response[DraftResource]:
        """Needs If-Match. The document is replaced whole."""

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                draft = set_draft(books, provider_id=call.provider_id, draft_id=bounded(draft_id), document=data.document, check=_match(call))
                return answer(_draft(call, tx, draft), etag=_etag(draft))

        return call.once(act)

    @delete(
        "/{draft_id:int}",
        opt={"scope": "invoices:write", "match": True},
        sync_to_thread=True,
        status_code=204,
        operation_id="removeDraft",
        summary="Remove a draft",
    )
    def remove_draft(self, call: NamedDependency[Call], draft_id: FromPath[int]) -> Response[None]:
        """Needs If-Match. Nothing was issued, so nothing will be missing."""

        def act(books: Books) -> Answer:
            remove_draft(books, provider_id=call.provider_id, draft_id=bounded(draft_id), check=_match(call))
            return Answer(status=204)

        return call.once(act)

    @post(
        "/{draft_id:int}/issue",
        opt={"scope": "invoices:write", "match": True},
        sync_to_thread=True,
        status_code=201,
        operation_id="issueDraft",
        summary="Issue a draft",
    )
    def issue_draft(self, call: NamedDependency[Call], draft_id: FromPath[int]) -> Response[InvoiceResource]:
        """Needs If-Match. The document takes its number, and the draft is gone."""

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                invoice = issue_draft(books, provider_id=call.provider_id, draft_id=bounded(draft_id), check=_match(call))
                return issued_answer(call, tx, invoice)

        return call.once(act)


def _etag(draft: StoredDraft) -> str:
    return f'"{draft.id}-{draft.revision}"'


def _match(call: Call) -> Callable[[StoredDraft], None]:
    return lambda draft: call.match(_etag(draft))


def _totals(prepared: Prepared) -> TotalsResource:
    money, totals = prepared.draft.currency, prepared.totals
    return TotalsResource(
        total_without_vat=str(money.to_decimal(totals.total_without_vat_minor)),
        vat_total=str(money.to_decimal(totals.vat_total_minor)),
        total_with_vat=str(money.to_decimal(totals.total_with_vat_minor)),
        currency=money.code,
    )


def _draft(call: Call, tx: Transaction, draft: StoredDraft) -> DraftResource:
    document = document_of(draft)
    account = call.account(tx, draft.account_id)
    prepared, faults = judge(tx, call.books, account, document)
    return DraftResource(
        id=draft.id,
        account_id=draft.account_id,
        document=document,
        totals=None if prepared is None else _totals(prepared),
        faults=[FaultResource(rule=item.rule, path=item.path, message=item.message) for item in faults[:FAULTS_SHOWN_MAX]],
        created_at=instant_text(draft.created_at_us) or "",
        updated_at=instant_text(draft.updated_at_us) or "",
    )
