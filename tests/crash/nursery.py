"""Processes of faktura that start in no time: forked from one that has everything loaded, each the real program until it ends or is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[2]


@dataclass
class Child:
    """A running faktura."""

    nursery: Nursery
    pid: int
    stdout: int
    """What it prints comes here, until it ends."""
    _printed: bytearray = field(default_factory=bytearray)
    status: int | None = None

    def url(self) -> str:
        """Where it serves, once it does; AssertionError where it ends before."""
        while b"\n" not in self._printed:
            if not self._read():
                message = f"the server ended with {self.wait()} before it served"
                raise AssertionError(message)
        return str(json.loads(self._printed.split(b"\n", 1)[0])["url"])

    def kill(self) -> None:
        """SIGKILL, unless it has ended; it is gone when this returns. Nobody else can have its id: it is waited for only here."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.status is None:
            os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """The exit status, once it has ended; that of a signal is negative."""
        if self.status is None:
            while self._read():
                continue
            os.close(self.stdout)
            self.status = int(self.nursery.ask({"wait": self.pid})["status"])
        return self.status

    def printed(self) -> str:
        """All that it printed, whole lines only."""
        self.wait()
        return self._printed[: self._printed.rfind(b"\n") + 1].decode()

    def _read(self) -> bytes:
        found = os.read(self.stdout, 65536)
        self._printed += found
        return found


class Nursery:
    """Starts children."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.crash.nursery", str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=ROOT, start_new_session=True)
        self._lock = threading.Lock()

    def start(self, *arguments: str, environment: Mapping[str, str], log: Path) -> Child:
        """`faktura ARGUMENTS`; what it writes to standard error goes to the end of the log."""
        readable, writable = os.pipe()
        errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            told = self.ask({"arguments": arguments, "environment": dict(environment)}, [writable, errors])
        finally:
            os.close(writable)
            os.close(errors)
        return Child(self, told["pid"], readable)

    def ask(self, message: Mapping[str, Any], descriptors: list[int] | None = None) -> dict[str, Any]:
        """The answer to a message."""
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(message).encode() + b"\n"], descriptors or [])
            answer = b""
            while not answer.endswith(b"\n"):
                part = self._socket.recv(65536)
                if not part:
                    raise AssertionError("the process that starts others is gone")
                answer += part
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        """End it, and whatever still runs of it."""
        self._socket.close()
        self._process.wait(timeout=20)


def _main(connection: socket.socket) -> None:
    _load()
    running: set[int] = set()
    try:
        while True:
            message, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 2)
            if not message:
                return
            asked = json.loads(message)
            if "wait" in asked:
                running.discard(asked["wait"])
                status = os.waitstatus_to_exitcode(os.waitpid(asked["wait"], 0)[1])
                connection.sendall(json.dumps({"status": status}).encode() + b"\n")
                continue
            pid = os.fork()
            if pid == 0:
                connection.close()
                _live(asked, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            running.add(pid)
            connection.sendall(json.dumps({"pid": pid}).encode() + b"\n")
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)


def _load() -> None:
    """Everything that a server or a command needs, the management API made once: its caches are filled."""
    import faktura.storage.postgresql  # noqa: F401, PLC0415 - only this process needs it
    from faktura.bootstrap.books import open_books  # noqa: PLC0415
    from faktura.cli.tree import make_app  # noqa: PLC0415
    from faktura.config import DatabaseUrl, Settings  # noqa: PLC0415
    from faktura.server.management.api import make_management  # noqa: PLC0415

    make_app()
    with open_books(Settings(database=DatabaseUrl(path=":memory:")), create=True) as books:
        make_management(books, used=lambda *_: None, wake=lambda: None)


def _live(asked: Mapping[str, Any], descriptors: list[int]) -> NoReturn:
    """Be `faktura ARGUMENTS`."""
    code = 1
    try:
        for source, target in zip(descriptors, (1, 2), strict=True):
            os.dup2(source, target)
            os.close(source)
        os.environ.update(asked["environment"])
        sys.argv = ["faktura", *asked["arguments"]]
        from faktura.cli.app import run  # noqa: PLC0415 - loaded long ago

        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _main(socket.socket(fileno=int(sys.argv[1])))
