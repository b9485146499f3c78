"""CSV, spreadsheet and DATEV say exactly what the ledger says, whatever is written in it."""

from __future__ import annotations

import io
import sys
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sheets import batch, csv_rows, sheets, signed_minor

from faktura.bootstrap.export_files import Form, Shape, growing
from faktura.documents.csv_table import CsvEncoder
from faktura.documents.datev import COLUMNS, DatevBatch
from faktura.documents.datev_settings import DatevSettings, parse_datev_settings
from faktura.documents.table import Column, Kind
from faktura.documents.xlsx_table import XlsxTable
from faktura.domain.errors import InvalidDocumentError, SettingError
from faktura.domain.invoice import Invoice, InvoiceLine, Origin, TypeCode
from faktura.domain.money import AMOUNT_MINOR_MAX, Currency
from faktura.domain.party import Party
from faktura.domain.payment import Standing
from faktura.domain.text import is_text
from faktura.domain.vat import VatBreakdown, VatCategory, VatKey
from faktura.ledger.exporting import AMOUNTS, SumField, Sums, Wanted
from faktura.ledger.listing_query import DocumentHead

EUR = Currency("EUR")
SETTINGS: dict[str, Any] = {
    "consultant": 1001,
    "client": 7,
    "fiscal_year_begin": date(2026, 1, 1),
    "expense_account": 4930,
    "revenue_account": "8400",
    "creditor_account": 70000,
    "debtor_account": 10000,
    "bu_keys": {"19": 9, "7": "8", "20": "", "AE": 94},
    "revenue_bu_keys": {"19": 3, "7": 2, "20": ""},
}
HOSTILE = [
    "=HYPERLINK(\"http://x\";'a')", "+359 ООД", "-1", "@SUM(A1)", "'=already", "''-", 'a;b,c"d"\r\ne\nf\rg', "\tTab", "Кирилица ЕООД", "<r><t>x</t></r>",
    "_x0041_", "a\x01b\x1f", "  spaces  ", "]]>&amp;<b>", "{=1}", "true", "0012", "1e5", "'", "\u202eevil", "😀", "\ufffe",
]  # fmt: skip
texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30)).filter(lambda text: is_text(text, length_max=1000))
minors = st.one_of(st.none(), st.integers(0, 10**6), st.integers(-AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX))


def head(number: str = "R-1", **terms: Any) -> DocumentHead:
    """A recorded invoice of 119.00 with 19 %, unless told otherwise."""
    place = {name: terms.pop(name, default) for name, default in (("provider", "vps"), ("account", "a"), ("paid_minor", None), ("due_minor", None))}
    known: dict[str, Any] = {"total_without_vat_minor": 10_000, "vat_total_minor": 1_900, "total_with_vat_minor": 11_900, "vat_rate": Decimal(19)}
    own: dict[str, Any] = {"id": 1, "origin": Origin.RECORDED, "type_code": TypeCode.INVOICE, "issue_date": date(2026, 10, 5), "currency": EUR}
    invoice = Invoice(account_id=1, wire_id=1, number=number, created_at_us=0, recorded_at_us=1_790_000_000_123_456, **(own | known | terms))
    standing = Standing(paid_minor=place["paid_minor"], due_minor=place["due_minor"])
    return DocumentHead(invoice=invoice, standing=standing, provider=place["provider"], is_test=False, account=place["account"], credited_minor=0, state=None)


heads = st.builds(
    lambda number, name, currency, amounts, type_code, line: head(
        number,
        seller=Party(name=name),
        currency=Currency(currency),
        type_code=type_code,
        total_without_vat_minor=amounts[0],
        vat_total_minor=amounts[1],
        total_with_vat_minor=amounts[2],
        paid_minor=amounts[3],
        due_minor=amounts[4],
        lines=(InvoiceLine(name=line, quantity=Decimal("1.5"), unit_price=Decimal("0.12345678"), line_total_minor=amounts[0] or 0, net_amount_minor=None, vat=None),),
    ),
    texts, texts, st.sampled_from(["EUR", "JPY", "BHD", "UYW"]), st.tuples(*[minors] * 5), st.sampled_from(list(TypeCode)), texts,
)  # fmt: skip


