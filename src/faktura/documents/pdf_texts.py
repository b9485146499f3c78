"""The words of a PDF in each language: those the law asks for, and those that head columns."""

from __future__ import annotations

from faktura.domain.errors import SettingError
from faktura.domain.invoice import TypeCode
from faktura.domain.text import shown
from faktura.domain.vat import VatCategory

LOCALES = {"bg": "bg_BG", "de": "de_DE", "en": "en_GB"}
"""Languages, and whose way of writing amounts and dates each takes."""

TITLES = {
    # Art. 113 and 115 of the Bulgarian VAT act name their documents.
    "bg": {325: "Проформа фактура", 380: "Фактура", 381: "Кредитно известие", 383: "Дебитно известие"},
    # Not "Gutschrift": § 14 (2) UStG gives that word to invoices that the buyer writes.
    "de": {325: "Proforma-Rechnung", 380: "Rechnung", 381: "Rechnungskorrektur", 383: "Nachberechnung"},
    "en": {325: "Pro-forma invoice", 380: "Invoice", 381: "Credit note", 383: "Debit note"},
}

CATEGORIES = {
    "bg": {
        VatCategory.ZERO: "Нулева ставка",
        VatCategory.EXEMPT: "Освободена доставка",
        VatCategory.REVERSE_CHARGE: "Обратно начисляване",  # art. 114 (4) of the VAT act
        VatCategory.INTRA_COMMUNITY: "Вътреобщностна доставка",
        VatCategory.EXPORT: "Износ, нулева ставка",
        VatCategory.OUTSIDE_SCOPE: "Извън обхвата на ДДС",
    },
    "de": {
        VatCategory.ZERO: "Nullsteuersatz",
        VatCategory.EXEMPT: "Steuerfrei",
        VatCategory.REVERSE_CHARGE: "Steuerschuldnerschaft des Leistungsempfängers",  # § 14a (5) UStG
        VatCategory.INTRA_COMMUNITY: "Steuerfreie innergemeinschaftliche Lieferung",
        VatCategory.EXPORT: "Steuerfreie Ausfuhrlieferung",
        VatCategory.OUTSIDE_SCOPE: "Nicht steuerbar",
    },
    "en": {
        VatCategory.ZERO: "Zero rated",
        VatCategory.EXEMPT: "Exempt from VAT",
        VatCategory.REVERSE_CHARGE: "Reverse charge",  # Art. 226 (11a) of Directive 2006/112/EC
        VatCategory.INTRA_COMMUNITY: "Intra-Community supply, exempt from VAT",
        VatCategory.EXPORT: "Export outside the EU, exempt from VAT",
        VatCategory.OUTSIDE_SCOPE: "Outside the scope of VAT",
    },
}

