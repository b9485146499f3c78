"""Saved answers of both APIs: enrichment, observation and conflict are told apart; sources are kept as they were."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.imports.answers import page, single, vps_item, vps_page
from tests.imports.desk import Desk, read


def test_a_list_and_then_a_single_enrich_each_other(desk: Desk) -> None:
    """List first, single second: what was unknown becomes known, and the list's `created` stays."""
    assert desk.answers(desk.answer("list.json", page())).outcomes == {"new": 2}
    assert read(desk.single(1)) | {"tax": None, "details": None, "payments": None} == read(desk.single(1)), "a list says nothing of these"
    assert desk.answers(desk.answer("single.json", single())).outcomes == {"enriched": 1}
    shown = read(desk.single(1))
    said = read(json.dumps(single()).encode())
    assert {key: shown[key] for key in ("tax", "details", "payments")} == {key: said[key] for key in ("tax", "details", "payments")}
    assert shown["created"] == desk.shown()[0]["created"] == "2017-11-16T10:07:15+0100"


def test_a_single_and_then_a_list_serve_the_same(desk: Desk) -> None:
    """Single first, list second: the list's `created` wins over the single's, and everything served equals the other order."""
    files = desk.answer("list.json", page()), desk.answer("single.json", single())
    desk.ledger.account("checkdomain", "turned")
    assert desk.answers(*files).outcomes == {"new": 2, "enriched": 1}
    assert desk.answers(files[1], account="turned").outcomes == {"new": 1}
    assert desk.shown("turned")[0]["created"] == "2017-11-16T09:40:24+0100"
    assert desk.answers(files[0], account="turned").outcomes == {"enriched": 1, "new": 1}
    assert desk.items("turned") == desk.items()
    assert [desk.single(wire_id, "turned") for wire_id in (1, 2)] == [desk.single(wire_id) for wire_id in (1, 2)]


def test_a_payment_is_an_observation(desk: Desk) -> None:
    """Paid and open amounts that grow are no contradiction: the latest seen is served, each is kept with its time."""
    desk.answers(desk.answer("monday.json", page(paid="0"), seen=1_700_000_000))
    assert desk.answers(desk.answer("tuesday.json", page(paid="10.02"), seen=1_700_086_400)).outcomes == {"observed": 1, "unchanged": 1}
    assert [desk.shown()[0][key] for key in ("amount_payed", "amount_open", "is_open", "is_payed")] == [Decimal("10.02"), Decimal("1.98"), True, False]
    assert desk.answers(desk.answer("friday.json", page(paid="12"), seen=1_700_345_600)).outcomes == {"observed": 1, "unchanged": 1}
    assert [desk.shown()[0][key] for key in ("amount_payed", "amount_open", "is_open", "is_payed")] == [12, 0, False, True]
    seen = desk.terminal.select("SELECT seen_at_us, paid_minor FROM observation o JOIN invoice i USING (invoice_id) WHERE i.wire_id = 1 ORDER BY seen_at_us")
    assert seen == [(1_700_000_000_000_000, 0), (1_700_086_400_000_000, 1002), (1_700_345_600_000_000, 1200)]
    assert desk.terminal.select("SELECT * FROM conflict") == []


def test_an_older_file_does_not_win(desk: Desk) -> None:
    """A file that was saved before the newest one changes nothing of what is served, whenever it is imported."""
    desk.answers(desk.answer("friday.json", page(paid="12"), seen=1_700_345_600))
    served = desk.items(), desk.single(1)
    said = desk.answers(desk.answer("monday.json", page(paid="0"), seen=1_700_000_000))
    assert (said.code, "conflict" in said.outcomes) == (0, False)
    assert (desk.items(), desk.single(1)) == served


def test_the_newest_word_wins_even_if_it_is_an_old_one(desk: Desk) -> None:
    """Paid, bounced, paid again: the newest answer says what the oldest said, and wins over the one between, imported last."""
    monday = desk.answer("monday.json", page(paid="12"), seen=1_700_000_000)
    tuesday = desk.answer("tuesday.json", page(paid="0"), seen=1_700_086_400)
    friday = desk.answer("friday.json", page(paid="12"), seen=1_700_345_600)
    for file in (monday, friday, tuesday):
        desk.answers(file)
    assert desk.shown()[0]["amount_payed"] == 12


