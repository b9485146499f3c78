"""What Prometheus sees of a server, and what it must never see."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from tests.conftest import BUYER, Ledger
from tests.database import execute
from tests.operations.watched import Watched, furnish, watching

from faktura.bootstrap.metered import metered
from faktura.config import Settings, read_settings
from faktura.domain.draft import parse_draft
from faktura.domain.errors import SettingError
from faktura.domain.money import Currency
from faktura.ledger.billing_runs import accept_run, begin_run, receive_items
from faktura.ledger.commands import issue
from faktura.ledger.exactly_once import joined
from faktura.server.meter import Histogram, Meter

LABELS = {"provider", "route", "status", "event", "kind", "state", "outcome", "version", "le"}
INVOICE = {"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]}


@pytest.fixture(autouse=True, scope="session")
def each_engine(engine: str) -> str:
    """Every test here runs on each engine."""
    return engine


@pytest.fixture
def server(ledger: Ledger) -> Iterator[Watched]:
    """A watched server of a small ledger."""
    with watching(ledger, furnish(ledger)) as watched:
        yield watched


def counted(server: Watched, name: str, **labels: str) -> float:
    """One sample; 0 where there is none."""
    return server.metrics().get(name, {}).get(tuple(sorted(labels.items())), 0)


def test_requests_are_counted_by_provider_route_and_status(server: Watched) -> None:
    """Each answer counts once, under the provider that gave it, its kind of call and its status; durations count with it."""
    for _ in range(2):
        server.ask("GET", "/v1/invoices", "vpsbg")
    for _ in range(4):
        server.ask("GET", "/v1/invoices?query=7", "checkdomain")
    server.ask("GET", "/v1/invoices/7", host="checkdomain.test")
    server.ask("GET", "/readyz")
    server.manage("GET", "/accounts")
    server.ask("GET", "/manage/v1/accounts")
    found = {labels: value for labels, value in server.metrics()["faktura_http_requests_total"].items() if dict(labels)["route"] != "healthz"}
    expected = {
        ("vpsbg", "list", "200"): 2,
        ("checkdomain", "search", "200"): 3,
        ("checkdomain", "search", "429"): 1,
        ("checkdomain", "single", "401"): 1,
        ("", "readyz", "200"): 1,
        ("vpsbg", "listAccounts", "200"): 1,
        ("", "listAccounts", "401"): 1,
    }
    assert {tuple(dict(labels)[key] for key in ("provider", "route", "status")): value for labels, value in found.items()} == expected
    assert counted(server, "faktura_http_request_duration_seconds_count", route="search") == 4
    assert counted(server, "faktura_http_request_duration_seconds_bucket", route="search", le="+Inf") == 4


def test_callers_cannot_make_series(server: Watched) -> None:
    """Paths, methods, hosts and broken requests that callers make up are a handful of series, whatever their number."""
    for place in range(30):
        server.ask("GET", f"/v1/{place}", "vpsbg", host=f"h{place}.test")
        server.ask(f"M{place}", f"/manage/v1/{place}")
        server.manage("GET", f"/accounts/{place}")
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=20) as connection:
        connection.sendall(b"no request\r\n\r\n")
        assert b"x-request-id" in connection.recv(65536).lower()
    routes = {dict(labels)["route"] for labels in server.metrics()["faktura_http_requests_total"]}
    assert routes == {"other", "getAccount", "malformed", "healthz"}
    assert counted(server, "faktura_http_requests_total", provider="", route="malformed", status="400") == 31


def test_what_is_written_is_counted_once_it_is_durable(server: Watched) -> None:
    """Documents and payments count by the journal's events, each commit with its writers and their wait; what was refused does not count."""
    account = server.manage("POST", "/accounts", {"reference": "new", "buyer": {"name": "Primer", "country": "BG"}})
    account_id = int(account.headers["location"].rpartition("/")[2])
    for key in ("a", "a", "b"):
        assert server.manage("POST", "/invoices", {"account_id": account_id} | INVOICE, Idempotency_Key=key).status == 201
    assert server.manage("POST", "/payments", {"account_id": account_id, "amount": "5", "currency": "EUR"}).status == 201
    assert server.manage("POST", "/invoices", {"account_id": account_id, "lines": []}).status == 422
    events = {dict(labels)["event"]: value for labels, value in server.metrics()["faktura_journal_entries_total"].items()}
    assert (events["account.added"], events["invoice.issued"], events["payment.recorded"]) == (1, 2, 1)
    assert set(events) <= {"account.added", "invoice.issued", "payment.recorded", "payment.allocated"}
    commits, members = (counted(server, f"faktura_ledger_commit_{name}") for name in ("duration_seconds_count", "members_sum"))
    assert 5 <= commits <= members
    assert members <= counted(server, "faktura_ledger_turn_wait_seconds_count")


