"""JSON from users: exact numbers, and no key twice, of which one would be lost."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation

import msgspec

DEPTH_MAX = 32
"""How deep objects and lists from the wire may nest: a document needs five."""
VALUES_MAX = 500_000
"""How many fields and values a text from the wire may have: a document of 8 MiB needs fewer."""
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
_PLAIN_DEPTH_MAX = DEPTH_MAX // 2
_TOO_DEEP = f"nests deeper than {DEPTH_MAX} levels"
_WHOLE_MAX = 2**63 - 1


def loads(text: bytes | str) -> object:
    """The value of a JSON text, numbers with a point as Decimal; NaN and Infinity too, for whoever reads the field to refuse.

    Bytes are UTF-8, and nothing else is guessed. ValueError or RecursionError where it is none.
    """
    decoded = text if isinstance(text, str) else text.decode("utf-8-sig")
    return json.loads(decoded, parse_float=_decimal, object_pairs_hook=_no_repeats, parse_constant=Decimal)


def bounded(text: str) -> object:
    """The value of a JSON text from the wire, which every database can hold, every reader of ours can read again, and JSON can write.

    ValueError for anything else: NaN, deep nesting, NUL, half a surrogate pair, whole numbers beyond 64 bits, too many values.
    """
    if sum(map(text.count, ",[{")) > VALUES_MAX:  # told without making them: that would take seconds, and a hundred times the memory
        message = f"has more than {VALUES_MAX} fields and values"
        raise ValueError(message)
    try:
        return _plainly(text)
    except (_UnsureError, msgspec.MsgspecError, ValueError, RecursionError):
        return _slowly(text)


class _UnsureError(Exception):
    """This text needs a closer look."""


def _plainly(text: str) -> object:
    """The value of a text without escapes, by a parser that is five times as fast, and silent about repeated keys.

    As many colons as keys, and those inside of texts, is no key twice. Whatever is not plain raises: then the exact way
    decides, and says why.
    """
    if "\\" in text:
        raise _UnsureError
    value = _decoder.decode(text)
    if _colons(value, _PLAIN_DEPTH_MAX) != text.count(":"):
        raise _UnsureError
    return value


def _colons(value: object, depth_left: int) -> int:
    if not depth_left:
        raise _UnsureError
    found = 0
    if type(value) is dict:
        found += len(value)
        items = [*value, *value.values()]
    elif type(value) is list:
        items = value
    else:
        items = [value]
    for item in items:
        kind = type(item)
        if kind is str:
            if ":" in item:
                found += item.count(":")
        elif kind is dict or kind is list:
            found += _colons(item, depth_left - 1)
        elif kind is int and not -_WHOLE_MAX <= item <= _WHOLE_MAX:
            raise _UnsureError
    return found


def _slowly(text: str) -> object:
    try:
        value = loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level = [value]
    for _ in range(DEPTH_MAX):
        below: list[object] = []
        for item in level:
            if isinstance(item, list):
                below += item
            elif isinstance(item, dict):
                below += item.keys()
                below += item.values()
            else:
                _check(item)
        if not below:
            return value
        level = below
    raise ValueError(_TOO_DEEP)


def _check(item: object) -> None:
    if isinstance(item, str):
        if _UNKEEPABLE.search(item):
            raise ValueError("has a text with NUL or half a surrogate pair")
    elif isinstance(item, int):
        if not -_WHOLE_MAX <= item <= _WHOLE_MAX:
            raise ValueError("has a whole number of more than 64 bits")
    elif isinstance(item, Decimal) and not item.is_finite():
        raise ValueError("has NaN or Infinity, which are no JSON")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("has a number whose exponent no computer can hold") from None


_decoder = msgspec.json.Decoder(float_hook=_decimal)


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names a key twice")
    return found
