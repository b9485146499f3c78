"""Amounts, quantities, dates and countries as a language writes them, by CLDR."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from faktura.documents.pdf_texts import LOCALES
from faktura.domain.invoice import Period
from faktura.domain.money import Currency


class Formats:
    """The formats of one language. Amounts have all decimals of their currency; quantities and prices those they have."""

    def __init__(self, language: str) -> None:
        self.locale = Locale.parse(LOCALES[language])

    def amount(self, amount_minor: int, currency: Currency) -> str:
        """`1.234,50`: the column's head names the currency."""
        return format_decimal(currency.to_decimal(amount_minor), format=_pattern(currency.digits, currency.digits), locale=self.locale)

    def money(self, amount_minor: int, currency: Currency) -> str:
        """`1.234,50 €`."""
        return format_currency(currency.to_decimal(amount_minor), currency.code, locale=self.locale, currency_digits=False, format=self._money_pattern(currency))

    def _money_pattern(self, currency: Currency) -> str:
        pattern = self.locale.currency_formats["standard"].pattern.partition(";")[0]
        decimals = "." + "0" * currency.digits if currency.digits else ""
        return pattern.replace("#,##0.00", "#,##0" + decimals).replace("0.00", "0" + decimals)

    def number(self, value: Decimal, *, decimals_min: int = 0) -> str:
        """A quantity or price, exact."""
        exponent = value.normalize().as_tuple().exponent
        decimals = max(decimals_min, -exponent if isinstance(exponent, int) else 0)
        return format_decimal(value, format=_pattern(decimals, decimals), locale=self.locale)

    def percent(self, rate: Decimal) -> str:
        """`20 %`."""
        return f"{self.number(rate)}\u00a0%"

    def day(self, day: date) -> str:
        """`25.09.2024`."""
        return format_date(day, format="medium", locale=self.locale).replace(" ", "\u00a0")

    def period(self, period: Period) -> str:
        """`1.9.2024 - 30.9.2024`, open where one end is not said."""
        ends = (self.day(day) if day else "" for day in (period.start, period.end))
        return " – ".join(ends).strip()

    def country(self, code: str) -> str:
        """The country's name."""
        return str(self.locale.territories.get(code, code))

    @property
    def decimal_mark(self) -> str:
        """What stands before decimals."""
        return str(self.locale.number_symbols["latn"]["decimal"])


@cache
def formats(language: str) -> Formats:
    """Made once a language: CLDR's files are large."""
    return Formats(language)


def _pattern(decimals_min: int, decimals_max: int) -> str:
    return "#,##0" + ("." + "0" * decimals_min + "#" * (decimals_max - decimals_min) if decimals_max else "")
