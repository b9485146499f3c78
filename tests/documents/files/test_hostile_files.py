"""What senders and bookkeepers do to files: read as it means, or told in a line; and nothing that was there is lost."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.terminal import Terminal
from tests.documents.einvoice.sample import as_document
from tests.domain.sample import DRAFT

from faktura.bootstrap import imports
from faktura.documents import xml_invoice
from faktura.documents.e_invoice import to_e_invoice
from faktura.documents.en16931 import Profile, Syntax

TERMS = to_e_invoice(as_document(DRAFT), profile=Profile.EN16931)
UBL = xml_invoice.render(TERMS, syntax=Syntax.UBL).decode()
CII = xml_invoice.render(TERMS, syntax=Syntax.CII).decode()
NUMBER = "0000000007"

pytestmark = pytest.mark.only("sqlite")


def said_in(encoding: str, text: str = UBL) -> str:
    """The document with another encoding in its declaration."""
    return re.sub(r'encoding="[^"]*"|encoding=\'[^\']*\'', f'encoding="{encoding}"', text, count=1)


ALIKE: dict[str, bytes] = {
    "byte order mark": b"\xef\xbb\xbf" + UBL.encode(),
    "UTF-16": said_in("UTF-16").encode("utf-16"),
    "UTF-16 big-endian": ("\ufeff" + said_in("UTF-16")).encode("utf-16-be"),
    "UTF-16 that says UTF-8": UBL.encode("utf-16"),
    "Windows lines": UBL.replace("\n", "\r\n").encode(),
    "CDATA": UBL.replace(NUMBER, f"<![CDATA[{NUMBER}]]>").encode(),
    "a comment in a value": UBL.replace(NUMBER, f"{NUMBER[:4]}<!-- 1 -->{NUMBER[4:]}").encode(),
    "a processing instruction in a value": UBL.replace(NUMBER, f"{NUMBER[:4]}<?x 1?>{NUMBER[4:]}").encode(),
    "character references": UBL.replace(NUMBER, "".join(f"&#{ord(sign)};" for sign in NUMBER)).encode(),
    "space around values": UBL.replace(f">{NUMBER}<", f">\n\t {NUMBER} \u00a0<").encode(),
    "a plus": re.sub(r"(<cbc:PayableAmount[^>]*>)", r"\1+", UBL).encode(),
}


@pytest.mark.parametrize("body", ALIKE.values(), ids=ALIKE)
def test_however_it_is_written_it_says_the_same(body: bytes) -> None:
    """Encodings, and all that XML has to write one thing in several ways."""
    assert xml_invoice.parse(body).document == TERMS


REFUSED: dict[str, tuple[bytes, str]] = {
    "unknown.xml": (said_in("klingon").encode(), "is not XML: Unsupported encoding"),
    "latin.xml": (UBL.encode().replace(NUMBER.encode(), b"\xc4"), "is not XML: "),
    "entity.xml": (UBL.replace(NUMBER, "&nbsp;").encode(), "is not XML: Entity 'nbsp' not defined"),
    "two.xml": ((UBL + UBL).encode(), "is not XML: "),
    "control.xml": (UBL.replace(NUMBER, "&#1;").encode(), "is not XML: "),
    "html.xml": (b"<!DOCTYPE html><html/>", "document type declaration"),
    "zeros.xml": (bytes(1000), "is not XML"),
    "number.xml": (UBL.replace(NUMBER, "A B\tC").encode(), "number: is not a number of at most 255 printable characters"),
    "nobody.xml": (UBL.replace(NUMBER, " ").encode(), "lacks BT-1"),
    "infinite.xml": (re.sub(r"(<cbc:PayableAmount[^>]*>)[^<]*", r"\1INF", UBL).encode(), "'INF' is not a decimal number"),
    "arabic.xml": (re.sub(r"(<cbc:PayableAmount[^>]*>)[^<]*", r"\1٣", UBL).encode(), "is not a decimal number"),
    "yen.xml": (UBL.replace("EUR", "JPY").replace(">120.00<", ">120.50<").encode(), "has more than 0 decimals, which JPY does not know"),
    "lower.xml": (UBL.replace("EUR", "eur").encode(), "is not an ISO 4217 currency code"),
    "zoned.xml": (CII.replace(">20240925<", ">20240925+02:00<").encode(), "'20240925+02:00' is not a date such as 20240131"),
    "zoned-ubl.xml": (UBL.replace(">2024-09-25<", ">2024-09-25Z<").encode(), "'2024-09-25Z' is not a date such as 2024-09-25"),
    "early.xml": (UBL.replace(">2024-09-25<", ">0001-01-01<").encode(), "is outside the calendar"),
    "long.xml": (UBL.replace(NUMBER, "x" * 10_000_100, 1).encode(), "one text has more than 10 MB, which is not read"),
    "deep.xml": (b"<a>" * 300, "nested deeper than 255"),
    "named.pdf": (b"PK\3\4", "is not XML"),
}


def test_each_bad_file_is_told_and_the_good_ones_go_in(terminal: Terminal, tmp_path: Path) -> None:
    """A line each, that names the file and the reason in words of ours; what is a device or a folder, or is gone, too."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, (body, _) in REFUSED.items():
        (folder / name).write_bytes(body)
    for count, text in enumerate((UBL, UBL.replace("EUR", "KWD"), CII)):
        (folder / f"good{count}.xml").write_text(text.replace(NUMBER, f"GOOD-{count}"), "utf-8")
    (folder / "gone.xml").symlink_to(folder / "nowhere")
    (folder / "folder.xml").mkdir()
    said = terminal("import", folder, "--provider", "supplier", "--account", "us", "--json")
    summary = said.lines()[-1]["summary"]
    told = {name: line for line in said.err.splitlines() for name in [*REFUSED, "gone.xml", "folder.xml"] if f"/{name}: " in line}
    assert (said.code, summary["new"], sorted({*REFUSED, "gone.xml", "folder.xml"} - told.keys())) == (3, 3, [])
    for name, (_, reason) in REFUSED.items():
        assert reason in told[name], told[name]
    assert "No such file" in told["gone.xml"]
    assert "Is a directory" in told["folder.xml"]
    assert re.search(r"Traceback|0x[0-9a-f]{6}|HUGE|\\n", said.err) is None
    again = terminal("import", folder, "--provider", "supplier", "--account", "us", "--json").lines()[-1]["summary"]
    assert (again["new"], again["unchanged"]) == (0, 3)
    terminal.ok("verify")


