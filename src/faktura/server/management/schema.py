"""What the management API takes and gives, in the words of EN 16931. Amounts are decimal text: exact in every language."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from faktura.server.management.call import ID_MAX

Number = Annotated[Decimal, Meta(title="Decimal", description="Decimal text, or a number.")]
Id = Annotated[int, Meta(ge=1, le=ID_MAX, examples=[10000000001])]
Amount = Annotated[str, Meta(description="A decimal amount with the currency's decimals.", pattern=r"^-?\d+(\.\d+)?$", examples=["24.00"])]
Text = Annotated[str, Meta(min_length=1, max_length=1000)]
LongText = Annotated[str, Meta(min_length=1, max_length=4000)]
CurrencyCode = Annotated[str, Meta(description="ISO 4217.", pattern="^[A-Z]{3}$", examples=["EUR"])]
Country = Annotated[str, Meta(description="ISO 3166-1 alpha-2.", pattern="^[A-Z]{2}$", examples=["BG"])]


class Resource(Struct, frozen=True, kw_only=True):
    """What is answered: every field is there, unknown is null."""


class Body(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sent: optional fields may be left out."""


class PartyBody(Body, frozen=True, kw_only=True):
    """Seller (BG-4) or buyer (BG-7)."""

    name: Text
    street: Text | None = None
    city: Text | None = None
    post_code: Text | None = None
    country: Country | None = None
    vat_id: Annotated[str, Meta(description="With country prefix (BT-31, BT-48).", examples=["BG123456789"])] | None = None
    registration_id: Text | None = None
    tax_number: Text | None = None
    email: Text | None = None
    contact_name: Annotated[str, Meta(description="Whom to ask (BT-41, BT-56).")] | None = None
    phone: Annotated[str, Meta(description="BT-42, BT-57.")] | None = None
    electronic_address: (
        Annotated[str, Meta(description="Where e-invoices go, its scheme of the EAS list first (BT-34, BT-49).", examples=["0088:4035811991021"])] | None
    ) = None
    buyer_reference: Annotated[str, Meta(description="Of a buyer: what it finds its invoices by (BT-10), such as the Leitweg-ID.")] | None = None
    iban: Annotated[str, Meta(description="Of a seller: the account to pay to (BT-84).", examples=["DE75512108001245126199"])] | None = None
    bic: Annotated[str, Meta(description="Its bank (BT-86).")] | None = None
    account_name: Annotated[str, Meta(description="Whose account it is (BT-85).")] | None = None


class AccountBody(Body, frozen=True, kw_only=True):
    """A customer of the provider."""

    reference: Annotated[str, Meta(min_length=1, max_length=200, description="The provider's own name for the customer.", examples=["17850"])]
    buyer: PartyBody | None = None


class AccountChange(Body, frozen=True, kw_only=True):
    """Who the account's documents are made out to from now on."""

    buyer: PartyBody | None


class AccountResource(Resource, frozen=True, kw_only=True):
    """An account."""

    id: int
    reference: str
    buyer: dict[str, str] | None


class Page(Resource, frozen=True, kw_only=True):
    """A page: `next` is the cursor of the one after, null on the last."""

    next: str | None


class AccountPage(Page, frozen=True, kw_only=True):
    """Accounts, oldest first."""

    items: list[AccountResource]


class ProviderResource(Resource, frozen=True, kw_only=True):
    """The token's provider."""

    id: int
    name: str
    dialect: str
    zone: str
    currency: str
    is_test: bool
    seller: dict[str, str]
    public_url: str | None
    hosts: list[str]
    rate_limit: int
    rate_window_seconds: int
    e_invoice_profile: Annotated[str | None, Meta(description="Whose terms every invoice must have to be issued: en16931, xrechnung, peppol or facturx.")]
    accent: Annotated[str | None, Meta(description="The colour of its PDFs; null takes ours.")]
    footer: Annotated[str | None, Meta(description="The text at the foot of its PDFs' pages.")]
    logo_sha256: Annotated[str | None, Meta(description="Of the logo at the head of its PDFs, which has an address of its own; null where there is none.")]


class ProviderPage(Page, frozen=True, kw_only=True):
    """The providers that the token acts for: one."""

    items: list[ProviderResource]


class ProviderChange(Body, frozen=True, kw_only=True):
    """Settings to change; what is left out stays."""

    seller: PartyBody | None = None
    public_url: str | None = None
    hosts: list[str] | None = None
    rate_limit: int | None = None
    rate_window_seconds: int | None = None
    e_invoice_profile: (
        Annotated[str, Meta(description="en16931, xrechnung, peppol or facturx; an empty text asks for none.", examples=["xrechnung"])] | None
    ) = None
    accent: (
        Annotated[str, Meta(description="A colour with a contrast to white of at least 4.5 to 1; an empty text takes ours.", examples=["#7a1f3d"])] | None
    ) = None
    footer: Annotated[str, Meta(description="At most 500 characters; an empty text is none.", examples=["Hosting OOD, Sofia"])] | None = None


class TokenBody(Body, frozen=True, kw_only=True):
    """A token of one account (scopes read, write), or of the provider (the scopes of this API)."""

    scopes: Annotated[list[str], Meta(min_length=1, max_length=4, examples=[["invoices:read"]])]
    account_id: Id | None = None
    label: Annotated[str, Meta(max_length=200)] = ""
    expires_at: datetime | None = None


class TokenResource(Resource, frozen=True, kw_only=True):
    """What the ledger keeps of a token: never the key."""

    id: int
    account_id: int | None
    label: str
    begins: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class NewTokenResource(TokenResource, frozen=True, kw_only=True):
    """A new token with its key, which is shown this once: a repeated call under the same Idempotency-Key shows null."""

    token: str | None


class TokenPage(Page, frozen=True, kw_only=True):
    """Tokens, oldest first."""

    items: list[TokenResource]


class SeriesResource(Resource, frozen=True, kw_only=True):
    """A number series."""

    name: str
    type_codes: list[int]
    method: str
    template: str
    next_number: int
    last_date: str | None
    reset: str


class SeriesPage(Page, frozen=True, kw_only=True):
    """The provider's series."""

    items: list[SeriesResource]


class SeriesChange(Body, frozen=True, kw_only=True):
    """What to set of a series; a counter never goes back."""

    next_number: Annotated[int, Meta(ge=1, le=10**18)] | None = None
    template: Annotated[str, Meta(max_length=100, examples=["{year}-{seq:06d}"])] | None = None
    reset: Annotated[str, Meta(examples=["never", "year"])] | None = None


class FaultResource(Resource, frozen=True, kw_only=True):
    """Why a document would be refused."""

    rule: str
    path: str
    message: str
