"""Whatever is sent, the answer is a documented refusal that says what is wrong, nothing is written, and the server goes on."""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import jsonschema_rs
import pytest
from tests.conftest import open_ledger
from tests.management.operations import LINE, RECIPES, document, invoice_of
from tests.management.site import BASE, PROBLEM, Api, Ask, Operation, Reply, Site, changes

from faktura.ledger.verification import verify

MIB = 1024 * 1024
BODY_BYTES_MAX = 8 * MIB
MEMORY_GROWTH_MAX = 600 * MIB
"""What one body of 8 MiB may take while it is read, and the interpreter not give back."""
JSON_OPERATIONS = [
    *("setProvider", "addAccount", "setAccount", "recordVatCheck", "createToken", "setSeries", "addDraft", "setDraft", "issueInvoice", "invoiceProForma"),
    *("creditInvoice", "allocateCreditNote", "refundCreditNote", "recordPayment", "allocatePayment", "refundPayment", "reversePayment", "lockPeriod"),
]


def nested(depth: int, opening: str = "[", closing_: str = "]") -> bytes:
    """Lists or objects in each other."""
    return (opening * depth + "1" + closing_ * depth).encode()


UNREADABLE: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \r\n\t",
    "truncated": b'{"account_id": 1',
    "truncated text": b'{"account_id": "x',
    "two values": b"{}{}",
    "a comma too many": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "a comment": b"{} // ok",
    "no JSON": b"a=1&b=2",
    "XML": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    "NUL": b"\x00",
    "NUL after it": b"{}\x00",
    "latin-1": b'{"a": "\xe4"}',
    "overlong UTF-8": b'{"a": "\xc0\xaf"}',
    "surrogates in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "UTF-16 big": "{}".encode("utf-16-be"),
    "UTF-16 little": "{}".encode("utf-16-le"),
    "UTF-32": "{}".encode("utf-32"),
    "UTF-32 big": "{}".encode("utf-32-be"),
    "UTF-7": b"+AHsAfQ-",
    "gzip": gzip.compress(b"{}"),
    "NaN": b'{"a": NaN}',
    "NaN inside": b'{"document": {"note": NaN}}',
    "Infinity": b'{"a": Infinity}',
    "-Infinity": b'{"a": [-Infinity]}',
    "a key twice": b'{"a": 1, "a": 1}',
    "a key twice, escaped": b'{"a": 1, "\\u0061": 2}',
    "a key twice inside": b'{"document": {"lines": [{"name": 1, "name": 2}]}}',
    "half a surrogate pair": b'{"a": "\\ud800"}',
    "half a surrogate pair as key": b'{"\\udfff": 1}',
    "escaped NUL": b'{"a": "\\u0000"}',
    "escaped NUL as key": b'{"\\u0000": 1}',
    "control character": b'{"a": "\x01"}',
    "hexadecimal": b'{"a": 0x10}',
    "leading zero": b'{"a": 01}',
    "bare point": b'{"a": .5}',
    "plus": b'{"a": +1}',
    "5000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "4000 digits": b'{"a": ' + b"9" * 4000 + b"}",
    "4000 digits inside": b'{"document": {"a": [' + b"9" * 4000 + b"]}}",
    "minus 4000 digits": b'{"a": -' + b"9" * 4000 + b"}",
    "nested 100": nested(100),
    "nested 990": nested(990),
    "nested 100000": nested(100_000),
    "objects nested 100": nested(100, '{"a":', "}"),
    "objects nested 100000": nested(100_000, '{"a":', "}"),
    "nested inside": b'{"document": ' + nested(100) + b"}",
    "never closed": b"[" * 100_000,
    "objects never closed": b'{"a":' * 100_000,
}
"""What is no JSON, or none that can be kept: 400."""

UNUSABLE: dict[str, bytes] = {
    **{f"a bare {text[:12]}": text.encode() for text in ("null", "true", "0", "-0", "1.5", '""', '"text"', "[]", "[{}]", "[[[]]]")},
    "1E400": b'{"amount": 1E400, "account_id": 1E400, "lines": 1E400}',
    "1e999999999": b'{"amount": 1e999999999, "rate_limit": 1e999999999, "next_number": 1e999999999}',
    "1e-999999999": b'{"amount": 1e-999999999, "account_id": 1e-999999999, "lines": [1e-999999999]}',
    "-0": b'{"account_id": -0, "amount": -0.0, "next_number": -0, "rate_window_seconds": -0, "lines": [], "through": -0, "reason": -0}',
    "long decimal": b'{"amount": 0.' + b"1" * 100_000 + b', "lines": 0.' + b"1" * 100_000 + b"}",
    "proto": b'{"__proto__": {}, "__class__": 1, "self": 1}',
    "unknown": b'{"unknown": 1, "account-id": 1, "": 1}',
    "bidi and control characters": '{"\u202e\u2066": "\\u0001\\u001b[2J\u202e"}'.encode(),
    "SQL": b'{"\'; DROP TABLE invoice; --": "\' OR 1=1 --"}',
    "a long key": b'{"' + b"k" * MIB + b'": 1}',
}
"""JSON that no call takes: 400 or 422."""

