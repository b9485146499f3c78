"""The command tree, and what errors look like."""

from __future__ import annotations

import os
import sys

import typer

from faktura import __version__
from faktura.cli.accounts import accounts
from faktura.cli.backups import backup_command, copy_command, restore_command
from faktura.cli.billing import bill_command
from faktura.cli.imports import import_command
from faktura.cli.invoices import credit_command, invoices
from faktura.cli.payments import allocate_command, deposit_command, pay_command, refund_command, reverse_command
from faktura.cli.providers import providers, series, tokens
from faktura.cli.servers import demo_command, serve_command
from faktura.cli.upkeep import doctor_command, journal_command, migrate_command, verify_command
from faktura.cli.vat import lock_period_command, vat_report_command
from faktura.domain.errors import FakturaError, InvalidDocumentError

EXIT_FAILED = 1
"""The command was refused or failed; what was wrong is on standard error. (2 is a usage error, 3 an import that left something out.)"""

app = typer.Typer(
    name="faktura",
    help="A ledger of invoices that speaks the invoice APIs of hosting and domain providers.\n\n"
    "FAKTURA_DATABASE=sqlite:///PATH names the ledger (default: sqlite:///faktura.db).",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(providers, name="provider")
app.add_typer(accounts, name="account")
app.add_typer(series, name="series")
app.add_typer(tokens, name="token")
app.add_typer(invoices, name="invoice")
app.command("pay")(pay_command)
app.command("deposit")(deposit_command)
app.command("allocate")(allocate_command)
app.command("refund")(refund_command)
app.command("reverse")(reverse_command)
app.command("credit")(credit_command)
app.command("bill")(bill_command)
app.command("vat-report")(vat_report_command)
app.command("lock-period")(lock_period_command)
app.command("import")(import_command)
app.command("migrate")(migrate_command)
app.command("journal")(journal_command)
app.command("doctor")(doctor_command)
app.command("verify")(verify_command)
app.command("copy")(copy_command)
app.command("backup")(backup_command)
app.command("restore")(restore_command)
app.command("serve")(serve_command)
app.command("demo")(demo_command)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"faktura {__version__}")
        raise typer.Exit


@app.callback()
def _options(version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version and exit.")) -> None:
    del version


def run() -> None:
    """Run a command. A refusal is a line on standard error for each fault, never a traceback."""
    try:
        app()
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
