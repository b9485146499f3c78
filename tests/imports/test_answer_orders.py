"""Saved answers in any number and order: what is served does not depend on it."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from tests.imports.answers import page, single, vps_item, vps_page
from tests.imports.desk import Desk, ignore, read

from faktura.bootstrap.imports import Report, import_answers

MONDAY, TUESDAY, FRIDAY = 1_700_000_000, 1_700_086_400, 1_700_345_600


def served(desk: Desk, account: str, provider: str = "checkdomain") -> tuple[list[bytes], list[bytes]]:
    """The bytes of the account's list and of its single forms."""
    items = desk.items(account, provider)
    return items, [desk.single(read(item)["id"], account) for item in items] if provider == "checkdomain" else []


def checkdomain_answers(desk: Desk) -> list[Path]:
    """Lists and singles about the same two documents: the first is paid in two steps; tax, lines and payments only singles say."""
    other = page()["_embedded"]["invoices"][1]
    return [
        desk.answer("list-monday.json", page(paid="0"), seen=MONDAY),
        desk.answer("single-monday.json", single(paid="0"), seen=MONDAY),
        desk.answer("single-tuesday.json", single(paid="10.02"), seen=TUESDAY),
        desk.answer("list-friday.json", page(paid="12"), seen=FRIDAY),
        desk.answer("other-friday.json", other | {"tax": 19, "details": [], "payments": None}, seen=FRIDAY),
    ]


@pytest.mark.parametrize("together", [True, False], ids=["one command", "a command each"])
def test_every_order_serves_the_same_bytes(desk: Desk, together: bool) -> None:  # noqa: FBT001 - pytest's parameter
    """All 120 orders of five answers, in one command or one by one: list and singles are equal to the byte, and no fact was lost."""
    files = checkdomain_answers(desk)
    expected = None
    orders = list(itertools.permutations(files))
    for number, order in enumerate(orders if together else random.Random(5).sample(orders, 20)):
        account = f"order{number}"
        desk.ledger.account("checkdomain", account)
        for batch in [order] if together else [[file] for file in order]:
            report = Report(tell=ignore)
            import_answers(desk.ledger.books, provider="checkdomain", account=account, files=batch, report=report, advance=ignore)
            assert report.is_clean
        found = served(desk, account)
        expected = expected or found
        assert found == expected, [file.name for file in order]
    assert expected is not None
    first = read(expected[1][0])
    assert (first["amount_payed"], first["amount_open"], first["tax"], first["created"]) == (12, 0, 19, "2017-11-16T10:07:15+0100")
    assert desk.terminal.select("SELECT * FROM conflict") == []


def test_every_part_of_the_answers_serves_what_it_knows(desk: Desk) -> None:
    """Any subset in any order of its files: two accounts that heard the same serve the same, and none invents what it did not hear."""
    files = checkdomain_answers(desk)
    for number, part in enumerate(part for size in (1, 2, 3) for part in itertools.combinations(files, size)):
        results = []
        for turn, order in enumerate((part, part[::-1])):
            account = f"part{number}.{turn}"
            desk.ledger.account("checkdomain", account)
            desk.answers(*order, account=account)
            results.append(served(desk, account))
        assert results[0] == results[1], [file.name for file in part]
        for body in results[0][1]:
            document = read(body)
            has_single = any("single" in file.name for file in part) if document["id"] == 1 else files[4] in part
            assert (document["tax"] == 19) == (document["details"] is not None) == has_single


def test_orders_of_a_payment_that_bounced(desk: Desk) -> None:
    """Paid, bounced, paid again: the newest word is served, in whatever order the three answers come."""
    files = [desk.answer(f"{day}.json", page(paid=paid), seen=day) for day, paid in ((MONDAY, "12"), (TUESDAY, "0"), (FRIDAY, "12"))]
    shown = {}
    for number, order in enumerate(itertools.permutations(files)):
        account = f"order{number}"
        desk.ledger.account("checkdomain", account)
        desk.answers(*order, account=account)
        shown[" ".join(file.name for file in order)] = desk.shown(account)[0]["amount_payed"]
    assert set(shown.values()) == {12}, shown


def test_answers_of_one_instant_serve_the_same_in_any_order(desk: Desk) -> None:
    """Copied files often share one time: where they differ in what is paid, the order of import still decides nothing."""
    files = [desk.answer("unpaid.json", page(paid="0")), desk.answer("part.json", single(paid="10.02")), desk.answer("paid.json", page(paid="12"))]
    found = []
    for number, order in enumerate(itertools.permutations(files)):
        account = f"order{number}"
        desk.ledger.account("checkdomain", account)
        desk.answers(*order, account=account)
        found.append(served(desk, account))
    assert all(other == found[0] for other in found[1:]), [read(items[0])["amount_payed"] for items, _ in found]


def vps_documents(count: int) -> list[dict[str, Any]]:
    """Documents with dates that repeat and numbers that are unique per type only."""
    chance = random.Random(11)
    return [
        vps_item(
            id=100 + number,
            invoice_number=f"{number // 2:010}",
            created_at=f"2024-0{chance.randint(1, 9)}-04T22:00:00.000000Z",
            amount=number,
            amount_with_vat=number * 2,
            type=("proform", "original")[number % 2],
            order_ids=[number],
        )
        for number in range(count)
    ]


def test_pages_that_overlap_in_any_order_make_one_list(desk: Desk) -> None:
    """Pages shift while a collector reads: overlapping pages in any order, with documents repeated within one file, make each document once."""
    documents = vps_documents(40)
    newest_first = sorted(documents, key=lambda item: (item["created_at"], item["id"]), reverse=True)
    files = [desk.answer(f"page{start}.json", vps_page(*documents[start : start + 15], documents[start])) for start in range(0, 40, 8)]
    expected = None
    for seed in range(6):
        account = f"order{seed}"
        desk.ledger.account("vpsbg", account)
        for file in random.Random(seed).sample(files, len(files)):
            assert desk.answers(file, provider="vpsbg", account=account).code == 0
        found = desk.items(account, "vpsbg")
        expected = expected or found
        assert found == expected
        assert desk.shown(account, "vpsbg") == newest_first


def test_oldest_first_newest_first_and_shuffled_make_one_list(desk: Desk) -> None:
    """Document by document, in whatever order they arrive, the list is the same and its ordinals are without a hole."""
    documents = sorted(vps_documents(25), key=lambda item: (item["created_at"], item["id"]))
    orders = {"oldest": documents, "newest": documents[::-1], "random": random.Random(3).sample(documents, len(documents))}
    found = {}
    for account, order in orders.items():
        desk.ledger.account("vpsbg", account)
        for start in range(0, 25, 2):
            desk.answers(desk.answer("one.json", vps_page(*order[start : start + 2])), provider="vpsbg", account=account)
        found[account] = desk.items(account, "vpsbg")
        ordinals = desk.terminal.select(
            "SELECT ordinal, a.first_ordinal, a.last_ordinal FROM listing l JOIN account a USING (account_id) WHERE a.reference = ? ORDER BY ordinal", account
        )
        assert [row[0] for row in ordinals] == list(range(ordinals[0][1], ordinals[0][2] + 1))
    assert found["oldest"] == found["newest"] == found["random"]
