"""Every command of docs/reference/management.md runs as it stands there, and answers what stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.test_readme import ROOT, free_port, needs_curl

PAGE = (ROOT / "docs" / "reference" / "management.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(sh|json)\n(.*?)```", PAGE, re.DOTALL)
UNSTABLE = {"token", "next", "digest", "chain"}
"""Text of another value each time."""


def differences(shown: Any, given: Any, path: str = "") -> list[str]:
    """What an answer lacks of what the page shows of it: fields may be left out there, items of lists may not."""
    if isinstance(shown, dict) and isinstance(given, dict):
        return [item for name, value in shown.items() for item in differences(value, given.get(name, f"{name} is missing"), f"{path}.{name}")]
    if isinstance(shown, list) and isinstance(given, list) and len(shown) == len(given):
        return [item for index, value in enumerate(shown) for item in differences(value, given[index], f"{path}[{index}]")]
    if path.rpartition(".")[2] in UNSTABLE and type(shown) is type(given):
        return []
    return [] if shown == given else [f"{path}: {shown!r} is shown, {given!r} was answered"]


def test_the_page_names_every_column_and_route() -> None:
    """The columns of a CSV, the states and the scopes are those that there are."""
    from faktura.documents.billing_items import COLUMNS  # noqa: PLC0415
    from faktura.domain.state import State  # noqa: PLC0415
    from faktura.ledger.accounts import MANAGEMENT_SCOPES  # noqa: PLC0415
    from faktura.ledger.management_ports import ItemOutcome, RunState  # noqa: PLC0415

    words = {*COLUMNS, *State, *MANAGEMENT_SCOPES, *ItemOutcome, *(set(RunState) - {RunState.RECEIVING})}
    assert [word for word in sorted(words) if f"`{word}`" not in PAGE] == []


@needs_curl
def test_the_commands_answer_what_is_shown(tmp_path: Path) -> None:
    """One shell runs all blocks in a new folder; what each prints holds all that the page shows of it, and no other call is refused."""
    script = "set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n"
    answers: list[tuple[Path, str | None]] = []
    for kind, text in BLOCKS:
        if kind == "sh":
            answers.append((tmp_path / f"{len(answers)}.out", None))
            script += f"{{\n{text}}} > {answers[-1][0]}\n"
        else:
            answers[-1] = (answers[-1][0], text)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = script.replace("8000", str(free_port()))
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for path, shown in answers:
        printed = path.read_text(encoding="utf-8").rpartition("\n")[2]
        if shown is not None:
            assert differences(json.loads(shown), json.loads(printed)) == [], printed
    kept = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("*.json")}
    assert {name: answer for name, answer in kept.items() if "status" in answer} == {}
