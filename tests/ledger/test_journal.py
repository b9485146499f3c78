"""The text that a journal's digest covers is what it always was: stored ledgers must verify for ever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.sample import DRAFT, issued

from faktura.domain.draft import parse_draft
from faktura.domain.invoice import Invoice, TypeCode
from faktura.domain.money import Currency, canonical
from faktura.domain.party import Party
from faktura.domain.payment import Settlement
from faktura.domain.vat import VatKey
from faktura.ledger.commands import issue
from faktura.ledger.journal import canonical_json, digest, issued_payload
from faktura.ledger.ports import BillingKey

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | TEXTS
    | st.binary(max_size=4)
    | st.dates()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from([*TypeCode]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.builds(VatKey, inner, inner)
        | st.builds(BillingKey, period=TEXTS, product=inner)
        | st.dictionaries(TEXTS, inner, max_size=3)
    ),
)


def by_the_encoder(value: object) -> str:
    """The same text as JSON's own encoder writes it."""

    def plain(item: Any) -> object:
        if is_dataclass(item):
            return {field.name: known for field in fields(item) if (known := getattr(item, field.name)) is not None}
        conversions: list[tuple[type, Callable[[Any], object]]] = [(Decimal, canonical), (date, date.isoformat), (bytes, bytes.hex)]
        return next(convert for kind, convert in conversions if isinstance(item, kind))(item)

    return json.dumps(value, default=plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@given(VALUES)
def test_whatever_is_written_reads_the_same(value: object) -> None:
    """Every kind of value, nested, with every character."""
    assert canonical_json(value) == by_the_encoder(value)


def test_a_whole_document(ledger: Any) -> None:
    """With lines, periods, allowances, parties and what it bills."""
    ledger.provider("vpsbg")
    account = ledger.account("vpsbg", "a")
    line = {"name": 'Пример "x"\n', "unit_price": "10.50", "period": {"start": "2024-08-01"}, "allowances_charges": [{"amount": "1", "reason": "r"}]}
    document = {"lines": [line | {"vat_rate": 20}], "note": "\x7f\u2028", "order_ids": [3, 1]}
    draft = parse_draft(document, currency=Currency("EUR"), buyer=Party(name="ü", country="BG"))
    invoice = issue(ledger.books, account_id=account.id, draft=draft)
    assert isinstance(invoice, Invoice)
    payload = issued_payload(invoice, [], BillingKey(period="2024-08", product="VPS", recorded_at_us=1))
    assert canonical_json(payload) == by_the_encoder(payload)
    assert digest(payload) == hashlib.sha256(by_the_encoder(payload).encode()).digest()


def test_a_changed_term_is_another_text() -> None:
    """Unknown terms are left out, and nothing else is."""
    settled = Settlement(amount_minor=0, paid_at_us=1)
    assert canonical_json([settled, replace(settled, amount_minor=1), None]) == '[{"amount_minor":0,"paid_at_us":1},{"amount_minor":1,"paid_at_us":1},null]'


def test_what_has_no_canonical_text_is_refused() -> None:
    """A value of another kind is a mistake of ours, and never digested as something else."""
    with pytest.raises(TypeError):
        canonical_json(object())


def test_parties_of_older_releases_keep_their_digests() -> None:
    """A party of before contacts, electronic addresses and accounts were known has the digest that it had."""
    party = Party(
        name="Host OOD",
        street="ul. Vitosha 1",
        city="Sofia",
        post_code="1000",
        country="BG",
        vat_id="BG123456789",
        registration_id="123456789",
        tax_number="12",
        email="a@example.com",
    )
    assert digest(party).hex() == "92b04f82896830562c0af4928607eb4106b2a212b691e87c1be1c0362d876c9b"
    assert digest(issued(DRAFT)).hex() == "14a12caafcbaecb77d3de62e6b15120deda858a0d2c094ab3a7d773db04f3d9e"
    assert digest(replace(party, iban="BG80BNBG96611020345678")) != digest(party)
