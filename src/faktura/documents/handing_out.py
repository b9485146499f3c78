"""A document of the ledger as a file: made where nobody was handed it before. What makes files is loaded when one is made."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from faktura.documents.incoming import is_pdf
from faktura.documents.pdf_look import ACCENT, Look
from faktura.domain.document_file import FACTURX_XML, ORIGINAL, DocumentFile, Form, Original
from faktura.domain.errors import ConflictError, Fault, InvalidDocumentError, NotFoundError, SettingError, fault
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.provider import Provider
from faktura.domain.recorded import SourceKind
from faktura.ledger.handing_out import hand_out
from faktura.ledger.ports import Books, Transaction

if TYPE_CHECKING:
    from faktura.documents.en16931 import Profile, Syntax

LANGUAGES = ("bg", "de", "en")
"""Of PDFs."""
_OF_COUNTRY = {"BG": "bg", "DE": "de", "AT": "de"}
_OTHERWISE = "en"
_FILENAME_LENGTH_MAX = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_RANGE = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?\Z")


class LackingError(ConflictError):
    """The document cannot be handed out in this form; `faults` lists what it lacks."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(str(item) for item in self.faults))


def hand_out_as(books: Books, *, account_id: int, invoice_id: int, form: Form, language: str | None = None, is_written: bool = True) -> DocumentFile:
    """The file of a document, with its bytes; written down where they are handed out for the first time.

    The language is of PDFs alone, and without one it is that of the seller's country. Raises LackingError for a document
    that has not all that the form needs, NotFoundError for one that the account has not. Not `is_written` only tells what would be handed out.
    """
    with books.storage.reading() as tx:
        invoice, account = tx.invoices.get(account_id, invoice_id), tx.accounts.get(account_id)
        if invoice is None or account is None:
            raise NotFoundError
        provider = tx.providers.get(account.provider_id)
        kept = FACTURX_XML if form is Form.FACTURX else form.value
        is_anothers = invoice.origin is Origin.RECORDED and form is not Form.PDF and tx.files.original(account_id, invoice_id) is not None
        is_refused = is_anothers and tx.files.kept(account_id, invoice_id, kept) is None  # what was handed out once is, for good
    if is_refused:
        message = "came as an e-invoice of its seller's, and nobody else may write another with other terms: ask for its original"
        raise LackingError([fault("original", "document", message)])

    def hand(stored: str, make: Callable[[], bytes]) -> DocumentFile:
        return hand_out(books, account_id=account_id, invoice_id=invoice_id, form=stored, make=make, is_written=is_written)

    if not form.is_pdf:
        return hand(form.value, lambda: make_xml(invoice, form, is_test=provider.is_test))
    spoken = language or default_language(invoice)
    xml = None
    if form is Form.FACTURX:
        xml = hand(FACTURX_XML, lambda: make_xml(invoice, form, is_test=provider.is_test)).body
    return hand(stored_form(form, spoken), lambda: make_pdf(invoice, provider, language=spoken, facturx=xml))


class HandedOut(NamedTuple):
    """A file that goes to whoever asked."""

    ending: str
    """How its name ends."""
    body: bytes
    sha256: bytes
    language: str | None = None
    """Of a PDF's pages that were made here."""


def hand_out_file(books: Books, *, account_id: int, invoice_id: int, form: Form | None, language: str | None = None, is_written: bool = True) -> HandedOut:
    """A form of a document, or without one its original. Raises as they do."""
    if form is None:
        original = hand_out_original(books, account_id=account_id, invoice_id=invoice_id)
        return HandedOut(original_ending(original.body), original.body, original.sha256)
    file = hand_out_as(books, account_id=account_id, invoice_id=invoice_id, form=form, language=language, is_written=is_written)
    return HandedOut(form.value, file.body or b"", file.sha256, file.form.rpartition(".")[2] if form.is_pdf else None)


def hand_out_original(books: Books, *, account_id: int, invoice_id: int) -> Original:
    """The file that a document came as, byte for byte.

    Raises LackingError for a document that did not come as an e-invoice, NotFoundError for one that the account has not.
    """
    with books.storage.reading() as tx:
        invoice = tx.invoices.get(account_id, invoice_id)
        if invoice is None:
            raise NotFoundError
        found = tx.files.original(account_id, invoice_id) if invoice.origin is Origin.RECORDED else None
        came = found is None and invoice.origin is Origin.RECORDED and _came(tx, account_id, invoice_id)
    if found is not None:
        return found
    if came:
        message = "is not known: the e-invoice that came under its number has another seller, type or total, and may be another document"
    elif invoice.origin is Origin.RECORDED:
        message = "is not there: the document was read from another system, and did not come as an e-invoice"
    else:
        message = "is not there: the document was issued here, and did not come from elsewhere"
    raise LackingError([fault("original", "original", message)])


def _came(tx: Transaction, account_id: int, invoice_id: int) -> bool:
    return any(source.kind is SourceKind.DOCUMENT for source in tx.sources.known(account_id, invoice_id))


def original_ending(body: bytes) -> str:
    """How the name of an original ends."""
    return f"{ORIGINAL}.{'pdf' if is_pdf(body) else 'xml'}"


def stored_form(form: Form, language: str | None) -> str:
    """What the ledger keeps a file under."""
    return f"{form.value}.{language}" if form.is_pdf else form.value


