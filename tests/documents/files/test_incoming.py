"""`faktura import` of e-invoices: real files, kept to the byte, and never dropped unsaid."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.cli.terminal import Terminal
from tests.conftest import SHARED
from tests.database import make_blank

from faktura.bootstrap import document_imports
from faktura.bootstrap.validating import Validator
from faktura.documents.incoming import Incoming, read_document
from faktura.documents.validation import Verdict
from faktura.domain.errors import SettingError
from faktura.domain.provider import Provider

FILES = SHARED / "data" / "einvoice"
SAMPLES = {
    "ubl": ["xrechnung-testsuite/business-cases/standard/01.01a-INVOICE_ubl.xml", "xrechnung-testsuite/business-cases/standard/01.12a-INVOICE_ubl.xml"],
    "cii": ["xrechnung-testsuite/business-cases/standard/01.19a-INVOICE_uncefact.xml", "en16931-examples/cii/CII_example7.xml"],
    "pdf": ["facturx-pdf/EN16931_Betriebskostenabrechnung.pdf", "facturx-pdf/EN16931_Physiotherapeut.pdf"],
}

pytestmark = pytest.mark.shared


def take_in(terminal: Terminal, *files: Path) -> tuple[int, dict[str, int], str]:
    """Exit code, summary and what was said besides."""
    said = terminal("import", *files, "--provider", "supplier", "--account", "us", "--json")
    return said.code, said.lines()[-1]["summary"], said.err


@pytest.mark.parametrize("samples", SAMPLES.values(), ids=SAMPLES)
def test_real_files_go_in(terminal: Terminal, samples: Sequence[str]) -> None:
    """Each is a recorded document whose original is kept to the byte; a second run changes nothing; the ledger is whole."""
    files = [FILES / name for name in samples]
    code, summary, told = take_in(terminal, *files)
    assert (code, summary["new"]) == (0, len(files)), told
    rows = terminal.select("SELECT kind, digest, body FROM source ORDER BY source_id")
    assert {(kind, bytes(body)) for kind, _, body in rows} == {("document", file.read_bytes()) for file in files}
    assert all(bytes(digest) == hashlib.sha256(bytes(body)).digest() for _, digest, body in rows)
    before = terminal.dump()
    code, summary, _ = take_in(terminal, *files)
    assert (code, summary["unchanged"]) == (0, len(files))
    assert terminal.dump() == before
    terminal.ok("verify")
    assert terminal.select("SELECT COUNT(*) FROM invoice WHERE total_with_vat_minor IS NULL OR line_count IS NULL")[0][0] == 0


def test_a_second_version_is_a_conflict(terminal: Terminal, tmp_path: Path) -> None:
    """Another file under the same number: the first stays in force, both are kept, and it is told each time."""
    original = FILES / SAMPLES["ubl"][0]
    changed = tmp_path / "changed.xml"
    changed.write_bytes(original.read_bytes() + b"<!-- another -->")
    take_in(terminal, original)
    for _ in range(2):
        said = terminal("import", changed, "--provider", "supplier", "--account", "us")
        assert said.code == 3
        assert "conflict" in said.err
        assert "original was sha256" in said.err
    assert len(terminal.select("SELECT source_id FROM source")) == 2
    (told,) = [row for row in terminal("changes", "--json").lines() if row["kind"] == "conflict"]
    assert told["seen_at"][:4] >= "2026", "when it came in, not the document's own date"
    changed.write_bytes(original.read_bytes().replace(b"EUR", b"USD"))
    assert "currency was EUR, now USD" in terminal("import", changed, "--provider", "supplier", "--account", "us").err
    terminal.ok("verify")


VAT_ID = "<cac:PartyTaxScheme>\\s*<cbc:CompanyID>DE[^<]*</cbc:CompanyID>.*?</cac:PartyTaxScheme>"
REGISTER = "<cbc:CompanyID>\\[HRA-Eintrag\\]</cbc:CompanyID>"


def from_seller(name: str, path: Path, *, vat_id: str | None = None) -> Path:
    """An e-invoice of some seller; all have one number, total and buyer."""
    body = (FILES / SAMPLES["ubl"][0]).read_text("utf-8")
    for pattern in (VAT_ID, REGISTER):
        body, count = re.subn(pattern, "", body, count=1, flags=re.DOTALL)
        assert count == 1
    body = body.replace("[Seller name]", name)
    if vat_id:
        scheme = f"<cac:PartyTaxScheme><cbc:CompanyID>{vat_id}</cbc:CompanyID><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme>"
        body = body.replace("<cac:PartyLegalEntity>", f"{scheme}<cac:PartyLegalEntity>", 1)
    path.write_text(body, "utf-8")
    return path


@pytest.mark.only("sqlite")
def test_a_seller_without_identifiers_is_remarked(terminal: Terminal, tmp_path: Path) -> None:
    """It goes in, and a notice says that only its name tells who it is, and whether that is the provider's."""
    code, summary, told = take_in(terminal, from_seller("SUPPLIER", tmp_path / "a.xml"))
    assert (code, summary["new"], summary["faults"]) == (0, 1, 0)
    assert "its seller 'SUPPLIER' names no VAT id, register number or tax number: only the name tells who it is\n" in told
    terminal.ok("account", "add", "supplier", "else")
    said = terminal("import", from_seller("Other GmbH", tmp_path / "b.xml"), "--provider", "supplier", "--account", "else")
    assert "only the name tells who it is, and it is not the provider's, 'Supplier'" in said.err
    said = terminal("import", from_seller("Other GmbH", tmp_path / "c.xml", vat_id="DE136695976"), "--provider", "supplier", "--account", "else")
    assert "no identifier tells whether its seller 'Other GmbH' is the provider supplier" in said.err


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("vat_ids", [(None, None), ("DE136695976", None), ("DE136695976", "DE129273398")])
def test_two_sellers_of_one_number_are_never_put_together(terminal: Terminal, tmp_path: Path, vat_ids: tuple[str | None, str | None]) -> None:
    """Whatever identifiers they have: the second is a conflict that names both, and changes nothing of the first; nor is its file the first's original."""
    first = from_seller("First GmbH", tmp_path / "first.xml", vat_id=vat_ids[0])
    second = from_seller("Second GmbH", tmp_path / "second.xml", vat_id=vat_ids[1])
    second.write_text(re.sub(r"(<cbc:PayableAmount[^>]*>)[0-9.]+", r"\g<1>0.00", second.read_text("utf-8")), "utf-8")
    take_in(terminal, first)
    before = terminal.dump(without="journal")
    said = terminal("import", second, "--provider", "supplier", "--account", "us", "--json")
    (change,) = [line for line in said.lines() if "differences" in line]
    assert (said.code, change["outcome"]) == (3, "conflict")
    kept, heard = next((item["kept"], item["heard"]) for item in change["differences"] if item["term"] == "seller")
    assert (kept, heard) == (f"First GmbH ({vat_ids[0] or 'no identifier'})", f"Second GmbH ({vat_ids[1] or 'no identifier'})")
    gone = set(before) - set(terminal.dump(without="journal"))
    assert {line.partition(" ")[0] for line in gone} <= {"account", "counter"}, gone
    assert terminal.select("SELECT COUNT(*) FROM observation") == [(1,)]
    terminal.ok("invoice", "render", change["id"], "--as", "original", "-o", tmp_path / "original.xml")
    assert (tmp_path / "original.xml").read_bytes() == first.read_bytes()
    terminal.ok("verify")


