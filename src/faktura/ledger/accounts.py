"""Setting up: providers with their series, accounts, tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from faktura.domain.errors import ConflictError, NotFoundError, SettingError
from faktura.domain.numbering import Reset, Series, check_mark, fits_template
from faktura.domain.party import Party
from faktura.domain.provider import Account, Provider, Token, check_reference, generate_token, hash_token
from faktura.ledger.journal import Event, write
from faktura.ledger.ports import Books, SeriesJump, Transaction
from faktura.ledger.standing import FIRST_ORDINAL

IDS_PER_PROVIDER = 10**10
"""Each provider numbers its own rows; the provider's id times this makes them unique in the ledger and exact in JSON."""

SCOPES = ("read", "write")
"""Of a customer's token, which sees one account."""

MANAGEMENT_SCOPES = ("invoices:read", "invoices:write", "payments:write", "admin")
"""Of a provider's token, which sees all its accounts; `admin` includes the others."""


def add_provider(books: Books, *, provider: Provider, series: tuple[Series, ...], next_wire_id: int = 1) -> Provider:
    """Write a provider (its id is given here) and its series; ConflictError when the name is taken.

    `next_wire_id` is the id that its API shows for the first document: no provider starts at one.
    """
    if provider.dialect not in books.dialects:
        message = f"there is no dialect {provider.dialect!r}; known: {', '.join(sorted(books.dialects))}"
        raise SettingError(message)
    books.dialects[provider.dialect].check_settings(provider)
    for item in series:
        check_mark(item.template, is_test=provider.is_test)
    now_us = books.clock()
    with books.storage.writing() as tx:
        if tx.providers.find(provider.name):
            message = f"there is a provider {provider.name!r} already"
            raise ConflictError(message)
        provider = replace(provider, id=1 + max((known.id for known in tx.providers.all()), default=0))
        tx.providers.insert(provider, created_at_us=now_us, first_id=provider.id * IDS_PER_PROVIDER + 1)
        for item in series:
            tx.series.insert(replace(item, provider_id=provider.id))
        tx.providers.raise_wire_id(provider.id, next_wire_id)
        _journal(tx, books, provider.id, Event(name="provider.added", payload=[provider, next_wire_id], subject_id=provider.id), now_us)
    return provider


def set_provider(books: Books, *, name: str, change: Callable[[Provider], Provider]) -> Provider:
    """Change a provider's settings; name, dialect, zone, currency and whether it is a test stay what its documents were made with."""
    now_us = books.clock()
    with books.storage.writing() as tx:
        current = find_provider(tx, name)
        changed = change(current)
        fixed = ("id", "name", "dialect", "zone", "currency", "is_test")
        if any(getattr(changed, term) != getattr(current, term) for term in fixed):
            raise ConflictError("name, dialect, zone and currency of a provider cannot change, nor whether it is a test")
        tx.providers.set(changed)
        _journal(tx, books, current.id, Event(name="provider.set", payload=changed, subject_id=current.id), now_us)
    return changed


def find_provider(tx: Transaction, name: str) -> Provider:
    """The provider of that name, or NotFoundError naming those there are."""
    provider = tx.providers.find(name)
    if provider is None:
        known = ", ".join(item.name for item in tx.providers.all()) or "none yet"
        message = f"there is no provider {name!r}; known: {known}"
        raise NotFoundError(message)
    return provider


def find_account(tx: Transaction, provider: Provider, reference: str) -> Account:
    """The provider's account of that reference, or NotFoundError."""
    account = tx.accounts.find(provider.id, reference)
    if account is None:
        raise no_account(provider, reference)
    return account


def no_account(provider: Provider, reference: str) -> NotFoundError:
    """A provider's customers have another reference."""
    return NotFoundError(f"provider {provider.name!r} has no account {reference!r}")


def add_account(books: Books, *, provider: str, reference: str, buyer: Party | None) -> Account:
    """Write an account; ConflictError when the provider has one of that reference."""
    with books.storage.writing() as tx:
        owner = find_provider(tx, provider)
        if tx.accounts.find(owner.id, reference):
            message = f"provider {provider!r} has an account {reference!r} already"
            raise ConflictError(message)
        return insert_account(tx, books, owner, reference=reference, buyer=buyer)


def set_account(books: Books, *, provider_id: int, account_id: int, buyer: Party | None, check: Callable[[Account], None]) -> Account:
    """Change who an account's documents are made out to from now on; `check` sees the account first, and raises to refuse."""
    with books.storage.writing() as tx:
        account = tx.accounts.lock(account_id)
        if account is None or account.provider_id != provider_id:
            message = f"there is no account {account_id}"
            raise NotFoundError(message)
        check(account)
        changed = replace(account, buyer=buyer)
        tx.accounts.set_buyer(account_id, buyer)
        event = Event(name="account.set", payload=changed, account_id=account_id, subject_id=account_id)
        _journal(tx, books, provider_id, event, books.clock())
    return changed


def insert_account(tx: Transaction, books: Books, provider: Provider, *, reference: str, buyer: Party | None) -> Account:
    """Write an account inside a running transaction."""
    return insert_accounts(tx, books, provider, [reference], buyer=buyer)[0]


def insert_accounts(tx: Transaction, books: Books, provider: Provider, references: Sequence[str], *, buyer: Party | None = None) -> list[Account]:
    """Write accounts inside a running transaction, which share their ids' and entries' one take."""
    for reference in references:
        check_reference(reference)
    now_us = books.clock()
    taken = tx.providers.take(provider.id, ids=len(references), entries=len(references))
    accounts = [
        Account(
            id=account_id,
            provider_id=provider.id,
            reference=reference,
            buyer=buyer,
            first_ordinal=FIRST_ORDINAL,
            last_ordinal=FIRST_ORDINAL - 1,
            revision=0,
        )
        for account_id, reference in enumerate(references, taken.first_id)
    ]
    tx.accounts.insert_all(accounts, created_at_us=now_us)
    events = [Event(name="account.added", payload=account, account_id=account.id, subject_id=account.id) for account in accounts]
    write(tx, provider_id=provider.id, taken=taken, events=events, actor=books.actor, now_us=now_us)
    return accounts


