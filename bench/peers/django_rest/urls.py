"""Routes."""

from __future__ import annotations

from django.urls import path

from bench.peers.django_rest.api import InvoiceList

urlpatterns = [path("v1/invoices", InvoiceList.as_view())]
