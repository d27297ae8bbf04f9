"""How the key of an envelope reaches a recipient: CMS RecipientInfo, one form for each type of token key.

P-256: KeyAgreeRecipientInfo, ephemeral-static ECDH, X9.63 KDF with SHA-256, AES-256 key wrap (RFC 5753). The
envelope's context is the ``ukm``, so that a wrapped key is of no use under another context. RSA:
KeyTransRecipientInfo with RSAES-OAEP (RFC 3560), which has no room for the context; what is encrypted binds it.

A token is asked only for what its holder's certificate says it does. What is random here is derived from the
envelope's seed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from frost_hsm.ceremony.people.identity import Addressee, Holder
from frost_hsm.ceremony.sealing import seeds
from frost_hsm.ceremony.sealing.context import Context
from frost_hsm.errors import MalformedMessage, SealBroken
from frost_hsm.forms import der, oids
from frost_hsm.forms.certificate import OAEP_ALGORITHM
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.forms.public_key import point
from frost_hsm.secret import Secret

KEY_LENGTH: Final = 32

_KEY_WRAP = der.algorithm(oids.AES256_WRAP)  # RFC 3565 §2.3.2: without parameters
_KEY_AGREEMENT = der.algorithm(oids.STD_DH_SHA256_KDF, _KEY_WRAP)
_EPHEMERAL = der.algorithm(oids.EC_PUBLIC_KEY)  # the curve is that of the recipient's key
_KEY_BITS = der.element(der.context(2), der.octet_string((8 * KEY_LENGTH).to_bytes(4, "big")))
_CURVE = der.element(der.context(0), der.oid(oids.PRIME256V1))
_PRIVATE_KEY = der.sequence(der.integer(1), der.octet_string(bytes(32)), _CURVE)[: -32 - len(_CURVE)]
"""What stands before the scalar in an ECPrivateKey (RFC 5915) that ends with ``_CURVE``."""


@dataclass(frozen=True, slots=True)
class KeyAgreement:
    """KeyAgreeRecipientInfo.

    key_id: the recipient's agree key. ephemeral: 65-byte point. ukm: the context, DER. wrapped: 40 bytes.
    """

    key_id: bytes
    ephemeral: bytes
    ukm: bytes
    wrapped: bytes

    def encode(self) -> bytes:
        """Encode as the RecipientInfo alternative [1]."""
        originator_key = der.element(der.context(1), _EPHEMERAL, der.bit_string(self.ephemeral))
        recipient_id = der.element(der.context(0), der.octet_string(self.key_id))
        return der.element(
            der.context(1),
            der.integer(3),
            der.element(der.context(0), originator_key),
            der.element(der.context(1), der.octet_string(self.ukm)),
            _KEY_AGREEMENT,
            der.sequence(der.sequence(recipient_id, der.octet_string(self.wrapped))),
        )

    @classmethod
    def read(cls, reader: der.Reader) -> KeyAgreement:
        """Read what `encode` wrote; the envelope's re-encoding checks the rest."""
        info = reader.inside(der.context(1))
        info.skip()  # the version
        originator = info.inside(der.context(0)).inside(der.context(1))
        originator.skip()  # the algorithm
        ephemeral = originator.contents(der.BIT_STRING)[1:]
        ukm = info.inside(der.context(1)).octet_string()
        info.skip()  # the algorithm
        key = info.sequence().sequence()
        return cls(key.inside(der.context(0)).octet_string(), ephemeral, ukm, key.octet_string())

    @classmethod
    def wrap(
        cls, key: Secret, context: bytes, key_id: bytes, recipient: ec.EllipticCurvePublicKey, seed: Secret
    ) -> Self:
        """Wrap ``key`` under the ephemeral key that belongs to ``seed``."""
        ephemeral = _ephemeral(seed)
        encoded = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        # The library hands x out as bytes, which cannot be wiped. It opens this one envelope only.
        with (
            Secret(ephemeral.exchange(ec.ECDH(), recipient)) as shared,
            _kek(shared, context) as kek,
            kek.reveal() as kek_view,
            key.reveal() as key_view,
        ):
            return cls(key_id, encoded, context, aes_key_wrap(kek_view, key_view))

    def require(self, expected: Context, recipient: Addressee) -> None:
        """Check what shows without a key. Raises `SealBroken` for another context, `MalformedMessage`."""
        Context.decode(self.ukm).require(expected)
        if recipient.agree_key.is_rsa:
            raise MalformedMessage("an envelope has another form than its recipient's key")
        point(self.ephemeral)  # a token never sees a point that was not checked here

    def unwrap(self, holder: Holder) -> Secret:
        """Have the holder's token agree, and unwrap the key: one token operation, after `require`.

        Raises `InvalidUnwrap`.
        """
        with (
            holder.token.agree(holder.identity.agree_key_id, self.ephemeral) as shared,
            _kek(shared, self.ukm) as kek,
            kek.reveal() as view,
        ):
            # The library returns the key as bytes, which cannot be wiped. It opens this one envelope only.
            return Secret(aes_key_unwrap(view, self.wrapped))