def make_xml(invoice: Invoice, form: Form, *, is_test: bool = False) -> bytes:
    """The e-invoice of a document; LackingError with all that it lacks, or for a test's: no program would see that it is none to be paid."""
    from faktura.documents.en16931 import Profile, Syntax  # noqa: PLC0415 - loads an XML library

    kinds = {
        Form.UBL: (Profile.EN16931, Syntax.UBL),
        Form.CII: (Profile.EN16931, Syntax.CII),
        Form.XRECHNUNG: (Profile.XRECHNUNG, Syntax.UBL),
        Form.PEPPOL: (Profile.PEPPOL, Syntax.UBL),
        Form.FACTURX: (Profile.FACTURX, Syntax.CII),
    }
    if is_test:
        raise LackingError([fault("test", "provider", "is a test: a program would take its e-invoice for one to be paid; it has a PDF, which says so")])
    if invoice.type_code is TypeCode.PRO_FORMA:
        raise LackingError([fault("BR-CL-01", "type_code", "a pro-forma is no invoice, so there is no e-invoice of it; it has a PDF")])
    return _rendered(invoice, *kinds[form])


def profile_xml(invoice: Invoice, profile: str) -> bytes:
    """The e-invoice that a profile's rules look at, in its usual syntax; LackingError with what keeps the document from being one."""
    from faktura.documents.en16931 import Profile  # noqa: PLC0415 - only providers who ask for it wait for it

    return _rendered(invoice, Profile(profile), Profile(profile).syntaxes[0])


def _rendered(invoice: Invoice, profile: Profile, syntax: Syntax) -> bytes:
    """Where no term lacks, and sums and identifiers are right. What is only doubtful keeps nothing back: a VAT id that its country issued is good."""
    from faktura.documents.arithmetic import DOUBTFUL, arithmetic_faults  # noqa: PLC0415 - as above
    from faktura.documents.e_invoice import to_e_invoice  # noqa: PLC0415
    from faktura.documents.requirements import required_faults  # noqa: PLC0415
    from faktura.documents.xml_invoice import render  # noqa: PLC0415

    try:
        document = to_e_invoice(invoice, profile=profile)
        faults = [*required_faults(document, profile), *(item for item in arithmetic_faults(document) if item.rule not in DOUBTFUL)]
        if faults:
            raise LackingError(faults)
        return render(document, syntax=syntax, profile=profile)
    except InvalidDocumentError as error:  # also characters that no XML has
        raise LackingError(error.faults) from error


def make_pdf(invoice: Invoice, provider: Provider, *, language: str, facturx: bytes | None = None) -> bytes:
    """The document as people read it; LackingError where it has not what a page shows."""
    from faktura.documents.pdf import render_pdf  # noqa: PLC0415 - loads a typesetter

    try:
        try:
            return render_pdf(invoice, language=language, look=look_of(provider), facturx=facturx, is_test=provider.is_test)
        except SettingError:
            if provider.logo is None:
                raise
            # A logo that another release took and this one cannot draw: its customers have their documents all the same.
            look = look_of(replace(provider, logo=None))
            return render_pdf(invoice, language=language, look=look, facturx=facturx, is_test=provider.is_test)
    except InvalidDocumentError as error:
        raise LackingError(error.faults) from error


def look_of(provider: Provider) -> Look:
    """How the provider's PDFs look; SettingError where its settings cannot be used."""
    return Look(accent=provider.accent or ACCENT, footer=provider.footer, logo=provider.logo)


def check_look(*, accent: str | None = None, footer: str | None = None, logo: bytes | None = None) -> None:
    """SettingError for what PDFs cannot look like, before it is a setting; a logo is drawn once for it. None is not asked about."""
    Look(accent=ACCENT if accent is None else accent, footer=footer, logo=logo)
    if logo is not None:
        from faktura.documents.pdf import draw_logo  # noqa: PLC0415 - loads a typesetter

        draw_logo(logo)


def default_language(invoice: Invoice) -> str:
    """That of the seller's country."""
    return _OF_COUNTRY.get((invoice.seller.country if invoice.seller else None) or "", _OTHERWISE)


def accepted_language(header: str) -> str | None:
    """The language of ours that an Accept-Language likes best (RFC 9110, 12.5.4); None where it names none."""
    liked: dict[str, int] = {}
    for item in header.split(",")[:20]:
        found = _RANGE.match(item)
        name = found.group(1).lower() if found else ""
        if found and name in LANGUAGES:
            thousandths = int((found.group(2) or "1").replace(".", "").ljust(4, "0")[:4])
            liked[name] = max(liked.get(name, 0), thousandths)
    best = max(liked, key=lambda name: liked[name], default=None)
    return best if best is not None and liked[best] else None


def file_name(number: str, ending: str, *, invoice_id: int | None = None) -> str:
    """A name that is safe in a folder and a header, made of the document's number, and of its id where that shall tell it from others: ASCII, without a path.

    It ends with a form, or as an original does.
    """
    plain = unicodedata.normalize("NFKD", number).encode("ascii", "ignore").decode()
    stem = _UNSAFE.sub("-", plain).strip("-.")[:_FILENAME_LENGTH_MAX] or "document"
    return f"{stem}{'' if invoice_id is None else f'_{invoice_id}'}.{ending}"


def disposition(number: str, ending: str) -> str:
    """Content-Disposition of a file (RFC 6266); a number that is not ASCII, or unsafe, is told in full as RFC 8187 writes it."""
    safe = file_name(number, ending)
    exact = f"{number.translate({ord('/'): '-', ord(chr(92)): '-'})[:_FILENAME_LENGTH_MAX]}.{ending}"
    return f'attachment; filename="{safe}"' + ("" if exact == safe else f"; filename*=UTF-8''{quote(exact, safe='')}")