@pytest.mark.only("sqlite")
def test_parties_are_compared_field_by_field(terminal: Terminal, tmp_path: Path) -> None:
    """A contradiction names the fields that differ, in words and values of their own, on the terminal, in JSON and in `changes`; none that is as before."""
    original = FILES / SAMPLES["ubl"][0]
    changed = tmp_path / "changed.xml"
    body = original.read_text("utf-8")
    for old, new in (("[Seller city]", "Elsewhere"), ("[Buyer address line 1]", "Other street 1")):
        body = body.replace(old, new)
    body = re.sub(r"<cbc:ElectronicMail>seller@[^<]*</cbc:ElectronicMail>", "", body)
    changed.write_text(body, "utf-8")
    take_in(terminal, original)
    said = terminal("import", changed, "--provider", "supplier", "--account", "us", "--json")
    (differences,) = [line["differences"] for line in said.lines() if "differences" in line]
    told = {item["term"]: (item["kept"], item["heard"]) for item in differences}
    del told["original"]
    assert told == {
        "seller.city": ("[Seller city]", "Elsewhere"),
        "seller.email": ("seller@email.de", "unknown"),
        "buyer.street": ("[Buyer address line 1]", "Other street 1"),
    }
    shown = terminal("import", changed, "--provider", "supplier", "--account", "us")
    assert "seller.city was [Seller city], now Elsewhere; " in shown.err
    listed = terminal("changes")
    assert "buyer.street was [Buyer address line 1], now Other street 1" in " ".join(listed.out.split())
    assert "Party(" not in shown.err + listed.out + said.out
    terminal.ok("verify")


def test_what_has_no_place_is_told(terminal: Terminal) -> None:
    """Of a document that says more than the ledger keeps, it is told what only the original has."""
    _, _, told = take_in(terminal, FILES / "xrechnung-testsuite/technical-cases/cius/01.03_comprehensive_test_ubl.xml")
    assert "kept in the original only: " in told
    _, _, told = take_in(terminal, FILES / "facturx-pdf/EN16931_Elektron.pdf")
    assert "the attachment 'EN16931_Elektron_Aufmass.png'" in told


