"""How to call every operation of the management API validly: a recipe each, which makes what the call needs first."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from tests.management.site import BASE, Api, Ask

Recipe = Callable[[Api], Ask]

LINE = {"name": "Virtual server", "unit_price": "10.00", "vat_rate": "20", "vat_category": "S"}
RECEIVER = {
    "name": "Amt",
    "street": "ploshtad 1",
    "city": "Sofia",
    "post_code": "1000",
    "country": "BG",
    "electronic_address": "0204:991-33333TEST-33",
    "buyer_reference": "04011000-12345-34",
}
"""A buyer of whom everything is known that any profile asks for."""
PERIOD = {"start": "2026-10-01", "end": "2026-10-31"}
_count = itertools.count(1)


def unique(stem: str) -> str:
    """A text that was not there before."""
    return f"{stem}-{time.monotonic_ns()}-{next(_count)}"


def account_of(api: Api) -> int:
    """The provider's first account."""
    return int(api.get("/accounts?limit=1")["items"][0]["id"])


def document(api: Api, **fields: Any) -> dict[str, Any]:
    """A document that can be issued now."""
    return {"account_id": account_of(api), "lines": [LINE], **fields}


def draft_of(api: Api) -> int:
    """A new draft."""
    return int(api.post("/drafts", {"account_id": account_of(api), "document": {"lines": [LINE]}})["id"])


def invoice_of(api: Api, **fields: Any) -> int:
    """A new invoice of 12.00."""
    return int(api.post("/invoices", document(api, **fields))["id"])


def credit_note_of(api: Api) -> int:
    """A new credit note of which all is left: its invoice was paid."""
    invoice_id = invoice_of(api)
    payment_of(api, invoices=[{"invoice_id": invoice_id}])
    return int(api.post(f"/invoices/{invoice_id}/credit-notes", {})["id"])


def payment_of(api: Api, **fields: Any) -> int:
    """A new payment of 12.00; without documents all of it is left."""
    return int(api.post("/payments", {"account_id": account_of(api), "amount": "12.00", **fields})["id"])


def run_of(api: Api) -> int:
    """A billing run that is done."""
    reply = api.send("POST", f"{BASE}/billing-runs", body=run_body(api), headers=[("Content-Type", "application/jsonl")])
    assert reply.status == 202, reply.body
    run_id = int(reply.json()["id"])
    for _ in range(200):
        if api.get(f"/billing-runs/{run_id}")["state"] == "done":
            return run_id
        time.sleep(0.05)
    raise AssertionError("the run does not end")


def run_body(api: Api, *, account: str | None = None) -> bytes:
    """An item in JSON Lines."""
    reference = account or api.get("/accounts?limit=1")["items"][0]["reference"]
    return b'{"account": "%s", "period": "%s", "product": "vps", "lines": [{"name": "VPS", "unit_price": "1.00", "vat_rate": "20"}]}\n' % (
        reference.encode(),
        unique("period").encode(),
    )


def provider_of(api: Api) -> str:
    """The provider's name."""
    return str(api.get("/providers")["items"][0]["name"])


def _token(api: Api) -> Ask:
    return Ask(path={"token_id": api.post("/tokens", {"scopes": ["invoices:read"]})["id"]})


def _draft_change(api: Api, **more: Any) -> Ask:
    draft_id = draft_of(api)
    return Ask(path={"draft_id": draft_id}, match=api.etag(f"/drafts/{draft_id}"), **more)


def _set_account(api: Api) -> Ask:
    account_id = api.post("/accounts", {"reference": unique("set")})["id"]
    return Ask(path={"account_id": account_id}, body={"buyer": {"name": unique("Buyer"), "country": "BG"}}, match=api.etag(f"/accounts/{account_id}"))


def _set_provider(api: Api) -> Ask:
    name = provider_of(api)
    limit = api.get(f"/providers/{name}")["rate_limit"] + 100_000
    return Ask(path={"name": name}, body={"rate_limit": limit}, match=api.etag(f"/providers/{name}"))


def _logo(api: Api) -> Ask:
    """The provider has a logo, another each time."""
    name = provider_of(api)
    reply = api.send("PUT", f"{BASE}/providers/{name}/logo", body=svg(unique("logo")), headers=[("Content-Type", "image/svg+xml")])
    assert reply.status == 204, reply
    return Ask(path={"name": name})


def svg(title: str) -> bytes:
    """A drawing that can be a logo."""
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><title>{title}</title><path d="M0 0h9v9z"/></svg>'.encode()


def _set_series(api: Api) -> Ask:
    # A series that the other recipes do not take numbers from, so that the jump is the same effect whenever it comes.
    series = next(item for item in api.get("/series")["items"] if item["name"] == "pro-forma")
    return Ask(path={"name": "pro-forma"}, body={"next_number": series["next_number"] + 1000})


def _lock_period(api: Api) -> Ask:
    locked = api.get("/period-locks")
    day = date.fromisoformat(locked["locked_through"]) + timedelta(days=1) if locked else date(2001, 1, 1)
    return Ask(body={"through": day.isoformat()})


def _share(api: Api) -> dict[str, Any]:
    return {"invoices": [{"invoice_id": invoice_of(api), "amount": "5.00"}]}


