"""A whole document as JSON: what `invoice show --json` prints, a line each."""

from __future__ import annotations

from typing import Any

import msgspec

from faktura.documents.invoice_json import invoice_body, invoice_head
from faktura.ledger.listing_query import DocumentHead

_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def document_json(head: DocumentHead) -> dict[str, Any]:
    """A whole document with whose it is and how it stands."""
    invoice, standing = head.invoice, head.standing
    found = invoice_head(invoice, standing, state=head.state, provider=head.provider, is_test=head.is_test, account=head.account)
    return found | invoice_body(invoice, standing)


def json_line(value: object) -> bytes:
    """One JSON document and a line feed."""
    return _encoder.encode(value) + b"\n"
