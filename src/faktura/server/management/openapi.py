"""The OpenAPI 3.1 document: the framework's, from routes and structs, with what holds for every call added once."""

from __future__ import annotations

from typing import Any

from litestar import Litestar

from faktura.server.management.examples import BODIES, RAW_BODIES
from faktura.server.management.invoice_files import describe, describe_picture
from faktura.server.management.problem import MEDIA_TYPE, TITLES

_WRITING = ("post", "put", "patch", "delete")
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes the call safe to repeat: the same key, request and provider give the first answer again, for good. Another request with the key is refused (422).",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "2026-10-17850-vps2",
}
_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of what you mean to change; 428 without, 412 where it has changed.",
    "schema": {"type": "string"},
}
_LOCATION = {"description": "Where to find it.", "required": True, "schema": {"type": "string"}}
_ETAG = {"description": "Its version, to send as If-Match.", "required": True, "schema": {"type": "string", "pattern": '^"[^"]+"$'}}
_REPLAYED = {"description": "The answer was given before, under the same Idempotency-Key.", "schema": {"type": "string", "enum": ["true"]}}
_FORMATS = dict.fromkeys(("from", "to", "issued_from", "issued_to", "on"), "date") | {"as_of": "date-time"}
"""Of query parameters that are read by us."""
_RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "string"}}}
_INTRODUCTION = """Runs a provider's invoicing: accounts, drafts, invoices, payments, billing runs, journal.

**Token**: `Authorization: Bearer fkt_…`, made by `faktura token create PROVIDER --scope invoices:write`. It acts for one provider; `admin` includes the other scopes.

**Exactly once**: send an `Idempotency-Key` with every writing call, and repeat the call as often as you must.

**Refusals** are problem details (RFC 9457) that list all faults, each with the rule broken and the path.

**Amounts** are decimal text. Null is unknown, and not zero."""

_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}


def make_openapi(app: Litestar) -> dict[str, Any]:
    """The whole document."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    document["info"]["description"] = _INTRODUCTION
    document["servers"] = [{"url": "/"}]
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": "A provider's token."}}
    document["security"] = [{"token": []}]
    schemas = document["components"]["schemas"]
    schemas["Problem"] = _problem_schema()
    for schema in schemas.values():
        _allow_numbers(schema)
    handlers = {handler.operation_id: handler for route in app.routes for handler in getattr(route, "route_handlers", ())}
    document["paths"] = dict(sorted((path.replace("/.", "."), item) for path, item in document["paths"].items()))  # a list before its items
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _complete(path, method, operation, handlers[operation["operationId"]].opt)
    return document


def _complete(path: str, method: str, operation: dict[str, Any], opt: dict[str, Any]) -> None:
    is_writing, has_body = method in _WRITING, "requestBody" in operation or "body" in opt
    if opt.get("body"):
        operation["requestBody"] = {
            "required": True,
            "content": {kind: _raw_body(kind, text) for kind, text in opt["body"].items()},
        }
    elif has_body:
        operation["requestBody"]["content"]["application/json"]["example"] = BODIES[operation["operationId"]]
    parameters = [item for item in operation.get("parameters", []) if not (item["in"] == "query" and item["name"] in {"request", "call"})]
    for item in parameters:
        item["schema"] |= {"format": _FORMATS[item["name"]]} if item["name"] in _FORMATS else {}
    parameters += ([_KEY] if is_writing else []) + ([_MATCH] if opt.get("match") else [])
    if parameters:
        operation["parameters"] = parameters
    statuses = [400, 401, 403, 500, 503]
    statuses += [404] if "{" in path or is_writing or any(item["name"] == "account_id" for item in parameters) else []
    statuses += [409, 422] if is_writing else []
    statuses += [409] if "file" in opt else []
    statuses += [413, 415] if has_body else []
    statuses += [412, 428] if opt.get("match") else []
    operation["responses"] = {status: answer for status, answer in operation["responses"].items() if str(status).startswith("2")} | {
        str(status): _problem(status) for status in sorted(statuses)
    }
    operation["x-scope"] = opt["scope"]
    operation["description"] = f"{operation.get('description', '').strip()}\n\nScope: `{opt['scope']}`.".strip()
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            _complete_answer(status, response, opt, is_writing=is_writing)
    if "file" in opt:
        describe(operation, opt["file"])
    if "picture" in opt:
        describe_picture(operation, opt["picture"])


def _raw_body(kind: str, text: str) -> dict[str, Any]:
    schema = {"type": "string", "description": text} | ({"format": "binary"} if kind.startswith("image/") else {})
    return {"schema": schema} | ({"example": RAW_BODIES[kind]} if kind in RAW_BODIES else {})


def _complete_answer(status: str, response: dict[str, Any], opt: dict[str, Any], *, is_writing: bool) -> None:
    headers: dict[str, Any] = {"Location": _LOCATION} if status in {"201", "202"} else {}
    headers |= {"ETag": _ETAG} if opt.get("etag") else {}
    headers |= {"Idempotent-Replayed": _REPLAYED} if is_writing else {}
    response["headers"] = headers
    if status == "204":
        del response["content"]
    elif "streams" in opt:
        response["content"] = {opt["streams"]: {"schema": {"type": "string"}}}


def _problem(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": TITLES[status], "content": {MEDIA_TYPE: _PROBLEM}}
    return answer | ({"headers": _RETRY} if status in {409, 503} else {})


def _problem_schema() -> dict[str, Any]:
    fault = {
        "type": "object",
        "required": ["rule", "path", "message"],
        "properties": {name: {"type": "string"} for name in ("rule", "path", "message")},
    }
    properties: dict[str, Any] = {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "faults": {"type": "array", "items": fault},
    }
    example = {
        "title": TITLES[422],
        "status": 422,
        "detail": "Every fault is listed.",
        "faults": [{"rule": "BR-16", "path": "lines", "message": "a document needs at least one line"}],
    }
    return {"type": "object", "required": ["title", "status"], "properties": properties, "examples": [example]}


def _allow_numbers(schema: dict[str, Any]) -> None:
    """Decimals are taken as text or as numbers: the framework knows only the text."""
    for item in schema.get("properties", {}).values():
        if item.pop("title", None) == "Decimal":
            for option in [item, *item.get("oneOf", [])]:
                if option.get("type") == "string":
                    option["type"] = ["string", "number"]