def test_what_is_no_e_invoice_is_a_fault(terminal: Terminal, tmp_path: Path) -> None:
    """Broken XML, XML of another kind, a PDF without an invoice: named with the reason, the others go in (exit code 3)."""
    bad = {
        "broken.xml": b"<Invoice",
        "other.xml": b"<a/>",
        "entity.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        "plain.pdf": b"%PDF-1.7\n%%EOF",
        "empty.xml": b"",
    }
    paths = [tmp_path / name for name in bad]
    for path in paths:
        path.write_bytes(bad[path.name])
    code, summary, told = take_in(terminal, *paths, FILES / SAMPLES["ubl"][0], tmp_path / "absent.xml")
    assert (code, summary["new"], summary["faults"]) == (3, 1, len(bad) + 1)
    assert all(str(path) in told for path in paths)
    assert "Traceback" not in told


def test_another_sellers_document_is_held_back(tmp_path: Path) -> None:
    """A provider with a VAT id takes no document that bears another's."""
    make_blank(tmp_path / "ledger.db")
    terminal = Terminal(tmp_path / "ledger.db")
    terminal.ok("provider", "add", "supplier", "--dialect", "vpsbg", "--seller-name", "S", "--seller-country", "BG", "--seller-vat-id", "BG175074752")
    terminal.ok("account", "add", "supplier", "us")
    code, summary, told = take_in(terminal, FILES / SAMPLES["ubl"][0])
    assert (code, summary["new"], summary["faults"]) == (3, 0, 1)
    assert "its seller has the VAT id" in told


def test_documents_name_an_account(terminal: Terminal) -> None:
    """They do not say whose account it is; and are not mixed with other files."""
    assert "--account" in terminal("import", FILES / SAMPLES["ubl"][0], "--provider", "supplier").refused()
    mixed = terminal("import", FILES / SAMPLES["ubl"][0], "x.json", "--provider", "supplier", "--account", "us").refused()
    assert "two commands" in mixed


def test_what_does_not_agree_with_itself_is_kept_and_told(terminal: Terminal, tmp_path: Path) -> None:
    """Totals that do not follow: the document goes in as it says, and each finding is a notice, which changes no exit code."""
    odd = tmp_path / "odd.xml"
    body = (FILES / SAMPLES["ubl"][0]).read_text("utf-8")
    odd.write_text(re.sub(r">[0-9.]+</cbc:TaxInclusiveAmount>", ">1.00</cbc:TaxInclusiveAmount>", body), "utf-8")
    code, summary, told = take_in(terminal, odd)
    assert (code, summary["new"], summary["faults"]) == (0, 1, 0)
    assert "does not agree with itself: total_with_vat: 1.00 is stated" in told
    assert "[BR-CO-15]" in told
    assert "[BR-CO-16]" in told
    terminal.ok("verify")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r">EUR</cbc:DocumentCurrencyCode>", ">ÄÖÜ</cbc:DocumentCurrencyCode>"),
        (
            r"(PriceAmount currencyID=\"EUR\">)[0-9.]+(</cbc:PriceAmount>)",
            rf"\g<1>{'9' * 30}\2<cbc:BaseQuantity unitCode=\"XPP\">0.{'0' * 29}1</cbc:BaseQuantity>",
        ),
    ],
    ids=["currency", "price"],
)
def test_values_at_the_edge_stop_one_file_alone(terminal: Terminal, tmp_path: Path, old: str, new: str) -> None:
    """A currency of letters that are not ASCII, a price beyond all bounds: a fault of that file; the others go in."""
    odd = tmp_path / "odd.xml"
    odd.write_text(re.sub(old, new, (FILES / SAMPLES["ubl"][1]).read_text("utf-8")), "utf-8")
    code, summary, told = take_in(terminal, odd, FILES / SAMPLES["ubl"][0])
    assert (code, summary["new"]) == (3, 1)
    assert summary["faults"]
    assert str(odd) in told
    assert "Traceback" not in told


@pytest.mark.parametrize("error", [ArithmeticError("a"), ValueError("b"), SettingError("c")], ids=lambda error: type(error).__name__)
def test_what_nobody_thought_of_stops_one_file_alone(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Whatever computing with a document's values raises is a fault of that file."""
    bad, good = (FILES / name for name in SAMPLES["ubl"])

    def falls(body: bytes, *, provider: Provider) -> Incoming:
        if body == bad.read_bytes():
            raise error
        return read_document(body, provider=provider)

    monkeypatch.setattr(document_imports, "read_document", falls)
    code, summary, told = take_in(terminal, bad, good)
    assert (code, summary["new"], summary["faults"]) == (3, 1, 1)
    assert str(bad) in told


@pytest.mark.parametrize("error", [ArithmeticError("a"), ValueError("b"), SettingError("c")], ids=lambda error: type(error).__name__)
def test_validation_goes_on_too(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Such a file cannot be judged (exit code 1); the next one is."""

    def falls(_: object, path: Path) -> Verdict:
        if path.name == "bad.xml":
            raise error
        return Verdict(number="1", syntax="Invoice", profile="", findings=(), left_out=(), done=(), not_done=())

    monkeypatch.setattr(Validator, "check", falls)
    said = terminal("validate", "bad.xml", "good.xml", "--json")
    assert said.code == 1
    assert [row["is_valid"] for row in said.lines()] == [None, True]
