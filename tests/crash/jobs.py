"""Commands in processes of their own, beside the servers: `faktura bill`, `import` of saved answers, `import --as-issued`."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.crash.home import ACCOUNTS, Place
from tests.crash.load import Known, billing_items, products
from tests.crash.nursery import Child, Nursery


@dataclass(slots=True, kw_only=True)
class Job:
    """A command, and what it must come to: the same command again brings in what is missing."""

    kind: str
    arguments: tuple[str, ...]
    provider: str
    marks: tuple[str, ...]
    """Each document's note, or its number where it comes from elsewhere."""
    child: Child | None = None

    def start(self, nursery: Nursery, place: Place) -> Child:
        """Run it."""
        self.child = nursery.start(*self.arguments, environment=place.environment, log=place.log)
        return self.child

    def told(self) -> list[str]:
        """The marks of documents that it said are in the ledger."""
        assert self.child is not None
        lines = [json.loads(line) for line in self.child.printed().splitlines()]
        if self.kind == "bill":
            return [self.marks[line["position"] - 1] for line in lines if line.get("outcome") in {"issued", "billed-before"}]
        if self.kind == "move-in":
            return [line["number"] for line in lines if line.get("outcome") in {"moved-in", "known"}]
        return []


def make_job(known: Known, seeded: random.Random) -> Job:
    """A command with an input of its own."""
    makers: tuple[Callable[[Known, random.Random, str], Job], ...] = (_bill, _move_in, _record)
    maker = seeded.choice(makers)
    return maker(known, seeded, known.next_key(maker.__name__.strip("_").replace("_", "-")))


def _bill(known: Known, seeded: random.Random, key: str) -> Job:
    count = 600 if seeded.random() < 0.03 else seeded.randint(5, 40)
    body = billing_items(key, seeded, count=count)
    file = _keep(known.place, f"{key}.jsonl", body)
    return Job(kind="bill", arguments=("bill", file, "--provider", "vps", "--json"), provider="vps", marks=tuple(products(body)))


def _move_in(known: Known, seeded: random.Random, key: str) -> Job:
    """Documents that go on where those of the job before ended."""
    count = seeded.randint(3, 30)
    with known.lock:
        first = known.moved_in + 1
        known.moved_in += count
    numbers = [f"{number:010d}" for number in range(first, first + count)]
    rows = [
        {
            "account": seeded.choice(ACCOUNTS),
            "number": number,
            "issue_date": "2023-05-05",
            "note": number,
            "lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}],
            "payments": [{"amount": "12", "reference": f"past {number}"}] if seeded.random() < 0.5 else [],
        }
        for number in numbers
    ]
    file = _keep(known.place, f"{key}.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    return Job(kind="move-in", arguments=("import", file, "--provider", "past", "--as-issued", "--json"), provider="past", marks=tuple(numbers))


def _record(known: Known, seeded: random.Random, key: str) -> Job:
    first = 1000 * int(key.rpartition("-")[2])
    items = [
        {"id": number, "invoice_number": f"H-{number}", "created": "2020-07-01T00:00:00+0200", "amount_total": 12, "amount_payed": 12, "amount_open": 0}
        | {"is_open": False, "is_payed": True, "_links": {"self": {"href": f"/v1/invoices/{number}"}}}
        for number in range(first, first + seeded.randint(1, 20))
    ]
    page = {"page": 1, "limit": 100, "pages": 1, "total": len(items), "_links": {}, "_embedded": {"invoices": items}}
    file = _keep(known.place, f"{key}.json", json.dumps(page).encode())
    marks = tuple(str(item["invoice_number"]) for item in items)
    return Job(kind="record", arguments=("import", file, "--provider", "heard", "--account", seeded.choice(ACCOUNTS), "--json"), provider="heard", marks=marks)


def _keep(place: Place, name: str, body: bytes) -> str:
    path: Path = place.folder / name
    path.write_bytes(body)
    return str(path)
