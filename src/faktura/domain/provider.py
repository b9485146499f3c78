"""Who hands out invoices, to whom, and by which key."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass

from faktura.domain.calendar import zone
from faktura.domain.errors import SettingError
from faktura.domain.invoice import TypeCode
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.text import shown

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_ORIGIN = re.compile(rf"https?://{_LABEL}(?:\.{_LABEL})*(?::(\d{{1,5}}))?\Z", re.ASCII)
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::\d{{1,5}})?\Z", re.ASCII)
_PORT_MAX = 65535
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN = re.compile(r"fkt_([0-9A-Za-z]{32})([0-9A-Za-z]{6})\Z")
REFERENCE_LENGTH_MAX = 200
LOGO_BYTES_MAX = 32 * 1024
PROFILES = ("en16931", "xrechnung", "peppol", "facturx")
"""Whose terms a provider may ask of all its documents."""
RATE_LIMIT_MAX = 1_000_000_000
RATE_WINDOW_SECONDS_MAX = 31 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An issuer of invoices: its books, its dialect and its settings."""

    id: int
    name: str
    dialect: str
    zone: str
    currency: Currency
    """What its API's amounts are in: the wire does not say."""
    seller: Party
    public_url: str | None = None
    """Origin that links are built from; None takes the request's."""
    hosts: tuple[str, ...] = ()
    """Host names that stand for this provider where no token decides."""
    rate_limit: int = 0
    """Requests a window and account; 0 is off."""
    rate_window_seconds: int = 60
    type_words: tuple[tuple[TypeCode, str], ...] = ()
    """The provider's own word on the wire for a document type, where its dialect leaves that open."""
    e_invoice_profile: str | None = None
    """The profile whose terms every invoice that is issued must have; None asks for none beyond the law's."""
    accent: str | None = None
    """The colour of its PDFs, as `#rrggbb`."""
    footer: str | None = None
    """At the foot of every page of its PDFs."""
    logo: bytes | None = None
    """At the head of its PDFs: a small PNG, JPEG or SVG, which is read with every other setting."""
    is_test: bool = False
    """Its documents are for trying out: numbered and marked apart from legal ones, from the first on."""

    def __post_init__(self) -> None:
        check_name(self.name)
        zone(self.zone)
        origin = _ORIGIN.match(self.public_url or "")
        if self.public_url is not None and not (origin and int(origin.group(1) or 0) <= _PORT_MAX):
            message = f"public_url {self.public_url!r} must be an origin such as https://api.example.com, without a path"
            raise SettingError(message)
        bad = [host for host in self.hosts if not _HOST.match(host)]
        if bad:
            message = f"{shown(bad[0])} is not a host name such as api.example.com"
            raise SettingError(message)
        if self.logo is not None and len(self.logo) > LOGO_BYTES_MAX:
            message = f"a logo has at most {LOGO_BYTES_MAX // 1024} KiB"
            raise SettingError(message)
        if self.e_invoice_profile is not None and self.e_invoice_profile not in PROFILES:
            message = f"e_invoice_profile {shown(self.e_invoice_profile)} must be one of {', '.join(PROFILES)}"
            raise SettingError(message)
        if not 0 <= self.rate_limit <= RATE_LIMIT_MAX or not 1 <= self.rate_window_seconds <= RATE_WINDOW_SECONDS_MAX:
            message = f"a rate limit is 0 (off) to {RATE_LIMIT_MAX} requests in a window of 1 to {RATE_WINDOW_SECONDS_MAX} seconds"
            raise SettingError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A customer of a provider. Its listed documents are the ordinals `first_ordinal` to `last_ordinal`, without a hole."""

    id: int
    provider_id: int
    reference: str
    """The provider's own name for the customer, unique per provider."""
    buyer: Party | None
    first_ordinal: int
    last_ordinal: int
    revision: int
    """Grows with every change of what the account's API shows."""

    @property
    def listed_total(self) -> int:
        """How many documents the account's list has: exact, and free."""
        return self.last_ordinal - self.first_ordinal + 1

    def with_ends(self, first_ordinal: int, last_ordinal: int) -> Account:
        """The account after its list grew. Written out, since a billing run does it for each: `replace` takes three times as long."""
        return Account(
            id=self.id,
            provider_id=self.provider_id,
            reference=self.reference,
            buyer=self.buyer,
            first_ordinal=first_ordinal,
            last_ordinal=last_ordinal,
            revision=self.revision + 1,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An API key as the ledger keeps it: never the key itself."""

    id: int
    provider_id: int
    account_id: int | None
    """Whose documents it shows; None for a token that acts for the provider."""
    label: str
    hint: str
    """The key's first characters, to tell keys apart."""
    scopes: tuple[str, ...]
    created_at_us: int
    expires_at_us: int | None
    revoked_at_us: int | None
    last_used_at_us: int | None


def check_name(name: str) -> None:
    """SettingError unless the name is short, lower case and safe in a shell and a URL."""
    if not _NAME.match(name):
        message = f"{name!r} is not a usable name: lower-case letters, digits, dot, dash and underscore, at most 63"
        raise SettingError(message)


def check_reference(reference: str) -> None:
    """SettingError unless the text can name an account: 1 to 200 printable characters without blanks at its ends."""
    if not 0 < len(reference) <= REFERENCE_LENGTH_MAX or not reference.isprintable() or reference != reference.strip():
        message = f"{shown(reference)} is not a usable account reference: 1 to {REFERENCE_LENGTH_MAX} printable characters"
        raise SettingError(message)


def generate_token() -> str:
    """A new API key: `fkt_`, 32 random letters and digits (190 bits), and a checksum that scanners can test."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(32))
    return f"fkt_{body}{_checksum(body)}"


def hash_token(token: str) -> bytes | None:
    """The SHA-256 under which the ledger keeps a key, or None for what cannot be one."""
    found = _TOKEN.match(token)
    if not found or _checksum(found.group(1)) != found.group(2):
        return None
    return hashlib.sha256(token.encode("ascii")).digest()


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode("ascii"))
    digits = []
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
