"""What the edge reads of an ASGI request, once."""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from faktura.config import Network
from faktura.domain.provider import hash_token

Scope = dict[str, Any]
REQUEST = "faktura.request"
"""Where a management call's scope keeps what was read of it."""

_JOINED = {b"authorization", b"if-none-match"}
"""Headers whose lines belong together (RFC 9110, 5.3). No list of two credentials is a bearer token."""
_READ = {b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-request-id", b"accept-language"} | _JOINED
_CALLERS_MAX = 1024
_REMEMBERED_BYTES_MAX = 256
"""Longer is no token of ours and no host name (RFC 1035 allows 253 characters): nobody can fill the memory with what is remembered."""
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?\Z")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z")
_BEARER = re.compile(rb"bearer +([!-~]+) *\Z", re.IGNORECASE)


@dataclass(slots=True)
class Request:
    """A request of the provider API."""

    method: str
    path: str
    query_string: str
    token_hash: bytes | None
    """None for no token, and for what cannot be one of ours."""
    host: str
    """The Host that the caller used, believed proxies considered; always harmless in JSON."""
    origin: str
    """Scheme and host for links."""
    peer: str
    request_id: bytes
    if_none_match: bytes = b""
    """Entity tags of what the caller has, or `*`."""
    accept_language: bytes = b""
    route: str = "other"
    """What kind of call it is, once that is known: for what is counted and logged, so one of few."""
    provider_id: int | None = None
    """Of a management call whose token is good."""
    failure: BaseException | None = None
    """What went wrong in a management call: the ledger's trouble, or a mistake of ours."""


def read_request(scope: Scope, trusted_proxies: tuple[Network, ...]) -> Request:
    """The request of a scope. Two different Authorization headers are no token at all."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _READ:
            before = found.setdefault(name, value)
            if before is not value and name in _JOINED:
                found[name] = b"%b, %b" % (before, value) if before != value or name == b"if-none-match" else value
    peer = scope["client"][0] if scope["client"] else ""
    scheme, host = scope["scheme"], found.get(b"host", b"").decode("latin-1")
    if trusted_proxies and _is_trusted(peer, trusted_proxies):
        forwarded = _text(found.get(b"x-forwarded-proto")).split(",")[0].strip()
        scheme = forwarded if forwarded in {"http", "https"} else scheme
        host = _text(found.get(b"x-forwarded-host")).split(",")[0].strip() or host
        # The nearest address that no proxy of ours has: what stands before it, the caller may have made up.
        hops = [hop.strip() for hop in _text(found.get(b"x-forwarded-for")).split(",") if hop.strip()]
        peer = next((hop for hop in reversed(hops) if not _is_trusted(hop, trusted_proxies)), peer)
    if not _is_harmless(host):
        server = scope.get("server") or ("localhost", None)
        host = f"{server[0]}:{server[1]}" if server[1] else str(server[0])
    authorization, request_id = found.get(b"authorization"), found.get(b"x-request-id")
    return Request(
        method=scope["method"],
        path=scope["path"],
        query_string=scope["query_string"].decode("latin-1"),
        token_hash=None if authorization is None else token_hash(authorization),
        host=host,
        origin=f"{scheme}://{host}",
        peer=peer,
        request_id=request_id if request_id and _REQUEST_ID.match(request_id) else new_request_id(),
        if_none_match=found.get(b"if-none-match", b""),
        accept_language=found.get(b"accept-language", b""),
    )


def new_request_id() -> bytes:
    """An id for a request that brought none, or one that cannot be logged and echoed as it is. It is told apart, not kept secret."""
    return b"%016x" % random.getrandbits(64)


def _is_harmless(host: str) -> bool:
    return len(host) <= _REMEMBERED_BYTES_MAX + 6 and _matches_host(host)


@lru_cache(maxsize=_CALLERS_MAX)
def _matches_host(host: str) -> bool:
    return bool(_HOST.match(host))


def read_of(scope: Mapping[str, Any]) -> Request | None:
    """What was read of a management call, for those who learn more of it; None where no server stands around the API."""
    found: Request | None = scope.get(REQUEST)
    return found


def token_hash(authorization: bytes) -> bytes | None:
    """The hash of the bearer token of an Authorization header; None for what cannot be one of ours. Those who call often are remembered."""
    return _hash_bearer(authorization) if len(authorization) <= _REMEMBERED_BYTES_MAX else None


@lru_cache(maxsize=_CALLERS_MAX)
def _hash_bearer(authorization: bytes) -> bytes | None:
    bearer = _BEARER.match(authorization)
    return hash_token(bearer.group(1).decode("ascii")) if bearer else None


def _is_trusted(peer: str, trusted_proxies: tuple[Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in trusted_proxies)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("latin-1")
