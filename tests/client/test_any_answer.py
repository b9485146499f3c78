"""Whatever a server answers, a client gives documents or a FakturaError."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.hostile import item, vpsbg_page

from faktura.client import Client, FakturaError
from faktura.client.transport import Transport

_SINGLE: dict[str, Any] = {
    "id": 1,
    "invoice_number": "1111-100001",
    "created": "2017-11-16T09:40:24+0100",
    "amount_total": 12,
    "amount_payed": 10.02,
    "amount_open": 1.98,
    "tax": 19,
    "details": [{"quantity": 1, "unit_price": 12, "price": 12, "remark": "x"}],
    "payments": [{"amount": 10.02, "date": "2017-11-07T00:00:00+0100"}],
}
_LIST = {"page": 1, "pages": 2, "total": 2, "_links": {"next": {"href": "/v1/invoices?page=2"}}, "_embedded": {"invoices": [_SINGLE]}}
_BODIES = [vpsbg_page([item(1)], pages=2, total=2, following="/v1/invoices?page=2"), _SINGLE, _LIST]
_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(
        ["NaN", "sNaN", "-Infinity", "1e999999", "9999-12-31T23:59:59-2359", "0001-01-01T00:00:00Z", "//x", "http://[", "?page=2", 10**30, -1, 2**63]
    )
)
_values = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in children for place in _places(child, (*path, key)))]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A documented answer of which a few values are others, a few bytes perhaps too."""
    body = json.loads(json.dumps(draw(st.sampled_from(_BODIES))))
    for _ in range(draw(st.integers(1, 3))):
        chosen: tuple[Any, ...] = draw(st.sampled_from(_places(body)))
        *way, last = ("body", *chosen)
        holder = {"body": body}
        for step in way:
            holder = holder[step]
        holder[last] = draw(_values)
        body = body if way else holder["body"]
    text = bytearray(json.dumps(body).encode())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        if text:
            text[draw(st.integers(0, len(text) - 1))] = draw(st.integers(0, 255))
    return bytes(text)


@pytest.mark.parametrize("provider", ["vpsbg", "checkdomain"])
@given(body=bodies(), status=st.sampled_from([200, 404]))
def test_any_answer(provider: str, body: bytes, status: int) -> None:
    """No other exception ever comes out, from lists, single documents, or errors."""
    client = Client(provider=provider, token="a-token-that-nobody-has", base_url="http://api.test/v1")
    transport: Transport = client._transport
    transport.get = lambda path: body  # type: ignore[method-assign]  # noqa: ARG005 - its name is the method's
    if status != 200:
        client.dialect.parse_problem(status, body)
    for call in (lambda: list(client.invoices.list()), lambda: client.invoices.page(1), lambda: client.invoices.get(1)):
        with suppress(FakturaError):
            repr(call())
