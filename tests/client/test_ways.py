"""TLS, and proxies that the environment names."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from tests.client.conftest import TOKEN, client_at
from tests.client.hostile import hostile, item, reply, vpsbg_page
from tests.client.test_hostile import HEAD, drip

from faktura.client import Client, ConnectError, SettingError, TimedOutError

GOOD = reply(vpsbg_page([item(1)]))
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="a certificate is made by openssl")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, and its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    key, path = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(path), "-days", "2"]
    subprocess.run([*command, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return path


@pytest.fixture
def context(certificate: Path) -> ssl.SSLContext:
    """What a server shows it with."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made


@needs_openssl
def test_tls(certificate: Path, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose certificate is trusted is read."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with hostile(lambda _count, _target: [GOOD], context=context) as server, client_at(server) as client:
        assert [invoice.id for invoice in client.invoices.list()] == [1]


@needs_openssl
def test_a_certificate_that_nobody_vouches_for(context: ssl.SSLContext) -> None:
    """Nothing is sent, and it is not tried again."""
    with hostile(lambda _count, _target: [GOOD], context=context) as server, client_at(server) as client:
        with pytest.raises(ConnectError, match="TLS failed: self-signed certificate"):
            client.invoices.page(1)
        assert (server.heads, client.requests) == ([], 1)


@needs_openssl
def test_drips_within_tls(certificate: Path, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the whole answer holds there too."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with (
        hostile(lambda _count, _target: [HEAD, *drip(b" " * 1000)], context=context) as server,
        client_at(server, deadline_seconds=0.7, attempts_max=1) as client,
    ):
        started = time.monotonic()
        with pytest.raises(TimedOutError, match=r"within 0.7 seconds"):
            client.invoices.page(1)
        assert time.monotonic() - started < 20


def test_a_server_that_speaks_no_tls() -> None:
    """It is told as such."""
    with hostile(lambda _count, _target: [GOOD]) as server:
        base_url = server.base_url.replace("http:", "https:")
        with client_at(server, base_url=base_url, attempts_max=1, timeout_seconds=2) as client, pytest.raises((ConnectError, TimedOutError)):
            client.invoices.page(1)
        assert not any(TOKEN.encode() in head for head in server.heads)


def test_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for http addresses with the whole URL, and given the credentials that the environment has for it."""
    with hostile(lambda _count, _target: [GOOD]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//us%40er:pass@"))
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//us%40er:pass@"))
        with client_at(proxy, base_url="http://api.test/v1") as client:
            assert len(list(client.invoices.list())) == 1
        assert proxy.targets == ["http://api.test:80/v1/invoices?page=1"]
        assert b"Proxy-Authorization: Basic dXNAZXI6cGFzcw==\r\n" in proxy.heads[0]
        monkeypatch.setenv("no_proxy", "api.invalid")
        with client_at(proxy, base_url="http://api.invalid/v1", attempts_max=1) as client, pytest.raises(ConnectError):
            client.invoices.page(1)
        assert len(proxy.heads) == 1


def test_a_proxy_that_refuses_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    """For https addresses a proxy is asked for a tunnel; it never sees the token."""
    with hostile(lambda _count, _target: [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"]) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with client_at(proxy, base_url="https://api.test/v1", attempts_max=1) as client, pytest.raises(ConnectError, match="the proxy said 403 Forbidden"):
            client.invoices.page(1)
        assert proxy.targets == ["api.test:443"]
        assert TOKEN.encode() not in proxy.heads[0]


@needs_openssl
def test_a_tunnel_that_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time holds for the tunnel, and for TLS within it."""
    for parts in (drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000), [b"HTTP/1.1 200 OK\r\n\r\n", 60.0]):
        with hostile(lambda _count, _target, parts=parts: parts) as proxy:  # type: ignore[misc]
            monkeypatch.setenv("https_proxy", proxy.url)
            with client_at(proxy, base_url="https://api.test/v1", attempts_max=1, deadline_seconds=0.5) as client, pytest.raises(TimedOutError):
                client.invoices.page(1)


@pytest.mark.parametrize("proxy", ["https://proxy.test:8080", "socks5://proxy.test", "http://", "http://[::1", "http://user:hunter2@proxy.test:99999"])
def test_proxies_that_are_not_spoken_to(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are refused, without what stands in their address."""
    monkeypatch.setenv("http_proxy", proxy)
    client = Client(provider="vpsbg", token="t", base_url="http://api.test/v1")
    with pytest.raises(SettingError, match="must be http://HOST:PORT") as caught:
        client.invoices.page(1)
    assert "hunter2" not in str(caught.value)
