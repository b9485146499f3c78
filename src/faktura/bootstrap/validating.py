"""Validation in a process of its own: what rules are run with is large, is loaded once, and takes nobody along where it falls."""

from __future__ import annotations

from pathlib import Path

from faktura.bootstrap.imports import read_bounded
from faktura.bootstrap.rules_process import RulesAwayError, RulesFellError, RulesProcess
from faktura.documents.validation import Verdict, validate
from faktura.domain.errors import InputError


class Validator:
    """Validates documents one after another; whoever made it closes it."""

    def __init__(self) -> None:
        self._process = RulesProcess()

    def check(self, path: Path) -> Verdict:
        """What the checks say of a file; InputError for one that is no e-invoice, or cannot be read."""
        try:
            body = read_bounded(path)
        except OSError as error:
            raise InputError(error.strerror or str(error)) from error
        try:
            return self._process.call(validate, body)
        except (RulesFellError, RulesAwayError) as error:
            raise InputError("what checks documents fell over it") from error

    def close(self) -> None:
        """End the process."""
        self._process.close()
