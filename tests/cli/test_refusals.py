"""What cannot be done is one line on standard error and exit code 1; nothing is written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminal import Terminal
from tests.database import dump, execute, sqlite_only

SELLER = ("--seller-name", "S")
BIG = str(10**22)
"""More than any column holds."""


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("account", "add", "nope", "1"), r"no provider 'nope'; known: vps, domains"),
        (("account", "list", "nope"), "no provider 'nope'"),
        (("provider", "set", "nope"), "no provider 'nope'"),
        (("series", "list", "nope"), "no provider 'nope'"),
        (("series", "set", "nope", "invoice", "--next", 5), "no provider 'nope'"),
        (("token", "create", "nope", "17850"), "no provider 'nope'"),
        (("token", "list", "nope"), "no provider 'nope'"),
        (("invoice", "issue", "nope", "17850", "-"), "no provider 'nope'"),
        (("invoice", "list", "--provider", "nope"), "nope"),
        (("token", "create", "vps", "nope"), "no account 'nope'"),
        (("invoice", "issue", "vps", "nope", "-"), "no account 'nope'"),
        (("invoice", "list", "--account", "nope"), "nope"),
        (("series", "set", "vps", "nope", "--next", 5), "no series 'nope'; known: invoice, pro-forma"),
        (("token", "revoke", 7), "no token 7"),
        (("invoice", "show", 7), "no document with the ledger id 7"),
        (("pay", 7, 1), "no document with the ledger id 7"),
        (("credit", 7), "no document with the ledger id 7"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_what_is_not_there_is_named(shop: Terminal, words: tuple[object, ...], reason: str) -> None:
    """An unknown provider, account, series, token or document is named in one line."""
    before = shop.dump()
    assert reason in shop(*words, stdin=b"{}").refused()
    assert shop.dump() == before


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("provider", "add", "vps", "--dialect", "vpsbg", *SELLER), "there is a provider 'vps' already"),
        (("provider", "add", "new", "--dialect", "soap", *SELLER), "no dialect 'soap'; known: vpsbg, checkdomain"),
        (("provider", "add", "new", "--dialect", "vpsbg", *SELLER, "--currency", "euro"), "'euro' is not an ISO 4217"),
        (("provider", "add", "new", "--dialect", "vpsbg", *SELLER, "--zone", "Mars/Olympus"), "'Mars/Olympus' is not an IANA time zone"),
        (("provider", "add", "new", "--dialect", "vpsbg", *SELLER, "--zone", "../../etc/passwd"), "is not an IANA time zone"),
        (("provider", "add", "new", "--dialect", "vpsbg", *SELLER, "--public-url", "https://x.example/api"), "public_url"),
        (("provider", "add", "new", "--dialect", "vpsbg", *SELLER, "--public-url", "ftp://x.example"), "public_url"),
        (("provider", "set", "vps", "--public-url", "x.example"), "public_url"),
        (("provider", "set", "vps", "--rate-limit", -1), "rate limit"),
        (("provider", "add", "Not A Name", "--dialect", "vpsbg", *SELLER), "'Not A Name' is not a usable name"),
        (("provider", "add", "x" * 64, "--dialect", "vpsbg", *SELLER), "at most 63"),
        (("provider", "add", "new", "--dialect", "vpsbg", "--seller-name", " "), "name"),
        (("provider", "add", "new", "--dialect", "vpsbg", *SELLER, "--seller-country", "Bulgaria"), "'Bulgaria' is not an ISO 3166-1"),
        (("provider", "add", "new", "--dialect", "vpsbg", "--seller-name", "\udcff"), "name"),
        (("account", "add", "vps", "17850"), "has an account '17850' already"),
        (("account", "add", "vps", ""), "account reference"),
        (("account", "add", "vps", "a\tb"), "account reference"),
        (("account", "add", "vps", "x" * 201), "account reference"),
        (("account", "add", "vps", "new", "--country", "BG"), "a buyer needs a --name"),
        (("series", "set", "vps", "invoice", "--next", 41), "used its numbers up to 41; the next cannot be 41"),
        (("series", "set", "vps", "invoice", "--template", "INV-{year}"), "is not a number template"),
        (("series", "set", "vps", "invoice", "--template", "{seq}{seq}"), "is not a number template"),
        (("series", "set", "vps", "invoice", "--template", "{seq!r}"), "is not a number template"),
        (("token", "create", "vps", "17850", "--expires", "2001-01-01"), "expired already"),
        (("token", "create", "vps", "17850", "--expires", "tomorrow"), "'tomorrow' is not a date"),
    ],
    ids=lambda value: " ".join(map(str, value))[:70].encode("ascii", "replace").decode() if isinstance(value, tuple) else "",
)
def test_a_setting_that_cannot_be_is_refused(shop: Terminal, words: tuple[object, ...], reason: str) -> None:
    """A name that is taken, a bad currency, zone, URL, name, number or template: one line that says which, and nothing written."""
    shop.ok("series", "set", "vps", "invoice", "--next", 42)
    before = shop.dump()
    assert reason in shop(*words).refused()
    assert shop.dump() == before


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    "words",
    [
        ("token", "revoke", BIG),
        ("invoice", "show", BIG),
        ("invoice", "show", "--", "-1"),
        ("pay", BIG, "1"),
        ("credit", BIG),
        ("series", "set", "vps", "invoice", "--next", BIG),
        ("token", "create", "vps", "17850", "--days", "100000000000000"),
        ("provider", "add", "new", "--dialect", "vpsbg", *SELLER, "--next-id", BIG),
        ("provider", "add", "new", "--dialect", "vpsbg", *SELLER, "--next-id", "-5"),
        ("provider", "add", "new", "--dialect", "vpsbg", *SELLER, "--rate-window", "0"),
        ("provider", "set", "vps", "--rate-window", BIG),
    ],
    ids=" ".join,
)
def test_a_number_out_of_range_is_refused(shop: Terminal, words: tuple[str, ...]) -> None:
    """A number that cannot be is neither a crash nor taken for another: it is refused, by the parser or in one line, and nothing is written."""
    before = shop.dump()
    said = shop(*words)
    assert "Traceback" not in said.err, said.err.splitlines()[-1]
    assert said.code in {1, 2}, said
    assert shop.dump() == before


def test_a_limit_beyond_any_list_lists_all(shop: Terminal) -> None:
    """--limit is an upper bound, whatever its size."""
    assert shop("invoice", "list", "--limit", BIG, "--json") == shop("invoice", "list", "--json")


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("import", "x.csv", "--provider", "nope", "--preset", "online-retail"), "no provider 'nope'"),
        (("import", "x.json", "--provider", "vps"), "name the --account"),
        (("import", "x.json", "--provider", "vps", "--account", "nope"), "no account 'nope'"),
        (("import", "x.csv", "--preset", "online-retail"), "name the --provider: vps, domains"),
        (("import", "x.csv", "--provider", "vps", "--preset", "shop"), "no preset 'shop'"),
        (("import", "x.csv", "--provider", "vps", "--column", "colour=Colour"), "colour"),
        (("import", "x.csv", "--provider", "vps", "--column", "number"), "must be FIELD=HEADER"),
        (("import", "x.csv", "--provider", "vps", "--preset", "online-retail", "--currency", "pounds"), "'pounds'"),
        (("import", "x.csv", "--provider", "vps", "--preset", "online-retail", "--zone", "Mars/Olympus"), "'Mars/Olympus'"),
        (("import", "x.csv", "--provider", "vps", "--preset", "online-retail", "--vat-rate", "twenty"), "'twenty'"),
        (("import", "x.csv", "--provider", "vps", "--preset", "online-retail", "--vat-rate", "-5"), "-5"),
        (("import", "x.csv", "--provider", "vps", "--preset", "online-retail", "--vat-rate", "1000"), "1000"),
        (("import", "x.csv", "--provider", "vps", "--preset", "online-retail", "--vat-rate", "0.00001"), "four decimals"),
        (("import", "x.csv", "--provider", "vps", "--preset", "online-retail", "--encoding", "klingon"), "klingon"),
        (("import", "x.csv", "y.json", "--provider", "vps", "--account", "17850"), "in two commands"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_an_import_that_cannot_begin_is_refused(shop: Terminal, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], reason: str) -> None:
    """An import with options that make no sense reads nothing and writes nothing."""
    monkeypatch.chdir(shop.database.parent)
    Path("x.csv").write_text(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n1,a,b,1,2010-12-01 08:26:00,2.55,17850.0,UK\n", encoding="utf-8"
    )
    before = shop.dump()
    assert reason in shop(*words).refused()
    assert shop.dump() == before


@sqlite_only
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://localhost/x", "must be sqlite:///PATH"),
        ("ledger.db", "must be sqlite:///PATH"),
        ("sqlite://", "must be sqlite:///PATH"),
        ("sqlite://host/x", "must be sqlite:///PATH"),
        ("sqlite://[", "must be sqlite:///PATH"),
        ("sqlite:///x?mode=ro", "must be sqlite:///PATH"),
        ("sqlite:///x?page_count_max=many", "page_count_max"),
        ("sqlite:///missing.db", "there is no ledger at missing.db"),
        ("sqlite:///missing/ledger.db", "missing/ledger.db"),
        ("sqlite:///.", "ledger"),
        ("sqlite:///%00", "sqlite:///"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, url: str, reason: str) -> None:
    """FAKTURA_DATABASE that is no URL of ours, or names nothing: every reading command says so in one line, and makes no file."""
    monkeypatch.chdir(terminal.database.parent)
    assert reason in terminal("provider", "list", FAKTURA_DATABASE=url).refused()
    assert list(Path().iterdir()) == []


@pytest.mark.only("postgresql")
@pytest.mark.parametrize("words", [("provider", "list"), ("migrate",), ("provider", "add", "vps", "--dialect", "vpsbg", *SELLER)], ids=" ".join)
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://127.0.0.1:9/x", "the database cannot be reached"),
        ("postgresql://127.0.0.1:9,127.0.0.1:10/x", "the database cannot be reached"),
        ("postgresql:///x?host=/nowhere", "the database cannot be reached"),
        ("postgresql://[", "FAKTURA_DATABASE"),
        ("postgresql://localhost:port/x", "port"),
        ("postgresql://localhost/x?nonsense=1", "FAKTURA_DATABASE"),
        ("postgresql://u:secret%zz@localhost/x", "FAKTURA_DATABASE"),
    ],
)
def test_a_server_that_cannot_be_used_is_named(terminal: Terminal, url: str, reason: str, words: tuple[str, ...]) -> None:
    """A PostgreSQL URL that is none, or where nobody listens: one line that says so, without its password."""
    said = terminal(*words, FAKTURA_DATABASE=url, FAKTURA_MIGRATION_DATABASE="").refused()
    assert reason in said
    assert "secret" not in said


@sqlite_only
@pytest.mark.parametrize("url", ["sqlite:///missing/ledger.db", "sqlite:///.", "sqlite:///%00"])
@pytest.mark.parametrize("words", [("migrate",), ("provider", "add", "vps", "--dialect", "vpsbg", *SELLER)], ids=" ".join)
def test_a_ledger_is_not_made_where_it_cannot_be(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, url: str, words: tuple[str, ...]) -> None:
    """The commands that make a ledger refuse a missing folder, a folder as a file and a name that is none."""
    monkeypatch.chdir(terminal.database.parent)
    assert terminal(*words, FAKTURA_DATABASE=url).refused()
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    "words", [("provider", "list"), ("provider", "add", "vps", "--dialect", "vpsbg", *SELLER), ("migrate",), ("serve", "--port", "0")], ids=" ".join
)
class TestForeignDatabases:
    """What is not a ledger of this release is left as it is, a file byte for byte."""

    @sqlite_only
    def test_a_text_file(self, terminal: Terminal, words: tuple[object, ...]) -> None:
        """A file that is no database at all."""
        terminal.database.write_text("dear diary\n" * 100, encoding="utf-8")
        self._refused_untouched(terminal, words, "not a faktura ledger")

    def test_the_database_of_another_program(self, terminal: Terminal, words: tuple[object, ...]) -> None:
        """The engine's format, but not our tables."""
        execute(terminal.database, "CREATE TABLE invoice (a INTEGER)")
        self._refused_untouched(terminal, words, "of another program")

    def test_a_newer_schema(self, terminal: Terminal, words: tuple[object, ...]) -> None:
        """A ledger of a later release."""
        terminal.ok("migrate")
        execute(terminal.database, "INSERT INTO schema_migration VALUES (9999, 'later', 0)")
        self._refused_untouched(terminal, words, "schema 9999")

    def _refused_untouched(self, terminal: Terminal, words: tuple[object, ...], reason: str) -> None:
        before = _content(terminal.database)
        assert reason in terminal(*words).refused()
        assert _content(terminal.database) == before


def _content(path: Path) -> object:
    return hashlib.sha256(path.read_bytes()).digest() if path.exists() else dump(path)


def test_an_empty_database_is_an_unmigrated_ledger(terminal: Terminal) -> None:
    """A file of nothing, and a database without tables, is told to be migrated, and can be."""
    terminal.database.touch()
    assert "faktura migrate" in terminal("provider", "list").refused()
    terminal.ok("migrate")
    assert terminal.ok("provider", "list", "--json").json() == []


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    ("name", "value"), [("FAKTURA_TRUSTED_PROXIES", "10.0.0.1, nonsense"), ("FAKTURA_ACCESS_LOG", "yes"), ("FAKTURA_TRUSTED_PROXIES", "10.0.0.0/33")]
)
def test_a_bad_environment_is_named(shop: Terminal, name: str, value: str) -> None:
    """A variable that cannot be used is named in the refusal."""
    environment: dict[str, Any] = {name: value}
    assert name in shop("provider", "list", **environment).refused()
