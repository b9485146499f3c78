"""The official rules look at a document before it takes a number, while no transaction runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Ledger, serving
from tests.database import dump
from tests.documents.files.conftest import EUR, LINE, RECEIVER, SENDER
from tests.documents.files.falling import fall
from tests.management.site import Api, Wire

from faktura.bootstrap import rules_process, worker_process
from faktura.bootstrap.profile_rules import OfficialRules
from faktura.bootstrap.rules_process import RulesAwayError, RulesFellError, RulesProcess
from faktura.documents import official_rules, validation
from faktura.documents.en16931 import Profile
from faktura.domain.draft import parse_draft
from faktura.domain.errors import Fault, InvalidDocumentError, LedgerError
from faktura.domain.invoice import Draft, Invoice, TypeCode
from faktura.domain.provider import Account
from faktura.ledger.accounts import add_account, create_token, set_provider
from faktura.ledger.billing import BillingItem, run_billing
from faktura.ledger.billing_runs import accept_run, begin_run, receive_items, work_waiting
from faktura.ledger.commands import issue
from faktura.ledger.drafts import add_draft, issue_draft, judge
from faktura.ledger.pro_forma import invoice_pro_forma
from faktura.ledger.profile_rules import ProfileRules

UNKNOWN_UNIT = LINE | {"unit_code": "QQQ"}
"""Of no list: that only the official rules know."""
DOCUMENT = {"payment_terms": "14 days", "lines": [LINE]}


@pytest.fixture(scope="session")
def rules() -> Iterator[OfficialRules]:
    """One process for all tests that do not end it."""
    with closing(OfficialRules()) as opened:
        yield opened


@pytest.fixture
def account(ledger: Ledger, rules: OfficialRules) -> Account:
    """An account of a provider that issues for XRechnung."""
    ledger.books = replace(ledger.books, profile_rules=rules)
    ledger.provider("vpsbg", seller=SENDER, e_invoice_profile="xrechnung")
    return add_account(ledger.books, provider="vpsbg", reference="a", buyer=RECEIVER)


def draft(*, line: dict[str, Any] = LINE, **fields: Any) -> Draft:
    """A document for that account."""
    return parse_draft(DOCUMENT | {"lines": [line]} | fields, currency=EUR, buyer=RECEIVER, seller=SENDER, today=date(2024, 8, 1))


@dataclass
class Watching:
    """Official rules that do something whenever they look at a document."""

    rules: ProfileRules
    also: Callable[[], None]
    count: int = 0

    def faults(self, invoice: Invoice, profile: str) -> list[Fault]:
        """Theirs."""
        return self.rules.faults(invoice, profile)

    def judge(self, document: bytes, profile: str) -> None:
        """As they do, after it."""
        self.count += 1
        self.also()
        self.rules.judge(document, profile)


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("profile", [item.value for item in Profile])
def test_what_only_they_know_takes_no_number(ledger: Ledger, account: Account, profile: str) -> None:
    """The rule, the field and the set of rules are told, and nothing is written; the next document has the first number."""
    set_provider(ledger.books, name="vpsbg", change=lambda provider: replace(provider, e_invoice_profile=profile))
    before = dump(ledger.books)
    with pytest.raises(InvalidDocumentError) as refused:
        issue(ledger.books, account_id=account.id, draft=draft(lines=[LINE, UNKNOWN_UNIT]))
    rules = {"BR-CL-23", "FX-SCH-A-000613"} if profile == "facturx" else {"BR-CL-23"}
    assert {(item.rule, item.path) for item in refused.value.faults} == {(rule, "lines[1].unit_code") for rule in rules}
    assert dump(ledger.books) == before
    assert issue(ledger.books, account_id=account.id, draft=draft()).series_sequence == 1


@pytest.mark.parametrize("is_draft", [False, True], ids=["document", "draft"])
def test_others_write_meanwhile(ledger: Ledger, account: Account, is_draft: bool) -> None:  # noqa: FBT001 - pytest's
    """Nobody waits for the rules: while they look at a document another thread issues one, and takes the number before it."""
    pro_forma = replace(draft(), type_code=TypeCode.PRO_FORMA, order_ids=(1,))  # which they never look at
    meanwhile: list[Invoice] = []

    def write() -> None:
        with ThreadPoolExecutor(1) as pool:
            meanwhile.append(pool.submit(issue, ledger.books, account_id=account.id, draft=pro_forma).result(timeout=30))

    watching = Watching(ledger.books.profile_rules, write)
    books = replace(ledger.books, profile_rules=watching)
    if is_draft:
        kept = add_draft(books, account=account, document=DOCUMENT | {"note": f"slow {ledger.path}"})
        slow = issue_draft(books, provider_id=account.provider_id, draft_id=kept.id, check=lambda _: None)
    else:
        slow = issue(books, account_id=account.id, draft=draft(note=f"slow {ledger.path}"))
    assert watching.count == 1
    assert meanwhile[0].wire_id < slow.wire_id


@pytest.mark.only("sqlite")
def test_another_day_is_another_document(ledger: Ledger, account: Account) -> None:
    """Midnight passes while the rules look: the document of the new day is looked at as well, and has its date."""
    day = issue(ledger.books, account_id=account.id, draft=draft()).issue_date

    def sleep_over() -> None:
        ledger.clock.now_us += 86_400_000_000 if watching.count == 1 else 0

    watching = Watching(ledger.books.profile_rules, sleep_over)
    late = issue(replace(ledger.books, profile_rules=watching), account_id=account.id, draft=draft(note="late"))
    assert (late.issue_date, late.series_sequence, watching.count) == (day + timedelta(days=1), 2, 2)


@pytest.mark.only("sqlite")
def test_every_way_of_issuing_asks_them(ledger: Ledger, account: Account) -> None:
    """A draft, the invoice of a pro-forma, an item of a billing run: each is refused for what only they know, and issued without it."""
    books = ledger.books
    for line, is_good in ((UNKNOWN_UNIT, False), (LINE, True)):
        kept = add_draft(books, account=account, document=DOCUMENT | {"lines": [line]})
        pro_forma = issue(books, account_id=account.id, draft=draft(line=line, type_code=325, order_ids=[7 + is_good]))
        assert pro_forma.type_code is TypeCode.PRO_FORMA
        ways = (
            partial(issue_draft, books, provider_id=account.provider_id, draft_id=kept.id, check=lambda _: None),
            partial(invoice_pro_forma, books, account_id=account.id, pro_forma_id=pro_forma.id),
        )
        for way in ways:
            if is_good:
                assert way().type_code is TypeCode.INVOICE
            else:
                with pytest.raises(InvalidDocumentError, match="BR-CL-23"):
                    way()
    items = [
        BillingItem(position=place, data=DOCUMENT | {"account": "a", "period": "2024-08", "product": str(place), "lines": [line]})
        for place, line in enumerate((LINE, UNKNOWN_UNIT, LINE | {"name": "VPN"}))
    ]
    reports = sorted(run_billing(books, provider="vpsbg", read=lambda: items), key=lambda report: report.position)
    assert [report.outcome for report in reports] == ["issued", "refused", "issued"]
    assert [item.rule for item in reports[1].faults] == ["BR-CL-23"]


@pytest.mark.only("sqlite")
def test_a_billing_run_is_judged_again_where_it_was_forgotten(ledger: Ledger, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts are bounded in number; a batch whose own were dropped before it was issued is looked at again, and issued as one."""
    monkeypatch.setattr("faktura.bootstrap.profile_rules._KNOWN_MAX", 3)
    monkeypatch.setattr("faktura.ledger.billing.BATCH_SIZE", 3)
    items = [
        BillingItem(position=place, data=DOCUMENT | {"account": "a", "period": "2024-08", "product": str(place), "note": f"n{place}"}) for place in range(6)
    ]
    watching = Watching(ledger.books.profile_rules, lambda: None)
    reports = list(run_billing(replace(ledger.books, profile_rules=watching), provider="vpsbg", read=lambda: items))
    assert [report.outcome for report in reports] == ["issued"] * 6
    assert watching.count == 12


