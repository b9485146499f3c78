"""What a client is made of, and what loading it loads."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.client.conftest import TOKEN, client_at
from tests.client.hostile import hostile, item, reply, vpsbg_page

import faktura.client
from faktura.client import Client, FakturaError, SettingError, WireError
from faktura.client.origin import parse_base
from faktura.dialects.base import Defaults
from faktura.dialects.vpsbg import Vpsbg

_FORBIDDEN = (
    "faktura.server faktura.storage faktura.bootstrap faktura.ledger faktura.cli sqlite3 psycopg litestar uvicorn typer rich structlog httpcore2 h11 ssl"
)


def test_the_public_surface() -> None:
    """These names and no others are what a caller may rely on."""
    assert faktura.client.__all__ == sorted(faktura.client.__all__)
    assert " ".join(faktura.client.__all__) == (
        "CallError Client ConnectError FakturaError ForbiddenError InvalidRequestError Invoice Invoices Line LockedError NotFoundError NotSupportedError"
        " Page Payment ServerError SettingError ThrottledError TimedOutError TooLargeError UnauthenticatedError WireError"
    )
    kinds = [getattr(faktura.client, name) for name in faktura.client.__all__ if name.endswith("Error")]
    assert all(issubclass(kind, FakturaError) and kind.__doc__ for kind in kinds)


def test_loading_it_loads_no_server_and_no_driver() -> None:
    """Nor what connects, before something is asked."""
    script = f"import sys, faktura.client; print([name for name in {_FORBIDDEN.split()!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_request_loads_no_server_and_no_driver() -> None:
    """Not even when it connects."""
    names = [name for name in _FORBIDDEN.split() if name not in {"httpcore2", "h11", "ssl"}]
    with hostile(lambda _count, _target: [reply(vpsbg_page([item(1)]))]) as server:
        script = f"""
import sys
from faktura.client import Client
with Client(provider="vpsbg", token="t", base_url={server.base_url!r}) as client:
    print([invoice.id for invoice in client.invoices.list()], [name for name in {names!r} if name in sys.modules])
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[1] []\n"


@pytest.mark.parametrize(
    "base_url",
    [
        "api.vpsbg.eu/v1",
        "https://api.vpsbg.eu",
        "https://api.vpsbg.eu/v2",
        "https://api.vpsbg.eu/v1?x=1",
        "https://api.vpsbg.eu/v1#x",
        "ftp://api.vpsbg.eu/v1",
        "https:///v1",
        "https://api.vpsbg.eu:99999/v1",
        "https://api vpsbg.eu/v1",
        "https://größe.test/v1",
        "https://[::1/v1",
        "https://api.vpsbg.eu/a b/v1",
        "//api.vpsbg.eu/v1",
        5,
    ],
)
def test_base_urls_that_are_none(base_url: object) -> None:
    """They are refused at once."""
    with pytest.raises(SettingError, match="base_url"):
        Client(provider="vpsbg", token="t", base_url=base_url)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        (None, "https://api.vpsbg.eu"),
        ("https://API.vpsbg.eu:443/v1/", "https://api.vpsbg.eu"),
        ("http://localhost:8000/v1", "http://localhost:8000"),
        ("http://[::1]/a/v1", "http://[::1]"),
    ],
)
def test_base_urls(given: str | None, origin: str) -> None:
    """The documented host is the default; a slash at the end and the scheme's own port do not matter."""
    assert Client(provider="vpsbg", token="t", base_url=given).origin == origin


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://api.test/gate/v1/invoices?page=2", ("/v1/invoices", "page=2")),
        ("http://api.test/v1/invoices?page=2", ("/v1/invoices", "page=2")),
        ("http://api.test:80/v1/invoices?page=2", ("/v1/invoices", "page=2")),
        ("http://API.test:443/v1/invoices?page=2#x", ("/v1/invoices", "page=2")),
        ("?page=2", ("/v1/invoices", "page=2")),
        ("/v1/invoices?page=2", ("/v1/invoices", "page=2")),
        ("https://api.test:8443/v1/invoices?page=2", None),
        ("http://api.test:8080/v1/invoices?page=2", None),
        ("http://sub.api.test/v1/invoices?page=2", None),
        ("http://api.test./v1/invoices?page=2", None),
    ],
)
def test_links_of_a_gateway(link: str, expected: tuple[str, str] | None) -> None:
    """Another scheme of the same host is the same server; another host or port is not."""
    origin = parse_base("https://api.test/gate/v1", "https://api.vpsbg.eu/v1")
    if expected is None:
        with pytest.raises(WireError, match="another host"):
            origin.followed("/gate/v1/invoices?page=1", link)
    else:
        assert origin.followed("/gate/v1/invoices?page=1", link) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"provider": "hetzner"},
        {"timeout_seconds": 0},
        {"deadline_seconds": float("inf")},
        {"deadline_seconds": float("nan")},
        {"attempts_max": 0},
        {"body_bytes_max": -1},
        {"wait_seconds_max": -1},
        {"currency": "euro"},
        {"zone": "Mars/Olympus"},
    ],
)
def test_settings_that_cannot_be_used(wrong: dict[str, object]) -> None:
    """They are refused at once."""
    with pytest.raises(SettingError):
        Client(**({"provider": "vpsbg", "token": "t"} | wrong))  # type: ignore[arg-type]


class Third(Vpsbg):
    """A third provider, whose API has another name, version and host."""

    name = "third"
    defaults = Defaults(
        base_url="https://api.third.test/v1",
        hosts=(),
        zone="Europe/Vienna",
        currency=Vpsbg.defaults.currency,
        rate_limit=0,
        rate_window_seconds=60,
        invoice_template="{seq}",
        pro_forma_template="{seq}",
        pro_formas_by_order=False,
    )


def test_a_dialect_of_ones_own() -> None:
    """A client takes any dialect."""
    assert repr(Client(provider=Third(), token="t")) == "Client(provider='third', origin='https://api.third.test')"
    with hostile(lambda _count, _target: [reply(vpsbg_page([item(1)]))]) as server, client_at(server, provider=Third()) as client:
        (invoice,) = client.invoices.list()
    assert invoice.created_at.isoformat() == "2024-09-24T23:00:00+02:00"


def test_a_closed_client_connects_again() -> None:
    """Closing twice, and reading on after it, is no mistake."""
    with hostile(lambda _count, _target: [reply(vpsbg_page([item(1)]))]) as server:
        client = client_at(server)
        client.close()
        with client:
            assert len(list(client.invoices.list())) == 1
        assert len(list(client.invoices.list())) == 1
        client.close()
        client.close()


def test_the_token_is_sent_as_a_bearer(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what both APIs document, and the host that was given."""
    with hostile(lambda _count, _target: [reply(vpsbg_page([item(1)]))]) as server, client_at(server) as client:
        client.invoices.page(1)
        lines = server.heads[0].decode().split("\r\n")
    assert lines[0] == "GET /v1/invoices?page=1 HTTP/1.1"
    assert f"Host: {server.url.removeprefix('http://')}" in lines
    assert f"Authorization: Bearer {TOKEN}" in lines
    assert "Accept: application/json" in lines