def test_changes_print_what_is_in_utf_16(terminal: Terminal, tmp_path: Path) -> None:
    """As text that people read, beside the other version."""
    (tmp_path / "a.xml").write_bytes(UBL.encode())
    (tmp_path / "b.xml").write_bytes(said_in("UTF-16").replace(">София<", ">Варна<").encode("utf-16"))
    for name, code in (("a.xml", 0), ("b.xml", 3)):
        assert terminal("import", tmp_path / name, "--provider", "supplier", "--account", "us").code == code
    (told,) = terminal("changes", "--json").lines()
    assert "Варна" in told["heard"]
    assert told["kept"] == UBL
    assert told["heard"] == said_in("UTF-16").replace(">София<", ">Варна<")


def test_a_file_without_end_is_not_read_to_its_end(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device says that it has no bytes, and has bytes for ever."""
    monkeypatch.setattr(imports, "FILE_BYTES_MAX", 2**20)
    (tmp_path / "endless.xml").symlink_to("/dev/zero")
    said = terminal("import", tmp_path / "endless.xml", "--provider", "supplier", "--account", "us")
    assert said.code == 3
    assert "it has more than 1 MiB" in said.err


@pytest.mark.parametrize("code", ["384", "386", "389", "326", "ABC"])
def test_a_type_that_no_sum_counts_is_remarked(terminal: Terminal, tmp_path: Path, code: str) -> None:
    """Corrected, prepayment, self-billed and partial invoices are kept as what they are, and told: balances have them as unknown."""
    (tmp_path / "a.xml").write_text(UBL.replace("TypeCode>380<", f"TypeCode>{code}<"), "utf-8")
    said = terminal.ok("import", tmp_path / "a.xml", "--provider", "supplier", "--account", "us")
    assert f"its type '{code}' (BT-3) is none that the ledger counts" in said.err
    (balance,) = terminal.ok("account", "show", "supplier", "us", "--json").json()["balances"]
    assert (balance["due"], balance["unknown"]) == (0, 1)


def in_process(terminal: Terminal, *arguments: object, before: Callable[[], None] | None = None, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """A command in a process of its own."""
    environment = os.environ | {"FAKTURA_DATABASE": f"sqlite:///{terminal.database}"}
    words = [sys.executable, "-m", "faktura", *map(str, arguments)]
    return subprocess.Popen(words, stdout=stdout, stderr=subprocess.PIPE, env=environment, preexec_fn=before)  # noqa: PLW1509 - before it runs


def test_an_import_that_is_killed_goes_on_when_run_again(terminal: Terminal, tmp_path: Path) -> None:
    """While it waits for its second file: the ledger is whole; the next run takes in what is missing, and nothing twice."""
    (tmp_path / "a.xml").write_text(UBL, "utf-8")
    (tmp_path / "b.xml").write_text(UBL.replace(NUMBER, "B"), "utf-8")
    os.mkfifo(tmp_path / "slow.xml")
    words = ("import", tmp_path / "a.xml", tmp_path / "slow.xml", tmp_path / "b.xml", "--provider", "supplier", "--account", "us")
    with in_process(terminal, *words) as running, (tmp_path / "slow.xml").open("wb"):  # it has begun to read
        running.send_signal(signal.SIGKILL)
        running.wait()
    terminal.ok("verify")
    (tmp_path / "slow.xml").unlink()
    terminal.ok("import", tmp_path / "a.xml", tmp_path / "b.xml", "--provider", "supplier", "--account", "us")
    assert terminal.select("SELECT COUNT(*), COUNT(DISTINCT number) FROM invoice") == [(2, 2)]
    terminal.ok("verify")


def test_an_output_without_room_is_one_line(terminal: Terminal, tmp_path: Path) -> None:
    """Standard output, a device, and a file beyond the limit: what was there stays, and no part of a file is left."""
    (tmp_path / "a.xml").write_text(UBL.replace("</cbc:ID>", "</cbc:ID>" + " " * 600_000, 1), "utf-8")
    terminal.ok("import", tmp_path / "a.xml", "--provider", "supplier", "--account", "us")
    ((invoice_id,),) = terminal.select("SELECT invoice_id FROM invoice")
    out = tmp_path / "out"
    out.mkdir()
    (out / "x.xml").write_bytes(b"before")
    with (
        Path("/dev/full").open("wb") as full,
        in_process(terminal, "invoice", "render", invoice_id, "--as", "original", "-o", "-", stdout=full.fileno()) as running,
    ):
        assert running.communicate()[1] == b"faktura: standard output: No space left on device\n"
        assert running.returncode == 1
    assert "No space left" in terminal("invoice", "render", invoice_id, "--as", "original", "-o", "/dev/full").refused()

    def little() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    with in_process(terminal, "invoice", "render", invoice_id, "--as", "original", "-o", out / "x.xml", before=little) as running:
        assert b"x.xml was not written: File too large" in running.communicate()[1]
        assert running.returncode == 1
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {"x.xml": b"before"}
