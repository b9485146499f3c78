"""Proof that a VAT id was looked up. It decides nothing: which VAT a supply bears follows from the id's check digits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VatIdCheck:
    """What VIES, or a member state's register, answered about a buyer's VAT id."""

    check_id: int
    account_id: int
    vat_id: str
    is_valid: bool
    checked_at_us: int
    """When the register answered."""
    recorded_at_us: int
    consultation: str | None = None
    """The request identifier that VIES gives to who says who asks: what proves the consultation."""
    name: str | None = None
    """The name and address that the register showed."""
    address: str | None = None
