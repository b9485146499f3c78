"""`faktura invoice render` and `faktura render`: files on disk, whole or not there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.cli.terminal import Terminal
from tests.conftest import open_ledger
from tests.database import make_copy
from tests.documents.files.conftest import CAME, furnish
from tests.documents.files.falling import fall_or_render

from faktura.bootstrap import rendering
from faktura.domain.invoice import Invoice

Documents = dict[str, Invoice]


@pytest.fixture(scope="session")
def filled(engine: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Documents]:
    """A ledger, made once."""
    path = tmp_path_factory.mktemp("filled") / "ledger.db"
    with open_ledger(path) as ledger:
        return path, furnish(ledger)


@pytest.fixture
def terminal(filled: tuple[Path, Documents], tmp_path: Path) -> Terminal:
    """A terminal with a copy of it."""
    make_copy(filled[0], tmp_path / "ledger.db")
    return Terminal(tmp_path / "ledger.db")


@pytest.fixture
def documents(filled: tuple[Path, Documents]) -> Documents:
    """By name."""
    return filled[1]


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def visible(folder: Path) -> dict[str, bytes]:
    """Without what a killed process left of what it was writing."""
    return {name: body for name, body in contents(folder).items() if not Path(name).name.startswith(".")}


@pytest.mark.parametrize("form", ["pdf", "ubl", "cii", "xrechnung", "facturx"])
def test_a_document_is_a_file(terminal: Terminal, documents: Documents, tmp_path: Path, form: str) -> None:
    """Twice the same bytes, and those that the ledger says were handed out; the ledger is whole."""
    files = [tmp_path / name for name in ("one", "two")]
    for file in files:
        terminal.ok("invoice", "render", documents["invoice"].id, "--as", form, "-o", file)
    assert files[0].read_bytes() == files[1].read_bytes()
    digests = {bytes(row[0]) for row in terminal.select("SELECT sha256 FROM document_file")}
    assert hashlib.sha256(files[0].read_bytes()).digest() in digests
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith("ledger")} == {"one", "two"}
    terminal.ok("verify")


def test_all_that_a_document_lacks_is_said(terminal: Terminal, documents: Documents, tmp_path: Path) -> None:
    """A line each, and no file."""
    said = terminal("invoice", "render", documents["recorded"].id, "--as", "ubl", "-o", tmp_path / "x.xml")
    assert said.code == 1
    assert len(said.err.splitlines()) > 2
    assert all(line.startswith("faktura: ") and line.endswith("]") for line in said.err.splitlines())
    assert not (tmp_path / "x.xml").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--as", "ubl", "--language", "de"), "--language is of PDFs"),
        (("--as", "pdf", "--language", "fr"), "--language must be one of bg, de, en"),
    ],
)
def test_options_that_mean_nothing(terminal: Terminal, documents: Documents, tmp_path: Path, words: tuple[str, ...], reason: str) -> None:
    """Refused in a line."""
    assert reason in terminal("invoice", "render", documents["invoice"].id, *words, "-o", tmp_path / "x").refused()


def test_a_place_that_cannot_be_written(terminal: Terminal, documents: Documents, tmp_path: Path) -> None:
    """Is one line."""
    (tmp_path / "file").write_text("")
    said = terminal("invoice", "render", documents["invoice"].id, "--as", "pdf", "-o", tmp_path / "file" / "x.pdf").refused()
    assert "was not written" in said


@pytest.mark.parametrize("workers", [1, 2])
def test_many_documents(terminal: Terminal, documents: Documents, tmp_path: Path, workers: int) -> None:
    """A file each, in the provider's folder; what cannot be made is told (exit code 3); a second run keeps all, and mends what was changed."""
    said = terminal("render", "--month", "2024-08", "--as", "ubl", "--folder", tmp_path / "out", "--workers", workers, "--json")
    assert said.code == 3, said
    lines = said.lines()
    summary = lines.pop()["summary"]
    assert (summary["kept"], summary["refused"] >= 1, summary["made"] >= 2) == (0, True, True)
    assert "pro-formas (1)" in said.err
    made = {line["file"] for line in lines if line["outcome"] == "made"}
    before = contents(tmp_path / "out")
    assert {str(tmp_path / "out" / name) for name in before} == made
    name = f"vpsbg/{documents['invoice'].number}_{documents['invoice'].id}.ubl.xml"
    assert name in before
    (tmp_path / "out" / name).write_bytes(b"broken")
    again = terminal("render", "--month", "2024-08", "--as", "ubl", "--folder", tmp_path / "out", "--workers", workers, "--json").lines()[-1]["summary"]
    assert again == {"made": 1, "kept": summary["made"] - 1, "refused": summary["refused"]}
    assert contents(tmp_path / "out") == before
    terminal.ok("verify")


def test_an_original(terminal: Terminal, documents: Documents, tmp_path: Path) -> None:
    """Is given back to the byte, also on standard output; what did not come as an e-invoice has none, in one line, and no file."""
    for name, body in CAME.items():
        terminal.ok("invoice", "render", documents[name].id, "--as", "original", "-o", tmp_path / name)
        assert (tmp_path / name).read_bytes() == body
    said = terminal.ok("invoice", "render", documents["came"].id, "--as", "original", "-o", "-")
    assert said.out.encode() == CAME["came"]
    for name in ("invoice", "recorded"):
        assert "original: is not there" in terminal("invoice", "render", documents[name].id, "--as", "original", "-o", tmp_path / "x").refused()
    assert "there is no document" in terminal("invoice", "render", 1, "--as", "original", "-o", tmp_path / "x").refused()
    assert not (tmp_path / "x").exists()
    assert "ask for its original" in terminal("invoice", "render", documents["came"].id, "--as", "ubl", "-o", tmp_path / "x").refused()


