"""What a DATEV export must be told: whose books it is for, and which accounts and tax keys to use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from faktura.domain.errors import Fault, InvalidDocumentError, SettingError, fault
from faktura.domain.money import Currency, canonical, parse_decimal
from faktura.domain.vat import VatCategory, scaled_rate

COLUMN_COUNTS = {7: 116, 9: 120, 12: 124, 13: 125}
"""How many columns each version of the format has; a newer one only adds some at the end."""
_ACCOUNTS = ("expense_account", "revenue_account", "creditor_account", "debtor_account")
_MAPS = {"expenses": "expense_account", "revenues": "revenue_account", "creditors": "creditor_account", "debtors": "debtor_account"}
"""A table of the settings, and the account in whose place its values stand."""
_SHORTEST = 4
"""Digits of an account at least. Longer ones go on to the right (6805, 680500): a number is never filled up on the left there."""
_KEY = re.compile(r"\d{0,4}\Z", re.ASCII)


_CATEGORIES = {category.value for category in VatCategory if not category.taxed}


class Direction(StrEnum):
    """Which way invoices are booked."""

    ORIGIN = "origin"
    """Recorded ones came in, issued ones went out."""
    INCOMING = "incoming"
    OUTGOING = "outgoing"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatevSettings:
    """The settings file's content. Accounts are numbers as text, with leading zeros."""

    consultant: int
    """Beraternummer, 1001 to 9999999."""
    client: int
    """Mandantennummer, 1 to 99999."""
    fiscal_year_begin: date
    account_length: int = 4
    """Digits of a general ledger account (4 to 8); a personal account has one more."""
    currency: Currency
    """In which the books are kept; documents in others cannot be carried, since nobody says the rate."""
    format_version: int = 7
    direction: Direction = Direction.ORIGIN
    label: str = "faktura"
    """Of the batch, at most 30 characters."""
    expense_account: str | None = None
    revenue_account: str | None = None
    creditor_account: str | None = None
    debtor_account: str | None = None
    expenses: Mapping[str, str]
    revenues: Mapping[str, str]
    creditors: Mapping[str, str]
    debtors: Mapping[str, str]
    """Accounts by provider, or by `provider/account`, where they are not the ones above."""
    bu_keys: Mapping[str, str]
    """BU-Schlüssel of what came in (Vorsteuer), by rate in percent ("19"), or by category of what bears no VAT ("AE"). An empty one books without a key."""
    revenue_bu_keys: Mapping[str, str]
    """Those of what went out (Umsatzsteuer)."""

    @property
    def fiscal_year_end(self) -> date:
        """Its last day."""
        begin = self.fiscal_year_begin
        return date.fromordinal(date(begin.year + 1, begin.month, begin.day).toordinal() - 1)

    def keys(self, *, is_incoming: bool) -> Mapping[str, str]:
        """The keys of a direction: one and the same rate has another key on the other side of the books."""
        return self.bu_keys if is_incoming else self.revenue_bu_keys

    def account(self, table: str, *, provider: str, account: str) -> str | None:
        """The account of a kind for a document; the nearest word counts."""
        found: Mapping[str, str] = getattr(self, table)
        return found.get(f"{provider}/{account}") or found.get(provider) or getattr(self, _MAPS[table])


def parse_datev_settings(given: Mapping[str, object]) -> DatevSettings:
    """The settings from a TOML file's mapping; InvalidDocumentError with all its mistakes."""
    faults: list[Fault] = []
    known = {*DatevSettings.__slots__}
    faults += [fault("unknown", name, "is not a setting of the DATEV export") for name in given if name not in known]
    faults += [fault("missing", name, "is needed") for name in ("consultant", "client", "fiscal_year_begin") if name not in given]
    values: dict[str, object] = {
        "consultant": _whole(given, "consultant", 1001, 9_999_999, faults, default=1001),
        "client": _whole(given, "client", 1, 99_999, faults, default=1),
        "fiscal_year_begin": _begin(given, faults),
        "account_length": _whole(given, "account_length", 4, 8, faults, default=4),
        "format_version": _whole(given, "format_version", 7, 13, faults, default=7),
    }
    if values["format_version"] not in COLUMN_COUNTS:
        faults.append(fault("value", "format_version", f"must be one of {', '.join(map(str, COLUMN_COUNTS))}"))
    values |= {"currency": _currency(given, faults), "direction": _direction(given, faults), "label": _label(given, faults)}
    length = int(str(values["account_length"]))
    for name in _ACCOUNTS:
        values[name] = _account(given.get(name), name, length, faults)
    for table, name in _MAPS.items():
        found = _table(given, table, faults)
        values[table] = {key: _account(value, f"{table}.{key}", length, faults, kind=name) or "" for key, value in found.items()}
    for name in ("bu_keys", "revenue_bu_keys"):
        values[name] = _keys(name, _table(given, name, faults), faults)
    if faults:
        raise InvalidDocumentError(faults)
    return DatevSettings(**values)  # type: ignore[arg-type]


