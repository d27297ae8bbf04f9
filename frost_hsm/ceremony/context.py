"""What an envelope is bound to. An envelope opens only where all of it is as expected."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from frost_hsm.ceremony import der
from frost_hsm.errors import MalformedMessage, SealBroken


class Kind(StrEnum):
    """What an envelope holds."""

    ROUND2_SHARE = "round2-share"
    ROUND1_STATE = "round1-state"
    ROUND2_DONE = "round2-done"
    SIGNING_SHARE = "signing-share"
    SIGNING_NONCES = "signing-nonces"
    BOUND_NONCES = "bound-nonces"
    DEALT_SHARE = "dealt-share"
    REPAIR_DELTA = "repair-delta"
    REPAIR_SIGMA = "repair-sigma"


@dataclass(frozen=True, slots=True)
class Context:
    """The public header of an envelope: it enters the key derivation and is authenticated with the content.

    ceremony: 32 bytes, or empty where there is none. suite: the ciphersuite's id. sender: SHA-256 of the
    sender's sign key, recipient: SHA-256 of the recipient's agree key (`PublicKey.digest`, 32 bytes each).
    key: the group's verifying key, or empty before there is one. epoch: how often the key was refreshed.
    binding: whatever else this kind is bound to, may be empty.

    Encoded as SEQUENCE { version INTEGER (1), ceremony OCTET STRING, kind UTF8String, suite UTF8String,
    sender, recipient, key OCTET STRING, epoch INTEGER, binding OCTET STRING }.
    """

    ceremony: bytes
    kind: Kind
    suite: str
    sender: bytes
    recipient: bytes
    key: bytes = b""
    epoch: int = 0
    binding: bytes = b""

    def encode(self) -> bytes:
        """Encode in DER."""
        return der.sequence(
            der.integer(1),
            der.octet_string(self.ceremony),
            der.utf8_string(self.kind),
            der.utf8_string(self.suite),
            der.octet_string(self.sender),
            der.octet_string(self.recipient),
            der.octet_string(self.key),
            der.integer(self.epoch),
            der.octet_string(self.binding),
        )

    @classmethod
    def decode(cls, data: bytes) -> Context:
        """Read what `encode` wrote; raises `MalformedMessage`."""
        reader = der.Reader(data, "an envelope's context").sequence()
        reader.skip()  # the version
        ceremony, kind = reader.octet_string(), reader.utf8_string()
        if kind not in tuple(Kind):
            raise MalformedMessage("an envelope's context is of no kind that is known here")
        context = cls(
            ceremony,
            Kind(kind),
            suite=reader.utf8_string(),
            sender=reader.octet_string(),
            recipient=reader.octet_string(),
            key=reader.octet_string(),
            epoch=reader.integer(),
            binding=reader.octet_string(),
        )
        der.require_same(context.encode(), data, "an envelope's context")
        return context

    def require(self, expected: Context) -> None:
        """Raise `SealBroken`, naming the first field that differs, unless this is the expected context."""
        for field in fields(self):
            if getattr(self, field.name) != getattr(expected, field.name):
                raise SealBroken(f"the envelope of this {expected.kind} is bound to another {field.name}")
