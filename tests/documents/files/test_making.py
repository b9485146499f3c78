"""What is made, and what is refused before anything is kept."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import psutil
import pypdf
import pytest
from tests.documents.pdf.samples import BULGARIAN, document, long

from faktura.bootstrap.rendering import write_whole
from faktura.documents.handing_out import LackingError, file_name, make_xml
from faktura.documents.pdf import render_pdf
from faktura.documents.pdf_content import LINES_MAX
from faktura.documents.xml_invoice import parse
from faktura.domain.document_file import Form
from faktura.domain.errors import InvalidDocumentError
from faktura.domain.invoice import Invoice
from faktura.domain.party import Party

XML = [form for form in Form if not form.is_pdf]


def whole() -> Invoice:
    """With all that any profile wants of the parties."""
    invoice = document(BULGARIAN)
    seller = Party(
        name="Hosting OOD",
        street="Vitosha 15",
        city="Sofia",
        post_code="1000",
        country="BG",
        vat_id="BG175074752",
        registration_id="175074752",
        email="office@hosting.example",
        contact_name="Office",
        phone="+359 2 1234567",
        electronic_address="9926:BG175074752",
        iban="BG80BNBG96611020345678",
    )
    buyer = replace(seller, name="Muster GmbH", country="DE", vat_id="DE136695976", electronic_address="9930:DE136695976", buyer_reference="04011000-12345-34")
    return replace(invoice, seller=seller, buyer=replace(buyer, iban=None))


@pytest.mark.parametrize("form", XML)
def test_every_form_is_made_and_says_which_it_is(form: Form) -> None:
    """Peppol and XRechnung by their own identifiers."""
    made = parse(make_xml(whole(), form))
    assert made.left_out == ()
    word = {Form.XRECHNUNG: "xrechnung_3.0", Form.PEPPOL: "peppol.eu:2017:poacc:billing:3.0"}.get(form, "urn:cen.eu:en16931:2017")
    assert word in (made.specification_id or "")


@pytest.mark.parametrize("form", [*XML, Form.FACTURX])
def test_a_test_has_no_e_invoice(form: Form) -> None:
    """A program would pay it."""
    with pytest.raises(LackingError, match="is a test"):
        make_xml(whole(), form, is_test=True)


def test_what_official_rules_would_not_take_is_not_handed_out() -> None:
    """An issued document, too: its VAT id has no country in front, which no receiver takes. Odd check digits alone are no reason."""
    invoice = whole()
    assert invoice.seller
    with pytest.raises(LackingError, match="BR-CO-09"):
        make_xml(replace(invoice, seller=replace(invoice.seller, vat_id="175074752")), Form.UBL)
    assert make_xml(replace(invoice, seller=replace(invoice.seller, vat_id="BG123456789")), Form.UBL)


def test_characters_that_no_xml_has_are_refused() -> None:
    """In words, not by a crash."""
    invoice = whole()
    lines = tuple(replace(line, name="VPS\x0bx") for line in invoice.lines or ())
    with pytest.raises(LackingError):
        make_xml(replace(invoice, lines=lines), Form.CII)


def test_pages_say_when_it_was_supplied() -> None:
    """As the e-invoice does: the day of issue where neither a tax point nor periods say another."""
    invoice = document(long(1))
    bare = replace(
        invoice, tax_point_date=None, period=None, issue_date=date(2026, 3, 5), lines=tuple(replace(line, period=None) for line in invoice.lines or ())
    )
    said = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(render_pdf(bare, language="de"))).pages)
    assert "Leistungsdatum" in said
    assert said.count("05.03.2026") >= 2


def test_a_document_too_long_for_pages_is_refused() -> None:
    """Before memory and minutes are spent on it."""
    invoice = document(long(1))
    line = (invoice.lines or ())[0]
    many = replace(invoice, lines=tuple(replace(line, quantity=Decimal(1)) for _ in range(LINES_MAX + 1)))
    with pytest.raises(InvalidDocumentError, match=f"more than {LINES_MAX}"):
        render_pdf(many)


def test_long_numbers_keep_their_ids() -> None:
    """Two documents whose numbers begin alike have two files."""
    assert file_name("N" * 120 + "-1", Form.PDF, invoice_id=7) != file_name("N" * 120 + "-2", Form.PDF, invoice_id=8)


def test_a_link_and_a_device_stay_what_they_are(tmp_path: Path) -> None:
    """What stands behind a link is replaced, and not the link; a pipe takes the bytes."""
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", b"<Invoice/>")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"<Invoice/>"
    write_whole(Path("/dev/null"), b"<Invoice/>")
    assert Path("/dev/null").is_char_device()


@pytest.mark.only("sqlite")
def test_what_is_written_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New folders, the file before it takes its name, and the name itself are on the disk when it is told as written."""
    done: list[str] = []
    fsync, replaced = os.fsync, os.rename

    def watched(handle: int) -> None:
        fsync(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        done.append(f"sync {path.relative_to(tmp_path.parent)} {len(path.read_bytes()) if path.is_file() else '-'}")

    def renamed(path: Path, target: Path) -> Path:
        done.append(f"rename {target.name}")
        replaced(path, target)
        return target

    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(Path, "replace", renamed)
    write_whole(tmp_path / "a/b/x.xml", b"<Invoice/>")
    top = tmp_path.name
    assert done == [f"sync {top} -", f"sync {top}/a -", f"sync {top}/a/b/.x.xml.{os.getpid()} 10", "rename x.xml", f"sync {top}/a/b -"]


def test_a_worker_ends_with_its_command(tmp_path: Path) -> None:
    """A command that is killed leaves no process behind that keeps the ledger open."""
    script = "import time, os\nfrom concurrent.futures import ProcessPoolExecutor as P\nfrom multiprocessing import get_context as g\n"
    script += "from faktura.bootstrap.worker_process import begin_worker as b\n"
    script += "if __name__ == '__main__':\n    pool = P(1, mp_context=g('spawn'), initializer=b)\n    print(pool.submit(os.getpid).result(), flush=True)\n    time.sleep(60)\n"
    path = tmp_path / "command.py"
    path.write_text(script, encoding="utf-8")
    with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        worker = psutil.Process(int(command.stdout.readline()))
        command.kill()
        assert not psutil.wait_procs([worker], timeout=20)[1]
