"""Whether an e-invoice holds: what it says, its sums and identifiers, its schema, and the official rules where they are there."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from faktura.documents.arithmetic import DOUBTFUL, arithmetic_faults
from faktura.documents.en16931 import Profile, Syntax
from faktura.documents.form_fields import field_name
from faktura.documents.incoming import is_pdf, parse_xml, xml_of
from faktura.documents.official_rules import (
    ROOTS,
    Broken,
    is_core,
    level_of,
    rule_faults,
    rule_sets,
    schema_faults,
    schema_folder,
)
from faktura.documents.requirements import required_faults
from faktura.documents.terms import ROOT, TERMS
from faktura.documents.xml_layout import term_paths
from faktura.documents.xml_reader import safe_root
from faktura.domain.errors import Fault, InputError, InvalidDocumentError, fault

_TERM = re.compile(r"\bB[TG]-\d+\b")
_LINE = re.compile(r"(?:InvoiceLine|CreditNoteLine|IncludedSupplyChainTradeLineItem)(?:\[([0-9]+)\])?(?:/|\Z)")
_PLACE = re.compile(r"lines\[[0-9]+\]")
_SUPPLIED = "BR-FX-EN-04"
"""When something was supplied must be said in a Factur-X; elsewhere it should."""
_EXTRA = "needs the extra faktura[{}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that does not hold."""

    check: str
    """Which check found it: reading, arithmetic, required, XSD, EN 16931, XRechnung, Factur-X …"""
    rule: str
    is_error: bool
    message: str
    path: str = ""
    """The field, in the words of documents here: `seller.vat_id`, `lines[0].net_amount`."""
    terms: tuple[str, ...] = ()
    """The business terms (BT, BG) that it is about."""
    line: int | None = None
    """Of the XML."""
    location: str = ""
    """Of the XML's element, by which findings of one rule are told apart."""

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.path, f"line {self.line}" if self.line else "") if part)
        return f"{'error' if self.is_error else 'warning'} [{self.rule}] {where + ': ' if where else ''}{self.message} ({self.check})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the checks say of a document."""

    number: str | None
    syntax: str
    profile: str
    """As BT-24 has it."""
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]
    """What EN 16931 does not have, or was not understood."""
    done: tuple[str, ...]
    """The checks that were made."""
    not_done: tuple[str, ...]
    """Those that were not, and why."""

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong; warnings do not count."""
        return not any(item.is_error for item in self.findings)


def validate(body: bytes) -> Verdict:
    """Check an e-invoice: XML, or a PDF that carries it. InputError for what is none."""
    xml = xml_of(body)
    tree, root = _read_tree(xml)
    findings: list[Finding] = []
    done: list[str] = ["reading"]
    not_done: list[str] = []
    parsed = None
    try:
        parsed = parse_xml(xml)
    except InvalidDocumentError as error:
        findings += [Finding(check="reading", rule=item.rule, is_error=True, message=item.message, path=item.path) for item in error.faults]
    except InputError as error:
        findings.append(Finding(check="reading", rule="READ", is_error=True, message=str(error)))
    specification_id = parsed.specification_id if parsed else _specification(tree)
    level = level_of(specification_id, is_hybrid=is_pdf(body))
    if parsed is None:
        not_done += ["arithmetic: not all could be read", "required terms: not all could be read"]
    else:
        done.append("arithmetic")
        findings += [_own("arithmetic", item) for item in arithmetic_faults(parsed.document)]
        profile = Profile.FACTURX if is_pdf(body) and parsed.profile is Profile.EN16931 else parsed.profile or Profile.EN16931
        if is_core(level) and (profile is Profile.PEPPOL or not has_rules(profile)):  # else the official rules say it; Peppol's are of before its German ones
            done.append("required terms")
            found = [_own("required terms", item) for item in required_faults(parsed.document, profile)]
            findings += [item if item.rule != _SUPPLIED or profile is Profile.FACTURX else replace(item, is_error=False) for item in found]
    _run_official(tree, root, specification_id, level, findings, done, not_done)
    return Verdict(
        number=parsed.document.number if parsed else None,
        syntax=root,
        profile=specification_id or "",
        findings=tuple(_distinct(findings)),
        left_out=parsed.left_out if parsed else (),
        done=tuple(done),
        not_done=tuple(not_done),
    )


def _run_official(  # noqa: PLR0917 - what was found so far goes along
    tree: Any,  # noqa: ANN401 - lxml's tree
    root: str,
    specification_id: str | None,
    level: str | None,
    findings: list[Finding],
    done: list[str],
    not_done: list[str],
) -> None:
    """Schema and official rules, as far as they are there."""
    if schema_folder() is None:
        not_done.append(f"XSD: {_EXTRA.format('validate')}")
    else:
        done.append("XSD")
        findings += [_official("XSD", item, root) for item in schema_faults(tree, root)]
    for rules in rule_sets(root, specification_id, level):
        if rules.stylesheet is None:
            not_done.append(f"{rules.name}: {_EXTRA.format(rules.extra)}")
            continue
        try:
            findings += [_official(rules.name, item, root) for item in rule_faults(tree, rules.stylesheet)]
            done.append(rules.name)
        except InputError as error:
            findings.append(Finding(check=rules.name, rule="RULES", is_error=True, message=str(error)))
            not_done.append(f"{rules.name}: {error}")


def official_faults(xml: bytes, profile: Profile) -> list[Fault]:
    """What the schema and the official rules of a profile forbid, as faults of the form's fields; warnings are none."""
    tree, root = _read_tree(xml)
    findings: list[Finding] = []
    level = level_of(profile.specification_id, is_hybrid=profile is Profile.FACTURX)
    _run_official(tree, root, profile.specification_id, level, findings, [], [])
    return [fault(item.rule, _form_field(item), f"{item.message} ({item.check})") for item in _distinct(findings) if item.is_error]


