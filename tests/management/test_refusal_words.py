"""What a refusal says: the caller's own words, all faults at once, and what would have been right."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.management.office import Office, open_office


@pytest.fixture(scope="module")
def office(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A provider with one account."""
    with open_office(tmp_path_factory.mktemp("words") / "ledger.db") as opened:
        opened.post("/accounts", {"reference": "a", "buyer": {"name": "A", "country": "BG"}})
        yield opened


@pytest.mark.parametrize(
    ("path", "faults"),
    [
        ("/invoices?state=unpaid", {("value", "state", "must be one of open, partly-paid, paid, credited, overdue")}),
        ("/invoices?number=%00", {("value", "number", "must not contain NUL")}),
        ("/accounts?reference=a%00", {("value", "reference", "must not contain NUL")}),
        ("/invoices?type_code=1", {("value", "type_code", "must be one of 325, 380, 381, 383")}),
        ("/invoices?sort=total", {("value", "sort", "must be one of id, -id, issue_date, -issue_date, number, -number")}),
        ("/invoices?cursor=x", {("cursor", "cursor", "is no cursor of ours: take it from the answer before, as it is")}),
        (
            "/vat-report?start=2026-01-01",
            {("unknown", "start", "is not a parameter of this call"), ("missing", "from", "is missing"), ("missing", "to", "is missing")},
        ),
        ("/vat-report?from=2026-02-01&to=2026-01-01", {("PERIOD", "to", "2026-01-01 is before 2026-02-01, on which the period begins")}),
    ],
)
def test_a_list_that_cannot_be_asked_for(office: Office, path: str, faults: set[tuple[str, str, str]]) -> None:
    """A GET that is at fault is 400; a fault names the parameter as the query does, and the words that it may have."""
    answer = office.call("GET", path)
    assert (answer.status_code, {tuple(item.values()) for item in answer.json()["faults"]}) == (400, faults)


def test_no_body(office: Office) -> None:
    """A call that needs a body says so."""
    answer = office.call("POST", "/accounts")
    assert (answer.status_code, answer.json()["faults"][0]["message"]) == (400, "the body is missing: send a JSON object, {} where nothing is to be said")


@pytest.mark.parametrize("instant", ["2026-01-01", "2026-01-01T00:00:00", 5, "x", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_what_is_no_instant(office: Office, instant: object) -> None:
    """An instant has a time and an offset; every fault has the field's path."""
    answer = office.post("/tokens", {"scopes": ["invoices:read"], "expires_at": instant}, status=422)
    assert [item["path"] for item in answer["faults"]] == ["expires_at"]


def test_what_cannot_be_credited(office: Office) -> None:
    """Quantities are faulted by the line number that was sent; 01 is not another name of 1."""
    made = office.post("/invoices", {"account_id": office.all("/accounts")[0]["id"], "lines": [{"name": "x", "unit_price": 1, "quantity": 2}]})
    for quantities, paths in (({"1": 1, "01": 1, "x": 1, "0": 1}, ["01", "x", "0"]), ({"1": 9, "2": 1}, ["1", "2"])):
        answer = office.post(f"/invoices/{made['id']}/credit-notes", {"quantities": quantities}, status=422)
        assert [item["path"] for item in answer["faults"]] == [f"quantities.{path}" for path in paths]


def test_what_needs_if_match_says_so(office: Office) -> None:
    """Each operation whose text asks for If-Match has the header and its refusals in the OpenAPI document, and no other has."""
    operations = [operation for item in office.http.get("/manage/v1/openapi.json").json()["paths"].values() for operation in item.values()]
    asked = {operation["operationId"] for operation in operations if "If-Match" in operation["description"]}
    assert asked == {"setProvider", "setAccount", "setDraft", "removeDraft", "issueDraft"}
    assert {op["operationId"] for op in operations if any(item["name"] == "If-Match" for item in op.get("parameters", []))} == asked
    assert {op["operationId"] for op in operations if {"412", "428"} <= set(op["responses"])} == asked


def test_the_reference_is_readable(office: Office) -> None:
    """Lists come before their items, words that may be sent are shown, and no type is left open."""
    page = re.sub(r"<[^>]+>", " ", office.http.get("/manage/v1/reference").text)
    assert page.index("/manage/v1/invoices ") < page.index("/manage/v1/invoices/{invoice_id} ")
    assert "open, partly-paid, paid, credited, overdue" in page
    assert "id, -id, issue_date" in page
    assert not re.search(r"query +any", page)
