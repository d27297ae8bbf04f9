"""The one envelope for everything secret: CMS AuthEnvelopedData (RFC 5083, RFC 5084), AES-256-GCM.

Everything random in an envelope, its key, its nonce and the ephemeral keys, is derived from one fresh seed, so that
whoever made it can make the same again, or show what is in it (`reopen`) without anybody's key. The seed lies inside of
it too, so that whoever opens it makes it again and sees that every other recipient gets the same. It is bound to its
context twice: the context is the ``ukm`` from which a P-256 recipient's wrapping key is derived, and its SHA-256 is the
first 32 bytes of what is encrypted, before the seed and the secret itself. What we keep for ourselves (`seal`) is an
envelope to our own agree key inside a SignedData by our own sign key; what we send to others (`encrypt`) lies in a
signed message.

``openssl cms -decrypt -inform PEM -inkey KEY -recip CERTIFICATE`` opens an envelope with the private key. The
context would have its place among authenticated attributes, but OpenSSL could not read those before the
summer of 2026 (openssl/openssl#31635), and without them one profile is open to all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap

from frost_hsm.ceremony.people.identity import Addressee, Holder, PublicIdentity
from frost_hsm.ceremony.sealing import recipients, seeds
from frost_hsm.ceremony.sealing.context import Context
from frost_hsm.ceremony.sealing.recipients import Recipient
from frost_hsm.errors import ForeignMessage, InputProblem, MalformedMessage, NotPossible, SealBroken
from frost_hsm.forms import cms, der, oids
from frost_hsm.secret import Entropy, Secret, system_entropy

MAX_SIZE: Final = 1 << 20
MAX_RECIPIENTS: Final = 4

_WHAT = "an envelope"
_NONCE_LENGTH = 12
_TAG_LENGTH = 16
_HASH_LENGTH = 32
_BEFORE = _HASH_LENGTH + seeds.SEED_LENGTH  # bytes before the secret
_KEY = b"key"


@dataclass(frozen=True, slots=True)
class Envelope:
    """An AuthEnvelopedData of the profile. sealed: ciphertext and, at its end, the 16-byte tag."""

    recipients: tuple[Recipient, ...]
    nonce: bytes
    sealed: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Encode as a DER ContentInfo."""
        parameters = der.sequence(der.octet_string(self.nonce), der.integer(_TAG_LENGTH))
        content = der.sequence(
            der.oid(oids.DATA),
            der.algorithm(oids.AES256_GCM, parameters),
            der.element(der.context(0, constructed=False), self.sealed[:-_TAG_LENGTH]),
        )
        enveloped = der.sequence(
            der.integer(0),
            der.set_of(*(recipient.encode() for recipient in self.recipients)),
            content,
            der.octet_string(self.sealed[-_TAG_LENGTH:]),
        )
        return der.sequence(der.oid(oids.AUTH_ENVELOPED_DATA), der.element(der.context(0), enveloped))

    @classmethod
    def decode(cls, data: bytes) -> Envelope:
        """Read what `encode` wrote; raises `MalformedMessage`. Needs no key and proves nothing."""
        if len(data) > MAX_SIZE:
            raise MalformedMessage(f"{_WHAT} is larger than {MAX_SIZE} bytes")
        outer = der.Reader(data, _WHAT).sequence()
        outer.skip()  # authEnvelopedData
        enveloped = outer.inside(der.context(0)).sequence()
        enveloped.skip()  # the version
        infos = enveloped.inside(der.SET)
        found: list[Recipient] = []
        while infos.more() and len(found) <= MAX_RECIPIENTS:
            found.append(recipients.read(infos))
        content = enveloped.sequence()
        content.skip()  # the type
        algorithm = content.sequence()
        algorithm.skip()  # AES-256-GCM
        nonce = algorithm.sequence().octet_string()
        ciphertext, tag = content.contents(der.context(0, constructed=False)), enveloped.octet_string()
        if not 1 <= len(found) <= MAX_RECIPIENTS:
            raise MalformedMessage(f"{_WHAT} has not 1 to {MAX_RECIPIENTS} recipients")
        if len(nonce) != _NONCE_LENGTH or len(tag) != _TAG_LENGTH or len(ciphertext) < _BEFORE:
            raise MalformedMessage(f"{_WHAT} has contents, a nonce or a tag of another length than it may")
        envelope = cls(tuple(found), nonce, ciphertext + tag)
        der.require_same(envelope.encode(), data, _WHAT)
        return envelope


