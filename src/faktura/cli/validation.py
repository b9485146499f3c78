"""`faktura validate`: whether e-invoices hold."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faktura.cli.output import EXIT_INCOMPLETE, JsonOption, harmless, print_json
from faktura.domain.errors import InputError, SettingError

if TYPE_CHECKING:
    from faktura.documents.validation import Verdict

EXIT_UNREADABLE = 1


def validate_command(
    files: Annotated[list[Path], typer.Argument(help="E-invoices: XML in UBL or CII, or PDFs that carry it (Factur-X, ZUGFeRD).")],
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Check e-invoices: sums and identifiers, required terms, schema, and the official rules of EN 16931, XRechnung, Factur-X and Peppol.

    Schema and official rules need extras: pip install 'faktura[validate,peppol]'. Which rules bind a document, its specification
    identifier (BT-24) says. Exit code 0: all are valid; 3: one is not; 1: one is no e-invoice. Warnings do not count.

    Example: faktura validate rechnung.xml invoice.pdf
    """
    from faktura.bootstrap.validating import Validator  # noqa: PLC0415 - loads an XML library

    code = 0
    with closing(Validator()) as validator:
        for path in files:
            try:
                verdict = validator.check(path)
            except (InputError, SettingError, ArithmeticError, ValueError) as error:
                code = EXIT_UNREADABLE
                reason = str(error) if isinstance(error, InputError) else f"its values cannot be judged: {error}"
                print(f"faktura: {harmless(str(path))}: {harmless(reason)}", file=sys.stderr)
                if as_json:
                    print_json({"file": str(path), "is_valid": None, "unreadable": reason})
                continue
            if not verdict.is_valid and not code:
                code = EXIT_INCOMPLETE
            if as_json:
                _tell_json(path, verdict)
            else:
                _tell(path, verdict)
    if code:
        raise typer.Exit(code)


def _tell_json(path: Path, verdict: Verdict) -> None:
    findings = [
        {
            "check": item.check,
            "rule": item.rule,
            "severity": "error" if item.is_error else "warning",
            "path": item.path,
            "terms": list(item.terms),
            "line": item.line,
            "message": item.message,
        }
        for item in verdict.findings
    ]
    print_json(
        {
            "file": str(path),
            "is_valid": verdict.is_valid,
            "number": verdict.number,
            "syntax": verdict.syntax,
            "specification_id": verdict.profile,
            "findings": findings,
            "left_out": list(verdict.left_out),
            "checks": list(verdict.done),
            "not_checked": list(verdict.not_done),
        }
    )


def _tell(path: Path, verdict: Verdict) -> None:
    errors = sum(item.is_error for item in verdict.findings)
    warnings = len(verdict.findings) - errors
    said = "valid" if verdict.is_valid else f"not valid: {errors} errors"
    typer.echo(
        f"{harmless(str(path))}: {said}{f', {warnings} warnings' if warnings else ''} ({verdict.syntax}, {harmless(verdict.profile) or 'no specification'})"
    )
    for item in verdict.findings:
        typer.echo(f"  {harmless(str(item))}")
    if verdict.left_out:
        typer.echo(f"  not understood, or not in EN 16931: {harmless(', '.join(verdict.left_out))}")
    for reason in verdict.not_done:
        typer.echo(f"  not checked: {reason}")
