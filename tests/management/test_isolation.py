"""Who may see what: for every route there is, whatever is sent without right is refused alike, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.management.operations import RECIPES, run_body
from tests.management.site import BASE, PROBLEM, VARYING, Ask, Operation, Reply, Site, changes

from faktura.domain.provider import generate_token

ID_MIN = 10**10
"""Ids begin here, so whatever whole number is not smaller is one."""
NEVER = (10**10 + 5_000_000_000, 3 * 10**10 + 7, 2**53 - 1)
"""Ids that could be, and never were: of the own provider, of none, the largest."""
IMPOSSIBLE = (0, -1, -(10**10) - 1, -(2**63) - 1, -(10**30), 2**53, 2**63, 2**64, 10**30, 10**4000)
BODIES = (None, b"", b"{}", b"[", b"\xff", b'{"account_id": 10000000001}')


@pytest.fixture(scope="module")
def calls(site: Site) -> dict[str, tuple[Ask, Ask]]:
    """A valid call of each operation, by provider `alpha` and by provider `beta`, with all that they name in the ledger."""
    return {name: (recipe(site.api("alpha")), recipe(site.api("beta"))) for name, recipe in RECIPES.items()}


@pytest.fixture
def unchanged(site: Site, calls: dict[str, tuple[Ask, Ask]]) -> Iterator[None]:
    """Nothing that a test does may change the ledger."""
    assert calls
    before = site.dump()
    yield
    assert changes(before, site.dump()) == {}


def test_every_operation_has_a_recipe(operations: Mapping[str, Operation]) -> None:
    """A new route without a row in the table fails here, and one that is gone too."""
    assert set(RECIPES) == set(operations)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", RECIPES)
def test_whatever_is_no_good_token_is_one_401(site: Site, calls: dict[str, tuple[Ask, Ask]], name: str) -> None:
    """No, unknown, malformed, expired, revoked token, a customer's, two different: one answer, whatever is asked for."""
    operation, (ask, _) = site.operations[name], calls[name]
    good, other, customer = (site.tokens[key] for key in ("alpha", "beta", "customer"))
    sent = [
        *([], ["Bearer " + generate_token()], ["Bearer x"], ["Bearer"], ["Bearer "], [""], ["Basic " + good], [good], ["Bearer " + good + "x"]),
        *(["Bearer " + good.upper()], [f"Bearer {good} {good}"], [f"Bearer {good},Bearer {good}"], ["Bearer fkt_\xff".encode("latin-1").decode("latin-1")]),
        *(["Bearer " + site.tokens["expired"]], ["Bearer " + site.tokens["revoked"]], ["Bearer " + customer]),
        *(["Bearer " + good, "Bearer " + other], ["Bearer " + good, ""], ["Bearer x", "Bearer " + good], [f"Bearer {good}", f"bearer {good}"]),
    ]
    api = site.api(None)
    replies = [api.call(operation, ask, headers=[("Authorization", value.encode("latin-1")) for value in values]) for values in sent]
    replies += [api.call(operation, thing) for thing in _absent(ask)]
    replies += [api.call(operation, replace(ask, body=body)) for body in BODIES]
    replies.append(api.call(operation, replace(ask, query={"unknown": "1"})))
    replies.append(api.call(operation, ask, headers=[("Idempotency-Key", "\t"), ("If-Match", "x")]))
    assert {reply.lasting() for reply in replies} == {replies[0].lasting()}
    first = replies[0]
    assert (first.status, first.header("content-type")) == (401, PROBLEM)
    assert (first.header("www-authenticate") or "").startswith("Bearer")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", RECIPES)
def test_a_scope_that_lacks_is_one_403(site: Site, calls: dict[str, tuple[Ask, Ask]], name: str) -> None:
    """A token without the scope is refused alike for what is there, what is another's and what never was, whatever the body."""
    operation, (ask, others) = site.operations[name], calls[name]
    lacking = {"invoices:read", "invoices:write", "payments:write"} - {operation.scope}
    replies = []
    for scope in sorted(lacking):
        api = site.api(f"alpha/{scope}")
        replies += [api.call(operation, thing) for thing in (ask, others, *_absent(ask))]
        replies += [api.call(operation, replace(ask, body=body)) for body in BODIES]
        replies.append(api.call(operation, replace(ask, query={"unknown": "1"})))
        replies.append(api.call(operation, replace(ask, match=None)))
    assert {reply.lasting() for reply in replies} == {replies[0].lasting()}
    assert (replies[0].status, replies[0].header("content-type")) == (403, PROBLEM)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", RECIPES)
