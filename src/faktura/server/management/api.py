"""Puts the management API together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from litestar import Litestar, Router
from litestar.concurrency import set_asyncio_executor
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig

from faktura import __version__
from faktura.domain.errors import FakturaError
from faktura.ledger.ports import Books
from faktura.server.management.account_books import Balances, VatChecks
from faktura.server.management.accounts import Accounts, Providers
from faktura.server.management.call import BASE, admit, provide_call
from faktura.server.management.credit_notes import CreditNotes
from faktura.server.management.drafts import Drafts
from faktura.server.management.invoice_files import InvoiceFiles
from faktura.server.management.invoices import Invoices
from faktura.server.management.journal import Journal
from faktura.server.management.logos import Logos
from faktura.server.management.payments import Payments
from faktura.server.management.problem import of_error, of_failure, of_http
from faktura.server.management.reference import openapi_document, reference_page
from faktura.server.management.reports import PeriodLocks, VatReports
from faktura.server.management.runs import BillingRuns
from faktura.server.management.series import NumberSeries
from faktura.server.management.tokens import Tokens
from faktura.server.rendering import Renderer

BODY_BYTES_MAX = 8 * 1024 * 1024
"""Of every call but the upload of a billing run."""
THREADS_MAX = 80
WRITERS_MAX = 64
"""So many calls wait in threads for the ledger's one writer, as many as share a commit; those that only read still find a thread."""

CONTROLLERS = (
    Providers,
    Logos,
    Accounts,
    Balances,
    VatChecks,
    Tokens,
    NumberSeries,
    Drafts,
    Invoices,
    InvoiceFiles,
    CreditNotes,
    Payments,
    BillingRuns,
    VatReports,
    PeriodLocks,
    Journal,
)


def make_management(books: Books, *, used: Callable[[bytes, int], None], wake: Callable[[], None], renderer: Renderer | None = None) -> Litestar:
    """The ASGI application of the management API. `used` is told of each use of a token, `wake` of each new billing run."""
    set_asyncio_executor(ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="management"))
    router = Router(
        path=BASE,
        route_handlers=[*CONTROLLERS, openapi_document, reference_page],
        before_request=admit,
        dependencies={"call": Provide(provide_call)},
    )
    app = Litestar(
        route_handlers=[router],
        exception_handlers={FakturaError: of_error, HTTPException: of_http, Exception: of_failure},
        request_max_body_size=BODY_BYTES_MAX,
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="faktura management API",
            version=__version__,
            path="/openapi",  # the framework's own pages, outside of what is routed here: they would load scripts from elsewhere
            create_examples=False,
            use_handler_docstrings=True,
        ),
    )
    app.state.books, app.state.used, app.state.wake = books, used, wake
    app.state.renderer = renderer or Renderer()
    app.state.writers = asyncio.Semaphore(WRITERS_MAX)
    return app
