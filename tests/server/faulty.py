"""Stand-ins that run in this process, so that a test can replace their plan and ask what they did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from faktura.bootstrap.books import DIALECTS
from faktura.config import DatabaseUrl, Settings
from faktura.ledger.ports import Books
from faktura.server.app import App
from faktura.server.fault_plan import FaultPlan
from faktura.server.faults import FaultyApp
from faktura.server.listener import listen_at, port_of
from faktura.server.serve import AnnouncingServer


@contextmanager
def standing_in(books: Books, plan: FaultPlan | None = None) -> Iterator[tuple[str, FaultyApp]]:
    """A server of a ledger, without faults but for those of a plan; its URL, and itself: `plan` may be set at any time."""
    settings = Settings(database=DatabaseUrl(path="unused"), access_log=False)
    faulty, is_ready = FaultyApp(App(books, DIALECTS, settings), plan or FaultPlan()), Event()
    with listen_at("127.0.0.1", 0) as listener:
        server = AnnouncingServer(faulty, is_ready.set)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert is_ready.wait(20), "it does not serve"
            yield f"http://127.0.0.1:{port_of(listener)}", faulty
        finally:
            server.should_exit = True
            thread.join(20)
