"""VPSBG's status codes, error bodies and headers over the wire, fact by fact as numbered in docs/reference/wire.md."""

from __future__ import annotations

import json
import time

import pytest
from tests.server.wire import Site, parse_reply, request_bytes

from faktura.bootstrap.books import DIALECTS
from faktura.dialects.base import Problem, ProblemKind

STATUSES = {200, 201, 202, 204, 401, 403, 404, 405, 422, 423, 429, 500}
"""Those of fact 10, and 405 of fact 16."""


@pytest.mark.parametrize("kind", [kind for kind in ProblemKind if kind is not ProblemKind.UNAVAILABLE])
def test_fact_10_only_documented_statuses_are_used(kind: ProblemKind) -> None:
    """Every problem has a status that this API uses, but for a ledger that is away, which it cannot know."""
    status, _, _ = DIALECTS["vpsbg"].render_problem(Problem(kind=kind))
    assert status in STATUSES


def test_fact_10_the_limit_counts_within_a_minute(limited: Site) -> None:
    """Who asked too often may ask again within sixty seconds."""
    replies = [limited.get("/v1/invoices", "vpsbg/a") for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert 1 <= int(replies[-1].header("retry-after") or 0) <= 60


def test_fact_16_unauthenticated(site: Site) -> None:
    """A call without a token is answered 401 with a message alone."""
    reply = site.get("/v1/invoices")
    assert (reply.status, reply.body) == (401, b'{"message":"Unauthenticated."}')


@pytest.mark.parametrize("account", [None, "vpsbg/thirty"])
@pytest.mark.parametrize(
    ("target", "route"), [("/v1/x", "v1/x"), ("/v1/invoices/1", "v1/invoices/1"), ("/", "/"), ("/v1/orders?page=1", "v1/orders"), ("/v1/x/", "v1/x")]
)
def test_fact_16_unknown_route(site: Site, target: str, route: str, account: str | None) -> None:
    """An unknown route is a 404 that names it, with and without a token; so is the call for one invoice, which this API does not have."""
    reply = site.get(target, account)
    assert reply.status == 404
    assert reply.json() == {"message": f"The route {route} could not be found."}


@pytest.mark.parametrize("account", [None, "vpsbg/thirty", "vpsbg/write"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_fact_16_wrong_method(site: Site, method: str, account: str | None) -> None:
    """A writing verb is a 405 that names the methods there are, in its message and in Allow."""
    reply = site.get("/v1/invoices", account, method=method)
    assert (reply.status, reply.header("allow")) == (405, "GET, HEAD")
    assert reply.json() == {"message": f"The {method} method is not supported for route v1/invoices. Supported methods: GET, HEAD."}


def test_fact_16_too_many_attempts(limited: Site) -> None:
    """The call after the last that the limit allows is a 429 with a message alone."""
    replies = [limited.get("/v1/invoices", "vpsbg/b") for _ in range(5)]
    assert [(reply.status, reply.body) for reply in replies[3:]] == [(429, b'{"message":"Too Many Attempts."}')] * 2


def test_fact_16_invalid_data() -> None:
    """Invalid data is a 422 with a message and the errors of each field."""
    problem = Problem(kind=ProblemKind.INVALID, errors={"page": ["No."]})
    status, _, body = DIALECTS["vpsbg"].render_problem(problem)
    assert status == 422
    assert list(json.loads(body)) == ["message", "errors"]
    assert json.loads(body)["errors"] == {"page": ["No."]}


def test_fact_17_throttled_answers_tell_what_remains(limited: Site) -> None:
    """X-RateLimit-Limit and -Remaining come with every answer of the list; Retry-After and -Reset only with a 429, and agree."""
    before = int(time.time())
    replies = [limited.get(f"/v1/invoices?page={number}", "vpsbg/c", method=method) for number, method in enumerate(("GET", "HEAD", "GET", "GET"))]
    after = int(time.time()) + 1
    assert [reply.header("x-ratelimit-limit") for reply in replies] == ["3"] * 4
    assert [reply.header("x-ratelimit-remaining") for reply in replies] == ["2", "1", "0", "0"]
    assert [(reply.header("retry-after"), reply.header("x-ratelimit-reset")) for reply in replies[:3]] == [(None, None)] * 3
    reset, wait = int(replies[3].header("x-ratelimit-reset") or 0), int(replies[3].header("retry-after") or 0)
    assert before - 1 <= reset - wait <= after


def test_fact_17_accounts_are_limited_each_for_itself(limited: Site) -> None:
    """One account's calls do not count for another, and refused calls without a token for nobody."""
    for _ in range(4):
        exhausted = limited.get("/v1/invoices", "vpsbg/d")
        stranger = limited.get("/v1/invoices")
    assert (exhausted.status, stranger.status) == (429, 401)
    assert limited.get("/v1/invoices", "vpsbg/e").header("x-ratelimit-remaining") == "2"


def test_fact_17_the_limit_is_sixty_by_default(demo_site: Site) -> None:
    """The demo allows the documented sixty calls."""
    assert demo_site.get("/v1/invoices", "vpsbg").header("x-ratelimit-limit") == "60"


@pytest.mark.parametrize(("target", "account"), [("/v1/invoices", "vpsbg/thirty"), ("/v1/invoices", None), ("/v1/x", None)])
def test_fact_17_content_type_and_cache_control(site: Site, target: str, account: str | None) -> None:
    """Answers and errors are application/json and not to be cached."""
    reply = site.get(target, account, headers=[("Accept", "text/html")])
    assert (reply.header("content-type"), reply.header("cache-control")) == ("application/json", "no-cache, private")


@pytest.mark.parametrize("target", ["/v1/invoices", "/v1/invoices?page=3", "/v1/invoices/", "/v1/x"])
def test_fact_17_head_is_get_without_a_body(site: Site, target: str) -> None:
    """HEAD has GET's status and headers, the length of GET's body among them, and no body."""
    head, get = (parse_reply(site.talk(request_bytes(target, site.tokens["vpsbg/pages-3"], method=method))) for method in ("HEAD", "GET"))
    assert head.lasting()[:2] == get.lasting()[:2]
    assert head.body == b""
    assert int(head.header("content-length") or 0) == len(get.body) > 0


def test_fact_17_a_trailing_slash_routes(site: Site) -> None:
    """With a trailing slash the list is the same."""
    assert site.get("/v1/invoices/?page=2", "vpsbg/pages-3").lasting() == site.get("/v1/invoices?page=2", "vpsbg/pages-3").lasting()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "])
def test_fact_17_the_bearer_scheme_has_no_case(site: Site, scheme: str) -> None:
    """The scheme is known in any case."""
    reply = site.get("/v1/invoices", headers=[("Authorization", f"{scheme} {site.tokens['vpsbg/thirty']}")])
    assert (reply.status, reply.json()["meta"]["total"]) == (200, 30)