def encrypt(
    context: Context,
    plaintext: Secret,
    to: Sequence[Addressee],
    *,
    seed: Secret | None = None,
    entropy: Entropy = system_entropy,
) -> bytes:
    """Put ``plaintext`` into an envelope that each recipient can open; returns a DER ContentInfo.

    to: the recipient that the context names, then at most three others (for recovery). seed: 32 bytes that serve for
    this context and plaintext alone; whoever has them can open the envelope. None draws one from ``entropy`` and
    forgets it. Touches no token.
    """
    if not 1 <= len(to) <= MAX_RECIPIENTS or context.recipient != to[0].agree_key.digest:
        raise NotPossible(f"an envelope has 1 to {MAX_RECIPIENTS} recipients, and its context names the first")
    if seed is None:
        with seeds.draw(entropy) as fresh:
            return encrypt(context, plaintext, to, seed=fresh)
    encoded = context.encode()
    with (
        seeds.expand(seed, _KEY, recipients.KEY_LENGTH) as key,
        Secret.join(hashlib.sha256(encoded).digest(), seed, plaintext) as contents,
    ):
        nonce, sealed = _nonce(seed), bytearray(len(contents) + _TAG_LENGTH)
        with key.reveal() as key_view, contents.reveal() as source:
            AESGCM(key_view).encrypt_into(nonce, source, None, sealed)
        wrapped = tuple(recipients.wrap(key, encoded, recipient, seed) for recipient in to)
    return Envelope(wrapped, nonce, bytes(sealed)).encode()


def _nonce(seed: Secret) -> bytes:
    with seeds.expand(seed, b"nonce", _NONCE_LENGTH) as public, public.reveal() as view:
        return bytes(view)


def reopen(data: bytes, context: Context, to: Sequence[Addressee], seed: Secret) -> Secret:
    """Open an envelope with its seed; touches no token.

    Raises `SealBroken` unless it is, byte for byte, what `encrypt` makes of the seed and of what is in it: so the
    recipients, too, find exactly this.
    """
    try:
        envelope = Envelope.decode(data)
        with seeds.expand(seed, _KEY, recipients.KEY_LENGTH) as key:
            inner, plaintext = _unlock(envelope, key, context)
            inner.wipe()
    except (ForeignMessage, MalformedMessage, InvalidTag):
        raise SealBroken("the seed does not open the envelope") from None
    if encrypt(context, plaintext, to, seed=seed) != data:
        plaintext.wipe()
        raise SealBroken("the seed opens the envelope, but its recipients cannot")
    return plaintext


def decrypt(data: bytes, expected: Context, holder: Holder, to: Sequence[Addressee] | None = None) -> Secret:
    """Open an envelope with the holder's agree key; one token operation.

    to: everybody who has to be able to open it, as its sender was bound to encrypt it; None does not ask. What is in it
    is made again with the seed that is in it, and has to be the same: so each of the others finds this too.

    Raises `SealBroken`: where the envelope shows its context, naming the field that is not as expected, else
    with one sentence whatever the cause; and `TokenProblem`. An envelope proves nothing about who made it:
    the signature around it has to be verified first.
    """
    try:
        envelope = Envelope.decode(data)
        if to is not None:
            _require_recipients(envelope, to)
        seed, plaintext = _open(envelope, expected, holder)
    except (ForeignMessage, MalformedMessage, InvalidTag, InvalidUnwrap):
        raise SealBroken("the envelope does not open") from None
    with seed:
        if to is not None and encrypt(expected, plaintext, to, seed=seed) != data:
            plaintext.wipe()
            raise SealBroken("the envelope opens, but not for everybody whom it is for")
    return plaintext


