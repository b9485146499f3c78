"""Where documents are pulled from: a file of named sources, or one source by options."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from faktura.dialects.base import WireDialect
from faktura.domain.errors import SettingError
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Provider, check_name, check_reference

TOKEN_BYTES_MAX = 8192
"""A larger file is no token."""
_KEYS = {"provider", "base_url", "token_env", "token_file", "account", "currency", "zone"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One customer's account at one provider. The name stays when the token changes: it is what documents are kept under."""

    name: str
    dialect: WireDialect
    base_url: str
    """Where the API is, `/v1` included."""
    token_env: str | None = None
    token_file: Path | None = None
    """Where the token is: in a variable of the environment, or alone in a file."""
    account: str
    """What the ledger calls the account."""
    currency: str
    zone: str

    def __post_init__(self) -> None:
        check_name(self.name)
        check_reference(self.account)
        if (self.token_env is None) == (self.token_file is None):
            message = f"source {self.name}: name either token_env or token_file"
            raise SettingError(message)

    def provider(self) -> Provider:
        """What the ledger keeps the source's documents under."""
        host = urlsplit(self.base_url).hostname or self.name
        try:
            currency = Currency(self.currency)
        except ValueError as error:
            message = f"source {self.name}: {error}"
            raise SettingError(message) from error
        return Provider(id=0, name=self.name, dialect=self.dialect.name, zone=self.zone, currency=currency, seller=Party(name=host))

    def token(self, environment: Mapping[str, str]) -> str:
        """The token as it is now; SettingError where there is none. It is never part of a message."""
        if self.token_env is not None:
            token = environment.get(self.token_env, "").strip()
            where = f"the variable {self.token_env}"
        else:
            token, where = _read_token(self.token_file or Path()), f"the file {self.token_file}"
        if not token:
            message = f"source {self.name}: {where} has no token"
            raise SettingError(message)
        return token


def _read_token(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(TOKEN_BYTES_MAX).decode("ascii").strip()
    except UnicodeDecodeError:
        message = f"{path} is no token"
        raise SettingError(message) from None  # the error has the bytes
    except OSError as error:
        message = f"the token cannot be read: {error}"
        raise SettingError(message) from error


def make_source(dialects: Mapping[str, WireDialect], *, given: Mapping[str, object], name: str | None = None, folder: Path = Path()) -> Source:
    """A source of these settings. Without a name it is called after its provider and host, which stay when a token changes."""
    unknown = sorted(set(given) - _KEYS)
    label = name or "the source"
    if unknown:
        message = f"{label}: {', '.join(unknown)} is not a setting of a source; known: {', '.join(sorted(_KEYS))}"
        raise SettingError(message)
    wrong = [key for key, value in given.items() if not isinstance(value, str) or not value]
    if wrong:
        message = f"{label}: {wrong[0]} must be text"
        raise SettingError(message)
    texts = {key: str(value) for key, value in given.items()}
    dialect = dialects.get(texts.get("provider", ""))
    if dialect is None:
        message = f"{label}: provider must be one of {', '.join(sorted(dialects))}"
        raise SettingError(message)
    defaults, base_url = dialect.defaults, texts.get("base_url", dialect.defaults.base_url)
    name = name or _default_name(dialect, base_url)
    return Source(
        name=name,
        dialect=dialect,
        base_url=base_url,
        token_env=texts.get("token_env"),
        token_file=folder / texts["token_file"] if "token_file" in texts else None,
        account=texts.get("account", name),
        currency=texts.get("currency", defaults.currency.code),
        zone=texts.get("zone", defaults.zone),
    )


def _default_name(dialect: WireDialect, base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        place = parts.netloc.rpartition("@")[2] + parts.path.rstrip("/").removesuffix("/v1")
    except ValueError as error:
        message = f"{base_url!r} is not the address of an API"
        raise SettingError(message) from error
    kept = [sign if sign.isalnum() or sign in ".-" else "-" for sign in f"{dialect.name}-{place.lower()}"]
    return "".join(kept)[:63]


def read_sources(dialects: Mapping[str, WireDialect], path: Path) -> list[Source]:
    """The sources of a TOML file: a table each, its name theirs. Relative token files are beside it. SettingError names what cannot be used."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"the sources cannot be read from {path}: {error}"
        raise SettingError(message) from error
    sources = []
    for name, given in said.items():
        if not isinstance(given, dict):
            message = f"{path}: {name} must be a table, such as [{name}]"
            raise SettingError(message)
        sources.append(make_source(dialects, given=given, name=name, folder=path.parent))
    return sources
