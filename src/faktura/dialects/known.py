"""The dialects that are spoken, by name: those that faktura brings along, and those that a user adds (`faktura.dialects.added`)."""

from __future__ import annotations

from typing import NoReturn

from faktura.dialects.base import WireDialect
from faktura.dialects.checkdomain import Checkdomain
from faktura.dialects.vpsbg import Vpsbg
from faktura.domain.errors import SettingError


class _Known(dict[str, WireDialect]):
    """A ledger may have providers whose dialect was added when they were made, and is not now."""

    def __missing__(self, name: str) -> NoReturn:
        message = f"the dialect {name!r} is not known here: FAKTURA_DIALECTS must name its class, as it did when the ledger's provider was added"
        raise SettingError(message)


DIALECTS: dict[str, WireDialect] = _Known((dialect.name, dialect) for dialect in (Vpsbg(), Checkdomain()))