def _require_recipients(envelope: Envelope, to: Sequence[Addressee]) -> None:
    if {each.key_id for each in envelope.recipients} != {each.agree_key.key_id for each in to} or len(to) != len(
        envelope.recipients
    ):
        raise MalformedMessage(f"{_WHAT} is for other recipients")


def _open(envelope: Envelope, expected: Context, holder: Holder) -> tuple[Secret, Secret]:
    with _addressed(envelope, expected, holder.public).unwrap(holder) as key:
        return _unlock(envelope, key, expected)


def require_addressed(data: bytes, expected: Context, to: Sequence[Addressee]) -> None:
    """Check what shows without a key: that this is an envelope, for just these recipients, and in which context.

    Raises `MalformedMessage`, `SealBroken`. What is in it only a recipient sees; RSA shows no context.
    """
    envelope = Envelope.decode(data)
    _require_recipients(envelope, to)
    for each in to:
        _addressed(envelope, expected, each)


def _addressed(envelope: Envelope, expected: Context, to: Addressee) -> Recipient:
    """Return the part of an envelope that is for somebody, once it is seen to be what their token can open."""
    own = [each for each in envelope.recipients if each.key_id == to.agree_key.key_id]
    if not own:
        raise MalformedMessage(f"{_WHAT} is for other recipients")
    own[0].require(expected, to)
    return own[0]


def _unlock(envelope: Envelope, key: Secret, expected: Context) -> tuple[Secret, Secret]:
    """Decrypt seed and secret; raises `InvalidTag`, and `MalformedMessage` for those of another context."""
    if len(key) != recipients.KEY_LENGTH:
        raise MalformedMessage(f"{_WHAT} has a key of another length")
    with (
        Secret.zeros(len(envelope.sealed) - _TAG_LENGTH) as contents,
        key.reveal() as key_view,
        contents.reveal() as target,
    ):
        AESGCM(key_view).decrypt_into(envelope.nonce, envelope.sealed, None, target)
        if target[:_HASH_LENGTH] != hashlib.sha256(expected.encode()).digest():
            raise MalformedMessage(f"{_WHAT} was made for another context")
        return Secret(target[_HASH_LENGTH:_BEFORE]), Secret(target[_BEFORE:])


def try_token(context: Context, holder: Holder) -> None:
    """Open an envelope of our own: the token works, so that what does not open after this is its sender's fault.

    context: from ourselves to ourselves. Raises what `decrypt` raises.
    """
    with Secret(context.ceremony) as public:
        decrypt(encrypt(context, public, [holder.public]), context, holder).wipe()


def seal(
    context: Context,
    plaintext: Secret,
    holder: Holder,
    also: Sequence[PublicIdentity] = (),
    *,
    entropy: Entropy = system_entropy,
) -> bytes:
    """Seal a record for ourselves, and for up to three others: an envelope, signed by the holder's token."""
    if context.sender != holder.public.sign_key.digest:
        raise NotPossible("a sealed record names another sender than the one who seals it")
    envelope = encrypt(context, plaintext, (holder.public, *also), entropy=entropy)
    return cms.sign(oids.SEALED_RECORD, envelope, holder)


def unseal(data: bytes, expected: Context, holder: Holder) -> Secret:
    """Open a record that `seal` made with the same identity. Raises as `decrypt` does."""
    try:
        record = cms.parse(data)
        record.verify(holder.public.sign_key)
    except InputProblem:
        raise SealBroken("the sealed record was altered, or was not sealed by this identity") from None
    if record.content_type != oids.SEALED_RECORD or record.signer_key_id != holder.public.sign_key.key_id:
        raise SealBroken("what should be a sealed record is something else")
    return decrypt(record.content, expected, holder)
