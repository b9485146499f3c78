"""Peppol's own rules beside those of EN 16931, and what it asks by the seller's country: told before anything is sent.

They are those of BIS Billing 3.0.21 that stop a document; what Peppol only warns of is not told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from stdnum import ean, luhn
from stdnum.au import abn
from stdnum.gr import vat as greek_vat
from stdnum.no import orgnr

from faktura.documents.en16931 import CREDIT_NOTE_TYPES, EInvoice, Identifier
from faktura.documents.form_fields import Check, Said, form_field, missing
from faktura.documents.german_rules import german
from faktura.domain.text import shown

_ADDRESS_SCHEMES = frozenset(
    """
0002 0007 0009 0037 0060 0088 0096 0097 0106 0130 0135 0142 0147 0151 0154 0158 0170 0177 0183 0184 0188 0190 0191 0192 0193 0194 0195 0196 0198 0199
0200 0201 0202 0203 0204 0205 0208 0209 0210 0211 0212 0213 0215 0216 0217 0218 0221 0225 0230 0235 0240 0244 0245
9910 9913 9914 9915 9918 9919 9920 9922 9923 9924 9925 9926 9927 9928 9929 9930 9931 9932 9933 9934 9935 9936 9937 9938 9939 9940 9941 9942 9943 9944
9945 9946 9947 9948 9949 9950 9951 9952 9953 9957 9959
""".split()
)
"""Where Peppol delivers to: less than the EAS list of the EU, which has mail (EM) and other networks."""
_CURRENCIES = frozenset(
    """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNH CNY COP COU CRC CUP
CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW
KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR
RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STD SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND
VUV WST XAF XCD XOF XPF XSU XUA YER ZAR ZMW ZWG
""".split()
)
"""Of ISO 4217, which Peppol carries; without metals, funds and what is for tests."""
_INVOICE_TYPES = frozenset("71 80 82 84 102 218 219 331 380 382 383 386 388 393 395 553 575 623 780 817 870 875 876 877".split())
_GERMAN_TYPES = frozenset({"326", "384"})
_CREDIT_NOTE_TYPES = frozenset({"81", "83", "381", "396", "532"})
_DANISH_MEANS = frozenset("1 10 31 42 48 49 50 58 59 93 97".split())
_DUTCH_MEANS = frozenset("30 48 49 57 58 59".split())
_DIRECT_DEBIT = frozenset({"49", "59"})
_SWEDISH_RATES = frozenset({25, 12, 6})
_GREEK_PARTS = 6


def _is_gln(value: str) -> bool:
    return re.fullmatch(r"[0-9]{2,}", value) is not None and ean.calc_check_digit(value[:-1]) == value[-1]


def _is_norwegian(value: str) -> bool:
    return re.fullmatch(r"[0-9]{9}", value) is not None and int(value) > 0 and bool(orgnr.is_valid(value))


def _is_belgian(value: str) -> bool:
    return re.fullmatch(r"[0-9]{10}", value) is not None and 97 - int(value[:8]) % 97 == int(value[8:])


def _is_swedish(value: str) -> bool:
    return re.fullmatch(r"[0-9]{10}", value) is not None and bool(luhn.is_valid(value))


def _is_australian(value: str) -> bool:
    return re.fullmatch(r"[0-9]{11}", value) is not None and bool(abn.is_valid(value))


def _is_danish(value: str) -> bool:
    return re.fullmatch(r"DK[0-9]{8}", value) is not None


_NUMBERS: dict[str, tuple[str, Callable[[str], bool], str]] = {
    "0007": ("PEPPOL-COMMON-R049", _is_swedish, "a Swedish organisation number: ten digits, the last of them a check digit"),
    "0088": ("PEPPOL-COMMON-R040", _is_gln, "a GLN: digits, the last of them a check digit"),
    "0096": ("PEPPOL-COMMON-R052", lambda value: re.fullmatch(r"[0-9]{10}", value) is not None, "a Danish P number: ten digits"),
    "0151": ("PEPPOL-COMMON-R050", _is_australian, "an Australian business number: eleven digits that check"),
    "0184": ("PEPPOL-COMMON-R042", _is_danish, "a Danish CVR number: DK and eight digits"),
    "0192": ("PEPPOL-COMMON-R041", _is_norwegian, "a Norwegian organisation number: nine digits, the last of them a check digit"),
    "0198": ("PEPPOL-COMMON-R053", _is_danish, "a Danish SE number: DK and eight digits"),
    "0208": ("PEPPOL-COMMON-R043", _is_belgian, "a Belgian enterprise number: ten digits, the last two of them a check"),
}
"""Identifiers by their scheme: rule, whether it is one, what it is."""


def _general(document: EInvoice) -> Said:
    yield from missing(document, "PEPPOL-EN16931-R020", "BT-34", "Peppol")
    yield from missing(document, "PEPPOL-EN16931-R010", "BT-49", "Peppol")
    if not (document.buyer_reference or document.order):
        yield "PEPPOL-EN16931-R003", "buyer.buyer_reference", "is missing: Peppol requires a buyer reference or an order's number (BT-10, BT-13)"
    is_german = _are_both_in(document, "DE")
    if len(document.notes) > 1 and not is_german:
        yield "PEPPOL-EN16931-R002", "note", "Peppol allows one note"
    known = _INVOICE_TYPES | _GERMAN_TYPES if is_german else _INVOICE_TYPES
    if document.type_code in CREDIT_NOTE_TYPES and document.type_code not in _CREDIT_NOTE_TYPES:
        yield "PEPPOL-EN16931-P0101", "type_code", f"{shown(document.type_code)} is no credit note that Peppol carries, such as 381 (BT-3)"
    elif document.type_code not in CREDIT_NOTE_TYPES and document.type_code not in known:
        yield "PEPPOL-EN16931-P0100", "type_code", f"{shown(document.type_code)} is no invoice that Peppol carries, such as 380 (BT-3)"
    for path, currency in (("currency", document.currency), ("tax_currency", document.tax_currency)):
        if currency is not None and currency not in _CURRENCIES | {"HRK"}:  # of which another rule tells that it is retired
            yield "PEPPOL-EN16931-CL007", path, f"{shown(currency)} is no currency of ISO 4217 that Peppol carries"
    if document.tax_currency is not None and document.tax_currency == document.currency:
        yield "PEPPOL-EN16931-R005", "tax_currency", "is the document's own currency, and named only where it is another (BT-6)"
    payment = document.payment
    if payment and payment.means_code in _DIRECT_DEBIT and not (payment.direct_debit and payment.direct_debit.mandate):
        yield "PEPPOL-EN16931-R061", form_field("BT-89"), "is missing: a direct debit names its mandate (BT-89)"


def _percentages(document: EInvoice) -> Said:
    """An allowance's or charge's percentage and what it is of stand together."""
    groups = [("allowances", document.allowances), ("charges", document.charges)]
    for index, line in enumerate(document.lines):
        groups += [(f"lines[{index}].allowances", line.allowances), (f"lines[{index}].charges", line.charges)]
    for path, items in groups:
        for index, item in enumerate(items):
            if item.percentage is not None and item.base_amount is None:
                yield "PEPPOL-EN16931-R041", f"{path}[{index}].base_amount", "is missing: a percentage is of an amount"
            elif item.percentage is None and item.base_amount is not None:
                yield "PEPPOL-EN16931-R042", f"{path}[{index}].percentage", "is missing: a base amount is there for its percentage"


def _identifiers(document: EInvoice) -> Iterator[tuple[str, Identifier | None]]:
    """Those that Peppol holds against their scheme."""
    seller, buyer, payee = document.seller, document.buyer, document.payee
    if seller:
        yield from (("seller.electronic_address", seller.electronic_address), ("seller.registration_id", seller.registration_id))
        yield from ((f"seller.ids[{index}]", item) for index, item in enumerate(seller.ids))
    if buyer:
        yield from (("buyer.electronic_address", buyer.electronic_address), ("buyer.registration_id", buyer.registration_id), ("buyer.id", buyer.id))
    if payee:
        yield from (("payee.id", payee.id), ("payee.registration_id", payee.registration_id))


def _numbers(document: EInvoice) -> Said:
    for path, item in _identifiers(document):
        if item is None:
            continue
        if path.endswith("electronic_address") and item.scheme not in _ADDRESS_SCHEMES:
            yield "PEPPOL-EN16931-CL008", path, f"{shown(item.scheme)} is no scheme that Peppol delivers to, such as 0088 or 9930: EM is for mail"
        if item.scheme in _NUMBERS:
            rule, is_one, what = _NUMBERS[item.scheme]
            if not is_one(" ".join(item.value.split())):
                yield rule, path, f"{shown(item.value)} is not {what} (scheme {item.scheme})"


def _country_of(document: EInvoice, role: str) -> str:
    party = document.seller if role == "seller" else document.buyer
    return (party.address.country or "").strip().upper() if party and party.address else ""


def _are_both_in(document: EInvoice, country: str) -> bool:
    return _country_of(document, "seller") == _country_of(document, "buyer") == country


def _vat_country(document: EInvoice) -> str:
    """The seller's, where a rule goes by the VAT id first."""
    representative = document.tax_representative
    vat_id = (document.seller.vat_id if document.seller else None) or (representative.vat_id if representative else None)
    return vat_id[:2].upper() if vat_id else _country_of(document, "seller")


