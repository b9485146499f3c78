"""The business terms of EN 16931: which attribute of `en16931` each is, its datatype, and how often it may stand.

This is the one table: both syntaxes name terms by it, requirements are told in its words, and the reference page is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from faktura.documents import en16931

ROOT = "BG-0"
"""The document itself, which has no id in the standard."""

_TABLE = """
BG-0    -      -                    1..1 EInvoice            Invoice
BT-1    BG-0   number               1..1 text                Invoice number
BT-2    BG-0   issue_date           1..1 date                Invoice issue date
BT-3    BG-0   type_code            1..1 code                Invoice type code
BT-5    BG-0   currency             1..1 code                Invoice currency code
BT-6    BG-0   tax_currency         0..1 code                VAT accounting currency code
BT-7    BG-0   tax_point_date       0..1 date                Value added tax point date
BT-8    BG-0   tax_point_code       0..1 code                Value added tax point date code
BT-9    BG-0   due_date             0..1 date                Payment due date
BT-10   BG-0   buyer_reference      0..1 text                Buyer reference
BT-11   BG-0   project              0..1 text                Project reference
BT-12   BG-0   contract             0..1 text                Contract reference
BT-13   BG-0   order                0..1 text                Purchase order reference
BT-14   BG-0   sales_order          0..1 text                Sales order reference
BT-15   BG-0   receiving_advice     0..1 text                Receiving advice reference
BT-16   BG-0   despatch_advice      0..1 text                Despatch advice reference
BT-17   BG-0   tender               0..1 text                Tender or lot reference
BT-18   BG-0   object_id            0..1 identifier          Invoiced object identifier
BT-19   BG-0   accounting_reference 0..1 text                Buyer accounting reference
BT-20   BG-0   payment_terms        0..1 text                Payment terms
BG-1    BG-0   notes                0..n Note                Invoice note
BT-21   BG-1   subject_code         0..1 code                Invoice note subject code
BT-22   BG-1   text                 1..1 text                Invoice note
BT-23   BG-0   business_process     0..1 text                Business process type
BT-24   BG-0   specification_id     1..1 text                Specification identifier
BG-3    BG-0   preceding            0..n PrecedingReference  Preceding invoice reference
BT-25   BG-3   number               1..1 text                Preceding invoice number
BT-26   BG-3   issue_date           0..1 date                Preceding invoice issue date
BG-4    BG-0   seller               1..1 Seller              Seller
BT-27   BG-4   name                 1..1 text                Seller name
BT-28   BG-4   trading_name         0..1 text                Seller trading name
BT-29   BG-4   ids                  0..n identifier          Seller identifier
BT-30   BG-4   registration_id      0..1 identifier          Seller legal registration identifier
BT-31   BG-4   vat_id               0..1 text                Seller VAT identifier
BT-32   BG-4   tax_number           0..1 text                Seller tax registration identifier
BT-33   BG-4   legal_information    0..1 text                Seller additional legal information
BT-34   BG-4   electronic_address   0..1 identifier          Seller electronic address
BG-5    BG-4   address              1..1 Address             Seller postal address
BT-35   BG-5   street               0..1 text                Seller address line 1
BT-36   BG-5   additional_street    0..1 text                Seller address line 2
BT-162  BG-5   additional_line      0..1 text                Seller address line 3
BT-37   BG-5   city                 0..1 text                Seller city
BT-38   BG-5   post_code            0..1 text                Seller post code
BT-39   BG-5   subdivision          0..1 text                Seller country subdivision
BT-40   BG-5   country              1..1 code                Seller country code
BG-6    BG-4   contact              0..1 Contact             Seller contact
BT-41   BG-6   name                 0..1 text                Seller contact point
BT-42   BG-6   phone                0..1 text                Seller contact telephone number
BT-43   BG-6   email                0..1 text                Seller contact email address
BG-7    BG-0   buyer                1..1 Buyer               Buyer
BT-44   BG-7   name                 1..1 text                Buyer name
BT-45   BG-7   trading_name         0..1 text                Buyer trading name
BT-46   BG-7   id                   0..1 identifier          Buyer identifier
BT-47   BG-7   registration_id      0..1 identifier          Buyer legal registration identifier
BT-48   BG-7   vat_id               0..1 text                Buyer VAT identifier
BT-49   BG-7   electronic_address   0..1 identifier          Buyer electronic address
BG-8    BG-7   address              1..1 Address             Buyer postal address
BT-50   BG-8   street               0..1 text                Buyer address line 1
BT-51   BG-8   additional_street    0..1 text                Buyer address line 2
BT-163  BG-8   additional_line      0..1 text                Buyer address line 3
BT-52   BG-8   city                 0..1 text                Buyer city
BT-53   BG-8   post_code            0..1 text                Buyer post code
BT-54   BG-8   subdivision          0..1 text                Buyer country subdivision
BT-55   BG-8   country              1..1 code                Buyer country code
BG-9    BG-7   contact              0..1 Contact             Buyer contact
BT-56   BG-9   name                 0..1 text                Buyer contact point
BT-57   BG-9   phone                0..1 text                Buyer contact telephone number
BT-58   BG-9   email                0..1 text                Buyer contact email address
BG-10   BG-0   payee                0..1 Payee               Payee
BT-59   BG-10  name                 1..1 text                Payee name
BT-60   BG-10  id                   0..1 identifier          Payee identifier
BT-61   BG-10  registration_id      0..1 identifier          Payee legal registration identifier
BG-11   BG-0   tax_representative   0..1 TaxRepresentative   Seller tax representative party
BT-62   BG-11  name                 1..1 text                Seller tax representative name
BT-63   BG-11  vat_id               1..1 text                Seller tax representative VAT identifier
BG-12   BG-11  address              1..1 Address             Seller tax representative postal address
BT-64   BG-12  street               0..1 text                Tax representative address line 1
BT-65   BG-12  additional_street    0..1 text                Tax representative address line 2
BT-164  BG-12  additional_line      0..1 text                Tax representative address line 3
BT-66   BG-12  city                 0..1 text                Tax representative city
BT-67   BG-12  post_code            0..1 text                Tax representative post code
BT-68   BG-12  subdivision          0..1 text                Tax representative country subdivision
BT-69   BG-12  country              1..1 code                Tax representative country code
BG-13   BG-0   delivery             0..1 Delivery            Delivery information
BT-70   BG-13  name                 0..1 text                Deliver to party name
BT-71   BG-13  location_id          0..1 identifier          Deliver to location identifier
BT-72   BG-13  date                 0..1 date                Actual delivery date
BG-14   BG-0   period               0..1 ServicePeriod       Invoicing period
BT-73   BG-14  start                0..1 date                Invoicing period start date
BT-74   BG-14  end                  0..1 date                Invoicing period end date
BG-15   BG-13  address              0..1 Address             Deliver to address
BT-75   BG-15  street               0..1 text                Deliver to address line 1
BT-76   BG-15  additional_street    0..1 text                Deliver to address line 2
BT-165  BG-15  additional_line      0..1 text                Deliver to address line 3
BT-77   BG-15  city                 0..1 text                Deliver to city
BT-78   BG-15  post_code            0..1 text                Deliver to post code
BT-79   BG-15  subdivision          0..1 text                Deliver to country subdivision
BT-80   BG-15  country              1..1 code                Deliver to country code
BG-16   BG-0   payment              0..1 PaymentInstructions Payment instructions
BT-81   BG-16  means_code           1..1 code                Payment means type code
BT-82   BG-16  means_text           0..1 text                Payment means text
BT-83   BG-16  remittance           0..1 text                Remittance information
BG-17   BG-16  credit_transfers     0..n CreditTransfer      Credit transfer
BT-84   BG-17  account              1..1 text                Payment account identifier
BT-85   BG-17  account_name         0..1 text                Payment account name
BT-86   BG-17  bic                  0..1 text                Payment service provider identifier
BG-18   BG-16  card                 0..1 PaymentCard         Payment card information
BT-87   BG-18  number               1..1 text                Payment card primary account number
BT-88   BG-18  holder               0..1 text                Payment card holder name
BG-19   BG-16  direct_debit         0..1 DirectDebit         Direct debit
BT-89   BG-19  mandate              0..1 text                Mandate reference identifier
BT-90   BG-19  creditor_id          0..1 text                Bank assigned creditor identifier
BT-91   BG-19  debited_account      0..1 text                Debited account identifier
BG-20   BG-0   allowances           0..n Adjustment          Document level allowance
BT-92   BG-20  amount               1..1 amount              Document level allowance amount
BT-93   BG-20  base_amount          0..1 amount              Document level allowance base amount
BT-94   BG-20  percentage           0..1 percentage          Document level allowance percentage
BT-95   BG-20  vat_category         1..1 code                Document level allowance VAT category code
BT-96   BG-20  vat_rate             0..1 percentage          Document level allowance VAT rate
BT-97   BG-20  reason               0..1 text                Document level allowance reason
BT-98   BG-20  reason_code          0..1 code                Document level allowance reason code
BG-21   BG-0   charges              0..n Adjustment          Document level charge
BT-99   BG-21  amount               1..1 amount              Document level charge amount
BT-100  BG-21  base_amount          0..1 amount              Document level charge base amount
BT-101  BG-21  percentage           0..1 percentage          Document level charge percentage
BT-102  BG-21  vat_category         1..1 code                Document level charge VAT category code
BT-103  BG-21  vat_rate             0..1 percentage          Document level charge VAT rate
BT-104  BG-21  reason               0..1 text                Document level charge reason
BT-105  BG-21  reason_code          0..1 code                Document level charge reason code
BG-22   BG-0   totals               1..1 DocumentTotals      Document totals
BT-106  BG-22  line_total           1..1 amount              Sum of invoice line net amount
BT-107  BG-22  allowance_total      0..1 amount              Sum of allowances on document level
BT-108  BG-22  charge_total         0..1 amount              Sum of charges on document level
BT-109  BG-22  total_without_vat    1..1 amount              Invoice total amount without VAT
BT-110  BG-22  vat_total            0..1 amount              Invoice total VAT amount
BT-111  BG-22  vat_total_in_tax_currency 0..1 amount         Invoice total VAT amount in accounting currency
BT-112  BG-22  total_with_vat       1..1 amount              Invoice total amount with VAT
BT-113  BG-22  prepaid              0..1 amount              Paid amount
BT-114  BG-22  rounding             0..1 amount              Rounding amount
BT-115  BG-22  payable              1..1 amount              Amount due for payment
BG-23   BG-0   vat_breakdown        1..n VatGroup            VAT breakdown
BT-116  BG-23  taxable_amount       1..1 amount              VAT category taxable amount
BT-117  BG-23  tax_amount           1..1 amount              VAT category tax amount
BT-118  BG-23  category             1..1 code                VAT category code
BT-119  BG-23  rate                 0..1 percentage          VAT category rate
BT-120  BG-23  exemption_reason     0..1 text                VAT exemption reason text
BT-121  BG-23  exemption_code       0..1 code                VAT exemption reason code
BG-24   BG-0   supporting_documents 0..n SupportingDocument  Additional supporting document
BT-122  BG-24  reference            1..1 text                Supporting document reference
BT-123  BG-24  description          0..1 text                Supporting document description
BT-124  BG-24  location             0..1 text                External document location
BT-125  BG-24  attached             0..1 file                Attached document
BG-25   BG-0   lines                1..n Line                Invoice line
BT-126  BG-25  id                   1..1 text                Invoice line identifier
BT-127  BG-25  note                 0..1 text                Invoice line note
BT-128  BG-25  object_id            0..1 identifier          Invoice line object identifier
BT-129  BG-25  quantity             1..1 quantity            Invoiced quantity
BT-130  BG-25  unit                 1..1 code                Invoiced quantity unit of measure
BT-131  BG-25  net_amount           1..1 amount              Invoice line net amount
BT-132  BG-25  order_line           0..1 text                Referenced purchase order line reference
BT-133  BG-25  accounting_reference 0..1 text                Invoice line buyer accounting reference
BG-26   BG-25  period               0..1 ServicePeriod       Invoice line period
BT-134  BG-26  start                0..1 date                Invoice line period start date
BT-135  BG-26  end                  0..1 date                Invoice line period end date
BG-27   BG-25  allowances           0..n Adjustment          Invoice line allowance
BT-136  BG-27  amount               1..1 amount              Invoice line allowance amount
BT-137  BG-27  base_amount          0..1 amount              Invoice line allowance base amount
BT-138  BG-27  percentage           0..1 percentage          Invoice line allowance percentage
BT-139  BG-27  reason               0..1 text                Invoice line allowance reason
BT-140  BG-27  reason_code          0..1 code                Invoice line allowance reason code
BG-28   BG-25  charges              0..n Adjustment          Invoice line charge
BT-141  BG-28  amount               1..1 amount              Invoice line charge amount
BT-142  BG-28  base_amount          0..1 amount              Invoice line charge base amount
BT-143  BG-28  percentage           0..1 percentage          Invoice line charge percentage
BT-144  BG-28  reason               0..1 text                Invoice line charge reason
BT-145  BG-28  reason_code          0..1 code                Invoice line charge reason code
BG-29   BG-25  price                1..1 Price               Price details
BT-146  BG-29  net                  1..1 price               Item net price
BT-147  BG-29  discount             0..1 price               Item price discount
BT-148  BG-29  gross                0..1 price               Item gross price
BT-149  BG-29  base_quantity        0..1 quantity            Item price base quantity
BT-150  BG-29  base_unit            0..1 code                Item price base quantity unit of measure
BT-151  BG-25  vat_category         1..1 code                Invoiced item VAT category code
BT-152  BG-25  vat_rate             0..1 percentage          Invoiced item VAT rate
BG-31   BG-25  item                 1..1 Item                Item information
BT-153  BG-31  name                 1..1 text                Item name
BT-154  BG-31  description          0..1 text                Item description
BT-155  BG-31  seller_id            0..1 text                Item seller's identifier
BT-156  BG-31  buyer_id             0..1 text                Item buyer's identifier
BT-157  BG-31  standard_id          0..1 identifier          Item standard identifier
BT-158  BG-31  classifications      0..n identifier          Item classification identifier
BT-159  BG-31  origin_country       0..1 code                Item country of origin
BG-32   BG-31  attributes           0..n Attribute           Item attributes
BT-160  BG-32  name                 1..1 text                Item attribute name
BT-161  BG-32  value                1..1 text                Item attribute value
"""

COMPOSITES = {"identifier": (en16931.Identifier, "value"), "file": (en16931.AttachedFile, "content")}
"""Datatypes of several parts: what they are here, and the part that is the term's own."""


