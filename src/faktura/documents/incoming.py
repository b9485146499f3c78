"""E-invoices that come in: XML in either syntax, or a PDF that carries it. Read into what the ledger records, nothing dropped unsaid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from faktura.domain.calendar import midnight
from faktura.domain.errors import InputError
from faktura.domain.invoice import Invoice
from faktura.domain.party import Party, has_id, is_same_by_id, is_same_name
from faktura.domain.provider import Provider
from faktura.domain.recorded import Heard, SourceKind
from faktura.domain.text import shown

if TYPE_CHECKING:
    from faktura.documents.en16931 import Parsed

_PDF_STARTS_WITHIN = 1024
"""What may stand before a PDF's header (ISO 32000-1, annex H)."""

_ATTACHMENTS_TOLD_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A document as it came."""

    heard: Heard
    left_out: tuple[str, ...]
    """What of it only the original's bytes have: elements that were not understood, and terms that the ledger has no place for."""
    doubts: tuple[str, ...]
    """What in it does not agree with itself: it is kept as it says, since that is what was heard."""
    remarks: tuple[str, ...]
    """What a person should know before relying on it: whose it is, and whether it counts."""


def is_pdf(body: bytes) -> bool:
    """Whether bytes are a PDF's."""
    return b"%PDF-" in body[:_PDF_STARTS_WITHIN]


def xml_of(body: bytes) -> bytes:
    """The e-invoice itself; InputError for a PDF without one."""
    if not is_pdf(body):
        return body
    return _attached(body)[0]


def _attached(body: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The e-invoice in a PDF, and the names of the other files in it."""
    from faktura.documents.facturx import extract_xml  # noqa: PLC0415 - loads a PDF library

    found = extract_xml(body)
    if b"<" not in found.data:
        message = f"the PDF's attachment {found.name} is not XML"
        raise InputError(message)
    return found.data, found.others


def parse_xml(body: bytes) -> Parsed:
    """What an e-invoice says, whichever its syntax; InputError for what is none."""
    from faktura.documents.xml_invoice import parse  # noqa: PLC0415 - loads an XML library

    return parse(body)


def read_document(body: bytes, *, provider: Provider) -> Incoming:
    """The document in a file. Its instants follow from its issue date, so that the same file says the same whenever it is read.

    InputError for what cannot be read, and for another seller's document than the provider's; InvalidDocumentError for amounts that cannot be kept.
    """
    from faktura.documents.arithmetic import arithmetic_faults  # noqa: PLC0415
    from faktura.documents.heard_invoice import to_invoice  # noqa: PLC0415

    xml, others = _attached(body) if is_pdf(body) else (body, ())
    parsed = parse_xml(xml)
    created_at_us = midnight(parsed.document.issue_date, provider.zone)
    found = to_invoice(parsed.document, created_at_us=created_at_us)
    seller, ours = found.invoice.seller, provider.seller
    if seller is not None and seller.vat_id and ours.vat_id and not is_same_by_id(seller, ours):
        message = f"its seller has the VAT id {shown(seller.vat_id)}, the provider {provider.name} has {ours.vat_id}"
        raise InputError(message)
    remarks = [_identity_remark(seller, provider), _type_remark(found.invoice)]
    heard = Heard(invoice=found.invoice, standing=found.standing, kind=SourceKind.DOCUMENT, body=body, seen_at_us=created_at_us)
    attachments = [f"the attachment {shown(name)}" for name in others[:_ATTACHMENTS_TOLD_MAX]]
    if len(others) > len(attachments):
        attachments.append(f"{len(others) - len(attachments)} more attachments")
    doubts = tuple(str(item) for item in arithmetic_faults(parsed.document))
    return Incoming(heard=heard, left_out=(*parsed.left_out, *found.not_kept, *attachments), doubts=doubts, remarks=tuple(filter(None, remarks)))


def _type_remark(invoice: Invoice) -> str | None:
    """A corrected, prepayment or partial invoice may stand beside another that has its amounts, so no sum counts it unasked."""
    if invoice.type_code is not None:
        return None
    return f"its type {shown(invoice.source_type)} (BT-3) is none that the ledger counts: it is kept, and balances count it as unknown"


def _identity_remark(seller: Party | None, provider: Provider) -> str | None:
    """What a person should know where no identifier tells that a document is of the provider that it is taken in for."""
    if seller is None:
        return f"it names no seller: that it is {provider.name}'s is known of whoever imports it alone"
    is_same = is_same_by_id(seller, provider.seller)
    if is_same is not None:
        return None if is_same else f"its seller {shown(seller.name)} has another register number or tax number than the provider {provider.name}"
    name = "" if is_same_name(seller, provider.seller) else f", and it is not the provider's, {shown(provider.seller.name)}"
    if not has_id(seller):
        return f"its seller {shown(seller.name)} names no VAT id, register number or tax number: only the name tells who it is{name}"
    return f"no identifier tells whether its seller {shown(seller.name)} is the provider {provider.name}: only the name does{name}" if name else None
