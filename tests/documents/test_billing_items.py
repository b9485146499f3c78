"""A billing run's input, in pieces of any size: JSON Lines and CSV."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faktura.documents import billing_items
from faktura.documents.billing_items import CSV, JSON_LINES, ItemParser
from faktura.domain.errors import InputError

HEADER = b"account,period,product,name,unit_price,order_id\n"


def parse(media_type: str, *pieces: bytes) -> list[tuple[int, Any]]:
    """Position and value of every item."""
    parser = ItemParser(media_type)
    found = [item for piece in pieces for item in parser.feed(piece)]
    return [(position, json.loads(text)) for position, text in (*found, *parser.close())]


@given(st.data())
def test_pieces_make_no_difference(data: st.DataObject) -> None:
    """Wherever the network cuts the input, the items are the same."""
    media_type = data.draw(st.sampled_from([CSV, JSON_LINES]))
    rows = b'a,p,x,"one\nline, ""quoted""",1,7\na,p,x,two,2,8\r\nb,p,x,\xc3\xa9,3,\n'
    whole = HEADER + rows if media_type == CSV else b'{"account":"\xc3\xa9"}\r\n\nnull\n{"a":1,"a":2}\n{"last":1}'
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert parse(media_type, *pieces) == parse(media_type, whole)


def test_rows_of_one_key_make_one_document() -> None:
    """Rows that follow each other; each order is named once, in the order of the rows."""
    (first, document), (second, _) = parse(CSV, HEADER + b"a,p,x,one,1,7\na,p,x,two,2,8\na,p,x,three,2,7\nb,p,x,four,1,\n")
    assert (first, second) == (2, 5)
    assert [line["name"] for line in document["lines"]] == ["one", "two", "three"]
    assert document["order_ids"] == [7, 8]


@pytest.mark.parametrize(
    "text",
    ['{"\\ud800":1}', '{"account":"\\ud800"}', '{"lines":[{"name":"\\udfff"}]}', '{"a":1,"a":2}', "[" * 10_000, "{", '{"a":' + "9" * 5000 + "}", "\x00"],
)
def test_a_line_that_nobody_can_be_told_of_is_an_item_to_refuse(text: str) -> None:
    """No JSON, half a surrogate pair, keys twice, nests without end: one item of the run, no end of it."""
    assert parse(JSON_LINES, text.encode(), b'\n{"account":"\\ud83d\\ude00"}\n') == [(1, None), (2, {"account": "😀"})]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (b"a,p,x,on\re,1,\n", "line 2: is not CSV"),
        (b'a,p,x,"' + b"n" * 200_000 + b'",1,\n', "line 2: is not CSV"),
        (b'a,p,x,"n\n\n\n', "line 2: a quoted cell does not end"),
        (b"a,p,x,n,1\n", "line 2: has 5 cells"),
        (b"\xff\n", "line 2 is not UTF-8"),
    ],
)
def test_what_is_no_csv_is_refused_by_its_line(rows: bytes, words: str) -> None:
    """Whatever the file has: a sentence with the line, never a failure."""
    with pytest.raises(InputError, match=words):
        parse(CSV, HEADER + rows)


def test_a_document_of_rows_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose rows all have one key is not gathered without end: memory is bounded by lines and by bytes."""
    rows = b"".join(b"a,p,x,n,1,\n" for _ in range(12))
    with monkeypatch.context() as patched:
        patched.setattr(billing_items, "LINES_MAX", 10)
        with pytest.raises(InputError, match="line 12: the document of these rows, which begins in line 2,"):
            parse(CSV, HEADER + rows)
    monkeypatch.setattr(billing_items, "LINE_BYTES_MAX", 100)
    with pytest.raises(InputError, match="line 11"):
        parse(CSV, HEADER + rows)


def test_long_documents_are_read_in_linear_work() -> None:
    """A cell over very many lines, and very many orders: the server reads them beside other requests, so a square of them would stop it for minutes."""
    with pytest.raises(InputError, match="a quoted cell does not end"):
        parse(CSV, HEADER + b'"' + b"\n" * 500_000)
    ((_, document),) = parse(CSV, HEADER, *(b"a,p,x,n,1,%d\n" % order for order in range(1, 90_001)))
    assert len(document["order_ids"]) == len(document["lines"]) == 90_000
