"""Documents that the PDFs' tests start from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from tests.domain.sample import DRAFT, issued

from faktura.domain.invoice import AllowanceCharge, Draft, Invoice, InvoiceLine, Period, PrecedingInvoice, TypeCode
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.totals import line_total
from faktura.domain.vat import PriceBasis, VatCategory, VatKey

EUR = Currency("EUR")
S20, S19, S9 = (VatKey(VatCategory.STANDARD, Decimal(rate)) for rate in (20, 19, 9))
REVERSE = VatKey(VatCategory.REVERSE_CHARGE, Decimal(0))
OCTOBER = Period(start=date(2026, 10, 1), end=date(2026, 10, 31))
BUYER_BG = Party(
    name="Пример Търговия ЕООД",
    street="ул. „Иван Вазов“ 7, ет. 3",
    city="Пловдив",
    post_code="4000",
    country="BG",
    vat_id="BG987654321",
    registration_id="987654321",
)
BUYER_DE = Party(name="Musterfirma GmbH & Co. KG", street="Königsträßle 12", city="Tübingen", post_code="72070", country="DE", vat_id="DE123456789")
SELLER = Party(
    name="Хостинг ООД",
    street="бул. „Витоша“ 15",
    city="София",
    post_code="1000",
    country="BG",
    vat_id="BG123456789",
    registration_id="123456789",
    email="office@hosting.example",
    iban="BG80BNBG96611020345678",
    bic="BNBGBGSD",
)


def line(name: str, quantity: str, price: str, vat: VatKey = S20, *, adjustments: tuple[AllowanceCharge, ...] = (), **more: Any) -> InvoiceLine:
    """A line whose total follows from quantity and price."""
    amount, unit_price = Decimal(quantity), Decimal(price)
    total = line_total(quantity=amount, unit_price=unit_price, currency=EUR, adjustments=adjustments)
    terms: dict[str, Any] = {"unit_code": "MON", **more}
    return InvoiceLine(
        name=name,
        quantity=amount,
        unit_price=unit_price,
        line_total_minor=total,
        net_amount_minor=None,
        vat=vat,
        allowances_charges=adjustments,
        **terms,
    )


def document(draft: Draft, **more: Any) -> Invoice:
    """What the ledger keeps of the draft, sold by one with a bank account."""
    kept = ("tax_point_date", "due_date", "note", "payment_terms", "preceding_invoice", "type_code")
    terms = {name: getattr(draft, name) for name in kept} | {"seller": SELLER, "issue_date": date(2026, 10, 31)} | more
    return replace(issued(draft), **terms)


def allowance(amount_minor: int, reason: str, vat: VatKey | None = None) -> AllowanceCharge:
    """An allowance of so many cents."""
    return AllowanceCharge(is_charge=False, amount_minor=amount_minor, reason=reason, vat=vat)


BULGARIAN = replace(
    DRAFT,
    buyer=BUYER_BG,
    lines=(
        line("Виртуален сървър VPS-4, 8 GB RAM", "1", "24.90", item_id="vps-4", period=OCTOBER, order_id=1042),
        line("Домейн primer.bg, подновяване", "1", "15", adjustments=(allowance(150, "Отстъпка за лоялен клиент"),), unit_code="ANN"),
        line("Трафик над включения обем", "12.5", "0.0125", unit_code="E34"),
        line("Книга „Линукс за администратори“", "3", "18.35", S9, unit_code="C62"),
    ),
    allowances_charges=(allowance(500, "Отстъпка за годишно плащане", S20),),
    due_date=date(2026, 11, 14),
    tax_point_date=date(2026, 10, 31),
    period=OCTOBER,
    order_ids=(1042, 1043),
    payment_terms="До 14 дни от издаването, по банков път.",
    note="Благодарим Ви, че сте наш клиент!",
)
GERMAN = replace(
    DRAFT,
    buyer=BUYER_DE,
    lines=(
        line("Virtueller Server VPS-8, 16 GB Arbeitsspeicher", "2", "1249", REVERSE, period=OCTOBER),
        line("Einrichtung", "3.75", "80", REVERSE, unit_code="HUR"),
    ),
    exemption_reasons=((VatCategory.REVERSE_CHARGE, "Art. 196 der Richtlinie 2006/112/EG"),),
    due_date=date(2026, 11, 14),
    period=OCTOBER,
    payment_terms="Zahlbar innerhalb von 14 Tagen ohne Abzug.",
)
CREDIT = replace(
    DRAFT,
    type_code=TypeCode.CREDIT_NOTE,
    price_basis=PriceBasis.GROSS,
    buyer=BUYER_DE,
    lines=(line("Virtual server, one month too much", "1", "29.90", S19), line("Domain example.com", "2", "11.90", S19, unit_code="ANN")),
    preceding_invoice=PrecedingInvoice(number="0000000003", issue_date=date(2026, 9, 30)),
    note="One month was billed twice.",
)


def long(count: int) -> Draft:
    """A document of so many lines."""
    lines = tuple(
        line(f"Virtueller Server Nr. {n}", "1", f"{n % 97 + 1}.{n % 100:02}", S19, period=OCTOBER if n % 3 == 0 else None) for n in range(1, count + 1)
    )
    return replace(GERMAN, lines=lines, exemption_reasons=())


CII = """<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
 xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
 xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">
 <rsm:ExchangedDocumentContext><ram:GuidelineSpecifiedDocumentContextParameter><ram:ID>urn:cen.eu:en16931:2017</ram:ID>
 </ram:GuidelineSpecifiedDocumentContextParameter></rsm:ExchangedDocumentContext>
 <rsm:ExchangedDocument><ram:ID>0000000007</ram:ID><ram:TypeCode>380</ram:TypeCode>
  <ram:IssueDateTime><udt:DateTimeString format="102">20261031</udt:DateTimeString></ram:IssueDateTime></rsm:ExchangedDocument>
 <rsm:SupplyChainTradeTransaction>
  <ram:IncludedSupplyChainTradeLineItem>
   <ram:AssociatedDocumentLineDocument><ram:LineID>1</ram:LineID></ram:AssociatedDocumentLineDocument>
   <ram:SpecifiedTradeProduct><ram:Name>Virtueller Server</ram:Name></ram:SpecifiedTradeProduct>
   <ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice><ram:ChargeAmount>10.00</ram:ChargeAmount></ram:NetPriceProductTradePrice>
   </ram:SpecifiedLineTradeAgreement>
   <ram:SpecifiedLineTradeDelivery><ram:BilledQuantity unitCode="C62">1</ram:BilledQuantity></ram:SpecifiedLineTradeDelivery>
   <ram:SpecifiedLineTradeSettlement>
    <ram:ApplicableTradeTax><ram:TypeCode>VAT</ram:TypeCode><ram:CategoryCode>S</ram:CategoryCode><ram:RateApplicablePercent>19</ram:RateApplicablePercent>
    </ram:ApplicableTradeTax>
    <ram:SpecifiedTradeSettlementLineMonetarySummation><ram:LineTotalAmount>10.00</ram:LineTotalAmount></ram:SpecifiedTradeSettlementLineMonetarySummation>
   </ram:SpecifiedLineTradeSettlement>
  </ram:IncludedSupplyChainTradeLineItem>
  <ram:ApplicableHeaderTradeAgreement>
   <ram:SellerTradeParty><ram:Name>Хостинг ООД</ram:Name><ram:PostalTradeAddress><ram:CountryID>BG</ram:CountryID></ram:PostalTradeAddress>
    <ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">BG123456789</ram:ID></ram:SpecifiedTaxRegistration></ram:SellerTradeParty>
   <ram:BuyerTradeParty><ram:Name>Musterfirma</ram:Name><ram:PostalTradeAddress><ram:CountryID>DE</ram:CountryID></ram:PostalTradeAddress></ram:BuyerTradeParty>
  </ram:ApplicableHeaderTradeAgreement>
  <ram:ApplicableHeaderTradeDelivery/>
  <ram:ApplicableHeaderTradeSettlement><ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode>
   <ram:ApplicableTradeTax><ram:CalculatedAmount>1.90</ram:CalculatedAmount><ram:TypeCode>VAT</ram:TypeCode><ram:BasisAmount>10.00</ram:BasisAmount>
    <ram:CategoryCode>S</ram:CategoryCode><ram:RateApplicablePercent>19</ram:RateApplicablePercent></ram:ApplicableTradeTax>
   <ram:SpecifiedTradePaymentTerms><ram:Description>14 Tage</ram:Description></ram:SpecifiedTradePaymentTerms>
   <ram:SpecifiedTradeSettlementHeaderMonetarySummation><ram:LineTotalAmount>10.00</ram:LineTotalAmount>
    <ram:TaxBasisTotalAmount>10.00</ram:TaxBasisTotalAmount><ram:TaxTotalAmount currencyID="EUR">1.90</ram:TaxTotalAmount>
    <ram:GrandTotalAmount>11.90</ram:GrandTotalAmount><ram:DuePayableAmount>11.90</ram:DuePayableAmount>
   </ram:SpecifiedTradeSettlementHeaderMonetarySummation>
  </ram:ApplicableHeaderTradeSettlement>
 </rsm:SupplyChainTradeTransaction>
</rsm:CrossIndustryInvoice>
""".encode()
"""A small e-invoice that keeps the schema."""
