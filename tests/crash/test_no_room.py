"""A full disk and a ledger that cannot be written: a clear refusal, nothing lost, reads go on, and service resumes by itself."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.crash.checks import check_acknowledged, check_billing, check_order, check_verified, check_wire, look
from tests.crash.cluster import Cluster
from tests.crash.conftest import Serve
from tests.crash.disks import read_only, small_disk, unchangeable
from tests.crash.home import Place, make_place
from tests.crash.load import BASE, Caller, Known, Line, Write, billing_items, require_away
from tests.crash.nursery import Nursery
from tests.database import database_at, sqlite_only

from faktura.config import DatabaseUrl

SECONDS_MAX = 60
WRITES_MAX = 2000
"""So many documents at most find room on a disk that is full: in pages begun before."""


@dataclass(frozen=True, slots=True)
class Plight:
    """A ledger, and a way to make it unwritable while servers have it open."""

    place: Place
    begin: Callable[[], None]
    end: Callable[[], None]
    words: str
    """What a caller and an operator are told."""


@contextmanager
def full_disk(place: Place) -> Iterator[Plight]:
    """A file on a small disk, which fills up with something else."""
    with small_disk(place.folder / "disk", 8) as disk:
        shutil.copyfile(place.database.path, disk.folder / "ledger.db")
        moved = replace(place, database=DatabaseUrl(path=str(disk.folder / "ledger.db")))
        yield Plight(moved, disk.fill, disk.free, "There is no room to write")


@contextmanager
def unchangeable_files(place: Place) -> Iterator[Plight]:
    """Files that refuse to be written."""
    files = [Path(place.database.path + ending) for ending in ("", "-wal")]
    with ExitStack() as held:
        yield Plight(place, lambda: held.enter_context(unchangeable(*files)), held.close, "")


@contextmanager
def full_tablespace(folder: Path, cluster: Cluster) -> Iterator[Plight]:
    """A database's tables on a small disk, which fills up with something else."""
    with small_disk(cluster.folder / "disk", 48) as disk:
        cluster.give(disk.folder)
        with cluster.connect() as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'".encode())
            try:
                yield Plight(make_place(cluster.create("small", options="TABLESPACE small"), folder), disk.fill, disk.free, "There is no room to write")
            finally:
                disk.free()
                cluster.drop("small")
                connection.execute("DROP TABLESPACE small")
    disk.folder.rmdir()


@contextmanager
def reading_server(folder: Path, cluster: Cluster) -> Iterator[Plight]:
    """A database server that only reads, as one does after a failover."""

    def set_read_only(value: str) -> None:
        with cluster.connect() as connection:
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
            connection.execute("SELECT pg_reload_conf()")

    place = make_place(cluster.create("reading"), folder)
    try:
        yield Plight(place, lambda: set_read_only("on"), lambda: set_read_only("off"), "cannot be written")
    finally:
        set_read_only("off")
        cluster.drop("reading")


@pytest.fixture(params=["full", "read-only"])
def plight(request: pytest.FixtureRequest, engine: str, tmp_path: Path) -> Iterator[Plight]:
    """Each way to be unwritable."""
    if engine == "sqlite":
        place = make_place(database_at(tmp_path / "ledger.db"), tmp_path)
        made = full_disk(place) if request.param == "full" else unchangeable_files(place)
    else:
        cluster = request.getfixturevalue("cluster")
        made = full_tablespace(tmp_path, cluster) if request.param == "full" else reading_server(tmp_path, cluster)
    with made as found:
        yield found


def issue(place: Place, line: Line, key: str) -> Write:
    """Issue a document."""
    body = {"account_id": place.accounts["vps/a0"], "lines": [{"name": "VPS", "unit_price": "10"}], "note": key}
    write = Write(kind="issue", key=key, provider="vps", path="/invoices", body=json.dumps(body).encode(), mark=key)
    write.status, write.headers, write.answer = line.send(place, write)
    return write


