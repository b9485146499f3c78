"""What the pages say, and that they say it whatever texts they are given."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import unicodedata
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from tests.documents.pdf.samples import BULGARIAN, CREDIT, GERMAN, S19, S20, allowance, document, line, long
from tests.domain.sample import drafts

from faktura.documents.pdf import Look, render_pdf
from faktura.documents.pdf_formats import formats
from faktura.documents.pdf_glyphs import coverage, printable
from faktura.documents.pdf_payment import epc_text, payment_block, qr_svg
from faktura.documents.pdf_texts import WORDS, words
from faktura.domain.errors import FakturaError, InvalidDocumentError, SettingError
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.vat import PriceBasis, VatCategory, VatKey

ROOT = Path(__file__).parents[3]
LANGUAGES = ("bg", "de", "en")


def pages(invoice: Invoice, language: str = "en", **more: Any) -> list[str]:
    """The text of each page, with plain spaces."""
    read = pypdf.PdfReader(io.BytesIO(render_pdf(invoice, language=language, **more)))
    return [re.sub(r"\s+", " ", page.extract_text().replace("\u200b", "").replace("\u00a0", " ").replace("\u202f", " ")) for page in read.pages]


def text(invoice: Invoice, language: str = "en", **more: Any) -> str:
    """The text of all pages."""
    return " ".join(pages(invoice, language, **more))


def test_a_bulgarian_invoice_says_what_the_law_asks() -> None:
    """Title, number, both parties with their numbers, dates, base, rate, VAT and total are on the page."""
    said = text(document(BULGARIAN), "bg")
    for wanted in (
        "Фактура 0000000007",
        "Пример Търговия ЕООД",
        "ЕИК 987654321",
        "ИН по ЗДДС BG987654321",
        "ЕИК 123456789",
        "31.10.2026 г.",
        "1.10.2026 г. – 31.10.2026 г.",
        "0,0125",
        "20 %",
        "33,56",
        "6,71",
        "−5,00",
        "88,61",
        "11,66",
        "100,27 €",
        "BG80 BNBG 9661 1020 3456 78",
        "Страница 1 от 1",
    ):
        assert wanted in said


def test_each_language_has_the_words_for_reverse_charge() -> None:
    """The words of the law stand with the ground that the document gives."""
    wanted = {"bg": "Обратно начисляване", "de": "Steuerschuldnerschaft des Leistungsempfängers", "en": "Reverse charge"}
    for language, legal in wanted.items():
        assert f"{legal}: Art. 196 der Richtlinie 2006/112/EG" in text(document(GERMAN), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_category_without_tax_has_its_words(language: str) -> None:
    """Several categories without tax on one document are told apart, each with its reason."""
    kinds = [kind for kind in VatCategory if not kind.taxed]
    draft = replace(
        GERMAN,
        lines=tuple(line(f"item {kind}", "1", "10", VatKey(kind, Decimal(0))) for kind in kinds),
        exemption_reasons=tuple((kind, f"ground of {kind.name}") for kind in kinds),
    )
    said = text(document(draft), language)
    for mark, kind in zip("¹²³⁴⁵⁶", kinds, strict=True):
        assert re.search(rf"{mark} [^¹²³⁴⁵⁶]+: ground of {kind.name}", said), kind


def test_numbers_of_parties_abroad_have_no_bulgarian_names() -> None:
    """The Bulgarian names of VAT id and register number are those of Bulgarian parties."""
    said = text(document(GERMAN), "bg")
    assert "ДДС ид. № DE123456789" in said
    assert "ИН по ЗДДС BG123456789" in said


def test_every_word_is_used_and_can_be_set() -> None:
    """No text of the table is left over, each language has each, and the fonts have all their characters."""
    folder = ROOT / "src" / "faktura" / "documents"
    source = "".join(path.read_text(encoding="utf-8") for path in (folder / "templates" / "invoice.typ", folder / "pdf_content.py", folder / "pdf_payment.py"))
    for key, texts in WORDS.items():
        stem = "total_" if key.startswith("total_3") else key.removesuffix("_abroad")
        assert any(f"{before}{stem}" in source for before in ('"', "'", "say.")), key
        assert len(texts) == len(LANGUAGES)
        assert all(printable(each, word_max=100) == each for each in texts)


def test_a_credit_note_names_the_invoice_and_shows_what_is_credited() -> None:
    """The German title is not the word that the law keeps for invoices made by buyers; nothing is asked for."""
    said = text(document(CREDIT))
    assert "Credit note 0000000007" in said
    assert "0000000003 of 30 Sept 2026" in said
    assert "Amount credited €53.70" in said
    assert "IBAN" not in said
    german = text(document(CREDIT), "de")
    assert "Rechnungskorrektur 0000000007" in german
    assert "Gutschrift" not in german
    assert "Към фактура 0000000003 от 30.09.2026 г." in text(document(CREDIT), "bg")


def test_gross_prices_stand_beside_the_net() -> None:
    """The price without VAT, the net amounts and the contained VAT of gross prices are said."""
    said = text(document(CREDIT))
    for wanted in ("Unit price incl. VAT", "29.90", "25.13 excl. VAT", "10.00 excl. VAT", "45.13", "8.57"):
        assert wanted in said


def test_a_pro_forma_says_that_it_is_no_invoice() -> None:
    """In words, and by its title."""
    invoice = document(replace(BULGARIAN, type_code=TypeCode.PRO_FORMA))
    assert "Проформа фактура 0000000007" in text(invoice, "bg")
    assert "не е фактура по ЗДДС" in text(invoice, "bg")
    assert "keine Rechnung im Sinne des Umsatzsteuergesetzes" in text(invoice, "de")


def test_a_test_document_says_so_and_cannot_be_paid() -> None:
    """It is marked on every page, and nobody is told where to pay."""
    said = pages(document(long(60)), is_test=True)
    assert len(said) > 1
    assert all("TEST" in page for page in said)
    assert "Test document without legal effect" in said[0]
    assert not any("IBAN" in page for page in said)


def test_long_documents_break_well() -> None:
    """Every page has its number, the following ones their head and that of the table; sums never stand without lines; no line is lost."""
    for count in (*range(18, 30), 200):
        said = pages(document(long(count)), "de")
        for number, page in enumerate(said, 1):
            assert f"Seite {number} von {len(said)}" in page
            assert (f"Rechnung 0000000007 · 31.10.2026 · {'Хостинг ООД'} Fortsetzung" in page) == (number > 1)
        sums = next(page for page in said if "Rechnungsbetrag" in page)
        assert f"Nr. {count} " in sums
        assert f"Nr. {count - 1} " in sums
        assert all("Einzelpreis netto" in page for page in said if "Server Nr." in page)
        assert [int(found) for found in re.findall(r"Server Nr\. (\d+)", " ".join(said))] == list(range(1, count + 1))


def test_a_document_of_very_many_allowances_loses_none() -> None:
    """Sums longer than a page go on on the next."""
    many = tuple(allowance(number, f"Abzug {number}.", S19) for number in range(1, 151))
    said = text(document(replace(long(3), allowances_charges=many)), "de")
    assert all(f"Abzug {number}." in said for number in range(1, 151))
    assert "Rechnungsbetrag" in said


HOSTILE = [
    '#read("/etc/passwd")',
    '#panic("stop")',
    "$x^2$ *bold* _thin_ `code` <label> @reference",
    '\\ #{ let x = 1 } // comment /* more */ "quoted" -- ---',
    "= heading - item + item / term: x",
    "{page} {pages}",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_texts_are_never_read_as_markup(name: str) -> None:
    """What looks like typst is shown as it is written, wherever it stands."""
    draft = replace(GERMAN, lines=(line(name, "1", "10"),), note=name, payment_terms=name, buyer=replace(GERMAN.buyer, name=name, street=name))
    said = text(document(draft), look=Look(footer=name))
    assert said.count(name) >= 6


@pytest.mark.parametrize(
    "name",
    [
        "שלום עולם",
        "خادم افتراضي",
        "🎉👨‍👩‍👧‍👦",
        "日本語",
        "a\x01\x1b[31mb\x7f",
        "e\u0301\u0301",
        "\u202egnp.exe",
        "x" * 1000,
        "\ufeff",
        "\ue000\U0010ffff",
        "ﷺ\u0670 ि",
    ],
)
def test_any_text_is_set(name: str) -> None:
    """Right to left, emoji, control characters, long words and unassigned code points make a document all the same."""
    assert "Total" in text(document(replace(GERMAN, lines=(line(name, "1", "10"),), note=name)))


def test_every_character_that_fonts_are_said_to_have_is_set() -> None:
    """None of them keeps a document from being made, alone or after another; private ones, which nobody could read out, are marked."""
    known = [chr(code) for code in sorted(coverage())]
    assert {"a", "Ж", "ß", "€", "→", "✓", "א"} <= set(known)
    assert not {"✅", "❓", "\u0e85", "日"} & set(known)
    names = ["".join(known[at : at + 90]) for at in range(0, len(known), 90)]
    assert len(render_pdf(document(replace(GERMAN, lines=tuple(line(name, "1", "10") for name in names))))) > 0
    assert printable("\ue000\uf8ff✅") == "\ufffd" * 3


def test_texts_cannot_turn_the_order_of_what_is_read() -> None:
    """Invisible characters are left out, control characters are spaces, what no font has is marked."""
    assert printable("a\u202eb\u2066c\u200dd\x00e\tf") == "abcd e f"
    assert printable("日") == "\ufffd"
    assert printable("Ж" * 28) == "Ж" * 28
    assert printable("Ж" * 29) == "\u200b".join("Ж" * 29)
    assert printable("e\u0301\r\nz") == "é\nz"


@given(draft=drafts())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_pages_carry_the_amounts_of_the_document(draft: Any) -> None:
    """Number, date, every line's net amount, every group's base and tax, and all sums of any document are on its pages."""
    invoice = replace(document(draft), seller=SELLER_ALONE)
    said = text(invoice).replace(" ", "")
    money = invoice.currency

    def shown(amount_minor: int | None) -> str:
        return f"{money.to_decimal(amount_minor or 0):,.{money.digits}f}".replace("-", "−")

    amounts = [item.net_amount_minor for item in invoice.lines or ()]
    amounts += [amount for group in invoice.vat_breakdown for amount in (group.taxable_amount_minor, group.tax_amount_minor)]
    amounts += [invoice.total_without_vat_minor, invoice.vat_total_minor]
    assert all(shown(amount) in said for amount in amounts)
    assert unicodedata.normalize("NFKC", shown(invoice.total_with_vat_minor)).lstrip("−") in said
    assert invoice.number in said
    assert "31Oct2026" in said


SELLER_ALONE = GERMAN.buyer


def test_what_a_recorded_document_lacks_is_listed() -> None:
    """A document whose source said too little is refused with every term that is missing."""
    recorded = replace(
        document(GERMAN),
        origin=Origin.RECORDED,
        seller=None,
        total_without_vat_minor=None,
        vat_breakdown=(),
        lines=(replace(document(GERMAN).lines[0], vat=None, net_amount_minor=None),),  # type: ignore[index]
    )
    with pytest.raises(InvalidDocumentError) as refused:
        render_pdf(recorded)
    assert {found.path for found in refused.value.faults} == {"seller", "total_without_vat", "vat_breakdown", "lines[0].vat_rate", "lines[0].net_amount"}


def test_payment_codes_are_those_of_the_guideline() -> None:
    """A code has the guideline's lines; none is made beyond its bounds or for another currency."""
    code = epc_text(name="Host OOD", iban="BG80BNBG96611020345678", bic="BNBGBGSD", amount_minor=10027, reference="0000000007")
    assert code is not None
    assert code.split("\n") == ["BCD", "002", "1", "SCT", "BNBGBGSD", "Host OOD", "BG80BNBG96611020345678", "EUR100.27", "", "", "0000000007"]
    assert epc_text(name="Host", iban="no iban", bic="", amount_minor=1, reference="") is None
    assert epc_text(name="Host", iban="BG80BNBG96611020345678", bic="", amount_minor=0, reference="") is None
    assert epc_text(name="Host", iban="BG80BNBG96611020345678", bic="", amount_minor=10**11, reference="") is None


