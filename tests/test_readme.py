"""Every command of the README runs as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SETUP = ["make demo\n", "make test\n"]

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="the README's curl lines need curl")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_readme_has_the_two_setup_commands() -> None:
    """`make demo` and `make test` are commands of their own; everything else is run below."""
    assert [block for block in SHELL if block.startswith("make")] == SETUP
    assert len(PYTHON) == 1
    assert len(PYTHON[0].splitlines()) == 3


@needs_curl
def test_the_commands_run_in_order(tmp_path: Path) -> None:
    """One shell runs all blocks in a new folder, stops at the first failure, and prints what the text promises."""
    port = free_port()
    blocks = [block for block in SHELL if block not in SETUP]
    script = "set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n"
    script += "\n".join(blocks[:2]) + f"\npython3 - <<'PY'\n{PYTHON[0]}PY\n" + "\n".join(blocks[2:])
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("FAKTURA_DATABASE", None)
    done = subprocess.run(
        ["bash", "-c", script.replace("8000", str(port))], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "0000000001: 108.00 EUR paid, 0.00 EUR due" in done.stdout
    listed = next(line for line in done.stdout.splitlines() if line.startswith('{"data"'))
    assert json.loads(listed.partition('{"page"')[0])["data"][0]["amount_with_vat"] == 108
    assert '"tax":19' in done.stdout
    assert '"tax_country":"DE"' in done.stdout
    assert "\n1\n" in done.stdout.replace("}1\n", "}\n1\n")
    assert "1 new" in done.stdout


def test_make_demo_serves(tmp_path: Path) -> None:
    """`make demo` ends with a running server and curl lines that work."""
    if not (Path(sys.prefix) / "installed").exists():
        pytest.skip("the tests do not run in the environment that make sets up")
    command = ["make", "--silent", "demo", f"VENV={sys.prefix}", "PORT=0", f"DATA={tmp_path}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "/v1/invoices/1" not in lines[-1]:
            line = process.stdout.readline()
            assert line, lines
            lines.append(line)
        commands = [line.strip() for line in lines if line.strip().startswith("curl")]
        assert len(commands) == 3
        if shutil.which("curl"):
            for curl in commands:
                answer = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True)
                assert json.loads(answer.stdout)
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=20)
        if process.stdout is not None:
            process.stdout.close()