def issue_until_refused(place: Place, line: Line, told: list[Write]) -> Write:
    """Issue documents until one is refused."""
    for number in range(WRITES_MAX):
        write = issue(place, line, f"issue-{len(told)}-{number}")
        if not write.is_acknowledged:
            return write
        told.append(write)
    raise AssertionError("it was never refused")


def require_reads(place: Place, line: Line) -> None:
    """Everything that only reads is answered."""
    assert line.ask("GET", f"{BASE}/invoices", place.tokens["vps"])[0] == 200
    assert line.ask("GET", "/v1/invoices?page=1", place.tokens["vps/a0"])[0] == 200
    assert line.ask("GET", "/readyz", place.tokens["vps/a0"])[0] == 200


def command(nursery: Nursery, place: Place, *arguments: str) -> tuple[int, str]:
    """Exit status of a command, and what it wrote to standard error."""
    log = place.folder / "errors"
    log.unlink(missing_ok=True)
    status = nursery.start(*arguments, environment=place.environment, log=log).wait()
    return status, log.read_text()


def test_nothing_is_lost_where_nothing_can_be_written(plight: Plight, serve: Serve, nursery: Nursery) -> None:
    """503 with Retry-After over HTTP, one line and exit code 1 on the command line; reads go on; the same server resumes, and the same calls succeed once."""
    place = plight.place
    items = place.folder / "items.jsonl"
    items.write_bytes(billing_items("october", random.Random(1), count=200))
    bill = ("bill", str(items), "--provider", "vps", "--json")
    told: list[Write] = []
    with closing(Line(serve(place).url())) as line:
        told.append(issue(place, line, "first"))
        for _ in range(2):
            plight.begin()
            refused = issue_until_refused(place, line, told)
            assert refused.status == 503, refused
            require_away(refused.headers, refused.answer, "title")
            assert plight.words in refused.json()["detail"]
            require_reads(place, line)
            status, errors = command(nursery, place, *bill)
            assert (status, len(errors.splitlines())) == (1, 1), errors
            assert errors.startswith("faktura: ")
            assert plight.words in errors
            assert command(nursery, place, "invoice", "list", "--provider", "vps", "--json") == (0, "")
            assert command(nursery, place, "verify") == (0, "")
            plight.end()
            again = issue(place, line, refused.key)
            assert again.status == 201, again
            assert "idempotent-replayed" not in again.headers
            told.append(again)
        assert command(nursery, place, *bill) == (0, "")
        check_wire(place, line, place.accounts)
    seen = look(place)
    check_acknowledged(seen, told)
    check_order(seen)
    check_billing(seen)
    assert len(seen.billed) == 200
    assert len(seen.documents) == 200 + len(told)
    check_verified(place)


def test_load_goes_on_when_there_is_room_again(plight: Plight, serve: Serve) -> None:
    """Under mixed load the ledger becomes unwritable, and writable again, some times: nothing acknowledged is lost, every run is worked off."""
    place, stop = plight.place, threading.Event()
    url = serve(place).url()
    known = Known(place)
    callers = [Caller(known, url, random.Random(number), survives=True, stop=stop) for number in range(4)]
    threads = [threading.Thread(target=caller.run, daemon=True) for caller in callers]

    def wait_for(count: Callable[[], int], more: int) -> None:
        goal, until = count() + more, time.monotonic() + SECONDS_MAX
        while count() < goal and all(caller.failure is None for caller in callers):
            assert time.monotonic() < until, count()
            time.sleep(0.01)

    for thread in threads:
        thread.start()
    for _ in range(3):
        wait_for(lambda: sum(write.is_acknowledged for caller in callers for write in list(caller.writes)), 15)
        plight.begin()
        wait_for(lambda: sum(caller.away for caller in callers), 5)
        plight.end()
    wait_for(lambda: sum(write.is_acknowledged for caller in callers for write in list(caller.writes)), 15)
    stop.set()
    for thread, caller in zip(threads, callers, strict=True):
        thread.join()
        if caller.failure is not None:
            raise caller.failure
    until = time.monotonic() + SECONDS_MAX
    while set(look(place).runs.values()) - {"done", "receiving"}:
        assert time.monotonic() < until, look(place).runs
        time.sleep(0.05)
    seen = look(place)
    check_acknowledged(seen, [write for caller in callers for write in caller.writes if write.is_acknowledged])
    refused = {write.key for caller in callers for write in caller.writes if not write.is_acknowledged}
    assert not refused & seen.keys
    check_order(seen)
    check_billing(seen)
    check_verified(place)
    with closing(Line(url)) as line:
        check_wire(place, line, place.accounts)


