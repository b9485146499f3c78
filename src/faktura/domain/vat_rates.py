"""Standard VAT rates of the EU member states, by date.

Source: written from the European Commission's "VAT rates applied in the Member States" (its last edition, of 2021) and, for what came after, from
the member states' own acts. Each row: country (ISO 3166-1), rate in percent, first day in force; a rate holds until the country's next row. The history is
whole from 2010-01-01 on, for Croatia from its accession on 2013-07-01. Days before a country's first row have no rate here, and asking for one is an
error, never a guess. A rate that changes is a new row; no row is ever changed.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

_ROWS = """
AT 20 1984-01-01
BE 21 1996-01-01
BG 20 1999-01-01
CY 15 2003-01-01
CY 17 2012-03-01
CY 18 2013-01-14
CY 19 2014-01-13
CZ 20 2010-01-01
CZ 21 2013-01-01
DE 19 2007-01-01
DE 16 2020-07-01
DE 19 2021-01-01
DK 25 1992-01-01
EE 20 2009-07-01
EE 22 2024-01-01
EE 24 2025-07-01
ES 16 1995-01-01
ES 18 2010-07-01
ES 21 2012-09-01
FI 22 1994-06-01
FI 23 2010-07-01
FI 24 2013-01-01
FI 25.5 2024-09-01
FR 19.6 2000-04-01
FR 20 2014-01-01
GR 19 2005-04-01
GR 21 2010-03-15
GR 23 2010-07-01
GR 24 2016-06-01
HR 25 2013-07-01
HU 25 2009-07-01
HU 27 2012-01-01
IE 21 2010-01-01
IE 23 2012-01-01
IE 21 2020-09-01
IE 23 2021-03-01
IT 20 1997-10-01
IT 21 2011-09-17
IT 22 2013-10-01
LT 21 2009-09-01
LU 15 1992-01-01
LU 17 2015-01-01
LU 16 2023-01-01
LU 17 2024-01-01
LV 21 2009-01-01
LV 22 2011-01-01
LV 21 2012-07-01
MT 18 2004-01-01
NL 19 2001-01-01
NL 21 2012-10-01
PL 22 1993-07-05
PL 23 2011-01-01
PT 20 2008-07-01
PT 21 2010-07-01
PT 23 2011-01-01
RO 19 2000-01-01
RO 24 2010-07-01
RO 20 2016-01-01
RO 19 2017-01-01
RO 21 2025-08-01
SE 25 1990-07-01
SI 20 2002-01-01
SI 22 2013-07-01
SK 19 2004-01-01
SK 20 2011-01-01
SK 23 2025-01-01
"""

_RATES: dict[str, list[tuple[date, Decimal]]] = {}
for _country, _rate, _since in (line.split() for line in _ROWS.strip().splitlines()):
    _RATES.setdefault(_country, []).append((date.fromisoformat(_since), Decimal(_rate)))

EU_COUNTRIES = frozenset(_RATES)
"""ISO 3166-1 codes; Greece is GR here, although its VAT ids begin with EL."""


_TERRITORIES = {"MC": "FR"}
"""Art. 7 Directive 2006/112/EC: supplies to and from Monaco are as those to and from France, and its businesses have French VAT ids."""


def vat_territory(country: str | None) -> str | None:
    """The country whose VAT is charged in a country."""
    return _TERRITORIES.get(country, country) if country else None


def standard_rate(country: str, day: date) -> Decimal:
    """The standard rate of a member state on a day; ValueError for other countries and for days before the table begins."""
    found = [rate for since, rate in _RATES.get(country, ()) if since <= day]
    if not found:
        message = f"no standard VAT rate is known for {country} on {day}"
        raise ValueError(message)
    return found[-1]
