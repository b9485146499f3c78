"""A document as PDF/A-3b: typeset by typst in this process, with the fonts that come along; the same bytes for the same document."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

import typst

from faktura.documents.facturx import make_hybrid, packed
from faktura.documents.pdf_content import content, logo_input
from faktura.documents.pdf_glyphs import FONTS
from faktura.documents.pdf_look import Look
from faktura.documents.pdf_texts import language_of
from faktura.domain.errors import FakturaError, SettingError
from faktura.domain.invoice import Invoice

__all__ = ["Look", "draw_logo", "render_pdf", "render_png"]

TEMPLATES = Path(__file__).parent / "templates"
INVOICE, LOGO = TEMPLATES / "invoice.typ", TEMPLATES / "logo.typ"
STANDARD: Final = "a-3b"

_turn = Lock()  # a compiler serves one thread at a time


def render_pdf(invoice: Invoice, *, language: str = "en", look: Look = Look(), facturx: bytes | None = None, is_test: bool = False) -> bytes:  # noqa: B008 - frozen
    """The document's PDF, with amounts as at issue; with `facturx`, its CII, the hybrid invoice that carries it.

    A document that lacks what a page must show is refused with InvalidDocumentError; an unknown language or an unusable logo with SettingError.
    """
    page = content(invoice, language=language_of(language), look=look, is_test=is_test)
    pdf = _typeset(page, invoice, has_logo=look.logo is not None, format="pdf", pdf_standards=STANDARD)
    return packed(pdf) if facturx is None else make_hybrid(pdf, cii=facturx, issue_date=invoice.issue_date)


def render_png(
    invoice: Invoice,
    *,
    language: str = "en",
    look: Look = Look(),  # noqa: B008 - frozen
    is_test: bool = False,
    ppi: int = 72,
) -> list[bytes]:
    """The same pages as pictures."""
    page = content(invoice, language=language_of(language), look=look, is_test=is_test)
    made = _typeset(page, invoice, has_logo=look.logo is not None, format="png", ppi=ppi)
    return made if isinstance(made, list) else [made]


def draw_logo(logo: bytes) -> None:
    """Draw a logo once, as pages will; SettingError, with the reason, where that cannot be done."""
    try:
        _compile({"logo": logo_input(logo)}, LOGO, format="pdf", pdf_standards=STANDARD, timestamp=datetime(2000, 1, 1, tzinfo=UTC))
    except typst.TypstError as error:
        message = f"the logo cannot be drawn: {error.message}"
        raise SettingError(message) from error


def _typeset(page: dict[str, Any], invoice: Invoice, *, has_logo: bool, **options: Any) -> Any:  # noqa: ANN401 - bytes, or a list of them for pictures
    issued = datetime(invoice.issue_date.year, invoice.issue_date.month, invoice.issue_date.day, tzinfo=UTC)
    try:
        return _compile(page, INVOICE, timestamp=issued, **options)
    except typst.TypstError as error:
        if has_logo and "image" in f"{error.message} {error.diagnostic}":
            message = f"the logo cannot be drawn: {error.message}"
            raise SettingError(message) from error
        message = f"document {invoice.number} could not be typeset: {error.message}"
        raise FakturaError(message) from error


def _compile(content: dict[str, Any], template: Path, **options: Any) -> Any:  # noqa: ANN401 - as above
    with _turn:
        return _own_compiler().compile(str(template), sys_inputs={"content": json.dumps(content, ensure_ascii=False)}, **options)


_home: list[int] = []


def _own_compiler() -> typst.Compiler:
    """This process's compiler. One that a fork brought along would wait forever for threads that stayed behind."""
    if not _home:
        _home.append(os.getpid())
    elif _home[0] != os.getpid():
        raise FakturaError("this process was forked from one that had made PDFs, and cannot make any: start it by spawn")
    return _compiler()


@cache
def _compiler() -> typst.Compiler:
    """Fonts are read once. No font of the machine is used."""
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])
    return typst.Compiler(str(INVOICE), root=str(TEMPLATES), font_paths=fonts)
