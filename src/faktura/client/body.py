"""The body of an answer, bounded while it comes: as sent, and as it is once it is unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

from faktura.domain.errors import WireError
from faktura.domain.text import shown

_DIGITS_MAX = 18


class Excess(Exception):  # noqa: N818 - a signal between two modules
    """There is more of it than is read."""


class Cut(Exception):  # noqa: N818
    """It ends in the middle."""


def read_body(headers: Mapping[str, str], chunks: Iterable[bytes], *, bytes_max: int) -> bytes:
    """The unpacked body. Excess, Cut, or WireError for a packing that was not asked for."""
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > _DIGITS_MAX or int(length) > bytes_max):
        raise Excess
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"identity", ""}:
        return _gather(chunks, bytes_max)
    if encoding in {"gzip", "x-gzip"}:
        return _unpack(chunks, bytes_max)
    message = f"the answer is packed as {shown(encoding)}, which was not asked for"
    raise WireError(message)


def _gather(chunks: Iterable[bytes], bytes_max: int) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > bytes_max:
            raise Excess
    return bytes(body)


def _unpack(chunks: Iterable[bytes], bytes_max: int) -> bytes:
    """One gzip member, never unpacked further than a byte beyond the bound."""
    decoder, body, received = zlib.decompressobj(16 + zlib.MAX_WBITS), bytearray(), 0
    for chunk in chunks:
        received += len(chunk)
        if decoder.eof:
            raise WireError("something follows the packed answer")
        try:
            body += decoder.decompress(chunk, bytes_max - len(body) + 1)
        except zlib.error:
            raise WireError("the answer is said to be gzip, and is not") from None
        if len(body) > bytes_max or received > bytes_max:
            raise Excess
        if decoder.unused_data:
            raise WireError("something follows the packed answer")
    if received and not decoder.eof:
        raise Cut
    return bytes(body)
