"""CMS SignedData (RFC 5652) in one exact profile: one signer, known by key identifier, and nothing optional.

Version 3; SHA-256; the content inside, under a content type of its own; no certificates, for the reader has
them; signed attributes content-type and message-digest and no other, so no time; ecdsa-with-SHA256, low s. Beside
what is signed may lie *enclosures*, in an unsigned attribute of ours: worth something if the content names them.
``openssl cms -verify -binary -inform PEM -certfile FILE -CAfile FILE`` accepts it with the signer's identity
file.

A *detached* signature is for strangers: its content, of type data, lies in a file of its own, and the signer's
certificates come with it. ``openssl cms -verify -binary -inform DER -content FILE -CAfile FILE`` accepts that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from frost_hsm.errors import BadMessageSignature, MalformedMessage
from frost_hsm.forms import der, oids
from frost_hsm.forms.public_key import PublicKey

PEM_LABEL: Final = "CMS"
MAX_SIZE: Final = 12 << 20  # 16 MiB once it is in PEM
MAX_ENCLOSED: Final = 1024
MAX_PEM_SIZE: Final = 16 << 20
MAX_DETACHED_SIZE: Final = 65536
MAX_CERTIFICATES: Final = 4

_WHAT = "a signed message"
_SHA256 = der.algorithm(oids.SHA256)  # RFC 5754 §2: without parameters
_ECDSA = der.algorithm(oids.ECDSA_WITH_SHA256)


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A SignedData of the profile, of which only the structure has been checked. Call `verify`.

    content_type: dotted OID. signer_key_id: 20 bytes. content_digest: as the signer states it. enclosed: DER elements
    that nobody signed, each once, ascending. der: as received. It remembers the keys that it was verified with.
    """

    content_type: str
    content: bytes = field(repr=False)
    signer_key_id: bytes
    content_digest: bytes
    signature: bytes = field(repr=False)
    enclosed: tuple[bytes, ...] = field(repr=False)
    der: bytes = field(repr=False)
    _good_for: set[bytes] = field(default_factory=set, init=False, repr=False, compare=False)

    def verify(self, key: PublicKey) -> None:
        """Verify the digest of the content, and the signature; raises `BadMessageSignature`."""
        if key.digest in self._good_for:
            return
        if hashlib.sha256(self.content).digest() != self.content_digest:
            raise BadMessageSignature("the message was altered after it was signed")
        key.verify(self.signature, _signed_attributes(self.content_type, self.content_digest))
        self._good_for.add(key.digest)

    def enclosing(self, enclosed: Iterable[bytes]) -> bytes:
        """Return the DER of the same with other enclosures."""
        return _encode(
            self.content_type, self.content, self.signer_key_id, self.content_digest, self.signature, enclosed
        )


class Signer(Protocol):
    """Whoever signs: a public key, and what makes a DER signature of it with a low s."""

    @property
    def sign_key(self) -> PublicKey:
        """The key that verifies."""

    def sign(self, data: bytes) -> bytes:
        """Sign ``data``."""


def sign(content_type: str, content: bytes, signer: Signer, enclosed: Iterable[bytes] = ()) -> bytes:
    """Return the DER ContentInfo of ``content``, signed, with enclosures. One operation of the signer's token."""
    digest = hashlib.sha256(content).digest()
    signature = signer.sign(_signed_attributes(content_type, digest))
    return _encode(content_type, content, signer.sign_key.key_id, digest, signature, enclosed)


def parse(data: bytes, *, may_enclose: bool = False) -> SignedMessage:
    """Read a SignedData; raises `MalformedMessage` unless it is of the profile byte for byte.

    may_enclose: whether there may be enclosures: its reader then sees to it that the content names each of them.
    """
    if len(data) > MAX_SIZE:
        raise MalformedMessage(f"{_WHAT} is larger than {MAX_SIZE} bytes")
    outer = der.Reader(data, _WHAT).sequence()
    outer.skip()  # signedData
    signed_data = outer.inside(der.context(0)).sequence()
    signed_data.skip()  # the version
    signed_data.skip()  # the digest algorithms
    encapsulated = signed_data.sequence()
    content_type = encapsulated.oid()
    content = encapsulated.inside(der.context(0)).octet_string()
    signer = signed_data.inside(der.SET).sequence()
    key_id, digest, signature = _read_signer(signer)
    enclosed = _read_enclosed(signer) if may_enclose else ()
    der.require_same(_encode(content_type, content, key_id, digest, signature, enclosed), data, _WHAT)
    return SignedMessage(content_type, content, key_id, digest, signature, enclosed, data)


@dataclass(frozen=True, slots=True)
class DetachedSignature:
    """A detached SignedData of the profile, of which only the structure has been checked. Call `verify`.

    certificates: DER, in the order that DER gives a set. signer_key_id: 20 bytes. content_digest: as the signer states
    it.
    """

    certificates: tuple[bytes, ...] = field(repr=False)
    signer_key_id: bytes
    content_digest: bytes
    signature: bytes = field(repr=False)

    def verify(self, key: PublicKey, content: bytes) -> None:
        """Verify that this is the content, and the signature; raises `BadMessageSignature`."""
        if hashlib.sha256(content).digest() != self.content_digest:
            raise BadMessageSignature("the file is not the one that was signed")
        self.verify_digest(key)

    def verify_digest(self, key: PublicKey) -> None:
        """Verify the signature, on whatever file has the digest; raises `BadMessageSignature`."""
        key.verify(self.signature, _signed_attributes(oids.DATA, self.content_digest))


