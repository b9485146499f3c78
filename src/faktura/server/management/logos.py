"""The logo of a provider's PDFs: a picture beside the provider's other settings."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from litestar import Controller, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from faktura.documents.handing_out import check_look
from faktura.domain.errors import InvalidDocumentError, NotFoundError, SettingError, fault
from faktura.domain.provider import LOGO_BYTES_MAX, Provider
from faktura.ledger.accounts import set_provider
from faktura.ledger.management_ports import Answer
from faktura.ledger.ports import Books
from faktura.server.file_requests import file_tag, is_known
from faktura.server.management.body import require_media_type
from faktura.server.management.call import Call, named
from faktura.server.management.problem import TooLargeError

_BEGINNINGS = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff"}
_OTHERWISE = "image/svg+xml"
MEDIA_TYPES = (*_BEGINNINGS, _OTHERWISE)
_KINDS = dict.fromkeys(MEDIA_TYPES, f"A picture of at most {LOGO_BYTES_MAX // 1024} KiB.")


class Logos(Controller):
    """The one picture at the head of a provider's PDFs."""

    path = "/providers"
    tags = ("Provider",)

    @get("/{name:str}/logo", opt={"scope": "invoices:read", "picture": MEDIA_TYPES}, sync_to_thread=True, operation_id="getLogo", summary="A provider's logo")
    def get_logo(self, call: NamedDependency[Call], name: FromPath[str]) -> Response[bytes]:
        """As it was sent; 404 where there is none."""
        with call.books.storage.reading() as tx:
            logo = _logo(named(call.provider(tx), name))
        tag = _tag(logo)
        headers = {
            "ETag": tag,
            "Cache-Control": "private, no-cache",
            "Vary": "Authorization",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",  # an SVG that a browser opens is a page
        }
        if is_known(hashlib.sha256(logo).digest(), call.known()):
            return Response(b"", status_code=304, headers=headers)
        return Response(logo, media_type=_media_type(logo), headers=headers)

    @put(
        "/{name:str}/logo",
        opt={"scope": "admin", "body": _KINDS, "etag": True},
        sync_to_thread=True,
        status_code=204,
        operation_id="setLogo",
        summary="Set a provider's logo",
    )
    def set_logo(self, call: NamedDependency[Call], name: FromPath[str]) -> Response[None]:
        """PNG, JPEG in RGB, or SVG of drawn shapes: the picture itself, not in JSON. It is drawn once, and refused where that cannot be done.

        PDFs have it from the next one that is made on.
        """
        media_type = require_media_type(call.request.headers, MEDIA_TYPES)
        logo = call.body
        if len(logo) > LOGO_BYTES_MAX:
            raise TooLargeError
        try:
            if logo and media_type != _media_type(logo):
                message = f"the logo is not of the type {media_type}, which its Content-Type says"
                raise SettingError(message)
            check_look(logo=logo)
        except SettingError as error:
            raise InvalidDocumentError([fault("value", "logo", str(error))]) from error
        return _changed(call, name, logo)

    @delete("/{name:str}/logo", opt={"scope": "admin"}, sync_to_thread=True, status_code=204, operation_id="removeLogo", summary="Remove a provider's logo")
    def remove_logo(self, call: NamedDependency[Call], name: FromPath[str]) -> Response[None]:
        """The seller's name stands in its place; 404 where there is none."""
        return _changed(call, name, None)


def _changed(call: Call, name: str, logo: bytes | None) -> Response[None]:
    """Set or removed. If-Match is not asked for, since a picture is replaced whole, and heeded where it is sent."""

    def change(current: Provider) -> Provider:
        kept = named(current, name).logo
        if logo is None:
            _logo(current)
        if call.matched() is not None:
            call.match("" if kept is None else _tag(kept), is_there=kept is not None)
        return replace(current, logo=logo)

    def act(books: Books) -> Answer:
        with books.storage.reading() as tx:
            own = named(call.provider(tx), name)
        set_provider(books, name=own.name, change=change)
        return Answer(status=204, headers=() if logo is None else (("ETag", _tag(logo)),))

    return call.once(act)


def _logo(provider: Provider) -> bytes:
    if provider.logo is None:
        raise NotFoundError
    return provider.logo


def _tag(logo: bytes) -> str:
    return file_tag(hashlib.sha256(logo).digest()).decode()


def _media_type(logo: bytes) -> str:
    return next((kind for kind, beginning in _BEGINNINGS.items() if logo.startswith(beginning)), _OTHERWISE)
