"""dlt's RESTClient reads both lists whole, as it is: told the style of paging, or finding it out."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth
from dlt.sources.helpers.rest_client.client import RESTClient
from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator, PageNumberPaginator
from tests.clients.conftest import COUNT
from tests.server.wire import Site, checkdomain_items, vpsbg_items


def client_of(shop: Site, dialect: str) -> RESTClient:
    """A client with the account's token."""
    return RESTClient(base_url=f"{shop.url}/v1", auth=BearerTokenAuth(token=shop.tokens[dialect]))


def pages_of(shop: Site, dialect: str, **options: Any) -> list[list[dict[str, Any]]]:
    """All pages that the client reads of the list. A paginator has a state, so each reading takes a new one."""
    client = client_of(shop, dialect)
    try:
        return [list(page) for page in client.paginate("invoices", **copy.deepcopy(options))]
    finally:
        client.session.close()


def total(items: Iterable[dict[str, Any]], key: str) -> Decimal:
    """The sum of an amount."""
    return sum((Decimal(str(item[key])) for item in items), Decimal(0))


def assert_complete(pages: list[list[dict[str, Any]]], expected: list[dict[str, Any]], amounts: tuple[str, ...]) -> None:
    """Every document once, newest first, its number and amounts right."""
    items = [item for page in pages for item in page]
    assert [item["id"] for item in items] == [item["id"] for item in reversed(expected)]
    assert [item["invoice_number"] for item in items] == [item["invoice_number"] for item in reversed(expected)]
    for key in amounts:
        assert total(items, key) == total(expected, key) != 0


@pytest.mark.parametrize(
    "options",
    [
        {"paginator": JSONLinkPaginator(next_url_path="links.next"), "data_selector": "data"},
        {"paginator": PageNumberPaginator(base_page=1, total_path="meta.last_page"), "data_selector": "data"},
        {"paginator": PageNumberPaginator(base_page=1, total_path=None, stop_after_empty_page=True), "data_selector": "data"},
        {},
    ],
    ids=["next link", "page numbers", "until an empty page", "found out"],
)
def test_dlt_reads_vpsbg(shop: Site, options: dict[str, Any]) -> None:
    """VPSBG's list comes complete in fifteen pages of thirty, by links, by numbers and by dlt's own detection."""
    pages = pages_of(shop, "vpsbg", **options)
    assert [len(page) for page in pages if page] == [30] * 14 + [COUNT - 420]
    assert_complete(pages, vpsbg_items(COUNT), ("amount", "amount_with_vat"))


@pytest.mark.parametrize("limit", [None, 7, 100])
@pytest.mark.parametrize(
    "options",
    [
        {"paginator": JSONLinkPaginator(next_url_path="_links.next.href"), "data_selector": "_embedded.invoices"},
        {"paginator": PageNumberPaginator(base_page=1, total_path="pages"), "data_selector": "_embedded.invoices"},
        {},
    ],
    ids=["next link", "page numbers", "found out"],
)
def test_dlt_reads_checkdomain(shop: Site, options: dict[str, Any], limit: int | None) -> None:
    """Checkdomain's list comes complete at any limit, by HAL links, by numbers and by dlt's own detection."""
    pages = pages_of(shop, "checkdomain", **options, params={} if limit is None else {"limit": limit})
    assert len(pages) == -(-COUNT // (limit or 10))
    assert_complete(pages, checkdomain_items(COUNT), ("amount_total", "amount_payed", "amount_open"))


def test_dlt_finds_next_links(shop: Site) -> None:
    """What dlt detects are the documented next links, not something that only looks like them."""
    for dialect, path in (("vpsbg", "links.next"), ("checkdomain", "_links.next.href")):
        client = client_of(shop, dialect)
        page = next(iter(client.paginate("invoices")))
        client.session.close()
        assert isinstance(page.paginator, JSONLinkPaginator)
        assert str(page.paginator.next_url_path) == path


def test_dlt_follows_a_search(shop: Site) -> None:
    """The links of a search keep it: dlt reads what the search finds and no more."""
    pages = pages_of(shop, "checkdomain", params={"query": "2011-", "limit": 25})
    expected = [item for item in checkdomain_items(COUNT) if str(item["invoice_number"]).startswith("2011-")]
    assert len(pages) == 5
    assert_complete(pages, expected, ("amount_total",))
