"""Documents that cannot be issued: every fault at once, nothing written, no number taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminal import Terminal

LINE = {"name": "VPS", "unit_price": 90, "vat_rate": 20}


def faults(shop: Terminal, document: object, provider: str = "vps") -> set[str]:
    """The fault lines of a document that must be refused, as `path [rule]`; nothing may have been written."""
    before = shop.dump()
    said = shop("invoice", "issue", provider, "17850", "-", stdin=json.dumps(document).encode())
    assert "Traceback" not in said.err, said.err.splitlines()[-1]
    assert (said.code, said.out) == (1, ""), said
    assert shop.dump() == before
    lines = said.err.splitlines()
    assert lines
    assert all(line.startswith("faktura: ") for line in lines), said.err
    found = {f"{line.removeprefix('faktura: ').split(': ')[0]} {line.rsplit(' ', 1)[1]}" for line in lines}
    assert len(found) == len(lines), "a fault is reported twice"
    return found


def test_all_sums_that_do_not_add_up_are_named_at_once(shop: Terminal) -> None:
    """Wrong line totals and wrong document totals are one line each; then the right document takes the first number."""
    wrong: dict[str, Any] = {
        "lines": [LINE | {"line_total": 91}, LINE, LINE | {"line_total": "89.99"}],
        "total_without_vat": 271,
        "vat_total": 55,
        "total_with_vat": 325,
    }
    assert faults(shop, wrong) == {
        "lines[0].line_total [LINE-TOTAL]",
        "lines[2].line_total [LINE-TOTAL]",
        "total_without_vat [BR-CO-13]",
        "vat_total [BR-CO-14]",
        "total_with_vat [BR-CO-15]",
    }
    right = {"lines": [LINE | {"line_total": 90}] * 3, "total_without_vat": 270, "vat_total": 54, "total_with_vat": 324}
    said = shop.ok("invoice", "issue", "vps", "17850", "-", "--json", stdin=json.dumps(right).encode()).json()
    assert (said["number"], said["wire_id"]) == ("0000000001", 1)


def test_faults_of_form_are_named_at_once(shop: Terminal) -> None:
    """Unknown fields, missing ones and unusable values of every line come together."""
    document = {
        "lines": [{"unit_price": "ninety", "vat_rate": 20}, {"name": "", "unit_price": 1, "vat_rate": 120}, LINE | {"price": 1}, 7],
        "type_code": 390,
        "issue_date": "yesterday",
        "buyer": {"country": "Bulgaria"},
        "colour": "red",
    }
    expected = {
        "lines[0].name [missing]",
        "lines[0].unit_price [value]",
        "lines[1].name [value]",
        "lines[1].vat_rate [value]",
        "lines[2].price [unknown]",
        "lines[3] [type]",
        "type_code [value]",
        "issue_date [value]",
        "buyer.name [text]",
        "buyer.country [BR-CL-14]",
        "colour [unknown]",
    }
    assert expected <= faults(shop, document)


def test_broken_rules_are_named_at_once(shop: Terminal) -> None:
    """Rules of the standard that a well-formed document breaks come together."""
    document = {
        "lines": [LINE | {"unit_price": -1}, {"name": "Training", "unit_price": 5, "vat_rate": 0, "vat_category": "E"}],
        "issue_date": "2024-02-01",
        "due_date": "2024-01-01",
        "buyer": {"name": "Primer EOOD"},
    }
    assert faults(shop, document) == {
        "lines[0].unit_price [BR-27]",
        "exemption_reasons.E [BR-VAT-10]",
        "due_date [DUE-DATE]",
        "buyer.country [BR-11]",
    }


def test_sums_and_rules_are_named_together(shop: Terminal) -> None:
    """A wrong sum does not hide a broken rule: all faults at once."""
    document = {"lines": [LINE, {"name": "Training", "unit_price": 5, "vat_rate": 0, "vat_category": "E"}], "total_with_vat": 1}
    assert faults(shop, document) == {"total_with_vat [BR-CO-15]", "exemption_reasons.E [BR-VAT-10]", "lines[1].vat_rate [VAT-OVERRIDE]"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"lines": [LINE], "issue_date": "2099-01-01"}, "issue_date [ISSUE-DATE]"),
        ({"lines": [LINE], "type_code": 325}, "order_ids [ORDER-NUMBER]"),
        ({"lines": [LINE], "type_code": 381}, "preceding_invoice [BR-55]"),
        ({"lines": [LINE], "type_code": 381, "preceding_invoice": "0000000077"}, "preceding_invoice [BR-55]"),
        ({"lines": []}, "lines [BR-16]"),
        ({}, "lines [BR-16]"),
        ({"lines": [LINE | {"quantity": -1}]}, "total_with_vat [NOT-NEGATIVE]"),
        ({"lines": [LINE | {"quantity": 10**11, "unit_price": 10**11}]}, "lines[0] [AMOUNT-MAX]"),
        ({"lines": [LINE], "currency": "euro"}, "currency [value]"),
        ({"lines": [LINE | {"name": "\ud800"}]}, "lines[0].name [value]"),
        ({"lines": [LINE], "note": "\udfff"}, "note [value]"),
        ({"lines": [LINE], "buyer": {"name": "\ud800", "country": "BG"}}, "buyer.name [text]"),
        ({"lines": [LINE], "buyer": {"name": "", "country": "BG"}}, "buyer.name [text]"),
        ({"lines": [LINE | {"unit_price": "x"}], "total_with_vat": 108}, "lines[0].unit_price [value]"),
        ({"lines": [LINE | {"quantity": "x", "line_total": 180}]}, "lines[0].quantity [value]"),
        ({"lines": [LINE | {"vat_rate": "x"}]}, "lines[0].vat_rate [value]"),
        ({"lines": [LINE | {"vat_category": "Q"}]}, "lines[0].vat_category [value]"),
        ({"lines": [{"name": "VPS", "unit_price": 90, "vat_category": "E"}]}, "lines[0].vat_rate [missing]"),
        ({"lines": 7}, "lines [type]"),
        ({"lines": [LINE], "type_code": 390}, "type_code [value]"),
        ({"lines": [LINE], "due_date": "soon"}, "due_date [value]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_single_fault_is_one_line(shop: Terminal, document: object, expected: str) -> None:
    """One mistake is one fault with its path, also where only the ledger knows or only storage would stumble; it brings no false ones along."""
    assert faults(shop, document) == {expected}


def test_a_date_before_the_series_is_refused(shop: Terminal) -> None:
    """Numbers and dates rise together: an earlier date takes no number."""
    shop.ok("invoice", "issue", "vps", "17850", "-", stdin=json.dumps({"lines": [LINE]}).encode())
    assert faults(shop, {"lines": [LINE], "issue_date": "2020-01-01"}) == {"issue_date [ISSUE-DATE]"}


def test_a_series_without_room_is_refused(shop: Terminal) -> None:
    """A number wider than the template is no lawful number: the series cannot be set so, and once it is full nothing is issued."""
    before = shop.dump()
    assert "does not fit the template" in shop("series", "set", "vps", "invoice", "--template", "{seq:02d}", "--next", 100).refused()
    assert shop.dump() == before
    shop.ok("series", "set", "vps", "invoice", "--template", "{seq:02d}", "--next", 99)
    shop.ok("invoice", "issue", "vps", "17850", "-", stdin=json.dumps({"lines": [LINE]}).encode())
    assert faults(shop, {"lines": [LINE]}) == {"number [series-full]"}


@pytest.mark.parametrize("document", [[], "text", 7, None, [LINE]])
def test_a_document_is_an_object(shop: Terminal, document: object) -> None:
    """JSON that is no object is refused as such, in one line that says what is expected."""
    before = shop.dump()
    said = shop("invoice", "issue", "vps", "17850", "-", stdin=json.dumps(document).encode())
    assert said.code == 1
    assert "must be an object" in said.err
    assert shop.dump() == before


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.json", None, "No such file"),
        ("folder", None, "Is a directory"),
        ("cut.json", b'{"lines": [', "Expecting value"),
        ("seed.json", b'{"lines": [],}', "double quotes"),
        ("empty.json", b"", "Expecting value"),
        ("latin.json", b'{"note": "\xe9"}', "decode"),
        ("twice.json", b'{"note": "a", "note": "b"}', "names a key twice"),
        ("inner.json", b'{"lines": [{"name": "a", "unit_price": 1, "name": "b"}]}', "names a key twice"),
        ("deep.json", b"[" * 100_000, "recursion"),
        ("cut.toml", b"lines = [", "Invalid"),
        ("twice.toml", b"note = 'a'\nnote = 'b'\n", "overwrite"),
        ("latin.toml", b'note = "\xe9"', "decode"),
        ("json.toml", b'{"lines": []}', "Invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_document_is_named(shop: Terminal, tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    """A file that is missing, cut off, in another encoding or names a key twice: one line with the file and why."""
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    elif name == "folder":
        file.mkdir()
    before = shop.dump()
    line = shop("invoice", "issue", "vps", "17850", file).refused()
    assert line.startswith(f"{file}: ")
    assert reason in line
    assert shop.dump() == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1E-9", "-0.123456789", "1234567890123"])
def test_a_number_that_is_no_amount_is_a_fault(shop: Terminal, number: str) -> None:
    """Whatever JSON's grammar lets through, a price is a plain decimal."""
    before = shop.dump()
    said = shop("invoice", "issue", "vps", "17850", "-", stdin=f'{{"lines":[{{"name":"x","vat_rate":20,"unit_price":{number}}}]}}'.encode())
    assert said.code == 1
    assert said.err.startswith("faktura: lines[0].unit_price: ")
    assert said.err.count("\n") == 1
    assert shop.dump() == before