def test_what_is_anothers_is_as_if_it_never_was(site: Site, calls: dict[str, tuple[Ask, Ask]], name: str) -> None:
    """Each id in path, query and body: the other provider's gets the same bytes as one that never was; impossible ones a plain refusal."""
    operation, (ask, others) = site.operations[name], calls[name]
    api = site.api("alpha")
    for place in _places(ask):
        theirs = _at(others, place)
        assert theirs != _at(ask, place)
        expected = api.call(operation, _with(ask, place, NEVER[0] if isinstance(theirs, int) else "never-was"))
        assert expected.status < 500
        if operation.is_writing or place[0] == "path":
            assert expected.problem()["status"] in {404, 422}, (place, expected)
        for value in (theirs, *(NEVER if isinstance(theirs, int) else ("", "A", "x" * 200))):
            reply = api.call(operation, _with(ask, place, value))
            if value != "":
                assert _blind(reply, value) == _blind(expected, NEVER[0]), (place, value)
        for value in IMPOSSIBLE if isinstance(theirs, int) else ():
            _refused(api.call(operation, _with(ask, place, value)), place)


@pytest.mark.usefixtures("unchanged")
def test_all_of_another_provider_is_as_if_it_never_was(site: Site, calls: dict[str, tuple[Ask, Ask]]) -> None:
    """The other provider's whole call, valid there, is refused here, wherever it names something."""
    api = site.api("alpha")
    for name, (ask, others) in calls.items():
        if _places(ask):
            reply = api.call(site.operations[name], others)
            assert reply.status in {404, 422} or (reply.status, reply.json().get("items")) == (200, []), (name, reply)


def test_another_providers_account_in_a_run_is_as_if_it_never_was(site: Site) -> None:
    """An item that names the other provider's account by its reference is refused like one that names nobody's."""
    api = site.api("alpha")
    found = []
    for reference in ("beta-first", "gamma-first"):
        headers = [("Content-Type", "application/jsonl")]
        run = api.send("POST", f"{BASE}/billing-runs?dry_run=true", body=run_body(api, account=reference), headers=headers).json()
        while (state := api.get(f"/billing-runs/{run['id']}"))["state"] != "done":
            assert state["counts"].keys() <= {"waiting", "refused"}
        found.append(json.dumps(api.get(f"/billing-runs/{run['id']}/items")).replace(reference, "REFERENCE"))
    assert found[0] == found[1]
    assert '"refused"' in found[0]


def test_lists_show_only_what_is_the_providers(site: Site, calls: dict[str, tuple[Ask, Ask]]) -> None:
    """No list, report or feed of a provider shows an id or a name of the other, with and without filters."""
    assert calls
    for mine, digit in (("alpha", "1"), ("beta", "2")):
        api, other = site.api(mine), ({"alpha", "beta"} - {mine}).pop()
        for operation in site.operations.values():
            if operation.is_writing or "{" in operation.path:
                continue
            query = {"from": "2020-01-01", "to": "2030-01-01"} if "vat-report" in operation.path else {}
            reply = api.call(operation, Ask(query=query))
            assert reply.status == 200
            assert other.encode() not in reply.body, operation.id
            text = reply.body.decode()
            assert all(str(value)[0] == digit for value in _ids(text)), operation.id


STRANGE = (
    *("", "/", "/v1", "/v1/", "/v2/accounts", "/openapi.json", "/openapi", "/openapi/", "/openapi/swagger", "/openapi/redoc", "/schema", "/docs"),
    *("/v1/openapi", "/v1/openapi/swagger", "/v1/openapi.yaml", "/v1/schema", "/v1/docs", "/v1/redoc", "/v1/nothing", "/v1/accounts/x", "/v1/accounts/1/x"),
    *("/v1/accounts/1.0", "/v1/accounts/0x1", "/v1/accounts/%31%30", "/v1/accounts/%00", "/v1/accounts/1%00", "/v1/accounts/%2e%2e", "/v1/accounts/%D9%A1"),
    *("/v1/providers/%2F", "/v1/providers/%2Fbeta", "/v1/providers/alpha%2F..%2Fbeta", "/v1/providers/alpha%00", "/v1/providers/%ff", "/v1/providers/a%0d%0ab"),
    *("//v1/accounts", "/v1//accounts", "//v1//accounts//", "/v1/accounts//", "/v1/../v1/accounts", "/v1/./accounts", "/v1/accounts/..", "/%2e%2e/openapi"),
    *(
        "/..",
        "/../openapi",
        "/../openapi/swagger",
        "/../../etc/passwd",
        "/v1%2Faccounts",
        "/v1/accounts%2F1",
        "/v1/accounts;x=1",
        "/V1/accounts",
        "/v1/Accounts",
    ),
    *("/v1/accounts/" + "9" * 5000, "/v1/accounts/-" + "9" * 30, "/v1/accounts/+1", "/v1/accounts/%201", "/v1/accounts/1_0", "/v1/" + "a/" * 2000),
)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.only("sqlite")
@pytest.mark.parametrize("target", [f"/manage{rest}" for rest in STRANGE])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "TRACE", "PROPFIND"])
def test_strange_paths_show_nothing(site: Site, method: str, target: str) -> None:
    """Nothing is served but what is documented: no page of the framework, no fault, and nothing of the ledger to who has no token."""
    for token in (None, "alpha"):
        api = site.api(token)
        reply = api.send(method, target)
        assert reply.status < 500, reply
        _harmless(reply)
        if token is None:
            assert reply.status >= 400 or (method == "OPTIONS" and reply.status == 204), reply


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "target", ["/openapi", "/openapi/swagger", "/openapi/redoc", "/openapi/openapi.json", "/manage", "/schema", "//manage/v1/accounts", "/%6danage/v1/accounts"]
)
def test_nothing_of_the_framework_is_beside_the_api(site: Site, target: str) -> None:
    """Outside of /manage/ only the providers' own APIs answer."""
    reply = site.api(None).send("GET", target)
    assert reply.status in {401, 404}
    _harmless(reply)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", RECIPES)
