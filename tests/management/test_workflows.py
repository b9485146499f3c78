"""A provider's month over HTTP: every step is asserted to the cent against a model, and against what the provider's API shows its customers."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest
from tests.database import database_at
from tests.management.office import SELLERS, VAT_IDS, Expected, Office, open_office

from faktura.bootstrap.books import open_books
from faktura.config import Settings
from faktura.ledger.verification import verify

CENT = Decimal("0.01")
RATES = {"BG": Decimal(20), "DE": Decimal(19)}
TODAY = datetime.now(ZoneInfo("Europe/Berlin")).date()  # it is later in Sofia, so this day has begun in both
FIRST = (TODAY.replace(day=1) - timedelta(days=1)).replace(day=1)


def cents(amount: Decimal) -> Decimal:
    """Rounded half up, as invoices are."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def day(number: int) -> str:
    """A day of last month."""
    return FIRST.replace(day=number).isoformat()


@dataclass
class Month:
    """What has happened so far, computed apart from faktura."""

    office: Office
    dialect: str
    keys: dict[int, str] = field(default_factory=dict)
    """Account -> its customer's token."""
    accounts: dict[str, int] = field(default_factory=dict)
    documents: dict[int, Expected] = field(default_factory=dict)
    credit: dict[int, Decimal] = field(default_factory=dict)
    """Account -> what is left of its payments and credit notes."""
    happened: Counter[str] = field(default_factory=Counter)

    @property
    def home(self) -> str:
        """The seller's country."""
        return SELLERS[self.dialect]

    @property
    def abroad(self) -> str:
        """Another member state."""
        return "DE" if self.home == "BG" else "BG"

    def took(
        self, answer: dict[str, Any], *, net: Decimal, key: tuple[str, str, str], settled: str = "0.00", is_overdue: bool = False, vat: Decimal | None = None
    ) -> Expected:
        """A document was issued: it must be what was computed, net and VAT of one category and rate."""
        vat = cents(net * Decimal(key[2]) / 100) if vat is None else vat
        made = Expected(answer["id"], answer["account_id"], answer["number"], answer["type_code"], net, vat, key, is_overdue, Decimal(settled))
        assert [answer[name] for name in ("total_without_vat", "vat_total", "total_with_vat")] == [str(net), str(vat), str(net + vat)]
        assert (answer["tax_country"], *([answer["vat_breakdown"][0][name] for name in ("vat_category", "vat_rate")])) == key
        self.documents[made.id] = made
        self.happened["invoice.issued"] += 1
        self.check()
        return made

    def pays(self, account: str, amount: str, shares: list[dict[str, Any]] | None = None, **more: object) -> dict[str, Any]:
        """A payment was recorded; the model follows what it was to settle."""
        account_id = self.accounts[account]
        answer: dict[str, Any] = self.office.post("/payments", {"account_id": account_id, "amount": amount, "invoices": shares or [], **more})
        self.happened["payment.recorded"] += 1
        left = Decimal(amount)
        for share in shares or []:
            document = self.documents[share["invoice_id"]]
            if document.type_code != 325:
                part = min(left, Decimal(share.get("amount", document.total - document.settled)))
                document.settled += part
                left -= part
        self.credit[account_id] = self.credit.get(account_id, Decimal(0)) + left
        assert answer["credit"] == str(cents(left))
        self.check()
        return answer

    def check(self) -> None:
        """Every document stands as the model says: here, in its list, and to its customer; and so does every balance."""
        listed = {item["id"]: item for item in self.office.all("/invoices")}
        assert set(listed) == set(self.documents)
        for made in self.documents.values():
            item = listed[made.id]
            shown = [item[name] for name in ("number", "total_with_vat", "paid_amount", "amount_due", "state")]
            assert shown == [made.number, str(made.total), str(cents(made.settled)), str(cents(made.total - made.settled)), made.state]
        for account_id, token in self.keys.items():
            own = [made for made in self.documents.values() if made.account_id == account_id]
            answer = self.office.http.get("/v1/invoices?limit=100", headers={"Authorization": f"Bearer {token}"})
            assert sorted(wire(self.dialect, answer.text)) == sorted(expected_wire(self.dialect, own))
            self.check_balance(account_id, [made for made in own if made.type_code != 325])

    def check_balance(self, account_id: int, own: list[Expected]) -> None:
        """Σ invoiced - Σ settled = due, and what is left of money is credit."""
        balances = self.office.get(f"/accounts/{account_id}/balance")["balances"]
        if not balances:
            assert not own
            return
        invoices = [made for made in own if made.type_code != 381]
        assert [(item["invoiced"], item["due"], item["credit"]) for item in balances] == [
            (
                str(cents(sum((made.total for made in invoices), Decimal(0)))),
                str(cents(sum((made.total - made.settled for made in invoices), Decimal(0)))),
                str(cents(self.credit.get(account_id, Decimal(0)))),
            )
        ]