def _form_field(item: Finding) -> str:
    """The field that a finding is about, as the form has it."""
    place = _PLACE.match(item.path)
    name = field_name(item.path if place is None else "lines" + item.path[place.end() :])
    return name if place is None else place.group() + name.removeprefix("lines")


def has_rules(profile: Profile) -> bool:
    """Whether official rules of a profile are there, and what runs them."""
    root = "Invoice" if Syntax.UBL in profile.syntaxes else "CrossIndustryInvoice"
    level = level_of(profile.specification_id, is_hybrid=profile is Profile.FACTURX)
    return any(rules.stylesheet is not None for rules in rule_sets(root, profile.specification_id, level))


def _read_tree(xml: bytes) -> tuple[Any, str]:
    tree = safe_root(xml).getroottree()
    root = ROOTS.get(tree.getroot().tag)
    if root is None:
        message = f"its root {tree.getroot().tag[:200]} is that of no e-invoice: UBL Invoice, UBL CreditNote or CII"
        raise InputError(message)
    return tree, root


def _specification(tree: Any) -> str | None:  # noqa: ANN401 - lxml's tree
    """BT-24 of what could not be read as a whole."""
    found = tree.xpath("string((//*[local-name()='CustomizationID'] | //*[local-name()='GuidelineSpecifiedDocumentContextParameter']/*[local-name()='ID'])[1])")
    return str(found).strip() or None


def _own(check: str, item: Any) -> Finding:  # noqa: ANN401 - a Fault
    is_error = item.rule not in DOUBTFUL
    return Finding(check=check, rule=item.rule, is_error=is_error, message=item.message, path=item.path, terms=tuple(_TERM.findall(item.message)))


def _official(check: str, item: Broken, root: str) -> Finding:
    terms = tuple(dict.fromkeys(_TERM.findall(item.message)))
    chosen = _chosen(terms, item.names, root, item.rule)
    path, line = _paths().get(chosen, ""), _LINE.search(item.location)
    if line and path.startswith("lines"):
        path = f"lines[{int(line.group(1) or 1) - 1}]{path.removeprefix('lines')}"
    return Finding(
        check=check,
        rule=item.rule,
        is_error=item.is_error,
        message=item.message,
        path=path,
        terms=terms or tuple(filter(None, (chosen,))),
        line=item.line,
        location=item.location,
    )


def _chosen(terms: tuple[str, ...], names: tuple[str, ...], root: str, rule: str) -> str:
    """The term that a rule is about: of its terms the first that stands below the place that was found, else the first; of none, what stands there.

    Terms go before groups of them: `each line (BG-25) shall contain the name (BT-153)` is about the name.
    """
    places = _places(root) if names else {}
    below = [term for term in terms if names and places.get(term, ())[: len(names)] == names]
    found = sorted(below or terms[:1] or _at(places, names, rule), key=lambda term: term.startswith("BG"))
    return found[0] if found else ""


def _at(places: dict[str, tuple[str, ...]], names: tuple[str, ...], rule: str) -> list[str]:
    """The term that stands at a place; a rule of a list of codes is about a code in an attribute there, where there is one."""
    codes = [term for term, place in places.items() if rule.startswith("BR-CL") and place[:-1] == names and place[-1].startswith("@")]
    return codes or [term for term, place in places.items() if place == names]


@cache
def _places(root: str) -> dict[str, tuple[str, ...]]:
    """Where the syntax of a document writes each term: names of elements, from the document's."""
    from faktura.documents import cii, ubl  # noqa: PLC0415 - for documents with official findings alone

    layout = cii.layout() if root == "CrossIndustryInvoice" else ubl.layout(is_credit_note=root == "CreditNote")
    return {term: tuple(part.rpartition(":")[2] for part in path.split("/")) for term, path in term_paths(layout).items()}


@cache
def _paths() -> dict[str, str]:
    """Fields by business term."""
    paths: dict[str, str] = {}
    for term in TERMS.values():
        if term.id == ROOT:
            continue
        before = paths.get(term.group, "")
        paths[term.id] = f"{before}.{term.attribute}" if before else term.attribute
    return paths


def _distinct(findings: list[Finding]) -> list[Finding]:
    """Each broken rule once a place: rules of a profile often have those of EN 16931 in them. Where an official one refuses it, ours need not."""
    official = {item.rule for item in findings if item.location and item.is_error}
    seen: dict[tuple[str, str], Finding] = {}
    for item in findings:
        if item.location or item.rule not in official:
            seen.setdefault((item.rule, item.location or item.path), item)
    return list(seen.values())