CONFLICTS: dict[str, dict[str, Any]] = {
    "number": {"invoice_number": "1111-100009"},
    "issue_date": {"created": "2017-11-17T10:07:15+0100"},
    "total_with_vat": {"amount_total": Decimal("12.01")},
    "type": {"amount_total": -12, "amount_payed": -10.02, "amount_open": -1.98, "payments": [{"amount": -10.02, "date": "2017-11-07T00:00:00+0100"}]},
    "vat_rate": {"tax": 7},
    "lines": {"details": [{"quantity": 2, "unit_price": 6, "price": 12, "remark": "api.checkdomain.de / 17.11.2017 - 16.11.2018"}]},
}


@pytest.mark.parametrize(("term", "changed"), CONFLICTS.items(), ids=list(CONFLICTS))
def test_a_contradiction_is_a_conflict(desk: Desk, term: str, changed: dict[str, Any]) -> None:
    """Another number, date, total, type, tax or line: exit code 3, both kept, the first in force."""
    desk.answers(desk.answer("list.json", page()), desk.answer("single.json", single()))
    before = read(desk.single(1))
    body = json.dumps(single() | changed, default=float)
    said = desk.answers(desk.file("later.json", body, seen=1_700_086_400))
    assert (said.code, said.outcomes) == (3, {"conflict": 1})
    told = {item["term"] for item in said.changes[0]["differences"]}
    assert any(found.startswith(term) for found in told), told
    assert {row[0] for row in desk.terminal.select("SELECT term FROM conflict")} == told
    after = read(desk.single(1))
    assert after == before
    assert desk.terminal.select("SELECT COUNT(*) FROM source WHERE body = ?", body.encode()) == [(1,)]


VPS_CONFLICTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "number": ({}, {"invoice_number": "0000001595"}),
    "issue_date": ({}, {"created_at": "2024-08-05T21:00:00.000000Z"}),
    "total_without_vat": ({}, {"amount": 89}),
    "total_with_vat": ({}, {"amount_with_vat": 107}),
    "type_code": ({}, {"type": "proform"}),
    "order_ids": ({}, {"order_ids": [7391]}),
    "source_type": ({"type": "something_new"}, {"type": "something_else"}),
    "type from unknown to known": ({"type": "something_new"}, {"type": "original"}),
    "type from known to unknown": ({}, {"type": "something_new"}),
}


@pytest.mark.parametrize(("first", "second"), VPS_CONFLICTS.values(), ids=list(VPS_CONFLICTS))
def test_a_contradiction_of_vpsbg_is_a_conflict(desk: Desk, first: dict[str, Any], second: dict[str, Any]) -> None:
    """Whatever of a VPSBG item changes: it is a conflict, and the first stays served, byte for byte."""
    desk.answers(desk.answer("one.json", vps_page(vps_item(**first))), provider="vpsbg")
    served = desk.items(provider="vpsbg")
    said = desk.answers(desk.answer("two.json", vps_page(vps_item(**second)), seen=1_700_086_400), provider="vpsbg")
    assert (said.code, said.outcomes) == (3, {"conflict": 1})
    assert desk.terminal.select("SELECT COUNT(*) FROM source") == [(2,)]
    assert desk.items(provider="vpsbg") == served


def test_a_second_run_changes_nothing(desk: Desk) -> None:
    """The same answers again, in another order: all unchanged, exit code 0, and that is said; no fact differs."""
    files = [
        desk.answer("list.json", page(paid="0")),
        desk.answer("single.json", single(), seen=1_700_086_400),
        desk.answer("late.json", page(paid="12"), seen=1_700_345_600),
    ]
    vps = desk.answer("vps.json", vps_page(vps_item(), vps_item(id=8431, type="proform")))
    desk.answers(*files)
    desk.answers(vps, provider="vpsbg")
    served, before = desk.items() + desk.items(provider="vpsbg"), desk.terminal.dump(without="account")
    again = desk.answers(*files[::-1])
    assert (again.code, again.outcomes) == (0, {"unchanged": 5})
    assert desk.terminal("import", vps, "--provider", "vpsbg", "--account", "demo").out == "2 unchanged; nothing changed\n"
    assert desk.terminal.dump(without="account") == before
    assert desk.items() + desk.items(provider="vpsbg") == served