def wire(dialect: str, text: str) -> list[tuple[object, ...]]:
    """The documents that a customer is shown, with every amount as it is written."""
    answer = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    if dialect == "vpsbg":
        return [(item["invoice_number"], item["amount"], item["amount_with_vat"], item["type"]) for item in answer["data"]]
    return [(item["invoice_number"], item["amount_total"], item["amount_payed"], item["amount_open"]) for item in answer["_embedded"]["invoices"]]


def expected_wire(dialect: str, own: list[Expected]) -> list[tuple[object, ...]]:
    """What the customer must be shown."""
    signed = [(made, -1 if made.type_code == 381 else 1) for made in own]
    if dialect == "vpsbg":
        words = {325: "proform", 380: "original", 381: "credit_note"}
        return [(made.number, sign * made.net, sign * made.total, words[made.type_code]) for made, sign in signed]
    shown = [(made, sign) for made, sign in signed if made.type_code != 325]  # pro-formas are not shown there
    return [(made.number, sign * made.total, sign * made.settled, sign * (made.total - made.settled)) for made, sign in shown]


@pytest.fixture(params=["vpsbg", "checkdomain"])
def month(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Month]:
    """A new provider with five customers, each with a token."""
    with open_office(tmp_path / "ledger.db", request.param) as office:
        made = Month(office, request.param)
        buyers = {
            "home-business": {"country": made.home, "vat_id": VAT_IDS[made.home]},
            "home-consumer": {"country": made.home},
            "abroad-business": {"country": made.abroad, "vat_id": VAT_IDS[made.abroad]},
            "abroad-consumer": {"country": made.abroad},
            "us": {"country": "US"},
        }
        for name, buyer in buyers.items():
            account_id = office.post("/accounts", {"reference": name, "buyer": {"name": name, **buyer}})["id"]
            made.accounts[name] = account_id
            made.keys[account_id] = office.post("/tokens", {"scopes": ["read"], "account_id": account_id})["token"]
            made.happened.update(["account.added", "token.created"])
        yield made


def test_a_month(month: Month) -> None:
    """From the first draft to the locked period, every cent is where the model says, each step shows at once, and the books are whole."""
    pro_forma_paid(month)
    decided = vat_decided(month)
    overridden(month)
    paid(month, decided)
    billed(month)
    reported(month)
    credited(month, decided)
    reversed_and_refunded(month, decided)
    journal_is_whole(month)
    with open_books(Settings(database=database_at(month.office.path))) as books:
        assert [str(finding) for finding in verify(books)] == []