def test_nothing_of_a_customer_is_a_label(ledger: Ledger, server: Watched) -> None:
    """Labels have few names, and no value of them is an id, a token or a number."""
    with ledger.books.storage.reading() as tx:
        provider = tx.providers.all()[0]
        account = tx.accounts.find(provider.id, "demo")
    assert account is not None
    assert server.manage("POST", "/invoices", {"account_id": account.id} | INVOICE).status == 201
    server.manage("GET", f"/accounts/{account.id}")
    server.ask("GET", f"/v1/invoices?query={server.tokens['vpsbg']}", "checkdomain")
    labels = [pair for samples in server.metrics().values() for found in samples for pair in found]
    assert {name for name, _ in labels} <= LABELS
    text = server.metrics_text()
    assert str(account.id) not in text
    assert "fkt_" not in text
    assert not [value for name, value in labels if name not in {"le", "status", "version"} and any(sign.isdigit() for sign in value)]


def test_billing_runs_that_are_not_done_are_shown(ledger: Ledger) -> None:
    """Runs that wait, by provider and state, and their items by outcome; uploads under way are none yet."""
    tokens = furnish(ledger)
    with ledger.books.storage.reading() as tx:
        provider = tx.providers.all()[0]
    for is_accepted in (True, False):
        run = receive_items(ledger.books, begin_run(ledger.books, provider_id=provider.id, is_dry_run=False), [(1, "{}"), (2, "{}")])
        if is_accepted:
            run = accept_run(ledger.books, run)
            with ledger.books.storage.writing() as tx:
                tx.runs.set(replace(run, holder="another", leased_until_us=2**62))
    with watching(ledger, tokens) as server:
        assert counted(server, "faktura_billing_runs", provider="vpsbg", state="queued") == 1
        assert counted(server, "faktura_billing_items", provider="vpsbg", outcome="waiting") == 2
        assert len(server.metrics()["faktura_billing_runs"]) == 1


def test_a_ledger_that_cannot_be_read_shows(ledger: Ledger, server: Watched) -> None:
    """While the ledger cannot be read, `/metrics` still answers, says so, and counts what failed; afterwards it is up again."""
    assert counted(server, "faktura_ledger_up") == 1
    execute(ledger.books, "ALTER TABLE provider RENAME TO provider_away")
    try:
        assert server.ask("GET", "/readyz").status == 503
        assert counted(server, "faktura_ledger_up") == 0
        assert sum(server.metrics()["faktura_errors_total"].values()) >= 2
    finally:
        execute(ledger.books, "ALTER TABLE provider_away RENAME TO provider")
    assert counted(server, "faktura_ledger_up") == 1


def test_the_process_and_the_release_are_shown(server: Watched) -> None:
    """Memory, CPU and start time of the process, and which release runs."""
    found = server.metrics()
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds", "faktura_build_info"} <= set(found)


def test_metrics_are_off_by_default_and_never_on_the_public_port(ledger: Ledger) -> None:
    """Without FAKTURA_METRICS_PORT nobody is told anything, and the public port has no such page at all."""
    with watching(ledger, furnish(ledger), FAKTURA_METRICS_PORT="") as server:
        assert server.metrics_url is None
        assert server.ask("GET", "/metrics", "vpsbg").status == 404


def test_a_metrics_port_that_is_taken_is_told(ledger: Ledger) -> None:
    """A port in use ends the start with one sentence that names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(database=read_settings({}).database, metrics_port=taken.getsockname()[1])
        with pytest.raises(SettingError, match="FAKTURA_METRICS_PORT"), metered(ledger.books, settings):
            raise AssertionError


@pytest.mark.parametrize("text", ["x", "-1", "65536", "8.5", "٣"])
def test_a_metrics_port_must_be_one(text: str) -> None:
    """Whatever is no port is refused by name."""
    with pytest.raises(SettingError, match="FAKTURA_METRICS_PORT"):
        read_settings({"FAKTURA_METRICS_PORT": text})


def test_what_was_rolled_back_does_not_count(ledger: Ledger) -> None:
    """An entry counts when its transaction is durable, and never when it was rolled back."""
    furnish(ledger)
    with metered(ledger.books, Settings(database=read_settings({}).database)) as (books, meter, port):
        assert port is None
        with books.storage.reading() as tx:
            account = tx.accounts.find(tx.providers.all()[0].id, "demo")
        assert account is not None
        draft = parse_draft(INVOICE, currency=Currency("EUR"), buyer=BUYER)
        with suppress(ZeroDivisionError), books.storage.writing() as tx:
            issue(joined(books, tx), account_id=account.id, draft=draft)
            raise ZeroDivisionError
        assert meter.events == {}
        issue(books, account_id=account.id, draft=draft)
        assert meter.events == {(account.provider_id, "invoice.issued"): 1}


def test_a_bound_belongs_to_its_bucket() -> None:
    """`le` is less or equal (the exposition format); what is above all bounds is in the last bucket."""
    histogram = Histogram((1, 2))
    for value in (0.5, 1, 1.5, 2, 3):
        histogram.observe(value)
    assert (histogram.counts, histogram.total) == ([2, 2, 1], 8)
    assert Meter().commit_members.counts == [0] * 8
