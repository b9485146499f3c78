"""DATEV's EXTF format, header 700, data category 21: a batch of bookings (Buchungsstapel), in Windows-1252 with CRLF.

One row a document and VAT group. `Konto` is the personal account (creditor or debtor) and `Gegenkonto` the expense or revenue
account, to which the tax key belongs; the S/H mark tells of `Konto`. Source: developer.datev.de, DATEV-Format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from faktura.documents.datev_settings import COLUMN_COUNTS, DatevSettings, Direction, is_datev_text, rate_key
from faktura.domain.calendar import midnight, to_datetime
from faktura.domain.errors import Fault, fault
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.vat import VatBreakdown, VatCategory, vat_of_gross, vat_of_net
from faktura.ledger.listing_query import DocumentHead

ROWS_MAX = 99_999
"""What a batch may hold."""
_AMOUNT_MINOR_MAX = 10**12 - 1
"""Ten digits before the comma."""
_ROUNDING_MINOR = 2
"""What VAT may differ by from its rate where lines are unknown."""
_NUMBER_LENGTH_MAX = 36
_TEXT_LENGTH_MAX = 60
_INFO_LENGTH_MAX = 210
_NUMBER_REFUSED = re.compile(r"[^A-Za-z0-9$%&*+\-/]", re.ASCII)
"""What Belegfeld 1 may not have."""
_ACROSS_BORDERS = {VatCategory.REVERSE_CHARGE, VatCategory.INTRA_COMMUNITY}
_VAT_ID = re.compile(r"[A-Z]{2}[0-9A-Z]{2,13}\Z", re.ASCII)

COLUMNS = (
    "Umsatz (ohne Soll/Haben-Kz);Soll/Haben-Kennzeichen;WKZ Umsatz;Kurs;Basis-Umsatz;WKZ Basis-Umsatz;Konto;Gegenkonto (ohne BU-Schlüssel);"
    "BU-Schlüssel;Belegdatum;Belegfeld 1;Belegfeld 2;Skonto;Buchungstext;Postensperre;Diverse Adressnummer;Geschäftspartnerbank;Sachverhalt;"
    "Zinssperre;Beleglink;"
    + "".join(f"Beleginfo - Art {place};Beleginfo - Inhalt {place};" for place in range(1, 9))
    + "KOST1 - Kostenstelle;KOST2 - Kostenstelle;Kost-Menge;EU-Land u. UStID;EU-Steuersatz;Abw. Versteuerungsart;Sachverhalt L+L;"
    "Funktionsergänzung L+L;BU 49 Hauptfunktionstyp;BU 49 Hauptfunktionsnummer;BU 49 Funktionsergänzung;"
    + "".join(f"Zusatzinformation - Art {place};Zusatzinformation- Inhalt {place};" for place in range(1, 21))
    + "Stück;Gewicht;Zahlweise;Forderungsart;Veranlagungsjahr;Zugeordnete Fälligkeit;Skontotyp;Auftragsnummer;Buchungstyp;"
    "USt-Schlüssel (Anzahlungen);EU-Land (Anzahlungen);Sachverhalt L+L (Anzahlungen);EU-Steuersatz (Anzahlungen);Erlöskonto (Anzahlungen);"
    "Herkunft-Kz;Buchungs GUID;KOST-Datum;SEPA-Mandatsreferenz;Skontosperre;Gesellschaftername;Beteiligtennummer;Identifikationsnummer;"
    "Zeichnernummer;Postensperre bis;Bezeichnung SoBil-Sachverhalt;Kennzeichen SoBil-Buchung;Festschreibung;Leistungsdatum;"
    "Datum Zuord. Steuerperiode;Fälligkeit;Generalumkehr (GU);Steuersatz;Land;Abrechnungsreferenz;BVV-Position;EU-Land u. UStID (Ursprung);"
    "EU-Steuersatz (Ursprung);Abw. Skontokonto"
).split(";")
_NUMERIC = {1, 4, 5, 7, 8, 10, 13, 15, 17, 18, 19, 39, 41, *range(43, 48), *range(88, 91), 92, 93, 94, 97, 99, 100, 101, 104, 106, 108, 111} | {
    113, 114, 115, 116, 117, 119, 122, 124, 125,
}  # fmt: skip
"""Columns, counted from 1, that are numbers or dates; all others are texts in quotes, also where they are empty."""
_PLACES = {name: place for place, name in enumerate(COLUMNS)}


@dataclass(slots=True, kw_only=True)
class DatevBatch:
    """Turns documents into rows, and knows at the end what the head of the file must say."""

    settings: DatevSettings
    row_count: int = 0
    first: date | None = None
    last: date | None = None
    recorded_at_us: int = 0
    """When the ledger learned of the newest document: the same documents make the same bytes, whenever they are written."""
    documents: int = field(default=0)

    def rows(self, head: DocumentHead) -> tuple[list[bytes], list[Fault]]:
        """A document's rows, or why DATEV cannot carry it."""
        faults, groups = _examine(head, self.settings)
        if self.row_count + len(groups) > ROWS_MAX:
            faults.append(_refused(head, "rows", f"is beyond the {ROWS_MAX} rows that a batch may have: export a shorter period"))
        if faults:
            return [], faults
        self.row_count += len(groups)
        self.documents += 1
        day = head.invoice.issue_date
        self.first, self.last = min(self.first or day, day), max(self.last or day, day)
        self.recorded_at_us = max(self.recorded_at_us, head.invoice.recorded_at_us)
        return [_row(head, group, self.settings) for group in groups], []

    def head(self, start: date | None = None, end: date | None = None) -> bytes:
        """The two lines that a file begins with. Its dates span the rows; without any, the days that were asked for, or the fiscal year."""
        settings = self.settings
        within = (settings.fiscal_year_begin, settings.fiscal_year_end)
        first, last = (self.first or _clamped(start or within[0], within), self.last or _clamped(end or within[1], within))
        made = to_datetime(self.recorded_at_us or midnight(first, "UTC"))
        values = ['"EXTF"', "700", "21", '"Buchungsstapel"', str(settings.format_version), f"{made:%Y%m%d%H%M%S}{made.microsecond // 1000:03d}"]
        values += ["", '""', '""', '""', str(settings.consultant), str(settings.client), f"{settings.fiscal_year_begin:%Y%m%d}"]
        values += [str(settings.account_length), f"{first:%Y%m%d}", f"{last:%Y%m%d}", _quoted(settings.label), '""', "1", "0", "0"]
        values += [_quoted(settings.currency.code), "", '""', "", "", '""', "", "", '""', '""']
        return b"".join(f"{';'.join(line)}\r\n".encode("cp1252") for line in (values, COLUMNS[: COLUMN_COUNTS[settings.format_version]]))


