"""Cursors: where a page of a list ended, as a short text that only this list understands.

A cursor is 16 bytes: the id of the last document seen, and a digest of what the list was asked for. It is no secret and
gives no right: whoever forges one only chooses where in his own list to go on.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re

from faktura.domain.errors import InvalidDocumentError, fault
from faktura.domain.moment import Moment
from faktura.ledger.listing_query import DocumentFilter
from faktura.ledger.selection import DocumentSort

_TEXT = re.compile(r"[A-Za-z0-9_-]{22}\Z", re.ASCII)
_HALF = 8


def encode_cursor(after: int, *, provider: str, filters: DocumentFilter, sort: DocumentSort, moment: Moment) -> str:
    """The cursor of a list's page that ended with a document: 22 letters, digits, dashes and underscores."""
    body = after.to_bytes(_HALF, "big") + _asked(provider, filters, sort, moment)
    return base64.urlsafe_b64encode(body).decode("ascii").rstrip("=")


def decode_cursor(text: str, *, provider: str, filters: DocumentFilter, sort: DocumentSort, moment: Moment) -> int:
    """The document after which the list goes on; InvalidDocumentError (`cursor`) for another list's cursor, and for what is none."""
    if not _TEXT.match(text):
        raise InvalidDocumentError([fault("cursor", "cursor", "is no cursor of ours: take it from the answer before, as it is")])
    body = base64.urlsafe_b64decode(text + "==")  # 22 of these signs always decode
    if body[_HALF:] != _asked(provider, filters, sort, moment):
        raise InvalidDocumentError([fault("cursor", "cursor", "belongs to a list with other filters, another order or another moment")])
    return int.from_bytes(body[:_HALF], "big")


def _asked(provider: str, filters: DocumentFilter, sort: DocumentSort, moment: Moment) -> bytes:
    """What a list was asked for, in eight bytes."""
    asked = [
        provider,
        filters.account_id,
        None if filters.number is None else filters.number.casefold(),
        sorted({code.value for code in filters.type_codes}),
        filters.state,
        str(filters.issued_from),
        str(filters.issued_to),
        filters.order_id,
        sort.value,
        moment.as_of_us,
        str(moment.on),
    ]
    return hashlib.sha256(json.dumps(asked).encode()).digest()[:_HALF]
