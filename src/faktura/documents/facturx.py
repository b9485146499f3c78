"""Factur-X and ZUGFeRD: an invoice's CII inside its PDF/A-3, made and taken out."""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass
from datetime import date

import pikepdf
from lxml import etree
from pikepdf.settings import set_qpdf_limits

from faktura.domain.errors import InputError

FILE_NAME = "factur-x.xml"
CONFORMANCE_LEVEL = "EN 16931"
PDF_BYTES_MAX = 32 * 2**20
XML_BYTES_MAX = 16 * 2**20

_STREAM = re.compile(r"(stream )?<[^<>]* object at 0x[0-9a-f]+>:? ?")
_E_INVOICES_MAX = 3
_UNPACKED_BYTES_MAX = 4 * 2**20
_ATTACHMENTS_MAX = 1000
_NAMES = ("factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml")
"""Of Factur-X and ZUGFeRD 2.1, of ZUGFeRD 1 and 2.0 (in either case), of the profile XRECHNUNG."""

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_EXTENSION = "http://www.aiim.org/pdfa/ns/extension/"
_FX = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_FX_FAMILIES = ("urn:factur-x:", "urn:zugferd:", "urn:ferd:")
_SCHEMA = f"""
<rdf:li xmlns:rdf="{_RDF}" xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#"
  rdf:parseType="Resource"><pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema><pdfaSchema:namespaceURI>{_FX}</pdfaSchema:namespaceURI>
  <pdfaSchema:prefix>fx</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq>%s</rdf:Seq></pdfaSchema:property></rdf:li>
"""
_PROPERTY = """<rdf:li rdf:parseType="Resource"><pdfaProperty:name>%s</pdfaProperty:name><pdfaProperty:valueType>Text</pdfaProperty:valueType>
  <pdfaProperty:category>external</pdfaProperty:category><pdfaProperty:description>%s</pdfaProperty:description></rdf:li>
"""
_PROPERTIES = {
    "DocumentFileName": "The name of the embedded XML document",
    "DocumentType": "The type of the hybrid document in capital letters, e.g. INVOICE or ORDER",
    "Version": "The actual version of the standard applying to the embedded XML document",
    "ConformanceLevel": "The conformance level of the embedded XML document",
}


def make_hybrid(pdf: bytes, *, cii: bytes, issue_date: date, conformance_level: str = CONFORMANCE_LEVEL) -> bytes:
    """The PDF/A-3 with the invoice's CII attached as `factur-x.xml` and told of in its metadata; the same bytes for the same input."""
    stamp = f"D:{issue_date:%Y%m%d}000000Z"
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        spec = pikepdf.AttachedFileSpec(
            opened,
            cii,
            filename=FILE_NAME,
            mime_type="text/xml",
            description="Factur-X invoice",
            creation_date=stamp,
            mod_date=stamp,
        )
        spec.obj.AFRelationship = pikepdf.Name.Alternative  # what Factur-X asks for where the XML says all that the pages say
        opened.attachments[FILE_NAME] = spec
        opened.Root.AF = pikepdf.Array([spec.obj])
        metadata = opened.Root.Metadata
        metadata.write(_with_facturx(metadata.read_bytes(), conformance_level))
        return _saved(opened)


def packed(pdf: bytes) -> bytes:
    """The same PDF with its many small objects packed into streams: half the size of a page, a fifth of a long document's."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return _saved(opened)


def _saved(opened: pikepdf.Pdf) -> bytes:
    out = io.BytesIO()
    opened.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return out.getvalue()


def _with_facturx(xmp: bytes, conformance_level: str) -> bytes:
    """The metadata with Factur-X's four properties, and their schema in the one bag of schemas: a second bag would be invalid."""
    root = etree.fromstring(xmp, _parser())
    rdf = root if root.tag == f"{{{_RDF}}}RDF" else root.find(f".//{{{_RDF}}}RDF")
    if rdf is None:
        raise InputError("the PDF's metadata are no XMP")
    description = etree.SubElement(rdf, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""}, nsmap={"fx": _FX})
    values = {"DocumentType": "INVOICE", "DocumentFileName": FILE_NAME, "Version": "1.0", "ConformanceLevel": conformance_level}
    for name, value in values.items():
        etree.SubElement(description, f"{{{_FX}}}{name}").text = value
    bag = rdf.find(f".//{{{_EXTENSION}}}schemas/{{{_RDF}}}Bag")
    if bag is None:
        holder = etree.SubElement(rdf, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""}, nsmap={"pdfaExtension": _EXTENSION})
        bag = etree.SubElement(etree.SubElement(holder, f"{{{_EXTENSION}}}schemas"), f"{{{_RDF}}}Bag")
    bag.append(etree.fromstring(_SCHEMA % "".join(_PROPERTY % item for item in _PROPERTIES.items()), _parser()))
    body: bytes = etree.tostring(root, encoding="utf-8")
    return b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n' + body + b'\n<?xpacket end="w"?>'


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """The invoice that a hybrid PDF carries."""

    name: str
    """The file's name in the PDF, such as factur-x.xml."""
    data: bytes
    conformance_level: str | None
    """As the PDF's metadata say, such as EN 16931; None where they do not."""
    others: tuple[str, ...] = ()
    """Names of the other files in the PDF."""