def test_other_methods(site: Site, calls: dict[str, tuple[Ask, Ask]], name: str) -> None:
    """OPTIONS tells methods and nothing else; those that are not routed are 405 without a token and with one, whether the thing is there or not."""
    operation, (ask, _) = site.operations[name], calls[name]
    routed = {other.method for other in site.operations.values() if other.path == operation.path}
    routed |= {"HEAD"} if "GET" in routed else set()
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} - routed:
        replies = [site.api(token).send(method, thing.target(operation)) for token in (None, "alpha") for thing in (ask, *_absent(ask))]
        assert {reply.lasting() for reply in replies} == {replies[0].lasting()}, method
        assert replies[0].status == (204 if method == "OPTIONS" else 405), method
        assert {item.strip() for item in (replies[0].header("allow") or "").split(",")} == routed | {"OPTIONS"}, method
        _harmless(replies[0])


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", RECIPES)
def test_head_is_get_without_its_body(site: Site, calls: dict[str, tuple[Ask, Ask]], name: str) -> None:
    """Status and headers are those of GET, for who may see it, who may not, and what is not there."""
    operation, (ask, others) = site.operations[name], calls[name]
    if operation.method != "GET":
        return
    for token in (None, "alpha", f"alpha/{operation.scope}", "alpha/payments:write", "beta"):
        for thing in (ask, others, *_absent(ask), replace(ask, query={"unknown": "1"})):
            got, head = (site.api(token).send(method, thing.target(operation)) for method in ("GET", "HEAD"))
            assert head.body == b""
            assert head.lasting()[:2] == got.lasting(but=VARYING | {"transfer-encoding"})[:2]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_works(site: Site, name: str) -> None:
    """What is refused above is refused for its token, not for itself: the same call succeeds with the scope that is documented."""
    operation = site.operations[name]
    for provider in ("alpha", "beta"):
        ask = RECIPES[name](site.api(provider))
        reply = site.api(f"{provider}/{operation.scope}").call(operation, ask)
        assert reply.status in {200, 201, 202, 204}, (reply.status, reply.body)


def _places(ask: Ask) -> list[tuple[Any, ...]]:
    """Where a call names things: ids anywhere, and names in the path."""
    found: list[tuple[Any, ...]] = []

    def walk(value: object, place: tuple[Any, ...]) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                walk(item, (*place, key))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                walk(item, (*place, index))
        elif isinstance(value, int) and value >= ID_MIN:
            found.append(place)

    walk({"path": ask.path, "query": ask.query, "body": None if isinstance(ask.body, bytes) else ask.body}, ())
    if ask.path.get("name") in {"alpha", "beta"}:
        found.append(("path", "name"))
    return found


def _at(ask: Ask, place: tuple[Any, ...]) -> Any:
    value: Any = getattr(ask, place[0])
    for key in place[1:]:
        value = value[key]
    return value


def _with(ask: Ask, place: tuple[Any, ...], new: object) -> Ask:
    def put(value: Any, keys: tuple[Any, ...]) -> Any:
        if not keys:
            return new
        if isinstance(value, list):
            return [put(item, keys[1:]) if index == keys[0] else item for index, item in enumerate(value)]
        return {key: put(item, keys[1:]) if key == keys[0] else item for key, item in value.items()}

    return replace(ask, **{place[0]: put(getattr(ask, place[0]), place[1:])})


def _absent(ask: Ask) -> list[Ask]:
    """The call for things that never were."""
    return [_with(ask, place, NEVER[0] if isinstance(_at(ask, place), int) else "never-was") for place in _places(ask)]


def _blind(reply: Reply, value: object) -> tuple[int, bytes]:
    assert str(value).encode() not in reply.body, "an answer repeats the id that was asked for"
    return reply.status, reply.body


def _refused(reply: Reply, place: tuple[Any, ...]) -> None:
    problem = reply.problem()
    assert problem["status"] in ({404} if place[0] == "path" else {400, 404, 422}), problem


def _harmless(reply: Reply) -> None:
    assert b"<" not in reply.body
    assert "html" not in (reply.header("content-type") or "")
    for word in (b"litestar", b"Traceback", b"/src/", b".py", b"sqlite"):
        assert word.lower() not in reply.body.lower()


def _ids(text: str) -> Iterator[int]:
    """All whole numbers in JSON, or JSON Lines, that are ids."""
    for line in text.splitlines():
        stack = [json.loads(line)]
        while stack:
            value = stack.pop()
            if isinstance(value, dict):
                stack += value.values()
            elif isinstance(value, list):
                stack += value
            elif isinstance(value, int) and value >= ID_MIN:
                yield value
