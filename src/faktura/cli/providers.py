"""Commands that set up providers, series and tokens."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from faktura.bootstrap.books import DIALECTS, default_series
from faktura.cli.output import ID_MAX, JsonOption, books, print_json, print_table
from faktura.cli.parties import read_party
from faktura.documents.handing_out import check_look
from faktura.domain.calendar import MICROSECONDS, instant_text, midnight, parse_date
from faktura.domain.errors import InputError, SettingError
from faktura.domain.invoice import TypeCode
from faktura.domain.money import Currency
from faktura.domain.numbering import NUMBER_MAX, Reset, Series
from faktura.domain.party import Party
from faktura.domain.provider import LOGO_BYTES_MAX, Provider, Token
from faktura.ledger.accounts import (
    MANAGEMENT_SCOPES,
    add_provider,
    create_token,
    find_provider,
    revoke_token,
    set_provider,
    set_series,
)

providers = typer.Typer(no_args_is_help=True, help="Providers: who issues invoices, in which dialect.")
series = typer.Typer(no_args_is_help=True, help="Number series of a provider.")
tokens = typer.Typer(no_args_is_help=True, help="API tokens of accounts.")

_SECONDS_PER_DAY = 86_400
_DAYS_MAX = 36_500


_PROFILE_HELP = "Every invoice must have the terms of this e-invoice profile: en16931, xrechnung, peppol or facturx."


@providers.command("add")
def provider_add(
    name: Annotated[str, typer.Argument(help="Short name: lower-case letters, digits, dot, dash, underscore.")],
    dialect: Annotated[str, typer.Option(help=f"The API it speaks: {', '.join(DIALECTS)}.")],
    seller_name: Annotated[str, typer.Option(help="The seller's legal name (BT-27).")],
    seller_country: Annotated[str | None, typer.Option(help="ISO 3166-1 code, such as BG (BT-40).")] = None,
    seller_vat_id: Annotated[str | None, typer.Option(help="With country prefix (BT-31).")] = None,
    seller_street: Annotated[str | None, typer.Option()] = None,
    seller_city: Annotated[str | None, typer.Option()] = None,
    seller_post_code: Annotated[str | None, typer.Option()] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone of the books; default: the dialect's.")] = None,
    currency: Annotated[str | None, typer.Option(help="Currency of the API's amounts; default: the dialect's.")] = None,
    public_url: Annotated[str | None, typer.Option(help="Origin for links, such as https://api.example.com.")] = None,
    host: Annotated[list[str] | None, typer.Option(help="Host name that stands for this provider, repeatable; default: the documented ones.")] = None,
    rate_limit: Annotated[int | None, typer.Option(help="Requests a window; 0 is off; default: the dialect's.")] = None,
    rate_window: Annotated[int | None, typer.Option(help="Seconds a window.")] = None,
    credit_note_word: Annotated[str | None, typer.Option(help="What the wire calls a credit note, where the dialect leaves that open.")] = None,
    debit_note_word: Annotated[str | None, typer.Option(help="What the wire calls a debit note, likewise.")] = None,
    next_id: Annotated[int | None, typer.Option(min=1, max=NUMBER_MAX, help="The id that the API shows for the next document.")] = None,
    e_invoice_profile: Annotated[str | None, typer.Option(help=_PROFILE_HELP)] = None,
    is_test: Annotated[bool, typer.Option("--test", help="For trying out: every number begins with TEST-; it can never become legal.")] = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Add a provider, and the ledger itself if there is none.

    Example: faktura provider add vps --dialect vpsbg --seller-name "Hosting OOD" --seller-country BG --seller-vat-id BG123456789
    """
    if dialect not in DIALECTS:
        message = f"there is no dialect {dialect!r}; known: {', '.join(DIALECTS)}"
        raise SettingError(message)
    defaults = DIALECTS[dialect].defaults
    words = ((TypeCode.CREDIT_NOTE, credit_note_word), (TypeCode.DEBIT_NOTE, debit_note_word))
    provider = Provider(
        id=0,
        name=name,
        dialect=dialect,
        zone=zone or defaults.zone,
        currency=Currency(currency) if currency else defaults.currency,
        seller=Party(name=seller_name, country=seller_country, vat_id=seller_vat_id, street=seller_street, city=seller_city, post_code=seller_post_code),
        public_url=public_url,
        hosts=defaults.hosts if host is None else tuple(host),
        rate_limit=defaults.rate_limit if rate_limit is None else rate_limit,
        rate_window_seconds=defaults.rate_window_seconds if rate_window is None else rate_window,
        type_words=tuple((code, word) for code, word in words if word),
        e_invoice_profile=e_invoice_profile,
        is_test=is_test,
    )
    with books(create=True) as opened:
        provider = add_provider(opened, provider=provider, series=default_series(DIALECTS[dialect], is_test=is_test), next_wire_id=next_id or 1)
    _show_providers([provider], as_json=as_json)


