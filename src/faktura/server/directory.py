"""Which provider answers a request: by its token, its Host, or the configured default."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from faktura.domain.errors import LedgerError
from faktura.domain.provider import Provider
from faktura.ledger.ports import Storage

_FRESH_SECONDS = 1.0
"""How long a provider's settings are used before they are read again."""
_TOKENS_MAX = 10_000


class Directory:
    """Providers by id, token and host, as they were a second ago at most.

    Asking waits for nothing; `refresh` and `learn` read the ledger. Safe for threads: what is known is replaced, never changed.
    A token's provider never changes; whether the token is still good, this does not say.
    """

    def __init__(self, storage: Storage, default_provider: str | None) -> None:
        self._storage = storage
        self._default_name = default_provider
        self._read_at = 0.0
        self._providers: dict[int, Provider] = {}
        self._hosts: dict[str, Provider] = {}
        self._by_token: dict[bytes, tuple[int, int]] = {}

    def is_fresh(self) -> bool:
        """Whether what is known of the providers is young enough."""
        return time.monotonic() - self._read_at < _FRESH_SECONDS and bool(self._providers)

    def knows(self, token_hash: bytes) -> bool:
        """Whether the token was seen before."""
        return token_hash in self._by_token

    def learn(self, token_hash: bytes) -> None:
        """Read whose token it is."""
        owner = self._storage.serving().serving.owner_of_token(token_hash)
        if owner is not None:
            if len(self._by_token) >= _TOKENS_MAX:
                self._by_token.clear()
            self._by_token[token_hash] = owner

    def by_token(self, token_hash: bytes) -> tuple[Provider, int] | None:
        """Provider and account of a token that is or once was good; None for others, and for what nobody has learned."""
        owner = self._by_token.get(token_hash)
        provider = None if owner is None else self._providers.get(owner[0])
        return None if owner is None or provider is None else (provider, owner[1])

    def by_host(self, host: str) -> Provider | None:
        """The provider that a Host stands for, else the default, else the oldest; None in an empty ledger."""
        found = self._hosts.get(host.lower()) or self._hosts.get(host.lower().rsplit(":", 1)[0])
        if found:
            return found
        default = next((item for item in self._providers.values() if item.name == self._default_name), None)
        return default or next(iter(self._providers.values()), None)

    def refresh(self) -> None:
        """Read the providers. What was known stays where the ledger cannot be read."""
        self._read_at = time.monotonic()
        try:
            found = self._storage.serving().providers.all()
        except LedgerError:
            if not self._providers:
                raise
            return  # what was known lets a failure be told in its provider's words
        hosts: dict[str, Provider] = {}
        for provider in reversed(found):
            names = [*provider.hosts, urlsplit(provider.public_url).netloc if provider.public_url else ""]
            hosts.update({name.lower(): provider for name in names if name})
        self._providers, self._hosts = {provider.id: provider for provider in found}, hosts