def pro_forma_paid(month: Month) -> None:
    """A draft becomes a pro-forma, is paid, and makes one invoice with its own number, settled by that money."""
    office, account_id = month.office, month.accounts["home-business"]
    rate = RATES[month.home]
    draft = office.call("POST", "/drafts", {"account_id": account_id, "document": {}})
    assert [item["rule"] for item in draft.json()["faults"]] == ["BR-16"]
    document = {"type_code": 325, "order_ids": [7391], "issue_date": day(1), "lines": [{"name": "VPS", "unit_price": "12.345", "quantity": 3}]}
    url = draft.headers["Location"].removeprefix("/manage/v1")
    changed = office.call("PUT", url, {"document": document}, If_Match=draft.headers["ETag"])
    assert (changed.status_code, changed.json()["faults"]) == (200, [])
    assert office.call("PUT", url, {"document": {}}, If_Match=draft.headers["ETag"]).status_code == 412
    month.check()
    issued = office.post(f"{url}/issue", If_Match=changed.headers["ETag"], Idempotency_Key="first")
    assert office.post(f"{url}/issue", If_Match=changed.headers["ETag"], Idempotency_Key="first") == issued
    net = cents(Decimal("12.345") * 3)
    pro_forma = month.took(issued, net=net, key=(month.home, "S", str(rate)))
    pro_forma.settled = pro_forma.total
    payment = month.pays("home-business", str(pro_forma.total), [{"invoice_id": pro_forma.id}], paid_on=day(2), reference="SEPA 1")
    assert (payment["pro_forma_id"], payment["allocations"]) == (pro_forma.id, [])
    month.credit[account_id] = Decimal(0)
    answer = office.post(f"/invoices/{pro_forma.id}/invoice", {"issue_date": day(3)})
    invoice = month.took(answer, net=net, key=pro_forma.key, settled=str(pro_forma.total))
    assert (answer["pro_forma_id"], office.get(f"/invoices/{pro_forma.id}")["invoiced_as_id"]) == (pro_forma.id, invoice.id)
    assert invoice.number != pro_forma.number
    office.post(f"/invoices/{pro_forma.id}/invoice", {"issue_date": day(3)}, status=409)
    month.happened.update(["draft.added", "draft.changed", "draft.issued", "payment.allocated"])


def vat_decided(month: Month) -> dict[str, Expected]:
    """VAT follows from seller and buyer: at home, reverse charge, one-stop shop, outside."""
    keys = {
        "home-business": (month.home, "S", str(RATES[month.home])),
        "home-consumer": (month.home, "S", str(RATES[month.home])),
        "abroad-business": (month.abroad, "AE", "0"),
        "abroad-consumer": (month.abroad, "S", str(RATES[month.abroad])),
        "us": ("US", "O", "0"),
    }
    made = {}
    for place, (name, key) in enumerate(keys.items()):
        price = Decimal("19.99") + place
        line = {"name": "VPS", "unit_price": str(price), "quantity": "3", "period": {"start": day(1), "end": day(28)}}
        body = {"account_id": month.accounts[name], "issue_date": day(5), "due_date": day(20), "lines": [line]}
        made[name] = month.took(month.office.post("/invoices", body), net=price * 3, key=key, is_overdue=True)
    return made


def overridden(month: Month) -> None:
    """Other VAT than is decided is refused without a reason, which is kept; and nothing refused takes a number."""
    body = {"account_id": month.accounts["abroad-consumer"], "issue_date": day(6), "lines": [{"name": "VPS", "unit_price": "10", "vat_rate": "7"}]}
    refused = month.office.post("/invoices", body, status=422)
    assert [(item["rule"], item["path"]) for item in refused["faults"]] == [("VAT-OVERRIDE", "lines[0].vat_rate")]
    answer = month.office.post("/invoices", body | {"override_reason": "reduced rate"})
    assert answer["override_reason"] == "reduced rate"
    month.took(answer, net=Decimal("10.00"), key=(month.home, "S", "7"))
    gross = {"account_id": month.accounts["home-consumer"], "issue_date": day(6), "price_basis": "gross"}
    line = {"name": "VPS", "unit_price": "10", "allowances_charges": [{"amount": "1", "reason": "loyalty"}]}
    answer = month.office.post("/invoices", gross | {"lines": [line], "allowances_charges": [{"amount": "0.49", "reason": "set up", "charge": True}]})
    rate = RATES[month.home]
    assert answer["total_with_vat"] == "9.49"
    assert answer["allowances_charges"] == [{"charge": True, "amount": "0.49", "reason": "set up", "vat_category": "S", "vat_rate": str(rate)}]
    vat = cents(Decimal("9.49") * rate / (100 + rate))
    month.took(answer, net=Decimal("9.49") - vat, vat=vat, key=(month.home, "S", str(rate)))


