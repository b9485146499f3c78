"""Documents as files: PDF and e-invoices. Routed as `/{id}/.pdf`, served as `/{id}.pdf`: see `management_mount` and `openapi`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from faktura.documents.handing_out import LANGUAGES, HandedOut, accepted_language, hand_out_file
from faktura.domain.document_file import Form
from faktura.domain.errors import fault
from faktura.server.file_requests import file_headers, is_known
from faktura.server.management.call import Call
from faktura.server.management.problem import BadRequestError

Language = Annotated[str | None, QueryParameter(name="language", max_length=8, description="bg, de or en; Accept-Language, where it is left out.")]


class InvoiceFiles(Controller):
    """What a customer gets. The XML that was handed out first is handed out for good; a PDF is made again."""

    path = "/invoices"
    tags = ("Invoices",)

    @get(
        "/{invoice_id:int}/.pdf",
        opt={"scope": "invoices:read", "file": Form.PDF},
        operation_id="getInvoicePdf",
        summary="A document as PDF",
    )
    async def get_pdf(self, call: NamedDependency[Call], invoice_id: FromPath[int], language: Language = None) -> Response[bytes]:
        """PDF/A-3a and PDF/UA-1, in the language asked for, or that of the seller's country. Amounts as at issue. Of pro-formas too."""
        return await _answer(call, invoice_id, Form.PDF, language)

    @get(
        "/{invoice_id:int}/.facturx.pdf",
        opt={"scope": "invoices:read", "file": Form.FACTURX},
        operation_id="getInvoiceFacturx",
        summary="A document as Factur-X (ZUGFeRD)",
    )
    async def get_facturx(self, call: NamedDependency[Call], invoice_id: FromPath[int], language: Language = None) -> Response[bytes]:
        """PDF/A-3 with the e-invoice in it."""
        return await _answer(call, invoice_id, Form.FACTURX, language)

    @get(
        "/{invoice_id:int}/.ubl.xml",
        opt={"scope": "invoices:read", "file": Form.UBL},
        operation_id="getInvoiceUbl",
        summary="A document as e-invoice in UBL",
    )
    async def get_ubl(self, call: NamedDependency[Call], invoice_id: FromPath[int]) -> Response[bytes]:
        """UBL 2.1 by EN 16931."""
        return await _answer(call, invoice_id, Form.UBL)

    @get(
        "/{invoice_id:int}/.cii.xml",
        opt={"scope": "invoices:read", "file": Form.CII},
        operation_id="getInvoiceCii",
        summary="A document as e-invoice in CII",
    )
    async def get_cii(self, call: NamedDependency[Call], invoice_id: FromPath[int]) -> Response[bytes]:
        """UN/CEFACT CII by EN 16931."""
        return await _answer(call, invoice_id, Form.CII)

    @get(
        "/{invoice_id:int}/.xrechnung.xml",
        opt={"scope": "invoices:read", "file": Form.XRECHNUNG},
        operation_id="getInvoiceXrechnung",
        summary="A document as XRechnung",
    )
    async def get_xrechnung(self, call: NamedDependency[Call], invoice_id: FromPath[int]) -> Response[bytes]:
        """XRechnung 3.0 in UBL."""
        return await _answer(call, invoice_id, Form.XRECHNUNG)

    @get(
        "/{invoice_id:int}/.peppol.xml",
        opt={"scope": "invoices:read", "file": Form.PEPPOL},
        operation_id="getInvoicePeppol",
        summary="A document for Peppol",
    )
    async def get_peppol(self, call: NamedDependency[Call], invoice_id: FromPath[int]) -> Response[bytes]:
        """Peppol BIS Billing 3 in UBL. Sending it is an access point's business."""
        return await _answer(call, invoice_id, Form.PEPPOL)

    @get(
        "/{invoice_id:int}/.original",
        opt={"scope": "invoices:read", "file": None},
        operation_id="getInvoiceOriginal",
        summary="The e-invoice that a document came as",
    )
    async def get_original(self, call: NamedDependency[Call], invoice_id: FromPath[int]) -> Response[bytes]:
        """XML, or a PDF that carries it, byte for byte as its seller sent it. A document that did not come as an e-invoice has none."""
        return await _answer(call, invoice_id, None)


async def _answer(call: Call, invoice_id: int, form: Form | None, language: str | None = None) -> Response[bytes]:
    if language is not None and language not in LANGUAGES:
        raise BadRequestError([fault("value", "language", f"must be one of {', '.join(LANGUAGES)}")])
    headers = call.request.headers
    spoken = language or accepted_language(headers.get("accept-language", ""))
    number, file = await call.request.app.state.renderer.run(partial(_file, call, invoice_id, form, spoken))
    given = call.known()
    made = {name.decode(): value.decode() for name, value in file_headers([], file, number=number)}
    media_type = made.pop("content-type")
    if given and is_known(file.sha256, given):
        return Response(b"", status_code=304, headers=made)
    return Response(file.body, media_type=media_type, headers=made)


def _file(call: Call, invoice_id: int, form: Form | None, language: str | None) -> tuple[str, HandedOut]:
    with call.books.storage.reading() as tx:
        invoice, account = call.invoice(tx, invoice_id)
    made = hand_out_file(call.books, account_id=account.id, invoice_id=invoice.id, form=form, language=language, is_written=not call.is_head)
    return invoice.number, made


def describe(operation: dict[str, Any], form: Form | None) -> None:
    """What the framework cannot know of an answer that is a document's file: in a form, or without one as it came."""
    kinds: dict[str, dict[str, Any]] = {"application/pdf": {"type": "string", "format": "binary"}, "application/xml": {"type": "string"}}
    content = {name: {"schema": kind} for name, kind in kinds.items() if form is None or form.media_type == name}
    name = {"description": "The file's name, made of the document's number (RFC 6266).", "required": True, "schema": {"type": "string"}}
    language = {"description": "The language of its pages.", "required": True, "schema": {"type": "string", "enum": list(LANGUAGES)}}
    headers = {"Content-Disposition": name} | ({"Content-Language": language} if form and form.is_pdf else {})
    _describe(operation, content, headers)


def describe_picture(operation: dict[str, Any], media_types: Iterable[str]) -> None:
    """The same of one that is a picture."""
    _describe(operation, {kind: {"schema": {"type": "string", "format": "binary"}} for kind in media_types}, {})


def _describe(operation: dict[str, Any], content: dict[str, Any], headers: dict[str, Any]) -> None:
    tag = {"description": "Its SHA-256: the same bytes, the same tag.", "required": True, "schema": {"type": "string", "pattern": '^"[0-9a-f]{64}"$'}}
    operation["responses"]["200"] |= {"content": content, "headers": {"ETag": tag, **headers}}
    operation["responses"]["304"] = {"description": "The caller has these bytes.", "headers": {"ETag": tag}}
    operation.setdefault("parameters", []).append(_IF_NONE_MATCH)


_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the bytes that you have; 304 where they are still those.",
    "schema": {"type": "string"},
}
