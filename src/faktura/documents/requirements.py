"""What a profile requires of a document beyond its arithmetic."""

from __future__ import annotations

from faktura.documents.en16931 import EInvoice, Profile
from faktura.domain.errors import Fault


def required_faults(document: EInvoice, profile: Profile) -> list[Fault]:
    """All terms that the profile requires and the document lacks, at once, by the names of the form's fields."""
    raise NotImplementedError
