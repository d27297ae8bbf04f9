"""What papers of a ceremony say, as fields: a participant's statement, the record of all, a signature on that.

What reads them is loaded where there is one: most files that people look at are none.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.errors import BadMessageSignature, MalformedMessage
from frost_hsm.forms import cms

_STATEMENT = re.compile(rb'\s*\{\s*"schema"\s*:\s*"frost-hsm/ceremony-statement/')
_PAGE = re.compile(rb"\s*<!doctype html", re.IGNORECASE)
_FINGERPRINT = re.compile(r"[0-9a-f]{4}(?: [0-9a-f]{4}){7}")
_VERIFY = "frost-hsm ceremony verify RECORD SIGNATURES"


def is_paper(data: bytes) -> bool:
    """Whether a file is meant to be one of them."""
    return any(found.match(data) for found in (_STATEMENT, _PAGE)) or cms.is_detached(data)


def describe(data: bytes, known: Iterable[PublicIdentity]) -> dict[str, object]:
    """Say what one of them is, and who made it. Raises `MalformedMessage`, and `BadMessageSignature`."""
    if _STATEMENT.match(data):
        return _statement(data, known)
    if _PAGE.match(data):
        return _record(data, known)
    return _signature(data, known)


def _statement(data: bytes, known: Iterable[PublicIdentity]) -> dict[str, object]:
    from frost_hsm.plans import statement

    said = statement.read(data.strip() + b"\n")
    agreed, machine = said.agreed, said.machine
    return {
        "kind": "statement of a participant in a ceremony",
        "name": said.name,
        "fingerprint": _digits(said.fingerprint),
        "identity": _standing(said.name, said.fingerprint, known),
        "signature": "none: a statement is not signed, the record of all of them is",
        "plan": agreed.plan,
        "suite": agreed.suite,
        "key": agreed.key,
        "ceremony": agreed.ceremony,
        "check_code": agreed.check_code,
        "transcript": agreed.transcript,
        "package": agreed.package,
        "confirmed": list(agreed.confirmed),
        "signed": [f"{each.file} {each.size} bytes, sha256 {each.sha256}" for each in agreed.signed],
        "program": f"{machine.program}, Python {machine.python}, {machine.system}",
        "token": f"{machine.label} (serial {machine.serial}), {machine.manufacturer} {machine.model}, {machine.module}",
        "began": said.began,
        "ended": said.ended,
    }


def _record(data: bytes, known: Iterable[PublicIdentity]) -> dict[str, object]:
    from frost_hsm.plans import record

    named = record.participants(data)
    known = list(known)
    return {
        "kind": "record of a ceremony",
        "sha256": hashlib.sha256(data).hexdigest(),
        "participants": [f"{name} {_require(told)}, {_standing(name, told, known)}" for name, told in named.items()],
        "signature": f"not in it: its signatures are files of their own; {_VERIFY}",
    }


def _signature(data: bytes, known: Iterable[PublicIdentity]) -> dict[str, object]:
    """Say whose it is. It verifies without the file that was signed, whose digest is what is signed."""
    from frost_hsm.plans import signature

    found = cms.parse_detached(data)
    signer = signature.signer_of(found)
    try:
        found.verify_digest(signer.sign_key)
    except BadMessageSignature as error:
        raise BadMessageSignature(f"BAD signature of {signer.name}: {error}") from None
    return {
        "kind": "signature of a participant on the record of a ceremony",
        "name": signer.name,
        "fingerprint": _digits(signer.fingerprint),
        "identity": _standing(signer.name, signer.fingerprint, known),
        "signature": "good, by the identity in it, on the file with this sha256",
        "sha256": found.content_digest.hex(),
        "see": _VERIFY,
    }


def _standing(name: str, fingerprint: str, known: Iterable[PublicIdentity]) -> str:
    """Say whether an identity is one that its owner's fingerprint was compared for."""
    mine = {each.fingerprint for each in known if each.name == name}
    if fingerprint in mine:
        return "known here"
    return f"ANOTHER than the {name} who is known here" if mine else "not known here"


def _require(fingerprint: str) -> str:
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise MalformedMessage("it names a fingerprint that is none")
    return fingerprint


def _digits(fingerprint: str) -> str:
    return _require(fingerprint).replace(" ", "")