def create_token(
    books: Books,
    *,
    provider: str,
    reference: str | None,
    label: str = "",
    scopes: tuple[str, ...] = ("read",),
    expires_at_us: int | None = None,
) -> tuple[str, Token]:
    """A new token: the key itself, to be shown once, and what the ledger keeps of it.

    With an account's reference it is a customer's, for the provider's API; without, the provider's own, for the management API.
    """
    known = MANAGEMENT_SCOPES if reference is None else SCOPES
    unknown = [scope for scope in scopes if scope not in known]
    if unknown or not scopes:
        message = f"a {'provider' if reference is None else 'customer'}'s token has the scopes {', '.join(known)}, not {', '.join(unknown) or 'none'}"
        raise SettingError(message)
    now_us = books.clock()
    if expires_at_us is not None and expires_at_us <= now_us:
        raise SettingError("the token would have expired already")
    key = generate_token()
    token_hash = hash_token(key)
    if token_hash is None:
        raise AssertionError("a generated token hashes")
    with books.storage.writing() as tx:
        owner = find_provider(tx, provider)
        account_id = None if reference is None else find_account(tx, owner, reference).id
        taken = tx.providers.take(owner.id, ids=1, entries=1)
        token = Token(
            id=taken.first_id,
            provider_id=owner.id,
            account_id=account_id,
            label=label,
            hint=key[:8],
            scopes=scopes,
            created_at_us=now_us,
            expires_at_us=expires_at_us,
            revoked_at_us=None,
            last_used_at_us=None,
        )
        tx.accounts.insert_token(token, token_hash=token_hash)
        event = Event(name="token.created", payload=token, account_id=account_id, subject_id=token.id)
        write(tx, provider_id=owner.id, taken=taken, events=[event], actor=books.actor, now_us=now_us)
    return key, token


def revoke_token(books: Books, *, token_id: int) -> None:
    """Revoke a token from now on; revoking it again changes nothing. NotFoundError for an id that never was."""
    now_us = books.clock()
    with books.storage.writing() as tx:
        if tx.accounts.revoke_token(token_id, revoked_at_us=now_us):
            provider_id = token_id // IDS_PER_PROVIDER
            _journal(tx, books, provider_id, Event(name="token.revoked", payload=token_id, subject_id=token_id), now_us)
        elif not tx.accounts.token_exists(token_id):
            message = f"there is no token {token_id}"
            raise NotFoundError(message)


def set_series(books: Books, *, provider: str, name: str, next_number: int | None = None, template: str | None = None, reset: Reset | None = None) -> Series:
    """Set a series' next number, template, or when it starts again. A counter never goes back: that would repeat numbers."""
    now_us = books.clock()
    with books.storage.writing() as tx:
        owner = find_provider(tx, provider)
        series = {item.name: item for item in tx.series.all(owner.id)}
        if next_number is None and template is None and reset is None:
            raise SettingError("nothing to set: give a next number, a template or a reset")
        if name not in series:
            message = f"provider {provider!r} has no series {name!r}; known: {', '.join(series)}"
            raise NotFoundError(message)
        if template is not None:
            check_mark(template, is_test=owner.is_test)
        current = tx.series.lock(series[name])
        changed = replace(current, next_number=next_number or current.next_number, template=template or current.template, reset=reset or current.reset)
        if changed.next_number < current.next_number:
            message = f"series {name!r} has used its numbers up to {current.next_number - 1}; the next cannot be {next_number}"
            raise ConflictError(message)
        if not fits_template(changed):
            message = f"the number {changed.next_number} does not fit the template {changed.template}, and a counter never goes back"
            raise SettingError(message)
        first_date = tx.series.first_date(current) if current.reset is Reset.YEAR and changed.reset is Reset.NEVER else None
        if first_date and current.last_date and first_date.year < current.last_date.year:
            message = f"series {name!r} has numbers of {first_date.year} to {current.last_date.year}, counted anew each year: counted on, they would come twice"
            raise ConflictError(message)
        events = [Event(name="series.set", payload=changed)]
        jump = _jump(tx, current, to_number=changed.next_number, now_us=now_us)
        if jump:
            tx.series.jump(owner.id, jump)
            events.append(Event(name="series.jumped", payload=jump))
        tx.series.set(changed)
        taken = tx.providers.take(owner.id, entries=len(events))
        write(tx, provider_id=owner.id, taken=taken, events=events, actor=books.actor, now_us=now_us)
    return changed


def _jump(tx: Transaction, series: Series, *, to_number: int, now_us: int) -> SeriesJump | None:
    """The numbers that a series leaves out from now on; those that it left out in an earlier year are kept so already."""
    jumps = [item for item in tx.series.jumps(series.provider_id) if item.name == series.name]
    start = series.next_number
    while known := next((item for item in jumps if item.from_number <= start < item.to_number), None):
        start = known.to_number
    return SeriesJump(name=series.name, from_number=start, to_number=to_number, recorded_at_us=now_us) if start < to_number else None


def _journal(tx: Transaction, books: Books, provider_id: int, event: Event, now_us: int) -> None:
    taken = tx.providers.take(provider_id, entries=1)
    write(tx, provider_id=provider_id, taken=taken, events=[event], actor=books.actor, now_us=now_us)