def written(shape: Shape, documents: list[DocumentHead]) -> tuple[bytes, list[list[dict[str, Any]]]]:
    """A file of documents, and its sheets where it is a spreadsheet."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made"
        with growing(shape, path, Wanted()) as file:
            for document in documents:
                file.add(document)
        assert [found.name for found in Path(folder).iterdir()] == ["made"]
        return path.read_bytes(), sheets(path) if shape.form is Form.XLSX else []


@given(documents=st.lists(heads, max_size=12))
def test_files_add_up_to_what_the_ledger_adds_up(documents: list[DocumentHead]) -> None:
    """By currency and type, CSV of both kinds and the spreadsheet have the sums of the ledger and as many unknown amounts; every text comes back."""
    sums = Sums([SumField.TYPE])
    for document in documents:
        sums.add(document)
    expected = {
        (group.key[0], group.currency.code): [(group.currency.to_decimal(item.known_minor), item.unknown_count) for item in group.amounts]
        for group in sums.groups()
    }
    plain = csv_rows(written(Shape(form=Form.CSV), documents)[0])
    excel = csv_rows(written(Shape(form=Form.CSV, excel=True), documents)[0], excel=True)
    (sheet,) = written(Shape(form=Form.XLSX), documents)[1]
    for rows, point in ((plain, "."), (excel, ","), (sheet, ".")):
        found: Any = defaultdict(lambda: [(Decimal(0), 0)] * 5)
        for row in rows:
            key = row["type"], row["currency"]
            given_ = [row.get(name, "") for name in AMOUNTS]
            found[key] = [
                (total, unknown + 1) if cell == "" else (total + Decimal(str(cell).replace(point, ".")), unknown)
                for (total, unknown), cell in zip(found[key], given_, strict=True)
            ]
        assert found == expected
        assert [row["number"] for row in rows] == [document.invoice.number for document in documents]
        assert [row["seller_name"] for row in rows] == [document.invoice.seller and document.invoice.seller.name for document in documents]


@given(documents=st.lists(heads, max_size=6))
def test_lines_come_back(documents: list[DocumentHead]) -> None:
    """A row a line, with its name and exact numbers."""
    (sheet,) = written(Shape(form=Form.XLSX, lines=True), documents)[1]
    for rows in (csv_rows(written(Shape(form=Form.CSV, lines=True), documents)[0]), sheet):
        assert [row["name"] for row in rows] == [line.name for document in documents for line in document.invoice.lines or ()]
        assert all(Decimal(row["unit_price"]) == Decimal("0.12345678") for row in rows)


def test_a_document_without_known_lines_has_a_row_still() -> None:
    """Nothing vanishes from a table of lines."""
    (row,) = csv_rows(written(Shape(form=Form.CSV, lines=True), [head()])[0])
    assert (row["number"], row["line_number"], row["line_total"]) == ("R-1", "", "")


@given(text=st.one_of(st.sampled_from(HOSTILE), st.text(max_size=10)))
def test_no_cell_begins_as_a_formula(text: str) -> None:
    """Whatever a source wrote, a spreadsheet opens it as text, and one apostrophe less is what was written; amounts keep their sign."""
    rows = list(csv_rows(b"a,b\r\n" + CsvEncoder().row([text, Decimal("-1.50")])))
    assert rows == [{"a": text, "b": "'-1.50".removeprefix("'")}]
    raw = CsvEncoder().row([text]).decode().strip('"')
    assert not raw.startswith(("=", "+", "-", "@", "\t"))


@pytest.mark.parametrize(
    ("cell", "kind", "expected"),
    [
        (Decimal("9999999999999.99"), Kind.AMOUNT, Decimal("9999999999999.99")),
        (Decimal("10000000000000.01"), Kind.AMOUNT, "10000000000000.01"),
        (Decimal("8.00000000000001"), Kind.DECIMAL, Decimal("8.00000000000001")),
        (Decimal("-0.10"), Kind.AMOUNT, Decimal("-0.10")),
        (2**63 - 1, Kind.WHOLE, str(2**63 - 1)),
        (date(2026, 10, 5), Kind.DATE, Decimal(46300)),
        (date(1900, 2, 28), Kind.DATE, "1900-02-28"),
        ("x" * 40_000, Kind.TEXT, "x" * 32_000 + "…"),
        ("😀" * 20_000, Kind.TEXT, "😀" * 16_000 + "…"),
    ],
)
def test_a_cell_shows_the_exact_value(tmp_path: Path, cell: Any, kind: Kind, expected: object) -> None:
    """A number of more digits than Excel keeps is a text; a date is the day that Excel shows; a text too long says that it goes on."""
    table = XlsxTable(tmp_path / "x.xlsx", [Column("a", kind, 9)], title="t", scratch=tmp_path)
    table.add([cell])
    table.close()
    assert sheets(tmp_path / "x.xlsx") == [[{"a": expected}]]


def test_rows_beyond_a_sheet_go_on_in_the_next(tmp_path: Path) -> None:
    """No row is lost at a sheet's end, and each sheet has its head; the same rows make the same bytes."""
    for name in ("a", "b"):
        table = XlsxTable(tmp_path / name, [Column("n", Kind.WHOLE, 9)], title="t", scratch=tmp_path, rows_max=4)
        for number in range(7):
            table.add([number])
        table.close()
    assert [[row["n"] for row in sheet] for sheet in sheets(tmp_path / "a")] == [[0, 1, 2], [3, 4, 5], [6]]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def datev(documents: list[DocumentHead], **settings: Any) -> tuple[list[str], list[dict[str, str]], list[str]]:
    """A batch's head, its rows, and the rules of its faults."""
    made = DatevBatch(settings=parse_datev_settings(SETTINGS | settings))
    body, faults = io.BytesIO(), []
    for document in documents:
        rows, found = made.rows(document)
        body.writelines(rows)
        faults += [fault.rule for fault in found]
    return (*batch(made.head() + body.getvalue()), faults)


