"""A body for each call that takes one, as its documentation shows it."""

from __future__ import annotations

_BUYER = {"name": "Primer EOOD", "street": "bul. Vitosha 1", "city": "Sofia", "post_code": "1000", "country": "BG", "vat_id": "BG123456789"}
_LINE = {"name": "Virtual server, October 2026", "quantity": "1", "unit_price": "12.00", "period": {"start": "2026-10-01", "end": "2026-10-31"}}
_SHARES = [{"invoice_id": 10000000042, "amount": "10.00"}, {"invoice_id": 10000000043}]

BODIES: dict[str, object] = {
    "setProvider": {
        "seller": {"name": "Hosting OOD", "country": "BG", "vat_id": "BG123456789"},
        "rate_limit": 30,
        "rate_window_seconds": 60,
        "accent": "#7a1f3d",
    },
    "addAccount": {"reference": "17850", "buyer": _BUYER},
    "setAccount": {"buyer": _BUYER},
    "recordVatCheck": {"vat_id": "BG123456789", "is_valid": True, "checked_at": "2026-10-01T08:30:00Z", "consultation": "WAPIAAAAXyz"},
    "createToken": {"scopes": ["invoices:read", "invoices:write"], "label": "billing job"},
    "setSeries": {"next_number": 1000},
    "addDraft": {"account_id": 10000000001, "document": {"lines": [_LINE]}},
    "setDraft": {"document": {"lines": [_LINE], "note": "Thank you."}},
    "issueInvoice": {"account_id": 10000000001, "lines": [_LINE], "due_date": "2026-11-14", "order_ids": [8812]},
    "invoiceProForma": {"due_date": "2026-11-14"},
    "creditInvoice": {"quantities": {"1": "1"}, "note": "Cancelled within 14 days."},
    "allocateCreditNote": {"invoices": _SHARES},
    "refundCreditNote": {"amount": "5.00", "reference": "SEPA 2026-10-14/3"},
    "recordPayment": {"account_id": 10000000001, "amount": "24.00", "reference": "SEPA 2026-10-14/2", "invoices": _SHARES},
    "allocatePayment": {"invoices": _SHARES},
    "refundPayment": {"amount": "5.00", "reference": "SEPA 2026-10-14/4"},
    "reversePayment": {"reason": "direct debit returned", "reversed_on": "2026-10-20"},
    "lockPeriod": {"through": "2026-09-30"},
}

RAW_BODIES = {
    "application/jsonl": '{"account": "17850", "period": "2026-10", "product": "vps-2", "lines": [{"name": "Virtual server", "unit_price": "12.00"}]}\n',
    "application/x-ndjson": '{"account": "17850", "period": "2026-10", "product": "vps-2", "lines": [{"name": "Virtual server", "unit_price": "12.00"}]}\n',
    "text/csv": "account,period,product,name,quantity,unit_price\n17850,2026-10,vps-2,Virtual server,1,12.00\n",
    "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 18"><rect width="60" height="18" fill="#7a1f3d"/></svg>',
}
