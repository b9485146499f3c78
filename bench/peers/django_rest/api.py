"""checkdomain's list of invoices, with DRF's own serializers, authentication and pagination."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from rest_framework import generics, serializers
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from bench.peers.django_rest.models import Account, Invoice, Token


class TokenAuthentication(BaseAuthentication):
    """A bearer token, found by its hash."""

    def authenticate(self, request: Request) -> tuple[Account, Token] | None:
        """The account of a good token."""
        kind, _, key = get_authorization_header(request).partition(b" ")
        if kind.lower() != b"bearer":
            return None
        is_good = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
        token = Token.objects.select_related("account").filter(is_good, token_hash=hashlib.sha256(key).hexdigest()).first()
        if token is None:
            raise AuthenticationFailed
        return token.account, token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        del request
        return "Bearer"


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


class HalPagination(PageNumberPagination):
    """Pages by number, with an exact count."""

    page_size_query_param = "limit"
    max_page_size = 100

    def get_paginated_response(self, data: list[Any]) -> Response:
        """The page around its items."""
        page, paginator = self.page, self.page.paginator
        links = {"self": self._link(page.number), "first": self._link(1), "last": self._link(paginator.num_pages)}
        if page.has_next():
            links["next"] = self._link(page.number + 1)
        if page.has_previous():
            links["previous"] = self._link(page.number - 1)
        head = {"page": page.number, "limit": paginator.per_page, "pages": paginator.num_pages, "total": paginator.count}
        return Response(head | {"_links": links, "_embedded": {"invoices": data}})

    def _link(self, number: int) -> dict[str, str]:
        return {"href": f"/v1/invoices?page={number}&limit={self.page.paginator.per_page}"}


class InvoiceList(generics.ListAPIView):
    """A page of the account's invoices, newest first."""

    serializer_class = InvoiceSerializer

    def get_queryset(self) -> QuerySet[Invoice]:
        """The account's."""
        return Invoice.objects.filter(account_id=self.request.user.id)
