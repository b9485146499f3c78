"""The OpenAPI document is valid, says what is true, and the server keeps to it whatever it is asked.

The number of examples a call is FAKTURA_TEST_EXAMPLES (12 where it is not set): take some hundreds for a long run.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.definitions import OPENAPI_31
from tests.conftest import open_ledger
from tests.management.operations import RECIPES, account_of, credit_note_of, draft_of, invoice_of, payment_of, run_of
from tests.management.site import BASE, PROBLEM, Site

from faktura.domain import draft
from faktura.ledger.verification import verify
from faktura.server.management import document_schema

EXAMPLES = int(os.environ.get("FAKTURA_TEST_EXAMPLES", "8"))
CHECKED = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance", "response_headers_conformance")
SCOPES = {"invoices:read", "invoices:write", "payments:write", "admin"}


@pytest.fixture(scope="module")
def served(site: Site) -> dict[str, Any]:
    """The document as it is served, without a token."""
    reply = site.api(None).send("GET", f"{BASE}/openapi.json")
    assert (reply.status, reply.header("content-type")) == (200, "application/json")
    found: dict[str, Any] = reply.json()
    return found


def operations_in(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of all."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_it_is_valid_openapi(served: dict[str, Any], openapi: dict[str, Any]) -> None:
    """OpenAPI 3.1 by its own schema; every schema in it is JSON Schema 2020-12, and every reference leads somewhere; served as routed."""
    assert served == msgspec.json.decode(msgspec.json.encode(openapi))
    assert served["openapi"].startswith("3.1")
    assert [str(error) for error in jsonschema_rs.validator_for(OPENAPI_31).iter_errors(served)] == []
    for schema in served["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    references = set(re.findall(r'"\$ref":"#/components/schemas/([^"]+)"', msgspec.json.encode(served).decode()))
    assert references <= set(served["components"]["schemas"])
    assert not re.findall(r'"\$ref":"[^#]', msgspec.json.encode(served).decode())


def test_every_operation_is_documented(served: dict[str, Any]) -> None:
    """Each has an id, a summary, one tag, a description, its scope, and says when it answers 401 and 403; parameters in paths are declared."""
    for path, method, operation in operations_in(served):
        label = f"{method} {path}"
        assert re.fullmatch("[a-z][A-Za-z]+", operation["operationId"]), label
        assert operation["summary"], label
        assert operation["description"], label
        assert len(operation["tags"]) == 1, label
        assert operation["x-scope"] in SCOPES, label
        assert f"`{operation['x-scope']}`" in operation["description"], label
        assert {"400", "401", "403", "500", "503"} <= set(operation["responses"]), label
        assert sum(status.startswith("2") for status in operation["responses"]) == 1, label
        for status, answer in operation["responses"].items():
            assert list(answer.get("content", {})) == [PROBLEM] or status.startswith("2") or status == "304", label
        declared = {item["name"] for item in operation.get("parameters", []) if item["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), label
        assert all(item.get("description") for item in operation.get("parameters", []) if item["in"] != "path"), label
        headers = {item["name"] for item in operation.get("parameters", []) if item["in"] == "header"}
        assert ("Idempotency-Key" in headers) is (method != "get"), label
        assert ("If-Match" in headers) is ({"412", "428"} <= set(operation["responses"])), label


def test_every_body_has_an_example(served: dict[str, Any]) -> None:
    """Each body's example is one that its schema allows."""
    for _, _, operation in operations_in(served):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if "example" not in content:
                assert content["schema"]["format"] == "binary", operation["operationId"]
                continue
            schema = {**content["schema"], "components": served["components"]}
            assert [str(error) for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(content["example"])] == [], operation["operationId"]


def test_examples_are_accepted(site: Site, served: dict[str, Any]) -> None:
    """What the documentation shows is done, once its ids are those of things that there are."""
    api = site.api()
    for _, _, operation in operations_in(served):
        name = operation["operationId"]
        if "requestBody" not in operation or name in {"lockPeriod", "creditInvoice"}:  # dates of the past there; another line's quantity here
            continue
        ask = RECIPES[name](api)
        for media_type, content in operation["requestBody"]["content"].items():
            if "example" not in content:  # a picture in bytes
                continue
            example = copy.deepcopy(content["example"])
            if isinstance(example, str):
                reply = api.call(site.operations[name], replace(ask, body=example.encode(), content_type=media_type))
            else:
                for field in ("account_id", "invoices"):
                    example = {**example, field: ask.body[field]} if field in example else example
                for field in ("due_date", "reversed_on", "checked_at", "issue_date"):
                    example.pop(field, None)
                reply = api.call(site.operations[name], replace(ask, body=example))
            assert reply.status < 300, (name, reply)