def _germany(document: EInvoice) -> Said:
    if _are_both_in(document, "DE"):
        yield from german(document, prefix="DE-R-", digits=3, why="Peppol between German parties")


def _north(document: EInvoice) -> Said:
    """Norway, Denmark, Sweden and Iceland."""
    seller, country = document.seller, _country_of(document, "seller")
    vat_id = (seller.vat_id or "") if seller else ""
    if _vat_country(document) == "NO" and vat_id.startswith("NO") and not (vat_id.endswith("MVA") and _is_norwegian(vat_id[2:-3])):
        yield "NO-R-001", "seller.vat_id", f"{shown(vat_id)} is not NO, an organisation number and MVA"
    if country == "DK":
        yield from _registered(document, "seller", "DK-R-002", "0184")
        if _are_both_in(document, "DK"):
            yield from _danish(document)
    if country == "SE" and seller:
        yield from _swedish(document, vat_id)
    if country == "IS":
        yield from _registered(document, "seller", "IS-R-002", "0196")
        yield from _addressed(document, "seller", "IS-R-003", ("BT-35", "BT-38"))
        if _are_both_in(document, "IS"):
            yield from _registered(document, "buyer", "IS-R-004", "0196")
            yield from _addressed(document, "buyer", "IS-R-005", ("BT-50", "BT-53"))


def _registered(document: EInvoice, role: str, rule: str, scheme: str) -> Said:
    """A company's number, of its country's register."""
    party = document.seller if role == "seller" else document.buyer
    number = party.registration_id if party else None
    if number is None or number.scheme != scheme:
        yield (
            rule,
            f"{role}.registration_id",
            f"is missing: its country requires the number of its register, of scheme {scheme} ({'BT-30' if role == 'seller' else 'BT-47'})",
        )


def _addressed(document: EInvoice, role: str, rule: str, term_ids: tuple[str, ...]) -> Said:
    for term_id in term_ids:
        yield from missing(document, rule, term_id, f"a {role}'s address there")


def _danish(document: EInvoice) -> Said:
    is_credit_note = document.type_code in CREDIT_NOTE_TYPES
    code = document.payment.means_code if document.payment else None
    if code and not is_credit_note and code not in _DANISH_MEANS:
        yield "DK-R-005", "payment.means_code", f"{shown(code)} is no means of payment between Danish parties, such as 58 or 42 (BT-81)"
    if is_credit_note and (document.totals.payable or 0) < 0:
        yield "DK-R-016", "payable", "is negative in a credit note (BT-115)"
    ids = [("seller.ids", item) for item in document.seller.ids] if document.seller else []
    ids += [("buyer.id", document.buyer.id)] if document.buyer and document.buyer.id else []
    for path, item in ids:
        if not item.scheme:
            yield "DK-R-013", path, f"{shown(item.value)} names no scheme"


def _swedish(document: EInvoice, vat_id: str) -> Said:
    seller = document.seller
    number = seller.registration_id if seller else None
    if number and not _is_swedish(number.value.strip()):
        rule = "SE-R-013" if re.fullmatch(r"[0-9]{10}", number.value.strip()) else "SE-R-004"
        yield rule, "seller.registration_id", f"{shown(number.value)} is not {_NUMBERS['0007'][2]} (BT-30)"
    tax_number = seller.tax_number if seller else None
    if number and tax_number and tax_number.strip().upper() != "GODKÄND FÖR F-SKATT":
        yield "SE-R-005", "seller.tax_number", "is, of a Swedish seller, the words Godkänd för F-skatt (BT-32)"
    if not vat_id.startswith("SE"):
        return
    if not re.fullmatch(r"SE[0-9]{12}", vat_id):
        yield "SE-R-001", "seller.vat_id", f"{shown(vat_id)} is not SE and twelve digits (BT-31)"
    rates = [line.vat_rate for line in document.lines if line.vat_category == "S"]
    rates += [item.vat_rate for item in (*document.allowances, *document.charges) if item.vat_category == "S"]
    rates += [group.rate for group in document.vat_breakdown if group.category == "S"]
    if not {rate for rate in rates if rate is not None} <= _SWEDISH_RATES:
        yield "SE-R-006", "vat_rate", "is, of a Swedish seller, 25, 12 or 6: Peppol carries no other country's VAT of one"


