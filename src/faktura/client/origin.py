"""Where the token may go: one scheme, host and port, and below which path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from faktura.domain.errors import SettingError, WireError
from faktura.domain.text import shown

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?\Z|[0-9a-f:.]*:[0-9a-f:.]*\Z")
_LENGTH_MAX = 8192
"""Of a link."""
_KEPT = "/%:@!$&'()*+,;=~-._?[]"
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The server that is asked, and the path prefix that a gateway may put before the API's own paths."""

    scheme: str
    host: str
    port: int
    prefix: str
    root: str
    """The first segment of every path of the API: `/v1`."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host, and the port where it is not the scheme's own: what `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def target(self, path: str) -> str:
        """The path and query that are asked for, of a path of the API."""
        return self.prefix + path

    def redirected(self, target: str, location: str) -> str:
        """The target that a redirect leads to. WireError for another origin: nothing is sent there."""
        parts = _resolved(f"{self}{target}", location)
        if parts.scheme != self.scheme or parts.hostname != self.host or _port(parts) != self.port:
            message = f"it redirects to another origin, {_shown_origin(parts)}: nothing was sent there"
            raise WireError(message)
        return quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_KEPT)

    def followed(self, target: str, link: str) -> tuple[str, str]:
        """Path (of the API, without prefix) and query that a link in an answer names.

        The same host by another scheme is the same server. WireError for another one, and for a path that is none of the API's.
        """
        parts = _resolved(f"{self}{target}", link)
        port = _port(parts)
        by_default = port == _PORTS[parts.scheme] and self.port == _PORTS[self.scheme]
        if parts.hostname != self.host or not (port == self.port or by_default):
            message = f"its next page is at another host, {_shown_origin(parts)}: nothing was sent there"
            raise WireError(message)
        for start in (self.prefix + self.root, self.root):
            if parts.path == start or parts.path.startswith(f"{start}/"):
                return self.root + parts.path.removeprefix(start), parts.query
        message = f"its next page is at {shown(parts.path)}, which is no path of this API"
        raise WireError(message)


def parse_base(base_url: str, default_url: str) -> Origin:
    """The origin of a base URL, whose path ends like the documented one's. SettingError for what is none; it never shows credentials."""
    root = urlsplit(default_url).path.rstrip("/")
    try:
        parts = urlsplit(base_url)
        port = _port(parts)
    except (ValueError, AttributeError, TypeError) as error:
        message = f"base_url is not a URL such as {default_url}"
        raise SettingError(message) from error
    host, path = parts.hostname or "", parts.path.rstrip("/")
    if "@" in parts.netloc:
        raise SettingError("base_url must not contain a user or password: the token is given apart")
    if not port or not _HOST.match(host) or parts.query or parts.fragment or not path.endswith(root) or not _PATH.match(path):
        message = f"base_url must be http or https, a host and a path that ends with {root}, such as {default_url}, not {shown(base_url)}"
        raise SettingError(message)
    return Origin(scheme=parts.scheme, host=host, port=port, prefix=path.removesuffix(root), root=root)


def _resolved(url: str, link: str) -> SplitResult:
    try:
        parts = urlsplit(urljoin(url, link[: _LENGTH_MAX + 1]))
        if len(link) > _LENGTH_MAX or parts.scheme not in _PORTS or not parts.hostname or parts.port == 0:
            raise ValueError
    except ValueError:
        message = f"it leads to {shown(link)}, which is no address"
        raise WireError(message) from None
    return parts


def _port(parts: SplitResult) -> int:
    """The port, 0 where the scheme is none that is spoken here."""
    return (parts.port or _PORTS[parts.scheme]) if parts.scheme in _PORTS else 0


def _shown_origin(parts: SplitResult) -> str:
    return shown(f"{parts.scheme}://{parts.hostname}:{_port(parts)}")
