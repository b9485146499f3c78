"""What callers get wrong, or do on purpose: a clear answer each time, and a server that is as well as before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Ledger, open_ledger
from tests.database import execute, sqlite_only
from tests.server.wire import Site, parse_reply, request_bytes, serve_and_end

from faktura.domain.provider import generate_token
from faktura.ledger.accounts import revoke_token

HOSTS = {"vpsbg": "api.vpsbg.eu", "checkdomain": "api.checkdomain.de"}
UNAUTHENTICATED = {"vpsbg": b'{"message":"Unauthenticated."}', "checkdomain": b'{"code":401,"message":"Unauthorized","errors":null}'}
both = pytest.mark.parametrize("dialect", ["vpsbg", "checkdomain"])


@pytest.fixture(autouse=True)
def healthy_after(site: Site) -> Iterator[None]:
    """After each test the server still serves."""
    yield
    assert site.get("/healthz").status == 200
    assert site.get("/v1/invoices", "vpsbg/thirty").json()["meta"]["total"] == 30


@pytest.fixture(scope="module")
def refused(site: Site) -> dict[str, str]:
    """Authorization headers that are refused, by what is wrong with them; both providers' tokens among them."""
    assert site.path is not None
    headers = {"unknown": f"Bearer {generate_token()}"}
    with open_ledger(site.path) as ledger:
        for dialect in HOSTS:
            expired = ledger.token(dialect, "none", expires_at_us=ledger.clock.now_us + 1)
            headers |= {f"expired {dialect}": f"Bearer {expired}"}
            headers[f"revoked {dialect}"] = f"Bearer {revoked(ledger, dialect)}"
    good = site.tokens["vpsbg/thirty"]
    malformed = ("", "Bearer", "Bearer ", good, f"Basic {good}", f"Token {good}", f"Bearer {good}x", f"Bearer {good[:-1]}", f"Bearer {good.swapcase()}")
    more = (
        f"Bearer {good}, Bearer {good}",
        f"Bearer {good} {good}",
        f"Bearer\t{good}",
        f"Bearer: {good}",
        "Bearer é",
        "Bearer " + "a" * 9000,
        "Bearer fkt_' OR 1=1--",
    )
    return headers | {f"malformed {place}": value for place, value in enumerate(malformed + more)}


def revoked(ledger: Ledger, dialect: str) -> str:
    """A token that was good once."""
    token = ledger.token(dialect, "none")
    with ledger.books.storage.reading() as tx:
        provider = tx.providers.find(dialect)
        assert provider is not None
        newest = tx.accounts.tokens(provider.id)[-1]
    assert token.startswith(newest.hint)
    revoke_token(ledger.books, token_id=newest.id)
    return token


@both
def test_refusals_by_token_are_one_identical_401(site: Site, refused: dict[str, str], dialect: str) -> None:
    """None, malformed, unknown, expired and revoked tokens get byte-identical answers but for date and request id."""
    none = site.get("/v1/invoices", host=HOSTS[dialect])
    assert (none.status, none.body) == (401, UNAUTHENTICATED[dialect])
    for what, value in refused.items():
        reply = site.get("/v1/invoices", host=HOSTS[dialect], headers=[("Authorization", value.encode("latin-1"))])
        assert reply.lasting() == none.lasting(), what


@both
def test_a_refusal_says_nothing_of_documents(site: Site, refused: dict[str, str], dialect: str) -> None:
    """The call for one document is refused the same whether the document exists or not, and whatever the token was."""
    authorization = [("Authorization", refused[f"revoked {dialect}"])]
    replies = [site.get(f"/v1/invoices/{wire_id}", host=HOSTS["checkdomain"], headers=authorization) for wire_id in (10_001, 30_001, 1)]
    assert {reply.lasting() for reply in replies} == {site.get("/v1/invoices", host=HOSTS["checkdomain"]).lasting()}


