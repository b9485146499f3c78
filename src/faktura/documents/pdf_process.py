"""A long document is typeset in a process of its own: what that takes goes back to the machine, and others' pages need not wait.

The typesetter keeps what its last ten documents took, some 150 KiB a line each. Run as `python -m faktura.documents.pdf_process`, this is that process.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from threading import Lock

from faktura.domain.errors import FakturaError, LedgerBusyError

ROWS_MAX = 200
TEXT_LENGTH_MAX = 400_000
"""Beyond either, a document is long: within, it is set in a fifth of a second."""
MEMORY_BYTES_MAX = 3 * 2**30
SECONDS_MAX = 120
LOGO_MEMORY_BYTES_MAX = 2**30
LOGO_SECONDS_MAX = 20
_NO_ROOM, _REFUSED = 3, 4

_turn = Lock()


class NoRoomError(FakturaError):
    """The document cannot be typeset within the memory and time that it may take."""


class TypesettingError(FakturaError):
    """The typesetter refuses the document; the message is its own."""


def typeset_apart(content: str, *, timestamp: int) -> bytes:
    """The PDF of a document's texts (JSON); LedgerBusyError while another is being made, since one takes a core and up to a gigabyte."""
    if not _turn.acquire(blocking=False):
        raise LedgerBusyError("another long document is being made; try again")
    try:
        return _made("invoice", content, timestamp, MEMORY_BYTES_MAX, SECONDS_MAX)
    finally:
        _turn.release()


def draw_apart(content: str) -> None:
    """Draw a logo (JSON) as pages do; NoRoomError or TypesettingError where that cannot be done, or ends the process that tries."""
    try:
        _made("logo", content, 0, LOGO_MEMORY_BYTES_MAX, LOGO_SECONDS_MAX)
    except (NoRoomError, TypesettingError):
        raise
    except FakturaError as error:
        raise TypesettingError("what draws it fell over it") from error


def _made(template: str, content: str, timestamp: int, memory_bytes_max: int, seconds_max: float) -> bytes:
    command = [sys.executable, "-P", "-m", "faktura.documents.pdf_process", template, str(timestamp), str(memory_bytes_max)]  # never what lies in the folder
    environment = {**os.environ, "RAYON_NUM_THREADS": "1"}  # more would only take memory
    try:
        done = subprocess.run(command, input=content.encode(), env=environment, capture_output=True, timeout=seconds_max, check=False)  # noqa: S603 - ourselves
    except subprocess.TimeoutExpired as error:
        raise NoRoomError("it takes too long") from error
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode("utf-8", "replace")[-1000:]
    if done.returncode == _REFUSED:
        raise TypesettingError(said)
    if done.returncode in {_NO_ROOM, -signal.SIGKILL} or "memory allocation" in said:  # a machine that is short of memory kills
        raise NoRoomError("it takes too much memory")
    message = f"the process that typesets ended with {done.returncode}: {said}"
    raise FakturaError(message)


def main(template: str, timestamp: int, memory_bytes_max: int) -> int:
    """Typeset what comes in."""
    import typst  # noqa: PLC0415 - only the process itself needs it

    from faktura.documents.pdf_compiler import STANDARD, TEMPLATES, compile_template  # noqa: PLC0415

    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX))  # where whoever started it is gone
    try:
        pdf = compile_template(TEMPLATES / f"{template}.typ", sys.stdin.buffer.read().decode(), format="pdf", pdf_standards=STANDARD, timestamp=timestamp)
    except typst.TypstError as error:
        sys.stderr.write(error.message + "\n" + error.diagnostic)
        return _REFUSED
    except MemoryError:
        return _NO_ROOM
    sys.stdout.buffer.write(pdf)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
