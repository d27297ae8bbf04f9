"""What an envelope is bound to. An envelope opens only where all of it is as expected."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from frost_hsm.errors import MalformedMessage, SealBroken
from frost_hsm.forms import der
from frost_hsm.forms.asn1 import NUMBER, OCTETS, TEXT, Form, Structure


class Kind(StrEnum):
    """What an envelope holds."""

    ROUND2_SHARE = "round2-share"
    ROUND1_STATE = "round1-state"
    ROUND2_DONE = "round2-done"
    SIGNING_SHARE = "signing-share"
    SIGNING_NONCES = "signing-nonces"
    DEALT_SHARE = "dealt-share"
    REPAIR_DELTA = "repair-delta"
    REPAIR_SIGMA = "repair-sigma"


def _read_kind(reader: der.Reader) -> Kind:
    kind = reader.utf8_string()
    if kind not in tuple(Kind):
        raise MalformedMessage("an envelope's context is of no kind that is known here")
    return Kind(kind)


@dataclass(frozen=True, slots=True)
class Context(Structure):
    """The public header of an envelope: it enters the key derivation and is authenticated with the content.

    ceremony: 32 bytes, or empty where there is none. suite: the ciphersuite's id. sender: SHA-256 of the
    sender's sign key, recipient: SHA-256 of the recipient's agree key (`PublicKey.digest`, 32 bytes each).
    key: the group's verifying key, or the digest of its state where that is what changes; empty before there is one.
    epoch: how often the key was refreshed. binding: whatever else this kind is bound to, may be empty.

    SEQUENCE { version INTEGER (2), ceremony OCTET STRING, kind UTF8String, suite UTF8String,
    sender, recipient, key OCTET STRING, epoch INTEGER, binding OCTET STRING }
    """

    title = "context of an envelope"
    asn1 = (OCTETS, Form(der.UTF8_STRING, der.utf8_string, _read_kind), TEXT, OCTETS, OCTETS, OCTETS, NUMBER, OCTETS)

    ceremony: bytes
    kind: Kind
    suite: str
    sender: bytes
    recipient: bytes
    key: bytes = b""
    epoch: int = 0
    binding: bytes = b""

    def require(self, expected: Context) -> None:
        """Raise `SealBroken`, naming the first field that differs, unless this is the expected context."""
        for field in fields(self):
            if getattr(self, field.name) != getattr(expected, field.name):
                raise SealBroken(f"the envelope of this {expected.kind} is bound to another {field.name}")