def paid(month: Month, decided: dict[str, Expected]) -> None:
    """In part, too much, in shares, and before there is an invoice; a payment that was told twice counts once."""
    home, consumer = decided["home-business"], decided["home-consumer"]
    month.pays("home-business", "5.01", [{"invoice_id": home.id}], paid_on=day(7))
    month.pays("home-business", "100", [{"invoice_id": home.id}], paid_on=day(8), reference="over")
    month.happened["payment.allocated"] += 2
    repeated = {"account_id": home.account_id, "amount": "100", "paid_on": day(8), "reference": "over"}
    month.office.post("/payments", repeated, status=409)
    other = next(made for made in month.documents.values() if made.account_id == consumer.account_id and made is not consumer)
    month.pays("home-consumer", "30", [{"invoice_id": consumer.id, "amount": "21.50"}, {"invoice_id": other.id, "amount": "8.49"}])
    month.happened["payment.allocated"] += 2
    too_much = {"account_id": consumer.account_id, "amount": "500", "invoices": [{"invoice_id": other.id, "amount": "8"}]}
    assert month.office.post("/payments", too_much, status=422)["faults"][0]["path"] == "invoices[0].amount"
    early = month.pays("us", "70.00", paid_on=day(2), reference="early")
    us = decided["us"]
    answer = month.office.post(f"/payments/{early['id']}/allocations", {"invoices": [{"invoice_id": us.id}]})
    assert [(item["invoice_id"], item["amount"]) for item in answer["allocations"]] == [(us.id, "70.00")]
    us.settled += 70
    month.credit[us.account_id] -= 70
    month.happened["payment.allocated"] += 1
    month.check()
    on = [item["credit"] for item in month.office.get(f"/accounts/{us.account_id}/balance?on={day(4)}")["balances"]]
    assert on == ["70.00"]
    assert month.office.get(f"/invoices/{home.id}?on={day(7)}")["paid_amount"] == "5.01"


def billed(month: Month) -> None:
    """A run is checked by a dry run, issues what is right, reports what is not, and sent again bills nothing twice; CSV as JSON Lines."""
    name = "home-consumer"
    item = f'"account":"{name}","period":"{FIRST:%Y-%m}","issue_date":"{day(9)}","lines":[{{"name":"Domain","unit_price":"9.90"}}]'
    lines = f'{{"product":"a",{item}}}\n\n{{"product":"b",{item.replace("9.90", "x")}}}\n{{"product":"c",{item.replace(name, "nobody")}}}\nno JSON\n'
    assert run(month, lines, "application/jsonl", "?dry_run=true") == [
        (1, "valid", []),
        (3, "refused", ["value"]),
        (4, "refused", ["account"]),
        (5, "refused", ["type"]),
    ]
    month.check()
    key = (month.home, "S", str(RATES[month.home]))
    assert [outcome for _, outcome, _ in run(month, lines, "application/jsonl")] == ["issued", "refused", "refused", "refused"]
    newest = month.office.get("/invoices?limit=1")["items"][0]["id"]
    month.took(month.office.get(f"/invoices/{newest}"), net=Decimal("9.90"), key=key)
    assert [outcome for _, outcome, _ in run(month, lines, "application/jsonl")] == ["billed-before", "refused", "refused", "refused"]
    csv = f'account,period,product,issue_date,name,quantity,unit_price\n{name},{FIRST:%Y-%m},d,{day(9)},"Domain, .bg",2,9.90\n'
    csv += f"{name},{FIRST:%Y-%m},d,{day(9)},Mail,3,1.55\n{name},{FIRST:%Y-%m},e,{day(9)},Mail,,y\n"
    assert run(month, csv, "text/csv") == [(2, "issued", []), (4, "refused", ["value"])]
    newest = month.office.get("/invoices?limit=1")["items"][0]["id"]
    month.took(month.office.get(f"/invoices/{newest}"), net=Decimal("9.90") * 2 + Decimal("1.55") * 3, key=key)


def run(month: Month, text: str, media_type: str, query: str = "") -> list[tuple[int, str, list[str]]]:
    """What became of a run's items, once it is done."""
    started = month.office.http.post(
        f"/manage/v1/billing-runs{query}", content=text, headers={"Content-Type": media_type, "Authorization": f"Bearer {month.office.token}"}
    )
    assert started.status_code == 202, started.text
    month.happened.update(["billing-run.accepted", "billing-run.done"])
    url, last = started.headers["Location"].removeprefix("/manage/v1"), month.office.get("/journal?after=0&limit=1")["last"]
    while month.office.get(url)["state"] != "done":
        last = month.office.get(f"/journal?after={last}&wait=5")["last"]
    return [(item["position"], item["outcome"], [found["rule"] for found in item["faults"]]) for item in month.office.all(f"{url}/items", limit=2)]


