"""What EN 16931 and a profile require of a document beyond its arithmetic: all that lacks at once, by the form's field names."""

from __future__ import annotations

import re
from typing import Any

from faktura.documents.en16931 import CREDIT_NOTE_TYPES, EInvoice, Profile
from faktura.documents.form_fields import Check, Said, form_field, is_empty, missing
from faktura.documents.german_rules import german
from faktura.documents.peppol_rules import PEPPOL_CHECKS
from faktura.documents.terms import ROOT, TERMS, Term, members
from faktura.domain.errors import Fault, fault
from faktura.domain.party import is_iban
from faktura.domain.text import shown

_RULES = dict(
    pair.split("=")
    for pair in """
BT-24=BR-01 BT-1=BR-02 BT-2=BR-03 BT-3=BR-04 BT-5=BR-05 BT-27=BR-06 BT-44=BR-07 BG-4=BR-06 BG-7=BR-07 BG-5=BR-08 BT-40=BR-09 BG-8=BR-10 BT-55=BR-11 BT-106=BR-12
BT-109=BR-13 BT-112=BR-14 BT-115=BR-15 BG-25=BR-16 BT-59=BR-17 BT-62=BR-18 BG-12=BR-19 BT-69=BR-20 BT-126=BR-21 BT-129=BR-22 BT-130=BR-23
BT-131=BR-24 BT-153=BR-25 BG-31=BR-25 BT-146=BR-26 BG-29=BR-26 BT-92=BR-31 BT-95=BR-32 BT-99=BR-36 BT-102=BR-37 BT-136=BR-41 BT-141=BR-43
BT-116=BR-45 BT-117=BR-46 BT-118=BR-47 BT-81=BR-49 BT-84=BR-50 BT-87=BR-51 BT-122=BR-52 BT-160=BR-54 BT-161=BR-54 BT-25=BR-55 BT-63=BR-56
BT-80=BR-57 BT-151=BR-CO-04 BG-23=BR-CO-18
""".split()
)
"""The rule that asks for a term that the table has as mandatory."""

_UNIT = re.compile(r"[A-Z0-9]{1,3}\Z")
_RETIRED = frozenset({"BGN", "HRK"})
_ADDRESS_SCHEMES = frozenset(
    """
0002 0007 0009 0037 0060 0088 0096 0097 0106 0130 0135 0142 0147 0151 0154 0158 0170 0177 0183 0184 0188 0190 0191 0192 0193 0194 0195 0196 0198
0199 0200 0201 0202 0203 0204 0205 0208 0209 0210 0211 0212 0213 0215 0216 0217 0218 0219 0220 0221 0225 0230 0235 0240 0242 0244 0245 0246 0248
9910 9913 9914 9915 9918 9919 9920 9922 9923 9924 9925 9926 9927 9928 9929 9930 9931 9932 9933 9934 9935 9936 9937 9938 9939 9940 9941 9942 9943
9944 9945 9946 9947 9948 9949 9950 9951 9952 9953 9957 9959 AN AQ AS AU EM
""".split()
)
"""The EAS list of the EU, by which BT-34 and BT-49 are found."""

_NOTE_SUBJECTS = frozenset(
    """
AAA AAB AAC AAD AAE AAF AAG AAI AAJ AAK AAL AAM AAN AAO AAP AAQ AAR AAS AAT AAU AAV AAW AAX AAY AAZ ABA ABB ABC ABD ABE ABF ABG ABH ABI ABJ ABK ABL ABM ABN
ABO ABP ABQ ABR ABS ABT ABU ABV ABW ABX ABZ ACA ACB ACC ACD ACE ACF ACG ACH ACI ACJ ACK ACL ACM ACN ACO ACP ACQ ACR ACS ACT ACU ACV ACW ACX ACY ACZ ADA ADB
ADC ADD ADE ADF ADG ADH ADI ADJ ADK ADL ADM ADN ADO ADP ADQ ADR ADS ADT ADU ADV ADW ADX ADY ADZ AEA AEB AEC AED AEE AEF AEG AEH AEI AEJ AEK AEL AEM AEN AEO
AEP AEQ AER AES AET AEU AEV AEW AEX AEY AEZ AFA AFB AFC AFD AFE AFF AFG AFH AFI AFJ AFK AFL AFM AFN AFO AFP AFQ AFR AFS AFT AFU AFV AFW AFX AFY AFZ AGA AGB
AGC AGD AGE AGF AGG AGH AGI AGJ AGK AGL AGM AGN AGO AGP AGQ AGR AGS AGT AGU AGV AGW AGX AGY AGZ AHA AHB AHC AHD AHE AHF AHG AHH AHI AHJ AHK AHL AHM AHN AHO
AHP AHQ AHR AHS AHT AHU AHV AHW AHX AHY AHZ AIA AIB AIC AID AIE AIF AIG AIH AII AIJ AIK AIL AIM AIN AIO AIP AIQ AIR AIS AIT AIU AIV AIW AIX AIY AIZ AJA AJB
ALC ALD ALE ALF ALG ALH ALI ALJ ALK ALL ALM ALN ALO ALP ALQ ARR ARS AUT AUU AUV AUW AUX AUY AUZ AVA AVB AVC AVD AVE AVF BAG BAH BAI BAJ BAK BAL BAM BAN BAO
BAP BAQ BAR BAS BLC BLD BLE BLF BLG BLH BLI BLJ BLK BLL BLM BLN BLO BLP BLQ BLR BLS BLT BLU BLV BLW BLX BLY BLZ BMA BMB BMC BMD BME CCI CEX CHG CIP CLP CLR
COI CUR CUS DAR DCL DEL DIN DOC DUT EUR FBC GBL GEN GS7 HAN HAZ ICN IIN IMI IND INS INV IRP ITR ITS LAN LIN LOI MCO MDH MKS ORI OSI PAC PAI PAY PKG PKT PMD
PMT PRD PRF PRI PUR QIN QQD QUT RAH REG RET REV RQR SAF SIC SIN SLR SPA SPG SPH SPP SPT SRN SSR SUR TCA TDT TRA TRR TXD WHI ZZZ
""".split()
)
"""UNTDID 4451: what a note may be about (BT-21)."""
_SUBJECT = re.compile(r"[^#]*#([^#]{3})#")
"""What the official rules read as a note's subject in UBL, wherever it stands in the text."""