def test_sources_are_kept_byte_for_byte(desk: Desk) -> None:
    """The table `source` has each item as it stood in its file: spaces, escapes, number spelling, unknown keys and all."""
    item = b'{ "id" : 5,"invoice_number":"\\u0041-\\/1", "created":"2017-11-16T10:07:15+0100",\n "amount_total": 12.00, "amount_payed":1.2e1, "new key": [1, {"x": null}]}'
    alone = b'\n{"id":6, "invoice_number":"B", "created":"2017-11-17T10:07:15+01:00", "amount_total":"7.50", "details":[], "payments":[], "tax":19.0}\n'
    listed = desk.file("list.json", b'{"page":1,"_embedded": {"invoices": [' + item + b" ]}}")
    said = desk.answers(listed, desk.file("single.json", alone))
    assert said.outcomes == {"new": 2}
    kept = desk.terminal.select("SELECT kind, body FROM source ORDER BY source_id")
    assert kept == [("list", item), ("single", alone)]
    assert [(shown["invoice_number"], shown["amount_total"]) for shown in desk.shown()] == [("B", Decimal("7.5")), ("A-/1", 12)]
    assert read(desk.single(6))["details"] == []
    assert b'"amount_total":12,"amount_payed":12,"amount_open":null' in desk.items()[1]


def test_a_type_nobody_knows_is_kept_and_served(desk: Desk) -> None:
    """The set of VPSBG's types is open: an unknown word is stored, served again, and told to people."""
    item = vps_item(type="something_new", amount=Decimal("41.67"), amount_with_vat=Decimal("50.00"))
    body = json.dumps(vps_page(item), default=float)
    assert desk.answers(desk.file("new.json", body), provider="vpsbg").outcomes == {"new": 1}
    assert desk.shown(provider="vpsbg") == [item | {"amount_with_vat": 50}]
    (listed,) = desk.terminal.ok("invoice", "list", "--json").lines()
    assert listed["type_code"] is None
    assert "something_new" in desk.terminal.ok("invoice", "list").out
    assert desk.terminal.ok("invoice", "show", listed["id"], "--json").json()["source_type"] == "something_new"


