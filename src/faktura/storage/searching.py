"""Searches for a part of a number: along the parts that large accounts have, or through an account's numbers; exact either way."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from operator import itemgetter

from faktura.ledger.listing_ports import ServedPage
from faktura.ledger.number_parts import PART_LENGTH_MIN, PARTED_ABOVE, PARTED_LENGTH_MAX
from faktura.storage.driver import Driver, Row

HITS_MAX = 20_000
"""Beyond so many hits, sorting them costs more than finding a page of them in the order of the list."""
_TOTALS_MAX = 1000
_OLDEST_US = -(2**62)
_LAST_SIGN = "\U0010ffff"

_Key = tuple[bytes, str]
"""A token's hash, and the case-folded text."""


class SearchTotals:
    """How often texts occur that occur too often to be counted for every page. Bounded, and safe for threads.

    A total is that of a revision of the account: what is written makes a new revision, and is counted anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[_Key, tuple[int, int]] = OrderedDict()

    def get(self, key: _Key) -> tuple[int, int] | None:
        """(revision, total) as it was counted last."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def keep(self, key: _Key, *, revision: int, total: int) -> None:
        """Remember a total, and forget the one that was not asked for longest."""
        with self._lock:
            self._known[key] = (revision, total)
            self._known.move_to_end(key)
            if len(self._known) > _TOTALS_MAX:
                self._known.popitem(last=False)


def search(driver: Driver, totals: SearchTotals, token_hash: bytes, *, now_us: int, text: str, skip: int, size: int) -> ServedPage | None:
    """A page of the documents whose number contains the text, in any case, newest first, and the exact total; None without a valid token."""
    folded = text.casefold()
    literal = "".join(f"\\{sign}" if sign in "%_\\" else sign for sign in folded)
    asked = {"token_hash": token_hash, "now_us": now_us, "pattern": f"%{literal}%", "skip": skip, "size": size}
    whole = asked | {"oldest_us": _OLDEST_US}
    known = totals.get((token_hash, folded))
    if known is not None:
        past = {"size": 0} if skip >= known[1] else {}  # or a page that has nothing would be looked for to the end
        rows = driver.all("serve_search_whole", **whole | past, is_counting=0)
        if not rows or rows[0]["revision"] == known[0]:
            return _page(rows, known[1])
    if len(folded) >= PART_LENGTH_MIN:
        parts = {"text": folded, "text_end": folded + _LAST_SIGN * PARTED_LENGTH_MAX, "again": f"_%{literal}%", "hits_max": HITS_MAX}
        rows = driver.all("serve_search", **asked, **parts)
        if not rows or (rows[0]["listed"] > PARTED_ABOVE and rows[0]["total"] <= HITS_MAX):
            return _page(rows)
    rows = driver.all("serve_search_whole", **whole, is_counting=1)
    if rows and rows[0]["listed"] > PARTED_ABOVE:
        totals.keep((token_hash, folded), revision=rows[0]["revision"], total=rows[0]["total"])
    return _page(rows)


def _page(rows: Sequence[Row], total: int | None = None) -> ServedPage | None:
    if not rows:
        return None
    provider_id, account_id, revision, _, counted = rows[0][:5]
    found = sorted((row for row in rows if row[8] is not None), key=itemgetter(8), reverse=True)
    return ServedPage(
        provider_id=provider_id,
        account_id=account_id,
        revision=revision,
        total=counted if total is None else total,
        rows=[(row[5], row[6], row[7]) for row in found],
    )