def _clamped(day: date, within: tuple[date, date]) -> date:
    return min(max(day, within[0]), within[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """One row's worth of a document: gross, signed as the document's own total is."""

    gross_minor: int
    key: str
    is_across_borders: bool
    """Without VAT in the EU: DATEV wants to know the partner's VAT id."""


def _examine(head: DocumentHead, settings: DatevSettings) -> tuple[list[Fault], list[_Group]]:
    faults = _head_faults(head, settings)
    found = _vat_groups(head.invoice, settings)
    if isinstance(found, str):
        return [*faults, _refused(head, "amounts", found)], []
    groups = []
    keys = settings.keys(is_incoming=_is_incoming(head.invoice, settings))
    for item in found:
        gross = (item.taxable_amount_minor or 0) + (item.tax_amount_minor or 0)
        if not gross:
            continue
        key = _bu_key(item, keys)
        if key is None:
            what = f"{rate_key(item.rate)} %{f' ({item.category})' if item.category else ''}"
            table = "bu_keys" if keys is settings.bu_keys else "revenue_bu_keys"
            faults.append(_refused(head, "bu-key", f"has VAT of {what}, for which the settings name no key under {table}"))
        elif abs(gross) > _AMOUNT_MINOR_MAX:
            faults.append(_refused(head, "amounts", "has an amount of more than ten digits"))
        elif key and not _agrees(head.invoice, item):
            faults.append(_refused(head, "amounts", f"has amounts that {rate_key(item.rate)} % of VAT do not make, which the key {key} says"))
        groups.append(_Group(gross_minor=gross, key=key or "", is_across_borders=item.category in _ACROSS_BORDERS))
    if not groups and not faults:
        faults.append(_refused(head, "amounts", "comes to nothing, and DATEV books no zero"))
    return faults, groups


def _head_faults(head: DocumentHead, settings: DatevSettings) -> list[Fault]:
    invoice, faults = head.invoice, []
    if invoice.type_code is None:
        faults.append(_refused(head, "type", "is of a type that nobody here knows"))
    if invoice.type_code is TypeCode.PRO_FORMA:
        faults.append(_refused(head, "type", "is a pro-forma: there is nothing to book"))
    if not settings.fiscal_year_begin <= invoice.issue_date <= settings.fiscal_year_end:
        faults.append(_refused(head, "date", f"is of {invoice.issue_date}, outside the fiscal year from {settings.fiscal_year_begin}"))
    if invoice.currency != settings.currency:
        faults.append(_refused(head, "currency", f"is in {invoice.currency.code}, and the books in {settings.currency.code}"))
    if not invoice.number.isprintable() or not is_datev_text(invoice.number):
        faults.append(_refused(head, "characters", "has a number with characters that Windows-1252 lacks"))
    missing = [name for name in _tables(invoice, settings) if settings.account(name, provider=head.provider, account=head.account) is None]
    return faults + [_refused(head, "account", f"has no account: the settings name none under {name}") for name in missing]


def _vat_groups(invoice: Invoice, settings: DatevSettings) -> Sequence[VatBreakdown] | str:  # noqa: PLR0911 - what can be unknown, one after the other
    """The document's VAT groups with all amounts, or what is unknown of them."""
    net, vat, total = invoice.total_without_vat_minor, invoice.vat_total_minor, invoice.total_with_vat_minor
    if total is None:
        return "has no known total"
    known = [group for group in invoice.vat_breakdown if group.taxable_amount_minor is not None and group.tax_amount_minor is not None]
    if known and len(known) == len(invoice.vat_breakdown):
        added = sum((group.taxable_amount_minor or 0) + (group.tax_amount_minor or 0) for group in known)
        return known if added == total else "has VAT groups that do not add up to its total"
    category = invoice.vat_breakdown[0].category if len(invoice.vat_breakdown) == 1 else None
    rates = {group.rate for group in invoice.vat_breakdown} or ({invoice.vat_rate} if invoice.vat_rate is not None else set())
    if net is None and vat is None and len(rates) == 1:  # a row has the gross amount and the key; what of it is VAT, the key says
        return [VatBreakdown(category=category, rate=rates.pop(), taxable_amount_minor=None, tax_amount_minor=total)]
    if net is None or vat is None:
        return "has no known VAT"
    if net + vat != total:
        return "has totals that do not add up"
    rates = rates or _fitting(net, vat, settings.keys(is_incoming=_is_incoming(invoice, settings)))
    if len(rates) != 1:
        return "does not say which VAT rate, and its amounts do not tell"
    return [VatBreakdown(category=category, rate=rates.pop(), taxable_amount_minor=net, tax_amount_minor=vat)]


def _agrees(invoice: Invoice, group: VatBreakdown) -> bool:
    """Whether the amounts are those of the rate, but for what rounding line by line may come to."""
    net, vat = group.taxable_amount_minor, group.tax_amount_minor
    if net is None or vat is None:
        return True
    tolerance = max(_ROUNDING_MINOR, len(invoice.lines or ()))
    return min(abs(vat - made) for made in (vat_of_net(net, group.rate), vat_of_gross(net + vat, group.rate))) <= tolerance


def _fitting(net: int, vat: int, keys: Mapping[str, str]) -> set[Decimal]:
    """The rates of the settings that make exactly this VAT, of net or of gross prices."""
    if vat == 0:
        return {Decimal(0)}
    rates = [Decimal(name) for name in keys if name[0].isdigit()]
    return {rate for rate in rates if vat in {vat_of_net(net, rate), vat_of_gross(net + vat, rate)}}


def _bu_key(group: VatBreakdown, keys: Mapping[str, str]) -> str | None:
    if group.category is not None and not group.category.taxed and group.category.value in keys:
        return keys[group.category.value]
    found = keys.get(rate_key(group.rate))
    return "" if found is None and not group.rate and group.category not in _ACROSS_BORDERS else found


def _is_incoming(invoice: Invoice, settings: DatevSettings) -> bool:
    if settings.direction is Direction.ORIGIN:
        return invoice.origin is Origin.RECORDED
    return settings.direction is Direction.INCOMING


def _tables(invoice: Invoice, settings: DatevSettings) -> tuple[str, str]:
    """Where the accounts are found: Konto's, and Gegenkonto's."""
    return ("creditors", "expenses") if _is_incoming(invoice, settings) else ("debtors", "revenues")


def _row(head: DocumentHead, group: _Group, settings: DatevSettings) -> bytes:
    invoice, is_incoming = head.invoice, _is_incoming(head.invoice, settings)
    konto, gegenkonto = (settings.account(name, provider=head.provider, account=head.account) or "" for name in _tables(invoice, settings))
    is_debit = (invoice.sign * group.gross_minor > 0) is not is_incoming  # what is owed to us is debit, what we owe is credit
    number = _NUMBER_REFUSED.sub("-", invoice.number)[:_NUMBER_LENGTH_MAX]
    partner = invoice.seller if is_incoming else invoice.buyer
    vat_id = "" if partner is None or not group.is_across_borders else re.sub(r"[\s.-]", "", partner.vat_id or "")
    given = {
        "Umsatz (ohne Soll/Haben-Kz)": f"{abs(group.gross_minor) // 100},{abs(group.gross_minor) % 100:02d}",
        "Soll/Haben-Kennzeichen": "S" if is_debit else "H",
        "WKZ Umsatz": invoice.currency.code,
        "Konto": konto,
        "Gegenkonto (ohne BU-Schlüssel)": gegenkonto,
        "BU-Schlüssel": group.key,
        "Belegdatum": f"{invoice.issue_date:%d%m}",
        "Belegfeld 1": number,
        "Buchungstext": head.provider[:_TEXT_LENGTH_MAX],
        "EU-Land u. UStID": vat_id if _VAT_ID.match(vat_id) else "",
        "Festschreibung": "0",
    }
    if number != invoice.number:
        given |= {"Beleginfo - Art 1": "Rechnungsnummer", "Beleginfo - Inhalt 1": invoice.number[:_INFO_LENGTH_MAX]}
    cells = [""] * COLUMN_COUNTS[settings.format_version]
    for name, value in given.items():
        cells[_PLACES[name]] = value
    return f"{';'.join(cell if place in _NUMERIC else _quoted(cell) for place, cell in enumerate(cells, 1))}\r\n".encode("cp1252")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _refused(head: DocumentHead, rule: str, message: str) -> Fault:
    return fault(f"DATEV-{rule.upper()}", f"{head.provider} {head.invoice.number} (id {head.invoice.id})", message)
