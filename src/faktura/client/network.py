"""Connections by httpcore2, the time of each whole answer bounded. Loaded when the first request is sent."""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore2

from faktura.client.origin import Origin
from faktura.domain.errors import SettingError, WireError

_KEPT_SECONDS = 15
"""How long a connection that nothing is asked on is kept."""
_CONNECTIONS_MAX = 4
_ROUNDED_SECONDS = 0.01
_log = logging.getLogger("httpcore2.http11")
"""It tells the headers of answers, at DEBUG."""


class TimedOut(Exception):  # noqa: N818 - a signal between two modules, not an error that anybody sees
    """No byte came for too long, or the whole took too long."""


class Unreachable(Exception):  # noqa: N818
    """No connection, or one that was cut."""

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting
        """Whether asking again is of no use."""


class _Bounds:
    """What all streams of a pool know: when the answer must be there, and whether the other side has hung up."""

    def __init__(self) -> None:
        self.ends_at = 0.0
        self.ended = False

    def left(self, timeout: float | None, error: type[Exception]) -> float:
        """Seconds that the next step may take."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise error
        return left if timeout is None else min(timeout, left)


class _Stream(httpcore2.NetworkStream):
    """A stream each of whose steps ends by the time at which the answer must be there."""

    def __init__(self, inner: httpcore2.NetworkStream, bounds: _Bounds) -> None:
        self._inner = inner
        self._bounds = bounds

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._inner.read(max_bytes, self._bounds.left(timeout, httpcore2.ReadTimeout))
        self._bounds.ended = not data
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._bounds.left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None) -> httpcore2.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._bounds.left(timeout, httpcore2.ConnectTimeout)), self._bounds)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore2 has it
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    """Opens such streams. All addresses of a host share the time, which the standard library would give to each."""

    def __init__(self, bounds: _Bounds) -> None:
        self._inner = httpcore2.SyncBackend()
        self._bounds = bounds

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(error) from error
        failure: Exception = httpcore2.ConnectError("the host has no address")
        ends_at = time.monotonic() + self._bounds.left(timeout, httpcore2.ConnectTimeout)
        for *_, address in found:
            left = ends_at - time.monotonic()
            if left <= 0:
                break
            try:
                return _Stream(self._inner.connect_tcp(str(address[0]), port, left, local_address, socket_options), self._bounds)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class Network:
    """Connections to one origin. For one thread at a time. `hide` takes a secret out of what is logged, should a server send it back."""

    def __init__(self, origin: Origin, *, timeout_seconds: float, hide: Callable[[str], str]) -> None:
        self._origin = origin
        self._hide = hide
        self._timeouts = dict.fromkeys(("connect", "read", "write", "pool"), timeout_seconds)
        self._bounds = _Bounds()
        self._pool = _open_pool(origin, _Backend(self._bounds))

    def set_end(self, seconds: float) -> None:
        """From now on everything must be there within so many seconds."""
        self._bounds.ends_at = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether that time is over, but for what clocks of sockets round."""
        return time.monotonic() >= self._bounds.ends_at - _ROUNDED_SECONDS

    @contextmanager
    def ask(self, target: str, headers: list[tuple[bytes, bytes]]) -> Iterator[tuple[int, list[tuple[bytes, bytes]], Iterator[bytes]]]:
        """Status, headers and body (as it comes) of a GET. TimedOut, Unreachable, or WireError where it is no HTTP."""
        origin = self._origin
        url = httpcore2.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target)
        self._bounds.ended = False
        try:
            with self._discreet_log(), self._pool.stream("GET", url, headers=headers, extensions={"timeout": self._timeouts}) as response:
                yield response.status, response.headers, response.iter_stream()
        except httpcore2.TimeoutException:
            raise TimedOut from None
        except httpcore2.NetworkError as error:
            raise Unreachable(_reason(error), lasting=isinstance(_cause(error), ssl.SSLCertVerificationError)) from None
        except httpcore2.ProxyError as error:
            message = f"the proxy said {error}"
            raise Unreachable(message) from None
        except httpcore2.RemoteProtocolError:
            if self._bounds.ended:
                raise Unreachable("the connection was cut") from None
            raise WireError("the answer is no proper HTTP, or its headers are too long") from None

    @contextmanager
    def _discreet_log(self) -> Iterator[None]:
        if not _log.isEnabledFor(logging.DEBUG):
            yield
            return

        def discreet(record: logging.LogRecord) -> bool:
            record.msg = self._hide(str(record.msg))
            return True

        _log.addFilter(discreet)
        try:
            yield
        finally:
            _log.removeFilter(discreet)

    def close(self) -> None:
        """Hang up."""
        self._pool.close()


def _cause(error: Exception) -> object:
    """What the system raised: httpcore2 keeps it as its error's argument."""
    return error.args[0] if error.args else error


def _reason(error: Exception) -> str:
    """What the system says of it, without what a server said."""
    cause = _cause(error)
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {getattr(cause, 'verify_message', '') or cause.reason or 'no handshake'}"
    return (cause.strerror if isinstance(cause, OSError) else None) or "the connection failed"


def _open_pool(origin: Origin, backend: httpcore2.NetworkBackend) -> httpcore2.ConnectionPool:
    context = httpcore2.default_ssl_context() if origin.scheme == "https" else None
    proxy = None if proxy_bypass(origin.authority) else getproxies().get(origin.scheme)
    if not proxy:
        return httpcore2.ConnectionPool(context, max_connections=_CONNECTIONS_MAX, keepalive_expiry=_KEPT_SECONDS, network_backend=backend)
    parts = _parse_proxy(proxy)
    return httpcore2.HTTPProxy(
        httpcore2.URL(scheme="http", host=parts.hostname or "", port=parts.port or 80, target="/"),
        proxy_auth=(unquote(parts.username).encode(), unquote(parts.password or "").encode()) if parts.username else None,
        ssl_context=context,
        max_connections=_CONNECTIONS_MAX,
        keepalive_expiry=_KEPT_SECONDS,
        network_backend=backend,
    )


def _parse_proxy(proxy: str) -> SplitResult:
    """Only proxies that are spoken to without TLS: of TLS within TLS the time cannot be bounded."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        usable = parts.scheme == "http" and parts.hostname and parts.hostname.isascii() and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingError("the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY) must be http://HOST:PORT")
    return parts
