"""The command tree, and what errors look like."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import typer

from faktura import __version__
from faktura.domain.errors import FakturaError, InvalidDocumentError

EXIT_FAILED = 1
"""The command was refused or failed; what was wrong is on standard error. (2 is a usage error, 3 an import that left something out.)"""

_COMMANDS = {
    "provider": "providers:providers",
    "account": "accounts:accounts",
    "series": "providers:series",
    "token": "providers:tokens",
    "invoice": "invoices:invoices",
    "pay": "payments:pay_command",
    "deposit": "payments:deposit_command",
    "allocate": "payments:allocate_command",
    "refund": "payments:refund_command",
    "reverse": "payments:reverse_command",
    "credit": "invoices:credit_command",
    "bill": "billing:bill_command",
    "vat-report": "vat:vat_report_command",
    "lock-period": "vat:lock_period_command",
    "import": "imports:import_command",
    "migrate": "upkeep:migrate_command",
    "journal": "upkeep:journal_command",
    "doctor": "upkeep:doctor_command",
    "verify": "upkeep:verify_command",
    "copy": "backups:copy_command",
    "backup": "backups:backup_command",
    "restore": "backups:restore_command",
    "serve": "servers:serve_command",
    "demo": "demo:demo_command",
}
"""Where each command, or group of them, is: a module of this package and a name in it."""


def make_app(*names: str) -> typer.Typer:
    """The tree of commands, or only those that are named: a command loads what it works with, and a server that starts, or starts again, loads nothing else."""
    app = typer.Typer(
        name="faktura",
        help="A ledger of invoices that speaks the invoice APIs of hosting and domain providers.\n\n"
        "FAKTURA_DATABASE=sqlite:///PATH names the ledger (default: sqlite:///faktura.db).",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in names or _COMMANDS:
        module, _, attribute = _COMMANDS[name].partition(":")
        found = getattr(import_module(f"faktura.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"faktura {__version__}")
        raise typer.Exit


def _options(version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version and exit.")) -> None:
    del version


def run() -> None:
    """Run a command. A refusal is a line on standard error for each fault, never a traceback."""
    named = sys.argv[1:2]
    try:
        make_app(*(named if named and named[0] in _COMMANDS else ()))()
    except InvalidDocumentError as error:
        for fault in error.faults:
            print(f"faktura: {fault}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except FakturaError as error:
        print(f"faktura: {'; '.join(line.strip() for line in str(error).splitlines())}", file=sys.stderr)  # a driver's words may have several
        sys.exit(EXIT_FAILED)
    except UnicodeEncodeError:  # bytes on the command line that are no text; whatever was begun was rolled back
        print("faktura: an argument is not text in UTF-8", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
