"""Request bodies: strict JSON, read into a struct with all faults at once."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, TypeVar, Union, get_args, get_origin

import msgspec
from litestar.dto import AbstractDTO
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from faktura.documents import strict_json
from faktura.domain.calendar import parse_date, parse_instant, to_datetime
from faktura.domain.errors import Fault, InvalidDocumentError, fault
from faktura.domain.money import parse_decimal
from faktura.server.management.problem import BadRequestError, MediaTypeError

ITEMS_MAX = 10_000
"""How long a list of a body may be; a document has its own bound."""
DEPTH_MAX = 32
"""How deep objects and lists may nest: a document needs five."""

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
        require_json(self.asgi_connection.headers.get("content-type"))
        faults: list[Fault] = []
        found = convert(self.model_type, read_json(value), "", faults)
        if faults:
            raise InvalidDocumentError(faults)
        return found


class Document(Checked[T], Generic[T]):
    """Reads a body that holds a document: an object, whose fields the ledger judges; its struct only documents it."""

    def decode_bytes(self, value: bytes) -> Any:  # noqa: ANN401
        """The object as it was sent."""
        require_json(self.asgi_connection.headers.get("content-type"))
        found = read_json(value)
        if not isinstance(found, dict):
            raise InvalidDocumentError([fault("type", "", "must be an object")])
        return found


def require_json(content_type: str | None) -> None:
    """MediaTypeError unless a body says that it is JSON, in UTF-8."""
    media_type, _, parameters = (content_type or "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if media_type.strip().lower() != "application/json" or charset not in {"", "utf-8", "utf8"}:
        raise MediaTypeError


def read_json(body: bytes) -> object:
    """The value of a body; BadRequestError for what is no strict JSON, or could not be stored."""
    try:
        value = strict_json.loads(body.decode("utf-8").encode())
    except RecursionError:
        raise BadRequestError([fault("json", "", f"nests deeper than {DEPTH_MAX} levels")]) from None
    except ValueError as error:
        raise BadRequestError([fault("json", "", f"is not JSON in UTF-8: {str(error)[:200]}")]) from None
    _look_through(value)
    return value


def _look_through(value: object) -> None:
    """No endless nesting, and only text that every database can hold."""
    level = [value]
    for _ in range(DEPTH_MAX):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below += item.keys()
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str) and any(sign == "\x00" or "\ud800" <= sign <= "\udfff" for sign in item):
                raise BadRequestError([fault("json", "", "has a text with NUL or half a surrogate pair")])
        if not below:
            return
        level = below
    raise BadRequestError([fault("json", "", f"nests deeper than {DEPTH_MAX} levels")])


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
    faults.extend(fault("unknown", _join(path, str(name)[:80]), "is not a field here") for name in value if name not in fields)
    found = {}
    for name, field in fields.items():
        if name in value:
            found[field.name] = convert(field.type, value[name], _join(path, name), faults)
        elif field.required:
            faults.append(fault("missing", _join(path, name), "is missing"))
    return None if len(faults) > before else kind(**found)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
