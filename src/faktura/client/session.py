"""The client: one account at one provider."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from faktura.client.listing import Invoices
from faktura.client.origin import parse_base
from faktura.client.transport import Bounds, Secret, Surroundings, Transport
from faktura.dialects.base import Limit, WireDialect
from faktura.dialects.known import DIALECTS
from faktura.domain.errors import SettingError
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Provider
from faktura.domain.text import shown

BODY_BYTES_MAX = 16 * 1024 * 1024
PAGES_MAX = 100_000


class Client:
    """Reads the invoices of one account at one provider. For one thread at a time.

    `provider` is a name (`vpsbg`, `checkdomain`, or one that was added) or a dialect; `base_url` is that of the API, its version (`/v1`) included, by default the documented host.
    `currency` and `zone` are what the API's amounts and dates are in, by default the dialect's. SettingError for what cannot be used.
    """

    def __init__(
        self,
        *,
        provider: str | WireDialect,
        token: str,
        base_url: str | None = None,
        currency: str | Currency | None = None,
        zone: str | None = None,
        timeout_seconds: float = 20,
        deadline_seconds: float = 60,
        attempts_max: int = 4,
        body_bytes_max: int = BODY_BYTES_MAX,
        wait_seconds_max: float = 60,
        _pages_max: int = PAGES_MAX,
        _sleep: Callable[[float], object] = time.sleep,
        _random: Callable[[], float] = random.random,
        _clock: Callable[[], float] = time.time,
    ) -> None:
        self.dialect = _find(provider) if isinstance(provider, str) else provider
        defaults = self.dialect.defaults
        settings = Provider(
            id=0,
            name=self.dialect.name,
            dialect=self.dialect.name,
            zone=zone or defaults.zone,
            currency=Currency(currency) if isinstance(currency, str) else currency or defaults.currency,
            seller=Party(name=self.dialect.name),
        )
        bounds = Bounds(
            timeout_seconds=timeout_seconds,
            deadline_seconds=deadline_seconds,
            attempts_max=attempts_max,
            body_bytes_max=body_bytes_max,
            wait_seconds_max=wait_seconds_max,
        )
        self._transport = Transport(
            origin=parse_base(base_url or defaults.base_url, defaults.base_url),
            dialect=self.dialect,
            secret=Secret(token),
            bounds=bounds,
            surroundings=Surroundings(sleep=_sleep, random=_random, clock=_clock),
        )
        self.invoices = Invoices(self._transport, dialect=self.dialect, settings=settings, pages_max=_pages_max)
        """The account's invoices."""

    def __repr__(self) -> str:
        return f"Client(provider={self.dialect.name!r}, origin={str(self._transport.origin)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        self._transport.close()

    @property
    def origin(self) -> str:
        """Scheme, host and port: the only place that the token is sent to."""
        return str(self._transport.origin)

    @property
    def requests(self) -> int:
        """How many requests were sent, those that were sent again and redirects included."""
        return self._transport.requests

    @property
    def limit(self) -> Limit | None:
        """Where the last answer says that the account stands in its rate limit; None where it does not say."""
        return self._transport.limit


def _find(name: str) -> WireDialect:
    dialect = DIALECTS.get(name)
    if dialect is None:
        message = f"{shown(name)} is no provider that faktura knows: {', '.join(DIALECTS)}"
        raise SettingError(message)
    return dialect