def test_a_token_is_refused_from_the_call_after_its_revocation(site: Site) -> None:
    """A running server stops serving a token as soon as it is revoked."""
    assert site.path is not None
    with open_ledger(site.path) as ledger:
        token = ledger.token("checkdomain", "ten")
        asks = request_bytes("/v1/invoices", token)
        before = parse_reply(site.talk(asks))
        with ledger.books.storage.reading() as tx:
            token_id = max(item.id for provider in tx.providers.all() for item in tx.accounts.tokens(provider.id) if token.startswith(item.hint))
        revoke_token(ledger.books, token_id=token_id)
        after = parse_reply(site.talk(asks))
    assert (before.status, after.status) == (200, 401)


def test_two_authorization_headers_are_no_token(site: Site) -> None:
    """Two different Authorization headers are refused, in either order; none of them is chosen."""
    values = [f"Authorization: Bearer {site.tokens[name]}".encode() for name in ("vpsbg/thirty", "vpsbg/pages-3")]
    for first, second in (values, values[::-1], (values[0], b"Authorization: Basic eDp5"), (b"authorization:", values[0])):
        reply = parse_reply(site.talk(request_bytes("/v1/invoices", None, first, second)))
        assert (reply.status, reply.body) == (401, UNAUTHENTICATED["vpsbg"])


@pytest.mark.parametrize(("owner", "wire_id"), [("ten", 10_001), ("eleven", 20_011), ("many", 30_250), ("odd", 90_001)])
def test_another_account_s_document_equals_a_missing_one(site: Site, owner: str, wire_id: int) -> None:
    """A document of another account is answered byte by byte as one that never was."""
    assert site.get(f"/v1/invoices/{wire_id}", f"checkdomain/{owner}").status == 200
    foreign, missing = (site.get(f"/v1/invoices/{number}", "checkdomain/none") for number in (wire_id, 987_654_321))
    assert (missing.status, missing.body) == (404, b'{"code":404,"message":"Not Found","errors":null}')
    assert foreign.lasting() == missing.lasting()


@pytest.mark.parametrize(
    "written", ["abc", "0", "-1", "1e3", "9223372036854775808", "9" * 400, "%00", "10001%00", "10001;", "%2e%2e%2f", "1 OR 1=1".replace(" ", "%20")]
)
def test_what_is_no_document_id_is_not_found(site: Site, written: str) -> None:
    """Any id that cannot be one is a plain 404 of each API."""
    reply = site.get(f"/v1/invoices/{written}", "checkdomain/ten")
    assert (reply.status, reply.json()) == (404, {"code": 404, "message": "Not Found", "errors": None})
    reply = site.get(f"/v1/invoices/{written}", "vpsbg/thirty")
    assert (reply.status, list(reply.json())) == (404, ["message"])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"])
