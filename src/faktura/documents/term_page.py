"""The table of business terms for the reference page."""

from __future__ import annotations

from faktura.documents import cii, ubl
from faktura.documents.terms import ROOT, TERMS, attribute_path
from faktura.documents.xml_layout import term_paths

_CII_ROOTS = ("rsm:CrossIndustryInvoice/rsm:SupplyChainTradeTransaction/", "rsm:CrossIndustryInvoice/")


def term_table() -> str:
    """Each term with our attribute, its datatype, how often it stands, and where in each syntax, as Markdown."""
    in_ubl, in_cii = term_paths(ubl.layout()), term_paths(cii.layout())
    rows = ["| term | name | attribute | datatype | stands | UBL | CII |", "|---|---|---|---|---|---|---|"]
    for term in TERMS.values():
        if term.id == ROOT:
            continue
        datatype = "group" if term.is_group else term.datatype
        places = (_place(in_ubl.get(term.id), ("Invoice/",)), _place(in_cii.get(term.id), _CII_ROOTS))
        rows.append(f"| {term.id} | {term.name} | `{attribute_path(term.id)}` | {datatype} | {term.cardinality} | {places[0]} | {places[1]} |")
    return "\n".join(rows)


def _place(path: str | None, roots: tuple[str, ...]) -> str:
    if path is None:
        return ""
    for root in roots:
        path = path.removeprefix(root)
    return f"`{path}`"
