"""The HTTP edge: turns requests into queries of a dialect and back. Async lives only here."""

import sys

# structlog loads rich where it finds it, for tracebacks in colour. Our lines are JSON, and rich would be a tenth of a server's start and of its memory.
if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
