"""faktura: a ledger of invoices that speaks the invoice APIs of hosting and domain providers."""

__version__ = "0.1.0"
