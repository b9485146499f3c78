"""Cross Industry Invoice of UN/CEFACT (D16B, which D22B reads alike): where each business term stands (CEN/TS 16931-3-3)."""

from __future__ import annotations

from functools import cache

from faktura.documents.en16931 import EInvoice, Parsed, Profile, Syntax, as_profile
from faktura.documents.xml_layout import Node, read_layout
from faktura.documents.xml_reader import Element, read_document, safe_root
from faktura.documents.xml_values import COMPACT_DAYS, Codec, Dialect
from faktura.documents.xml_writer import Write, compile_writer, write_document
from faktura.domain.errors import InputError

INVOICE = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
_RAM = "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
_UDT = "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"
_QDT = "urn:un:unece:uncefact:data:standard:QualifiedDataType:100"

_TIMING = {"3": "5", "35": "29", "432": "72"}
"""BT-8 is of UNTDID 2005 in the standard and in UBL, of UNTDID 2475 here."""

_LAYOUT = """
rsm:CrossIndustryInvoice
  rsm:ExchangedDocumentContext  always
    ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID  BT-23
    ram:GuidelineSpecifiedDocumentContextParameter/ram:ID  BT-24
  rsm:ExchangedDocument
    ram:ID  BT-1
    ram:TypeCode  BT-3
    ram:IssueDateTime/udt:DateTimeString  BT-2 @format:=102
    ram:IncludedNote  each=BG-1
      ram:Content  BT-22
      ram:SubjectCode  BT-21
  rsm:SupplyChainTradeTransaction
    ram:IncludedSupplyChainTradeLineItem  each=BG-25
      ram:AssociatedDocumentLineDocument
        ram:LineID  BT-126
        ram:IncludedNote/ram:Content  BT-127
      ram:SpecifiedTradeProduct
        ram:GlobalID  BT-157 @schemeID=BT-157.scheme
        ram:SellerAssignedID  BT-155
        ram:BuyerAssignedID  BT-156
        ram:Name  BT-153
        ram:Description  BT-154
        ram:ApplicableProductCharacteristic  each=BG-32
          ram:Description  BT-160
          ram:Value  BT-161
        ram:DesignatedProductClassification  each=BT-158
          ram:ClassCode  BT-158 @listID=BT-158.scheme @listVersionID=BT-158.version
        ram:OriginTradeCountry/ram:ID  BT-159
      ram:SpecifiedLineTradeAgreement
        ram:BuyerOrderReferencedDocument/ram:LineID  BT-132
        ram:GrossPriceProductTradePrice
          ram:ChargeAmount  BT-148
          ram:BasisQuantity  BT-149 @unitCode=BT-150 shared read when=as_net
          ram:AppliedTradeAllowanceCharge
            ram:ChargeIndicator/udt:Indicator  =false|0
            ram:ActualAmount  BT-147
        ram:NetPriceProductTradePrice
          ram:ChargeAmount  BT-146
          ram:BasisQuantity  BT-149 @unitCode=BT-150 shared
      ram:SpecifiedLineTradeDelivery/ram:BilledQuantity  BT-129 @unitCode=BT-130
      ram:SpecifiedLineTradeSettlement
        ram:ApplicableTradeTax
          ram:TypeCode  =VAT
          ram:CategoryCode  BT-151
          ram:RateApplicablePercent  BT-152
        ram:BillingSpecifiedPeriod
          ram:StartDateTime/udt:DateTimeString  BT-134 @format:=102
          ram:EndDateTime/udt:DateTimeString  BT-135 @format:=102
        ram:SpecifiedTradeAllowanceCharge  each=BG-27
          ram:ChargeIndicator/udt:Indicator  =false|0
          ram:CalculationPercent  BT-138
          ram:BasisAmount  BT-137
          ram:ActualAmount  BT-136
          ram:ReasonCode  BT-140
          ram:Reason  BT-139
        ram:SpecifiedTradeAllowanceCharge  each=BG-28
          ram:ChargeIndicator/udt:Indicator  =true|1
          ram:CalculationPercent  BT-143
          ram:BasisAmount  BT-142
          ram:ActualAmount  BT-141
          ram:ReasonCode  BT-145
          ram:Reason  BT-144
        ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount  BT-131
        ram:AdditionalReferencedDocument
          ram:IssuerAssignedID  BT-128
          ram:TypeCode  =130
          ram:ReferenceTypeCode  BT-128.scheme
        ram:ReceivableSpecifiedTradeAccountingAccount/ram:ID  BT-133
    ram:ApplicableHeaderTradeAgreement
      ram:BuyerReference  BT-10
      ram:SellerTradeParty
        ram:ID  each=BT-29 BT-29 if=noscheme
        ram:GlobalID  each=BT-29 BT-29 @schemeID=BT-29.scheme if=scheme
        ram:Name  BT-27
        ram:Description  BT-33
        ram:SpecifiedLegalOrganization
          ram:ID  BT-30 @schemeID=BT-30.scheme
          ram:TradingBusinessName  BT-28
        ram:DefinedTradeContact
          ram:PersonName  BT-41
          ram:DepartmentName  BT-41 spare read
          ram:TelephoneUniversalCommunication/ram:CompleteNumber  BT-42
          ram:EmailURIUniversalCommunication/ram:URIID  BT-43
        ram:PostalTradeAddress
          ram:PostcodeCode  BT-38
          ram:LineOne  BT-35
          ram:LineTwo  BT-36
          ram:LineThree  BT-162
          ram:CityName  BT-37
          ram:CountryID  BT-40
          ram:CountrySubDivisionName  BT-39
        ram:URIUniversalCommunication/ram:URIID  BT-34 @schemeID=BT-34.scheme
        ram:SpecifiedTaxRegistration/ram:ID  BT-31 @schemeID:=VA
        ram:SpecifiedTaxRegistration/ram:ID  BT-32 @schemeID:=FC
      ram:BuyerTradeParty
        ram:ID  BT-46 if=noscheme
        ram:GlobalID  BT-46 @schemeID=BT-46.scheme if=scheme spare
        ram:Name  BT-44
        ram:SpecifiedLegalOrganization
          ram:ID  BT-47 @schemeID=BT-47.scheme
          ram:TradingBusinessName  BT-45
        ram:DefinedTradeContact
          ram:PersonName  BT-56
          ram:DepartmentName  BT-56 spare read
          ram:TelephoneUniversalCommunication/ram:CompleteNumber  BT-57
          ram:EmailURIUniversalCommunication/ram:URIID  BT-58
        ram:PostalTradeAddress
          ram:PostcodeCode  BT-53
          ram:LineOne  BT-50
          ram:LineTwo  BT-51
          ram:LineThree  BT-163
          ram:CityName  BT-52
          ram:CountryID  BT-55
          ram:CountrySubDivisionName  BT-54
        ram:URIUniversalCommunication/ram:URIID  BT-49 @schemeID=BT-49.scheme
        ram:SpecifiedTaxRegistration/ram:ID  BT-48 @schemeID:=VA
      ram:SellerTaxRepresentativeTradeParty
        ram:Name  BT-62
        ram:PostalTradeAddress
          ram:PostcodeCode  BT-67
          ram:LineOne  BT-64
          ram:LineTwo  BT-65
          ram:LineThree  BT-164
          ram:CityName  BT-66
          ram:CountryID  BT-69
          ram:CountrySubDivisionName  BT-68
        ram:SpecifiedTaxRegistration/ram:ID  BT-63 @schemeID:=VA
      ram:SellerOrderReferencedDocument/ram:IssuerAssignedID  BT-14
      ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID  BT-13
      ram:ContractReferencedDocument/ram:IssuerAssignedID  BT-12
      ram:AdditionalReferencedDocument  each=BG-24
        ram:IssuerAssignedID  BT-122
        ram:URIID  BT-124
        ram:TypeCode  =916
        ram:Name  BT-123
        ram:AttachmentBinaryObject  BT-125 @mimeCode=BT-125.mime_code @filename=BT-125.filename
      ram:AdditionalReferencedDocument
        ram:IssuerAssignedID  BT-17
        ram:TypeCode  =50
      ram:AdditionalReferencedDocument
        ram:IssuerAssignedID  BT-18
        ram:TypeCode  =130
        ram:ReferenceTypeCode  BT-18.scheme
      ram:SpecifiedProcuringProject
        ram:ID  BT-11
        ram:Name  "~Project reference|Project Reference"
    ram:ApplicableHeaderTradeDelivery  always
      ram:ShipToTradeParty
        ram:ID  BT-71 if=noscheme
        ram:GlobalID  BT-71 @schemeID=BT-71.scheme if=scheme spare
        ram:Name  BT-70
        ram:PostalTradeAddress
          ram:PostcodeCode  BT-78
          ram:LineOne  BT-75
          ram:LineTwo  BT-76
          ram:LineThree  BT-165
          ram:CityName  BT-77
          ram:CountryID  BT-80
          ram:CountrySubDivisionName  BT-79
      ram:ActualDeliverySupplyChainEvent/ram:OccurrenceDateTime/udt:DateTimeString  BT-72 @format:=102
      ram:DespatchAdviceReferencedDocument/ram:IssuerAssignedID  BT-16
      ram:ReceivingAdviceReferencedDocument/ram:IssuerAssignedID  BT-15
    ram:ApplicableHeaderTradeSettlement
      ram:CreditorReferenceID  BT-90
      ram:PaymentReference  BT-83
      ram:TaxCurrencyCode  BT-6
      ram:InvoiceCurrencyCode  BT-5
      ram:PayeeTradeParty
        ram:ID  BT-60 if=noscheme
        ram:GlobalID  BT-60 @schemeID=BT-60.scheme if=scheme spare
        ram:Name  BT-59
        ram:SpecifiedLegalOrganization/ram:ID  BT-61 @schemeID=BT-61.scheme
      ram:SpecifiedTradeSettlementPaymentMeans  each?=BG-17
        ram:TypeCode  BT-81 shared
        ram:Information  BT-82 shared
        ram:ApplicableTradeSettlementFinancialCard
          ram:ID  BT-87 shared
          ram:CardholderName  BT-88 shared
        ram:PayerPartyDebtorFinancialAccount/ram:IBANID  BT-91 shared
        ram:PayeePartyCreditorFinancialAccount
          ram:IBANID  BT-84 if=iban
          ram:AccountName  BT-85
          ram:ProprietaryID  BT-84 if=noiban spare
        ram:PayeeSpecifiedCreditorFinancialInstitution/ram:BICID  BT-86
      ram:ApplicableTradeTax  each=BG-23
        ram:CalculatedAmount  BT-117
        ram:TypeCode  =VAT
        ram:ExemptionReason  BT-120
        ram:BasisAmount  BT-116
        ram:CategoryCode  BT-118
        ram:ExemptionReasonCode  BT-121
        ram:TaxPointDate/udt:DateString  BT-7 @format:=102 shared first
        ram:DueDateTypeCode  BT-8 as=timing shared first
        ram:RateApplicablePercent  BT-119
      ram:BillingSpecifiedPeriod
        ram:StartDateTime/udt:DateTimeString  BT-73 @format:=102
        ram:EndDateTime/udt:DateTimeString  BT-74 @format:=102
      ram:SpecifiedTradeAllowanceCharge  each=BG-20
        ram:ChargeIndicator/udt:Indicator  =false|0
        ram:CalculationPercent  BT-94
        ram:BasisAmount  BT-93
        ram:ActualAmount  BT-92
        ram:ReasonCode  BT-98
        ram:Reason  BT-97
        ram:CategoryTradeTax
          ram:TypeCode  =VAT
          ram:CategoryCode  BT-95
          ram:RateApplicablePercent  BT-96
      ram:SpecifiedTradeAllowanceCharge  each=BG-21
        ram:ChargeIndicator/udt:Indicator  =true|1
        ram:CalculationPercent  BT-101
        ram:BasisAmount  BT-100
        ram:ActualAmount  BT-99
        ram:ReasonCode  BT-105
        ram:Reason  BT-104
        ram:CategoryTradeTax
          ram:TypeCode  =VAT
          ram:CategoryCode  BT-102
          ram:RateApplicablePercent  BT-103
      ram:SpecifiedTradePaymentTerms
        ram:Description  BT-20
        ram:DueDateDateTime/udt:DateTimeString  BT-9 @format:=102
        ram:DirectDebitMandateID  BT-89
      ram:SpecifiedTradeSettlementHeaderMonetarySummation
        ram:LineTotalAmount  BT-106
        ram:ChargeTotalAmount  BT-108
        ram:AllowanceTotalAmount  BT-107
        ram:TaxBasisTotalAmount  BT-109
        ram:TaxTotalAmount  BT-110 @currencyID=BT-5 when=own
        ram:TaxTotalAmount  BT-111 @currencyID=BT-6 when=tax
        ram:RoundingAmount  BT-114
        ram:GrandTotalAmount  BT-112
        ram:TotalPrepaidAmount  BT-113
        ram:DuePayableAmount  BT-115
      ram:InvoiceReferencedDocument  each=BG-3
        ram:IssuerAssignedID  BT-25
        ram:FormattedIssueDateTime/qdt:DateTimeString  BT-26 @format:=102
      ram:ReceivableSpecifiedTradeAccountingAccount/ram:ID  BT-19
"""