def sign_detached(content: bytes, signer: Signer, certificates: Sequence[bytes]) -> bytes:
    """Return the DER ContentInfo of a signature on ``content``, without it. One operation of the signer's token."""
    digest = hashlib.sha256(content).digest()
    signature = signer.sign(_signed_attributes(oids.DATA, digest))
    return _encode(oids.DATA, None, signer.sign_key.key_id, digest, signature, certificates=certificates)


def is_detached(data: bytes) -> bool:
    """Whether this is a SignedData, of the profile or not, whose content is of type data, as of a detached one."""
    try:
        outer = der.Reader(data, _WHAT).sequence()
        if outer.oid() != oids.SIGNED_DATA:
            return False
        signed_data = outer.inside(der.context(0)).sequence()
        signed_data.skip()  # the version
        signed_data.skip()  # the digest algorithms
        return signed_data.sequence().oid() == oids.DATA
    except MalformedMessage:
        return False


def parse_detached(data: bytes) -> DetachedSignature:
    """Read a detached SignedData; raises `MalformedMessage` unless it is of the profile byte for byte."""
    what = "a detached signature"
    if len(data) > MAX_DETACHED_SIZE:
        raise MalformedMessage(f"{what} is larger than {MAX_DETACHED_SIZE} bytes")
    outer = der.Reader(data, what).sequence()
    outer.skip()  # signedData
    signed_data = outer.inside(der.context(0)).sequence()
    for _ in range(3):
        signed_data.skip()  # the version, the digest algorithms, the content that is not there
    inside = signed_data.inside(der.context(0))
    certificates: list[bytes] = []
    while inside.more() and len(certificates) < MAX_CERTIFICATES:
        certificates.append(inside.whole(der.SEQUENCE))
    key_id, digest, signature = _read_signer(signed_data.inside(der.SET).sequence())
    der.require_same(_encode(oids.DATA, None, key_id, digest, signature, certificates=certificates), data, what)
    return DetachedSignature(tuple(certificates), key_id, digest, signature)


def _encode(
    content_type: str,
    content: bytes | None,
    key_id: bytes,
    digest: bytes,
    signature: bytes,
    enclosed: Iterable[bytes] = (),
    certificates: Sequence[bytes] = (),
) -> bytes:
    inside = [] if content is None else [der.element(der.context(0), der.octet_string(content))]
    unsigned = [attribute(oids.ENCLOSURES, *values)] if (values := set(enclosed)) else []
    signer_info = der.sequence(
        der.integer(3),
        der.element(der.context(0, constructed=False), key_id),
        _SHA256,
        der.element(der.context(0), *_attributes(content_type, digest)),
        _ECDSA,
        der.octet_string(signature),
        *(der.element(der.context(1), each) for each in unsigned),
    )
    signed_data = der.sequence(
        der.integer(3),
        der.set_of(_SHA256),
        der.sequence(der.oid(content_type), *inside),
        *([der.element(der.context(0), *sorted(certificates))] if certificates else []),
        der.set_of(signer_info),
    )
    return der.sequence(der.oid(oids.SIGNED_DATA), der.element(der.context(0), signed_data))


def _read_signer(signer: der.Reader) -> tuple[bytes, bytes, bytes]:
    """Return the key identifier, the digest and the signature of a SignerInfo."""
    signer.skip()  # the version
    key_id = signer.contents(der.context(0, constructed=False))
    signer.skip()  # the digest algorithm
    digest = _message_digest(signer.inside(der.context(0)))
    signer.skip()  # the signature algorithm
    signature = signer.octet_string()
    if len(key_id) != 20 or len(digest) != 32:
        raise MalformedMessage(f"{_WHAT} has a key identifier or a digest of another length")
    return key_id, digest, signature


def _signed_attributes(content_type: str, digest: bytes) -> bytes:
    """Encode the attributes as they are signed: as a SET, though the SignerInfo holds them under [0]."""
    return der.set_of(*_attributes(content_type, digest))


def _attributes(content_type: str, digest: bytes) -> list[bytes]:
    return sorted(
        (
            attribute(oids.CONTENT_TYPE, der.oid(content_type)),
            attribute(oids.MESSAGE_DIGEST, der.octet_string(digest)),
        )
    )


def attribute(kind: str, *values: bytes) -> bytes:
    """Encode an Attribute with its values."""
    return der.sequence(der.oid(kind), der.set_of(*values))


def _read_enclosed(signer: der.Reader) -> tuple[bytes, ...]:
    """Return what lies in the unsigned attribute, if there is one; whether it is the right one, re-encoding shows."""
    if not signer.more():
        return ()
    attribute_ = signer.inside(der.context(1)).sequence()
    attribute_.skip()  # its type
    values = attribute_.inside(der.SET)
    found: list[bytes] = []
    while values.more() and len(found) <= MAX_ENCLOSED:
        found.append(values.whole(der.SEQUENCE))
    if len(found) > MAX_ENCLOSED:
        raise MalformedMessage(f"{_WHAT} has more than {MAX_ENCLOSED} enclosures")
    return tuple(found)


def _message_digest(attributes: der.Reader) -> bytes:
    """Find the message-digest value among the attributes; whether the rest is right, re-encoding shows."""
    while attributes.more():
        each = attributes.sequence()
        if each.oid() == oids.MESSAGE_DIGEST:
            return each.inside(der.SET).octet_string()
    raise MalformedMessage(f"{_WHAT} states no digest")
