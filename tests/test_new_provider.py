"""docs/new-provider.md: the module on the page is all that a new provider takes. Nothing of the package is patched."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tests.cli.terminal import Said, Terminal
from tests.conftest import Served, running
from tests.database import dump
from tests.test_readme import free_port, needs_curl

import faktura
from faktura.dialects.added import MEMBERS, add_dialects
from faktura.dialects.known import DIALECTS
from faktura.domain.errors import SettingError

ROOT = Path(__file__).parents[1]
SOURCE = Path(faktura.__file__).parents[1]
PAGE = (ROOT / "docs/new-provider.md").read_text(encoding="utf-8")
BEFORE, AFTER = PAGE.split("## 7. ")
MODULE = "\n\n".join(re.findall(r"```python\n(.*?)```", BEFORE, re.DOTALL))
(PROGRAM,) = re.findall(r"```python\n(.*?)```", AFTER, re.DOTALL)
LAWS, SERVE, PULL = re.findall(r"```sh\n(.*?)```", AFTER, re.DOTALL)
SELLER = ("--seller-name", "Acme GmbH", "--seller-country", "DE", "--seller-vat-id", "DE123456789")


@dataclass(frozen=True)
class Acme:
    """A folder with the module of the page."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What lets a faktura of its own find the module."""
        return {"PYTHONPATH": f"{self.folder}{os.pathsep}{SOURCE}", "FAKTURA_DIALECTS": "acme:Acme"}

    def terminal(self, name: str) -> Terminal:
        """The command line of a ledger in the folder."""
        return Terminal(self.folder / f"{name}.db")

    def ok(self, name: str, *arguments: str, **environment: str) -> Said:
        """Run a command that must succeed, in a process of its own."""
        said = self.terminal(name).process(*arguments, **self.environment, **environment)
        assert said.code == 0, said
        return said

    def python(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a Python of its own, in the project's folder."""
        surroundings = os.environ | self.environment | environment
        return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def acme(tmp_path: Path) -> Acme:
    """The module, as it stands in the page."""
    (tmp_path / "acme.py").write_text(MODULE, encoding="utf-8")
    return Acme(tmp_path)


def furnish(acme: Acme, invoices: int) -> str:
    """A ledger `shop` of the provider: invoices of an account, one paid, one credited, and a pro-forma, which this API does not show; a token."""
    acme.ok("shop", "provider", "add", "acme", "--dialect", "acme", *SELLER, "--rate-limit", "0")
    acme.ok("shop", "account", "add", "acme", "alice", "--name", "Alice AG", "--country", "DE")
    line = {"name": "Anvil", "quantity": "1.5", "unit_price": "10.0001", "vat_rate": 19}
    items = [{"account": "alice", "period": "2026-10", "product": f"anvil {number}", "lines": [line]} for number in range(invoices)]
    (acme.folder / "items.jsonl").write_text("".join(f"{json.dumps(item)}\n" for item in items), encoding="utf-8")
    acme.ok("shop", "bill", str(acme.folder / "items.jsonl"), "--provider", "acme")
    ids = [document["id"] for document in acme.ok("shop", "invoice", "list", "--json").lines()]
    acme.ok("shop", "pay", str(ids[0]), "10")
    acme.ok("shop", "credit", str(ids[-1]), "--note", "too heavy")
    (acme.folder / "offer.json").write_text(json.dumps({"type_code": 325, "lines": [line]}), encoding="utf-8")
    acme.ok("shop", "invoice", "issue", "acme", "alice", str(acme.folder / "offer.json"))
    return acme.ok("shop", "token", "create", "acme", "alice").out.strip()


def serving(acme: Acme, *arguments: str, **environment: str) -> AbstractContextManager[Served]:
    """What serves the ledger `shop`."""
    return running("serve", *arguments, environment={"FAKTURA_DATABASE": f"sqlite:///{acme.folder / 'shop.db'}", **acme.environment, **environment})


def forms(acme: Acme, name: str) -> dict[int, tuple[bytes, bytes]]:
    """What a ledger serves of each document, by the provider's id."""
    rows = acme.terminal(name).select("SELECT wire_id, item, single FROM listing WHERE ordinal IS NOT NULL")
    return {wire_id: (bytes(item), bytes(single)) for wire_id, item, single in rows}


def test_the_module_is_short() -> None:
    """A small API takes little; and the page shows all of it."""
    code = [line for line in MODULE.splitlines() if line.strip()]
    assert len(code) <= 170
    compile(MODULE, "acme.py", "exec")


def test_the_page_keeps_the_laws(acme: Acme) -> None:
    """The command that the page shows runs every law of any dialect on it."""
    words = LAWS.split()
    assert words[:4] == ["FAKTURA_DIALECTS=acme:Acme", "PYTHONPATH=~/acme", "python", "-m"]
    done = acme.python("-m", *words[4:], "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= 25


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("form is Single:", "form is None:"),
    ],
)
def test_the_laws_find_a_mistake(acme: Acme, right: str, wrong: str) -> None:
    """A dialect that is nearly right breaks a law."""
    assert MODULE.count(right) == 1
    (acme.folder / "acme.py").write_text(MODULE.replace(right, wrong), encoding="utf-8")
    done = acme.python("-m", "pytest", "tests/contracts/test_any_dialect.py", "-k", "acme and (list or single or limit)", "-qx", "-p", "no:cacheprovider")
    assert done.returncode == 1, done.stdout


