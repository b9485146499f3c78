"""The command line: which command it is, and what errors look like."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from faktura.cli.plain import plain_serve
from faktura.domain.errors import FakturaError, InvalidDocumentError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""Of the disk behind standard output."""
EXIT_FAILED = 1
"""The command was refused or failed; what was wrong is on standard error. (2 is a usage error, 3 an import that left something out.)"""


def run() -> None:
    """Run a command. A refusal is a line on standard error for each fault, never a traceback."""
    try:
        _run(sys.argv[1:])
    except InvalidDocumentError as error:
        for fault in error.faults:
            print(f"faktura: {fault}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except FakturaError as error:
        print(f"faktura: {'; '.join(line.strip() for line in str(error).splitlines())}", file=sys.stderr)  # a driver's words may have several
        sys.exit(EXIT_FAILED)
    except UnicodeEncodeError:  # bytes on the command line that are no text; whatever was begun was rolled back
        print("faktura: an argument is not text in UTF-8", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        _drop_output()
        sys.exit(EXIT_FAILED)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        print(f"faktura: {error.filename or 'standard output'}: {error.strerror or error}", file=sys.stderr)
        _drop_output()
        sys.exit(EXIT_FAILED)


def _drop_output() -> None:
    """What is left of it would fail again, and be told again, when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: Sequence[str]) -> None:
    if added := os.environ.get("FAKTURA_DIALECTS"):  # before anything looks at a dialect
        from faktura.dialects.added import add_dialects  # noqa: PLC0415 - as below

        add_dialects(added)
    asked = plain_serve(arguments)
    if asked is not None:
        from faktura.cli.serving import serve  # noqa: PLC0415 - each loads what it works with

        serve(**asked)
        return
    from faktura.cli.tree import COMMANDS, make_app  # noqa: PLC0415

    make_app(*(name for name in arguments[:1] if name in COMMANDS))()