def test_a_batch_is_as_the_format_says() -> None:
    """31 terms in the head, its dates span the rows, 116 columns by name; amounts unsigned, the day as DDMM."""
    line, rows, faults = datev([head("R/1", issue_date=date(2026, 10, 5)), head("R/2", issue_date=date(2026, 2, 28))])
    assert not faults
    assert len(line) == 31
    assert line[:5] == ["EXTF", "700", "21", "Buchungsstapel", "7"]
    assert line[5] == "20260921141320123"
    assert line[10:17] == ["1001", "7", "20260101", "4", "20260228", "20261005", "faktura"]
    assert line[21] == "EUR"
    assert list(rows[0]) == COLUMNS[:116]
    assert (COLUMNS[115], len(set(COLUMNS))) == ("Datum Zuord. Steuerperiode", 125)
    wanted = {
        "Umsatz (ohne Soll/Haben-Kz)": "119,00", "Soll/Haben-Kennzeichen": "H", "WKZ Umsatz": "EUR", "Konto": "70000", "BU-Schlüssel": "9",
        "Gegenkonto (ohne BU-Schlüssel)": "4930", "Belegdatum": "0510", "Belegfeld 1": "R/1", "Buchungstext": "vps", "Festschreibung": "0",
    }  # fmt: skip
    assert {name: value for name, value in rows[0].items() if value} == wanted
    assert len(datev([head()], format_version=13)[1][0]) == 125


@pytest.mark.parametrize(
    ("terms", "settings", "expected"),
    [
        ({}, {}, ("70000", "4930", -11_900)),
        ({"type_code": TypeCode.CREDIT_NOTE}, {}, ("70000", "4930", 11_900)),
        ({}, {"direction": "outgoing"}, ("10000", "8400", 11_900)),
        ({"type_code": TypeCode.CREDIT_NOTE}, {"direction": "outgoing"}, ("10000", "8400", -11_900)),
        ({}, {"creditors": {"vps": 70001}, "expenses": {"vps/a": 4920, "vps": 4921}}, ("70001", "4920", -11_900)),
    ],
)  # fmt: skip
def test_accounts_and_signs_follow_direction_and_type(terms: dict[str, Any], settings: dict[str, Any], expected: tuple[str, str, int]) -> None:
    """What we owe is credit on the creditor's account, what is owed to us debit on the debtor's; a credit note turns it round."""
    _, (row,), faults = datev([head(**terms)], **settings)
    assert not faults
    assert (row["Konto"], row["Gegenkonto (ohne BU-Schlüssel)"], signed_minor(row)) == expected


def test_accounts_have_the_length_of_the_books() -> None:
    """A number has the leading zeros that its length asks for, and a personal account has one digit more."""
    wide = {"expense_account": "00930", "revenue_account": "08400", "creditor_account": 700_000, "debtor_account": "100000", "account_length": 5}
    line, (row,), _ = datev([head()], **wide)
    assert (line[13], row["Konto"], row["Gegenkonto (ohne BU-Schlüssel)"]) == ("5", "700000", "00930")