def test_it_is_served_pulled_and_read(acme: Acme) -> None:
    """From one faktura to another: equal content. A second pull writes nothing, a later payment comes, and both ledgers are whole."""
    token = furnish(acme, 60)
    with serving(acme) as served:
        pull = ("pull", "--provider", "acme", "--base-url", f"{served.url}/v1", "--token-env", "TOKEN", "--name", "acme", "--json")
        (summary,) = [line["summary"] for line in acme.ok("books", *pull, TOKEN=token).lines() if "summary" in line]
        assert (summary["new"], summary["known"], summary["total"], summary["complete"]) == (61, 61, 61, True)
        assert (summary["details"], summary["requests"]) == (61, 3 + 61)
        assert forms(acme, "books") == forms(acme, "shop")
        before = dump(acme.folder / "books.db")
        (summary,) = [line["summary"] for line in acme.ok("books", *pull, TOKEN=token).lines() if "summary" in line]
        assert (summary["new"], summary["details"], summary["faults"]) == (0, 0, [])
        assert dump(acme.folder / "books.db") == before
        owed = acme.ok("shop", "invoice", "list", "--json", "--state", "open", "--type", "380").lines()[-1]
        acme.ok("shop", "pay", str(owed["id"]), "17.85")
        (summary,) = [line["summary"] for line in acme.ok("books", *pull, TOKEN=token).lines() if "summary" in line]
        assert (summary["observed"], summary["complete"]) == (1, True)
        assert forms(acme, "books") == forms(acme, "shop")
    acme.ok("shop", "verify")
    acme.ok("books", "verify")


def test_many_workers_serve_it(acme: Acme) -> None:
    """Each worker knows the dialect; problems are told in its words."""
    token = furnish(acme, 1)
    with serving(acme, "--workers", "2") as served:
        with urlopen(Request(f"{served.url}/v1/invoices?page=1", headers={"Authorization": f"Bearer {token}"})) as answer:
            assert json.load(answer)["count"] == 2  # an invoice and a credit note
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{served.url}/v1/invoices")
        with refused.value as answer:
            assert (answer.code, json.load(answer)) == (401, {"error": "unauthenticated", "fields": {}})


def test_help_names_it(acme: Acme) -> None:
    """Where dialects are told, it is told."""
    for command in (("provider", "add"), ("pull",)):
        assert "acme" in acme.ok("none", *command, "--help").out
    said = acme.terminal("none").process("provider", "add", "x", "--dialect", "nobody", *SELLER, **acme.environment)
    assert said.refused() == "there is no dialect 'nobody'; known: vpsbg, checkdomain, acme"


