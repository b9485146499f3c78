"""UBL 2.1, Invoice and CreditNote: where each business term stands (CEN/TS 16931-3-2), and nothing more."""

from __future__ import annotations

import re
from functools import cache

from faktura.documents.en16931 import CREDIT_NOTE_TYPES, EInvoice, Note, Parsed, Profile, Syntax, as_profile
from faktura.documents.xml_layout import Node, read_layout
from faktura.documents.xml_reader import Element, read_document, safe_root
from faktura.documents.xml_values import ISO_DAYS, Codec, Dialect
from faktura.documents.xml_writer import Write, compile_writer, write_document
from faktura.domain.errors import InputError

INVOICE = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
CREDIT_NOTE = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"

_CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
_CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"

# Rows marked I or C stand in an Invoice or in a CreditNote alone; {Line} and {Quantity} are called otherwise in each.
_LAYOUT = """
  {Root}
    cbc:CustomizationID  BT-24
    cbc:ProfileID  BT-23
    cbc:ID  BT-1
    cbc:IssueDate  BT-2
I   cbc:DueDate  BT-9
I   cbc:InvoiceTypeCode  BT-3
I   cbc:Note  each=BG-1 BT-22 as=note
    cbc:TaxPointDate  BT-7
C   cbc:CreditNoteTypeCode  BT-3
C   cbc:Note  each=BG-1 BT-22 as=note
    cbc:DocumentCurrencyCode  BT-5
    cbc:TaxCurrencyCode  BT-6
    cbc:AccountingCost  BT-19
    cbc:BuyerReference  BT-10
    cac:InvoicePeriod
      cbc:StartDate  BT-73
      cbc:EndDate  BT-74
      cbc:DescriptionCode  BT-8
    cac:OrderReference
      cbc:ID  BT-13 none=NA
      cbc:SalesOrderID  BT-14
    cac:BillingReference/cac:InvoiceDocumentReference  each=BG-3
      cbc:ID  BT-25
      cbc:IssueDate  BT-26
    cac:DespatchDocumentReference/cbc:ID  BT-16
    cac:ReceiptDocumentReference/cbc:ID  BT-15
I   cac:OriginatorDocumentReference/cbc:ID  BT-17
    cac:ContractDocumentReference/cbc:ID  BT-12
    cac:AdditionalDocumentReference
      cbc:ID  BT-18 @schemeID=BT-18.scheme
      cbc:DocumentTypeCode  =130
C   cac:AdditionalDocumentReference
C     cbc:ID  BT-11
C     cbc:DocumentTypeCode  =50
    cac:AdditionalDocumentReference  each=BG-24
      cbc:ID  BT-122
      cbc:DocumentDescription  BT-123
      cac:Attachment
        cbc:EmbeddedDocumentBinaryObject  BT-125 @mimeCode=BT-125.mime_code @filename=BT-125.filename
        cac:ExternalReference/cbc:URI  BT-124
C   cac:OriginatorDocumentReference/cbc:ID  BT-17
I   cac:ProjectReference/cbc:ID  BT-11
    cac:AccountingSupplierParty/cac:Party
      cbc:EndpointID  BT-34 @schemeID=BT-34.scheme
      cac:PartyIdentification
        cbc:ID  BT-90 @schemeID:=SEPA
      cac:PartyIdentification  each=BT-29
        cbc:ID  BT-29 @schemeID=BT-29.scheme
      cac:PartyName/cbc:Name  BT-28
      cac:PostalAddress
        cbc:StreetName  BT-35
        cbc:AdditionalStreetName  BT-36
        cbc:CityName  BT-37
        cbc:PostalZone  BT-38
        cbc:CountrySubentity  BT-39
        cac:AddressLine/cbc:Line  BT-162
        cac:Country/cbc:IdentificationCode  BT-40
      cac:PartyTaxScheme
        cbc:CompanyID  BT-31
        cac:TaxScheme/cbc:ID  =VAT
      cac:PartyTaxScheme
        cbc:CompanyID  BT-32
        cac:TaxScheme/cbc:ID  ~FC
      cac:PartyLegalEntity
        cbc:RegistrationName  BT-27
        cbc:CompanyID  BT-30 @schemeID=BT-30.scheme
        cbc:CompanyLegalForm  BT-33
      cac:Contact
        cbc:Name  BT-41
        cbc:Telephone  BT-42
        cbc:ElectronicMail  BT-43
    cac:AccountingCustomerParty/cac:Party
      cbc:EndpointID  BT-49 @schemeID=BT-49.scheme
      cac:PartyIdentification/cbc:ID  BT-46 @schemeID=BT-46.scheme spare
      cac:PartyName/cbc:Name  BT-45
      cac:PostalAddress
        cbc:StreetName  BT-50
        cbc:AdditionalStreetName  BT-51
        cbc:CityName  BT-52
        cbc:PostalZone  BT-53
        cbc:CountrySubentity  BT-54
        cac:AddressLine/cbc:Line  BT-163
        cac:Country/cbc:IdentificationCode  BT-55
      cac:PartyTaxScheme
        cbc:CompanyID  BT-48
        cac:TaxScheme/cbc:ID  =VAT
      cac:PartyLegalEntity
        cbc:RegistrationName  BT-44
        cbc:CompanyID  BT-47 @schemeID=BT-47.scheme
      cac:Contact
        cbc:Name  BT-56
        cbc:Telephone  BT-57
        cbc:ElectronicMail  BT-58
    cac:PayeeParty
      cac:PartyIdentification  read
        cbc:ID  BT-90 @schemeID:=SEPA
      cac:PartyIdentification/cbc:ID  BT-60 @schemeID=BT-60.scheme spare
      cac:PartyName/cbc:Name  BT-59
      cac:PartyLegalEntity/cbc:CompanyID  BT-61 @schemeID=BT-61.scheme
    cac:TaxRepresentativeParty
      cac:PartyName/cbc:Name  BT-62
      cac:PostalAddress
        cbc:StreetName  BT-64
        cbc:AdditionalStreetName  BT-65
        cbc:CityName  BT-66
        cbc:PostalZone  BT-67
        cbc:CountrySubentity  BT-68
        cac:AddressLine/cbc:Line  BT-164
        cac:Country/cbc:IdentificationCode  BT-69
      cac:PartyTaxScheme
        cbc:CompanyID  BT-63
        cac:TaxScheme/cbc:ID  =VAT
    cac:Delivery
      cbc:ActualDeliveryDate  BT-72
      cac:DeliveryLocation
        cbc:ID  BT-71 @schemeID=BT-71.scheme
        cac:Address
          cbc:StreetName  BT-75
          cbc:AdditionalStreetName  BT-76
          cbc:CityName  BT-77
          cbc:PostalZone  BT-78
          cbc:CountrySubentity  BT-79
          cac:AddressLine/cbc:Line  BT-165
          cac:Country/cbc:IdentificationCode  BT-80
      cac:DeliveryParty/cac:PartyName/cbc:Name  BT-70
    cac:PaymentMeans  each?=BG-17
      cbc:PaymentMeansCode  BT-81 @name=BT-82 shared
C     cbc:PaymentDueDate  BT-9 shared
      cbc:PaymentID  BT-83 shared
      cac:CardAccount
        cbc:PrimaryAccountNumberID  BT-87 shared
        cbc:NetworkID  ~NA
        cbc:HolderName  BT-88 shared
      cac:PayeeFinancialAccount
        cbc:ID  BT-84
        cbc:Name  BT-85
        cac:FinancialInstitutionBranch/cbc:ID  BT-86
      cac:PaymentMandate
        cbc:ID  BT-89 shared
        cac:PayerFinancialAccount/cbc:ID  BT-91 shared
    cac:PaymentTerms/cbc:Note  BT-20
    cac:AllowanceCharge  each=BG-20
      cbc:ChargeIndicator  =false|0
      cbc:AllowanceChargeReasonCode  BT-98
      cbc:AllowanceChargeReason  BT-97
      cbc:MultiplierFactorNumeric  BT-94
      cbc:Amount  BT-92
      cbc:BaseAmount  BT-93
      cac:TaxCategory
        cbc:ID  BT-95
        cbc:Percent  BT-96
        cac:TaxScheme/cbc:ID  =VAT
    cac:AllowanceCharge  each=BG-21
      cbc:ChargeIndicator  =true|1
      cbc:AllowanceChargeReasonCode  BT-105
      cbc:AllowanceChargeReason  BT-104
      cbc:MultiplierFactorNumeric  BT-101
      cbc:Amount  BT-99
      cbc:BaseAmount  BT-100
      cac:TaxCategory
        cbc:ID  BT-102
        cbc:Percent  BT-103
        cac:TaxScheme/cbc:ID  =VAT
    cac:TaxTotal
      cbc:TaxAmount  BT-110 when=own
      cac:TaxSubtotal  each=BG-23
        cbc:TaxableAmount  BT-116
        cbc:TaxAmount  BT-117
        cac:TaxCategory
          cbc:ID  BT-118
          cbc:Percent  BT-119
          cbc:TaxExemptionReasonCode  BT-121
          cbc:TaxExemptionReason  BT-120
          cac:TaxScheme/cbc:ID  =VAT
      cbc:TaxAmount  BT-111 @currencyID=BT-6 when=tax read
    cac:TaxTotal/cbc:TaxAmount  BT-111 @currencyID=BT-6
    cac:LegalMonetaryTotal
      cbc:LineExtensionAmount  BT-106
      cbc:TaxExclusiveAmount  BT-109
      cbc:TaxInclusiveAmount  BT-112
      cbc:AllowanceTotalAmount  BT-107
      cbc:ChargeTotalAmount  BT-108
      cbc:PrepaidAmount  BT-113
      cbc:PayableRoundingAmount  BT-114
      cbc:PayableAmount  BT-115
    cac:{Line}  each=BG-25
      cbc:ID  BT-126
      cbc:Note  BT-127
      cbc:{Quantity}  BT-129 @unitCode=BT-130
      cbc:LineExtensionAmount  BT-131
      cbc:AccountingCost  BT-133
      cac:InvoicePeriod
        cbc:StartDate  BT-134
        cbc:EndDate  BT-135
      cac:OrderLineReference/cbc:LineID  BT-132
      cac:DocumentReference
        cbc:ID  BT-128 @schemeID=BT-128.scheme
        cbc:DocumentTypeCode  =130
      cac:AllowanceCharge  each=BG-27
        cbc:ChargeIndicator  =false|0
        cbc:AllowanceChargeReasonCode  BT-140
        cbc:AllowanceChargeReason  BT-139
        cbc:MultiplierFactorNumeric  BT-138
        cbc:Amount  BT-136
        cbc:BaseAmount  BT-137
      cac:AllowanceCharge  each=BG-28
        cbc:ChargeIndicator  =true|1
        cbc:AllowanceChargeReasonCode  BT-145
        cbc:AllowanceChargeReason  BT-144
        cbc:MultiplierFactorNumeric  BT-143
        cbc:Amount  BT-141
        cbc:BaseAmount  BT-142
      cac:Item
        cbc:Description  BT-154
        cbc:Name  BT-153
        cac:BuyersItemIdentification/cbc:ID  BT-156
        cac:SellersItemIdentification/cbc:ID  BT-155
        cac:StandardItemIdentification/cbc:ID  BT-157 @schemeID=BT-157.scheme
        cac:OriginCountry/cbc:IdentificationCode  BT-159
        cac:CommodityClassification  each=BT-158
          cbc:ItemClassificationCode  BT-158 @listID=BT-158.scheme @listVersionID=BT-158.version
        cac:ClassifiedTaxCategory
          cbc:ID  BT-151
          cbc:Percent  BT-152
          cac:TaxScheme/cbc:ID  =VAT
        cac:AdditionalItemProperty  each=BG-32
          cbc:Name  BT-160
          cbc:Value  BT-161
      cac:Price
        cbc:PriceAmount  BT-146
        cbc:BaseQuantity  BT-149 @unitCode=BT-150
        cac:AllowanceCharge
          cbc:ChargeIndicator  =false|0
          cbc:Amount  BT-147
          cbc:BaseAmount  BT-148
"""