WRONG_TYPES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 2**63 - 1, "", "x" * 5000, [], {}, [{}], {"a": 1}),  # tried everywhere; the rest by turns
    *(False, 1, -0.0, 10**15, 2**53, 10**18, " ", "\t", "0", "-1", "1e5", "NaN", "Infinity", "0x1", "\u0661", "1,5", "1_000"),
    *("x" * 256, "\u202eevil", "a\u0007b", "a\nb", "\ufffe", "😀" * 100, "' OR '1'='1", "<script>", "%00", "{seq}", "../../x", "EUR", "eur"),
    *([[]], [None], [1, "1"], {"": ""}, {"1": "x"}, {"0": "1", "-1": "2", "1e3": 1, "9" * 30: 1}, [True] * 3),
    *("0000-00-00", "0000-01-01", "0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31", "9999-12-31T23:59:59-14:00", "2026-02-30", "2026-1-1"),
    *("20260101", "2026-W01-1", "2026-01-01T00:00:00", "1969-12-31T23:59:59Z", "2026-01-01T00:00:00+99:99", "2026-06-30T23:59:60Z"),
)


@pytest.fixture(scope="module")
def asks(site: Site) -> dict[str, Ask]:
    """A valid call of each operation; none of them is made before the end."""
    return {name: recipe(site.api()) for name, recipe in RECIPES.items()}


@pytest.fixture
def unchanged(site: Site, asks: dict[str, Ask]) -> Iterator[None]:
    """Nothing that a test does may change the ledger."""
    assert asks
    before = site.dump()
    yield
    assert changes(before, site.dump()) == {}


@pytest.fixture(scope="module")
def documented(openapi: dict[str, Any]) -> Callable[[Operation, Reply], Reply]:
    """Checks that an answer is one that the operation documents, and that a refusal says what is wrong."""

    def check(operation: Operation, reply: Reply) -> Reply:
        answers = openapi["paths"][operation.path][operation.method.lower()]["responses"]
        assert str(reply.status) in answers, (operation.id, reply)
        assert reply.status < 500, (operation.id, reply)
        if reply.status >= 400:
            problem = reply.problem()
            assert problem.get("faults") or reply.status in {401, 403, 404, 409, 412, 413, 415, 422, 428}, problem
            assert reply.status != 400 or problem["faults"], problem
            assert len(reply.body) < MIB, "a refusal is not larger than what it refuses"
        return reply

    return check


Check = Callable[[Operation, Reply], Reply]


def test_all_json_operations_are_here(operations: Mapping[str, Operation]) -> None:
    """A new call with a JSON body must be tried too."""
    assert sorted(JSON_OPERATIONS) == sorted(name for name, operation in operations.items() if operation.media_types == ("application/json",))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.only("sqlite")
@pytest.mark.parametrize("name", JSON_OPERATIONS)
def test_what_is_no_json_is_refused(site: Site, asks: dict[str, Ask], documented: Check, name: str) -> None:
    """Every call: 400 with a fault for each body that is no strict JSON in UTF-8, or could not be kept."""
    for label, body in UNREADABLE.items():
        reply = documented(site.operations[name], site.api().call(site.operations[name], replace(asks[name], body=body)))
        assert reply.status == 400, (label, reply)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", JSON_OPERATIONS)
def test_json_that_is_no_body_is_refused(site: Site, asks: dict[str, Ask], documented: Check, name: str) -> None:
    """Every call: 400 or 422 with faults for JSON that is nothing the call takes."""
    for label, body in UNUSABLE.items():
        reply = documented(site.operations[name], site.api().call(site.operations[name], replace(asks[name], body=body)))
        assert reply.status in {400, 422}, (label, reply)
        assert reply.json()["faults"], (label, reply)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", JSON_OPERATIONS)
