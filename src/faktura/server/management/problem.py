"""Problem details (RFC 9457): one shape for every refusal, with all faults at once. Nothing in it tells of other providers' things."""

from __future__ import annotations

from collections.abc import Iterable
from enum import EnumType
from typing import Any, get_args

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import ParameterKwarg

from faktura.domain.errors import (
    FAULTS_SHOWN_MAX,
    ConflictError,
    FakturaError,
    Fault,
    InputError,
    InvalidDocumentError,
    LedgerAwayError,
    LedgerBusyError,
    LedgerError,
    NotFoundError,
    SettingError,
    fault,
)
from faktura.ledger.exactly_once import KeyReusedError
from faktura.server.request import read_of

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2

_log = structlog.get_logger()


class FaultItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong."""

    rule: str
    """The rule broken: an id of EN 16931 (BR-…), an article, or one of faktura's own."""
    path: str
    """Where in the request, such as `lines[0].vat_rate`; empty for the whole."""
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str | None = None
    faults: tuple[FaultItem, ...] = ()


class UnauthorizedError(FakturaError):
    """A valid token of the provider is needed: `Authorization: Bearer fkt_…`."""


class ForbiddenError(FakturaError):
    """The token's scopes do not allow this call."""


class BadRequestError(FakturaError):
    """The request cannot be read; it carries what is wrong."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("The request cannot be read.")


class MediaTypeError(FakturaError):
    """The body's Content-Type is not one that this call takes."""


class TooLargeError(FakturaError):
    """The body is larger than this call takes."""


class MatchMissingError(FakturaError):
    """Say which version you mean to change: send its ETag as If-Match."""


class MatchFailedError(FakturaError):
    """It has changed since you read it: read it again, and change that."""


TITLES = {
    400: "The request cannot be read",
    401: "No valid token",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "In conflict with the ledger",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Unsupported media type",
    422: "Refused",
    428: "If-Match is missing",
    500: "Server error",
    503: "The ledger cannot serve this now",
}

_STATUS: tuple[tuple[type[FakturaError], int], ...] = (
    (UnauthorizedError, 401),
    (ForbiddenError, 403),
    (BadRequestError, 400),
    (MediaTypeError, 415),
    (TooLargeError, 413),
    (MatchMissingError, 428),
    (MatchFailedError, 412),
    (KeyReusedError, 422),
    (InvalidDocumentError, 422),
    (SettingError, 422),
    (InputError, 422),
    (NotFoundError, 404),
    (ConflictError, 409),
    (LedgerError, 503),
)
"""The one table from errors to HTTP; the first that fits."""

_OWN_WORDS = {UnauthorizedError, ForbiddenError, NotFoundError, LedgerAwayError}
"""Their detail is the class's own, so that it never says what was asked for, or where the database is."""


def of_error(request: Request[Any, Any, Any], error: FakturaError) -> Response[bytes]:
    """The answer to a refusal."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if status == 422 and request.method == "GET":  # noqa: PLR2004 - what is asked for cannot be: only parameters can be at fault
        status = 400
    headers = {}
    if status == 401:  # noqa: PLR2004 - RFC 6750
        headers["WWW-Authenticate"] = 'Bearer realm="faktura"'
    if isinstance(error, LedgerBusyError) and "idempotency-key" in request.headers:
        status = 409  # another call with the same key may be under way
    if isinstance(error, LedgerError):
        headers["Retry-After"] = str(RETRY_SECONDS)
        _tell(request, error)
    own = next((kind for kind in _OWN_WORDS if isinstance(error, kind)), None)
    detail = own.__doc__ if own else str(error)
    faults = getattr(error, "faults", ())
    return _response(status, "Every fault is listed." if faults else detail, faults, headers)


def of_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """The answer to what the framework refuses: no such route, an unusable parameter, a body that is too large."""
    headers = {name.lower(): value for name, value in (error.headers or {}).items() if name.lower() in {"allow", "retry-after"}}
    if "allow" in headers:
        headers["allow"] = allow(method.strip() for method in headers["allow"].split(","))
    faults: list[Fault] = []
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        faults = [_argument_fault(request, str(item.get("key", "")), str(item.get("message", ""))) for item in error.extra if isinstance(item, dict)]
    if error.status_code == 400 and not faults:  # noqa: PLR2004
        faults = [fault("value", "", error.detail.partition(" for path ")[0])]
    detail = {400: error.detail, 404: NotFoundError.__doc__}.get(error.status_code)
    return _response(error.status_code, "Every fault is listed." if faults else detail, faults, headers)


def allow(methods: Iterable[str]) -> str:
    """The header of that name: whatever has GET has HEAD, which the framework does not see."""
    found = set(methods)
    return ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set())))


def _argument_fault(request: Request[Any, Any, Any], argument: str, message: str) -> Fault:
    """A fault in the caller's words: a parameter by the name that it has in the query, with the words that it may have."""
    if argument == "data":
        return fault("missing", "", "the body is missing: send a JSON object, {} where nothing is to be said")
    field = request.route_handler.parsed_fn_signature.parameters.get(argument)
    if field is None or not isinstance(field.kwarg_definition, ParameterKwarg):
        return fault("value", argument, message.replace("`", ""))
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, EnumType)]
    words = ", ".join(str(choice.value) for kind in kinds for choice in kind)  # type: ignore[var-annotated]
    return fault("value", field.kwarg_definition.name or argument, f"must be one of {words}" if words else message.replace("`", ""))


def of_failure(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The answer to a mistake of ours; the log has it."""
    _tell(request, error)
    return _response(500, "This is a fault of the server; it is logged.", (), {})


def _tell(request: Request[Any, Any, Any], error: Exception) -> None:
    """Who logs the request logs what went wrong with it, in one line; without a server around the API, this does."""
    told = read_of(request.scope)
    if told is None:
        _log.error("request failed", path=request.url.path, exc_info=error)
    else:
        told.failure = error


def _response(status: int, detail: str | None, faults: tuple[Fault, ...] | list[Fault], headers: dict[str, str]) -> Response[bytes]:
    items = tuple(FaultItem(rule=item.rule, path=item.path, message=item.message) for item in faults[:FAULTS_SHOWN_MAX])
    if len(items) < len(faults):
        detail = f"The first {len(items)} of {len(faults)} faults are listed."
    problem = Problem(title=TITLES.get(status, "Refused"), status=status, detail=detail, faults=items)
    return Response(msgspec.json.encode(problem), status_code=status, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store", **headers})