@pytest.mark.only("sqlite")
def test_a_process_that_ends_is_started_again(ledger: Ledger, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was killed is started anew. A document that ends two is refused; where none can work, nothing is issued either, and it may be tried again."""
    with closing(OfficialRules()) as own:
        books = replace(ledger.books, profile_rules=own)
        issue(books, account_id=account.id, draft=draft())
        assert own._process._process is not None
        own._process._process.kill()
        assert issue(books, account_id=account.id, draft=draft(note="2")).series_sequence == 2
        before = dump(books)
        monkeypatch.setattr(validation, "official_faults", fall)
        with pytest.raises(InvalidDocumentError, match=r"\[RULES\]"):
            issue(books, account_id=account.id, draft=draft(note="3"))
        monkeypatch.setattr(worker_process, "answer_calls", fall)
        own._process._end()
        with pytest.raises(LedgerError, match="cannot be run now"):
            issue(books, account_id=account.id, draft=draft(note="3"))
        assert dump(books) == before
        monkeypatch.undo()
        assert issue(books, account_id=account.id, draft=draft(note="3")).series_sequence == 3
    with pytest.raises(LedgerError, match="cannot be run now"):  # as who still waits when a server ends
        issue(books, account_id=account.id, draft=draft(note="4"))


@pytest.mark.only("sqlite")
def test_it_ends_at_once_whatever_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that would take a minute is broken off, and told so; those that wait behind it are, too."""
    process = RulesProcess()
    assert isinstance(process.call(os.getpid), int)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(process.call, time.sleep, 60) for _ in range(3)]
        process.close()
        for call in waiting:
            with pytest.raises(RulesAwayError):
                call.result(timeout=30)
    assert process._process is None


