"""Entity tags (RFC 9110, 8.8.3 and 13.1.2): who has an answer already is told so, and never wrongly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conftest import BUYER, Ledger, Served
from tests.server.wire import Reply, Site

from faktura.domain.draft import parse_draft
from faktura.domain.invoice import Invoice
from faktura.domain.money import Currency
from faktura.ledger.accounts import revoke_token
from faktura.ledger.commands import issue
from faktura.ledger.payments import pay

EUR = Currency("EUR")
ANSWERS = (
    ("/v1/invoices", "vpsbg/thirty-one"),
    ("/v1/invoices?page=2", "vpsbg/thirty-one"),
    ("/v1/invoices?page=9", "vpsbg/thirty-one"),
    ("/v1/invoices", "vpsbg/none"),
    ("/v1/invoices", "checkdomain/many"),
    ("/v1/invoices?query=1&page=1&limit=3", "checkdomain/many"),
    ("/v1/invoices/ID", "checkdomain/many"),
)


def ask(site: Site, target: str, account: str, tags: str, *, method: str = "GET") -> Reply:
    """An answer to somebody who has something."""
    return site.get(target, account, method=method, headers=[("If-None-Match", tags)])


def first_id(site: Site, account: str) -> str:
    """The id of an account's newest document."""
    return str(site.get("/v1/invoices", account).json()["_embedded"]["invoices"][0]["id"]) if account.startswith("checkdomain") else ""


@pytest.mark.parametrize(("target", "account"), ANSWERS)
def test_the_same_again_has_no_body(site: Site, target: str, account: str) -> None:
    """With its tag an answer is 304 and empty, also among other tags, as a weak one, for HEAD and for anything that is there."""
    target = target.replace("ID", first_id(site, account))
    first = site.get(target, account)
    tag = first.header("etag")
    assert first.status == 200
    assert tag is not None
    assert tag.startswith('"')
    assert first.header("vary") == "Authorization"
    for tags in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        for method in ("GET", "HEAD"):
            again = ask(site, target, account, tags, method=method)
            assert (again.status, again.body, again.header("etag"), again.header("vary")) == (304, b"", tag, "Authorization")
            assert again.header("content-length") is None
            assert again.header("content-type") is None
    assert site.get(target, account, headers=[("If-None-Match", '"a"'), ("If-None-Match", tag)]).status == 304
    assert ask(site, target, account, '"other"').lasting() == first.lasting()
    assert ask(site, target, account, tag.strip('"')).status == 200, "a tag without its quotes is none"


def test_every_question_has_its_tag(site: Site) -> None:
    """Answers to other questions, at other hosts and to other callers have other tags."""
    asked = [("vpsbg/thirty", f"/v1/invoices?page={page}") for page in (1, 2)]
    for name in ("checkdomain/many", "checkdomain/eleven"):
        asked += [(name, f"/v1/invoices{rest}") for rest in ("", "?limit=5", "?query=1", f"/{first_id(site, name)}")]
    tags = [site.get(target, account).header("etag") for account, target in asked]
    tags.append(site.get("/v1/invoices?page=1", "vpsbg/thirty", host="api.vpsbg.eu").header("etag"))
    assert None not in tags
    assert len(set(tags)) == len(tags)


def test_what_is_not_there_is_never_unchanged(site: Site) -> None:
    """A 404 stays one whatever the caller has; errors bear no tag; and without a good token nobody is told anything."""
    tag = site.get("/v1/invoices", "checkdomain/ten").header("etag") or ""
    for target in ("/v1/invoices/999999", "/v1/invoices?page=99", "/v1/nothing"):
        for tags in (tag, "*"):
            reply = ask(site, target, "checkdomain/ten", tags)
            assert (reply.status, reply.header("etag")) == (404, None)
    assert site.get("/v1/invoices", headers=[("If-None-Match", tag)]).status == 401
    assert ask(site, "/v1/invoices", "checkdomain/eleven", tag).status == 200


def test_a_304_counts(limited: Site) -> None:
    """The limit counts it like any other, shows where the caller stands, and refuses it when it is too many."""
    first = limited.get("/v1/invoices", "checkdomain/f", host="api.checkdomain.de")
    tag = first.header("etag") or ""
    seen = []
    for _ in range(3):
        reply = limited.get("/v1/invoices", "checkdomain/f", host="api.checkdomain.de", headers=[("If-None-Match", tag)])
        seen.append((reply.status, reply.header("x-ratelimit-remaining")))
    assert seen == [(304, "1"), (304, "0"), (429, "0")]


@pytest.fixture
def small(ledger: Ledger) -> tuple[Ledger, int]:
    """A ledger with one account."""
    ledger.provider("checkdomain")
    return ledger, ledger.account("checkdomain").id


def add(ledger: Ledger, account_id: int) -> Invoice:
    """One more document."""
    draft = parse_draft({"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]}, currency=EUR, buyer=BUYER)
    return issue(ledger.books, account_id=account_id, draft=draft)


@pytest.fixture
def running(small: tuple[Ledger, int], serve: Callable[[], Served]) -> Site:
    """Its server."""
    ledger, account_id = small
    add(ledger, account_id)
    return Site(serve().url, {"it": ledger.token("checkdomain")})


def test_a_tag_ends_with_what_it_stands_for(small: tuple[Ledger, int], running: Site) -> None:
    """A new document, a payment: lists and singles have new tags at once. What happens to others changes nothing."""
    ledger, account_id = small
    other = ledger.account("checkdomain", "other").id
    targets = ("/v1/invoices", "/v1/invoices/1")

    def tags() -> list[str]:
        return [running.get(target, "it").header("etag") or "" for target in targets]

    def settle() -> None:
        pay(ledger.books, account_id=account_id, amount_minor=100, currency=EUR, invoice_ids=[add(ledger, account_id).id])

    before = tags()
    for change in (lambda: add(ledger, account_id), settle):
        change()
        replies = [ask(running, target, "it", tag) for target, tag in zip(targets, before, strict=True)]
        assert [reply.status for reply in replies] == [200, 200]
        before = tags()
    add(ledger, other)
    assert [ask(running, target, "it", tag).status for target, tag in zip(targets, before, strict=True)] == [304, 304]
    with ledger.books.storage.reading() as tx:
        (found,) = [each for each in tx.accounts.tokens(1) if each.account_id == account_id]
    revoke_token(ledger.books, token_id=found.id)
    assert [ask(running, target, "it", tag).status for target, tag in zip(targets, before, strict=True)] == [401, 401]
