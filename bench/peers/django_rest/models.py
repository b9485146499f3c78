"""The natural schema of this API in Django's ORM: the tables that the other peer has, too."""

from __future__ import annotations

from django.db import models


class Account(models.Model):
    """A customer."""

    reference = models.CharField(max_length=64, unique=True)

    class Meta:
        managed = False
        db_table = "accounts"

    @property
    def is_authenticated(self) -> bool:
        """Whoever has a good token."""
        return True


class Token(models.Model):
    """A key of a customer, found by its hash."""

    token_hash = models.CharField(max_length=64, primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "tokens"


class Invoice(models.Model):
    """A document. Amounts are in cents, and what is paid stands in the row, so that a list reads one table."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    number = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    amount_total_cents = models.IntegerField()
    amount_paid_cents = models.IntegerField(null=True)
    amount_open_cents = models.IntegerField(null=True)

    class Meta:
        managed = False
        db_table = "invoices"
        ordering = ("-created_at", "-id")
        indexes = (models.Index("account_id", "created_at", "id", name="invoices_list"), models.Index("account_id", "number", name="invoices_number"))


class InvoiceLine(models.Model):
    """A line, which the list does not show."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines")
    position = models.IntegerField()
    name = models.CharField(max_length=255)
    quantity = models.IntegerField()
    unit_price_cents = models.IntegerField()

    class Meta:
        managed = False
        db_table = "invoice_lines"
        indexes = (models.Index("invoice_id", "position", name="invoice_lines_invoice"),)