def test_the_seed_as_printed_is_refused_by_name(desk: Desk) -> None:
    """A trailing comma, as the documented sample has one, is no JSON: the file is named, the others go in."""
    broken = desk.file("seed.json", json.dumps(page()).replace("}]}}", "},]}}"))
    said = desk.answers(broken, desk.answer("single.json", single()))
    (fault,) = said.faults
    assert fault.startswith(f"{broken}: ")
    assert "malformed" in fault
    assert said.outcomes == {"new": 1}


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("vpsbg", page()),
        ("vpsbg", single()),
        ("checkdomain", vps_page(vps_item())),
        ("checkdomain", {"code": 404, "message": "Not Found", "errors": None}),
        ("vpsbg", {"message": "Unauthenticated."}),
        ("vpsbg", []),
        ("checkdomain", []),
        ("checkdomain", "text"),
        ("vpsbg", None),
    ],
)
def test_answers_of_another_kind_are_refused_by_name(desk: Desk, provider: str, body: object) -> None:
    """The other dialect's answers, error bodies and plain values: one line with the file and what is missing; the others go in."""
    wrong = desk.answer("wrong.json", body)
    right = desk.answer("right.json", page() if provider == "checkdomain" else vps_page(vps_item()))
    said = desk.answers(wrong, right, provider=provider)
    (fault,) = said.faults
    assert fault.startswith(f"{wrong}: ")
    assert provider in fault.lower()
    assert set(said.outcomes) == {"new"}


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe{", b'{"data": [', b"[" * 200_000, b"<html>502 Bad Gateway</html>"], ids=["empty", "UTF-16", "cut", "deep", "HTML"]
)
@pytest.mark.parametrize("provider", ["vpsbg", "checkdomain"])
def test_files_that_are_no_json_are_named(desk: Desk, provider: str, content: bytes) -> None:
    """Anything may lie in a folder of saved answers: it is named, and the others go in."""
    wrong = desk.file("wrong.json", content)
    said = desk.answers(wrong, desk.folder / "missing.json", provider=provider)
    assert len(said.faults) == 2
    assert said.faults[0].startswith(f"{wrong}: ")
    assert "missing.json" in said.faults[1]
    assert (said.code, said.changes) == (3, [])


BAD_ITEMS: dict[str, dict[str, Any]] = {
    "no id": {"id": None},
    "id 0": {"id": 0},
    "id in words": {"id": "seven"},
    "id beyond BIGINT": {"id": 2**63},
    "the last id of all": {"id": 2**63 - 1},
    "no date": {"created": "yesterday", "created_at": "yesterday"},
    "a date without offset": {"created": "2017-11-16T10:07:15", "created_at": "2017-11-16T10:07:15"},
    "30 February": {"created": "2017-02-30T10:07:15+0100", "created_at": "2017-02-30T10:07:15Z"},
    "before the calendar": {"created": "0001-01-01T00:00:00+1400", "created_at": "0001-01-01T00:00:00+14:00"},
    "three decimals": {"amount_total": 12.005, "amount": 12.005},
    "an amount beyond any": {"amount_total": 10**14, "amount": 10**14},
    "an amount of 400 digits": {"amount_total": 10**400, "amount": 10**400},
    "an amount in words": {"amount_total": "a lot", "amount": "a lot"},
    "no amount": {"amount_total": None, "amount": None},
}


@pytest.mark.parametrize("provider", ["vpsbg", "checkdomain"])
@pytest.mark.parametrize("changed", BAD_ITEMS.values(), ids=list(BAD_ITEMS))
def test_a_bad_item_is_told_by_its_position(desk: Desk, provider: str, changed: dict[str, Any]) -> None:
    """One item of a page that cannot be read: reported with file and position, counted from 1; the others go in; exit code 3."""
    good = [vps_item(id=number, invoice_number=str(number)) for number in (1, 3)] if provider == "vpsbg" else page()["_embedded"]["invoices"]
    bad = good[0] | {"id": 77} | changed
    items = [good[0], bad, good[1]]
    file = desk.answer("page.json", {"data": items} if provider == "vpsbg" else {"_embedded": {"invoices": items}})
    said = desk.answers(file, provider=provider)
    (fault,) = said.faults
    assert fault.startswith(f"{file}: item 2: "), fault[:300]
    assert (said.outcomes, said.code) == ({"new": 2}, 3)
    assert len(desk.items(provider=provider)) == 2


def test_a_file_too_large_for_an_answer_is_not_read(desk: Desk) -> None:
    """64 MiB are no page of any provider: the file is named, not loaded."""
    huge = desk.folder / "huge.json"
    with huge.open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    said = desk.answers(huge, desk.answer("list.json", page()))
    (fault,) = said.faults
    assert fault.startswith(f"{huge}: ")
    assert "too large" in fault
    assert said.outcomes == {"new": 2}


def test_an_answer_about_another_document_pays_nothing(desk: Desk) -> None:
    """A source's id that a document of ours has here: both are listed, the source's under an id of ours, and ours is as it was."""
    desk.lines(desk.file("lines.csv", ["A7,2024-01-01,1,10,x,demo"]))
    served = desk.items(), desk.single(1)
    answer = desk.answer("single.json", single(paid="10.02"), seen=1_800_000_000)
    assert (desk.answers(answer).outcomes, desk.answers(answer).outcomes) == ({"new": 1}, {"unchanged": 1})
    assert (desk.items()[:1], desk.single(1)) == served
    assert [(item["invoice_number"], item["id"] == 1) for item in desk.shown()] == [("A7", True), ("1111-100001", False)]


def test_a_document_issued_here_stays_closed(desk: Desk) -> None:
    """An answer about a document that this ledger issued can agree or disagree, but adds and changes nothing of it."""
    document = {"lines": [{"name": "VPS", "unit_price": 90, "vat_rate": 20}]}
    issued = desk.terminal.ok("invoice", "issue", "checkdomain", "demo", "-", "--json", stdin=json.dumps(document).encode()).json()
    served = desk.items(), desk.single(1)
    same = {key: value for key, value in json.loads(served[0][0]).items() if key != "_links"}
    assert desk.answers(desk.answer("same.json", same)).outcomes == {"unchanged": 1}
    assert desk.answers(desk.answer("paid.json", same | {"amount_payed": 108, "amount_open": 0})).outcomes == {"unchanged": 1}
    said = desk.answers(desk.answer("other.json", same | {"amount_total": 109}))
    assert said.outcomes == {"conflict": 1}
    assert said.changes[0]["id"] == issued["id"]
    assert (desk.items(), desk.single(1)) == served


def test_an_absurd_id_does_not_use_up_the_counter(desk: Desk) -> None:
    """After a source's largest id our own documents still get ids that JSON keeps exactly."""
    desk.answers(desk.answer("last.json", page()["_embedded"]["invoices"][0] | {"id": 2**63 - 2}))
    document = {"lines": [{"name": "VPS", "unit_price": 90, "vat_rate": 20}]}
    issued = desk.terminal.ok("invoice", "issue", "checkdomain", "demo", "-", "--json", stdin=json.dumps(document).encode()).json()
    assert issued["wire_id"] == 1
    assert {item["id"] for item in desk.shown()} == {1, 2**63 - 2}
