"""Long documents are typeset apart: the same bytes, one at a time, within bounds."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from tests.documents.pdf.samples import document, long

from faktura.documents import pdf_process
from faktura.documents.facturx import packed
from faktura.documents.pdf import Look, render_pdf
from faktura.documents.pdf_compiler import INVOICE, STANDARD, compile_template
from faktura.documents.pdf_content import content
from faktura.domain.errors import FakturaError, InvalidDocumentError, LedgerBusyError, SettingError

LONG = document(long(pdf_process.ROWS_MAX + 1))


def test_a_long_document_is_the_bytes_it_would_be_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever lies in the folder where it is made, and with an accent that is not ASCII nowhere lost."""
    (tmp_path / "json.py").write_text("raise SystemExit(7)")
    (tmp_path / "typst.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    page = json.dumps(content(LONG, language="bg", look=Look(footer="Хостинг"), is_test=False))
    here = compile_template(INVOICE, page, timestamp=datetime(2026, 10, 31, tzinfo=UTC), format="pdf", pdf_standards=STANDARD)
    assert render_pdf(LONG, language="bg", look=Look(footer="Хостинг")) == packed(here)


def test_one_is_made_at_a_time() -> None:
    """Another is told to come back, and short ones are made; afterwards its turn has come."""
    with pdf_process._turn:
        with pytest.raises(LedgerBusyError, match="try again"):
            render_pdf(LONG)
        assert render_pdf(document(long(1))).startswith(b"%PDF")
    assert render_pdf(LONG).startswith(b"%PDF")


def test_this_process_does_not_grow_with_them() -> None:
    """What a document took went with its process; typesetting two of them here would keep more than 80 MiB."""
    render_pdf(document(long(1)))
    invoice = document(long(300))
    before = psutil.Process().memory_info().rss
    for number in range(2):
        render_pdf(replace(invoice, number=f"{number}"))
    assert psutil.Process().memory_info().rss - before < 50 * 2**20


def test_what_takes_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory and time are bounded, and a process that was killed for them leaves the turn to the next."""
    monkeypatch.setattr(pdf_process, "MEMORY_BYTES_MAX", 200 * 2**20)
    with pytest.raises(InvalidDocumentError, match="the e-invoice has them all"):
        render_pdf(document(long(1500)))
    monkeypatch.setattr(pdf_process, "MEMORY_BYTES_MAX", 2**30)
    with monkeypatch.context() as patch:
        patch.setattr(pdf_process, "SECONDS_MAX", 0.01)
        with pytest.raises(InvalidDocumentError, match="too much memory or time"):
            render_pdf(LONG)
    assert render_pdf(LONG).startswith(b"%PDF")


def test_a_machine_short_of_memory_takes_one_document_and_nothing_else() -> None:
    """What is killed was too large, and the next has its turn."""
    with ThreadPoolExecutor(1) as threads:
        made = threads.submit(render_pdf, document(long(3000)))
        while not (children := [child for child in psutil.Process().children() if "faktura.documents.pdf_process" in child.cmdline()]):
            assert not made.done(), made.exception()
        children[0].kill()
        with pytest.raises(InvalidDocumentError, match="too much memory"):
            made.result()
    assert render_pdf(LONG).startswith(b"%PDF")


def test_what_cannot_be_drawn_is_told_from_what_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logo is a setting's fault; anything else is ours."""
    damaged = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x10\x08\x06" + b"\x00" * 20
    with pytest.raises(SettingError, match="the logo cannot be drawn"):
        render_pdf(LONG, look=Look(logo=damaged))
    monkeypatch.setattr(pdf_process, "MEMORY_BYTES_MAX", 2**20)
    with pytest.raises(FakturaError):
        render_pdf(LONG)
