"""Documents as files over the wire: for those who manage, and for customers."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree
from tests.conftest import open_ledger, serving
from tests.database import execute
from tests.documents.files.conftest import CAME, EUR, RECEIVER, SENDER, TODAY, Office, furnish
from tests.management.site import Api, Reply, Wire

from faktura.documents.incoming import parse_xml, xml_of
from faktura.domain.document_file import Form
from faktura.domain.draft import parse_draft
from faktura.ledger.accounts import create_token, set_provider
from faktura.ledger.commands import issue
from faktura.ledger.verification import verify

FORMS = [form.value for form in Form]
XML = [form.value for form in Form if not form.is_pdf]


def ask(office: Office, name: str, form: str, *, by: str = "customer", method: str = "GET", query: str = "", **headers: str) -> Reply:
    """A file of a document, for a customer or a manager."""
    document, api = office.documents[name], getattr(office, by)
    base = f"/manage/v1/invoices/{document.id}" if by == "manager" else f"/documents/v1/invoices/{document.wire_id}"
    assert isinstance(api, Api)
    return api.send(method, f"{base}.{form}{query}", headers=[(key.replace("_", "-"), value) for key, value in headers.items()])


@pytest.mark.parametrize("form", FORMS)
def test_both_are_handed_the_same(office: Office, form: str) -> None:
    """A file is the same bytes for manager and customer, again and again, with its type, name and digest as tag."""
    first, second = ask(office, "invoice", form, by="manager"), ask(office, "invoice", form)
    assert (first.status, second.status) == (200, 200), (first.body[:500], second.body[:500])
    assert first.body == second.body == ask(office, "invoice", form).body
    for reply in (first, second):
        assert (reply.header("content-type") or "").partition(";")[0] == Form(form).media_type
        assert reply.header("content-disposition") == f'attachment; filename="{office.documents["invoice"].number}.{form}"'
        assert reply.header("etag") == f'"{hashlib.sha256(reply.body).hexdigest()}"'
    assert first.body.startswith(b"%PDF-" if Form(form).is_pdf else b"<?xml")


@pytest.mark.parametrize("by", ["manager", "customer"])
@pytest.mark.parametrize("form", FORMS)
def test_who_has_it_is_told_so(office: Office, form: str, by: str) -> None:
    """With its tag a file is 304 and empty; HEAD is GET without a body."""
    first = ask(office, "invoice", form, by=by)
    tag = first.header("etag") or ""
    again = ask(office, "invoice", form, by=by, If_None_Match=tag)
    assert (again.status, again.body, again.header("etag")) == (304, b"", tag)
    assert ask(office, "invoice", form, by=by, If_None_Match='"other"').status == 200
    head = ask(office, "invoice", form, by=by, method="HEAD")
    assert (head.status, head.body, head.header("content-length"), head.header("etag")) == (200, b"", str(len(first.body)), tag)
    assert head.lasting()[:2] == first.lasting()[:2]
    assert ask(office, "invoice", form, by=by, method="HEAD", If_None_Match=tag).lasting() == again.lasting()


@pytest.mark.parametrize("by", ["manager", "customer"])
@pytest.mark.parametrize("form", FORMS)
def test_who_asks_for_headers_is_handed_nothing(office: Office, form: str, by: str) -> None:
    """HEAD of a file that nobody was handed says what GET will, and nothing is written down."""
    name = {"manager": "fresh", "customer": "fresher"}[by]
    language = "?language=de" if Form(form).is_pdf else ""

    def handed() -> list[Any]:
        return execute(office.path, f"SELECT form FROM document_file WHERE invoice_id = {office.documents[name].id} ORDER BY form")

    before = handed()
    head = ask(office, name, form, by=by, method="HEAD", query=language)
    assert (head.status, head.body) == (200, b"")
    assert handed() == before
    got = ask(office, name, form, by=by, query=language)
    assert len(handed()) > len(before)
    assert head.lasting()[:2] == got.lasting()[:2]
    assert ask(office, "incomplete", "xrechnung.xml", by=by, method="HEAD").status == 422 - 13 * (by == "manager")


def test_the_hybrid_carries_an_e_invoice(office: Office) -> None:
    """What is taken out of the hybrid PDF is the invoice, as its CII has it."""
    document = office.documents["invoice"]
    inside = parse_xml(xml_of(ask(office, "invoice", "facturx.pdf").body)).document
    assert (inside.number, inside.issue_date) == (document.number, document.issue_date)
    assert inside.totals == parse_xml(ask(office, "invoice", "cii.xml").body).document.totals


@pytest.mark.parametrize("by", ["manager", "customer"])
def test_languages(office: Office, by: str) -> None:
    """The query decides, then Accept-Language, then the seller's country; another language is refused."""
    bodies = {language: ask(office, "invoice", "pdf", by=by, query=f"?language={language}").body for language in ("bg", "de", "en")}
    assert len(set(bodies.values())) == 3
    assert ask(office, "invoice", "pdf", by=by).body == bodies["bg"]
    assert ask(office, "invoice", "pdf", by=by, Accept_Language="fr, de-AT;q=0.9, en;q=0.8").body == bodies["de"]
    assert ask(office, "invoice", "pdf", by=by, Accept_Language="fr", query="?language=en").body == bodies["en"]
    for accepted, spoken in (("fr, de-AT;q=0.9, en;q=0.8", "de"), ("en-GB", "en"), ("fr", "bg"), ("de;q=0, *", "bg")):
        for method in ("GET", "HEAD"):
            assert ask(office, "invoice", "pdf", by=by, method=method, Accept_Language=accepted).header("content-language") == spoken
    assert ask(office, "invoice", "ubl.xml", by=by, Accept_Language="de").header("content-language") is None
    assert ask(office, "invoice", "pdf", by=by, query="?language=xx").status == (400 if by == "manager" else 422)


