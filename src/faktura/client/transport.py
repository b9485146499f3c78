"""Requests with a token, sent to one origin only, bounded in time, size and number, and sent again where that may help."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from faktura import __version__
from faktura.client import errors
from faktura.client.body import Cut, Excess, read_body
from faktura.client.errors import CallError, ConnectError, InvalidRequestError, ServerError, ThrottledError, TimedOutError, TooLargeError
from faktura.client.origin import Origin
from faktura.client.waiting import backoff, instant_after, told_seconds
from faktura.dialects.base import Limit, ProblemKind, WireDialect
from faktura.domain.errors import FakturaError, SettingError, WireError
from faktura.domain.text import shown

if TYPE_CHECKING:
    from faktura.client.network import Network

_REDIRECTS_MAX = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FAULTS_SHOWN = 3
_PROBLEM_BYTES_MAX = 64 * 1024
"""An error's body that is longer tells nobody anything; its status does."""
_TOKEN = re.compile(r"[!-~]{1,8192}\Z")
_HIDDEN_MIN = 8
_ERRORS: dict[ProblemKind, type[CallError]] = {
    ProblemKind.UNAUTHENTICATED: errors.UnauthenticatedError,
    ProblemKind.FORBIDDEN: errors.ForbiddenError,
    ProblemKind.NO_ROUTE: errors.NotFoundError,
    ProblemKind.NOT_FOUND: errors.NotFoundError,
    ProblemKind.METHOD_NOT_ALLOWED: errors.NotSupportedError,
    ProblemKind.LOCKED: errors.LockedError,
}