@dataclass(frozen=True, slots=True)
class KeyTransport:
    """KeyTransRecipientInfo. key_id: the recipient's agree key. encrypted: as long as the RSA modulus."""

    key_id: bytes
    oaep_hash: OaepHash
    encrypted: bytes

    def encode(self) -> bytes:
        """Encode as the RecipientInfo alternative without a tag of its own."""
        return der.sequence(
            der.integer(2),
            der.element(der.context(0, constructed=False), self.key_id),
            OAEP_ALGORITHM[self.oaep_hash],
            der.octet_string(self.encrypted),
        )

    @classmethod
    def read(cls, reader: der.Reader) -> KeyTransport:
        """Read what `encode` wrote; the envelope's re-encoding checks the rest."""
        info = reader.sequence()
        info.skip()  # the version
        key_id, algorithm = info.contents(der.context(0, constructed=False)), info.whole(der.SEQUENCE)
        for oaep_hash, known in OAEP_ALGORITHM.items():
            if algorithm == known:
                return cls(key_id, oaep_hash, info.octet_string())
        raise MalformedMessage("an envelope's recipient has another algorithm than RSAES-OAEP")

    @classmethod
    def wrap(cls, key: Secret, key_id: bytes, recipient: rsa.RSAPublicKey, oaep_hash: OaepHash, seed: Secret) -> Self:
        """Encrypt ``key`` with the hash that the recipient's token knows; OAEP's own seed belongs to ``seed``."""
        from Crypto.Cipher import PKCS1_OAEP  # here, because few recipients have an RSA key; it takes a seed
        from Crypto.Hash import SHA1, SHA256
        from Crypto.PublicKey import RSA

        def random(length: int) -> bytes:
            with seeds.expand(seed, b"oaep", length) as derived, derived.reveal() as view:
                return bytes(view)

        numbers = recipient.public_numbers()
        # SHA-1 is what SoftHSM and some cards know; in OAEP nothing rests on its collision resistance.
        algorithm = SHA256 if oaep_hash is OaepHash.SHA256 else SHA1
        cipher = PKCS1_OAEP.new(RSA.construct((numbers.n, numbers.e)), algorithm, randfunc=random)
        with key.reveal() as view:
            # The library takes bytes only: copies that cannot be wiped. They open this one envelope only.
            return cls(key_id, oaep_hash, cipher.encrypt(bytes(view)))

    def require(self, _expected: Context, recipient: Addressee) -> None:
        """Check what shows without a key, which is not the context. Raises `MalformedMessage`."""
        if self.oaep_hash is not recipient.oaep_hash:
            raise MalformedMessage("an envelope has another form than its recipient's key")

    def unwrap(self, holder: Holder) -> Secret:
        """Have the holder's token decrypt the key: one token operation, after `require`. Raises `InvalidUnwrap`."""
        try:
            return holder.token.decrypt(holder.identity.agree_key_id, self.encrypted, self.oaep_hash)
        except SealBroken:
            raise InvalidUnwrap from None  # what the token says is not told: it would be an oracle


Recipient = KeyAgreement | KeyTransport


def wrap(key: Secret, context: bytes, recipient: Addressee, seed: Secret) -> Recipient:
    """Make the key of an envelope, 32 bytes, available to one recipient. context: DER. seed: the envelope's."""
    key_id, handle = recipient.agree_key.key_id, recipient.agree_key.handle
    with seeds.expand(seed, b"recipient " + key_id) as own:
        if isinstance(handle, ec.EllipticCurvePublicKey):
            return KeyAgreement.wrap(key, context, key_id, handle, own)
        # An identity with an RSA key states the hash, or it would have been refused.
        return KeyTransport.wrap(key, key_id, handle, cast(OaepHash, recipient.oaep_hash), own)


def read(reader: der.Reader) -> Recipient:
    """Read one RecipientInfo of either form; raises `MalformedMessage`."""
    return KeyTransport.read(reader) if reader.has(der.SEQUENCE) else KeyAgreement.read(reader)


def _kek(shared: Secret, ukm: bytes) -> Secret:
    """Derive the key-encryption key: X9.63 over ECC-CMS-SharedInfo (RFC 5753 §7.2)."""
    shared_info = der.sequence(_KEY_WRAP, der.element(der.context(0), der.octet_string(ukm)), _KEY_BITS)
    kek = Secret.zeros(KEY_LENGTH)
    with shared.reveal() as material, kek.reveal() as target:
        X963KDF(hashes.SHA256(), KEY_LENGTH, shared_info).derive_into(material, target)
    return kek


def _ephemeral(seed: Secret) -> ec.EllipticCurvePrivateKey:
    """Derive a private key: the first candidate below the group order, at once for all but one seed in 2^32."""
    attempt = 0
    while True:
        with (
            seeds.expand(seed, b"ephemeral %d" % attempt) as scalar,
            Secret.join(_PRIVATE_KEY, scalar, _CURVE) as encoded,
            encoded.reveal() as view,
            suppress(ValueError),
        ):
            return cast(ec.EllipticCurvePrivateKey, load_der_private_key(view, None))
        attempt += 1
