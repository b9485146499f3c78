"""The demo serves the documented samples: equal as values, and written the same."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.conftest import SHARED
from tests.server.wire import Site

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("vpsbg-list", "checkdomain-list", "checkdomain-single")
CALLS = {
    "vpsbg-list": ("/v1/invoices?page", "vpsbg"),
    "checkdomain-list": ("/v1/invoices", "checkdomain"),
    "checkdomain-single": ("/v1/invoices/1", "checkdomain"),
}


class Correction(msgspec.Struct, forbid_unknown_fields=True):
    """A value of the document that its own or other facts contradict."""

    fact: str
    why: str
    path: str
    document: Any
    here: Any = msgspec.UNSET
    """Left out where the document's value is to be removed."""


class Golden(msgspec.Struct, forbid_unknown_fields=True):
    """A documented sample, and what was corrected in it."""

    source: str
    sample: int
    note: str
    corrections: list[Correction]
    expected: msgspec.Raw


class AbridgedList(msgspec.Struct, forbid_unknown_fields=True):
    """A VPSBG list as its three parts were written."""

    data: list[msgspec.Raw]
    links: msgspec.Raw
    meta: msgspec.Raw


def golden(name: str) -> Golden:
    """A golden file."""
    return msgspec.json.decode((GOLDEN / f"{name}.json").read_bytes(), type=Golden)


def compact(text: bytes) -> bytes:
    """JSON without white space between its tokens, and otherwise letter by letter as it was."""
    return re.sub(rb'("(?:[^"\\]|\\.)*")|\s+', rb"\1", text)


def values(text: bytes | str) -> Any:
    """JSON values with every number as Decimal."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def served(demo_site: Site, name: str) -> bytes:
    """What the demo answers; for VPSBG as its documented host, of which the scheme is set aside, abridged as the document is."""
    target, account = CALLS[name]
    reply = demo_site.get(target, account, host="api.vpsbg.eu")
    assert reply.status == 200
    if account == "checkdomain":
        return reply.body
    whole = msgspec.json.decode(reply.body.replace(b'"http://api.vpsbg.eu', b'"https://api.vpsbg.eu'), type=AbridgedList)
    return msgspec.json.encode(AbridgedList(data=whole.data[:2], links=whole.links, meta=whole.meta))


@pytest.mark.parametrize("name", NAMES)
def test_the_sample_is_served_value_by_value(demo_site: Site, name: str) -> None:
    """The answer equals the golden file as JSON values, numbers as Decimal."""
    assert values(served(demo_site, name)) == values(bytes(golden(name).expected))


@pytest.mark.parametrize("name", NAMES)
def test_the_sample_is_served_letter_by_letter(demo_site: Site, name: str) -> None:
    """The answer's bytes are the golden file's without white space: same order of keys, 90 and not 90.0, nothing escaped."""
    assert served(demo_site, name) == compact(bytes(golden(name).expected))


def test_the_abridged_list_has_the_items_that_its_meta_counts(demo_site: Site) -> None:
    """The demo's first page holds as many items as the sample's `to` and `total` say."""
    page = demo_site.get("/v1/invoices", "vpsbg").json()
    assert len(page["data"]) == page["meta"]["to"] == page["meta"]["total"] == 26


def documented(expected: Golden) -> str:
    """The text of the documented sample: from a line that opens an object to the line that closes it."""
    samples, lines, depth = [], [], 0
    for line in (SHARED / "seeds" / expected.source).read_text(encoding="utf-8").splitlines():
        if depth or line == "{":
            lines.append(line)
            depth += line.count("{") - line.count("}")
            if not depth:
                samples.append("\n".join(lines))
                lines = []
    return samples[expected.sample]


def correct(sample: Any, correction: Correction) -> None:
    """Change or remove the value at the correction's path, which the document must have as the correction says."""
    *way, last = (int(part) if part.isdigit() else part for part in correction.path.split("/")[1:])
    for step in way:
        sample = sample[step]
    assert sample[last] == correction.document
    if correction.here is msgspec.UNSET:
        del sample[last]
    else:
        sample[last] = correction.here


@pytest.mark.shared
@pytest.mark.parametrize("name", NAMES)
def test_golden_is_the_document_with_the_listed_corrections(name: str) -> None:
    """Document, less a trailing comma, and exactly the listed corrections make the golden file, down to how numbers are written."""
    expected = golden(name)
    sample = documented(expected)
    if name == "checkdomain-list":
        with pytest.raises(json.JSONDecodeError):
            json.loads(sample)
        sample = re.sub(r",(\s*\])", r"\1", sample)
    as_written = json.loads(sample, parse_float=str, parse_int=str)
    for correction in expected.corrections:
        correct(as_written, correction)
    assert as_written == json.loads(bytes(expected.expected), parse_float=str, parse_int=str)
