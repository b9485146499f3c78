"""Reads spreadsheets and DATEV batches back, without any code of ours or of what wrote them."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ESCAPED = re.compile(r"_x([0-9A-F]{4})_")


def sheets(path: Path) -> list[list[dict[str, str | Decimal]]]:
    """Each sheet's rows below its head, by the head's names; a number is a Decimal, an empty cell is not there."""
    with zipfile.ZipFile(path) as book:
        names = sorted((name for name in book.namelist() if name.startswith("xl/worksheets/sheet")), key=lambda name: (len(name), name))
        return [_rows(ET.fromstring(book.read(name))) for name in names]  # noqa: S314 - we wrote it


def _rows(sheet: ET.Element) -> list[dict[str, str | Decimal]]:
    rows = [{re.sub(r"\d", "", cell.attrib["r"]): _value(cell) for cell in row.iter(f"{_MAIN}c")} for row in sheet.iter(f"{_MAIN}row")]
    return [{str(rows[0][place]): value for place, value in row.items()} for row in rows[1:]]


def _value(cell: ET.Element) -> str | Decimal:
    assert cell.find(f"{_MAIN}f") is None, "a formula"
    if cell.get("t") == "inlineStr":
        text = "".join(part.text or "" for part in cell.iter(f"{_MAIN}t"))
        return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text)
    return Decimal(cell.findtext(f"{_MAIN}v") or "")


def csv_rows(body: bytes, *, excel: bool = False) -> list[dict[str, str]]:
    """The rows of a CSV file by its head's names, without the apostrophe that stands before what looks like a formula."""
    text = body.decode("utf-8-sig" if excel else "utf-8")
    head, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=";" if excel else ",", strict=True)
    assert all(len(row) == len(head) for row in rows)
    return [{name: re.sub(r"\A'(?='*[=+\-@\t\r\n])", "", cell) for name, cell in zip(head, row, strict=True)} for row in rows]


def batch(body: bytes) -> tuple[list[str], list[dict[str, str]]]:
    """The head of a DATEV batch, and its rows by the names of their columns."""
    assert body.endswith(b"\r\n")
    head, names, *rows = csv.reader(io.StringIO(body.decode("cp1252"), newline=""), delimiter=";", strict=True)
    assert body.count(b"\r\n") == body.count(b"\n") == len(rows) + 2
    assert all(len(row) == len(names) for row in rows)
    return head, [dict(zip(names, row, strict=True)) for row in rows]


def signed_minor(row: dict[str, str]) -> int:
    """What a row puts on its `Konto`, in cents: debit is positive."""
    cents = int(row["Umsatz (ohne Soll/Haben-Kz)"].replace(",", ""))
    return cents if row["Soll/Haben-Kennzeichen"] == "S" else -cents