@pytest.mark.only("sqlite")
def test_what_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is ended, and not tried again; the next call has a new one."""
    with closing(RulesProcess()) as process:
        first = process.call(os.getpid)
        monkeypatch.setattr(rules_process, "SECONDS_MAX", 0.05)
        with pytest.raises(RulesFellError):
            process.call(time.sleep, 60)
        monkeypatch.undo()
        assert process.call(os.getpid) != first


@pytest.mark.only("sqlite")
def test_nothing_of_the_working_folder_is_run(tmp_path: Path) -> None:
    """A module beside the e-invoices that has a standard one's name is not imported by the process that checks them."""
    (tmp_path / "struct.py").write_text("open('was-run', 'w')")
    program = "import os; from faktura.bootstrap.rules_process import RulesProcess; print(RulesProcess().call(os.getpid))"
    done = subprocess.run([sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "was-run").exists()


def test_corrections_of_a_batch_are_judged_once(ledger: Ledger, account: Account) -> None:
    """Debit notes name their invoice by its number: what is judged is what is issued."""
    number = issue(ledger.books, account_id=account.id, draft=draft()).number
    items = [
        BillingItem(
            position=place,
            data=DOCUMENT | {"account": "a", "period": "2024-08", "product": f"{place}", "type_code": 383, "preceding_invoice": number, "note": f"{place}"},
        )
        for place in range(8)
    ]
    watching = Watching(ledger.books.profile_rules, lambda: None)
    reports = list(run_billing(replace(ledger.books, profile_rules=watching), provider="vpsbg", read=lambda: items))
    assert [report.outcome for report in reports] == ["issued"] * 8, reports
    assert watching.count == 8


@pytest.mark.only("sqlite")
def test_a_run_whose_verdicts_are_gone_is_checked_again(ledger: Ledger, account: Account) -> None:
    """A server that was started anew finds a run that another checked: its items are looked at again while the run is held, and issued once."""
    items = [
        (
            place,
            json.dumps(
                DOCUMENT
                | {"account": "a", "period": "p", "product": f"{place}", "note": f"{place}", "lines": [LINE | ({"unit_code": "QQQ"} if place == 3 else {})]}
            ),
        )
        for place in range(5)
    ]
    watching = Watching(ledger.books.profile_rules, lambda: None)
    books = replace(ledger.books, profile_rules=watching)
    accept_run(books, receive_items(books, begin_run(books, provider_id=account.provider_id, is_dry_run=False), items))
    assert work_waiting(books, holder="one", is_stopping=lambda: watching.count == 5) == 0
    assert isinstance(watching.rules, OfficialRules)
    watching.rules._known.clear()
    assert work_waiting(books, holder="two", is_stopping=lambda: False, lease_us=60_000_000) == 1
    assert watching.count == 5 + 4
    with books.storage.reading() as tx:
        assert len(tx.invoices.by_number(account.id, "0000000004")) == 1
        assert tx.invoices.by_number(account.id, "0000000005") == []


@pytest.mark.only("sqlite")
def test_a_draft_says_what_the_profile_lacks(ledger: Ledger, account: Account) -> None:
    """All but what only the official rules know, which look at it when it is issued."""
    lacking = DOCUMENT | {"buyer": {"name": "B", "country": "BG"}}
    with ledger.books.storage.reading() as tx:
        prepared, faults = judge(tx, ledger.books, account, lacking)
        assert prepared is None
        assert "BR-DE-15" in {item.rule for item in faults}
        prepared, faults = judge(tx, ledger.books, account, DOCUMENT | {"lines": [UNKNOWN_UNIT]})
        assert (prepared is not None, faults) == (True, ())


@pytest.mark.only("sqlite")
def test_without_the_extra_ours_alone_are_asked(ledger: Ledger, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only they know is issued then, without a process."""
    monkeypatch.setattr(official_rules, "rules_folder", lambda: None)
    with closing(OfficialRules()) as own:
        assert issue(replace(ledger.books, profile_rules=own), account_id=account.id, draft=draft(line=UNKNOWN_UNIT)).series_sequence == 1
        assert own._process._process is None


@pytest.mark.only("sqlite")
def test_without_peppols_own_the_others_are_asked(ledger: Ledger, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two extras one may be there: what it brings is asked."""
    set_provider(ledger.books, name="vpsbg", change=lambda provider: replace(provider, e_invoice_profile="peppol"))
    monkeypatch.setattr(official_rules, "peppol_folder", lambda: None)
    with closing(OfficialRules()) as own, pytest.raises(InvalidDocumentError, match="BR-CL-23"):
        issue(replace(ledger.books, profile_rules=own), account_id=account.id, draft=draft(line=UNKNOWN_UNIT, note="extra"))


def test_over_the_wire(ledger: Ledger, account: Account) -> None:
    """The refusal is a 422 with the rule, a key is free again after it, and an answer that was given is given again."""
    token = create_token(ledger.books, provider="vpsbg", reference=None, scopes=("invoices:write",))[0]
    with serving(ledger.path, FAKTURA_ACCESS_LOG="off") as served, closing(Wire(served.host)) as wire:
        manager = Api(wire, token)

        def sent(line: dict[str, Any]) -> Any:
            body = json.dumps(DOCUMENT | {"account_id": account.id, "lines": [line]}).encode()
            return manager.send("POST", "/manage/v1/invoices", body=body, headers=[("Content-Type", "application/json"), ("Idempotency-Key", "k")])

        refused = sent(UNKNOWN_UNIT)
        assert refused.status == 422
        assert [item["rule"] for item in refused.problem()["faults"]] == ["BR-CL-23"]
        first, second = sent(LINE), sent(LINE)
        assert (first.status, second.status) == (201, 201)
        assert first.json()["id"] == second.json()["id"]
