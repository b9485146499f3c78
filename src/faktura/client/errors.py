"""What a call to a provider's API can end in. A docstring is the default message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from faktura.domain import errors
from faktura.domain.errors import FakturaError


class CallError(FakturaError):
    """The call to the provider's API failed."""

    def __init__(self, message: str | None = None, *, status: int | None = None, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The answer's status, where there was one."""
        self.retry_at = retry_at
        """When the provider wants to be asked again, where it said so; aware, in UTC."""


class UnauthenticatedError(CallError):
    """The provider does not know this token."""


class ForbiddenError(CallError):
    """The provider does not let this token do that."""


class NotFoundError(CallError, errors.NotFoundError):
    """The provider has no such document, or the address is none of its API."""


class NotSupportedError(CallError):
    """The provider's API has no such call."""


class InvalidRequestError(CallError):
    """The provider does not accept this request."""

    def __init__(self, message: str | None = None, *, status: int | None = None, faults: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message, status=status)
        self.errors = dict(faults or {})
        """Field -> sentences, as the provider said them."""


class LockedError(CallError):
    """The provider has locked this account."""


class ThrottledError(CallError):
    """Too many requests: `retry_at` says when the provider answers again, where it said so."""


class ServerError(CallError):
    """The provider's server failed, or is away."""


class ConnectError(CallError):
    """The provider's server cannot be reached, or the connection was cut."""

    def __init__(self, message: str | None = None, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting
        """Whether asking again is of no use: its certificate is not trusted."""


class TimedOutError(CallError):
    """The answer did not come in time."""


class TooLargeError(CallError):
    """The answer is larger than what is read."""
