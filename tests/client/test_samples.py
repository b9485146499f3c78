"""The documents' own sample answers, as a server would send them."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from tests.client.conftest import client_at
from tests.client.hostile import hostile, reply
from tests.conftest import SHARED

from faktura.client import WireError
from faktura.domain.invoice import TypeCode

pytestmark = pytest.mark.shared


def samples(name: str) -> list[str]:
    """The JSON samples of a document, as they stand there: from a brace on a line of its own to the one that closes it."""
    text = (SHARED / "seeds" / name).read_text(encoding="utf-8")
    found, place = [], 0
    while (start := text.find("\n{\n", place)) >= 0:
        depth, end = 0, start + 1
        for end in range(start + 1, len(text)):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            if not depth:
                break
        found.append(text[start + 1 : end + 1])
        place = end
    return found


def corrected(text: str) -> str:
    """Without the comma that follows the last item."""
    return re.sub(r",(\s*[\]}])", r"\1", text)


def test_checkdomain_list_as_it_stands_is_no_json() -> None:
    """The document's comma after the last item is an error that says where it is."""
    sample, _ = samples("checkdomain-invoices.txt")
    with hostile(lambda _count, _target: [reply(sample)]) as server, client_at(server, provider="checkdomain") as client:
        with pytest.raises(WireError, match=r"^checkdomain: GET .*: not a checkdomain answer: JSON is malformed: .*\(byte \d+\)"):
            client.invoices.page(1)
        assert client.requests == 1


def test_checkdomain_list() -> None:
    """Two invoices, amounts exact, the instants by the offsets that the document writes, dates in Berlin."""
    sample, _ = samples("checkdomain-invoices.txt")
    with hostile(lambda _count, _target: [reply(corrected(sample))]) as server, client_at(server, provider="checkdomain") as client:
        page = client.invoices.page(1)
    assert (page.pages, page.total, page.next_number) == (1, 2, 2)
    first, second = page.invoices
    assert (first.id, first.number, first.is_open) == (1, "1111-100001", True)
    assert [str(value) for value in (first.total_with_vat, first.paid, first.due)] == ["12.00", "10.02", "1.98"]
    assert (second.id, second.number, second.is_open) == (2, "2222-200002", False)
    assert [str(value) for value in (second.total_with_vat, second.paid, second.due)] == ["24.68", "24.68", "0.00"]
    assert first.created_at == datetime(2017, 11, 16, 9, 7, 15, tzinfo=UTC)
    assert second.created_at.isoformat() == "2017-10-09T09:32:46+02:00"
    assert (first.issue_date, second.issue_date) == (date(2017, 11, 16), date(2017, 10, 9))
    assert json.loads(first.raw) == json.loads(corrected(sample))["_embedded"]["invoices"][0]


def test_checkdomain_single() -> None:
    """Rate, line and payment."""
    _, sample = samples("checkdomain-invoices.txt")
    with hostile(lambda _count, _target: [reply(sample)]) as server, client_at(server, provider="checkdomain") as client:
        invoice = client.invoices.get(1)
    assert invoice.vat_rate == 19
    assert invoice.lines is not None
    (line,) = invoice.lines
    assert (line.name, line.quantity, line.unit_price, str(line.total)) == ("api.checkdomain.de / 17.11.2017 - 16.11.2018", Decimal(1), Decimal(12), "12.00")
    assert invoice.payments is not None
    (payment,) = invoice.payments
    assert (str(payment.amount), payment.paid_at.isoformat()) == ("10.02", "2017-11-07T00:00:00+01:00")
    assert invoice.raw.decode() == sample


def test_vpsbg_list() -> None:
    """Two invoices; `21:00:00Z` is midnight in Sofia, so the legal date is the next day."""
    sample = next(text for text in samples("vpsbg-list-invoices.txt") if '"data"' in text)
    with hostile(lambda _count, _target: [reply(sample)]) as server, client_at(server) as client:
        (page,) = client.invoices.pages()
    assert (page.pages, page.total, page.next_number) == (1, 26, None)
    first, second = page.invoices
    assert (first.id, first.number, first.type_code, first.order_ids) == (8431, "0000007398", TypeCode.PRO_FORMA, (7398,))
    assert [str(value) for value in (first.total_without_vat, first.vat_total, first.total_with_vat)] == ["90.00", "18.00", "108.00"]
    assert (first.created_at, first.issue_date) == (datetime(2024, 8, 27, 21, tzinfo=UTC), date(2024, 8, 28))
    assert first.created_at.utcoffset() == timedelta(hours=3)
    assert (second.id, second.number, second.type_code, second.order_ids) == (8425, "0000001594", TypeCode.INVOICE, (7390,))
    assert (second.total_with_vat, second.issue_date) == (Decimal(0), date(2024, 8, 5))
