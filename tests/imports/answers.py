"""Answers of the two documented APIs, as a collector saves them; those of checkdomain are the seed's two invoices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

FIRST: dict[str, Any] = {"id": 1, "invoice_number": "1111-100001", "created": "2017-11-16T10:07:15+0100", "amount_total": 12}
SECOND: dict[str, Any] = {"id": 2, "invoice_number": "2222-200002", "created": "2017-10-09T09:32:46+0200", "amount_total": 24.68}
VPS: dict[str, Any] = {
    "id": 8425,
    "invoice_number": "0000001594",
    "created_at": "2024-08-04T21:00:00.000000Z",
    "amount": 90,
    "amount_with_vat": 108,
    "type": "original",
    "order_ids": [7390],
}


def standing(total: str, paid: str) -> dict[str, Any]:
    """The four members that tell what is paid."""
    due = Decimal(total) - Decimal(paid)
    return {"amount_payed": float(paid), "amount_open": float(due), "is_open": due != 0, "is_payed": due == 0}


def page(paid: str = "10.02") -> dict[str, Any]:
    """The list of checkdomain; so much of the first invoice is paid."""
    items = [FIRST | standing("12", paid), SECOND | standing("24.68", "24.68")]
    items = [item | {"_links": {"self": {"href": f"/v1/invoices/{item['id']}"}}} for item in items]
    return {"page": 1, "limit": 10, "pages": 1, "total": 2, "_links": {}, "_embedded": {"invoices": items}}


def single(paid: str = "10.02", created: str = "2017-11-16T09:40:24+0100") -> dict[str, Any]:
    """The single answer of checkdomain for the first invoice, with another `created` than the list's, as the seed has it."""
    details = [{"quantity": 1, "unit_price": 12, "price": 12, "remark": "api.checkdomain.de / 17.11.2017 - 16.11.2018"}]
    payments = [{"amount": float(paid), "date": "2017-11-07T00:00:00+0100"}] if Decimal(paid) else []
    return FIRST | {"created": created} | standing("12", paid) | {"tax": 19, "details": details, "payments": payments}


def vps_item(**changed: Any) -> dict[str, Any]:
    """An item of VPSBG's list."""
    return VPS | changed


def vps_page(*items: dict[str, Any]) -> dict[str, Any]:
    """VPSBG's list."""
    return {"data": list(items), "links": {"next": None}, "meta": {"current_page": 1, "last_page": 1, "total": len(items)}}