def reported(month: Month) -> None:
    """The VAT report sums up what the model has, and closes: nothing bears a date of that month any more."""
    last = TODAY.replace(day=1) - timedelta(days=1)
    sums: dict[tuple[str, str, str], list[Decimal]] = {}
    for made in month.documents.values():
        if made.type_code != 325:
            row = sums.setdefault(made.key, [Decimal(0), Decimal(0)])
            row[0] += made.net
            row[1] += made.vat
    report = month.office.get(f"/vat-report?from={FIRST}&to={last}")
    assert {
        (row["tax_country"], row["vat_category"], row["vat_rate"]): [Decimal(row["taxable_amount"]), Decimal(row["tax_amount"])] for row in report["summary"]
    } == sums
    assert [(row["tax_country"], row["vat_rate"]) for row in report["oss"]] == [(month.abroad, str(RATES[month.abroad]))]
    assert [(row["vat_id"], row["vat_category"]) for row in report["recapitulative"]] == [(VAT_IDS[month.abroad], "AE")]
    ledger = month.office.call("GET", f"/vat-report/documents?from={FIRST}&to={last}").text.splitlines()
    assert len(ledger) == sum(made.type_code != 325 for made in month.documents.values())
    month.office.post("/period-locks", {"through": last})
    month.happened["period.locked"] += 1
    late = {"account_id": month.accounts["us"], "issue_date": day(28), "lines": [{"name": "VPS", "unit_price": "1"}]}
    assert "PERIOD-LOCKED" in {item["rule"] for item in month.office.post("/invoices", late, status=422)["faults"]}
    month.check()
    assert month.office.get(f"/vat-report?from={FIRST}&to={last}") == report | {"locked_through": str(last)}


def credited(month: Month, decided: dict[str, Expected]) -> None:
    """A part, then the rest, of an unpaid invoice; and the whole of a paid one, whose money is then owed to the customer."""
    invoice = decided["abroad-consumer"]
    price = invoice.net / 3
    for part in (1, 2):
        answer = month.office.post(f"/invoices/{invoice.id}/credit-notes", {"quantities": {"1": part}, "note": "too much"})
        assert answer["preceding_invoice"]["id"] == invoice.id
        note_total = price * part + cents(price * part * RATES[month.abroad] / 100)
        part_of_it = min(note_total, invoice.total - invoice.settled)
        invoice.settled += part_of_it
        invoice.credited += note_total
        month.credit[invoice.account_id] = month.credit.get(invoice.account_id, Decimal(0)) + note_total - part_of_it  # a cent, where rounding made one
        month.took(answer, net=price * part, key=invoice.key, settled=str(part_of_it))
    month.office.post(f"/invoices/{invoice.id}/credit-notes", {}, status=409)
    done = decided["home-business"]
    assert done.state == "paid"
    answer = month.office.post(f"/invoices/{done.id}/credit-notes", {})
    done.credited = done.total
    month.credit[done.account_id] += done.total
    note = month.took(answer, net=done.net, key=done.key)
    back = month.office.post(f"/invoices/{note.id}/refunds", {"amount": "10"})
    assert back["amount"] == "10.00"
    note.settled += 10
    month.credit[done.account_id] -= 10
    month.check()
    month.happened["credit.refunded"] += 1


def reversed_and_refunded(month: Month, decided: dict[str, Expected]) -> None:
    """What is over goes back, never more; what bounced is due again."""
    consumer, home = decided["home-consumer"], decided["home-business"]
    over = next(item for item in month.office.all(f"/payments?account_id={home.account_id}", limit=2) if item["reference"] == "over")
    left = month.office.get(f"/payments/{over['id']}")["credit"]
    month.office.post(f"/payments/{over['id']}/refunds", {"amount": str(Decimal(left) + CENT)}, status=409)
    assert month.office.post(f"/payments/{over['id']}/refunds", {})["amount"] == left
    month.credit[home.account_id] -= Decimal(left)
    month.office.post(f"/payments/{over['id']}/reversal", {"reason": "bounced"}, status=409)
    month.check()
    (split,) = month.office.all(f"/payments?account_id={consumer.account_id}")
    before = month.office.get("/journal?after=0&limit=100")["items"][-1]
    month.office.post(f"/payments/{split['id']}/reversal", {"reason": "direct debit returned"})
    for made in month.documents.values():
        if made.account_id == consumer.account_id:
            made.settled = Decimal("0.00")
    month.credit[consumer.account_id] = Decimal(0)
    month.check()
    then = month.office.get(f"/invoices/{consumer.id}?as_of={before['recorded_at']}")
    assert (then["paid_amount"], month.office.get(f"/invoices/{consumer.id}")["paid_amount"]) == ("21.50", "0.00")
    month.happened.update(["payment.refunded", "payment.reversed"])