def _south(document: EInvoice) -> Said:
    """Italy and Greece, by the seller's VAT id."""
    country, seller = _vat_country(document), document.seller
    if country == "IT":
        tax_number = seller.tax_number if seller else None
        if tax_number and not re.fullmatch(r"[A-Z0-9]{11,16}", tax_number.strip()):
            yield "IT-R-001", "seller.tax_number", f"{shown(tax_number)} is not 11 to 16 capitals and digits (BT-32)"
        for rule, term_id in (("IT-R-002", "BT-35"), ("IT-R-003", "BT-37"), ("IT-R-004", "BT-38")):
            yield from missing(document, rule, term_id, "Peppol, of an Italian seller,")
    if country in {"EL", "GR"}:
        yield from _greek(document)


def _greek(document: EInvoice) -> Said:
    if len(document.number.split("|")) != _GREEK_PARTS:
        yield "GR-R-001-1", "number", "is, of a Greek seller, VAT id, day, place, type, series and number with | between them"
    yield from missing(document, "GR-R-002", "BT-28", "Peppol, of a Greek seller,")
    yield from missing(document, "GR-R-005", "BT-45", "Peppol, of a Greek seller,")
    vat_id = document.seller.vat_id if document.seller else None
    if vat_id and not (vat_id.startswith("EL") and greek_vat.is_valid(vat_id[2:])):
        yield "GR-R-003", "seller.vat_id", f"{shown(vat_id)} is not EL and nine digits that check (BT-31)"
    address = document.seller.electronic_address if document.seller else None
    if address and address.scheme != "9933":
        yield "GR-R-009", "seller.electronic_address", "is, of a Greek seller, the VAT number of scheme 9933 (BT-34)"
    marks = [item for item in document.supporting_documents if item.description == "##M.AR.K##"]
    if _country_of(document, "seller") == "GR" and len(marks) != 1:
        yield "GR-R-004-1", "supporting_documents", "lack the mark of myDATA, which is a Greek seller's to give (BG-24)"


def _netherlands(document: EInvoice) -> Said:
    if _country_of(document, "seller") != "NL":
        return
    is_credit_note, payment = document.type_code in CREDIT_NOTE_TYPES, document.payment
    if is_credit_note:
        yield from missing(document, "NL-R-001", "BG-3", "Peppol, of a Dutch seller's credit note,")
    yield from _addressed(document, "seller", "NL-R-002", ("BT-35", "BT-37", "BT-38"))
    yield from _kvk(document, "seller", "NL-R-003")
    if not is_credit_note and payment is None and (document.totals.payable or 0) > 0:
        yield "NL-R-007", "seller.iban", "is missing: a Dutch seller says how to pay (BG-16)"
    if _are_both_in(document, "NL"):
        yield from _addressed(document, "buyer", "NL-R-004", ("BT-50", "BT-52", "BT-53"))
        yield from _kvk(document, "buyer", "NL-R-005")
        if payment and payment.means_code not in _DUTCH_MEANS:
            yield "NL-R-008", "seller.iban", "is missing: between Dutch parties an account or another of six means of payment is named (BT-81)"
    if not document.order and any(line.order_line for line in document.lines):
        yield "NL-R-009", "order", "is missing: lines refer to those of an order (BT-13)"


def _kvk(document: EInvoice, role: str, rule: str) -> Said:
    party = document.seller if role == "seller" else document.buyer
    number = party.registration_id if party else None
    if number and number.scheme not in {"0106", "0190"}:
        yield rule, f"{role}.registration_id", "is, of Dutch parties, a KvK or OIN number (scheme 0106 or 0190)"


PEPPOL_CHECKS: tuple[Check, ...] = (_general, _percentages, _numbers, _germany, _north, _south, _netherlands)