def layout() -> Node:
    """Where each term stands."""
    return read_layout(_LAYOUT)


def _read_timing(text: str) -> str:
    code = text.strip()
    return next((known for known, here in _TIMING.items() if here == code), code)


def _is_as_net(element: Element, _: str) -> bool:
    """Whether a gross price is of the quantity that the net price is of, or alone names one: EN 16931 has one for both."""
    basis = element.getparent().getparent().find(f"{{{_RAM}}}NetPriceProductTradePrice/{{{_RAM}}}BasisQuantity")
    return basis is None or (basis.text, basis.get("unitCode")) == (element.text, element.get("unitCode"))


@cache
def _dialect() -> tuple[Dialect, Write]:
    namespaces = {"rsm": INVOICE, "ram": _RAM, "udt": _UDT, "qdt": _QDT}
    dialect = Dialect(
        namespaces=namespaces,
        layout=layout(),
        declared="".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in namespaces.items()),
        days=COMPACT_DAYS,
        currency_path="rsm:SupplyChainTradeTransaction/ram:ApplicableHeaderTradeSettlement/ram:InvoiceCurrencyCode",
        codecs={"timing": Codec(lambda code: _TIMING.get(code, code), _read_timing)},
        conditions={"as_net": _is_as_net},
    )
    return dialect, compile_writer(dialect, dialect.layout)


def render(document: EInvoice, *, profile: Profile | None = None) -> bytes:
    """The document as XML in UTF-8, the same bytes each time; `profile` puts its BT-23 and BT-24 in place of the document's own."""
    return write_document(_dialect()[1], as_profile(document, profile))


def parse(body: bytes) -> Parsed:
    """What the XML says. Raises InputError for what is no invoice of this syntax."""
    return read(safe_root(body))


def read(root: Element) -> Parsed:
    """The same of an element that was read."""
    if root.tag != f"{{{INVOICE}}}CrossIndustryInvoice":
        message = f"line {root.sourceline}: {root.tag} is no CrossIndustryInvoice of UN/CEFACT"
        raise InputError(message)
    return read_document(_dialect()[0], root, Syntax.CII)
