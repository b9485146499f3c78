"""checkdomain's list of invoices, with DRF's own serializers."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import generics, serializers

from bench.peers.django_rest.models import Invoice


class Cents(serializers.Field):
    """An amount of cents as a number."""

    def to_representation(self, value: int) -> float:
        """In euros."""
        return value / 100


class InvoiceSerializer(serializers.ModelSerializer):
    """An invoice of the list."""

    invoice_number = serializers.CharField(source="number")
    created = serializers.DateTimeField(source="created_at", format="%Y-%m-%dT%H:%M:%S%z")
    amount_total = Cents(source="amount_total_cents")
    amount_payed = Cents(source="amount_paid_cents")
    amount_open = Cents(source="amount_open_cents")
    is_open = serializers.SerializerMethodField()
    is_payed = serializers.SerializerMethodField()
    _links = serializers.SerializerMethodField("get_links")

    class Meta:
        model = Invoice
        fields = ("id", "invoice_number", "created", "amount_total", "amount_payed", "amount_open", "is_open", "is_payed", "_links")
        read_only_fields = fields

    def get_is_open(self, invoice: Invoice) -> bool | None:
        """Whether something is due."""
        return None if invoice.amount_open_cents is None else invoice.amount_open_cents != 0

    def get_is_payed(self, invoice: Invoice) -> bool | None:
        """Whether nothing is due."""
        return None if invoice.amount_open_cents is None else invoice.amount_open_cents == 0

    def get_links(self, invoice: Invoice) -> dict[str, Any]:
        """Where the invoice is."""
        return {"self": {"href": f"/v1/invoices/{invoice.id}"}}


class InvoiceList(generics.ListAPIView):
    """A page of the account's invoices, newest first."""

    serializer_class = InvoiceSerializer

    def get_queryset(self) -> QuerySet[Invoice]:
        """The account's."""
        return Invoice.objects.filter(account_id=self.request.user.id)
