"""The files that a document is handed out as."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """What a document may be asked for as; also how names of such files end."""

    PDF = "pdf"
    UBL = "ubl.xml"
    """OASIS UBL 2.1 by EN 16931."""
    CII = "cii.xml"
    """UN/CEFACT Cross Industry Invoice D16B by EN 16931."""
    XRECHNUNG = "xrechnung.xml"
    """UBL by XRechnung 3.0."""
    PEPPOL = "peppol.xml"
    """UBL by Peppol BIS Billing 3."""
    FACTURX = "facturx.pdf"
    """PDF/A-3 with CII by Factur-X (ZUGFeRD) in it."""

    @property
    def is_pdf(self) -> bool:
        """Whether people can look at it."""
        return self.value.endswith("pdf")

    @property
    def media_type(self) -> str:
        """For Content-Type."""
        return media_type(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A file as it came from its seller, byte for byte."""

    sha256: bytes
    body: bytes


ORIGINAL = "original"
"""What it is asked for as."""

FACTURX_XML = "facturx.xml"
"""The kept form of the CII inside of a hybrid PDF: nobody asks for it alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFile:
    """A file as it was handed out."""

    file_id: int
    account_id: int
    invoice_id: int
    form: str
    """A form, and of a PDF its language: `ubl.xml`, `pdf.de`. Ours for good: the journal's digest covers it."""
    sha256: bytes
    """Of all of its bytes."""
    release: str
    """The release of faktura that made it."""
    recorded_at_us: int
    body: bytes | None = None
    """Its bytes; of what was read of a PDF none."""


def media_type(ending: str) -> str:
    """For Content-Type, by how the name of a file ends: its form, or `original.pdf`."""
    return "application/pdf" if ending.endswith("pdf") else "application/xml"


def is_made_again(form: str) -> bool:
    """Whether the file is made anew each time: a PDF, of which no bytes are kept."""
    return "pdf" in form.split(".")
