"""`/documents/v1`: a customer's documents as files. What is asked for there, and the headers of an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from faktura.dialects.base import Headers, Problem, ProblemKind, decode_query
from faktura.documents.handing_out import LANGUAGES, HandedOut, accepted_language, disposition
from faktura.domain.document_file import ORIGINAL, Form, media_type
from faktura.domain.errors import Fault

PREFIX = "/documents/v1/"
_FORMS: dict[str, Form | None] = {form.value: form for form in Form} | {ORIGINAL: None}
_FILE = re.compile(rf"{PREFIX}invoices/([1-9][0-9]{{0,17}})\.([a-z.]+)\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileQuery:
    """A document's file by the id that the provider's API gives the document."""

    wire_id: int
    form: Form | None
    """None asks for the original."""
    language: str | None = None
    """None leaves it to Accept-Language."""


def parse_file_request(*, method: str, path: str, query_string: str) -> FileQuery | Problem:
    """What a request below the prefix asks for."""
    found = _FILE.match(path)
    if found is None or found.group(2) not in _FORMS:
        return Problem(kind=ProblemKind.NO_ROUTE, method=method, path=path)
    if method not in {"GET", "HEAD"}:
        return Problem(kind=ProblemKind.METHOD_NOT_ALLOWED, method=method, path=path)
    given = [value for name, value in decode_query(query_string) if name == "language"]
    language = given[-1].decode("ascii", "replace") if given else None
    if language is not None and language not in LANGUAGES:
        return Problem(kind=ProblemKind.INVALID, method=method, path=path, errors={"language": [f"The language must be one of {', '.join(LANGUAGES)}."]})
    return FileQuery(wire_id=int(found.group(1)), form=_FORMS[found.group(2)], language=language)


def language_of(query: FileQuery, accept_language: bytes) -> str | None:
    """The language to answer in, where the request names one."""
    return query.language or accepted_language(accept_language.decode("latin-1"))


def file_tag(sha256: bytes) -> bytes:
    """The entity tag of a file: its bytes decide, and nothing else."""
    return b'"%b"' % sha256.hex().encode()


def file_headers(headers: Headers, file: HandedOut, *, number: str) -> Headers:
    """The headers of an answer with a file, or with nothing new, after those that every answer of the provider has.

    Which of several languages it is in, a request decides of PDFs that are made here.
    """
    kept = [header for header in headers if header[0] not in {b"content-type", b"vary", b"cache-control"}]
    vary = b"Authorization, Accept-Language" if file.language else b"Authorization"
    return [
        *kept,
        (b"content-type", media_type(file.ending).encode()),
        *([(b"content-language", file.language.encode())] if file.language else []),
        (b"content-disposition", disposition(number, file.ending).encode("ascii")),
        (b"etag", file_tag(file.sha256)),
        (b"cache-control", b"private, no-cache"),
        (b"vary", vary),
        (b"x-content-type-options", b"nosniff"),
    ]


def is_known(sha256: bytes, if_none_match: bytes) -> bool:
    """Whether the caller has these bytes (RFC 9110, 13.1.2)."""
    return if_none_match.strip() == b"*" or file_tag(sha256) in if_none_match


def refusal(faults: Sequence[Fault], *, path: str) -> Problem:
    """What keeps a document from being handed out, for the provider's own words."""
    errors: dict[str, list[str]] = {}
    for item in faults:
        errors.setdefault(item.path or "document", []).append(f"{item.message} [{item.rule}]")
    return Problem(kind=ProblemKind.INVALID, path=path, errors=errors)
