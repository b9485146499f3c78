"""Single issues over HTTP, durable: 64 clients against one ungrouped INSERT and commit of the same row per request."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.harness import Context, Goal, Row, compare
from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.config import read_settings
from faktura.domain.party import Party
from faktura.domain.provider import Provider
from faktura.ledger.accounts import add_provider, create_token, insert_account
from faktura.ledger.commands import issue
from faktura.ledger.drafts import read_document

CLIENTS = 64
ACCOUNTS = 1000
SERVER_CORE, LOAD_CORE = "0", "1"
_REQUESTS = re.compile(r"(\d+) requests in")
_WHAT, _AGAINST = "single issues over HTTP, 64 clients, durable", "one ungrouped INSERT + commit of the same row per request"
_NOTE = (
    "SQLite, one worker; server on core 0, wrk on core 1. Theirs: same uvicorn, protocol class, application and Litestar; its handler takes the same "
    "body and writes the finished invoice row in the event loop, without token, rules, lines, listing and journal"
)
_DOCUMENT = '"lines":[{"name":"Virtual server, October 2026","unit_price":"12.90","quantity":"2","item_id":"vps-1"}],"note":"Thank you."'
_SCRIPT = """
local ids = {%s}
local n = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %s"
request = function()
  n = n + 1
  return wrk.format(nil, "/manage/v1/invoices", nil, '{"account_id":' .. ids[(n * 7) %% #ids + 1] .. ',%s}')
end
done = function(summary) print("failed " .. summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout) end
"""


def rows(context: Context) -> Iterator[Row]:
    """Speed, and syncs by request, each against the other server."""
    seconds, samples = (3, 1) if context.is_quick else (8, 5)
    ours, theirs, script = context.scratch / "ours.db", context.scratch / "theirs.db", context.scratch / "issue.lua"
    script.write_text(_fill(ours), encoding="utf-8")
    shutil.copy(ours, theirs)
    with _serving(_our_command(), ours) as (our_url, _), _serving(_their_command(theirs), theirs) as (their_url, _):
        yield compare(
            _WHAT,
            _AGAINST,
            Goal(at_least=0.5),
            ours=lambda: seconds / _load(our_url, script, seconds),
            theirs=lambda: seconds / _load(their_url, script, seconds),
            samples=samples,
            note=_NOTE,
        )
    if shutil.which("strace"):
        yield compare(
            f"{_WHAT}: syncs by issue",
            _AGAINST,
            Goal(at_most=0.1),
            ours=lambda: _syncs(_our_command(), ours, script, seconds, context.scratch),
            theirs=lambda: _syncs(_their_command(theirs), theirs, script, seconds, context.scratch),
            samples=1 if context.is_quick else 3,
            note="fdatasync and fsync calls of the whole process, counted by strace, by invoice rows written",
        )


def _fill(path: Path) -> str:
    """A ledger with a provider, its accounts and one invoice; the load's script."""
    dialect = DIALECTS["vpsbg"]
    defaults = dialect.defaults
    seller = Party(name="Hosting OOD", street="ul. Rakovski 1", city="Sofia", country="BG", vat_id="BG123456789")
    provider = Provider(id=0, name="p", dialect=dialect.name, zone=defaults.zone, currency=defaults.currency, seller=seller)
    with open_books(read_settings({"FAKTURA_DATABASE": f"sqlite:///{path}"}), create=True) as books:
        provider = add_provider(books, provider=provider, series=default_series(dialect))
        with books.storage.writing(bulk=True) as tx:
            buyers = [Party(name=f"Customer {number} OOD", street=f"ul. Vazov {number}", city="Plovdiv", country="BG") for number in range(ACCOUNTS)]
            accounts = [insert_account(tx, books, provider, reference=f"c{number}", buyer=buyer) for number, buyer in enumerate(buyers)]
        with books.storage.reading() as tx:
            draft = read_document(tx, books, accounts[0], json.loads(f"{{{_DOCUMENT}}}"))
        issue(books, account_id=accounts[0].id, draft=draft)
        token, _ = create_token(books, provider="p", reference=None, scopes=("invoices:write",))
    return _SCRIPT % (",".join(str(account.id) for account in accounts), token, _DOCUMENT)


def _our_command() -> list[str]:
    return [sys.executable, "-m", "faktura", "serve", "--port", "0", "--json"]


def _their_command(database: Path) -> list[str]:
    return [sys.executable, "-m", "bench.servers.plain_insert", str(database)]


@contextmanager
def _serving(command: Sequence[str], database: Path, *, under: Sequence[str] = ()) -> Iterator[tuple[str, int]]:
    """A server on its core: its URL, and the process that is signalled."""
    environment = os.environ | {"FAKTURA_DATABASE": f"sqlite:///{database}", "FAKTURA_ACCESS_LOG": "off", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([*under, "taskset", "-c", SERVER_CORE, *command], env=environment, stdout=subprocess.PIPE, text=True) as process:
        said = json.loads(process.stdout.readline()) if process.stdout else {}
        try:
            yield said["url"], process.pid
        finally:
            for pid in _children(process.pid) if under else [process.pid]:
                os.kill(pid, signal.SIGTERM)
            process.wait()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _load(url: str, script: Path, seconds: int) -> int:
    """So many requests were answered, all of them well."""
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script), f"{url}/"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = _REQUESTS.search(said)
    if found is None or "failed 0" not in said:
        raise RuntimeError(said)
    return int(found.group(1))


def _syncs(command: Sequence[str], database: Path, script: Path, seconds: int, scratch: Path) -> float:
    counted = scratch / "syncs.txt"
    before = _count(database)
    watched = ("strace", "-f", "--seccomp-bpf", "-c", "-U", "name,calls", "-e", "trace=fsync,fdatasync", "-o", str(counted))
    with _serving(command, database, under=watched) as (url, _):
        _load(url, script, seconds)
    calls = [line.split() for line in counted.read_text(encoding="ascii").splitlines()]
    return sum(int(parts[1]) for parts in calls if parts[:1] and parts[0] in {"fsync", "fdatasync"}) / (_count(database) - before)


def _count(database: Path) -> int:
    connection = sqlite3.connect(database)
    (count,) = connection.execute("SELECT COUNT(*) FROM invoice").fetchone()
    connection.close()
    return int(count)