def test_gross_and_rate_are_enough() -> None:
    """A source that never says a net amount: a row has the gross amount, and the key says what of it is VAT."""
    _, (row,), faults = datev([head(total_without_vat_minor=None, vat_total_minor=None, vat_breakdown=(), vat_rate=Decimal(19))])
    assert not faults
    assert (signed_minor(row), row["BU-Schlüssel"]) == (-11_900, "9")


def test_each_direction_has_its_keys() -> None:
    """The same rate is input tax on one side of the books, and output tax on the other."""
    _, (row,), _ = datev([head()], direction="outgoing")
    assert row["BU-Schlüssel"] == "3"
    _, (row,), _ = datev([head()], direction="incoming")
    assert row["BU-Schlüssel"] == "9"


def test_an_empty_batch_is_of_its_fiscal_year() -> None:
    """Without rows, the head's dates lie within the year that it names."""
    batch = DatevBatch(settings=parse_datev_settings(SETTINGS | {"fiscal_year_begin": date(2026, 1, 1)}))
    line = batch.head(date(2023, 8, 1), date(2023, 8, 31)).decode("cp1252").splitlines()[0].split(";")
    assert (line[5][:4], line[14], line[15]) == ("2026", "20260101", "20260101")


def test_a_row_for_each_vat_group() -> None:
    """Groups come with their own keys, one that is negative with the other mark, one of nothing not at all; they add up to the total."""
    groups = [(VatCategory.STANDARD, 19, 10_000, 1_900), (VatCategory.STANDARD, 7, -100, -7), (VatCategory.ZERO, 0, 50, 0), (VatCategory.EXEMPT, 0, 0, 0)]
    broken = tuple(VatBreakdown(category=category, rate=Decimal(rate), taxable_amount_minor=net, tax_amount_minor=tax) for category, rate, net, tax in groups)
    _, rows, faults = datev([head(vat_breakdown=broken, total_without_vat_minor=9_950, vat_total_minor=1_893, total_with_vat_minor=11_843)])
    assert not faults
    assert [(signed_minor(row), row["BU-Schlüssel"]) for row in rows] == [(-11_900, "9"), (107, "8"), (-50, "")]
    abroad = (VatBreakdown(category=VatCategory.REVERSE_CHARGE, rate=Decimal(0), taxable_amount_minor=500, tax_amount_minor=0),)
    seller = Party(name="x", vat_id="BG 123456789")
    _, (row,), _ = datev([head(vat_breakdown=abroad, seller=seller, total_without_vat_minor=500, vat_total_minor=0, total_with_vat_minor=500, vat_rate=None)])
    assert (row["BU-Schlüssel"], row["EU-Land u. UStID"]) == ("94", "BG123456789")


@pytest.mark.parametrize(
    ("terms", "rules"),
    [
        ({"total_with_vat_minor": None}, ["DATEV-AMOUNTS"]),
        ({"vat_total_minor": None}, ["DATEV-AMOUNTS"]),
        ({"vat_total_minor": None, "total_without_vat_minor": None, "vat_rate": None, "vat_breakdown": ()}, ["DATEV-AMOUNTS"]),
        ({"total_with_vat_minor": 11_901}, ["DATEV-AMOUNTS"]),
        ({"total_without_vat_minor": 0, "vat_total_minor": 0, "total_with_vat_minor": 0}, ["DATEV-AMOUNTS"]),
        ({"total_without_vat_minor": 10**12, "total_with_vat_minor": 10**12 + 1_900}, ["DATEV-AMOUNTS"]),
        ({"vat_rate": None, "vat_total_minor": 1_234, "total_with_vat_minor": 11_234}, ["DATEV-AMOUNTS"]),
        ({"vat_rate": Decimal(21)}, ["DATEV-BU-KEY"]),
        ({"vat_rate": Decimal(7)}, ["DATEV-AMOUNTS"]),
        ({"issue_date": date(2025, 12, 31)}, ["DATEV-DATE"]),
        ({"issue_date": date(2027, 1, 1)}, ["DATEV-DATE"]),
        ({"currency": Currency("BGN")}, ["DATEV-CURRENCY"]),
        ({"type_code": None}, ["DATEV-TYPE"]),
        ({"type_code": TypeCode.PRO_FORMA}, ["DATEV-TYPE"]),
        ({"number": "Ф-1"}, ["DATEV-CHARACTERS"]),
        ({"number": "Ф-1", "currency": Currency("BGN"), "total_with_vat_minor": None}, ["DATEV-CURRENCY", "DATEV-CHARACTERS", "DATEV-AMOUNTS"]),
    ],
)
def test_what_datev_cannot_carry_is_told(terms: dict[str, Any], rules: list[str]) -> None:
    """Each reason is a fault of its own, and the document is in no row."""
    assert datev([head(**terms), head("good")])[1:] == (datev([head("good")])[1], rules)


