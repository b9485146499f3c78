"""Rows of line-item CSV: kept as JSON, byte for byte as a JSON library writes them, whatever their cells and headers hold."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from faktura.documents.line_items import Layout, RowFault, read_rows, to_heard
from faktura.domain.money import Currency

HEADER = ["No%s", 'da"te', "quantity", "unit_price", "name\t", "%", "\\"]
CELLS = ["1", "2024-01-01", "2", "0.5", 'a "b"\\u0000 %d\x1f\x7f\u2028ж\U0001f4a1', "100%", "\\"]


def layout(**changes: str) -> Layout:
    """What the header's columns are."""
    columns = {"number": "No%s", "date": 'da"te', "quantity": "quantity", "unit_price": "unit_price", "name": "name"} | changes
    return Layout(columns=columns, currency=Currency("EUR"), zone="Europe/Sofia", account="demo")


def write(path: Path, *rows: list[str]) -> Path:
    """A file of rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_cells_are_kept_as_json_writes_them(tmp_path: Path) -> None:
    """Percent signs, quotes, control characters and a written-out NUL are only text; the source's bytes are one JSON document of them."""
    (row,) = read_rows(write(tmp_path / "a.csv", HEADER, CELLS), layout())
    assert not isinstance(row, RowFault), row
    cells = dict(zip([name.strip() for name in HEADER], CELLS, strict=True))
    assert row[-1] == json.dumps(cells, ensure_ascii=False)
    heard = to_heard([row[4:]], number="1", created_at_us=row[3], layout=layout(), seen_at_us=0)
    assert json.loads(heard.body)["rows"] == [cells]


def test_a_nul_is_a_fault(tmp_path: Path) -> None:
    """A NUL anywhere in a row is told, and its invoice is held back."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'"No%s","da""te",quantity,unit_price,name,%\n1,2024-01-01,1,1,a,\n2,2024-01-01,1,1,a\0b,\n')
    try:
        good, bad = read_rows(path, layout())
    except ValueError:  # csv of an older Python has its own words for it
        return
    assert not isinstance(good, RowFault)
    assert isinstance(bad, RowFault)
    assert bad.numbers == ("2",)