def test_other_media_types_are_refused(site: Site, asks: dict[str, Ask], documented: Check, name: str) -> None:
    """Every call: 415 for what does not say that it is JSON in UTF-8, or is compressed, even where the body is good."""
    operation, ask = site.operations[name], asks[name]
    kinds = ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "*/*", "json"]
    kinds += [f"application/json; charset={charset}" for charset in ("utf-16", "latin-1", "utf-7", "x", "utf-8x")]
    kinds += ["application/jsonx", "application/json, text/plain", "application/json\u00e4", "application/vnd.api+json", "x" * 5000]
    for kind in kinds:
        assert documented(operation, site.api().call(operation, replace(ask, content_type=kind))).status == 415, kind
    for encoding in ("gzip", "deflate", "br", "x", "identity, gzip"):
        reply = site.api().call(operation, replace(ask, body=gzip.compress(ask.raw_body() or b"")), headers=[("Content-Encoding", encoding)])
        assert documented(operation, reply).status == 415, encoding
        assert documented(operation, site.api().call(operation, ask, headers=[("Content-Encoding", encoding)])).status == 415, encoding
    bare = site.api().send(operation.method, ask.target(operation), body=ask.raw_body(), headers=[] if ask.match is None else [("If-Match", ask.match)])
    assert documented(operation, bare).status == 415
    none = site.api().send(operation.method, ask.target(operation), headers=[] if ask.match is None else [("If-Match", ask.match)])
    assert documented(operation, none).status in {400, 415}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", JSON_OPERATIONS)
def test_too_large_a_body_is_refused_unread(site: Site, asks: dict[str, Ask], documented: Check, name: str) -> None:
    """Every call: 413 for a length beyond the limit, before any of the body is sent; and for one that says no length."""
    operation, ask = site.operations[name], asks[name]
    for length in (BODY_BYTES_MAX + 1, 10**12, 10**18):
        with Raw(site) as raw:
            raw.head(operation, ask, f"Content-Length: {length}")
            assert documented(operation, raw.reply()).status == 413
    with Raw(site) as raw:
        raw.head(operation, ask, "Transfer-Encoding: chunked")
        sent = raw.flood(b"%x\r\n%s\r\n" % (65536, b"[" * 65536), total=4 * BODY_BYTES_MAX)
        assert sent < 3 * BODY_BYTES_MAX
        assert documented(operation, raw.reply()).status == 413