@dataclass(frozen=True, slots=True)
class Term:
    """A business term (BT) or group of them (BG)."""

    id: str
    group: str
    """The group that it stands in; ours, where we keep it elsewhere than the standard: BG-14 beside BG-13, BG-30 in its line."""
    attribute: str
    """Of the group's dataclass."""
    cardinality: str
    datatype: str
    """Of a group: the name of its dataclass."""
    name: str
    """As the standard calls it."""

    @property
    def is_group(self) -> bool:
        """Whether it has terms of its own."""
        return self.id.startswith("BG")

    @property
    def is_repeated(self) -> bool:
        """Whether its attribute is a tuple."""
        return self.cardinality.endswith("n")

    @property
    def kind(self) -> type[Any]:
        """The dataclass of a group, or of a term of several parts."""
        return COMPOSITES[self.datatype][0] if self.datatype in COMPOSITES else getattr(en16931, self.datatype)


def _read(row: str) -> Term:
    return Term(*row.split(maxsplit=5))


TERMS: dict[str, Term] = {term.id: term for term in map(_read, _TABLE.strip().splitlines())}
"""All terms by id, in the order of the standard's syntax-neutral model."""


@cache
def members(group: str) -> dict[str, Term]:
    """What stands in a group, by attribute."""
    return {term.attribute: term for term in TERMS.values() if term.group == group}


def attribute_path(term_id: str, group: str = ROOT) -> str:
    """Where a term is found from the document, or from a group around it: `seller.address.city`."""
    names: list[str] = []
    term = TERMS[term_id]
    while term.id != group:
        names.append(term.attribute)
        term = TERMS[term.group]
    return ".".join(reversed(names))
