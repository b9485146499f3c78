"""Kill faktura at random moments under mixed load, again and again, and show after every restart that its ledger is whole.

`python -m tests.crash.soak --kills 1000 --engine sqlite`: each kill is SIGKILL to a real server (or to a command beside
it, or to PostgreSQL) between some tenths of a millisecond and some tenths of a second after the load begins. What SIGKILL
cannot show is what a loss of power does to a disk that lies about its syncs.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.crash.checks import Seen, check_acknowledged, check_billing, check_order, check_refused, check_verified, check_wire, look
from tests.crash.home import ACCOUNTS, PROVIDERS, Place, PostgresqlHome, SqliteHome, make_home
from tests.crash.jobs import Job, make_job
from tests.crash.load import BASE, Caller, Known, Line, Write
from tests.crash.nursery import Child, Nursery

CALLERS = 5
ROUNDS_A_LEDGER = 8
"""Then a fresh one: what is checked after each kill grows with the ledger."""
KILL_SECONDS = (0.0004, 0.25)
FINISH_SECONDS_MAX = 60
"""How long billing runs may take to be worked off in the end."""
BACK_SECONDS_MAX = 20
"""How long the service may take to resume once its database is back."""


@dataclass
class Figures:
    """What a soak did."""

    engine: str
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def kills(self) -> int:
        """SIGKILLs to a server."""
        return self.counts["server kills"]

    def __str__(self) -> str:
        lines = [f"{self.engine}: seed {self.seed}, {self.seconds:.0f} s"]
        return "\n  ".join(lines + [f"{count:>8} {name}" for name, count in sorted(self.counts.items())])


class Soak:
    """Rounds on one engine."""

    def __init__(self, home: SqliteHome | PostgresqlHome, nursery: Nursery, seed: int) -> None:
        self._home = home
        self._nursery = nursery
        self._seeded = random.Random(f"{seed} {home.engine}")
        self.figures = Figures(home.engine, seed)
        self._server: Child | None = None
        self._began = 0.0

    def run(self, kills: int, *, database_kills: int = 0) -> None:
        """So many kills of a server, and of the database where it is a server of its own, on as many fresh ledgers as that takes."""
        self._began = time.monotonic()
        plan = ["server"] * kills + ["database"] * (database_kills if self._home.engine == "postgresql" else 0)
        self._seeded.shuffle(plan)
        try:
            for start in range(0, len(plan), ROUNDS_A_LEDGER):
                self._ledger(plan[start : start + ROUNDS_A_LEDGER])
        finally:
            if self._server is not None:
                self._server.kill()
            self.figures.seconds = time.monotonic() - self._began

    def _ledger(self, plan: list[str]) -> None:
        place = self._home.fresh()
        known = Known(place)
        told: list[Write] = []
        done: list[Job] = []
        self.figures.counts["ledgers"] += 1
        try:
            self._server = self._start(place)
            for victim in plan:
                writes, job = self._round(known, victim)
                self._check(known, told, done, writes, job)
            self._finish(known, told)
        except BaseException:
            self.figures.seconds = time.monotonic() - self._began
            sys.stderr.write(f"\n{self.figures}\nthe ledger that failed: {place.folder} {place.environment}\n")
            raise
        self._server.stop()
        self._server = None
        self._home.drop(place)

    def _start(self, place: Place) -> Child:
        return self._nursery.start("serve", "--port", "0", "--json", environment=place.environment, log=place.log)

    def _round(self, known: Known, victim: str) -> tuple[list[Write], Job | None]:
        """Load, and a kill in the middle of it; what was asked meanwhile, and the command that ran beside."""
        assert self._server is not None
        survives, stop = victim == "database", threading.Event()
        url = self._server.url()
        callers = [Caller(known, url, random.Random(self._seeded.random()), survives, stop) for _ in range(CALLERS)]
        threads = [threading.Thread(target=caller.run, daemon=True) for caller in callers]
        self._warm(known.place, url)
        job = make_job(known, self._seeded) if self._seeded.random() < 0.3 else None
        if job is not None:
            job.start(self._nursery, known.place)
        for thread in threads:
            thread.start()
        self._sleep()
        if victim == "database":
            self._crash_database(known.place, url)
        else:
            self._server.kill()
        if job is not None and job.child is not None and self._seeded.random() < 0.6:
            self._sleep()
            self.figures.counts["command kills"] += 1
            job.child.kill()
        stop.set()
        for thread in threads:
            thread.join()
        self.figures.counts[f"{victim} kills"] += 1
        for caller in callers:
            if caller.failure is not None:
                raise caller.failure
            self.figures.counts["pages read"] += caller.reads
            self.figures.counts["answers while the database was away"] += caller.away
        if victim == "server":
            self._server = self._start(known.place)
            if self._seeded.random() < 0.1:
                self._sleep()
                self._server.kill()
                self.figures.counts["kills of a server that was starting"] += 1
                self._server = self._start(known.place)
        return [write for caller in callers for write in caller.writes], job

    def _warm(self, place: Place, url: str) -> None:
        """One call of each API: the load begins on a server that has them loaded."""
        line = Line(url)
        for path, token in ((f"{BASE}/providers", "vps"), ("/v1/invoices?page=1", "vps/a0")):
            status, _, body = line.ask("GET", path, place.tokens[token])
            assert status == 200, body
        line.close()

    def _sleep(self) -> None:
        least, most = KILL_SECONDS
        time.sleep(math.exp(self._seeded.uniform(math.log(least), math.log(most))))

    def _crash_database(self, place: Place, url: str) -> None:
        """Kill PostgreSQL under the running server, start it after a while, and wait until the service is there again."""
        assert isinstance(self._home, PostgresqlHome)
        self._home.cluster.kill()
        self._sleep()
        self._home.cluster.start()
        line, until = Line(url), time.monotonic() + BACK_SECONDS_MAX
        for path, token in ((f"{BASE}/providers", "vps"), ("/v1/invoices?page=1", "vps/a0")):
            while line.ask("GET", path, place.tokens[token])[0] != 200:
                assert time.monotonic() < until, f"{path} is not served {BACK_SECONDS_MAX} s after the database came back"
                time.sleep(0.02)
        line.close()
        self._sleep()

    def _check(self, known: Known, told: list[Write], done: list[Job], writes: list[Write], job: Job | None) -> None:
        """Everything that must hold now; what nobody knew is asked again, and must then have happened once."""
        assert self._server is not None
        place, line = known.place, Line(self._server.url())
        try:
            seen = look(place)
            told += [write for write in writes if write.is_acknowledged]
            check_acknowledged(seen, told)
            check_refused(seen, [write for write in writes if not write.is_acknowledged and not write.is_unknown])
            self._replay(place, line, [write for write in writes if write.is_acknowledged])
            told += self._ask_again(known, line, seen, [write for write in writes if write.is_unknown])
            for write in writes:
                self.figures.counts["acknowledged" if write.is_acknowledged else "refused, after a question" if write.is_unknown else "refused"] += 1
            if job is not None:
                self._again(place, job)
                done.append(job)
            check_verified(place)
            seen = look(place)
            check_order(seen)
            check_billing(seen)
            check_acknowledged(seen, told)
            self._check_jobs(seen, done)
            check_wire(place, line, [f"{provider}/{self._seeded.choice(ACCOUNTS)}" for provider in PROVIDERS])
        finally:
            line.close()

    def _replay(self, place: Place, line: Line, writes: list[Write]) -> None:
        """The same call again has the same answer, to the byte."""
        for write in writes:
            status, headers, answer = line.send(place, write)
            assert (status, answer, headers.get("idempotent-replayed")) == (write.status, write.answer, "true"), (write, status, answer)

    def _ask_again(self, known: Known, line: Line, seen: Seen, writes: list[Write]) -> list[Write]:
        """What nobody knew is there whole or not at all; asked again it has one effect. Those that now have happened."""
        marked = seen.marked()
        for write in writes:
            had = write.key in seen.keys
            if write.kind in {"issue", "pay", "credit", "issue-draft"}:
                assert marked[write.mark] == had, (write, had, marked[write.mark])
            write.status, write.headers, write.answer = line.send(known.place, write)
            is_replayed = write.headers.get("idempotent-replayed") == "true"
            if self._home.engine == "sqlite":
                assert is_replayed == had, write
            assert is_replayed or not had, write
            may_be_refused = not had and write.kind in {"pay", "credit"} and write.status < 500
            assert write.is_acknowledged or may_be_refused, write
            # PostgreSQL may have been committing while its client was gone already, and we looked.
            fell = "had happened" if had else "were happening" if is_replayed else "had not happened"
            self.figures.counts[f"unknown outcomes that {fell}"] += 1
            known.learn(write)
        return [write for write in writes if write.is_acknowledged]

    def _again(self, place: Place, job: Job) -> None:
        """A command that was killed brings in what is missing when it runs again; what it told is there already."""
        assert job.child is not None
        status, told = job.child.wait(), job.told()
        self.figures.counts["commands"] += 1
        require_marks(look(place), job, told)
        if status != 0:
            self.figures.counts["commands that ran again"] += 1
            assert job.start(self._nursery, place).wait() == 0, (job, place.log.read_text()[-2000:])

    def _check_jobs(self, seen: Seen, jobs: list[Job]) -> None:
        for job in jobs:
            require_marks(seen, job, job.marks)

    def _finish(self, known: Known, told: list[Write]) -> None:
        """In the end every billing run is worked off, and everything is shown to everybody."""
        assert self._server is not None
        until = time.monotonic() + FINISH_SECONDS_MAX
        while any(state not in {"done", "receiving"} for state in look(known.place).runs.values()):
            assert time.monotonic() < until, look(known.place).runs
            time.sleep(0.05)
        seen = look(known.place)
        check_acknowledged(seen, told)
        check_order(seen)
        check_billing(seen)
        check_verified(known.place)
        line = Line(self._server.url())
        check_wire(known.place, line, known.place.accounts)
        line.close()
        self.figures.counts["documents"] += len(seen.documents)
        self.figures.counts["payments"] += len(seen.payments)
        self.figures.counts["items of billing runs"] += len(seen.items)


def require_marks(seen: Seen, job: Job, marks: Iterable[str]) -> None:
    """Each of a command's documents is there once."""
    own = [document for document in seen.documents if document.provider == job.provider]
    found = Counter(document.note if job.kind == "bill" else document.number for document in own)
    wrong = {mark: found[mark] for mark in marks if found[mark] != 1}
    assert not wrong, (job, wrong)


def soak(engine: str, *, kills: int, database_kills: int = 0, seed: int) -> Figures:
    """Run it, and say what it did; AssertionError with the first thing that does not hold, and the ledger is kept."""
    home, nursery = make_home(engine), Nursery()
    run = Soak(home, nursery, seed)
    is_whole = False
    try:
        run.run(kills, database_kills=database_kills)
        is_whole = True
    finally:
        nursery.close()
        home.close(keep=not is_whole)
    return run.figures


def main() -> None:
    """Soak each engine, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="of servers, on each engine")
    parser.add_argument("--database-kills", type=int, default=100, help="of PostgreSQL itself")
    parser.add_argument("--engine", action="append", choices=["sqlite", "postgresql"])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    sys.stdout.write(f"seed {asked.seed}\n")
    for engine in asked.engine or ["sqlite", "postgresql"]:
        sys.stdout.write(f"{soak(engine, kills=asked.kills, database_kills=asked.database_kills, seed=asked.seed)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