@pytest.mark.parametrize(
    ("amount", "reason"), [("nothing", "'nothing' is not a plain decimal"), ("1.005", "decimals"), ("1e2", "plain decimal"), ("0", "more than nothing")]
)
def test_a_payment_that_is_none_is_refused(shop: Terminal, amount: str, reason: str) -> None:
    """An amount that is no money is one line, and nothing is paid."""
    invoice = shop.ok("invoice", "issue", "vps", "17850", "-", "--json", stdin=json.dumps({"lines": [LINE]}).encode()).json()
    before = shop.dump()
    assert reason in shop("pay", invoice["id"], amount).refused()
    assert "future" in shop("pay", invoice["id"], 1, "--date", "2099-01-01").refused()
    assert "'today'" in shop("pay", invoice["id"], 1, "--date", "today").refused()
    assert shop.dump() == before


def test_parties_from_files(shop: Terminal, tmp_path: Path) -> None:
    """A seller and a buyer come from files with all terms that e-invoices need; documents issued from then on have them; mistakes are told."""
    seller = {"name": "Hosting OOD", "country": "BG", "vat_id": "BG175074752", "contact_name": "Ivan", "phone": "+359 2 1", "iban": "BG80BNBG96611020345678"}
    (tmp_path / "seller.json").write_text(json.dumps(seller))
    shop.ok("provider", "set", "vps", "--seller", tmp_path / "seller.json")
    (tmp_path / "buyer.toml").write_text('name = "Käufer GmbH"\ncountry = "DE"\nbuyer_reference = "04011000-12345-34"\n', encoding="utf-8")
    shop.ok("account", "add", "vps", "4711", "--buyer", tmp_path / "buyer.toml")
    issued = json.loads(
        shop.ok("invoice", "issue", "vps", "4711", "-", "--json", stdin=json.dumps({"lines": [{"name": "VPS", "unit_price": 90}]}).encode()).out
    )
    assert issued["seller"] == seller
    assert issued["buyer"]["buyer_reference"] == "04011000-12345-34"
    (tmp_path / "seller.json").write_text(json.dumps(seller | {"iban": "BG81BNBG96611020345678", "fax": "1"}))
    said = shop("provider", "set", "vps", "--seller", tmp_path / "seller.json")
    assert said.code == 1
    assert "seller.iban" in said.err
    assert "seller.fax" in said.err
