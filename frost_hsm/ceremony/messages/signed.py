"""Messages on their way: signed into a file, and read from one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast

from frost_hsm.ceremony.messages import changing, complaints, making, using
from frost_hsm.ceremony.messages.changing import Abandonment, RepairRequest
from frost_hsm.ceremony.messages.making import Proposal, RefreshProposal
from frost_hsm.ceremony.messages.memory import Memory
from frost_hsm.ceremony.messages.message import Enclosing, Message
from frost_hsm.ceremony.messages.using import SigningRequest
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.errors import ForeignMessage, InvalidContents, MalformedMessage, NotKnown, UnknownSender
from frost_hsm.forms import cms, der, pem

_KINDS: Final[dict[str, type[Message]]] = {
    kind.content_type: kind
    for kind in (
        making.Proposal,
        making.RefreshProposal,
        making.Round1,
        making.Round2,
        making.Dealing,
        making.Confirmation,
        changing.RepairRequest,
        changing.RepairDelta,
        changing.RepairSigma,
        changing.RepairDone,
        changing.Abandonment,
        changing.Standing,
        changing.GivenUp,
        using.SigningRequest,
        using.Commitment,
        using.Response,
        using.SecondResponse,
        using.Abort,
        using.Attempt,
        using.Prepared,
        complaints.Complaint,
        complaints.Opening,
    )
}

_REMEMBERED: Final = 4 << 20
_PARSED: Final[Memory[cms.SignedMessage]] = Memory(_REMEMBERED)
_DECODED: Final[Memory[Message]] = Memory(_REMEMBERED)
"""So nothing is verified twice in a process: what was parsed remembers whose it is."""

M = TypeVar("M", bound=Message)
N = TypeVar("N", bound=Message)


@dataclass(frozen=True, slots=True)
class Signed(Generic[M]):
    """A message whose signature was verified, and who it is from.

    content_digest: SHA-256 over the contents. der: the SignedData as received, proof of what the sender said.
    Two messages are the same if their contents are; a signature can be made twice.
    """

    message: M
    sender: PublicIdentity
    content_digest: bytes
    der: bytes = field(repr=False, compare=False)

    def expect(self, kind: type[N]) -> Signed[N]:
        """Return this as a message of one kind; raises `ForeignMessage` if it is of another."""
        if not isinstance(self.message, kind):
            raise ForeignMessage(f"this is the {self.message.title} of {self.sender.name}, not a {kind.title}")
        return cast("Signed[N]", self)

    def to_pem(self) -> bytes:
        """Write the file again as it was received."""
        return pem.encode(cms.PEM_LABEL, self.der)

    @property
    def enclosed(self) -> Mapping[bytes, bytes]:
        """The envelopes beside what is signed, by their hashes."""
        return self.message.enclosed if isinstance(self.message, Enclosing) else {}

    def joined(self, other: Signed[M]) -> Signed[M]:
        """Return this with the envelopes beside the other too, which says the same."""
        return self.given(other.enclosed)

    def given(self, envelopes: Mapping[bytes, bytes]) -> Signed[M]:
        """Return this with those of these envelopes too, by their hashes, that it names."""
        if not isinstance(self.message, Enclosing):
            return self
        return self._enclosing({**self.message.envelopes.given(envelopes).here, **self.enclosed})

    def part(self, digests: Collection[bytes]) -> Signed[M]:
        """Return this with no other envelopes than those of these hashes."""
        return self._enclosing({digest: data for digest, data in self.enclosed.items() if digest in digests})

    def _enclosing(self, here: Mapping[bytes, bytes]) -> Signed[M]:
        if not isinstance(self.message, Enclosing) or here.keys() == self.enclosed.keys():
            return self
        encoded = parse(self.der).enclosing(here.values())
        return Signed(cast("M", self.message.enclosing(here)), self.sender, self.content_digest, encoded)


def write(message: Message, holder: Holder) -> bytes:
    """Sign a message and return the PEM file to send, its envelopes beside it. One token operation."""
    enclosed = message.enclosed.values() if isinstance(message, Enclosing) else ()
    return pem.encode(cms.PEM_LABEL, cms.sign(message.content_type, message.encode(), holder, enclosed))


def read(data: bytes, roster: Roster | None = None) -> Signed[Any]:
    """Read a message, PEM or DER, from one of the roster, and verify its signature.

    roster: None reads what says itself who may sign it: a proposal, whose author has to be in the roster that it
    proposes, or a repair request.

    Raises `MalformedMessage`, `UnknownSender`, `BadMessageSignature`, and `ForeignMessage` for a message of
    another version or signed data of another type: all without a culprit. `InvalidContents`, naming the sender,
    if the signature is good and what it signs is not a message.
    """
    signed = parse(data)
    if roster is None:
        message = decode(signed)
        if isinstance(message, Proposal):
            sender = message.roster.by_signer(signed.signer_key_id)
        elif isinstance(message, RepairRequest):
            sender = message.by_signer(signed.signer_key_id)
        else:
            raise ForeignMessage(f"this is a {message.title}, not a {Proposal.title}")
        signed.verify(sender.sign_key)
    else:
        sender = roster.by_signer(signed.signer_key_id)
        signed.verify(sender.sign_key)
        try:
            message = _content(signed)
        except MalformedMessage as error:
            raise InvalidContents(
                f"{sender.name} signed what is not a message: {error}", culprits=[sender.name]
            ) from None
        message = _with_enclosed(message, signed)
    _require_author(message, sender, roster)
    return Signed(message, sender, signed.content_digest, signed.der)


def _require_author(message: Message, sender: PublicIdentity, roster: Roster | None) -> None:
    """Raise `UnknownSender` for what somebody else signed than it says: its id covers who wrote it."""
    if isinstance(message, Proposal):
        roster = message.roster
    if roster is not None and isinstance(message, Proposal | RefreshProposal | Abandonment | SigningRequest):
        try:
            author = roster.at(message.author)
        except NotKnown:
            author = None
        if author != sender:
            raise UnknownSender(f"{sender.name} signed a {message.title} that says it is of somebody else")


def parse(data: bytes) -> cms.SignedMessage:
    """Take a message, PEM or DER, apart without verifying anything; raises `MalformedMessage`."""
    if len(data) > cms.MAX_PEM_SIZE:
        raise MalformedMessage(f"a message is larger than {cms.MAX_PEM_SIZE} bytes")
    is_der = data[:1] == bytes((der.SEQUENCE,))
    encoded = data if is_der else pem.decode(cms.PEM_LABEL, data, "a message")[0]
    digest = hashlib.sha256(encoded).digest()
    return _PARSED.get(digest, len(encoded), lambda: cms.parse(encoded, may_enclose=True))


def decode(signed: cms.SignedMessage) -> Message:
    """Read what it says, without verifying anything; raises `MalformedMessage` and `ForeignMessage`."""
    return _with_enclosed(_content(signed), signed)


def _with_enclosed(message: Message, signed: cms.SignedMessage) -> Message:
    """Return a message with what lies beside it, all of which it has to name; nobody is at fault if it does not."""
    enclosed = {hashlib.sha256(data).digest(): data for data in signed.enclosed}
    named = message.enclosing(enclosed) if isinstance(message, Enclosing) else message
    if len(enclosed) != (len(named.enclosed) if isinstance(named, Enclosing) else 0):
        raise MalformedMessage(f"beside a {message.title} lies something that it does not name")
    return named


def _content(signed: cms.SignedMessage) -> Message:
    kind = _KINDS.get(signed.content_type)
    if kind is None:
        raise ForeignMessage("this is signed data, but no message of a type that is known here")
    digest = hashlib.sha256(signed.content_type.encode() + signed.content).digest()
    return _DECODED.get(digest, len(signed.content), lambda: kind.decode(signed.content))


def peek(data: bytes, kind: type[N]) -> N:
    """Read what a message says before its sender can be known: which key it is about. Nothing is verified.

    Raises `MalformedMessage`, and `ForeignMessage` for one of another kind.
    """
    message = decode(parse(data))
    if not isinstance(message, kind):
        raise ForeignMessage(f"this is a {message.title}, not a {kind.title}")
    return message


def transcript_hash(signed: Iterable[Signed[Any]]) -> bytes:
    """Return SHA-256 over the content digests, in the order given: that of the roster, or of the signers."""
    return hashlib.sha256(b"".join(each.content_digest for each in signed)).digest()
