"""Every command of docs/reference/stand-in.md runs as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.test_readme import ROOT, free_port, needs_curl

from faktura.server.fault_plan import FaultKind

PAGE = (ROOT / "docs" / "reference" / "stand-in.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    """The page's code of a kind."""
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_says_what_each_fault_is() -> None:
    """A row for each fault, and no other."""
    table = PAGE.partition("| fault |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([^`]+)`", table, re.MULTILINE) == list(FaultKind)


@needs_curl
def test_the_commands_run(tmp_path: Path) -> None:
    """One shell runs the commands in a new folder; the last line has the shape that is shown, and the program for tests runs too."""
    (commands,), (shown,), (program,) = blocks("sh"), blocks("json"), blocks("python")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n" + commands.replace("8000", str(free_port()))
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    *seen, last = done.stdout.splitlines()
    said = json.loads(last)
    assert said.keys() == json.loads(shown).keys()
    assert {"429", "cut"} >= said["faults"].keys() - {"change"} > set()
    assert len([line for line in seen if re.fullmatch(r"\d{3}", line)]) == 8
    assert seen.count("the connection ended too early") == said["faults"].get("cut", 0)
    done = subprocess.run(
        [sys.executable, "-c", program + "print(started.keys(), ended.keys())"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "dict_keys(['url', 'tokens']) dict_keys(['faults', 'changed', 'vanished', 'added'])\n", done.stderr