def _handed_out(api: Api, form: str) -> Ask:
    """A file that was handed out before, so that asking for it again changes nothing."""
    invoice_id = invoice_of(api, buyer=RECEIVER, payment_terms="14 days", period=PERIOD)
    reply = api.send("GET", f"{BASE}/invoices/{invoice_id}.{form}")
    assert reply.status == 200, reply
    return Ask(path={"invoice_id": invoice_id})


def _came(api: Api) -> Ask:
    """The document that came as an e-invoice."""
    (found,) = api.get("/invoices?number=CAME-1")["items"]
    return Ask(path={"invoice_id": found["id"]})


_MONTH = {"from": "2026-01-01", "to": "2026-12-31"}

RECIPES: dict[str, Recipe] = {
    "listProviders": lambda _: Ask(),
    "getProvider": lambda api: Ask(path={"name": provider_of(api)}),
    "setProvider": _set_provider,
    "getLogo": _logo,
    "setLogo": lambda api: Ask(path={"name": provider_of(api)}, body=svg(unique("logo")), content_type="image/svg+xml"),
    "removeLogo": _logo,
    "listAccounts": lambda _: Ask(query={"limit": 1}),
    "addAccount": lambda _: Ask(body={"reference": unique("new"), "buyer": {"name": "New", "country": "BG"}}),
    "getAccount": lambda api: Ask(path={"account_id": account_of(api)}),
    "setAccount": _set_account,
    "getBalance": lambda api: Ask(path={"account_id": account_of(api)}),
    "listVatChecks": lambda api: Ask(path={"account_id": account_of(api)}),
    "recordVatCheck": lambda api: Ask(path={"account_id": account_of(api)}, body={"vat_id": "BG123456789", "is_valid": True, "consultation": unique("vies")}),
    "listTokens": lambda _: Ask(),
    "createToken": lambda api: Ask(body={"scopes": ["read"], "account_id": account_of(api), "label": unique("token")}),
    "getToken": _token,
    "revokeToken": _token,
    "listSeries": lambda _: Ask(),
    "setSeries": _set_series,
    "listDrafts": lambda api: Ask(query={"account_id": account_of(api)}),
    "addDraft": lambda api: Ask(body={"account_id": account_of(api), "document": {"lines": [LINE], "note": unique("draft")}}),
    "getDraft": lambda api: Ask(path={"draft_id": draft_of(api)}),
    "setDraft": lambda api: _draft_change(api, body={"document": {"lines": [LINE, LINE], "note": unique("changed")}}),
    "removeDraft": _draft_change,
    "issueDraft": _draft_change,
    "listInvoices": lambda api: Ask(query={"account_id": account_of(api), "limit": 5}),
    "issueInvoice": lambda api: Ask(body=document(api, note=unique("issued"))),
    "getInvoice": lambda api: Ask(path={"invoice_id": invoice_of(api)}),
    "getInvoicePdf": lambda api: _handed_out(api, "pdf"),
    "getInvoiceFacturx": lambda api: _handed_out(api, "facturx.pdf"),
    "getInvoiceUbl": lambda api: _handed_out(api, "ubl.xml"),
    "getInvoiceCii": lambda api: _handed_out(api, "cii.xml"),
    "getInvoiceXrechnung": lambda api: _handed_out(api, "xrechnung.xml"),
    "getInvoicePeppol": lambda api: _handed_out(api, "peppol.xml"),
    "getInvoiceOriginal": _came,
    "invoiceProForma": lambda api: Ask(path={"invoice_id": invoice_of(api, type_code=325, order_ids=[next(_count)])}, body={}),
    "creditInvoice": lambda api: Ask(path={"invoice_id": invoice_of(api)}, body={"note": unique("credited")}),
    "allocateCreditNote": lambda api: Ask(path={"invoice_id": credit_note_of(api)}, body=_share(api)),
    "refundCreditNote": lambda api: Ask(path={"invoice_id": credit_note_of(api)}, body={"amount": "3.00"}),
    "listPayments": lambda api: Ask(query={"account_id": account_of(api)}),
    "recordPayment": lambda api: Ask(body={"account_id": account_of(api), "amount": "12.00", "reference": unique("bank"), **_share(api)}),
    "getPayment": lambda api: Ask(path={"payment_id": payment_of(api)}),
    "allocatePayment": lambda api: Ask(path={"payment_id": payment_of(api)}, body=_share(api)),
    "refundPayment": lambda api: Ask(path={"payment_id": payment_of(api)}, body={"amount": "3.00"}),
    "reversePayment": lambda api: Ask(path={"payment_id": payment_of(api)}, body={"reason": "returned"}),
    "listBillingRuns": lambda _: Ask(),
    "getBillingRun": lambda api: Ask(path={"run_id": run_of(api)}),
    "listBillingRunItems": lambda api: Ask(path={"run_id": run_of(api)}),
    "startBillingRun": lambda api: Ask(body=run_body(api), content_type="application/jsonl"),
    "getSalesLedger": lambda _: Ask(query=_MONTH),
    "getVatReport": lambda _: Ask(query=_MONTH),
    "getPeriodLock": lambda _: Ask(),
    "lockPeriod": _lock_period,
    "readJournal": lambda _: Ask(query={"limit": 5}),
}