@pytest.mark.parametrize("letter", ["x", "я", "€", "🧾"])
@pytest.mark.parametrize("bic", ["", "BNBGBGSDXXX"])
@pytest.mark.parametrize("digits", [10, 70, 140])
def test_a_payment_code_is_bounded_in_bytes(letter: str, bic: str, digits: int) -> None:
    """331 of them, whatever letters have: names are cut between letters as far as they must, references stay whole, or there is no code."""
    name = f"{letter * 30} {letter * 60}"
    made = {}
    for reference in ("7" * digits, letter * digits):
        code = epc_text(name=name, iban="MT84MALT011000012345MTLCAST001SXXX", bic=bic, amount_minor=99_999_999_999, reference=reference)
        made[reference] = code
        if code is None:
            continue
        lines = code.split("\n")
        assert len(lines) == 11
        assert len(code.encode()) <= 331
        assert lines[10] == reference
        assert lines[5]
        assert name.startswith(lines[5])
        assert len(lines[5]) == 70 or len((code + letter).encode()) > 331 or lines[5] == letter * 30
        modules = re.search(r' width="(\d+)"', qr_svg(code))
        assert modules
        assert int(modules[1]) <= 69  # version 13
    assert made["7" * digits] is not None
    assert (made[letter * digits] is None) is (len((letter * digits).encode()) > 240)


