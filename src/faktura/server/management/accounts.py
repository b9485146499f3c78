"""Accounts and the provider itself."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from typing import Annotated

from litestar import Controller, Response, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from faktura.documents.handing_out import check_look
from faktura.domain.errors import Fault, InvalidDocumentError, SettingError, fault
from faktura.domain.party import Party, parse_party
from faktura.domain.provider import Account, Provider
from faktura.ledger.accounts import add_account, set_account, set_provider
from faktura.ledger.management_ports import Answer
from faktura.ledger.ports import Books
from faktura.server.management.body import Checked
from faktura.server.management.call import Call, answer, etag_of, named, respond
from faktura.server.management.page import Cursor, Limit, after_id, next_after
from faktura.server.management.schema import (
    AccountBody,
    AccountChange,
    AccountPage,
    AccountResource,
    PartyBody,
    ProviderChange,
    ProviderPage,
    ProviderResource,
)


class Providers(Controller):
    """The provider that the token acts for."""

    path = "/providers"
    tags = ("Provider",)

    @get("/", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="listProviders", summary="The token's provider, as a list of one")
    def list_providers(self, call: NamedDependency[Call]) -> Response[ProviderPage]:
        """A token acts for one provider."""
        with call.books.storage.reading() as tx:
            return respond(answer(ProviderPage(items=[_provider(call.provider(tx))], next=None)))

    @get("/{name:str}", opt={"scope": "invoices:read", "etag": True}, sync_to_thread=True, operation_id="getProvider", summary="A provider")
    def get_provider(self, call: NamedDependency[Call], name: FromPath[str]) -> Response[ProviderResource]:
        """Another provider is not found, as if there were none."""
        with call.books.storage.reading() as tx:
            return respond(_provider_answer(named(call.provider(tx), name)))

    @patch(
        "/{name:str}",
        opt={"scope": "admin", "match": True, "etag": True},
        sync_to_thread=True,
        dto=Checked[ProviderChange],
        return_dto=None,
        operation_id="setProvider",
        summary="Change a provider's settings",
    )
    def set_provider(self, call: NamedDependency[Call], name: FromPath[str], data: JSONBody[ProviderChange]) -> Response[ProviderResource]:
        """Needs If-Match. Documents issued before keep what they show; how PDFs look changes with the next one that is made."""
        _check_look(data)

        def change(current: Provider) -> Provider:
            call.match(etag_of(_provider(named(current, name))))
            return replace(
                current,
                seller=current.seller if data.seller is None else party_of(data.seller, "seller"),
                public_url=current.public_url if data.public_url is None else data.public_url or None,
                hosts=current.hosts if data.hosts is None else tuple(data.hosts),
                rate_limit=current.rate_limit if data.rate_limit is None else data.rate_limit,
                rate_window_seconds=current.rate_window_seconds if data.rate_window_seconds is None else data.rate_window_seconds,
                e_invoice_profile=current.e_invoice_profile if data.e_invoice_profile is None else data.e_invoice_profile or None,
                accent=current.accent if data.accent is None else data.accent or None,
                footer=current.footer if data.footer is None else data.footer or None,
            )

        def act(books: Books) -> Answer:
            with books.storage.reading() as tx:
                own = named(call.provider(tx), name)
            return _provider_answer(set_provider(books, name=own.name, change=change))

        return call.once(act)


class Accounts(Controller):
    """The customers of the provider."""

    path = "/accounts"
    tags = ("Accounts",)

    @get("/", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="listAccounts", summary="Accounts")
    def list_accounts(
        self,
        call: NamedDependency[Call],
        limit: Limit = 30,
        cursor: Cursor = None,
        reference: Annotated[str | None, QueryParameter(name="reference", description="Only the account of that reference.")] = None,
    ) -> Response[AccountPage]:
        """Oldest first."""
        with call.books.storage.reading() as tx:
            if reference is not None:
                one = tx.accounts.find(call.provider_id, reference)
                return respond(answer(AccountPage(items=[] if one is None else [_account(one)], next=None)))
            found = tx.accounts.page(call.provider_id, after=after_id(cursor), limit=limit + 1)
        return respond(answer(AccountPage(items=[_account(item) for item in found[:limit]], next=next_after(found, limit))))

    @post(
        "/",
        opt={"scope": "invoices:write", "etag": True},
        sync_to_thread=True,
        dto=Checked[AccountBody],
        return_dto=None,
        operation_id="addAccount",
        summary="Add an account",
    )
    def add_account(self, call: NamedDependency[Call], data: JSONBody[AccountBody]) -> Response[AccountResource]:
        """409 where the provider has an account of that reference."""

        def act(books: Books) -> Answer:
            with books.storage.reading() as tx:
                provider = call.provider(tx)
            buyer = party_of(data.buyer, "buyer") if data.buyer else None
            return _account_answer(add_account(books, provider=provider.name, reference=data.reference, buyer=buyer), status=201)

        return call.once(act)

    @get("/{account_id:int}", opt={"scope": "invoices:read", "etag": True}, sync_to_thread=True, operation_id="getAccount", summary="An account")
    def get_account(self, call: NamedDependency[Call], account_id: FromPath[int]) -> Response[AccountResource]:
        """With its ETag, for changing it."""
        with call.books.storage.reading() as tx:
            return respond(_account_answer(call.account(tx, account_id)))

    @put(
        "/{account_id:int}",
        opt={"scope": "invoices:write", "match": True, "etag": True},
        sync_to_thread=True,
        dto=Checked[AccountChange],
        return_dto=None,
        operation_id="setAccount",
        summary="Change an account's buyer",
    )
    def set_account(self, call: NamedDependency[Call], account_id: FromPath[int], data: JSONBody[AccountChange]) -> Response[AccountResource]:
        """Needs If-Match. Documents issued before keep the buyer that they show."""

        def act(books: Books) -> Answer:
            with books.storage.reading() as tx:
                call.account(tx, account_id)
            buyer = party_of(data.buyer, "buyer") if data.buyer else None
            changed = set_account(
                books, provider_id=call.provider_id, account_id=account_id, buyer=buyer, check=lambda current: call.match(etag_of(_account(current)))
            )
            return _account_answer(changed)

        return call.once(act)


def party_of(body: PartyBody, path: str) -> Party:
    """The party that a body describes; InvalidDocumentError with what is wrong with it."""
    faults: list[Fault] = []
    given = {name: value for name in PartyBody.__struct_fields__ if (value := getattr(body, name)) is not None}
    party = parse_party(given, path=path, faults=faults)
    if party is None or faults:
        raise InvalidDocumentError(faults)
    return party


def _check_look(data: ProviderChange) -> None:
    faults = []
    checks = {"accent": partial(check_look, accent=data.accent or None), "footer": partial(check_look, footer=data.footer or None)}
    for name, check in checks.items():
        try:
            check()
        except SettingError as error:
            faults.append(fault("value", name, str(error)))
    if faults:
        raise InvalidDocumentError(faults)


def _provider(provider: Provider) -> ProviderResource:
    return ProviderResource(
        id=provider.id,
        name=provider.name,
        dialect=provider.dialect,
        zone=provider.zone,
        currency=provider.currency.code,
        is_test=provider.is_test,
        seller=provider.seller.to_mapping(),
        public_url=provider.public_url,
        hosts=list(provider.hosts),
        rate_limit=provider.rate_limit,
        rate_window_seconds=provider.rate_window_seconds,
        e_invoice_profile=provider.e_invoice_profile,
        accent=provider.accent,
        footer=provider.footer,
        logo_sha256=hashlib.sha256(provider.logo).hexdigest() if provider.logo is not None else None,
    )


def _provider_answer(provider: Provider) -> Answer:
    resource = _provider(provider)
    return answer(resource, etag=etag_of(resource))


def _account(account: Account) -> AccountResource:
    return AccountResource(id=account.id, reference=account.reference, buyer=account.buyer.to_mapping() if account.buyer else None)


def _account_answer(account: Account, *, status: int = 200) -> Answer:
    resource = _account(account)
    location = f"/accounts/{account.id}" if status == 201 else None  # noqa: PLR2004
    return answer(resource, status=status, location=location, etag=etag_of(resource))