_SUBJECT = re.compile(r"#([A-Z]{3})#(.*)\Z", re.DOTALL)


def _write_note(note: Note) -> str:
    return f"#{note.subject_code}#{note.text}" if note.subject_code else note.text


def _read_note(text: str) -> dict[str, str]:
    """BT-21 stands before BT-22 between number signs, since UBL has no place for it."""
    found = _SUBJECT.match(text)
    return {"subject_code": found[1], "text": found[2]} if found else {"text": text}


def layout(*, is_credit_note: bool = False) -> Node:
    """Where each term stands."""
    mark = "C" if is_credit_note else "I"
    rows = [f" {row[1:]}" for row in _LAYOUT.splitlines() if row[:1] in {" ", mark}]
    names = (
        {"Root": "CreditNote", "Line": "CreditNoteLine", "Quantity": "CreditedQuantity"}
        if is_credit_note
        else {"Root": "Invoice", "Line": "InvoiceLine", "Quantity": "InvoicedQuantity"}
    )
    return read_layout("\n".join(rows).format(**names))


@cache
def _dialect(*, is_credit_note: bool) -> tuple[Dialect, Write]:
    own = CREDIT_NOTE if is_credit_note else INVOICE
    dialect = Dialect(
        namespaces={"": own, "cac": _CAC, "cbc": _CBC},
        layout=layout(is_credit_note=is_credit_note),
        declared=f' xmlns="{own}" xmlns:cac="{_CAC}" xmlns:cbc="{_CBC}"',
        days=ISO_DAYS,
        currency_path="cbc:DocumentCurrencyCode",
        amount_currency="currencyID",
        codecs={"note": Codec(_write_note, _read_note, is_of_group=True)},
    )
    return dialect, compile_writer(dialect, dialect.layout)


def render(document: EInvoice, *, profile: Profile | None = None) -> bytes:
    """The document as XML in UTF-8, the same bytes each time; `profile` puts its BT-23 and BT-24 in place of the document's own."""
    _, write = _dialect(is_credit_note=document.type_code in CREDIT_NOTE_TYPES)
    return write_document(write, as_profile(document, profile))


def parse(body: bytes) -> Parsed:
    """What the XML says. Raises InputError for what is no invoice of this syntax."""
    return read(safe_root(body))


def read(root: Element) -> Parsed:
    """The same of an element that was read."""
    kinds = {f"{{{INVOICE}}}Invoice": False, f"{{{CREDIT_NOTE}}}CreditNote": True}
    if root.tag not in kinds:
        message = f"line {root.sourceline}: {root.tag} is no Invoice or CreditNote of UBL 2.1"
        raise InputError(message)
    dialect, _ = _dialect(is_credit_note=kinds[root.tag])
    return read_document(dialect, root, Syntax.UBL)