def journal_is_whole(month: Month) -> None:
    """In small pages it is what it is in one, without a gap, and has an entry for all that happened."""
    entries: list[dict[str, Any]] = []
    while (page := month.office.get(f"/journal?after={entries[-1]['sequence'] if entries else 0}&limit=3"))["items"]:
        entries += page["items"]
        assert page["last"] == entries[-1]["sequence"]
    assert [item["sequence"] for item in entries] == list(range(1, len(entries) + 1))
    assert month.office.get("/journal?limit=100")["items"] == entries[:100]
    counted = Counter(item["event"] for item in entries)
    assert counted == month.happened + Counter({"provider.added": 1, "token.created": 1})
    assert {item["subject_id"] for item in entries if item["event"] == "invoice.issued"} == set(month.documents)


def test_the_journal_waits_until_something_happens(tmp_path: Path) -> None:
    """With `wait`, an answer comes when something has happened, not before, and holds it; where nothing does, an empty one comes."""
    with open_office(tmp_path / "ledger.db") as office, httpx2.Client(base_url=office.http.base_url, timeout=60) as other:
        last = office.get("/journal")["last"]
        events, answers = [], []

        def listen() -> None:
            answers.append(Office(other, office.token, office.path).get(f"/journal?after={last}&wait=30"))
            events.append("answered")

        listener = threading.Thread(target=listen)
        listener.start()
        assert office.get(f"/journal?after={last}&wait=1") == {"items": [], "last": last}
        events.append("happens")
        made = office.post("/accounts", {"reference": "new"})
        listener.join()
        assert events == ["happens", "answered"]
        assert [(item["event"], item["subject_id"], item["sequence"]) for item in answers[0]["items"]] == [("account.added", made["id"], last + 1)]
        assert office.get(f"/journal?after={last}&wait=30") == answers[0]


def test_pages_stay_while_documents_are_issued(tmp_path: Path) -> None:
    """Every document that was there when a list was begun comes once and in order, whatever is issued between its pages."""
    with open_office(tmp_path / "ledger.db") as office:
        for sort in ("id", "-id", "number", "-number", "issue_date", "-issue_date"):
            account_id = office.post("/accounts", {"reference": sort, "buyer": {"name": "A", "country": "BG"}})["id"]
            keep_pages(office, account_id, sort)


def keep_pages(office: Office, account_id: int, sort: str) -> None:
    """Of one account, in one order."""

    def issue() -> int:
        made: dict[str, int] = office.post("/invoices", {"account_id": account_id, "issue_date": day(1), "lines": [{"name": "x", "unit_price": 1}]})
        return made["id"]

    begun = [issue() for _ in range(7)]
    seen: list[int] = []
    later: list[int] = []
    query, cursor = f"/invoices?account_id={account_id}&sort={sort}&limit=2", ""
    while True:
        page = office.get(query + cursor)
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
        later += [issue()] if len(later) < 3 else []
    assert [found for found in seen if found in begun] == (begun[::-1] if sort.startswith("-") else begun)
    assert len(set(seen)) == len(seen)
    assert set(seen) - set(begun) == (set() if sort.startswith("-") else set(later))
    refused = office.call("GET", f"{query}&state=open{cursor}")
    assert (refused.status_code, refused.json()["faults"][0]["rule"]) == (400, "cursor")


def test_last_month_is_over() -> None:
    """The month that these tests keep has at least 28 days, and ended."""
    assert FIRST + timedelta(days=27) < TODAY
    assert date.fromisoformat(day(28)).month == FIRST.month
