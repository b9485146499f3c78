"""Nobody overwrites what he has not seen: ETag and If-Match (RFC 9110) on drafts, accounts and the provider."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
from tests.management.operations import LINE, account_of, draft_of, provider_of, unique
from tests.management.site import BASE, Api, Ask, Operation, Reply, Site, changes

EDITORS = 2
ROUNDS = 10


@dataclass(frozen=True)
class Thing:
    """Something that can be edited: where it is, how it is changed, and what of it tells one change from another."""

    path: str
    operation: str
    ask: Callable[[str], Ask]
    """With a text that shall be in it then."""


def draft_thing(api: Api) -> Thing:
    """A draft."""
    draft_id = draft_of(api)
    return Thing(f"/drafts/{draft_id}", "setDraft", lambda text: Ask(path={"draft_id": draft_id}, body={"document": {"lines": [LINE], "note": text}}))


def account_thing(api: Api) -> Thing:
    """An account."""
    account_id = account_of(api)
    return Thing(f"/accounts/{account_id}", "setAccount", lambda text: Ask(path={"account_id": account_id}, body={"buyer": {"name": text, "country": "BG"}}))


def provider_thing(api: Api) -> Thing:
    """The provider."""
    name = provider_of(api)
    seller = {"country": "BG", "vat_id": "BG123456789"}
    return Thing(f"/providers/{name}", "setProvider", lambda text: Ask(path={"name": name}, body={"seller": {"name": text, **seller}}))


THINGS = {"draft": draft_thing, "account": account_thing, "provider": provider_thing}


@pytest.fixture(params=THINGS)
def thing(request: pytest.FixtureRequest, site: Site) -> Thing:
    """Each in turn."""
    return THINGS[request.param](site.api())


def edit(site: Site, thing: Thing, text: str, *, match: str | list[str] | None) -> Reply:
    """Change it."""
    headers = [("If-Match", item) for item in ([] if match is None else [match] if isinstance(match, str) else match)]
    operation: Operation = site.operations[thing.operation]
    return site.api().call(operation, thing.ask(text), headers=headers)


def test_what_must_match(site: Site, thing: Thing) -> None:
    """None: 428. Another, weak, malformed: 412, and nothing changes. Its own, alone, in a list or in one of several headers, or `*`: done, with a new tag."""
    tag = site.api().etag(thing.path)
    before = site.dump()
    assert edit(site, thing, "no", match=None).problem()["status"] == 428
    for match in ('"x"', f"W/{tag}", f"W/{tag}, W/{tag}", tag.strip('"'), "", '"*"', f'{tag[:-1]}x"', "x, y, z", '"x", "y"', [f"W/{tag}", '"x"']):
        assert edit(site, thing, "no", match=match).problem()["status"] == 412, match
    assert changes(before, site.dump()) == {}
    for match in ("OWN", '"x", OWN', 'OWN, "x"', '"x",OWN,"y"', '"x" , \tOWN', 'W/"x", OWN', ", OWN ,", ['"x"', "OWN"], ["OWN", 'W/"y"'], "*"):
        tag = site.api().etag(thing.path)
        filled = match.replace("OWN", tag) if isinstance(match, str) else [item.replace("OWN", tag) for item in match]
        reply = edit(site, thing, unique("changed"), match=filled)
        assert reply.status == 200, (match, reply)
        assert reply.header("etag") == site.api().etag(thing.path) != tag
        assert edit(site, thing, "late", match=tag).problem()["status"] == 412


def test_reading_gives_the_tag_of_what_is_read(site: Site, thing: Thing) -> None:
    """A strong tag; the same while nothing changes, another for every other content."""
    api = site.api()
    tags = []
    for number in range(3):
        reply = edit(site, thing, f"content {number}", match="*")
        again = api.send("GET", BASE + thing.path)
        assert again.header("etag") == reply.header("etag")
        assert again.json() == reply.json()
        tags.append(reply.header("etag") or "")
    assert len(set(tags)) == 3
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)


def test_no_update_is_lost(site: Site, thing: Thing) -> None:
    """Editors who read, add a word and write until it is taken, at the same time: every word of every one is there in the end."""

    def words() -> tuple[list[str], str]:
        reply = site.api().send("GET", BASE + thing.path)
        found = reply.json()
        text = {
            "setDraft": lambda: found["document"].get("note", ""),
            "setAccount": lambda: found["buyer"]["name"],
            "setProvider": lambda: found["seller"]["name"],
        }
        return text[thing.operation]().split(), reply.header("etag") or ""

    refused = []

    def editor(name: str) -> None:
        for number in range(ROUNDS):
            while True:
                known, tag = words()
                reply = edit(site, thing, " ".join([*known, f"{name}{number}"]), match=tag)
                if reply.status == 200:
                    break
                refused.append(reply.problem()["status"])

    edit(site, thing, "start", match="*")
    with ThreadPoolExecutor(EDITORS) as pool:
        for future in [pool.submit(editor, name) for name in "ab"]:
            future.result()
    assert sorted(words()[0]) == sorted(["start", *(f"{name}{number}" for name in "ab" for number in range(ROUNDS))])
    assert set(refused) <= {412}


def test_one_of_two_wins(site: Site, thing: Thing) -> None:
    """Both have seen the same version and write at once: one is done, the other is told."""
    for _ in range(5):
        tag = site.api().etag(thing.path)
        with ThreadPoolExecutor(EDITORS) as pool:
            futures = [pool.submit(edit, site, thing, unique("both"), match=tag) for _ in range(EDITORS)]
            assert sorted(future.result().status for future in futures) == [200, 412]


@pytest.mark.parametrize("name", ["removeDraft", "issueDraft"])
def test_a_draft_is_not_issued_or_removed_unseen(site: Site, name: str) -> None:
    """A draft that changed after it was read is neither issued nor removed; seen, it is, once."""
    api, operation = site.api(), site.operations[name]
    thing = draft_thing(api)
    ask = Ask(path=thing.ask("").path, match=api.etag(thing.path))
    assert edit(site, thing, "changed", match=str(ask.match)).status == 200
    before = site.dump()
    for match, status in ((ask.match, 412), (None, 428), (f"W/{api.etag(thing.path)}", 412), ('"x"', 412)):
        assert api.call(operation, replace(ask, match=match)).problem()["status"] == status
    assert changes(before, site.dump()) == {}
    seen = replace(ask, match=api.etag(thing.path))
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(future.result().status for future in [pool.submit(api.call, operation, seen) for _ in range(4)])
    assert statuses == [204 if name == "removeDraft" else 201, 404, 404, 404]
    assert api.call(operation, replace(seen, match="*")).problem()["status"] == 404