def required_faults(document: EInvoice, profile: Profile) -> list[Fault]:
    """All terms that the profile requires and the document lacks, at once, by the names of the form's fields."""
    found = [_as_fault(item) for item in _mandatory(TERMS[ROOT], document, "")]
    found += [_as_fault(item) for check in _CHECKS[profile] for item in check(document)]
    return list(dict.fromkeys(found))


def _as_fault(item: tuple[str, str, str]) -> Fault:
    rule, path, message = item
    return fault(rule, path, message)


def _mandatory(group: Term, holder: object, around: str) -> Said:
    """Terms of cardinality 1 that are not there, in each group that is."""
    for name, term in members(group.id).items():
        value: Any = getattr(holder, name)
        field = form_field(term.id) if not around else f"{around}.{name}"
        if is_empty(value):
            if term.cardinality.startswith("1"):
                yield _RULES.get(term.id, term.id), field, f"is missing: {term.name} ({term.id})"
        elif term.is_group and term.is_repeated:
            for index, item in enumerate(value):
                yield from _mandatory(term, item, f"{around}.{name}[{index}]" if around else f"{name}[{index}]")
        elif term.is_group:
            yield from _mandatory(term, value, around)


def _payable(document: EInvoice) -> Said:
    """Of invoices: what a credit note amounts to is not paid, and neither UBL's rules nor any newer ones ask for its terms."""
    is_credit_note = document.type_code in CREDIT_NOTE_TYPES
    if not is_credit_note and (document.totals.payable or 0) > 0 and document.due_date is None and not document.payment_terms:
        yield "BR-CO-25", "due_date", "is missing: an amount to pay needs a due date or payment terms (BT-9, BT-20)"


def _categories(document: EInvoice) -> set[str | None]:
    return {line.vat_category for line in document.lines} | {item.vat_category for item in (*document.allowances, *document.charges)}


def _identities(document: EInvoice) -> Said:
    """Who seller and buyer are to the tax office, by VAT category."""
    seller, buyer, categories = document.seller, document.buyer, _categories(document)
    if seller is None or buyer is None:
        return
    if not (seller.vat_id or seller.registration_id or seller.ids):
        yield "BR-CO-26", "seller.vat_id", "is missing: a seller is known by its VAT id or its register number (BT-29, BT-30, BT-31)"
    is_represented = document.tax_representative is not None
    for category in sorted(categories & {"S", "Z", "E"}, key=str):
        if not (seller.vat_id or seller.tax_number or is_represented):
            yield f"BR-{category}-02", "seller.vat_id", "is missing: the VAT category needs the seller's VAT id or tax number (BT-31, BT-32)"
    names = {"AE": "AE", "K": "IC", "G": "G"}
    for category in sorted(categories & set(names), key=str):
        if not (seller.vat_id or is_represented or (category == "AE" and seller.tax_number)):
            yield f"BR-{names[str(category)]}-02", "seller.vat_id", "is missing: the VAT category needs the seller's VAT id (BT-31)"
        if category != "G" and not (buyer.vat_id or (category == "AE" and buyer.registration_id)):
            yield f"BR-{names[str(category)]}-02", "buyer.vat_id", "is missing: the VAT category needs the buyer's VAT id (BT-48)"