LARGE: dict[str, Callable[[], bytes]] = {
    "a million keys": lambda: b"{" + b",".join(b'"":0' for _ in range(1_000_000)) + b"}",
    "many keys": lambda: b"{" + b",".join(b'"%05x":0' % number for number in range(450_000)) + b"}",
    "keys inside": lambda: b'{"document":{' + b",".join(b'"%06x":0' % number for number in range(490_000)) + b"}}",
    "a long text": lambda: b'{"note": "' + b"x" * (BODY_BYTES_MAX - 100) + b'"}',
    "a long escaped text": lambda: b'{"note": "' + b"\\u00e4" * (BODY_BYTES_MAX // 6 - 20) + b'"}',
    "a long text in a draft": lambda: b'{"document": {"note": "' + b"x" * (BODY_BYTES_MAX - 100) + b'"}}',
    "lists of lists": lambda: b'{"lines": [' + b",".join([b"[[],[]]"] * 1_000_000) + b"]}",
    "many bad lines": lambda: b'{"lines": [' + b",".join([b"{}"] * 30_000) + b"]}",
    "many bad shares": lambda: b'{"invoices": [' + b",".join([b'{"a":1}'] * 9_000) + b"]}",
    "ones": lambda: b"[" + b"1," * (BODY_BYTES_MAX // 2 - 10) + b"1]",
    "closing brackets": lambda: b"]" * (BODY_BYTES_MAX - 1),
    "quotes": lambda: b'"' * (BODY_BYTES_MAX - 1),
    "backslashes": lambda: b'"' + b"\\" * (BODY_BYTES_MAX - 3),
    "digits": lambda: b'{"amount": ' + b"9" * (BODY_BYTES_MAX - 100) + b"}",
    "decimals": lambda: b'{"amount": 0.' + b"9" * (BODY_BYTES_MAX - 100) + b"}",
    "an exponent": lambda: b'{"amount": 1e' + b"9" * (BODY_BYTES_MAX - 100) + b"}",
    "a decimal text": lambda: b'{"amount": "' + b"9" * (BODY_BYTES_MAX - 100) + b'"}',
}


SMALLER = ("many keys", "many bad lines", "many bad shares", "an exponent")
"""Cheap enough to try at two calls."""


@pytest.mark.usefixtures("unchanged")
@pytest.mark.only("sqlite")
@pytest.mark.parametrize("label", LARGE)
def test_large_bodies_are_refused(site: Site, asks: dict[str, Ask], documented: Check, label: str) -> None:
    """Bodies just below the limit that are made to be dear: refused with few words, and without taking the memory for good."""
    body = LARGE[label]()
    assert len(body) < BODY_BYTES_MAX
    before = memory_of(site)
    for name in ("issueInvoice", "addDraft") if label in SMALLER else ("addDraft" if "in a draft" in label or "inside" in label else "issueInvoice",):
        fixed = body.replace(b"{", b'{"account_id": %d, ' % asks["addDraft"].body["account_id"], 1) if body.startswith(b"{") else body
        reply = documented(site.operations[name], site.api().call(site.operations[name], replace(asks[name], body=fixed[:BODY_BYTES_MAX])))
        assert reply.status in {400, 422}, (name, reply)
        assert reply.json()["faults"], name
    assert memory_of(site) - before < MEMORY_GROWTH_MAX


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("name", JSON_OPERATIONS)
def test_every_field_of_every_body_is_checked(site: Site, documented: Check, openapi: dict[str, Any], name: str) -> None:
    """Whatever is put into a field: what its schema does not allow is refused, with its path; all else is done or refused."""
    operation = site.operations[name]
    schema = openapi["paths"][operation.path][operation.method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    is_valid = jsonschema_rs.Draft202012Validator({**schema, "components": openapi["components"]}).is_valid
    api = site.api("beta" if name in {"setProvider", "setSeries", "lockPeriod"} else "alpha")  # beta may be set to anything
    ask = RECIPES[name](api)
    tried = 0
    for place in fields_of(schema, openapi):
        for value in (*WRONG_TYPES[:12], *WRONG_TYPES[12 + tried % 5 :: 5]):
            body = put(ask.body, place, value)
            reply = documented(operation, api.call(operation, replace(ask, body=body)))
            tried += 1
            if reply.status < 300:
                assert is_valid(body), (place, value, "is done, against the schema")
                ask = RECIPES[name](api)
            elif not is_valid(body):
                assert reply.status in {400, 422}, (place, value, reply)
    assert tried


KEYS = ["", " ", "\t", "a b", "x" * 256, "x" * 5000, "ä".encode().decode("latin-1"), "\xff", "a\tb", "a,b c", "\x80"]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", list(RECIPES))
def test_idempotency_keys(site: Site, asks: dict[str, Ask], documented: Check, name: str) -> None:
    """Keys that cannot be kept are refused by every writing call before anything is done; reading calls take no notice."""
    operation, ask = site.operations[name], asks[name]
    for key in KEYS if operation.is_writing else ["", "\xff"]:
        reply = documented(operation, site.api().call(operation, ask, headers=[("Idempotency-Key", key.encode("latin-1"))]))
        assert reply.status == (400 if operation.is_writing else 200), (key, reply)
    reply = documented(operation, site.api().call(operation, ask, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")]))
    assert reply.status == (400 if operation.is_writing else 200)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", ["setProvider", "setAccount", "setDraft", "removeDraft", "issueDraft"])
def test_if_match(site: Site, asks: dict[str, Ask], documented: Check, name: str) -> None:
    """An If-Match that names no version there is: 412, whatever it is; none at all: 428."""
    operation, ask = site.operations[name], asks[name]
    tag = str(ask.match)
    tags = [
        "",
        " ",
        '"',
        '""',
        "x",
        tag.strip('"'),
        f"W/{tag}",
        f"w/{tag}",
        tag[:-1],
        tag[1:],
        f"{tag}x",
        f"{tag} {tag}",
        "**",
        '"*"',
        "*, x",
        ",",
        ",,",
        ", ".join(['"x"'] * 500),
    ]
    for match in [*tags, "\xff", "a\tb", "'; DROP TABLE draft; --", "x" * 10_000, f'"{tag}"', f"{tag};", tag.upper().replace('"', "")]:
        reply = documented(operation, site.api().call(operation, replace(ask, match=None), headers=[("If-Match", match.encode("latin-1"))]))
        assert reply.status == 412, (match, reply)
    assert documented(operation, site.api().call(operation, replace(ask, match=None))).status == 428


QUERIES = [
    *("", "&", "=", "&&==", "unknown=1", "x", "%", "%zz", "%00=1", "%ff=%ff", "limit", "limit=", "limit=0", "limit=101", "limit=-1", "limit=1.5", "limit=1e1"),
    *("limit=%D9%A3", "limit=" + "9" * 400, "limit=" + "9" * 5000, "limit=1&limit=1", "limit=1&limit=2", "limit=NaN", "limit=true", "limit=0x5", "limit=1_0"),
    *(
        "cursor=",
        "cursor=x",
        "cursor=-1",
        "cursor=" + "9" * 400,
        "cursor=%00",
        "cursor=e30",
        "cursor=bnVsbA",
        "cursor=W1tbW1td",
        "cursor=" + "W" * 1000,
        "cursor=%ff",
    ),
    *(
        "cursor=eyJhIjoxfQ==",
        "cursor=" + "x" * 1001,
        "account_id=0",
        "account_id=-1",
        "account_id=x",
        "account_id=" + "9" * 30,
        "account_id=" + "9" * 5000,
        "account_id=",
    ),
    *(
        "order_id=0",
        "order_id=" + "9" * 30,
        "number=",
        "number=%00",
        "number=%25",
        "number=" + "x" * 256,
        "number=%ed%a0%80",
        "type_code=1",
        "type_code=x",
        "state=x",
    ),
    *(
        "state=",
        "sort=x",
        "sort=",
        "sort=--id",
        "issued_from=x",
        "issued_from=0000-00-00",
        "issued_from=0001-01-01",
        "issued_from=9999-12-31",
        "issued_to=2026-02-30",
    ),
    *(
        "as_of=x",
        "as_of=",
        "as_of=0001-01-01T00:00:00Z",
        "as_of=9999-12-31T23:59:59Z",
        "as_of=2026-01-01",
        "as_of=2026-01-01T00:00:00%2B99:99",
        "as_of=0000-00-00T00:00:00Z",
    ),
    *(
        "as_of=2026-01-01T24:00:00Z",
        "as_of=2026-01-01T00:00:00",
        "as_of=1900-01-01T00:00:00Z",
        "as_of=9000-01-01T00:00:00Z",
        "on=x",
        "on=0001-01-01",
        "on=9999-12-31",
    ),
    *(
        "on=2026-02-30",
        "on=1900-01-01",
        "on=9000-01-01",
        "from=x",
        "from=2026-01-01",
        "to=2026-01-01",
        "from=&to=",
        "from=2026-12-31&to=2026-01-01",
        "dry_run=maybe",
    ),
    *(
        "from=0001-01-01&to=9999-12-31",
        "from=0002-01-01&to=9998-12-31",
        "from=2026-01-01&to=2026-01-31&from=2026-01-01",
        "after=-1",
        "after=" + "9" * 30,
        "after=x",
    ),
    *(
        "wait=-1",
        "wait=31",
        "wait=x",
        "wait=1e9",
        "outcome=x",
        "reference=",
        "reference=%00",
        "reference=" + "x" * 5000,
        "reference=%ed%a0%80",
        "request=1",
        "call=1",
        "self=1",
    ),
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", list(RECIPES))
def test_query_parameters(site: Site, asks: dict[str, Ask], documented: Check, name: str) -> None:
    """Unknown, repeated, empty, huge and odd query parameters: done as documented, or refused with a fault; writing calls take none."""
    operation, ask = site.operations[name], asks[name]
    for query in QUERIES:
        if operation.is_writing and not re.search("[a-z]", query):
            continue
        target = replace(ask, query={}).target(operation)
        sent = site.api().send(operation.method, f"{target}?{query}", body=ask.raw_body(), headers=ask.headers())
        reply = documented(operation, sent)
        if operation.is_writing:
            assert reply.status == 400, (query, reply)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.only("sqlite")
@pytest.mark.parametrize("name", [name for name, operation in RECIPES.items() if name.startswith(("get", "set", "list", "issue", "revoke", "remove"))])
def test_path_parameters(site: Site, asks: dict[str, Ask], name: str) -> None:
    """Odd things in the place of ids and names: 404, and nothing else."""
    operation = site.operations[name]
    for parameter in re.findall(r"{(\w+)}", operation.path):
        for odd in (
            "%00",
            "1%00",
            "%",
            "%zz",
            "%ff",
            "%ed%a0%80",
            "%27%20OR%201=1--",
            "%0d%0aX:%20y",
            "..%2f",
            "-0",
            "0",
            "%F0%9F%98%80",
            "x" * 2000,
            "%25",
            "1%2f2",
            "*",
        ):
            path = "/".join(odd if part == "{" + parameter + "}" else part for part in operation.path.split("/"))
            reply = site.api().send(operation.method, path, body=asks[name].raw_body(), headers=asks[name].headers())
            assert reply.problem()["status"] in {404, 405}, (odd, reply)


@pytest.mark.usefixtures("unchanged")
def test_lengths_that_lie(site: Site) -> None:
    """A body that is shorter or longer than it says, or says it twice: nothing is done."""
    operation = site.operations["addAccount"]
    ask = Ask(body={"reference": "never"})
    body = ask.raw_body() or b""
    with Raw(site) as raw:  # the sender goes away in the middle
        raw.head(operation, ask, f"Content-Length: {len(body) + 10}")
        raw.send(body)
    with Raw(site) as raw:  # so do its chunks
        raw.head(operation, ask, "Transfer-Encoding: chunked")
        raw.send(b"%x\r\n%s\r\n" % (len(body), body))
    with Raw(site) as raw:  # shorter than it is: the rest is no request
        raw.head(operation, ask, f"Content-Length: {len(body) - 1}")
        raw.send(body)
        assert raw.reply().status == 400
    for lengths in (
        ("Content-Length: -1",),
        ("Content-Length: x",),
        ("Content-Length: 9", f"Content-Length: {len(body)}"),
        ("Content-Length: 99999999999999999999",),
    ):
        with Raw(site) as raw:
            raw.head(operation, ask, *lengths)
            raw.send(body)
            assert raw.reply().status in {400, 413}
    with Raw(site) as raw:
        raw.head(operation, ask, f"Content-Length: {len(body)}", "Transfer-Encoding: chunked")
        raw.send(b"0\r\n\r\n")
        assert raw.reply().status == 400
    with Raw(site) as raw:
        raw.head(operation, ask, "Transfer-Encoding: gzip, chunked")
        packed = gzip.compress(body)
        raw.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed))
        assert raw.reply().status in {400, 415, 501}
    for chunk in (b"x\r\n", b"-1\r\n", b"ffffffffffffffffffff\r\n", b"\x00\r\n"):
        with Raw(site) as raw:
            raw.head(operation, ask, "Transfer-Encoding: chunked")
            raw.send(chunk)
            assert raw.reply().status == 400


@pytest.mark.usefixtures("unchanged")
def test_headers_cannot_be_broken_open(site: Site) -> None:
    """Line ends and NUL inside of a header never make a second header or request, nor come back in an answer."""
    operation = site.operations["addAccount"]
    for value in ("a\r\nX-Injected: 1", "a\rX: 1", "a\nX: 1", "a\x00b", "a\r\n b", "a\r\n\r\nGET /manage/v1/accounts HTTP/1.1\r\n\r\n"):
        for header in ("Idempotency-Key", "If-Match", "Content-Type"):
            with Raw(site) as raw:
                raw.head(operation, Ask(body=b"["), f"{header}: {value}", "Content-Length: 1")
                raw.send(b"[")
                reply = raw.reply()
            assert 400 <= reply.status < 500, (header, value, reply)
            assert "x-injected" not in dict(reply.headers)


RUNS: dict[str, tuple[str, bytes]] = {
    "nothing": ("application/jsonl", b""),
    "blank lines": ("application/jsonl", b"\n\n \n"),
    "a line too long": ("application/jsonl", b'{"a": "' + b"x" * (BODY_BYTES_MAX + 10) + b'"}\n'),
    "a line too long without end": ("application/jsonl", b"[" * (BODY_BYTES_MAX + 10)),
    "CSV without header": ("text/csv", b"\n\n"),
    "CSV of other columns": ("text/csv", b"a,b\n1,2\n"),
    "CSV that is no UTF-8": ("text/csv", b"account,period,product,name,unit_price\n\xff,1,1,1,1\n"),
    "CSV in UTF-16": ("text/csv", "account,period,product,name,unit_price\na,b,c,d,1\n".encode("utf-16")),
    "CSV with a long cell": ("text/csv", b"account,period,product,name,unit_price\na,b,c," + b"x" * 200_000 + b",1\n"),
    "CSV with bare CR": ("text/csv", b"account,period,product,name,unit_price\na,b\rx,c,d,1\n"),
    "CSV with an open quote": ("text/csv", b'account,period,product,name,unit_price\n"a,b,c,d,1\n'),
    "CSV with an open quote and many lines": ("text/csv", b'account,period,product,name,unit_price\n"a' + b"\n" * 400_000),
    "CSV with too few cells": ("text/csv", b"account,period,product,name,unit_price\na,b\n"),
    "CSV document without end": ("text/csv", b"account,period,product,name,unit_price\n" + b"a,b,c,d,1\n" * 150_000),
}
"""Uploads that are refused whole."""

ITEMS: dict[str, bytes] = {
    "no JSON": b"{",
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "a text": b'"x"',
    "not UTF-8": b"\xff\xfe",
    "UTF-16": '{"account": "x"}'.encode("utf-16-be"),
    "UTF-16 little": '{"account": "x"}'.encode("utf-16-le").replace(b"\n", b""),
    "NaN": b'{"account": "alpha-first", "period": "p", "product": "x", "lines": [{"name": "a", "unit_price": NaN, "vat_rate": Infinity}]}',
    "a huge number": b'{"account": "alpha-first", "period": "p", "product": "x", "lines": [{"name": "a", "unit_price": 1e999999999, "vat_rate": 20}]}',
    "4000 digits": b'{"account": %s, "period": "p", "product": "x", "lines": []}' % (b"9" * 4000),
    "5000 digits": b'{"account": %s, "period": "p", "product": "x", "lines": []}' % (b"9" * 5000),
    "half a pair": b'{"account": "alpha-first", "period": "\\ud800", "product": "x", "lines": [{"name": "\\udfff", "unit_price": 1, "vat_rate": 20}]}',
    "half a pair as key": b'{"account": "alpha-first", "period": "p", "product": "x", "\\ud800": 1, "lines": [{"\\udfff": 1}]}',
    "NUL": b'{"account": "alpha-first", "period": "p\\u0000", "product": "x", "lines": [{"name": "a\\u0000b", "unit_price": 1, "vat_rate": 20}]}',
    "NUL as account": b'{"account": "\\u0000", "period": "p", "product": "x", "lines": []}',
    "NUL as key": b'{"account": "alpha-first", "\\u0000": 1}',
    "raw NUL": b'{"account": "\x00"}',
    "a key twice": b'{"account": "alpha-first", "account": "alpha-second"}',
    "wrong types": b'{"account": {}, "period": [], "product": 1.5, "lines": {"a": 1}}',
    "an empty object": b"{}",
    "a long account": b'{"account": "%s", "period": "p", "product": "x", "lines": []}' % (b"x" * 100_000),
    "many unknown": b"{" + b",".join(b'"%05x":0' % number for number in range(50_000)) + b"}",
    "many bad lines": b'{"account": "alpha-first", "period": "p", "product": "x", "lines": [' + b",".join([b"{}"] * 20_000) + b"]}",
    **{f"nested {depth}": nested(depth) for depth in (31, 33, 100, 100_000)},
}
"""Lines that are refused each by itself, in a run that goes on."""


@pytest.mark.parametrize("label", RUNS)
def test_runs_that_cannot_be_read_are_refused_whole(site: Site, documented: Check, label: str) -> None:
    """400 with what is wrong, soon, and none of it stays but the id that it had."""
    media_type, body = RUNS[label]
    operation = site.operations["startBillingRun"]
    rows, before = site.dump(), memory_of(site)
    assert documented(operation, site.api().call(operation, Ask(body=body, content_type=media_type))).status == 400
    assert changes(rows, site.dump()).keys() <= {"counter"}
    assert memory_of(site) - before < MEMORY_GROWTH_MAX


@pytest.mark.usefixtures("unchanged")
def test_runs_of_other_media_types_are_refused(site: Site, documented: Check) -> None:
    """415, whatever is in them."""
    operation = site.operations["startBillingRun"]
    for kind in ("", "application/json", "text/plain", "application/jsonl; charset=utf-16", "text/csv; charset=latin-1", "*/*"):
        assert documented(operation, site.api().call(operation, Ask(body=b"{}\n", content_type=kind))).status == 415, kind
    assert documented(operation, site.api().call(operation, Ask(body=b"{}\n", content_type="text/csv"), headers=[("Content-Encoding", "gzip")])).status == 415


def test_bad_items_never_stop_a_run(site: Site) -> None:
    """Each bad line is refused with its faults, and the good one after it is issued; nesting near what the parser bears included."""
    api = site.api()
    good = b'{"account": "alpha-first", "period": "2026-10", "product": "good-%d", "lines": [{"name": "VPS", "unit_price": 1, "vat_rate": 20}]}'
    lines = list(ITEMS.values()) + [nested(depth) for depth in range(900, 1000, 3)] + [nested(depth, '{"a":', "}") for depth in range(900, 1000, 3)]
    body = b"".join(line + b"\n" + good % number + b"\n" for number, line in enumerate(lines))
    reply = api.send("POST", f"{BASE}/billing-runs", body=body, headers=[("Content-Type", "application/jsonl")])
    assert reply.status == 202, reply
    run = wait_for(api, reply.json()["id"])
    assert run["counts"] == {"issued": len(lines), "refused": len(lines)}
    for outcome, rest in (("refused", 1), ("issued", 0)):
        cursor, positions = "", []
        while cursor is not None:
            page = api.get(f"/billing-runs/{run['id']}/items?outcome={outcome}&limit=20" + (f"&cursor={cursor}" if cursor else ""))
            positions += [item["position"] for item in page["items"]]
            assert all(bool(item["faults"]) is (outcome == "refused") for item in page["items"])
            cursor = page["next"]
        assert positions == [place + 1 for place in range(2 * len(lines)) if (place + 1) % 2 == rest]


def test_large_runs_are_taken(site: Site) -> None:
    """A run may be larger than any other body: only its lines are bounded."""
    api = site.api()
    before = memory_of(site)
    body = b"".join(b'{"account": "nobody", "period": "%d", "product": "%s", "lines": []}\n' % (number, b"x" * 2 * MIB) for number in range(10))
    reply = api.send("POST", f"{BASE}/billing-runs?dry_run=true", body=body, headers=[("Content-Type", "application/x-ndjson; charset=utf-8")])
    assert reply.status == 202, reply
    assert wait_for(api, reply.json()["id"])["counts"] == {"refused": 10}
    assert memory_of(site) - before < MEMORY_GROWTH_MAX


def test_the_server_goes_on(site: Site, furnished: tuple[Path, dict[str, str]]) -> None:
    """After all of that, every call still works, a document of a thousand lines is issued, and the ledger verifies."""
    api = site.api()
    for name, recipe in RECIPES.items():
        assert api.call(site.operations[name], recipe(api)).status < 300, name
    assert invoice_of(api, lines=[LINE] * 1000, note="ä😀\u202e")
    assert document(api)["account_id"]
    assert furnished[0] != site.path
    with open_ledger(site.path) as ledger:
        assert list(verify(ledger.books)) == []


class Raw:
    """A connection of one's own, for what no client would send."""

    def __init__(self, site: Site) -> None:
        host, _, port = site.wire.address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._token = site.tokens["alpha"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def head(self, operation: Operation, ask: Ask, *headers: str) -> None:
        """Send a head."""
        lines = [f"{operation.method} {ask.target(operation)} HTTP/1.1", "Host: x", f"Authorization: Bearer {self._token}"]
        lines += [] if any(header.startswith("Content-Type") for header in headers) else ["Content-Type: application/json"]
        lines += [] if ask.match is None else [f"If-Match: {ask.match}"]
        self.send("\r\n".join([*lines, *headers, "", ""]).encode("latin-1"))

    def send(self, data: bytes) -> None:
        """Send more."""
        self._socket.sendall(data)

    def flood(self, piece: bytes, *, total: int) -> int:
        """Send a piece again and again until the other side has answered or has had enough; how much was sent."""
        sent = 0
        self._socket.settimeout(1)
        while sent < total:
            try:
                self._socket.sendall(piece)
            except OSError:
                break
            sent += len(piece)
            self._socket.settimeout(0)
            try:
                if self._socket.recv(1, socket.MSG_PEEK):
                    break
            except BlockingIOError:
                pass
            finally:
                self._socket.settimeout(30)
        return sent

    def reply(self) -> Reply:
        """The first answer."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self._socket.recv(65536)
            assert piece, f"hung up after {data!r}"
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
        while len(body) < int(dict(headers).get("content-length", 0)):
            body += self._socket.recv(65536)
        return Reply(int(status.split()[1]), headers, body)


def memory_of(site: Site) -> int:
    """What the server's process holds in memory, in bytes."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{site.pid}/status").read_text(encoding="utf-8"))
    assert found
    return int(found.group(1)) * 1024


def wait_for(api: Api, run_id: int) -> dict[str, Any]:
    """A run, once it is done."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        run: dict[str, Any] = api.get(f"/billing-runs/{run_id}")
        if run["state"] == "done":
            return run
        time.sleep(0.05)
    raise AssertionError("the run does not end")


def fields_of(schema: Mapping[str, Any], openapi: Mapping[str, Any], place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a body has a value, by its schema: fields, and the first item of lists."""
    if place:
        yield place
    if "$ref" in schema:
        schema = openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for option in schema.get("oneOf", [schema]):
        if "$ref" in option:
            option = openapi["components"]["schemas"][option["$ref"].rpartition("/")[2]]  # noqa: PLW2901
        for name, item in option.get("properties", {}).items():
            yield from fields_of(item, openapi, (*place, name))
        if isinstance(option.get("items"), Mapping):
            yield from fields_of(option["items"], openapi, (*place, 0))


def put(body: Any, place: tuple[Any, ...], value: object) -> Any:
    """The body with another value at a place, which is made where it is not."""
    if not place:
        return value
    key, *rest = place
    if key == 0:
        items = body if isinstance(body, list) else []
        return [put(items[0] if items else None, tuple(rest), value), *items[1:]]
    fields = body if isinstance(body, dict) else {}
    return {**fields, key: put(fields.get(key), tuple(rest), value)}


def test_the_shape_of_refusals(site: Site) -> None:
    """RFC 9457: type or about:blank, title, status, detail, and faults with rule, path and message."""
    reply = site.api().send("POST", f"{BASE}/invoices", body=json.dumps({"lines": [{}], "x": 1}).encode(), headers=[("Content-Type", "application/json")])
    problem = reply.problem()
    assert problem.keys() <= {"type", "title", "status", "detail", "faults"}
    assert all(fault.keys() == {"rule", "path", "message"} for fault in problem["faults"])
    assert reply.header("content-type") == PROBLEM
