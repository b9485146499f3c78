"""The dialects that faktura brings along, by name."""

from __future__ import annotations

from faktura.dialects.base import WireDialect
from faktura.dialects.checkdomain import Checkdomain
from faktura.dialects.vpsbg import Vpsbg

DIALECTS: dict[str, WireDialect] = {dialect.name: dialect for dialect in (Vpsbg(), Checkdomain())}
