"""The token goes to its own origin, and is shown nowhere."""

from __future__ import annotations

import logging
import traceback

import pytest
from tests.client.conftest import TOKEN, client_at
from tests.client.hostile import hostile, item, reply, vpsbg_page

from faktura.client import Client, FakturaError, SettingError

ECHOES = [
    reply(vpsbg_page([item(1)])),
    reply(vpsbg_page([item(1, invoice_number=f"{TOKEN}\x01")])),
    reply(vpsbg_page([item(1)], total=9, following=f"http://{TOKEN}.test/{TOKEN}")),
    reply(vpsbg_page([item(1)], total=9, following=f"/{TOKEN}")),
    reply(vpsbg_page([item(1)], total=9, following=f"/{'x' * 20}{TOKEN}")),
    reply(f"{{{TOKEN}"),
    reply(b"", f"Location: http://{TOKEN.lower()}.test/{TOKEN}", status=302),
    reply(b"", f"Location: {TOKEN}://{TOKEN}", status=302),
    reply(b"", f"Content-Encoding: {TOKEN}"),
    reply(b"", f"X-Echo: {TOKEN}", status=500),
    reply(f'{{"message": "{TOKEN}", "errors": {{"{TOKEN}": ["{TOKEN}"]}}}}', status=422),
    reply(f'{{"message": "The route {TOKEN} could not be found."}}', status=404),
    b"HTTP/1.1 200 OK\r\n" + TOKEN.encode() + b"\r\n\r\n",
    TOKEN.encode(),
    b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + TOKEN.encode(),
]


@pytest.mark.parametrize("answer", ECHOES)
def test_it_is_shown_nowhere(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Not in repr, errors, tracebacks or logs at DEBUG, even where a server sends it back in all that it may send."""
    caplog.set_level(logging.DEBUG)
    with hostile(lambda _count, _target: [answer]) as server, client_at(server) as client:
        shown = repr(client) + repr(client.invoices) + repr(client._transport) + repr(vars(client._transport))
        try:
            list(client.invoices.list())
        except FakturaError as error:
            shown += f"{error} {error!r} {''.join(traceback.format_exception(error))}"
        assert all(TOKEN.encode() in head for head in server.heads)
    assert "httpcore2" in {record.name.partition(".")[0] for record in caplog.records}
    logged = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert TOKEN[:14].lower() not in (shown + logged).lower()


@pytest.mark.parametrize(
    "token", ["", "hunter2 word", "hunter2\n", "hunter2\r\nX-Evil: 1", "hunter2ß", "hunter2\x00", "hunter2\ttab", None, 5, b"hunter2", "x" * 8193]
)
def test_tokens_that_are_none(token: object) -> None:
    """They are refused before anything is sent, and not shown."""
    with pytest.raises(SettingError, match="the token must be") as caught:
        Client(provider="vpsbg", token=token)  # type: ignore[arg-type]
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("base_url", ["https://user:hunter2@api.test/v1", "https://hunter2@api.test/v1"])
def test_a_password_in_the_url(base_url: str) -> None:
    """It is refused and not shown."""
    with pytest.raises(SettingError, match="must not contain a user or password") as caught:
        Client(provider="vpsbg", token="t", base_url=base_url)
    assert "hunter2" not in str(caught.value)


def test_what_repr_shows() -> None:
    """Provider and origin."""
    assert repr(Client(provider="checkdomain", token="t")) == "Client(provider='checkdomain', origin='https://api.checkdomain.de')"
    assert repr(Client(provider="vpsbg", token="t", base_url="http://[::1]:8000/v1")) == "Client(provider='vpsbg', origin='http://[::1]:8000')"