WORDS = {
    "issue_date": ("Дата на издаване", "Ausstellungsdatum", "Issue date"),
    "tax_point": ("Дата на данъчно събитие", "Leistungsdatum", "Tax point"),
    "due_date": ("Падеж", "Fällig am", "Due date"),
    "period": ("Период на услугата", "Leistungszeitraum", "Service period"),
    "corrects": ("Към фактура", "Zu Rechnung", "For invoice"),
    "order": ("Поръчка", "Bestellung", "Order"),
    "buyer_reference": ("Референция на купувача", "Ihre Referenz", "Buyer reference"),
    "of": ("от", "vom", "of"),
    "seller": ("Доставчик", "Rechnungssteller", "Seller"),
    "buyer": ("Получател", "Rechnungsempfänger", "Buyer"),
    "vat_id": ("ИН по ЗДДС", "USt-IdNr.", "VAT ID"),
    "registration": ("ЕИК", "Registernummer", "Registration no."),
    "vat_id_abroad": ("ДДС ид. №", "USt-IdNr.", "VAT ID"),
    "registration_abroad": ("Рег. №", "Registernummer", "Registration no."),
    "tax_number": ("Данъчен номер", "Steuernummer", "Tax no."),
    "position": ("№", "Pos.", "No."),
    "item": ("Описание", "Leistung", "Description"),
    "quantity": ("Количество", "Menge", "Quantity"),
    "price_net": ("Ед. цена без ДДС", "Einzelpreis netto", "Unit price excl. VAT"),
    "price_gross": ("Ед. цена с ДДС", "Einzelpreis brutto", "Unit price incl. VAT"),
    "price_without": ("без ДДС", "netto", "excl. VAT"),
    "price_for": ("за", "für", "for"),
    "vat": ("ДДС", "USt.", "VAT"),
    "net": ("Стойност без ДДС", "Netto", "Net amount"),
    "gross": ("Стойност с ДДС", "Brutto", "Incl. VAT"),
    "column_net": ("Без ДДС", "Netto", "Excl. VAT"),
    "column_gross": ("С ДДС", "Brutto", "Incl. VAT"),
    "base": ("Данъчна основа", "Netto", "Taxable amount"),
    "tax": ("ДДС", "Umsatzsteuer", "VAT"),
    "rate": ("Ставка", "Steuersatz", "VAT rate"),
    "lines_total": ("Сума на редовете", "Summe der Positionen", "Sum of lines"),
    "lines_total_gross": ("Сума на редовете с ДДС", "Summe der Positionen brutto", "Sum of lines incl. VAT"),
    "without_vat": ("Данъчна основа", "Nettobetrag", "Total excl. VAT"),
    "vat_total": ("ДДС", "Umsatzsteuer", "VAT"),
    "total_380": ("Сума за плащане", "Rechnungsbetrag", "Total"),
    "total_325": ("Сума за плащане", "Gesamtbetrag", "Total"),
    "total_381": ("Кредитирана сума", "Gutgeschriebener Betrag", "Amount credited"),
    "total_383": ("Дебитирана сума", "Nachberechneter Betrag", "Amount debited"),
    "credited": (
        "Сумите намаляват сумите на посочената фактура.",
        "Die Beträge mindern die der genannten Rechnung.",
        "The amounts are taken off those of the invoice named.",
    ),
    "no_invoice": (
        "Този документ не е фактура по ЗДДС и не дава право на данъчен кредит.",
        "Dies ist keine Rechnung im Sinne des Umsatzsteuergesetzes und berechtigt nicht zum Vorsteuerabzug.",
        "This is not a VAT invoice and gives no right to deduct VAT.",
    ),
    "test": (
        "Тестов документ без правно и счетоводно значение",
        "Testdokument ohne rechtliche Wirkung",
        "Test document without legal effect",
    ),
    "notes": ("Забележки", "Hinweise", "Notes"),
    "terms": ("Условия за плащане", "Zahlungsbedingungen", "Payment terms"),
    "on_receipt": ("Платимо при получаване", "Zahlbar bei Erhalt", "Payable on receipt"),
    "payment": ("Плащане", "Zahlung", "Payment"),
    "payee": ("Титуляр на сметката", "Empfänger", "Payee"),
    "reference": ("Основание", "Verwendungszweck", "Reference"),
    "amount": ("Сума", "Betrag", "Amount"),
    "scan": ("SEPA превод: сканирайте с приложението на банката", "Überweisung: mit der Banking\u2011App scannen", "SEPA transfer: scan with your banking app"),
    "page": ("Страница {page} от {pages}", "Seite {page} von {pages}", "Page {page} of {pages}"),
    "continued": ("продължение", "Fortsetzung", "continued"),
}
"""In the order of `LOCALES`."""

UNITS = {
    "C62": ("бр.", "Stk.", "pcs"),
    "H87": ("бр.", "Stk.", "pcs"),
    "EA": ("бр.", "Stk.", "pcs"),
    "XPP": ("бр.", "Stk.", "pcs"),
    "SET": ("компл.", "Satz", "set"),
    "LS": ("общо", "pausch.", "lump sum"),
    "MIN": ("мин.", "Min.", "min"),
    "HUR": ("ч", "Std.", "h"),
    "DAY": ("ден", "Tag(e)", "day(s)"),
    "WEE": ("седм.", "Woche(n)", "week(s)"),
    "MON": ("мес.", "Monat(e)", "month(s)"),
    "QAN": ("трим.", "Quartal(e)", "quarter(s)"),
    "ANN": ("год.", "Jahr(e)", "year(s)"),
    "E34": ("GB", "GB", "GB"),
    "E35": ("TB", "TB", "TB"),
    "4L": ("MB", "MB", "MB"),
    "KWH": ("kWh", "kWh", "kWh"),
    "KGM": ("kg", "kg", "kg"),
    "LTR": ("l", "l", "l"),
    "MTR": ("m", "m", "m"),
    "KMT": ("km", "km", "km"),
    "P1": ("%", "%", "%"),
}
"""Units of UN/ECE Recommendation 20 that hosting and trade bill; others are shown by their code."""


def language_of(tag: str) -> str:
    """The language that texts are kept in, of a tag such as `de` or `de-AT`; SettingError for another."""
    language = tag.replace("_", "-").partition("-")[0].lower() if isinstance(tag, str) else ""
    if language not in LOCALES:
        message = f"PDFs are written in {', '.join(LOCALES)}, not in {shown(tag)}"
        raise SettingError(message)
    return language


def words(language: str) -> dict[str, str]:
    """All words of a language by their key."""
    index = list(LOCALES).index(language)
    return {key: texts[index] for key, texts in WORDS.items()}


def unit(code: str, language: str) -> str:
    """The unit as people write it."""
    return UNITS[code][list(LOCALES).index(language)] if code in UNITS else code


def title(type_code: TypeCode, language: str) -> str:
    """What the document is called."""
    return TITLES[language][int(type_code)]
