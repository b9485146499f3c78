"""`faktura invoice render` and `faktura render`: documents as files."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from faktura.bootstrap.rendering import Done, render_all, write_whole
from faktura.cli.filters import From, InMonth, OfAccount, OfProvider, OfType, To, document_filter, tell_left_out
from faktura.cli.output import EXIT_INCOMPLETE, ID_MAX, JsonOption, books, harmless, print_json, progress
from faktura.config import read_settings
from faktura.documents.handing_out import LANGUAGES, hand_out_file
from faktura.domain.document_file import Form
from faktura.domain.errors import ConflictError, InvalidDocumentError, SettingError
from faktura.ledger.exporting import Wanted
from faktura.ledger.queries import get_invoice


class As(StrEnum):
    """What a document is made into."""

    PDF = "pdf"
    UBL = "ubl"
    CII = "cii"
    XRECHNUNG = "xrechnung"
    PEPPOL = "peppol"
    FACTURX = "facturx"
    ORIGINAL = "original"

    @property
    def form(self) -> Form | None:
        """As the ledger calls it; None for what is not made, but given back."""
        return None if self is As.ORIGINAL else Form[self.name]


AsForm = Annotated[As, typer.Option("--as", help="pdf, ubl or cii (EN 16931), xrechnung, peppol, facturx (a PDF with the e-invoice in it), or original.")]
InLanguage = Annotated[str | None, typer.Option("--language", help="Of a PDF: bg, de or en; default: that of the seller's country.")]


def invoice_render(
    invoice_id: Annotated[int, typer.Argument(min=1, max=ID_MAX, help="The ledger id, from `invoice list`.")],
    as_: AsForm,
    file: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to; - is standard output.")],
    language: InLanguage = None,
) -> None:
    """Make a document into a PDF or an e-invoice, or give back the one that it came as.

    The e-invoice that was made first is handed out for good, and an original as it came, byte for byte. All terms that a document lacks are named at once.

    Example: faktura invoice render 10000000027 --as facturx -o invoice.pdf --language de
    """
    _check_language(language, as_)
    with books() as opened:
        target = get_invoice(opened, invoice_id=invoice_id)
        try:
            body = hand_out_file(opened, account_id=target.account.id, invoice_id=invoice_id, form=as_.form, language=language).body
        except ConflictError as error:
            faults = getattr(error, "faults", ())
            if not faults:
                raise
            raise InvalidDocumentError(faults) from error  # a line for each
    if str(file) == "-":
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
    else:
        write_whole(file, body)


def render_command(
    as_: AsForm,
    folder: Annotated[Path, typer.Option(help="Where to: a folder for each provider, a file for each document.")],
    provider: OfProvider = None,
    account: OfAccount = None,
    type_code: OfType = None,
    month: InMonth = None,
    issued_from: From = None,
    issued_to: To = None,
    language: InLanguage = None,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="So many at once; default: one a core.")] = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Make many documents into files. A file that is there with the right bytes is kept, so a run that was stopped is just run again.

    Pro-formas and test providers' documents are left out unless --type or --provider names them. Exit code 3: some could not be made.

    Example: faktura render --month 2026-10 --as facturx --folder invoices
    """
    _check_language(language, as_)
    filters = document_filter(
        number=None, type_code=type_code, state=None, currency=None, month=month, issued_from=issued_from, issued_to=issued_to, order_id=None
    )
    wanted = Wanted(provider=provider, account=account, filters=filters)
    with books() as opened, progress(counts=True) as bar:
        task = bar.add_task("documents", total=None)

        def tell(done: Done) -> None:
            bar.advance(task)
            if as_json:
                outcome = "refused" if done.faults else "kept" if done.is_kept else "made"
                print_json({"document": done.label, "file": None if done.faults else str(done.path), "outcome": outcome, "faults": list(done.faults)})
            for fault in done.faults:
                print(f"faktura: {harmless(done.label)}: {harmless(fault)}", file=sys.stderr)

        settings = read_settings(os.environ)
        report = render_all(opened, settings, wanted, form=as_.form, folder=folder, language=language, workers=workers, tell=tell)
    tell_left_out(report.left_out, can_have_pro_formas=as_.form in {None, Form.PDF})
    counts = {"made": report.made_count, "kept": report.kept_count, "refused": report.fault_count}
    if as_json:
        print_json({"summary": counts})
    else:
        typer.echo(", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no documents", err=True)
    if report.fault_count:
        raise typer.Exit(EXIT_INCOMPLETE)


def _check_language(language: str | None, as_: As) -> None:
    if language is None:
        return
    if as_.form is None or not as_.form.is_pdf:
        message = f"--language is of PDFs; {as_} has none"
        raise SettingError(message)
    if language not in LANGUAGES:
        message = f"--language must be one of {', '.join(LANGUAGES)}"
        raise SettingError(message)