@needs_curl
def test_the_commands_of_the_page_run(acme: Acme) -> None:
    """One shell runs the blocks in a folder that has the module, then the program."""
    (acme.folder / "program.py").write_text(PROGRAM.replace("8000", port := str(free_port())), encoding="utf-8")
    script = "set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n" + SERVE.replace("PYTHONPATH=$PWD", f"PYTHONPATH=$PWD:{SOURCE}") + PULL + "\npython program.py\n"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "-c", script.replace("8000", port)]
    done = subprocess.run(command, cwd=acme.folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    *_, invoice, total = done.stdout.splitlines()
    assert re.fullmatch(r"A-\d{4}-00001 \d{4}-\d\d-\d\d 17\.85 Anvil, rent of a month", invoice)
    assert total == "1"


def test_a_ledger_needs_its_dialect(acme: Acme) -> None:
    """Without the setting every command that asks the dialect says which it is, and the server answers, with a 500, and goes on."""
    token = furnish(acme, 1)
    environment = {**acme.environment, "FAKTURA_DIALECTS": ""}
    said = acme.terminal("shop").process("verify", **environment)
    assert "'acme'" in said.refused()
    assert "FAKTURA_DIALECTS" in said.err
    with serving(acme, FAKTURA_DIALECTS="") as served:
        for _ in range(2):
            with pytest.raises(HTTPError) as refused:
                urlopen(Request(f"{served.url}/v1/invoices", headers={"Authorization": f"Bearer {token}"}))
            with refused.value as answer:
                assert answer.code == 500


NEARLY = MODULE + "\n\nclass Short:\n    name = 'short'\n\n\nclass Inherits(WireDialect):\n    name = 'inherits'\n\n\nclass Twin(Acme):\n    name = 'vpsbg'\n"
NEARLY += "\n\nclass Shouts(Acme):\n    name = 'A B'\n\n\nclass Bare(Acme):\n    defaults = 7\n\n\nclass Needy(Acme):\n    def __init__(self, key):\n        pass\n\n\nthing = 7\n"
NEARLY = NEARLY.replace("import (\n    Answer,", "import (\n    WireDialect, Answer,")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("acme", "'acme' is not module:Class"),
        (":Acme", "':Acme' is not module:Class"),
        ("no_such_module:Acme", "'no_such_module:Acme' cannot be imported from Python's path (PYTHONPATH adds to it): No module named 'no_such_module'"),
        ("broken:Acme", "'broken:Acme' cannot be imported from Python's path (PYTHONPATH adds to it): division by zero"),
        ("nearly:Nobody", "'nearly:Nobody' is no class of the module nearly"),
        ("nearly:thing", "'nearly:thing' is no class of the module nearly"),
        ("nearly:Short", f"'nearly:Short' is no WireDialect: it has no {', '.join(name for name in MEMBERS if name != 'name')}"),
        ("nearly:Inherits", f"'nearly:Inherits' is no WireDialect: it has no {', '.join(name for name in MEMBERS if name != 'name')}"),
        ("nearly:Twin", "'nearly:Twin' is called 'vpsbg', and so is another dialect"),
        ("nearly:Bare", "'nearly:Bare' is no WireDialect: its `name` must be text, and its `defaults` a faktura.dialects.base.Defaults"),
        ("nearly:Shouts", "'nearly:Shouts': 'A B' is not a usable name: lower-case letters, digits, dot, dash and underscore, at most 63"),
    ],
)
def test_what_is_no_dialect_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str) -> None:
    """The message names the setting, the entry and why; nothing is added."""
    (tmp_path / "nearly.py").write_text(NEARLY, encoding="utf-8")
    (tmp_path / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nearly", raising=False)
    before = dict(DIALECTS)
    with pytest.raises(SettingError) as refused:
        add_dialects(text)
    assert str(refused.value) == f"FAKTURA_DIALECTS: {reason}"
    assert before == DIALECTS


def test_what_needs_arguments_is_refused(tmp_path: Path) -> None:
    """One line on standard error, whatever the command is; and what is there already is no mistake."""
    (tmp_path / "nearly.py").write_text(NEARLY, encoding="utf-8")
    acme = Acme(tmp_path)
    said = acme.terminal("none").process("serve", **{**acme.environment, "FAKTURA_DIALECTS": "nearly:Needy"})
    assert said.refused().startswith("FAKTURA_DIALECTS: 'nearly:Needy' cannot be made without arguments: ")
    before = dict(DIALECTS)
    add_dialects("faktura.dialects.vpsbg:Vpsbg, faktura.dialects.checkdomain:Checkdomain,")
    assert before == DIALECTS