def test_a_payment_code_needs_its_reference_and_name() -> None:
    """A document's number beyond 140 characters and a name of nothing printable make none; nor does the page of such a document, which still tells how to pay."""
    assert epc_text(name="\u200b", iban="BG80BNBG96611020345678", bic="", amount_minor=1, reference="7") is None
    assert epc_text(name="Host", iban="BG80BNBG96611020345678", bic="", amount_minor=1, reference="7" * 141) is None
    assert payment_block(document(GERMAN), words("de"), formats("de"))[1]
    rows, code = payment_block(replace(document(GERMAN), number="7" * 141), words("de"), formats("de"))
    assert (rows[3], code) == (["Verwendungszweck", "7" * 141], "")


def test_languages_and_looks_that_cannot_be_used_are_refused() -> None:
    """Each with its reason."""
    with pytest.raises(SettingError, match="bg, de, en"):
        render_pdf(document(GERMAN), language="fr")
    assert "Rechnung 0000000007" in text(document(GERMAN), "de-AT")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"accent": "red"}, "not a colour"),
        ({"accent": "#ffcc00"}, "too light"),
        ({"footer": " "}, "footer"),
        ({"logo": b""}, "32 KiB"),
        ({"logo": b"GIF89a"}, "neither PNG"),
        ({"logo": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (10**5).to_bytes(4) * 2 + b"\x00" * 20}, "pixels"),
        ({"logo": b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'}, "SVG"),
        ({"logo": b'<svg xmlns="http://www.w3.org/2000/svg"><text>x</text></svg>'}, "<text>"),
        ({"logo": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>'}, "<image>"),
        ({"logo": b'<svg xmlns="http://www.w3.org/2000/svg"><path fill="none" href="http://x"/></svg>'}, "another file"),
    ]
    for given_look, reason in wrong:
        with pytest.raises(SettingError, match=reason):
            Look(**given_look)
    damaged = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x10\x08\x06" + b"\x00" * 20
    with pytest.raises(SettingError, match="logo"):
        render_pdf(document(GERMAN), look=Look(logo=damaged))


SCRIPT = """
import sys
from tests.documents.pdf.samples import BULGARIAN, document
from faktura.documents.pdf import Look, render_pdf
sys.stdout.buffer.write(render_pdf(document(BULGARIAN), language="bg", look=Look(footer="foot"), facturx=b"<x/>" if sys.argv[1] else None))
"""


@pytest.mark.parametrize("hybrid", ["", "yes"])
def test_the_same_document_is_the_same_bytes(hybrid: str, tmp_path: Path) -> None:
    """In other processes, zones, languages and homes too."""
    made = set()
    for zone, language in (("Pacific/Kiritimati", "bg_BG.UTF-8"), ("America/Lima", "C")):
        home = tmp_path / language
        home.mkdir(exist_ok=True)
        path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
        environment = {"TZ": zone, "LANG": language, "LC_ALL": language, "HOME": str(home), "PYTHONPATH": path, "PATH": os.environ["PATH"]}
        made.add(subprocess.run([sys.executable, "-c", SCRIPT, hybrid], check=True, capture_output=True, env=environment, cwd=tmp_path).stdout)
    made.add(render_pdf(document(BULGARIAN), language="bg", look=Look(footer="foot"), facturx=b"<x/>" if hybrid else None))
    assert len(made) == 1
    assert made.pop().startswith(b"%PDF-1.7")


def test_pages_do_not_depend_on_what_was_paid_since() -> None:
    """A PDF is made of the document alone: no term of it is a standing."""
    assert "100.27" in text(document(BULGARIAN))
    assert render_pdf(document(BULGARIAN)) == render_pdf(replace(document(BULGARIAN), recorded_at_us=5))


def test_prices_of_every_basis_and_currency(tmp_path: Path) -> None:
    """Currencies without decimals, or with three, are shown with theirs; no code to pay is made for them."""
    from tests.domain.sample import BHD, JPY  # noqa: PLC0415

    for currency, wanted in ((JPY, "JP¥12,000"), (BHD, "BHD 12.000")):
        draft = replace(GERMAN, currency=currency, price_basis=PriceBasis.NET, lines=(replace(line("x", "1", "10", S20), line_total_minor=10_000),))
        invoice = replace(document(draft), issue_date=date(2026, 10, 31))
        assert wanted.replace(" ", "") in text(invoice).replace(" ", "")


def _made_elsewhere(number: str) -> int:
    return len(render_pdf(replace(document(GERMAN), number=number)))


def test_other_threads_and_processes_make_pdfs_too() -> None:
    """Threads take turns; a process forked later says that it cannot, and does not wait forever."""
    assert _made_elsewhere("0") > 0
    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(lambda number: render_pdf(replace(document(GERMAN), number=f"{number:03}")), range(20)))) == 20
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as forked, pytest.raises(FakturaError, match="spawn"):
        forked.submit(_made_elsewhere, "1").result(timeout=60)
