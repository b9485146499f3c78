"""halchemy, a HAL client, reads checkdomain's list by its links alone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from halchemy import Api
from tests.clients.conftest import COUNT
from tests.server.wire import Site, checkdomain_items


@pytest.fixture
def api(shop: Site) -> Api:
    """The client, with the account's token."""
    return Api(shop.url, headers={"Authorization": f"Bearer {shop.tokens['checkdomain']}"})


@pytest.mark.parametrize("parameters", [{}, {"limit": 100}, {"limit": 60, "query": "20"}])
def test_halchemy_reads_all_by_following_next(api: Api, parameters: dict[str, object]) -> None:
    """From the first page on, `next` leads through every document once, newest first, and the sums are right."""
    page = api.using_endpoint("/v1/invoices").with_parameters(parameters).get()
    items = [*page.embedded_many("invoices")]
    while page.has_rel("next"):
        page = api.follow(page).to("next").get()
        items += page.embedded_many("invoices")
    expected = checkdomain_items(COUNT)
    assert [item["id"] for item in items] == [item["id"] for item in reversed(expected)]
    for key in ("amount_total", "amount_payed", "amount_open"):
        assert sum(Decimal(str(item[key])) for item in items) == sum(Decimal(str(item[key])) for item in expected)


def test_halchemy_walks_back_and_to_both_ends(api: Api) -> None:
    """`last`, `previous`, `first` and `self` lead where they say."""
    first = api.using_endpoint("/v1/invoices").with_parameters({"limit": 50}).get()
    last = api.follow(first).to("last").get()
    before = api.follow(last).to("previous").get()
    assert (last["page"], before["page"], last["pages"]) == (9, 8, 9)
    assert (last.has_rel("next"), first.has_rel("previous")) == (False, False)
    assert api.follow(last).to("first").get() == first
    assert api.follow(before).to("self").get() == before


def test_halchemy_opens_embedded_documents(api: Api) -> None:
    """An embedded invoice is a resource of its own, and its link leads to the whole of it."""
    page = api.using_endpoint("/v1/invoices").get()
    for item in page.embedded_many("invoices"):
        whole = api.follow(item).to("self").get()
        assert {key: whole[key] for key in item} == item
        assert {"tax", "details", "payments"} <= set(whole)
