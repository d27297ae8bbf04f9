"""Who a participant is: two keys in their token, and the two certificates that make these keys known.

`PublicIdentity` is what others see (``alice.identity.pem``); `Identity` is what its owner notes down besides,
still public; `Holder` is the owner at work, with the token open. Identities are made by `create` or `adopt`,
and found again on a token by `find`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Final, Self

from frost_hsm.backends import KeyKind, OaepHash, Token, TokenInfo, TokenKey
from frost_hsm.ceremony import certificate, pem, public_key
from frost_hsm.ceremony.certificate import Certificate
from frost_hsm.ceremony.names import NAME, require_name
from frost_hsm.ceremony.public_key import PublicKey
from frost_hsm.errors import (
    InputProblem,
    KeyExists,
    KeyNotFound,
    KeyPolicy,
    MalformedMessage,
    MechanismUnsupported,
    NotPossible,
)
from frost_hsm.secret import Entropy, system_entropy

PEM_LABEL: Final = "CERTIFICATE"
MAX_PEM_SIZE: Final = 32768


def fingerprint(digest: bytes) -> str:
    """Write the first 128 bits of a digest for people to compare: eight groups of four hexadecimal digits."""
    return digest[:16].hex(" ", 2)


@dataclass(frozen=True, slots=True)
class PublicIdentity:
    """A participant's name and public keys, as their own sign key certifies them; valid by construction.

    sign_certificate, agree_certificate: DER, in the exact profile of `frost_hsm.ceremony.certificate`. Raises
    `MalformedMessage` or `BadMessageSignature` if they are not, or do not belong together.
    """

    sign_certificate: bytes = field(repr=False)
    agree_certificate: bytes = field(repr=False)
    name: str = field(init=False, compare=False)
    sign_key: PublicKey = field(init=False, repr=False, compare=False)
    agree_key: PublicKey = field(init=False, repr=False, compare=False)
    oaep_hash: OaepHash | None = field(init=False, repr=False, compare=False)  # given exactly if agree_key is RSA

    def __post_init__(self) -> None:
        sign = certificate.parse(self.sign_certificate)
        agree = certificate.parse(self.agree_certificate, issuer=sign.key)
        if not NAME.fullmatch(sign.name):
            raise MalformedMessage("an identity has a name that is none")
        if agree.name != sign.name or agree.key == sign.key:
            raise MalformedMessage(f'the two certificates of identity "{sign.name}" do not belong together')
        for attribute, value in (
            ("name", sign.name),
            ("sign_key", sign.key),
            ("agree_key", agree.key),
            ("oaep_hash", agree.oaep_hash),
        ):
            object.__setattr__(self, attribute, value)

    @property
    def digest(self) -> bytes:
        """SHA-256 over both certificates, sign first."""
        return hashlib.sha256(self.sign_certificate + self.agree_certificate).digest()

    @property
    def fingerprint(self) -> str:
        """What two people compare to know that they mean the same identity: 128 bits of `digest`."""
        return fingerprint(self.digest)

    def to_pem(self) -> bytes:
        """Write the identity file: two CERTIFICATE blocks, sign first."""
        return b"".join(pem.encode(PEM_LABEL, each) for each in (self.sign_certificate, self.agree_certificate))

    @classmethod
    def from_pem(cls, data: bytes) -> Self:
        """Read an identity file and verify everything in it but that its owner is who the name says."""
        if len(data) > MAX_PEM_SIZE:
            raise MalformedMessage(f"an identity file is larger than {MAX_PEM_SIZE} bytes")
        return cls(*pem.decode(PEM_LABEL, data, "an identity file", blocks=2))


@dataclass(frozen=True, slots=True)
class Identity:
    """One's own identity and where its keys are. Everything in it is public.

    sign_key_id, agree_key_id: the CKA_ID of each key pair. token: as it was when the identity was made or
    found.
    """

    public: PublicIdentity
    sign_key_id: bytes
    agree_key_id: bytes
    token: TokenInfo

    @property
    def name(self) -> str:
        """The name that both certificates carry."""
        return self.public.name


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of an identity at work: the identity, and its token open and logged in."""

    identity: Identity
    token: Token

    @property
    def public(self) -> PublicIdentity:
        """What others know the holder by."""
        return self.identity.public

    def sign(self, data: bytes) -> bytes:
        """Sign ``data`` with the sign key: a DER ECDSA signature with a low s. Raises `TokenProblem`."""
        return public_key.sign(self.token, self.identity.sign_key_id, self.public.sign_key, data)


OpenHolder = Callable[[], AbstractContextManager[Holder]]
"""Opens the token, asking for the PIN if it must; called only once everything public has been checked."""


