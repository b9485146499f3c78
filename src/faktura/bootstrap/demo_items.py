"""Made-up documents for the demo, as each API tells of them: pages to turn. The same ones each time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from faktura.domain.calendar import midnight, to_datetime

INVOICES_MAX = 100_000
_FIRST_DAY = date(2024, 8, 28)
"""The day after the sample's newest."""
_DAYS = 490
_MORNING_US = (10 * 3600 + 7 * 60 + 15) * 1_000_000
_CREDIT_EACH = 10
_PLANS = (1500, 9000, 4165, 3330)
"""Prices without VAT."""
_PRODUCTS = (("Domain", 1200), ("Mail", 349), ("Webspace", 2468), ("Certificate", 5990))


def vpsbg_items(count: int, *, first_id: int, first_order: int, first_number: int) -> list[dict[str, object]]:
    """Items of a list, the oldest first: a pro-forma and its invoice in turn; of ten documents one is a credit note."""
    items: list[dict[str, object]] = []
    number, order, credited = first_number, first_order, 0
    for place in range(count):
        if place % _CREDIT_EACH == _CREDIT_EACH - 2 and credited:
            word, sign, text = "credit_note", -1, f"{number:010}"
        elif place % 2 == 0:
            order += 3
            word, sign, text = "proform", 1, f"{order:010}"
        else:
            word, sign, text = "original", 1, f"{number:010}"
            credited = order
        number += word != "proform"
        net = _PLANS[order % len(_PLANS)]
        created = to_datetime(midnight(_day(place, count), "Europe/Sofia"))
        items.append(
            {
                "id": first_id + place,
                "invoice_number": text,
                "created_at": f"{created:%Y-%m-%dT%H:%M:%S.%fZ}",
                "amount": _amount(sign * net),
                "amount_with_vat": _amount(sign * net * 6 // 5),
                "type": word,
                "order_ids": [credited if sign < 0 else order],
            }
        )
    return items


def checkdomain_singles(count: int, *, first_id: int) -> Iterator[dict[str, object]]:
    """Single answers, the oldest first: paid, open, paid in part, and credit notes."""
    for place in range(count):
        is_credit = place % _CREDIT_EACH == _CREDIT_EACH - 1
        sign = -1 if is_credit else 1
        created = to_datetime(midnight(_day(place, count), "Europe/Berlin") + _MORNING_US, "Europe/Berlin")
        details = []
        total = 0
        for line in range(1 + place % 3):
            name, unit_price = _PRODUCTS[(place + line) % len(_PRODUCTS)]
            quantity = 1 + (place + line) % 2
            total += quantity * unit_price
            remark = f"{name} / demo-{place + 1}.example"
            details.append({"quantity": sign * quantity, "unit_price": _amount(unit_price), "price": _amount(sign * quantity * unit_price), "remark": remark})
        payed = total if is_credit or place % 3 == 0 else total // 2 if place % 3 == 1 else 0
        paid_on = f"{to_datetime(midnight(_day(place, count) + timedelta(days=5), 'Europe/Berlin'), 'Europe/Berlin'):%Y-%m-%dT%H:%M:%S%z}"
        yield {
            "id": first_id + place,
            "invoice_number": f"3333-{300_001 + place}",
            "created": f"{created:%Y-%m-%dT%H:%M:%S%z}",
            "amount_total": _amount(sign * total),
            "amount_payed": _amount(sign * payed),
            "amount_open": _amount(sign * (total - payed)),
            "tax": 19,
            "details": details,
            "payments": [{"amount": _amount(sign * payed), "date": paid_on}] if payed else [],
        }


def _day(place: int, count: int) -> date:
    return _FIRST_DAY + timedelta(days=place * _DAYS // count)


def _amount(minor: int) -> Decimal:
    return Decimal(minor).scaleb(-2)
