"""Number series."""

from __future__ import annotations

from litestar import Controller, Response, get, patch
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from faktura.domain.errors import SettingError
from faktura.domain.numbering import Reset, Series
from faktura.ledger.accounts import set_series
from faktura.ledger.management_ports import Answer
from faktura.ledger.ports import Books
from faktura.server.management.body import Checked
from faktura.server.management.call import Call, answer, respond
from faktura.server.management.schema import SeriesChange, SeriesPage, SeriesResource


class NumberSeries(Controller):
    """How documents get their numbers."""

    path = "/series"
    tags = ("Number series",)

    @get("/", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="listSeries", summary="Number series")
    def list_series(self, call: NamedDependency[Call]) -> Response[SeriesPage]:
        """All of the provider's."""
        with call.books.storage.reading() as tx:
            found = tx.series.all(call.provider_id)
        return respond(answer(SeriesPage(items=[_series(item) for item in found], next=None)))

    @patch(
        "/{name:str}",
        opt={"scope": "admin"},
        sync_to_thread=True,
        dto=Checked[SeriesChange],
        return_dto=None,
        operation_id="setSeries",
        summary="Set a series' next number, template or reset",
    )
    def set_series(self, call: NamedDependency[Call], name: FromPath[str], data: JSONBody[SeriesChange]) -> Response[SeriesResource]:
        """A counter never goes back: 409. A jump ahead is kept, as the one lawful gap."""
        reset = None
        if data.reset is not None:
            if data.reset not in set(Reset):
                message = f"a series starts again {' or '.join(Reset)}, not {data.reset[:40]!r}"
                raise SettingError(message)
            reset = Reset(data.reset)

        def act(books: Books) -> Answer:
            with books.storage.reading() as tx:
                provider = call.provider(tx)
            return answer(_series(set_series(books, provider=provider.name, name=name, next_number=data.next_number, template=data.template, reset=reset)))

        return call.once(act)


def _series(series: Series) -> SeriesResource:
    return SeriesResource(
        name=series.name,
        type_codes=[code.value for code in series.type_codes],
        method=series.method.value,
        template=series.template,
        next_number=series.next_number,
        last_date=series.last_date.isoformat() if series.last_date else None,
        reset=series.reset.value,
    )