@providers.command("set")
def provider_set(
    name: Annotated[str, typer.Argument()],
    seller: Annotated[
        Path | None, typer.Option(help="The seller from now on: JSON or TOML with name, vat_id, contact_name, phone, email, iban and so on.")
    ] = None,
    public_url: Annotated[str | None, typer.Option(help="Origin for links; an empty text takes the request's.")] = None,
    host: Annotated[list[str] | None, typer.Option(help="Host names, replacing those there are.")] = None,
    rate_limit: Annotated[int | None, typer.Option(help="Requests a window; 0 is off.")] = None,
    rate_window: Annotated[int | None, typer.Option(help="Seconds a window.")] = None,
    e_invoice_profile: Annotated[str | None, typer.Option(help=f"{_PROFILE_HELP} An empty text asks for none.")] = None,
    accent: Annotated[str | None, typer.Option(help="Colour of its PDFs, such as #1d4f91; an empty text takes ours.")] = None,
    footer: Annotated[str | None, typer.Option(help="Text at the foot of its PDFs; an empty text is none.")] = None,
    logo: Annotated[Path | None, typer.Option(help="PNG, JPEG or SVG of at most 32 KiB for its PDFs; an empty file is none.")] = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Change a provider's settings; a running server follows within a second.

    Example: faktura provider set vps --rate-limit 0
    """
    picture = None if logo is None else _read_logo(logo)
    check_look(accent=accent or None, footer=footer or None, logo=picture or None)
    new_seller = read_party(seller, "seller") if seller else None

    def change(provider: Provider) -> Provider:
        return replace(
            provider,
            accent=provider.accent if accent is None else accent or None,
            footer=provider.footer if footer is None else footer or None,
            logo=provider.logo if picture is None else picture or None,
            seller=new_seller or provider.seller,
            public_url=provider.public_url if public_url is None else public_url or None,
            hosts=provider.hosts if host is None else tuple(host),
            rate_limit=provider.rate_limit if rate_limit is None else rate_limit,
            rate_window_seconds=provider.rate_window_seconds if rate_window is None else rate_window,
            e_invoice_profile=provider.e_invoice_profile if e_invoice_profile is None else e_invoice_profile or None,
        )

    with books() as opened:
        provider = set_provider(opened, name=name, change=change)
    _show_providers([provider], as_json=as_json)


def _read_logo(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(LOGO_BYTES_MAX + 1)
    except OSError as error:
        message = f"{file}: {error.strerror or error}"
        raise InputError(message) from error


@providers.command("list")
def provider_list(as_json: Annotated[bool, JsonOption] = False) -> None:
    """List the providers.

    Example: faktura provider list --json
    """
    with books() as opened, opened.storage.reading() as tx:
        found = tx.providers.all()
    _show_providers(found, as_json=as_json)


@series.command("list")
def series_list(provider: Annotated[str, typer.Argument(help="The provider's name.")], as_json: Annotated[bool, JsonOption] = False) -> None:
    """List a provider's number series.

    Example: faktura series list vps
    """
    with books() as opened, opened.storage.reading() as tx:
        found = tx.series.all(find_provider(tx, provider).id)
    _show_series(found, as_json=as_json)


@series.command("set")
def series_set(
    provider: Annotated[str, typer.Argument(help="The provider's name.")],
    name: Annotated[str, typer.Argument(help="The series' name.")],
    next_number: Annotated[int | None, typer.Option("--next", min=1, max=NUMBER_MAX, help="The next number; never lower than it is.")] = None,
    template: Annotated[str | None, typer.Option(help="Such as {seq:010d} or {year}-{seq:06d}.")] = None,
    reset: Annotated[Reset | None, typer.Option(help="When the counter starts again at one; year needs {year} in the template.")] = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Set the next number, the template or the reset of a series: nobody starts at zero.

    Example: faktura series set vps invoice --next 1595
    """
    with books() as opened:
        changed = set_series(opened, provider=provider, name=name, next_number=next_number, template=template, reset=reset)
    _show_series([changed], as_json=as_json)


@tokens.command("create")
def token_create(
    provider: Annotated[str, typer.Argument(help="The provider's name.")],
    account: Annotated[str | None, typer.Argument(help="The account's reference; none for a token of the provider, which needs --scope.")] = None,
    label: Annotated[str, typer.Option(help="What the token is for.")] = "",
    write: Annotated[bool, typer.Option("--write", help="A Write key; otherwise it may only read.")] = False,
    scope: Annotated[list[str] | None, typer.Option(help=f"Of a provider's token, repeatable: {', '.join(MANAGEMENT_SCOPES)}.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=_DAYS_MAX, help="Expires after so many days.")] = None,
    expires: Annotated[str | None, typer.Option(help="Expires at the start of this date (UTC), such as 2027-01-01.")] = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Create a token. It is shown once: the ledger keeps only its hash.

    An account's token opens the provider's API, a provider's token (--scope, no account) the management API.
    Example: faktura token create vps 17850 --label bookkeeping --days 365
    """
    if (account is None) != bool(scope) or (write and scope):
        raise SettingError("name an account (and --write for a Write key), or give --scope for a token of the provider")
    if expires is not None and days is not None:
        raise SettingError("give --days or --expires, not both")
    expires_at_us = None
    if expires is not None:
        try:
            expires_at_us = midnight(parse_date(expires), "UTC")
        except ValueError as error:
            raise SettingError(str(error)) from error
    elif days:
        expires_at_us = (int(time.time()) + days * _SECONDS_PER_DAY) * MICROSECONDS
    scopes = tuple(scope) if scope else ("read", "write") if write else ("read",)
    with books() as opened:
        key, token = create_token(opened, provider=provider, reference=account, label=label, scopes=scopes, expires_at_us=expires_at_us)
    if as_json:
        print_json({"token": key} | _token_json(token))
    else:
        typer.echo(key)


@tokens.command("list")
def token_list(provider: Annotated[str, typer.Argument(help="The provider's name.")], as_json: Annotated[bool, JsonOption] = False) -> None:
    """List the tokens of a provider's accounts: never the keys themselves.

    Example: faktura token list vps
    """
    with books() as opened, opened.storage.reading() as tx:
        owner = find_provider(tx, provider)
        references = {account.id: account.reference for account in tx.accounts.all(owner.id)}
        rows = [_token_json(token) | {"account": references.get(token.account_id or 0)} for token in tx.accounts.tokens(owner.id)]
    if as_json:
        print_json(rows)
    else:
        columns = ["id", "account", "label", "begins", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"]
        print_table(columns, [[_cell(row[key]) for key in columns] for row in rows])


@tokens.command("revoke")
def token_revoke(token_id: Annotated[int, typer.Argument(min=1, max=ID_MAX, help="The token's id, from `token list`.")]) -> None:
    """Revoke a token, from now on.

    Example: faktura token revoke 10000000003
    """
    with books() as opened:
        revoke_token(opened, token_id=token_id)


def _show_providers(found: list[Provider], *, as_json: bool) -> None:
    rows = [
        {
            "id": item.id,
            "name": item.name,
            "dialect": item.dialect,
            "zone": item.zone,
            "currency": item.currency.code,
            "seller": item.seller.to_mapping(),
            "public_url": item.public_url,
            "hosts": item.hosts,
            "rate_limit": item.rate_limit,
            "rate_window_seconds": item.rate_window_seconds,
            "e_invoice_profile": item.e_invoice_profile,
            "accent": item.accent,
            "footer": item.footer,
            "has_logo": item.logo is not None,
            "is_test": item.is_test,
        }
        for item in found
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["name", "dialect", "zone", "currency", "public_url", "rate_limit", "rate_window_seconds", "is_test"]
    print_table([*columns, "seller"], [[*(row[key] for key in columns), item.seller.name] for row, item in zip(rows, found, strict=True)])


def _show_series(found: list[Series], *, as_json: bool) -> None:
    rows = [
        {
            "name": item.name,
            "type_codes": [code.value for code in item.type_codes],
            "method": item.method.value,
            "template": item.template,
            "next_number": item.next_number,
            "last_date": item.last_date.isoformat() if item.last_date else None,
            "reset": item.reset.value,
        }
        for item in found
    ]
    if as_json:
        print_json(rows)
        return
    columns = list(rows[0]) if rows else ["name"]
    print_table(columns, [[_cell(value) for value in row.values()] for row in rows])


def _token_json(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "label": token.label,
        "begins": token.hint,
        "scopes": token.scopes,
        "created_at": instant_text(token.created_at_us),
        "expires_at": instant_text(token.expires_at_us),
        "revoked_at": instant_text(token.revoked_at_us),
        "last_used_at": instant_text(token.last_used_at_us),
    }


def _cell(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