def rate_key(rate: Decimal) -> str:
    """How a rate is named in `bu_keys`."""
    return canonical(rate)


def _whole(given: Mapping[str, object], name: str, low: int, high: int, faults: list[Fault], *, default: int) -> int:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        faults.append(fault("value", name, f"must be a number from {low} to {high}"))
        return default
    return value


def _begin(given: Mapping[str, object], faults: list[Fault]) -> date:
    value = given.get("fiscal_year_begin")
    if type(value) is date and value.day == 1 and value.year < 9998:  # noqa: PLR2004 - the last year that has one after it
        return value
    if value is not None:
        faults.append(fault("value", "fiscal_year_begin", "must be the first day of a month, such as 2026-01-01, without quotes"))
    return date(2000, 1, 1)


def _currency(given: Mapping[str, object], faults: list[Fault]) -> Currency:
    try:
        found = Currency(given.get("currency", "EUR"))  # type: ignore[arg-type]
    except SettingError as error:
        faults.append(fault("value", "currency", str(error)))
        return Currency("EUR")
    if found.digits != 2:  # noqa: PLR2004 - DATEV's amounts have two decimals
        faults.append(fault("value", "currency", "must have two decimals"))
    return found


def _direction(given: Mapping[str, object], faults: list[Fault]) -> Direction:
    try:
        return Direction(str(given.get("direction", "origin")))
    except ValueError:
        faults.append(fault("value", "direction", f"must be one of {', '.join(Direction)}"))
        return Direction.ORIGIN


def _label(given: Mapping[str, object], faults: list[Fault]) -> str:
    value = given.get("label", "faktura")
    if not isinstance(value, str) or len(value) > 30 or not value.isprintable() or not is_datev_text(value):  # noqa: PLR2004 - the format's
        faults.append(fault("value", "label", "must be a text of at most 30 characters of Windows-1252"))
        return ""
    return value


def _account(value: object, path: str, length: int, faults: list[Fault], *, kind: str | None = None) -> str | None:
    if value is None:
        return None
    is_personal = (kind or path) in {"creditor_account", "debtor_account"}
    digits = length + is_personal
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else value
    if text is not value and len(str(text)) == digits - 1 == _SHORTEST - 1:  # 0480, which TOML has no number for
        text = f"0{text}"
    if not isinstance(text, str) or not re.fullmatch(rf"\d{{{digits}}}", text, re.ASCII) or (is_personal and text.startswith("0")):
        faults.append(fault("value", path, f"must be {'a personal' if is_personal else 'an'} account of {digits} digits"))
        return None
    return text


def _table(given: Mapping[str, object], name: str, faults: list[Fault]) -> Mapping[str, object]:
    value = given.get(name, {})
    if isinstance(value, Mapping):
        return value
    faults.append(fault("type", name, "must be a table"))
    return {}


def _keys(table: str, given: Mapping[str, object], faults: list[Fault]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for name, value in given.items():
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not _KEY.match(text):
            faults.append(fault("value", f"{table}.{name}", "must be a BU-Schlüssel of at most four digits, or empty"))
            continue
        try:
            key = name if name in _CATEGORIES else _rate(name)
        except ValueError:
            faults.append(fault("value", f"{table}.{name}", "must be a rate in percent or a VAT category without VAT"))
            continue
        if key in keys:
            faults.append(fault("value", f"{table}.{name}", f"says {key} a second time"))
        keys[key] = text
    return keys


def _rate(name: str) -> str:
    rate = parse_decimal(name)
    if scaled_rate(rate) < 0:
        message = f"{name} is less than nothing"
        raise ValueError(message)
    return rate_key(rate)


def is_datev_text(text: str) -> bool:
    """Whether Windows-1252 has every character of it."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True
