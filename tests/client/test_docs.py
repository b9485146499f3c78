"""The examples of docs/reference/client.md run as they stand there, and print what stands there; its tables are complete."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import running

import faktura.client
from faktura.client import Client, Page

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "client.md").read_text(encoding="utf-8")


def test_the_examples_print_what_is_shown(tmp_path: Path) -> None:
    """One program of all examples, against the demo."""
    program = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    shown = "".join(re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL))
    with running("demo", "--data", str(tmp_path / "demo")) as served:
        tokens = {f"{name.upper()}_TOKEN": token for name, token in served.tokens.items()}
        command = [sys.executable, "-c", program.replace("http://127.0.0.1:8000", served.url)]
        done = subprocess.run(command, env=os.environ | tokens | {"NO_PROXY": "*"}, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    assert done.stdout == shown


def test_the_page_names_everything() -> None:
    """Every argument, every error, every field of a page."""
    arguments = [name for name in inspect.signature(Client).parameters if not name.startswith("_")]
    errors = [name for name in faktura.client.__all__ if name.endswith("Error") and name != "CallError"]
    names = [*arguments, *errors, *(name for name in dir(Page) if not name.startswith("_"))]
    assert [name for name in names if f"`{name}`" not in PAGE] == []