class Secret:
    """A token, which shows itself to nobody."""

    def __init__(self, token: str) -> None:
        if not isinstance(token, str) or not _TOKEN.match(token):
            raise SettingError("the token must be 1 to 8192 visible ASCII characters, without blanks or line ends")
        self._token = token
        told_apart = token[: max(_HIDDEN_MIN, len(token) // 2)]  # what shortens a text may have cut off the rest
        self._pattern = re.compile(rf"{re.escape(told_apart)}[^\s'\"]*", re.IGNORECASE) if len(token) >= _HIDDEN_MIN else None

    def __repr__(self) -> str:
        return "Secret(…)"

    def header(self) -> bytes:
        """The value of `Authorization`."""
        return b"Bearer " + self._token.encode("ascii")

    def hide(self, text: str) -> str:
        """A text in which the token does not stand, whoever wrote it there. A word shorter than any secret stays."""
        return text if self._pattern is None else self._pattern.sub("…", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a client puts up with."""

    timeout_seconds: float
    """Until a connection is there, and until the next byte."""
    deadline_seconds: float
    """Until an answer is there as a whole, redirects included."""
    attempts_max: int
    body_bytes_max: int
    wait_seconds_max: float
    """Between two attempts."""

    def __post_init__(self) -> None:
        for name in ("timeout_seconds", "deadline_seconds", "attempts_max", "body_bytes_max"):
            if not 0 < getattr(self, name) < 10**9:
                message = f"{name} must be positive, and less than a thousand million"
                raise SettingError(message)
        if not 0 <= self.wait_seconds_max < 10**9:
            raise SettingError("wait_seconds_max must be 0 or more, and less than a thousand million")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What tests replace."""

    sleep: Callable[[float], object]
    random: Callable[[], float]
    """0 up to 1."""
    clock: Callable[[], float]
    """Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """GETs of one API. For one thread at a time."""

    def __init__(self, *, origin: Origin, dialect: WireDialect, secret: Secret, bounds: Bounds, surroundings: Surroundings) -> None:
        self.origin = origin
        self.requests = 0
        self.limit: Limit | None = None
        self._dialect = dialect
        self._secret = secret
        self._bounds = bounds
        self._surroundings = surroundings
        self._network: Network | None = None

    def get(self, path: str) -> bytes:
        """The body of the answer with status 200. CallError or WireError for everything else."""
        attempt = 1
        while True:
            try:
                return self._attempt(path)
            except (ServerError, ThrottledError, ConnectError, TimedOutError) as error:
                wait = self._wait(error, attempt)
                if wait is None:
                    raise
            self._surroundings.sleep(wait)
            attempt += 1

    def close(self) -> None:
        """Hang up. A later request connects again."""
        if self._network is not None:
            self._network.close()
            self._network = None

    def say(self, path: str, text: str) -> str:
        """A message about a request: provider, method, URL, and what came of it."""
        return self._secret.hide(f"{self._dialect.name}: GET {self.origin}{self.origin.target(path)}: {text}")

    def _wait(self, error: CallError, attempt: int) -> float | None:
        """Seconds until the next attempt; None where there is to be none."""
        if attempt >= self._bounds.attempts_max or getattr(error, "lasting", False):
            return None
        longest = self._bounds.wait_seconds_max
        seconds = min(backoff(attempt, self._surroundings.random()), longest)
        if error.retry_at is not None:
            seconds = max(seconds, error.retry_at.timestamp() - self._surroundings.clock())
        return seconds if seconds <= longest else None

    def _attempt(self, path: str) -> bytes:
        from faktura.client.network import Network, TimedOut, Unreachable  # noqa: PLC0415 - what connects loads with the first request

        network = self._network = self._network or Network(self.origin, timeout_seconds=self._bounds.timeout_seconds, hide=self._secret.hide)
        network.set_end(self._bounds.deadline_seconds)
        failure: FakturaError
        try:
            reply = self._follow(network, self.origin.target(path))
            failed = None if reply.status == HTTPStatus.OK else self._failure(path, reply)
            if failed is None:
                return reply.body
            failure = failed
        except TimedOut:
            bounds = self._bounds
            within = f"within {bounds.deadline_seconds:g} seconds" if network.is_over else f"for {bounds.timeout_seconds:g} seconds"
            failure = TimedOutError(self.say(path, f"the answer did not come {within}" if network.is_over else f"nothing came {within}"))
        except Unreachable as error:
            failure = ConnectError(self.say(path, str(error)), lasting=error.lasting)
        except Cut:
            failure = ConnectError(self.say(path, "the answer was cut"))
        except Excess:
            failure = TooLargeError(self.say(path, f"the answer has more than {self._bounds.body_bytes_max} bytes"))
        except WireError as error:
            failure = WireError(self.say(path, str(error)))
        raise failure

    def _follow(self, network: Network, target: str) -> Reply:
        """The answer at the end of redirects within the origin."""
        headers = [
            (b"Host", self.origin.authority.encode("ascii")),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"gzip"),
            (b"User-Agent", f"faktura/{__version__}".encode("ascii")),
            (b"Authorization", self._secret.header()),
        ]
        for _ in range(_REDIRECTS_MAX + 1):
            self.requests += 1
            with network.ask(target, headers) as (status, raw_headers, chunks):
                told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw_headers}
                body = self._read(status, told, chunks)
            self.limit = self._dialect.parse_limit(told)
            if status not in _REDIRECTS or "location" not in told:
                return Reply(status=status, headers=told, body=body)
            target = self.origin.redirected(target, told["location"])
        message = f"it redirects more than {_REDIRECTS_MAX} times"
        raise WireError(message)

    def _read(self, status: int, headers: Mapping[str, str], chunks: object) -> bytes:
        try:
            return read_body(headers, chunks, bytes_max=self._bounds.body_bytes_max)  # type: ignore[arg-type]
        except WireError:
            if status < HTTPStatus.BAD_REQUEST:
                raise
            return b""  # an error's status says enough

    def _failure(self, path: str, reply: Reply) -> FakturaError:
        """The error that an answer without documents tells of."""
        status = reply.status
        if status < HTTPStatus.BAD_REQUEST:
            return WireError(self.say(path, f"the answer has the status {status}"))
        problem = self._dialect.parse_problem(status, reply.body if len(reply.body) <= _PROBLEM_BYTES_MAX else b"")
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            kind = ThrottledError if status == HTTPStatus.TOO_MANY_REQUESTS else ServerError
            return self._passing(path, kind, reply)
        found = _ERRORS.get(problem.kind)
        if found is not None:
            return found(self.say(path, f"{status}. {found.__doc__}"), status=status)
        told = [f"{shown(name)}: {shown(text)}" for name, texts in problem.errors.items() for text in texts]
        more = f" {'; '.join(told[:_FAULTS_SHOWN])}" if told else ""
        message = self.say(path, f"{status}. {InvalidRequestError.__doc__}{more}")
        return InvalidRequestError(message, status=status, faults=problem.errors)

    def _passing(self, path: str, kind: type[CallError], reply: Reply) -> CallError:
        """A failure that may be over later, and when."""
        now = self._surroundings.clock()
        limit = self.limit if kind is ThrottledError else None
        seconds = told_seconds(reply.headers, limit, now=now)
        retry_at = None if seconds is None else instant_after(seconds, now=now)
        said = (
            str(kind.__doc__)
            if retry_at is None
            else f"{str(kind.__doc__).split(':')[0].rstrip('.')}: it asks to come back at {retry_at:%Y-%m-%d %H:%M:%S} UTC."
        )
        return kind(self.say(path, f"{reply.status}. {said}"), status=reply.status, retry_at=retry_at)
