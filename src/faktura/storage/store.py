"""One transaction's stores over one driver session."""

from __future__ import annotations

from faktura.storage.account_store import AccountRows
from faktura.storage.audit_store import AuditRows
from faktura.storage.collected_store import CollectedRows
from faktura.storage.driver import Driver
from faktura.storage.file_store import FileRows
from faktura.storage.invoice_store import InvoiceRows
from faktura.storage.listing_store import ListingRows, ServingRows
from faktura.storage.management_store import AnswerRows, DraftRows, RunRows
from faktura.storage.payment_store import PaymentRows
from faktura.storage.provider_store import ProviderRows, SeriesRows
from faktura.storage.searching import SearchTotals
from faktura.storage.source_store import SourceRows
from faktura.storage.vat_store import VatRows


class Store:
    """What `faktura.ledger.ports.Transaction` asks for."""

    def __init__(self, driver: Driver, totals: SearchTotals | None = None) -> None:
        self.providers = ProviderRows(driver)
        self.series = SeriesRows(driver)
        self.accounts = AccountRows(driver)
        self.invoices = InvoiceRows(driver)
        self.payments = PaymentRows(driver)
        self.sources = SourceRows(driver, self.invoices)
        self.collected = CollectedRows(driver)
        self.listings = ListingRows(driver)
        self.audit = AuditRows(driver, self.invoices)
        self.serving = ServingRows(driver, totals or SearchTotals())
        self.drafts = DraftRows(driver)
        self.answers = AnswerRows(driver)
        self.runs = RunRows(driver)
        self.vat = VatRows(driver)
        self.files = FileRows(driver)
