"""A typed client for the invoice APIs that faktura speaks: docs/reference/client.md."""

from __future__ import annotations

from faktura.client.errors import (
    CallError,
    ConnectError,
    ForbiddenError,
    InvalidRequestError,
    LockedError,
    NotFoundError,
    NotSupportedError,
    ServerError,
    ThrottledError,
    TimedOutError,
    TooLargeError,
    UnauthenticatedError,
)
from faktura.client.listing import Invoices
from faktura.client.results import Invoice, Line, Page, Payment
from faktura.client.session import Client
from faktura.domain.errors import FakturaError, SettingError, WireError

__all__ = [
    "CallError",
    "Client",
    "ConnectError",
    "FakturaError",
    "ForbiddenError",
    "InvalidRequestError",
    "Invoice",
    "Invoices",
    "Line",
    "LockedError",
    "NotFoundError",
    "NotSupportedError",
    "Page",
    "Payment",
    "ServerError",
    "SettingError",
    "ThrottledError",
    "TimedOutError",
    "TooLargeError",
    "UnauthenticatedError",
    "WireError",
]
