"""Parts of numbers: what finds the documents of a large account whose number contains a text, without a look at all of them.

Whoever contains a text has a part that begins with it. Small accounts have no parts: their numbers are looked through, which is as quick.
"""

from __future__ import annotations

from collections.abc import Sequence

from faktura.domain.provider import Account
from faktura.ledger.listing_ports import ListKey
from faktura.ledger.ports import Transaction

PARTED_ABOVE = 2000
"""An account that lists more documents than these has parts of all of them, and one that does not has none."""
PART_LENGTH_MIN = 3
"""Shorter texts occur in so many numbers that a look at all of them is as quick."""
PARTED_LENGTH_MAX = 64
"""A longer number has one empty part, and is compared itself. Parts of a number of n characters have n² / 2 together."""


def number_parts(number_folded: str) -> list[str]:
    """A case-folded number from each place on."""
    if len(number_folded) > PARTED_LENGTH_MAX:
        return [""]
    return [number_folded[place:] for place in range(len(number_folded) - PART_LENGTH_MIN + 1)]


def part(tx: Transaction, account: Account, new: Sequence[tuple[ListKey, str]]) -> None:
    """Make the parts of new documents, given by list key and case-folded number, of an account as it was before them.

    With those that make an account large come those of all that it had. Its listing must be written already.
    """
    if account.listed_total + len(new) <= PARTED_ABOVE:
        return
    numbers = new if account.listed_total > PARTED_ABOVE else tx.listings.numbers(account.id)
    tx.listings.insert_parts(account.id, sorted((found, key) for key, number in numbers for found in number_parts(number)))


def find_fault(tx: Transaction, account: Account) -> str | None:
    """What is wrong with an account's parts, where something is: searches would miss documents, or count others."""
    stored = tx.listings.part_count(account.id)
    # Those that are right are each of another place of a number: where there are as many as places, all are there.
    made, fitting = tx.listings.audit_parts(account.id) if account.listed_total > PARTED_ABOVE else (0, 0)
    if stored == made == fitting:
        return None
    return f"{stored} parts of numbers are stored, {fitting} of them right; {made} follow from its documents"