def create(
    token: Token, name: str, agree_kind: KeyKind = KeyKind.AGREE, *, entropy: Entropy = system_entropy
) -> Identity:
    """Make an identity in the token: two key pairs, certified and both certificates stored beside them.

    The same again changes nothing and returns the same identity; after a crash in the middle it completes
    what was begun, which it knows by the keys' labels, ``frost-hsm NAME sign`` and ``frost-hsm NAME agree``.
    It never destroys a key.

    agree_kind: `KeyKind.AGREE`, or `KeyKind.DECRYPT` for a token without ECDH. entropy: key ids and serial
    numbers. Raises `KeyExists` if other keys have these labels, `KeyPolicy` if a key is not confined to the
    token, `MechanismUnsupported` if the token cannot make such keys.
    """
    require_name(name)
    if agree_kind is KeyKind.SIGN:
        raise NotPossible("the second key of an identity opens envelopes; a signing key cannot")
    sign = _own_key(token, KeyKind.SIGN, _label(name, "sign"), entropy)
    agree = _own_key(token, agree_kind, _label(name, "agree"), entropy)
    return _certify(token, name, sign, agree, entropy)


def adopt(
    token: Token,
    name: str,
    sign_key_id: bytes,
    agree_key_id: bytes,
    *,
    allow_imported: bool = False,
    entropy: Entropy = system_entropy,
) -> Identity:
    """Make an identity of two key pairs that the token holds already, given by their CKA_ID.

    Where the token keeps one certificate a key and has another already, that one stays, and the identity's
    own are only in what is returned.

    allow_imported: accept keys that were, or may have been, outside the token. Raises `KeyNotFound` and
    `KeyPolicy`.
    """
    require_name(name)
    keys = token.keys()
    sign = _existing_key(keys, sign_key_id, {KeyKind.SIGN})
    agree = _existing_key(keys, agree_key_id, {KeyKind.AGREE, KeyKind.DECRYPT})
    if not allow_imported:
        _require_confined(sign)
        _require_confined(agree)
    return _certify(token, name, sign, agree, entropy)


def find(token: Token) -> list[Identity]:
    """List the identities whose certificates the token holds, by name. Needs no login."""
    found = []
    for sign, agree in permutations(token.certificates(), 2):
        with suppress(InputProblem):
            found.append(Identity(PublicIdentity(sign.der, agree.der), sign.id, agree.id, token.info))
    return sorted(found, key=lambda identity: (identity.name, identity.agree_key_id))


def _label(name: str, purpose: str) -> str:
    return f"frost-hsm {name} {purpose}"


def _own_key(token: Token, kind: KeyKind, label: str, entropy: Entropy) -> TokenKey:
    """Return the key of this label, made now unless an earlier run made it."""
    keys = [key for key in token.keys() if key.label == label]
    if not keys:
        token.generate(kind, _random(entropy), label)
        keys = [key for key in token.keys() if key.label == label]
    if len(keys) != 1 or keys[0].kind is not kind:
        raise KeyExists(f'the token holds other keys labelled "{label}"', hint="choose another name, or adopt the keys")
    _require_confined(keys[0])
    return keys[0]


def _existing_key(keys: list[TokenKey], key_id: bytes, kinds: set[KeyKind]) -> TokenKey:
    for key in keys:
        if key.id == key_id and key.kind in kinds:
            return key
    raise KeyNotFound(f"the token holds no key for {' or '.join(sorted(kinds))} with id {key_id.hex()}")


def _require_confined(key: TokenKey) -> None:
    if not key.attributes.stays_inside:
        raise KeyPolicy(f'key "{key.label}" ({key.id.hex()}) was made outside the token, or may leave it')


def _certify(token: Token, name: str, sign: TokenKey, agree: TokenKey, entropy: Entropy) -> Identity:
    sign_key, agree_key = PublicKey(sign.public_key), PublicKey(agree.public_key)
    oaep_hash = _oaep_hash(token) if agree.kind is KeyKind.DECRYPT else None
    wanted = Certificate(name, sign_key, _random(entropy), sign_key)
    sign_certificate = _stored(token, sign, sign, wanted, _label(name, "sign"))
    wanted = Certificate(name, agree_key, _random(entropy), sign_key, oaep_hash)
    agree_certificate = _stored(token, agree, sign, wanted, _label(name, "agree"))
    return Identity(PublicIdentity(sign_certificate, agree_certificate), sign.id, agree.id, token.info)


def _stored(token: Token, key: TokenKey, issuer: TokenKey, wanted: Certificate, label: str) -> bytes:
    """Return the key's certificate that the token holds; if there is none, issue and store the wanted one."""
    for held in token.certificates():
        if held.id == key.id:
            with suppress(InputProblem):  # a certificate of somebody else's making
                found = certificate.parse(held.der, None if wanted.is_self_signed else wanted.issuer)
                if found == replace(wanted, serial=found.serial):
                    return held.der
    issued = wanted.issue(lambda tbs: public_key.sign(token, issuer.id, wanted.issuer, tbs))
    with suppress(KeyExists):  # the token keeps one certificate a key, and has somebody else's
        token.store_certificate(key.id, label, issued)
    return issued


def _oaep_hash(token: Token) -> OaepHash:
    known = token.oaep_hashes()
    for oaep_hash in (OaepHash.SHA256, OaepHash.SHA1):  # the better one first
        if oaep_hash in known:
            return oaep_hash
    raise MechanismUnsupported("the token cannot decrypt RSA-OAEP")


def _random(entropy: Entropy) -> bytes:
    """Draw the 16 public random bytes of a key id or a serial number."""
    buffer = bytearray(certificate.SERIAL_LENGTH)
    entropy(memoryview(buffer))
    return bytes(buffer)
