"""Terms by the names that they have where documents, providers and accounts are written; and how a rule says what lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from faktura.documents.en16931 import EInvoice
from faktura.documents.terms import TERMS, attribute_path

Said = Iterator[tuple[str, str, str]]
"""(rule, path, message)."""
Check = Callable[[EInvoice], Said]

_FIELDS = {
    "payment.credit_transfers.account": "seller.iban",
    "payment.credit_transfers.account_name": "seller.account_name",
    "payment.credit_transfers.bic": "seller.bic",
    "buyer_reference": "buyer.buyer_reference",
    "delivery.date": "tax_point_date",
    "lines.unit": "lines.unit_code",
    "lines.price.net": "lines.unit_price",
    "lines.item.seller_id": "lines.item_id",
    "vat_breakdown.exemption_reason": "exemption_reasons",
}


def form_field(term_id: str) -> str:
    """What a term is called where documents, providers and accounts are written: `seller.city`, `buyer.contact_name`."""
    return field_name(attribute_path(term_id))


def field_name(path: str) -> str:
    """What the term of an attribute path is called there."""
    return _FIELDS.get(path, path).replace(".address", "").replace(".contact.name", ".contact_name").replace(".contact.", ".").replace(".item.", ".")


def is_empty(value: object) -> bool:
    """Whether a term is not there."""
    return value is None or value in {"", ()}


def missing(document: EInvoice, rule: str, term_id: str, why: str) -> Said:
    """The fault of a term that is not in the document, which `why` requires."""
    value: Any = document
    for name in attribute_path(term_id).split("."):
        value = getattr(value, name) if value is not None else None
    if is_empty(value):
        yield rule, form_field(term_id), f"is missing: {why} requires {TERMS[term_id].name} ({term_id})"