@sqlite_only
def test_a_ledger_at_its_page_limit_refuses_and_reads(engine: str, place: Place, serve: Serve, nursery: Nursery) -> None:
    """SQLite's own limit stops writes like a full disk; a server with a higher limit goes on where the first one stopped."""
    told: list[Write] = []
    limited = place.environment["FAKTURA_DATABASE"] + "?page_count_max={}"
    [[(pages,)]] = place.rows("PRAGMA page_count")
    tight, wide = (replace(place, database=replace(place.database, page_count_max=pages + more)) for more in (20, 2000))
    assert tight.environment["FAKTURA_DATABASE"] == limited.format(pages + 20)
    server = serve(tight)
    with closing(Line(server.url())) as line:
        refused = issue_until_refused(tight, line, told)
        assert (refused.status, "no room" in refused.json()["detail"]) == (503, True)
        require_reads(tight, line)
        status, errors = command(nursery, tight, "account", "add", "vps", "n" * 200, "--json")
        assert status == 0 or "There is no room" in errors
    assert server.stop() == 0
    with closing(Line(serve(wide).url())) as line:
        told.append(issue(wide, line, refused.key))
        assert told[-1].status == 201
    check_acknowledged(look(place), told)
    check_verified(place)


@sqlite_only
def test_a_read_only_folder_is_told_in_one_line(engine: str, place: Place, serve: Serve, nursery: Nursery) -> None:
    """A folder that nobody can write: commands that write, and a server of a ledger that was closed, say so; one that was killed there still reads."""
    logs = place.folder.parent / "elsewhere"
    logs.mkdir()
    elsewhere = replace(place, folder=logs)
    said = (1, "faktura: The ledger's file or folder cannot be written; nothing was changed.\n")
    server = serve(elsewhere)
    with closing(Line(server.url())) as line:
        told = [issue(elsewhere, line, "first")]
    server.kill()
    with read_only(place.folder):
        assert command(nursery, elsewhere, "account", "add", "vps", "new") == said
        server = serve(elsewhere)
        with closing(Line(server.url())) as line:
            require_reads(elsewhere, line)
            refused = issue(elsewhere, line, "second")
            assert refused.status == 503
            require_away(refused.headers, refused.answer, "title")
        server.kill()
    assert command(nursery, elsewhere, "verify") == (0, "")
    with read_only(place.folder):
        assert command(nursery, elsewhere, "serve", "--port", "0") == said
    check_acknowledged(look(place), told)


@sqlite_only
def test_callers_are_answered_where_the_log_cannot_be_written(engine: str, place: Place, nursery: Nursery) -> None:
    """Standard error on a full disk: lines are lost, answers are not, not even those that tell of a failure."""
    [[(pages,)]] = place.rows("PRAGMA page_count")
    tight = replace(place, database=replace(place.database, page_count_max=pages + 20))
    server = nursery.start("serve", "--port", "0", "--json", environment=tight.environment | {"FAKTURA_ACCESS_LOG": "on"}, log=Path("/dev/full"))
    try:
        with closing(Line(server.url())) as line:
            refused = issue_until_refused(tight, line, [])
            assert refused.status == 503
            require_reads(tight, line)
    finally:
        server.kill()
