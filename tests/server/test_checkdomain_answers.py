"""checkdomain's status codes, error bodies and headers over the wire, fact by fact as numbered in docs/reference/wire.md."""

from __future__ import annotations

import time

import pytest
from tests.server.wire import Reply, Site, parse_reply, request_bytes

from faktura.server.rate_limit import RateLimiter

HOST = "api.checkdomain.de"
UNAUTHORIZED = b'{"code":401,"message":"Unauthorized","errors":null}'
NOT_FOUND = b'{"code":404,"message":"Not Found","errors":null}'


def limits_of(replies: list[Reply], name: str) -> list[str | None]:
    """A rate limit header of each reply."""
    return [reply.header(f"x-ratelimit-{name}") for reply in replies]


@pytest.mark.parametrize("target", ["/v1/invoices/999999999", "/v1/invoices/abc", "/v1/x", "/", "/v1/invoices?page=0"])
def test_fact_24_not_found(site: Site, target: str) -> None:
    """404 has exactly the recorded body, `errors` null and present."""
    reply = site.get(target, "checkdomain/ten")
    assert (reply.status, reply.body) == (404, NOT_FOUND)


@pytest.mark.parametrize("written", ["a" * 256, "a" * 10_000, "%00", "a%00b", "%FF", "%C3%28", "%ED%A0%80"])
def test_fact_24_validation_failed(site: Site, written: str) -> None:
    """A query that cannot be one is a 400 with the sentences for its field, in the three keys."""
    reply = site.get(f"/v1/invoices?query={written}", "checkdomain/ten")
    body = reply.json()
    assert (reply.status, list(body)) == (400, ["code", "message", "errors"])
    assert (body["code"], body["message"]) == (400, "Validation Failed")
    sentences = body["errors"]["children"]["query"]["errors"]
    assert sentences
    assert all(isinstance(sentence, str) and sentence for sentence in sentences)


@pytest.mark.parametrize("account", [None, "checkdomain/ten"])
@pytest.mark.parametrize("target", ["/v1/invoices", "/v1/invoices/30001"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_fact_24_wrong_method(site: Site, method: str, target: str, account: str | None) -> None:
    """A writing verb is a 405 in the three keys, and Allow names the methods there are."""
    reply = site.get(target, account, method=method, host=HOST)
    assert (reply.status, reply.header("allow")) == (405, "GET, HEAD")
    assert reply.json() == {"code": 405, "message": "Method Not Allowed", "errors": None}


def test_fact_24_too_many_requests(limited: Site) -> None:
    """A 429 has the three keys too, and says when to come again: within the hour."""
    replies = [limited.get("/v1/invoices", "checkdomain/a") for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    body = replies[3].json()
    assert (list(body), body["code"], body["errors"]) == (["code", "message", "errors"], 429, None)
    assert 1 <= int(replies[3].header("retry-after") or 0) <= 3600


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", "application/hal+json", "application/json;q=0", "nonsense"])
@pytest.mark.parametrize("target", ["/v1/invoices", "/v1/invoices/10001", "/v1/invoices/1"])
def test_fact_25_always_plain_json(site: Site, target: str, accept: str) -> None:
    """Content-Type is application/json without a charset, whatever Accept asks: never 406; Vary names Authorization."""
    reply = site.get(target, "checkdomain/ten", headers=[("Accept", accept), ("Content-Type", "application/json")])
    assert reply.status == (404 if target.endswith("/1") else 200)
    assert (reply.header("content-type"), reply.header("vary")) == ("application/json", "Authorization")


def test_fact_25_every_answer_carries_the_limit(limited: Site) -> None:
    """Successes, refusals and 429 alike carry limit, remaining and the one reset of the window that the first call began."""
    before = int(time.time())
    targets = ("/v1/invoices", "/v1/invoices/abc", "/v1/invoices?query=%00", "/v1/invoices")
    replies = [limited.get(target, "checkdomain/b") for target in targets]
    assert [reply.status for reply in replies] == [200, 404, 400, 429]
    assert limits_of(replies, "limit") == ["3"] * 4
    assert limits_of(replies, "remaining") == ["2", "1", "0", "0"]
    resets = set(limits_of(replies, "reset"))
    assert len(resets) == 1
    assert before + 3600 <= int(resets.pop() or 0) <= time.time() + 3601


def test_fact_25_wrong_methods_and_unknown_routes_carry_the_limit(limited: Site) -> None:
    """405 and the 404 of an unknown route carry the limit and count."""
    replies = [limited.get("/v1/invoices", "checkdomain/c", method="POST"), limited.get("/v1/x", "checkdomain/c")]
    assert [reply.status for reply in replies] == [405, 404]
    assert limits_of(replies, "remaining") == ["2", "1"]


def test_fact_25_strangers_carry_the_limit(limited: Site) -> None:
    """Calls without a valid token show a limit too, counted for the peer, and take nothing from an account of the same peer."""
    replies = [limited.get("/v1/invoices", host=HOST, peer="127.0.0.9") for _ in range(4)]
    assert [reply.status for reply in replies] == [401, 401, 401, 429]
    assert limits_of(replies, "remaining") == ["2", "1", "0", "0"]
    assert limited.get("/v1/invoices", "checkdomain/d", peer="127.0.0.9").header("x-ratelimit-remaining") == "2"
    assert limited.get("/v1/invoices", host=HOST, peer="127.0.0.8").status == 401


def test_fact_25_the_limit_is_a_thousand_by_default(demo_site: Site) -> None:
    """The demo allows the documented thousand calls an hour."""
    assert demo_site.get("/v1/invoices", "checkdomain").header("x-ratelimit-limit") == "1000"


def test_fact_25_at_the_reset_a_new_window_begins() -> None:
    """A client that waits until the second that X-RateLimit-Reset names is served again."""
    limiter = RateLimiter()
    first = limiter.count("caller", limit=1, window_seconds=3600, now=1_700_000_000.75)
    again = limiter.count("caller", limit=1, window_seconds=3600, now=float(first.reset_at))
    assert again.retry_after_seconds is None


@pytest.mark.parametrize("back_seconds", [0, 1, 3600])
def test_a_clock_that_goes_back_locks_nobody_out(back_seconds: int) -> None:
    """Who has used up a window waits for no longer than a window, however far the clock goes back; by a second it gains nothing."""
    limiter, now = RateLimiter(), 1_700_000_000.75
    for at in (now, now + 59):
        limiter.count("caller", limit=2, window_seconds=60, now=at)
    again = limiter.count("caller", limit=2, window_seconds=60, now=now - back_seconds)
    assert (again.retry_after_seconds is None) == (back_seconds > 1)
    assert again.reset_at - (now - back_seconds) <= 62


def test_fact_26_unauthorized(site: Site) -> None:
    """A 401 has the three keys and asks for a bearer token."""
    reply = site.get("/v1/invoices", host=HOST)
    assert (reply.status, reply.body) == (401, UNAUTHORIZED)
    assert reply.header("www-authenticate") == "Bearer"


@pytest.mark.parametrize("target", ["/v1/invoices", "/v1/invoices?page=2&query=2010", "/v1/invoices/30001", "/v1/invoices/1", "/v1/invoices?query=%00"])
def test_head_is_get_without_a_body(site: Site, target: str) -> None:
    """HEAD has GET's status and headers, the length of GET's body among them, and no body."""
    head, get = (parse_reply(site.talk(request_bytes(target, site.tokens["checkdomain/many"], method=method))) for method in ("HEAD", "GET"))
    assert head.lasting()[:2] == get.lasting()[:2]
    assert head.body == b""
    assert int(head.header("content-length") or 0) == len(get.body) > 0