def test_what_lacks_terms_is_refused_with_all_of_them(office: Office) -> None:
    """A manager is told each fault with its rule; a customer the same in the provider's own shape; nothing is written down."""
    before = execute(office.path, "SELECT COUNT(*) AS files FROM document_file")
    for form in XML:
        for name in ("recorded", "pro-forma"):
            refused = ask(office, name, form, by="manager")
            assert refused.status == 409, refused.body
            faults = refused.problem()["faults"]
            assert faults
            assert all(item["rule"] and item["message"] for item in faults)
            own = ask(office, name, form)
            assert own.status == 422
            assert sum(len(messages) for messages in own.json()["errors"].values()) == len(faults)
    assert execute(office.path, "SELECT COUNT(*) AS files FROM document_file") == before
    assert len(ask(office, "recorded", "ubl.xml", by="manager").problem()["faults"]) > 2
    lacking = {item["path"] for item in ask(office, "incomplete", "xrechnung.xml", by="manager").problem()["faults"]}
    assert {"buyer_reference"} <= lacking or any("buyer_reference" in path for path in lacking), lacking


def test_a_pro_forma_has_a_pdf(office: Office) -> None:
    """And no e-invoice."""
    assert ask(office, "pro-forma", "pdf").status == 200
    assert ask(office, "pro-forma", "facturx.pdf").status == 422


@pytest.mark.parametrize("by", ["manager", "customer"])
@pytest.mark.parametrize(("name", "ending"), [("came", "xml"), ("came as PDF", "pdf")])
def test_an_original_is_given_back(office: Office, name: str, ending: str, by: str) -> None:
    """To the byte, with its type, name and tag; nothing is written down, and no e-invoice of ours is made beside it: the refusal names the original."""
    before = execute(office.path, "SELECT COUNT(*) AS files FROM document_file")
    reply = ask(office, name, "original", by=by, Accept_Language="de")
    assert (reply.status, reply.body) == (200, CAME[name])
    assert (reply.header("content-type") or "").partition(";")[0] == f"application/{ending}"
    assert f'.original.{ending}"' in (reply.header("content-disposition") or "")
    assert reply.header("vary") == "Authorization"
    assert reply.header("x-content-type-options") == "nosniff"
    assert reply.header("etag") == f'"{hashlib.sha256(CAME[name]).hexdigest()}"'
    again = ask(office, name, "original", by=by, If_None_Match=reply.header("etag") or "")
    assert (again.status, again.body) == (304, b"")
    for form in (*XML, "facturx.pdf"):
        refused = ask(office, name, form, by=by)
        assert refused.status == (409 if by == "manager" else 422)
        assert b"ask for its original" in refused.body
    assert execute(office.path, "SELECT COUNT(*) AS files FROM document_file") == before


@pytest.mark.parametrize("by", ["manager", "customer"])
@pytest.mark.parametrize(("name", "why"), [("invoice", "issued here"), ("recorded", "another system"), ("pro-forma", "issued here")])
def test_what_has_no_original(office: Office, name: str, why: str, by: str) -> None:
    """Is refused with the reason; also what was issued here, and came back from somebody who changed it."""
    reply = ask(office, name, "original", by=by)
    assert reply.status == (409 if by == "manager" else 422)
    assert why.encode() in reply.body


@pytest.mark.parametrize("form", [*FORMS, "original"])
def test_anothers_is_as_none(office: Office, form: str) -> None:
    """What is another account's, or not there, is the same answer to the byte; and to a stranger everything is one 401."""
    missing = office.customer.send("GET", f"/documents/v1/invoices/999999.{form}")
    assert missing.status == 404
    assert ask(office, "other", form).lasting() == missing.lasting()
    refused = [office.stranger.send("GET", f"/documents/v1/invoices/{number}.{form}") for number in (office.documents["invoice"].wire_id, 999999)]
    assert refused[0].lasting() == refused[1].lasting() == office.stranger.send("GET", "/v1/invoices").lasting()
    assert refused[0].status == 401


