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
        return self._decimal(currency.to_decimal(amount_minor), currency.digits)

    def money(self, amount_minor: int, currency: Currency) -> str:
        """`1.234,50 €`."""
        pattern, value = self._money_pattern(currency), currency.to_decimal(amount_minor)
        return _signed(format_currency(value, currency.code, locale=self.locale, currency_digits=False, format=pattern))

    def _money_pattern(self, currency: Currency) -> str:
        pattern = str(self.locale.currency_formats["standard"].pattern).partition(";")[0]
        decimals = "." + "0" * currency.digits if currency.digits else ""
        return pattern.replace("#,##0.00", "#,##0" + decimals).replace("0.00", "0" + decimals)

    def number(self, value: Decimal, *, decimals_min: int = 0) -> str:
        """A quantity or price, exact."""
        exponent = value.normalize().as_tuple().exponent
        decimals = max(decimals_min, -exponent if isinstance(exponent, int) else 0)
        return self._decimal(value, decimals)

    def _decimal(self, value: Decimal, decimals: int) -> str:
        pattern = "#,##0." + "0" * decimals if decimals else "#,##0"
        return _signed(format_decimal(value, format=pattern, locale=self.locale))

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


def _signed(text: str) -> str:
    """With the minus of typography, as long as a digit is wide."""
    return text.replace("-", "\u2212")
