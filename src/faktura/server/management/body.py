"""Request bodies: strict JSON, read into a struct with all faults at once."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Annotated, Any, ClassVar, Generic, TypeVar, Union, get_args, get_origin

import msgspec
from litestar.datastructures import Headers
from litestar.dto import AbstractDTO
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from faktura.documents import strict_json
from faktura.domain.calendar import parse_date, parse_instant, to_datetime
from faktura.domain.errors import FAULTS_SHOWN_MAX, Fault, InvalidDocumentError, fault
from faktura.domain.money import parse_decimal
from faktura.server.management.problem import BadRequestError, MediaTypeError

ITEMS_MAX = 10_000
"""How long a list of a body may be; a document has its own bound."""

_JSON = ("application/json",)

T = TypeVar("T")


def _read_instant(value: object) -> datetime:
    if not isinstance(value, str):
        message = "must be a text such as 2026-10-01T00:00:00Z"
        raise ValueError(message)  # noqa: TRY004 - a fault of the caller's
    return to_datetime(parse_instant(value))


_READERS: dict[Any, Callable[[object], Any]] = {Decimal: parse_decimal, date: parse_date, datetime: _read_instant}
"""What the ledger bounds more tightly than JSON does."""


class Checked(AbstractDTO[T], Generic[T]):
    """Reads a body into its struct. The framework would stop at the first fault."""

    config: ClassVar[Any] = None

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Any:  # noqa: ANN401, ARG003, D102 - the base class asks for it; no transfer model is made
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:  # noqa: ARG003, D102
        return False

    @classmethod
    def create_for_field_definition(cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None) -> None:  # noqa: ANN401
        """No transfer model is needed: the struct is the schema."""

    @classmethod
    def create_openapi_schema(cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any) -> Reference | Schema:  # noqa: ANN401, ARG003
        """The struct's own schema."""
        found: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return found

    def decode_bytes(self, value: bytes) -> Any:  # noqa: ANN401
        """The struct; BadRequestError for what is no JSON, InvalidDocumentError with every field that cannot be used."""
        require_media_type(self.asgi_connection.headers, _JSON)
        faults: list[Fault] = []
        found = convert(self.model_type, read_json(value), "", faults)
        if faults:
            raise InvalidDocumentError(faults)
        return found


class Document(Checked[T], Generic[T]):
    """Reads a body that holds a document: an object, whose fields the ledger judges; its struct only documents it."""

    def decode_bytes(self, value: bytes) -> Any:  # noqa: ANN401
        """The object as it was sent."""
        require_media_type(self.asgi_connection.headers, _JSON)
        found = read_json(value)
        if not isinstance(found, dict):
            raise InvalidDocumentError([fault("type", "", "must be an object")])
        return found


def require_media_type(headers: Headers, known: Collection[str]) -> str:
    """The one of the known media types that a body says to be, in UTF-8 and not compressed; MediaTypeError for any other."""
    media_type, _, parameters = headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    found = media_type.strip().lower()
    if found not in known or charset not in {"", "utf-8", "utf8"} or headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise MediaTypeError
    return found


def read_json(body: bytes) -> object:
    """The value of a body; BadRequestError for what is no strict JSON, or could not be stored."""
    try:
        return strict_json.bounded(body.decode("utf-8"))
    except ValueError as error:
        raise BadRequestError([fault("json", "", f"cannot be used as JSON in UTF-8: {str(error)[:200]}")]) from None


def convert(kind: Any, value: object, path: str, faults: list[Fault]) -> Any:  # noqa: ANN401 - whatever the struct says
    """The value as a type of a body; what cannot be used goes to `faults`, and then None comes back."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    options = get_args(bare) if get_origin(bare) in {Union, types.UnionType} else ()
    if type(None) in options:
        return None if value is None else convert(next(option for option in options if option is not type(None)), value, path, faults)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return _struct(bare, value, path, faults)
    if get_origin(bare) is list:
        return _list(kind, bare, value, path, faults)
    try:
        return _READERS[bare](value) if bare in _READERS else msgspec.convert(value, kind)
    except (ValueError, OverflowError) as error:  # msgspec.ValidationError is one
        faults.append(fault("value", path, str(error).replace("`", "")))
        return None


def _list(kind: Any, bare: Any, value: object, path: str, faults: list[Fault]) -> list[Any] | None:  # noqa: ANN401
    if not isinstance(value, list):
        faults.append(fault("type", path, "must be a list"))
        return None
    least = max((meta.min_length or 0 for meta in getattr(kind, "__metadata__", ())), default=0)
    if not least <= len(value) <= ITEMS_MAX:
        faults.append(fault("value", path, f"must have {least} to {ITEMS_MAX} items"))
        return None
    return [convert(get_args(bare)[0], item, f"{path}[{index}]", faults) for index, item in enumerate(value)]


def _struct(kind: type[msgspec.Struct], value: object, path: str, faults: list[Fault]) -> msgspec.Struct | None:
    if not isinstance(value, Mapping):
        faults.append(fault("type", path, "must be an object"))
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    before = len(faults)
    unknown = islice((name for name in value if name not in fields), FAULTS_SHOWN_MAX)
    faults.extend(fault("unknown", _join(path, str(name)[:80]), "is not a field here") for name in unknown)
    found = {}
    for name, field in fields.items():
        if name in value:
            found[field.name] = convert(field.type, value[name], _join(path, name), faults)
        elif field.required:
            faults.append(fault("missing", _join(path, name), "is missing"))
    return None if len(faults) > before else kind(**found)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
