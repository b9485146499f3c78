"""The command tree."""

from __future__ import annotations

from importlib import import_module

import typer

from faktura import __version__

COMMANDS = {
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
    "render": "rendering:render_command",
    "export": "exports:export_command",
    "vat-report": "vat:vat_report_command",
    "lock-period": "vat:lock_period_command",
    "import": "imports:import_command",
    "validate": "validation:validate_command",
    "pull": "pull:pull_command",
    "changes": "changes:changes_command",
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
    for name in names or COMMANDS:
        module, _, attribute = COMMANDS[name].partition(":")
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