@both
def test_a_wrong_method_names_the_right_ones(site: Site, dialect: str, method: str) -> None:
    """Any method but GET and HEAD is a 405 with Allow, and a body sent with it does no harm."""
    head = f"{method} /v1/invoices HTTP/1.1\r\nHost: {HOSTS[dialect]}\r\nConnection: close\r\n"
    reply = parse_reply(site.talk(f"{head}Content-Length: 9\r\n\r\n".encode(), b'{"id":12}'))
    assert (reply.status, reply.header("allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize("times", [1, 20_000])
def test_a_body_is_not_taken_for_the_next_request(site: Site, times: int) -> None:
    """On a kept connection the request after a refused POST is read after the POST's body, however large that is."""
    smuggled = b"GET /v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n" * times
    post = b"POST /v1/invoices HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(smuggled)
    said = site.talk(post + smuggled + request_bytes("/healthz"))
    assert (said.count(b"HTTP/1.1 "), b"smuggled" in said, said.endswith(b'{"status":"ok"}')) == (2, False, True)


@pytest.mark.parametrize("length", [255, 128])
def test_a_query_may_have_255_characters(site: Site, length: int) -> None:
    """The longest query is counted in characters, as the error says, not in bytes."""
    reply = site.get(f"/v1/invoices?query={'%C3%A4' * length}", "checkdomain/ten")
    assert (reply.status, reply.json()["total"]) == (200, 0)


@pytest.mark.parametrize("query", ["query=" + "a" * 10_000, "query=%00", "query=%FF", "query=%C0%AF", "query=%ED%A0%80"])
def test_an_unusable_query_says_what_is_wrong(site: Site, query: str) -> None:
    """A query too long, with NUL or not UTF-8 is a 400 with a sentence; VPSBG, which has no such parameter, does not look at it."""
    reply = site.get(f"/v1/invoices?{query}", "checkdomain/ten")
    assert reply.status == 400
    assert all(sentence.endswith(".") for sentence in reply.json()["errors"]["children"]["query"]["errors"])
    assert site.get(f"/v1/invoices?{query}", "vpsbg/thirty").status == 200


@pytest.mark.parametrize(
    "query", ["%", "%zz", "=", "&&&", "page", "page=%", "a=%u1234", "page[[[[=1", "page[=2", "&".join(["a=1"] * 5000), "%FF=%FF", "page=1#x", "?", "query=%"]
)
@both
def test_a_broken_query_string_is_read_as_far_as_it_goes(site: Site, dialect: str, query: str) -> None:
    """Broken escapes, empty names and thousands of parameters are no error: page 1 is served."""
    reply = site.get(f"/v1/invoices?{query}", {"vpsbg": "vpsbg/thirty", "checkdomain": "checkdomain/ten"}[dialect])
    body = reply.json()
    assert reply.status == 200
    assert (body["meta"]["current_page"] if dialect == "vpsbg" else body["page"]) == 1


@pytest.mark.parametrize("host", ["api.test", "API.Test:8443", "[::1]:8000", "127.0.0.1", "xn--bcher-kva.example"])
def test_a_usable_host_is_in_the_links(site: Site, host: str) -> None:
    """Links are on the Host that the caller used."""
    assert site.get("/v1/invoices", "vpsbg/thirty", host=host).json()["links"]["first"] == f"http://{host}/v1/invoices?page=1"


@pytest.mark.parametrize(
    "host",
    [
        *(b'a"b', b'","x":"y', b"a b", b"a\\b", b"a/b", b"a@b", b"user:pass@b", b"<script>", b"a,b", b"a\tb", b"a?b", b"a#b", b"a%0d%0ab"),
        *(b"", b"\xff.test", b"[::1", b"[x]", b"a:b", b"a:123456", b"a:80:80", b"{path}", b"a" * 300),
    ],
)
def test_a_hostile_host_is_in_no_link(site: Site, host: bytes) -> None:
    """A Host that is none is ignored: links are on the address that answered, and JSON stays JSON."""
    reply = parse_reply(site.talk(request_bytes("/v1/invoices", site.tokens["vpsbg/thirty"], b"Host: " + host)))
    assert reply.status == 200
    page = reply.json()
    assert page["meta"]["path"] == f"{site.url}/v1/invoices"
    assert page["links"]["first"] == f"{site.url}/v1/invoices?page=1"


@pytest.mark.parametrize("host", [b"a\r\nX-Evil: 1", b"a\r\n X-Evil: 1", b"a\nX-Evil: 1", b"a\rX-Evil: 1", b"a\x00X-Evil: 1"])
def test_a_host_injects_no_header(site: Site, host: bytes) -> None:
    """Line breaks and NUL in a Host give no header of the answer and no text of a link."""
    reply = parse_reply(site.talk(request_bytes("/v1/invoices", site.tokens["vpsbg/thirty"], b"Host: " + host)))
    assert reply.header("x-evil") is None
    assert reply.status == 400 or reply.json()["meta"]["path"] in {"http://a/v1/invoices", f"{site.url}/v1/invoices"}
    assert b"Evil" not in reply.body


def test_the_host_decides_the_dialect_where_no_token_does(site: Site) -> None:
    """Without a valid token the Host's provider answers, whatever the letters' case and the port; with one, the token's."""
    for dialect, host in HOSTS.items():
        for written in (host, host.upper(), f"{host}:443"):
            assert site.get("/v1/invoices", host=written).body == UNAUTHENTICATED[dialect]
    assert site.get("/v1/invoices", host="elsewhere.test").body == UNAUTHENTICATED["vpsbg"]
    assert site.get("/v1/invoices", "checkdomain/ten", host=HOSTS["vpsbg"]).json()["total"] == 10
    assert site.get("/v1/invoices", "vpsbg/thirty", host=HOSTS["checkdomain"]).json()["meta"]["total"] == 30


FORWARDED = (
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "api.public.test"),
    ("X-Forwarded-For", "127.0.0.2"),
    ("Forwarded", "for=127.0.0.2;host=evil.test"),
)


def test_forwarded_headers_of_strangers_are_ignored(site: Site, limited: Site) -> None:
    """From a peer that is not listed, and where none is, X-Forwarded headers change nothing."""
    for server, peer in ((site, "127.0.0.2"), (limited, "127.0.0.1"), (limited, "127.0.0.3")):
        reply = server.get("/v1/invoices", "vpsbg/none" if server is site else "plain/a", headers=FORWARDED, peer=peer, host="a.test")
        assert reply.json()["meta"]["path"] == "http://a.test/v1/invoices"


def test_forwarded_headers_of_listed_peers_are_believed(limited: Site) -> None:
    """From a listed peer scheme and host of links, and the host that decides the dialect, are the forwarded ones."""
    path = limited.get("/v1/invoices", "plain/a", headers=FORWARDED, peer="127.0.0.2").json()["meta"]["path"]
    assert path == "https://api.public.test/v1/invoices"
    forwarded = [("X-Forwarded-Host", HOSTS["checkdomain"])]
    assert limited.get("/v1/invoices", headers=forwarded, peer="127.0.0.2", host="a.test").body == UNAUTHENTICATED["checkdomain"]


@pytest.mark.parametrize(("proto", "host"), [("javascript", 'a"b'), ("HTTPS://x", "a/b"), ("", ""), ("https\\", "a b")])
def test_hostile_forwarded_headers_are_harmless(limited: Site, proto: str, host: str) -> None:
    """What a listed peer forwards still has to be a scheme and a host; otherwise links are on the address that answered."""
    headers = [("X-Forwarded-Proto", proto), ("X-Forwarded-Host", host)]
    path = limited.get("/v1/invoices", "plain/a", headers=headers, peer="127.0.0.2").json()["meta"]["path"]
    assert path == f"{limited.url}/v1/invoices"


def test_public_url_is_the_origin_of_links(limited: Site) -> None:
    """Where a provider has a public_url, links are on it, whatever Host and proxies say."""
    for peer in ("127.0.0.1", "127.0.0.2"):
        page = limited.get("/v1/invoices?page=5", "public/b", headers=FORWARDED, peer=peer, host="evil.test").json()
        urls = [page["meta"]["path"], *page["links"].values(), *(link["url"] for link in page["meta"]["links"])]
        assert {url.partition("/v1/")[0] for url in urls if url} == {"https://api.example.eu"}


def test_a_ledger_of_a_newer_release_is_refused(ledger: Ledger) -> None:
    """`serve` ends at once, with one line that names both schemas, and leaves the ledger as it was."""
    execute(ledger.books, "INSERT INTO schema_migration VALUES (9001, 'from the future', 0)")
    ended = serve_and_end(ledger.path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("faktura: ")
    assert (ended.stderr.count("\n"), "9001" in ended.stderr, "newer" in ended.stderr) == (1, True, True)
    assert execute(ledger.books, "SELECT MAX(version) AS newest FROM schema_migration") == [{"newest": 9001}]


@sqlite_only
@pytest.mark.parametrize("content", [None, b"not a database " * 100])
def test_what_is_no_ledger_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """`serve` of a file that is missing, or is none of ours, ends with one line, and makes no file."""
    path = tmp_path / "ledger.db"
    if content is not None:
        path.write_bytes(content)
    ended = serve_and_end(path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("faktura: ")
    assert ended.stderr.count("\n") == 1
    assert path.exists() is (content is not None)