@pytest.mark.parametrize("workers", [1, 2])
def test_many_originals(terminal: Terminal, documents: Documents, tmp_path: Path, workers: int) -> None:
    """Each with the ending that its bytes have; what did not come is told (exit code 3); a second run keeps them, and mends what was changed."""
    words = ("render", "--month", "2024-08", "--as", "original", "--folder", tmp_path / "out", "--workers", workers, "--json")
    said = terminal(*words)
    assert said.code == 3, said
    assert said.lines()[-1]["summary"]["made"] == len(CAME)
    assert "original: is not there" in said.err
    xml, pdf = (f"vpsbg/A-8_{documents['came'].id}.original.xml", f"vpsbg/9_{documents['came as PDF'].id}.original.pdf")
    assert contents(tmp_path / "out") == {xml: CAME["came"], pdf: CAME["came as PDF"]}
    assert {line["file"] for line in said.lines() if line.get("outcome") == "made"} == {str(tmp_path / "out" / name) for name in (xml, pdf)}
    (tmp_path / "out" / pdf).write_bytes(b"broken")
    summary = terminal(*words).lines()[-1]["summary"]
    assert (summary["made"], summary["kept"]) == (1, 1)
    assert contents(tmp_path / "out") == {xml: CAME["came"], pdf: CAME["came as PDF"]}


@pytest.mark.only("sqlite")
def test_a_killed_process_ends_the_run(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line; what is there is whole, and is kept by the next run, which makes the others."""
    words = ("render", "--month", "2024-08", "--as", "ubl", "--folder", tmp_path / "out", "--workers", 2, "--json")
    with monkeypatch.context() as patched:
        patched.setattr(rendering, "_work", fall_or_render)
        said = terminal(*words)
    assert said.code == 1
    assert said.err.splitlines()[-1] == "faktura: a process that made files was ended from outside; run it again, what is there is kept"
    before = visible(tmp_path / "out")
    assert before
    again = terminal(*words).lines()[-1]["summary"]
    assert again["kept"] == len(before)
    whole = visible(tmp_path / "out")
    assert {name: whole[name] for name in before} == before
    assert len(whole) == again["kept"] + again["made"]


def test_pdfs_in_a_language(terminal: Terminal, documents: Documents, tmp_path: Path) -> None:
    """Pro-formas too, where they are asked for; each language has files of its own digest."""
    for language in ("de", "bg"):
        said = terminal("render", "--as", "pdf", "--type", "325", "--folder", tmp_path / language, "--language", language, "--workers", 1)
        assert said.code == 0, said
    (german,), (bulgarian,) = (contents(tmp_path / language).values() for language in ("de", "bg"))
    assert german != bulgarian
    assert german.startswith(b"%PDF-")
    said = terminal("render", "--as", "pdf", "--type", "325", "--folder", tmp_path / "bg", "--language", "de", "--workers", 1)
    assert contents(tmp_path / "bg").popitem()[1] == german


def test_a_providers_look(terminal: Terminal, documents: Documents, tmp_path: Path) -> None:
    """Colour, footer and logo are settings; what cannot be used is refused; each PDF that differs is written down."""
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20" fill="#123456"/></svg>')
    made = []
    for words in ((), ("--accent", "#7a1f3d"), ("--footer", "Hosting OOD, София"), ("--logo", logo)):
        if words:
            terminal.ok("provider", "set", "vpsbg", *words)
        terminal.ok("invoice", "render", documents["invoice"].id, "--as", "pdf", "-o", tmp_path / "x.pdf")
        made.append((tmp_path / "x.pdf").read_bytes())
    assert len(set(made)) == 4
    (provider,) = terminal.ok("provider", "list", "--json").json()
    assert (provider["accent"], provider["footer"], provider["has_logo"]) == ("#7a1f3d", "Hosting OOD, София", True)
    assert len(terminal.select("SELECT sha256 FROM document_file")) == 4
    terminal.ok("verify")
    large, page = tmp_path / "large.png", tmp_path / "page.html"
    large.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40_000))
    page.write_text("<html/>")
    cut = tmp_path / "cut.png"
    cut.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x10\x08\x06" + b"\x00" * 20)
    assert "cannot be drawn" in terminal("provider", "set", "vpsbg", "--logo", cut).refused()
    for words in (("--accent", "#ffffff"), ("--accent", "red"), ("--logo", large), ("--logo", page), ("--logo", tmp_path / "absent.png")):
        terminal("provider", "set", "vpsbg", *words).refused()
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    terminal.ok("provider", "set", "vpsbg", "--accent", "", "--footer", "", "--logo", empty)
    terminal.ok("invoice", "render", documents["invoice"].id, "--as", "pdf", "-o", tmp_path / "x.pdf")
    assert (tmp_path / "x.pdf").read_bytes() == made[0]