def test_only_what_is_routed_is_answered(office: Office) -> None:
    """Other endings, ids that are none, other methods: as the provider's API refuses them."""
    wire_id = office.documents["invoice"].wire_id
    for path in (
        f"{wire_id}",
        f"{wire_id}.exe",
        f"0{wire_id}.pdf",
        f"{wire_id}.pdf/",
        f"{wire_id}.PDF",
        "-1.pdf",
        f"{'9' * 30}.pdf",
        "x.pdf",
        f"{wire_id}/.pdf",
    ):
        assert office.customer.send("GET", f"/documents/v1/invoices/{path}").status == 404, path
    assert office.customer.send("POST", f"/documents/v1/invoices/{wire_id}.pdf").status == 405
    assert office.manager.send("GET", f"/manage/v1/invoices/{office.documents['invoice'].id}.exe").status == 404


def test_a_name_that_is_no_file_name(office: Office) -> None:
    """A number with letters and signs that folders and headers do not take is told both ways (RFC 6266)."""
    reply = ask(office, "recorded", "pdf", by="manager")
    if reply.status == 200:
        assert reply.header("content-disposition") == "attachment; filename=\"A-7.pdf\"; filename*=UTF-8''%C3%84-7.pdf"


def test_the_limit_counts_files(engine: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Files count in the account's window, and beyond it are refused as anything else is."""
    path = tmp_path_factory.mktemp("limited") / "ledger.db"
    with open_ledger(path) as ledger:
        documents = furnish(ledger)
        set_provider(ledger.books, name="vpsbg", change=lambda provider: replace(provider, rate_limit=2))
        token = ledger.token("vpsbg", "a")
    with serving(path, FAKTURA_ACCESS_LOG="off") as served:
        api = Api(Wire(served.host), token)
        replies = [api.send("GET", f"/documents/v1/invoices/{documents['invoice'].wire_id}.ubl.xml") for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert [reply.header("x-ratelimit-remaining") for reply in replies] == ["1", "0", "0"]
        api.wire.close()


def test_many_at_once_are_handed_one_file(engine: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """However many ask for a file that nobody had: all get the same bytes, and the ledger has one row of it, and is whole."""
    path = tmp_path_factory.mktemp("many") / "ledger.db"
    with open_ledger(path) as ledger:
        documents = furnish(ledger)
        token = ledger.token("vpsbg", "a")
    with serving(path, FAKTURA_ACCESS_LOG="off", FAKTURA_WORKERS="2") as served:
        api = Api(Wire(served.host), token)
        with ThreadPoolExecutor(8) as threads:
            replies = list(threads.map(lambda _: api.send("GET", f"/documents/v1/invoices/{documents['invoice'].wire_id}.ubl.xml"), range(24)))
        api.wire.close()
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    etree.fromstring(replies[0].body)
    assert len(execute(path, "SELECT 1 AS row FROM document_file WHERE form = 'ubl.xml'")) == 1
    with open_ledger(path) as ledger:
        assert list(verify(ledger.books)) == []


@pytest.mark.only("sqlite")
def test_many_long_documents_at_once_leave_the_server_serving(engine: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One is made at a time; who asks meanwhile is told when to come back, and short documents are served all along."""
    path = tmp_path_factory.mktemp("long") / "ledger.db"
    with open_ledger(path) as ledger:
        documents = furnish(ledger)
        lines = [{"name": f"VPS {n}", "unit_price": "1"} for n in range(400)]
        draft = parse_draft({"lines": lines}, currency=EUR, buyer=RECEIVER, seller=SENDER, today=TODAY)
        long = issue(ledger.books, account_id=documents["invoice"].account_id, draft=draft)
        token, manager = ledger.token("vpsbg", "a"), create_token(ledger.books, provider="vpsbg", reference=None, scopes=("invoices:read",))[0]
    with serving(path, FAKTURA_ACCESS_LOG="off") as served, closing(Wire(served.host)) as wire:
        customer, api = Api(wire, token), Api(wire, manager)
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(customer.send, "GET", f"/documents/v1/invoices/{long.wire_id}.pdf?language={language}") for language in ("bg", "de", "en")]
            asked += [threads.submit(api.send, "GET", f"/manage/v1/invoices/{long.id}.pdf?language={language}") for language in ("bg", "de", "en")]
            short = [threads.submit(customer.send, "GET", f"/documents/v1/invoices/{documents['invoice'].wire_id}.pdf") for _ in range(2)]
            replies = [future.result() for future in asked]
        assert {future.result().status for future in short} == {200}
        assert {reply.status for reply in replies} == {200, 503}
        assert all(int(reply.header("retry-after") or 0) > 0 for reply in replies if reply.status == 503)
        assert customer.send("GET", f"/documents/v1/invoices/{long.wire_id}.pdf").status == 200


def test_the_ledger_tells_of_all_that_was_handed_out(office: Office) -> None:
    """The digests of whatever was served are in the ledger, and it is whole."""
    served = {hashlib.sha256(ask(office, "invoice", form).body).digest() for form in FORMS}
    kept = {bytes(row["sha256"]) for row in execute(office.path, "SELECT sha256 FROM document_file")}
    assert served <= kept
    with open_ledger(office.path) as ledger:
        assert list(verify(ledger.books)) == []
