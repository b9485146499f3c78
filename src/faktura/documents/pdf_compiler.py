"""The typesetter of this process: one compiler with the fonts that come along. No font of the machine is used."""

from __future__ import annotations

import os
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

import typst

from faktura.documents.pdf_glyphs import FONTS
from faktura.domain.errors import FakturaError

TEMPLATES = Path(__file__).parent / "templates"
INVOICE = TEMPLATES / "invoice.typ"
STANDARD: Final[list[typst.PDFStandard]] = ["a-3a", "ua-1"]
"""PDF/A-3 of its highest level, which keeps the structure of the text, and PDF/UA: to be listened to as well as looked at."""

_turn = Lock()  # a compiler serves one thread at a time
_home: list[int] = []


def compile_template(template: Path, content: str, *, timestamp: datetime | int, **options: Any) -> Any:  # noqa: ANN401 - bytes, or a list of them for pictures
    """What a template makes of its content (JSON); typst.TypstError where it cannot."""
    with _turn:
        return _own_compiler().compile(str(template), sys_inputs={"content": content}, timestamp=timestamp, **options)


def _own_compiler() -> typst.Compiler:
    """This process's compiler. One that a fork brought along would wait forever for threads that stayed behind."""
    if not _home:
        _home.append(os.getpid())
    elif _home[0] != os.getpid():
        raise FakturaError("this process was forked from one that had made PDFs, and cannot make any: start it by spawn")
    return _compiler()


@cache
def _compiler() -> typst.Compiler:
    """Fonts are read once."""
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])
    return typst.Compiler(str(INVOICE), root=str(TEMPLATES), font_paths=fonts)
