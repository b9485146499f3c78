"""Parties from files: all terms that e-invoices need of a seller or buyer, where options would be too many."""

from __future__ import annotations

from pathlib import Path

from faktura.cli.invoices import read_document
from faktura.domain.errors import Fault, InvalidDocumentError
from faktura.domain.party import Party, parse_party


def read_party(file: Path, path: str) -> Party:
    """The party of a JSON or TOML file. Raises InvalidDocumentError with all faults, under `path`."""
    faults: list[Fault] = []
    party = parse_party(read_document(file), path=path, faults=faults)
    if faults or party is None:
        raise InvalidDocumentError(faults)
    return party
