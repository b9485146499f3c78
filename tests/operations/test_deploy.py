"""What lies in deploy/ fits the program: no container is built here, but names, commands, settings and roles are checked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer
import yaml
from psycopg.conninfo import conninfo_to_dict
from tests.postgresql import database_at, server

from faktura.bootstrap.doctor import examine
from faktura.cli.tree import make_app
from faktura.config import NAMES
from faktura.storage.health import Level
from faktura.storage.postgresql import PostgresqlStorage

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMMANDS: Any = typer.main.get_command(make_app())
UNITS = sorted(DEPLOY.glob("faktura*.*"))


def text(name: str) -> str:
    """A file of deploy/."""
    return (DEPLOY / name).read_text(encoding="utf-8")


def compose() -> dict[str, Any]:
    """The compose file."""
    found: dict[str, Any] = yaml.safe_load(text("compose.yaml"))
    return found


def parses(words: list[str]) -> bool:
    """Whether the program's own parser takes a command."""
    command = COMMANDS.commands[words[0]]
    command.make_context(words[0], words[1:])
    return True


def test_commands_are_the_program_s() -> None:
    """Each command of a unit, a service or the image is one that the program's parser takes."""
    written = [
        re.sub(r'"\$\(.*?"|"/\S*\$\(date[^)]*\)\S*"|"', "x", line)
        for line in re.findall(r"^ExecStart(?:Pre)?=.*?faktura/bin/faktura (.*?)'?$", "".join(map(Path.read_text, UNITS)), re.MULTILINE)
    ]
    assert len(written) == 3  # migrate, serve, backup
    assert all(parses(line.split()) for line in written)
    assert all(parses(service["command"]) for name, service in compose()["services"].items() if name != "database")
    image = re.search(r"^CMD \[(.*)\]", text("Containerfile"), re.MULTILINE)
    assert image
    assert parses([word.strip(' "') for word in image[1].split(",")])


def test_settings_are_documented() -> None:
    """Each FAKTURA_ variable that is set is one that the program reads."""
    used = {name for path in DEPLOY.iterdir() for name in re.findall(r"FAKTURA_[A-Z_]+", path.read_text(encoding="utf-8"))}
    assert "FAKTURA_DATABASE" in used
    assert used <= set(NAMES)


def test_the_image_copies_what_there_is() -> None:
    """What the image is built from exists, carries hashes, and runs neither as root nor without a health check."""
    lines = text("Containerfile")
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", lines, re.MULTILINE):
        assert all((ROOT / source).exists() for source in sources.split())
    assert lines.count("--require-hashes") == 2
    assert re.search(r"^USER [1-9]\d*$", lines, re.MULTILINE)
    assert "/healthz" in lines


def test_compose_has_no_secret_and_keeps_to_itself() -> None:
    """Passwords come from the environment, the server is reached from this machine only, metrics not at all from outside; the owner's password is the migration's."""
    services = compose()["services"]
    assert all("${" in value for service in services.values() for name, value in service["environment"].items() if "PASSWORD" in name or "://" in value)
    assert services["server"]["ports"] == ["127.0.0.1:8000:8000"]
    assert [name for name, service in services.items() if "OWNER" in str(service["environment"])] == ["database", "migrate"]
    assert services["server"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    for mount in services["database"]["volumes"]:
        source = mount.split(":")[0]
        assert not source.startswith(".") or (DEPLOY / source).is_file()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Systemd's own check finds nothing to say, but that the program is not installed here."""
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text(encoding="utf-8").replace("/opt/faktura/bin/faktura", "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "faktura" in line]
    assert said == []


def test_the_roles_are_enough_and_no_more(tmp_path: Path) -> None:
    """The statements that make the roles suffice to migrate and serve, and the doctor finds both walls up and nothing wrong with the role."""
    database_at("roles")  # other tests' owner makes the reader, which belongs to the whole server
    (statements,) = re.findall(r"<<'SQL'\n(.*)\nSQL\n", text("postgresql-roles.sh"), re.DOTALL)
    names = {"faktura_owner": "deployed_owner", "faktura_server": "deployed_server", "DATABASE faktura": "DATABASE deployed"}
    for name, ours in names.items():
        statements = statements.replace(name, ours)
    statements = re.sub(r":'(\w+)'", r"'\1'", statements)
    told = {key: str(value) for key, value in conninfo_to_dict(server()).items() if value is not None and key not in {"user", "password", "dbname"}}
    with psycopg.connect(server(), autocommit=True) as connection:
        for statement in re.sub(r"^--.*$", "", statements, flags=re.MULTILINE).split(";"):
            if (
                statement.strip() == "CREATE ROLE faktura_reader NOLOGIN"
                and connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'faktura_reader'").fetchone()
            ):
                continue
            if statement.strip():
                connection.execute(statement)
    try:
        owner, serving = (
            psycopg.conninfo.make_conninfo(**told, user=user, password=f"{user[9:]}_password", dbname="deployed")
            for user in ("deployed_owner", "deployed_server")
        )
        urls = [
            f"postgresql:///deployed?{'&'.join(f'{key}={value}' for key, value in conninfo_to_dict(info).items() if key != 'dbname')}"
            for info in (serving, owner)
        ]
        storage = PostgresqlStorage(urls[0], migration_url=urls[1])
        storage.migrate()
        storage.close()
        environment = {"FAKTURA_DATABASE": urls[0], "FAKTURA_MIGRATION_DATABASE": urls[1]}
        wrong = [check for check in examine(environment) if check.level is Level.FAULT and check.what != "fsync"]
        assert wrong == []
    finally:
        with psycopg.connect(server(), autocommit=True) as connection:
            connection.execute("DROP DATABASE deployed")
            connection.execute("DROP ROLE deployed_owner")
            connection.execute("DROP ROLE deployed_server")


def test_scripts_are_shell() -> None:
    """The shell itself reads the script, and may run it."""
    script = DEPLOY / "postgresql-roles.sh"
    subprocess.run(["/bin/sh", "-n", str(script)], check=True)
    assert os.access(script, os.X_OK)
