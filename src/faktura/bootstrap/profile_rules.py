"""The rules of e-invoice profiles: ours always, and the official ones where the extra is there."""

from __future__ import annotations

import hashlib
from threading import Lock

from faktura.bootstrap.rules_process import RulesAwayError, RulesFellError, RulesProcess
from faktura.documents.handing_out import LackingError, profile_xml
from faktura.domain.errors import FAULTS_SHOWN_MAX, Fault, InvalidDocumentError, LedgerError, fault
from faktura.domain.invoice import Invoice
from faktura.ledger.profile_rules import UnjudgedError

_KNOWN_MAX = 200_000
"""Documents without a fault that are remembered, a hundred bytes each: a billing run has all its items judged before it issues the first."""


class OfficialRules:
    """Judges documents in a process of its own, and remembers the verdicts of the latest. Safe for threads."""

    def __init__(self) -> None:
        self._process = RulesProcess()
        self._known: dict[bytes, tuple[Fault, ...]] = {}
        self._is_there: dict[str, bool] = {}
        self._lock = Lock()

    def faults(self, invoice: Invoice, profile: str) -> list[Fault]:
        """Ours; where there are none, those that the official rules found: UnjudgedError where they have not looked at it."""
        try:
            document = profile_xml(invoice, profile)
        except LackingError as error:
            return list(error.faults)
        if not self._has_rules(profile):
            return []
        key = _key(document, profile)
        with self._lock:
            known = self._known.get(key)
            if known:
                del self._known[key]  # it is refused, and not asked for again
        if known is None:
            raise UnjudgedError(document, profile)
        return list(known)

    def judge(self, document: bytes, profile: str) -> None:
        """Have the official rules look at a document. InvalidDocumentError where what runs them falls over it, LedgerError where they cannot be run now."""
        from faktura.documents.en16931 import Profile  # noqa: PLC0415 - loads an XML library
        from faktura.documents.validation import official_faults  # noqa: PLC0415

        try:
            found = self._process.call(official_faults, document, Profile(profile))
        except RulesFellError as error:
            message = "the official rules cannot be run over this document: what runs them ends, or takes too long"
            raise InvalidDocumentError([fault("RULES", "", message)]) from error
        except RulesAwayError as error:
            raise LedgerError("the official rules cannot be run now. Nothing was written, try again") from error
        with self._lock:
            self._known[_key(document, profile)] = tuple(found[:FAULTS_SHOWN_MAX])
            while len(self._known) > _KNOWN_MAX:
                del self._known[next(iter(self._known))]

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _has_rules(self, profile: str) -> bool:
        """Whether the extra is there; looked for once."""
        if profile not in self._is_there:
            from faktura.documents.en16931 import Profile  # noqa: PLC0415 - as above
            from faktura.documents.validation import has_rules  # noqa: PLC0415

            self._is_there[profile] = has_rules(Profile(profile))
        return self._is_there[profile]


def _key(document: bytes, profile: str) -> bytes:
    return hashlib.sha256(profile.encode() + b"\n" + document).digest()