def test_the_rate_is_found_where_only_the_amounts_tell() -> None:
    """A source that names net and gross only has the one rate of the settings that makes exactly this VAT."""
    _, (row,), faults = datev([head(vat_rate=None)])
    assert (row["BU-Schlüssel"], faults) == ("9", [])


def test_a_number_that_belegfeld_1_refuses_stands_beside() -> None:
    """Signs that the field does not know are dashes there, and the number as it is stands in the row's own remarks."""
    _, (row, long), _ = datev([head('Rech_n.1 "ä"'), head("9" * 40)])
    assert (row["Belegfeld 1"], row["Beleginfo - Art 1"], row["Beleginfo - Inhalt 1"]) == ("Rech-n-1----", "Rechnungsnummer", 'Rech_n.1 "ä"')
    assert (long["Belegfeld 1"], long["Beleginfo - Inhalt 1"]) == ("9" * 36, "9" * 40)


@given(documents=st.lists(heads, max_size=10), rate=st.sampled_from([Decimal(19), None]))
def test_a_batch_adds_up_to_what_it_took(documents: list[DocumentHead], rate: Decimal | None) -> None:
    """What rows put on creditors is the negative sum of the documents that were taken; every other one has a fault."""
    made = DatevBatch(settings=settings())
    total = 0
    for document in documents:
        rows, faults = made.rows(document)
        assert bool(rows) is not bool(faults)
        if rows:
            total += document.invoice.sign * (document.invoice.total_with_vat_minor or 0)
            (_, found) = batch(made.head() + b"".join(rows))
            total += sum(map(signed_minor, found))
    assert total == 0


def settings() -> DatevSettings:
    """Those of most tests."""
    return parse_datev_settings(SETTINGS)


def test_mistakes_of_the_settings_are_told_at_once() -> None:
    """Everything wrong with a settings file is a fault with its path."""
    wrong = {
        "client": 100_000, "fiscal_year_begin": "2026-01-01", "account_length": 9, "format_version": 8, "currency": "JPY", "direction": "up", "label": "ж",
        "expense_account": 12345, "creditors": {"vps": 1}, "debtors": 7, "bu_keys": {"x": 9, "19": "99999", "20.12345": 1, "-5": 1, "S": 1, "7": 8, "7.0": 9}, "colour": 1,
    }  # fmt: skip
    with pytest.raises(InvalidDocumentError) as error:
        parse_datev_settings(wrong)
    paths = {fault.path for fault in error.value.faults}
    assert paths == {*wrong, "consultant", "creditors.vps", "bu_keys.x", "bu_keys.19", "bu_keys.20.12345", "bu_keys.-5", "bu_keys.S", "bu_keys.7.0"} - {
        "creditors",
        "bu_keys",
    }


def test_a_shape_must_be_known_to_its_format() -> None:
    """Options that a format does not have are refused, and DATEV needs its settings."""
    for wrong in ({"form": Form.JSONL, "lines": True}, {"form": Form.XLSX, "excel": True}, {"form": Form.DATEV}, {"form": Form.CSV, "datev": settings()}):
        with pytest.raises(SettingError):
            Shape(**wrong)


def test_what_writes_spreadsheets_loads_where_it_is_used() -> None:
    """Neither the command nor the other formats load it."""
    import subprocess  # noqa: PLC0415 - only here

    code = "import sys, faktura.cli.exports; sys.exit('xlsxwriter' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_vat_of_a_line_is_told() -> None:
    """Category and rate of a line come with it."""
    line = InvoiceLine(
        name="n", quantity=Decimal(1), unit_price=Decimal(1), line_total_minor=100, net_amount_minor=100, vat=VatKey(VatCategory.STANDARD, Decimal(19))
    )
    (row,) = csv_rows(written(Shape(form=Form.CSV, lines=True), [head(lines=(line,), type_code=TypeCode.CREDIT_NOTE)])[0])
    assert (row["vat_category"], row["vat_rate"], row["line_total"], row["net_amount"]) == ("S", "19", "-1.00", "-1.00")