def extract_xml(pdf: bytes) -> Attachment:
    """The e-invoice that a hybrid PDF carries; InputError, with the reason, where there is none or the PDF cannot be read within bounds."""
    if len(pdf) > PDF_BYTES_MAX:
        message = f"the PDF has more than {PDF_BYTES_MAX // 2**20} MiB"
        raise InputError(message)
    set_qpdf_limits(flate_max_memory=_UNPACKED_BYTES_MAX)  # of what qpdf itself unpacks: object and cross-reference streams
    try:
        with pikepdf.open(io.BytesIO(pdf), attempt_recovery=False) as opened:
            return _attachment(opened)
    except pikepdf.PasswordError as error:
        raise InputError("the PDF is encrypted and asks for a password; save it without one") from error
    except pikepdf.PdfError as error:
        message = f"this is no PDF that can be read: {_reason(error)}"
        raise InputError(message) from error
    except (pikepdf.DependencyError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, RecursionError, OverflowError) as error:
        raise InputError("this is no PDF that can be read: what it is made of does not fit together") from error


def _reason(error: Exception) -> str:
    """In words: the library names the stream that it read by its place in memory."""
    said = _STREAM.sub("", str(error)).strip()
    if "startxref" in said:
        return "its end is missing or damaged, as of a file that was cut off"
    return said[:200] or "it is damaged"


def _attachment(opened: pikepdf.Pdf) -> Attachment:
    found: list[tuple[str, pikepdf.AttachedFileSpec]] = []
    names = []
    for count, (name, spec) in enumerate(opened.attachments.items()):
        if count >= _ATTACHMENTS_MAX:
            message = f"the PDF has more than {_ATTACHMENTS_MAX} attachments"
            raise InputError(message)
        written = spec.filename or name  # the tree's key may be anything
        names.append(written)
        if written.casefold() in _NAMES:
            found.append((written, spec))
    if not found:
        message = f"the PDF carries no e-invoice: no attachment is named {', '.join(_NAMES)}"
        raise InputError(message)
    told = _metadata(opened)
    chosen = [item for item in found if item[0].casefold() == told.get("DocumentFileName", "").casefold()] or found
    bodies = {_unpacked(spec.get_file().obj, XML_BYTES_MAX) for _, spec in chosen[:_E_INVOICES_MAX]}
    if len(bodies) > 1 or len(chosen) > _E_INVOICES_MAX:
        message = f"the PDF carries several e-invoices and does not say which holds: {', '.join(name for name, _ in chosen[:10])}"
        raise InputError(message)
    name = chosen[0][0]
    names.remove(name)
    return Attachment(name=name, data=bodies.pop(), conformance_level=told.get("ConformanceLevel"), others=tuple(names))


def _unpacked(stream: pikepdf.Object, bytes_max: int) -> bytes:
    """A stream's bytes, never more than so many: a small file may unpack to any size."""
    filters = stream.get("/Filter")
    names = [str(name) for name in filters] if isinstance(filters, pikepdf.Array) else [] if filters is None else [str(filters)]
    if names not in ([], ["/FlateDecode"]) or (names and int(_parameters(stream).get("/Predictor", 1)) != 1):
        message = f"an attachment is packed in a way that is not read: {' '.join(names)[:100]}"
        raise InputError(message)
    raw = bytes(stream.read_raw_bytes())
    if not raw:
        raise InputError("an attachment is empty")
    if names:
        unpacking = zlib.decompressobj()
        try:
            data = unpacking.decompress(raw, bytes_max + 1)
        except zlib.error as error:
            raise InputError("an attachment is damaged and cannot be unpacked") from error
        if not unpacking.eof and len(data) <= bytes_max:
            raise InputError("an attachment is cut off and cannot be unpacked")
    else:
        data = raw
    if len(data) > bytes_max:
        message = f"an attachment unpacks to more than {bytes_max // 2**20} MiB"
        raise InputError(message)
    return data


def _parameters(stream: pikepdf.Object) -> pikepdf.Object | dict[str, int]:
    given = stream.get("/DecodeParms")
    if isinstance(given, pikepdf.Array):
        given = given[0] if len(given) else None
    return {} if given is None else given


def _metadata(opened: pikepdf.Pdf) -> dict[str, str]:
    """What the PDF's metadata say of its e-invoice, as elements or as attributes, under whichever namespace the years have used."""
    stream = opened.Root.get("/Metadata")
    if stream is None:
        return {}
    try:
        root = etree.fromstring(_unpacked(stream, _UNPACKED_BYTES_MAX), _parser())
    except (etree.XMLSyntaxError, ValueError, InputError):
        return {}  # a PDF without readable metadata may carry an invoice all the same
    told: dict[str, str] = {}
    for description in root.iter(f"{{{_RDF}}}Description"):
        items = [(str(child.tag), child.text or "") for child in description if isinstance(child.tag, str)] + [(str(k), str(v)) for k, v in description.items()]
        for tag, value in items:
            namespace, _, name = tag.lstrip("{").rpartition("}")
            if name in _PROPERTIES and namespace.startswith(_FX_FAMILIES):
                told.setdefault(name, value.strip())
    return told
