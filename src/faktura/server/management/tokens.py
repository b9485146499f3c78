"""Tokens: of one account for the provider's API, of the provider for this one."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from faktura.domain.calendar import instant_text, to_instant
from faktura.domain.errors import NotFoundError
from faktura.domain.provider import Token
from faktura.ledger.accounts import create_token, revoke_token
from faktura.ledger.management_ports import Answer
from faktura.ledger.ports import Books
from faktura.server.management.body import Checked
from faktura.server.management.call import Call, answer, bounded, respond
from faktura.server.management.page import Cursor, Limit, after_id, next_after
from faktura.server.management.schema import NewTokenResource, TokenBody, TokenPage, TokenResource


class Tokens(Controller):
    """API keys; the ledger keeps only their hashes."""

    path = "/tokens"
    tags = ("Tokens",)

    @get("/", opt={"scope": "admin"}, sync_to_thread=True, operation_id="listTokens", summary="Tokens")
    def list_tokens(self, call: NamedDependency[Call], limit: Limit = 30, cursor: Cursor = None) -> Response[TokenPage]:
        """Oldest first, revoked ones too."""
        with call.books.storage.reading() as tx:
            found = tx.accounts.token_page(call.provider_id, after=after_id(cursor), limit=limit + 1)
        return respond(answer(TokenPage(items=[TokenResource(**_token(item)) for item in found[:limit]], next=next_after(found, limit))))

    @post("/", opt={"scope": "admin"}, sync_to_thread=True, dto=Checked[TokenBody], return_dto=None, operation_id="createToken", summary="Create a token")
    def create_token(self, call: NamedDependency[Call], data: JSONBody[TokenBody]) -> Response[NewTokenResource]:
        """The key is in this answer only: not even an Idempotency-Key brings it back."""
        made: list[NewTokenResource] = []

        def act(books: Books) -> Answer:
            with books.storage.reading() as tx:
                provider = call.provider(tx)
                reference = None if data.account_id is None else call.account(tx, data.account_id).reference
            expires_at_us = None if data.expires_at is None else to_instant(data.expires_at)
            key, token = create_token(
                books, provider=provider.name, reference=reference, label=data.label, scopes=tuple(data.scopes), expires_at_us=expires_at_us
            )
            made.append(NewTokenResource(**_token(token), token=key))
            return answer(NewTokenResource(**_token(token), token=None), status=201, location=f"/tokens/{token.id}")

        kept = call.once(act)
        return respond(answer(made[0], status=201, location=f"/tokens/{made[0].id}")) if made else kept

    @get("/{token_id:int}", opt={"scope": "admin"}, sync_to_thread=True, operation_id="getToken", summary="A token")
    def get_token(self, call: NamedDependency[Call], token_id: FromPath[int]) -> Response[TokenResource]:
        """Never the key itself."""
        with call.books.storage.reading() as tx:
            return respond(answer(TokenResource(**_token(_find(call, tx.accounts.token(call.provider_id, bounded(token_id)))))))

    @delete("/{token_id:int}", opt={"scope": "admin"}, sync_to_thread=True, status_code=204, operation_id="revokeToken", summary="Revoke a token")
    def revoke_token(self, call: NamedDependency[Call], token_id: FromPath[int]) -> Response[None]:
        """From now on it opens nothing; revoking it again changes nothing."""

        def act(books: Books) -> Answer:
            with books.storage.reading() as tx:
                token = _find(call, tx.accounts.token(call.provider_id, bounded(token_id)))
            revoke_token(books, token_id=token.id)
            return Answer(status=204)

        return call.once(act)


def _find(call: Call, token: Token | None) -> Token:
    if token is None or token.provider_id != call.provider_id:
        raise NotFoundError
    return token


def _token(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "account_id": token.account_id,
        "label": token.label,
        "begins": token.hint,
        "scopes": list(token.scopes),
        "created_at": instant_text(token.created_at_us),
        "expires_at": instant_text(token.expires_at_us),
        "revoked_at": instant_text(token.revoked_at_us),
        "last_used_at": instant_text(token.last_used_at_us),
    }
