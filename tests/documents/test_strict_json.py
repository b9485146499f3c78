"""JSON from users: the quick way and the exact way say the same of every text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faktura.documents import strict_json

SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5) | st.sampled_from(["a:b", ":", "a", "\x00", '"', "\\"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "c:", ":"]), inner, max_size=3))
BITS = st.sampled_from(['"', ":", "{", "}", "[", "]", ",", "1", "\\", "e", ".", "-", " ", '"a":1,', '"a" :1,', "\ud800", "\n", "\ufeff"])


def outcome(read: Any, text: str) -> str:
    """What reading a text comes to: its value, or why there is none."""
    try:
        return repr(read(text))
    except ValueError as error:
        return f"refused: {error}"


@given(VALUES, st.booleans(), st.lists(st.tuples(st.integers(0, 200), BITS, st.integers(0, 2)), max_size=3))
def test_both_ways_agree(value: object, is_ascii: object, changes: list[tuple[int, str, int]]) -> None:
    """Of a good text, and of one that something was done to, the same value or the same refusal."""
    text = json.dumps(value, ensure_ascii=bool(is_ascii))
    for place, piece, lost in changes:
        text = text[:place] + piece + text[place + lost :]
    assert outcome(strict_json.bounded, text) == outcome(strict_json._slowly, text)


@pytest.mark.parametrize(
    "text",
    ['{"a":1,"a":2}', '{"a" :1,"a":2}', '{"a":{"b":1,"b":":"}}', '{"a:":1,"a:":":"}', "99999999999999999999", '{"a":NaN}', "[" * 40 + "]" * 40, '"\\u0000"'],
)
def test_what_only_looks_plain_is_refused(text: str) -> None:
    """A key twice, numbers too large for BIGINT, NaN, deep nesting and NUL, whatever stands around them."""
    with pytest.raises(ValueError, match=r".+"):
        strict_json.bounded(text)


def test_numbers_stay_exact() -> None:
    """A number with a point or an exponent is a decimal, as written."""
    assert repr(strict_json.bounded('{"a":[1.10,1e2,-0.0,7]}')) == "{'a': [Decimal('1.10'), Decimal('1E+2'), Decimal('-0.0'), 7]}"
