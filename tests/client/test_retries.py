"""What is asked for again, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from tests.client.conftest import client_at
from tests.client.hostile import Parts, hostile, item, reply, vpsbg_page

from faktura.client import FakturaError, ForbiddenError, InvalidRequestError, LockedError, NotFoundError, NotSupportedError, ServerError, ThrottledError

GOOD = reply(vpsbg_page([item(1)]))
NOW = 1_722_500_000


def run(*answers: bytes, **options: object) -> tuple[object, list[float], int]:
    """The outcome for a server that gives these answers, the last for ever; what was slept, and how often it was asked."""
    slept: list[float] = []

    def answer(count: int, target: str) -> Parts:
        del target
        return [answers[min(count, len(answers)) - 1]]

    outcome: object
    with hostile(answer) as server, client_at(server, _sleep=slept.append, _random=lambda: 0.5, _clock=lambda: NOW, **options) as client:
        try:
            outcome = len(client.invoices.page(1).invoices)
        except FakturaError as error:
            outcome = error
        assert client.requests == len(server.heads)
        return outcome, slept, client.requests


def throttled(*headers: str) -> bytes:
    """A 429."""
    return reply('{"message":"Too Many Attempts."}', *headers, status=429)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
def test_a_failing_server_is_asked_again(status: int) -> None:
    """Twice a 5xx, then the answer; the pauses grow, by half of what they may be."""
    assert run(reply(b"oops", status=status), reply(b"oops", status=status), GOOD) == (1, [0.25, 0.5], 3)


def test_attempts_are_bounded() -> None:
    """A server that always fails is a ServerError."""
    outcome, slept, requests = run(reply(b"", status=500))
    assert isinstance(outcome, ServerError)
    assert "500. The provider's server failed, or is away." in str(outcome)
    assert (len(slept), requests) == (3, 4)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["Retry-After: 7"], 7),
        ([f"Retry-After: {formatdate(NOW + 9, usegmt=True)}"], 9),
        ([f"Date: {formatdate(NOW + 500, usegmt=True)}", f"Retry-After: {formatdate(NOW + 509, usegmt=True)}"], 9),
        (["X-RateLimit-Remaining: 0", f"X-RateLimit-Reset: {NOW + 20}"], 20),
        (["Retry-After: 3", "X-RateLimit-Remaining: 0", f"X-RateLimit-Reset: {NOW + 20}"], 3),
        (["Retry-After: soon"], 0.25),
        (["Retry-After: -5"], 0.25),
        ([f"Retry-After: {formatdate(NOW - 900, usegmt=True)}"], 0.25),
        (["Retry-After: Wed, 99 Foo 99999 99:99:99 GMT"], 0.25),
        ([], 0.25),
    ],
)
def test_a_server_says_when(headers: list[str], seconds: float) -> None:
    """By seconds, by a date (by its own clock), or by the end of the window; nonsense is as if it said nothing."""
    outcome, slept, requests = run(throttled(*headers), GOOD)
    assert (outcome, requests) == (1, 2)
    assert slept == pytest.approx([seconds])


@pytest.mark.parametrize(
    ("headers", "at"),
    [
        (["Retry-After: 61"], NOW + 61),
        (["X-RateLimit-Remaining: 0", f"X-RateLimit-Reset: {NOW + 3600}"], NOW + 3600),
        (["Retry-After: 999999999999999999999999"], NOW + 10 * 366 * 86400),
        (["X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 999999999999999999"], NOW + 10 * 366 * 86400),
    ],
)
def test_long_waits_are_left_to_the_caller(headers: list[str], at: int) -> None:
    """What is longer than `wait_seconds_max` is not slept; the error says until when."""
    outcome, slept, requests = run(throttled(*headers))
    assert isinstance(outcome, ThrottledError)
    assert (slept, requests) == ([], 1)
    assert outcome.retry_at == datetime.fromtimestamp(at, UTC)
    assert f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC" in str(outcome)


def test_pauses_are_bounded_too() -> None:
    """The pause that the client chooses itself is never longer than `wait_seconds_max`, and is no reason to give up."""
    assert run(reply(b"", status=500), throttled("Retry-After: 0"), GOOD, wait_seconds_max=0.1) == (1, [0.1, 0.1], 3)
    assert run(reply(b"", status=500), GOOD, wait_seconds_max=0) == (1, [0], 2)


def test_a_server_that_is_away_says_when_too() -> None:
    """A 503's Retry-After is honoured alike."""
    assert run(reply(b"", "Retry-After: 5", status=503), GOOD) == (1, [5], 2)
    outcome, slept, _ = run(reply(b"", "Retry-After: 500", status=503))
    assert isinstance(outcome, ServerError)
    assert (slept, outcome.retry_at) == ([], datetime.fromtimestamp(NOW + 500, UTC))


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, ForbiddenError), (404, NotFoundError), (405, NotSupportedError), (422, InvalidRequestError), (423, LockedError), (418, InvalidRequestError)],
)
def test_other_refusals_are_final(status: int, kind: type[FakturaError]) -> None:
    """They are told at once, each by its own kind."""
    outcome, slept, requests = run(reply('{"message":"no"}', status=status))
    assert type(outcome) is kind
    assert (slept, requests) == ([], 1)


def test_the_limit_is_kept() -> None:
    """After an answer without a limit's headers none is known."""

    def answer(count: int, target: str) -> Parts:
        del target
        return [reply(vpsbg_page([]), *(["X-RateLimit-Limit: 60", "X-RateLimit-Remaining: 59"] if count == 1 else []))]

    with hostile(answer) as server, client_at(server) as client:
        client.invoices.page(1)
        assert client.limit is not None
        assert (client.limit.limit, client.limit.remaining) == (60, 59)
        client.invoices.page(1)
        assert client.limit is None