def fields(kind: type[msgspec.Struct]) -> set[str]:
    """The names on the wire."""
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def test_the_document_body_is_what_the_ledger_reads() -> None:
    """The documented fields of a document are exactly those that are read of one: a field that is one and not the other would mislead."""
    assert fields(document_schema.InvoiceBody) == draft._FIELDS | {"account_id"}
    assert fields(document_schema.LineBody) == draft._LINE_FIELDS
    assert fields(document_schema.AllowanceChargeBody) == draft._ADJUSTMENT_FIELDS
    assert fields(document_schema.PeriodBody) == {"start", "end"}


class Page(HTMLParser):
    """What a page would load, and what it names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), "a script in an attribute"
            if name in {"href", "src", "action", "data", "style"}:
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")


def test_the_reference_page_stands_alone(site: Site, served: dict[str, Any]) -> None:
    """Public, without scripts, without anything from another host; it names every operation, path, field, body and scope once."""
    reply = site.api(None).send("GET", f"{BASE}/reference")
    assert (reply.status, (reply.header("content-type") or "").partition(";")[0]) == (200, "text/html")
    text = reply.body.decode("utf-8")
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base", "source", "video", "audio"} & set(page.tags)
    assert "@import" not in text
    assert "url(" not in text
    assert not re.search(r"(?<!\w)https?://|//\w", re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL))
    assert all(link == "openapi.json" or (link.startswith("#") and link[1:] in page.ids) for link in page.links)
    assert len(set(page.ids)) == len(page.ids)
    assert {operation["operationId"] for _, _, operation in operations_in(served)} | {f"schema-{name}" for name in served["components"]["schemas"]} == set(
        page.ids
    )
    for path, _, operation in operations_in(served):
        assert f"<code>{path}</code>" in text
        assert operation["summary"].replace("'", "&#x27;") in text


def test_the_document_names_no_other_host(served: dict[str, Any]) -> None:
    """Nothing in it is to be loaded from elsewhere."""
    text = msgspec.json.encode(served).decode().replace('xmlns=\\"http://www.w3.org/2000/svg\\"', "")  # which is a name
    assert not re.search(r"https?://", text)


@dataclass(frozen=True)
class Filled:
    """A ledger with things of every kind, and a document that knows some of their ids."""

    site: Site
    schema: Any


@pytest.fixture(scope="module")
def filled(site: Site, openapi: dict[str, Any]) -> Filled:
    """The document with ids of things that there are beside one that never was, so that more than 404 is tried."""
    api = site.api()
    known = {
        "account_id": [account_of(api)],
        "draft_id": [draft_of(api), draft_of(api)],
        "invoice_id": [invoice_of(api), credit_note_of(api), invoice_of(api, type_code=325, order_ids=[1])],
        "payment_id": [payment_of(api), payment_of(api)],
        "run_id": [run_of(api)],
        "token_id": [api.post("/tokens", {"scopes": ["invoices:read"]})["id"]],
    }
    document = copy.deepcopy(msgspec.json.decode(msgspec.json.encode(openapi)))
    for path, _, operation in operations_in(document):
        for item in operation.get("parameters", []):
            if item["name"] in known:
                item["schema"] = {"type": "integer", "enum": [*known[item["name"]], 17]}
            elif item["in"] == "path":
                names = ["alpha", "beta"] if "providers" in path else ["pro-forma", "none"]
                item["schema"] = {"type": "string", "enum": names}
            elif item["name"] == "wait":
                item["schema"] = {"type": "integer", "enum": [0]}
            elif item["name"] == "If-Match":
                item["schema"] = {"type": "string", "enum": ["*", '"x"']}
    for schema in document["components"]["schemas"].values():
        for name, item in schema.get("properties", {}).items():
            if name in {"account_id", "invoice_id"} and item.get("minimum"):
                item["enum"] = [*known[name], 17]
    return Filled(site, schemathesis.openapi.from_dict(document, config=SchemathesisConfig()))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", RECIPES)
def test_the_server_keeps_to_it(filled: Filled, engine: str, name: str) -> None:
    """Good and bad requests, made from the document: no fault of the server, no answer that is not documented, in status, type, body and headers."""
    api = filled.site.api()
    operation = filled.schema.find_operation_by_id(name)
    checks = CHECKS.get_by_names(list(CHECKED))
    modes = [operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]

    @seed(20261122)
    @settings(
        max_examples=EXAMPLES if engine == "sqlite" else EXAMPLES // 2,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(modes))
    def run(case: Any) -> None:
        case.call_and_validate(base_url=f"http://{filled.site.wire.address}", headers={"Authorization": f"Bearer {api.token}"}, checks=checks)

    run()


def test_the_ledger_is_whole_afterwards(filled: Filled) -> None:
    """Whatever of it was done, was done rightly."""
    with open_ledger(filled.site.path) as ledger:
        assert list(verify(ledger.books)) == []
