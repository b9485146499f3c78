"""The OpenAPI document and its rendered reference: public, self-contained, without scripts."""

from __future__ import annotations

import html
import json
from functools import cache
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get

from faktura.server.management.openapi import make_openapi

_STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1,h2,h3{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid #8884}details{margin:.5rem 0;border:1px solid #8884;border-radius:.4rem;padding:.4rem .8rem}
summary{cursor:pointer}code,pre{font:14px/1.45 ui-monospace,monospace}pre{background:#8881;padding:.6rem;overflow:auto;border-radius:.3rem}
.m{display:inline-block;min-width:4.2rem;font-weight:700;text-transform:uppercase}.get{color:#2a7}.post{color:#27c}.put,.patch{color:#b70}.delete{color:#c33}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid #8883}
"""


@get("/openapi.json", opt={"public": True}, include_in_schema=False, sync_to_thread=True)
def openapi_document(request: Request[Any, Any, Any]) -> Response[bytes]:
    """OpenAPI 3.1."""
    return Response(msgspec.json.encode(_document(request.app)), media_type="application/json")


@get("/reference", opt={"public": True}, include_in_schema=False, sync_to_thread=True)
def reference_page(request: Request[Any, Any, Any]) -> Response[str]:
    """The same for people."""
    return Response(_page(request.app), media_type="text/html")


@cache
def _document(app: Litestar) -> dict[str, Any]:
    return make_openapi(app)


@cache
def _page(app: Litestar) -> str:
    document = _document(app)
    by_tag: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(path, method, operation, document["components"]["schemas"]))
    parts = [f"<h2>{_text(tag)}</h2>{''.join(operations)}" for tag, operations in by_tag.items()]
    schemas = "".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    introduction = "".join(f"<p>{_marked(part)}</p>" for part in document["info"]["description"].split("\n\n"))
    title = _text(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title} {_text(document['info']['version'])}</h1>{introduction}"
        f'<p><a href="openapi.json">openapi.json</a></p>{"".join(parts)}<h2>Schemas</h2>{schemas}</body></html>'
    )


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{_text(item['name'])}</code></td><td>{item['in']}</td><td>{_text(_kind(_resolved(item.get('schema', {}), schemas)))}</td><td>{_marked(item.get('description', ''))}</td></tr>"
        for item in operation.get("parameters", [])
    )
    body = "".join(
        f"<p>Body: <code>{_text(kind)}</code> {_linked(content.get('schema', {}))}</p>{_example(content)}"
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
    )
    answers = "".join(
        f"<tr><td>{status}</td><td>{''.join(_linked(content.get('schema', {})) for content in answer.get('content', {}).values())}</td></tr>"
        for status, answer in operation["responses"].items()
        if status < "4"
    )
    refusals = ", ".join(status for status in operation["responses"] if status >= "4")
    answers += f'<tr><td>{refusals}</td><td><a href="#schema-Problem"><code>Problem</code></a></td></tr>'
    return (
        f'<details id="{_text(operation["operationId"])}"><summary><span class="m {method}">{method}</span> <code>{_text(path)}</code> {_text(operation.get("summary", ""))}</summary>'
        f"<p>{_marked(operation.get('description', ''))}</p>{f'<table>{rows}</table>' if rows else ''}{body}<table>{answers}</table></details>"
    )


def _example(content: dict[str, Any]) -> str:
    example = content.get("example")
    text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
    return "" if example is None else f"<pre>{_text(text)}</pre>"


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{_text(field)}</code>{'' if field in required else ' (optional)'}</td><td>{_linked(item)}</td><td>{_marked(item.get('description', ''))}</td></tr>"
        for field, item in schema.get("properties", {}).items()
    )
    examples = "".join(f"<pre>{_text(json.dumps(example, indent=2, ensure_ascii=False))}</pre>" for example in schema.get("examples", ()))
    return f'<details id="schema-{_text(name)}"><summary><code>{_text(name)}</code> {_marked(schema.get("description", ""))}</summary><table>{rows}</table>{examples}</details>'


def _linked(schema: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    if name:
        return f'<a href="#schema-{_text(name)}"><code>{_text(name)}</code></a>'
    if "oneOf" in schema:
        return " or ".join(_linked(item) for item in schema["oneOf"])
    if schema.get("type") == "array":
        return f"list of {_linked(schema.get('items', {}))}"
    return _text(_kind(schema))


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema with the words it may have in place."""
    if "oneOf" in schema:
        return {"oneOf": [_resolved(item, schemas) for item in schema["oneOf"]]}
    if "allOf" in schema:
        return _resolved(schema["allOf"][0], schemas)
    found: dict[str, Any] = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    return found


def _kind(schema: dict[str, Any]) -> str:
    if "oneOf" in schema:
        return " or ".join(kind for item in schema["oneOf"] if (kind := _kind(item)) != "null")
    if "enum" in schema:
        return ", ".join(str(word) for word in schema["enum"])
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(schema.get("format", kind))


def _marked(text: str) -> str:
    """The two marks that descriptions use: `code` and **strong**."""
    for mark, tag in (("`", "code"), ("**", "strong")):
        parts = text.split(mark)
        if tag == "code":
            parts = [_text(part) for part in parts]
        text = "".join(part if index % 2 == 0 else f"<{tag}>{part}</{tag}>" for index, part in enumerate(parts))
    return text


def _text(value: object) -> str:
    return html.escape(str(value))
