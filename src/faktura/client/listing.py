"""Lists and single documents of one account, over all pages."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace

from faktura.client.errors import NotSupportedError
from faktura.client.results import Invoice, Page, invoice_of
from faktura.client.transport import Transport
from faktura.dialects.base import Answer, GetQuery, ListQuery, Query, WireDialect
from faktura.domain.errors import SettingError, WireError
from faktura.domain.provider import Provider
from faktura.domain.recorded import SourceKind
from faktura.domain.text import is_text, shown

_REMEMBERED_MAX = 100_000
"""Ids of the documents read last, by which those that shift to the next page are known."""
_VALUES_MAX = 200_000
"""JSON values of one answer: each takes many times the room of its text once it is read."""
_LONG_NUMBER = re.compile(rb"(?<![0-9])[0-9]{1000}")
"""Exact decimals take many times the room of their digits."""
_WHOLE_MAX = 2**63 - 1
_CROWDED = 5
"""So many times as many items as were asked for are no page any more."""
_UNANNOUNCED_MAX = 1000
"""Pages of a list that does not say how many there are."""
_SEARCH_LENGTH_MAX = 255
_FAULTS_SHOWN = 3


class Invoices:
    """The invoices of the client's account, newest first. Errors are CallError, and WireError for answers that break the provider's format."""

    def __init__(self, transport: Transport, *, dialect: WireDialect, settings: Provider, pages_max: int) -> None:
        self._transport = transport
        self._dialect = dialect
        self._settings = settings
        self._pages_max = pages_max

    def __repr__(self) -> str:
        return f"Invoices(provider={self._dialect.name!r}, origin={str(self._transport.origin)!r})"

    def list(self, search: str | None = None) -> Iterator[Invoice]:
        """All invoices, or those with a number that contains `search`, whatever its case; pages are asked for as they are needed.

        Where the API has no search the whole list is gone through. WireError at a page with an item that cannot be read: `pages` goes on.
        """
        _check_search(search)
        return self._list(search)

    def search(self, number: str) -> Iterator[Invoice]:
        """Invoices whose number contains this."""
        if not number:
            raise SettingError("a search needs a part of a number")
        return self.list(search=number)

    def pages(self, *, start: int = 1, limit: int | None = None, search: str | None = None) -> Iterator[Page]:
        """The pages from `start` on, lazily, until the last or an empty one.

        A document that new ones push on to the next page comes once: the ids of the last 100,000 are remembered. WireError for lists that
        lead elsewhere, do not lead on, repeat a page, or have no end.
        """
        first = self._query(start, limit, search)
        return self._pages(first)

    def page(self, number: int, *, limit: int | None = None, search: str | None = None) -> Page:
        """One page, counted from 1; `limit` documents, at most and by default as many as the API gives."""
        return self._fetch(self._query(number, limit, search))

    def get(self, id: int) -> Invoice:  # noqa: A002 - what both APIs call it
        """One invoice by its id, with lines and payments. NotFoundError; NotSupportedError, without a request, where the API has no such call."""
        if isinstance(id, bool) or not isinstance(id, int) or not 0 < id <= _WHOLE_MAX:
            message = f"an invoice's id is a positive whole number, not {shown(id)}"
            raise SettingError(message)
        if not self._dialect.has_single:
            message = f"{self._dialect.name}: this API has no call for one invoice: look for it in the list"
            raise NotSupportedError(message)
        query = GetQuery(wire_id=id)
        path, _, answer = self._ask(query)
        kinds = [(heard.kind, heard.invoice.wire_id) for heard in answer.documents]
        if kinds != [(SourceKind.SINGLE, id)]:
            raise self._broken(path, f"it answers something else than invoice {id}")
        return invoice_of(answer.documents[0], zone=self._settings.zone)

    def _list(self, search: str | None) -> Iterator[Invoice]:
        asked = search if self._dialect.has_search else None
        wanted = "" if search is None or asked else search.casefold()
        for page in self._pages(self._query(1, None, asked)):
            if page.faults:
                told = "; ".join(f"item {fault.position}: {fault.message}" for fault in page.faults[:_FAULTS_SHOWN])
                raise self._broken(self._dialect.render_request(self._query(page.number, None, asked)), f"items cannot be read, {told}")
            for invoice in page.invoices:
                if wanted in invoice.number.casefold():
                    yield invoice

    def _pages(self, query: ListQuery | None) -> Iterator[Page]:
        walk = _Walk(self._dialect.limit_max, self._pages_max)
        while query is not None:
            page = self._fetch(query)
            wrong = walk.fault(page)
            if wrong:
                raise self._broken(self._dialect.render_request(query), wrong)
            yield walk.without_repeated(page)
            query = None if page.next_number is None else replace(query, page=page.next_number)

    def _query(self, number: int, limit: int | None, search: str | None) -> ListQuery:
        _check_search(search)
        if search is not None and not self._dialect.has_search:
            message = f"{self._dialect.name}: this API's list cannot be searched: `list` and `search` go through all of it"
            raise NotSupportedError(message)
        limit_max = self._dialect.limit_max
        limit = limit_max if limit is None else limit
        if not 1 <= limit <= limit_max or not 1 <= number <= _WHOLE_MAX:
            message = f"pages count from 1, and have 1 to {limit_max} invoices"
            raise SettingError(message)
        return ListQuery(page=number, limit=limit, search=search)

    def _fetch(self, query: ListQuery) -> Page:
        path, body, answer = self._ask(query)
        if any(heard.kind is not SourceKind.LIST for heard in answer.documents):
            raise self._broken(path, "it answers a single invoice where a list was asked for")
        for name, number in (("page", answer.page), ("pages", answer.pages), ("total", answer.total)):
            if number is not None and not 0 <= number <= _WHOLE_MAX:
                raise self._broken(path, f"its `{name}` is not a number of anything: {shown(number)}")
        if answer.page is not None and answer.page != query.page:
            raise self._broken(path, f"page {query.page} was asked for, page {shown(answer.page)} was answered")
        is_empty = not answer.documents and not answer.faults
        return Page(
            number=query.page,
            pages=answer.pages,
            total=answer.total,
            invoices=tuple(invoice_of(heard, zone=self._settings.zone) for heard in answer.documents),
            faults=answer.faults,
            next_number=None if is_empty else self._following(path, query.page, answer),
            raw=body,
        )

    def _following(self, path: str, number: int, answer: Answer) -> int | None:
        """The page that comes next: by the link, and where there is none though more pages are announced, by counting."""
        if answer.next_url is None:
            return number + 1 if answer.pages is not None and number < answer.pages else None
        origin = self._transport.origin
        try:
            link_path, link_query = origin.followed(origin.target(path), answer.next_url)
        except WireError as error:
            raise self._broken(path, str(error)) from None
        asked = self._dialect.parse_request(method="GET", path=link_path, query_string=link_query)
        if not isinstance(asked, ListQuery):
            raise self._broken(path, f"its next page is at {shown(link_path)}, which is no list of this API")
        if asked.page <= number:
            raise self._broken(path, f"its next page does not lead on, but to page {asked.page}")
        if asked.page > number + 1:
            raise self._broken(path, f"its next page skips some, to page {shown(asked.page)}")
        return asked.page

    def _ask(self, query: Query) -> tuple[str, bytes, Answer]:
        path = self._dialect.render_request(query)
        body = self._transport.get(path)
        if body.count(b",") > _VALUES_MAX:
            raise self._broken(path, f"the answer has more than {_VALUES_MAX} values")
        if _LONG_NUMBER.search(body):
            raise self._broken(path, "the answer has a number of a thousand digits or more")
        try:
            return path, body, self._dialect.parse_answer(body, provider=self._settings)
        except (WireError, ValueError, ArithmeticError, RecursionError) as error:
            reason = str(error)
        raise self._broken(path, reason)

    def _broken(self, path: str, reason: str) -> WireError:
        return WireError(self._transport.say(path, reason))


class _Walk:
    """What is known of the pages gone through so far, in bounded memory."""

    def __init__(self, limit_max: int, pages_max: int) -> None:
        self._limit_max = limit_max
        self._pages_max = pages_max
        self._pages = 0
        self._items = 0
        self._total: int | None = None
        """The most that any page announced."""
        self._ids: OrderedDict[int, int] = OrderedDict()
        """By id, the hash of what was said last."""
        self._before: tuple[tuple[int, ...], int | None] = ((), None)

    def fault(self, page: Page) -> str | None:
        """Why the list cannot go on so, if it cannot. Documents may come and go meanwhile: a total that moves excuses a page that comes again."""
        ids = tuple(invoice.id for invoice in page.invoices)
        if ids and self._before == (ids, page.total):
            return "it repeats the page before"
        self._before = (ids, page.total)
        self._pages += 1
        self._items += len(ids) + len(page.faults)
        if page.total is not None:
            self._total = max(self._total or 0, page.total)
        if self._total is not None and self._items > self._total + self._limit_max:
            return f"the list has no end: {self._items} documents came, {self._total} are announced"
        if len(ids) + len(page.faults) > _CROWDED * self._limit_max:
            return f"the page has {len(ids) + len(page.faults)} items, and {self._limit_max} were asked for"
        if self._total is None and page.pages is None and self._pages == _UNANNOUNCED_MAX and page.next_number is not None:
            return f"the list has no end: {self._pages} pages came, and none says how many there are"
        if self._pages == self._pages_max and page.next_number is not None:
            return f"the list has no end: {self._pages} pages came, and more are announced"
        return None

    def without_repeated(self, page: Page) -> Page:
        """The page without documents that came before."""
        new, changed = [], []
        for invoice in page.invoices:
            content = hash(invoice.raw)
            if invoice.id not in self._ids:
                new.append(invoice)
            elif self._ids[invoice.id] != content:
                changed.append(invoice)
            self._ids[invoice.id] = content
        while len(self._ids) > _REMEMBERED_MAX:
            self._ids.popitem(last=False)
        if len(new) == len(page.invoices):
            return page
        return replace(page, invoices=tuple(new), changed=tuple(changed), repeated=len(page.invoices) - len(new))


def _check_search(search: str | None) -> None:
    if search is not None and not is_text(search, length_max=_SEARCH_LENGTH_MAX):
        message = f"a search is a part of a number, 1 to {_SEARCH_LENGTH_MAX} characters"
        raise SettingError(message)