def _reasons(document: EInvoice) -> Said:
    names = {"E": "BR-E-10", "AE": "BR-AE-10", "K": "BR-IC-10", "G": "BR-G-10", "O": "BR-O-10"}
    for group in document.vat_breakdown:
        if group.category in names and not (group.exemption_reason or group.exemption_code):
            yield names[group.category], f"exemption_reasons.{group.category}", "is missing: why no VAT is charged (BT-120, BT-121)"
        if group.category != "O" and group.rate is None:
            yield "BR-48", "vat_breakdown", f"lacks the rate of category {group.category} (BT-119)"
    if "K" in {group.category for group in document.vat_breakdown}:
        delivery = document.delivery
        if document.period is None and (delivery is None or delivery.date is None):
            yield "BR-IC-11", "tax_point_date", "is missing: an intra-Community supply names its day or period (BT-72, BG-14)"
        if delivery is None or delivery.address is None or not delivery.address.country:
            yield "BR-IC-12", "buyer.country", "is missing: an intra-Community supply names where it goes (BT-80)"


def _accounts(document: EInvoice) -> Said:
    payment = document.payment
    if payment is None:
        return
    if payment.means_code in {"30", "58"} and not payment.credit_transfers:
        yield "BR-61", "seller.iban", "is missing: a credit transfer needs the account to pay to (BT-84)"
    for transfer in payment.credit_transfers:
        if payment.means_code == "58" and transfer.account and not is_iban(transfer.account):
            yield "BR-DE-19", "seller.iban", "is not an IBAN: its length or its check digits are wrong (BT-84)"


def _codes(document: EInvoice) -> Said:
    """Codes that no list has: the mistakes that are made, without the lists that only the official rules hold."""
    if document.currency in _RETIRED:
        yield "BR-CL-03", "currency", f"{document.currency} is legal tender no more: such a document is archived as it is, and no e-invoice"
    for path, party in (("seller", document.seller), ("buyer", document.buyer)):
        address = party.electronic_address if party else None
        if address is not None and address.scheme not in _ADDRESS_SCHEMES:
            yield "BR-CL-25", f"{path}.electronic_address", f"{address.scheme} is no scheme of the EAS list, such as 0088, 9926 or EM"
    for index, line in enumerate(document.lines):
        if line.unit and not _UNIT.match(line.unit):
            yield "BR-CL-23", f"lines[{index}].unit_code", f"{shown(line.unit)} is no code of UN/ECE Recommendation 20, such as C62, HUR, MON or ANN"


def _notes(document: EInvoice) -> Said:
    """BR-CL-08: UBL writes a note's subject between number signs, so three characters between the first two of them are read as one."""
    for note in document.notes:
        found = _SUBJECT.match(note.text)
        if note.subject_code and note.subject_code not in _NOTE_SUBJECTS:
            yield "BR-CL-08", "note", f"{shown(note.subject_code)} is no subject of a note (BT-21), such as AAI or REG, by UNTDID 4451"
        elif not note.subject_code and found and found[1] not in _NOTE_SUBJECTS:
            message = (
                f"has #{shown(found[1])[1:-1]}#, which is read as the note's subject (BT-21) and is none of UNTDID 4451: write it without the two number signs"
            )
            yield "BR-CL-08", "note", message


def _supply_date(document: EInvoice) -> Said:
    """BR-DE-TMP-32 and BR-FX-EN-04."""
    has_date = document.delivery is not None and document.delivery.date is not None
    if not has_date and document.period is None and any(line.period is None for line in document.lines):
        yield "BR-FX-EN-04", "period", "is missing: when it was supplied (BT-72, BG-14, or BG-26 of each line)"


def _line_periods(document: EInvoice) -> Said:
    whole = document.period
    for index, line in enumerate(document.lines):
        part = line.period
        if whole is None or part is None:
            continue
        if part.start and ((whole.start and part.start < whole.start) or (whole.end and part.start > whole.end)):
            yield "PEPPOL-EN16931-R110", f"lines[{index}].period.start", f"{part.start} is outside the document's period"
        if part.end and ((whole.end and part.end > whole.end) or (whole.start and part.end < whole.start)):
            yield "PEPPOL-EN16931-R111", f"lines[{index}].period.end", f"{part.end} is outside the document's period"


def _xrechnung(document: EInvoice) -> Said:
    yield from missing(document, "PEPPOL-EN16931-R020", "BT-34", "XRechnung")
    yield from missing(document, "PEPPOL-EN16931-R010", "BT-49", "XRechnung")
    yield from german(document, prefix="BR-DE-", digits=1, why="XRechnung")


_CORE: tuple[Check, ...] = (_payable, _identities, _reasons, _accounts, _codes, _notes)
_CHECKS: dict[Profile, tuple[Check, ...]] = {
    Profile.EN16931: _CORE,
    Profile.XRECHNUNG: (*_CORE, _xrechnung, _line_periods, _supply_date),
    Profile.PEPPOL: (*_CORE, *PEPPOL_CHECKS, _line_periods),
    Profile.FACTURX: (*_CORE, _supply_date),
}
