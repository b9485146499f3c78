"""Factur-X and ZUGFeRD: an invoice's CII inside its PDF/A-3, made and taken out."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date

import pikepdf
from lxml import etree

from faktura.domain.errors import InputError

FILE_NAME = "factur-x.xml"
CONFORMANCE_LEVEL = "EN 16931"

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_EXTENSION = "http://www.aiim.org/pdfa/ns/extension/"
_FX = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
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
            relationship=pikepdf.Name.Alternative,  # what Factur-X asks for where the XML says all that the pages say
        )
        opened.attachments[FILE_NAME] = spec
        opened.Root.AF = pikepdf.Array([spec.obj])
        metadata = opened.Root.Metadata
        metadata.write(_with_facturx(metadata.read_bytes(), conformance_level))
        out = io.BytesIO()
        opened.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.preserve, compress_streams=True)
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
    body = etree.tostring(root, encoding="utf-8")
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


def extract_xml(pdf: bytes) -> Attachment:
    """The e-invoice that a hybrid PDF carries; InputError where there is none, or where the PDF cannot be read within bounds."""
    raise InputError("not yet")
