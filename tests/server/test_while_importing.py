"""A server and an importer, two processes, on one ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.database import database_environment


def test_a_server_answers_while_an_importer_writes(ledger: Any, serve: Any, tmp_path: Path) -> None:
    """Every page asked for while 6,000 invoices are imported is whole and exact, totals only rise, and neither process hears of a lock."""
    ledger.provider("vpsbg")
    ledger.account("vpsbg")
    token = ledger.token("vpsbg")
    file = tmp_path / "lines.csv"
    rows = [f"{number},2026-01-{1 + number % 28:02d},1,1.25,x" for number in range(6000)]
    file.write_text("\n".join(["number,date,quantity,unit_price,name", *rows]))
    request = urllib.request.Request(f"{serve().url}/v1/invoices", headers={"Authorization": f"Bearer {token}"})
    columns = [word for name in ("number", "date", "quantity", "unit_price", "name") for word in ("--column", f"{name}={name}")]
    importer = subprocess.Popen(
        [sys.executable, "-m", "faktura", "import", str(file), "--provider", "vpsbg", "--account", "demo", *columns],
        env=os.environ | database_environment(ledger.path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    totals: list[int] = []
    while importer.poll() is None or not totals or totals[-1] < 6000:
        with urllib.request.urlopen(request) as answer:
            page = json.load(answer)
        totals.append(page["meta"]["total"])
        assert len(page["data"]) == min(30, totals[-1])
        assert importer.poll() in {None, 0}
    out, err = importer.communicate()
    assert (out, err) == ("6000 new\n", "")
    assert totals == sorted(totals)
    assert len(set(totals)) > 1
