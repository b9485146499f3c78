"""Pages in HAL's form."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response


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
