"""A document as PDF/A-3a and PDF/UA-1: typeset by typst with the fonts that come along; the same bytes for the same document."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import typst

from faktura.documents.facturx import make_hybrid, packed
from faktura.documents.pdf_compiler import INVOICE, STANDARD, compile_template
from faktura.documents.pdf_content import content, logo_input
from faktura.documents.pdf_look import Look
from faktura.documents.pdf_process import ROWS_MAX, TEXT_LENGTH_MAX, NoRoomError, TypesettingError, draw_apart, typeset_apart
from faktura.documents.pdf_texts import language_of
from faktura.domain.errors import FakturaError, InvalidDocumentError, SettingError, fault
from faktura.domain.invoice import Invoice

__all__ = ["Look", "draw_logo", "render_pdf", "render_png"]


def render_pdf(invoice: Invoice, *, language: str = "en", look: Look = Look(), facturx: bytes | None = None, is_test: bool = False) -> bytes:  # noqa: B008 - frozen
    """The document's PDF, with amounts as at issue; with `facturx`, its CII, the hybrid invoice that carries it.

    A document that lacks what a page must show is refused with InvalidDocumentError; an unknown language or an unusable logo with SettingError;
    a long one with LedgerBusyError while this process has another made.
    """
    page = content(invoice, language=language_of(language), look=look, is_test=is_test)
    pdf = _pdf(page, invoice, has_logo=look.logo is not None)
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
    made = _typeset(json.dumps(page, ensure_ascii=False), invoice, has_logo=look.logo is not None, format="png", ppi=ppi)
    return made if isinstance(made, list) else [made]


def draw_logo(logo: bytes) -> None:
    """Draw a logo once, as pages will; SettingError, with the reason, where that cannot be done. In a process of its own, which some drawings end."""
    try:
        draw_apart(json.dumps({"logo": logo_input(logo)}))
    except (NoRoomError, TypesettingError) as error:
        message = f"the logo cannot be drawn: {str(error).partition(chr(10))[0]}"
        raise SettingError(message) from error


def _pdf(page: dict[str, Any], invoice: Invoice, *, has_logo: bool) -> bytes:
    """Of a long document in a process of its own."""
    text = json.dumps(page, ensure_ascii=False)
    if len(page["rows"]) <= ROWS_MAX and len(text) <= TEXT_LENGTH_MAX:
        made: bytes = _typeset(text, invoice, has_logo=has_logo, format="pdf", pdf_standards=STANDARD)
        return made
    try:
        return typeset_apart(text, timestamp=int(_issued(invoice).timestamp()))
    except NoRoomError as error:
        raise InvalidDocumentError([fault("size", "lines", "take too much memory or time for pages; the e-invoice has them all")]) from error
    except TypesettingError as error:
        raise _refusal(invoice, str(error).partition("\n")[0], str(error), has_logo=has_logo) from error


def _typeset(text: str, invoice: Invoice, *, has_logo: bool, **options: Any) -> Any:  # noqa: ANN401 - bytes, or a list of them for pictures
    try:
        return compile_template(INVOICE, text, timestamp=_issued(invoice), **options)
    except typst.TypstError as error:
        raise _refusal(invoice, error.message, f"{error.message} {error.diagnostic}", has_logo=has_logo) from error


def _issued(invoice: Invoice) -> datetime:
    return datetime(invoice.issue_date.year, invoice.issue_date.month, invoice.issue_date.day, tzinfo=UTC)


def _refusal(invoice: Invoice, message: str, diagnostic: str, *, has_logo: bool) -> FakturaError:
    if has_logo and "image" in diagnostic:
        return SettingError(f"the logo cannot be drawn: {message}")
    return FakturaError(f"document {invoice.number} could not be typeset: {message}")
