"""Who a participant is: two keys in their token, and the two certificates that make these keys known.

`PublicIdentity` is what others see (``alice.identity.pem``); `Identity` is what its owner notes down besides,
still public; `Holder` is the owner at work, with the token open. Identities are made by `create` or `adopt`,
and found again on a token by `find`.

An identity may name a second token of its owner's, for the day when the first is lost: whatever is encrypted to the
first and makes a share is encrypted to the second too, and the second may take the place of the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Protocol, Self

from frost_hsm.backends import Capability, KeyKind, StoredCertificate, Token, TokenInfo, TokenKey
from frost_hsm.ceremony.people import trial
from frost_hsm.ceremony.people.names import NAME, require_name
from frost_hsm.errors import (
    InputProblem,
    KeyExists,
    KeyPolicy,
    MalformedMessage,
    MechanismUnsupported,
    NotPossible,
    TokenReadOnly,
)
from frost_hsm.forms import certificate, der, pem, public_key
from frost_hsm.forms.certificate import Certificate
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.forms.public_key import PublicKey
from frost_hsm.secret import Entropy, system_entropy

PEM_LABEL: Final = "CERTIFICATE"
MAX_PEM_SIZE: Final = 32768

_BEGIN = f"-----BEGIN {PEM_LABEL}-----".encode()
_KEY_ID_LENGTH = 16  # of a CKA_ID
_OUTSIDE = 'the token says that key "{}" ({}) was made outside it, or may leave it'
_ANOTHER = "use another state directory for a second identity"
_ALLOW = "if you know how it came there, and that nobody kept a copy: --allow-imported"


_NOT_KEPT = (KeyExists, MechanismUnsupported, TokenReadOnly)
"""Why a token keeps no certificate of ours: it has somebody else's for the key, and keeps one; or it takes none."""


def fingerprint(digest: bytes) -> str:
    """Write the first 128 bits of a digest for people to compare: eight groups of four hexadecimal digits."""
    return digest[:16].hex(" ", 2)


class Addressee(Protocol):
    """To whom an envelope can be encrypted. oaep_hash: given exactly if agree_key is RSA."""

    @property
    def agree_key(self) -> PublicKey:
        """The key that opens envelopes."""

    @property
    def oaep_hash(self) -> OaepHash | None:
        """The hash that its token does OAEP with."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """The keys of a second token, as the identity that names it certifies them.

    sign_key: with it the second token takes the place of the first. agree_certificate: as the second token issued it.
    """

    sign_key: PublicKey
    agree_certificate: bytes
    agree_key: PublicKey
    oaep_hash: OaepHash | None


@dataclass(frozen=True, slots=True)
class PublicIdentity:
    """A participant's name and public keys, as their own sign key certifies them; valid by construction.

    sign_certificate, agree_certificate: DER, in the exact profile of `frost_hsm.forms.certificate`.
    recovery_certificates: none, or two: the sign key of a second token, certified by the sign key, and the agree
    certificate of that token's own identity, which has the same name. Raises `MalformedMessage` or
    `BadMessageSignature` if they are not, or do not belong together.
    """

    sign_certificate: bytes = field(repr=False)
    agree_certificate: bytes = field(repr=False)
    recovery_certificates: tuple[bytes, ...] = field(default=(), repr=False)
    name: str = field(init=False, compare=False)
    sign_key: PublicKey = field(init=False, repr=False, compare=False)
    agree_key: PublicKey = field(init=False, repr=False, compare=False)
    oaep_hash: OaepHash | None = field(init=False, repr=False, compare=False)  # given exactly if agree_key is RSA
    recovery: Recovery | None = field(init=False, repr=False, compare=False)

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
            ("recovery", self._recovery(sign, agree)),
        ):
            object.__setattr__(self, attribute, value)

    def _recovery(self, sign: Certificate, agree: Certificate) -> Recovery | None:
        if not self.recovery_certificates:
            return None
        if len(self.recovery_certificates) != 2:
            raise MalformedMessage(f'identity "{sign.name}" has other than none or two certificates of a second token')
        named, agree_certificate = self.recovery_certificates
        second_sign = certificate.parse(named, sign.key, is_recovery=True)
        second_agree = certificate.parse(agree_certificate, second_sign.key)
        keys = {sign.key, agree.key, second_sign.key, second_agree.key}
        if {second_sign.name, second_agree.name} != {sign.name} or len(keys) != 4:
            raise MalformedMessage(f'the second token of identity "{sign.name}" has another name, or its keys')
        return Recovery(second_sign.key, agree_certificate, second_agree.key, second_agree.oaep_hash)

    def is_same_token(self, other: PublicIdentity) -> bool:
        """Whether both are of the same keys, whatever they say of a second token."""
        return self.certificates[:2] == other.certificates[:2]

    def is_recovered_by(self, other: PublicIdentity) -> bool:
        """Whether ``other`` is the identity of the second token that this one names."""
        if self.recovery is None:
            return False
        named = (self.recovery.sign_key, self.recovery.agree_certificate)
        return named == (other.sign_key, other.agree_certificate)

    @property
    def addressees(self) -> tuple[Addressee, ...]:
        """To whom an envelope is encrypted that makes a share of this participant's: the second token too."""
        return (self,) if self.recovery is None else (self, self.recovery)

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """Both certificates, sign first, then those of the second token."""
        return (self.sign_certificate, self.agree_certificate, *self.recovery_certificates)

    @property
    def digest(self) -> bytes:
        """SHA-256 over all certificates in order."""
        return hashlib.sha256(b"".join(self.certificates)).digest()

    @property
    def fingerprint(self) -> str:
        """What two people compare to know that they mean the same identity: 128 bits of `digest`."""
        return fingerprint(self.digest)

    def encode(self) -> bytes:
        """Encode as sign Certificate, agree Certificate, recovery [0] { sign, agree Certificate } OPTIONAL."""
        second = der.element(der.context(0), *self.recovery_certificates) if self.recovery_certificates else b""
        return self.sign_certificate + self.agree_certificate + second

    @classmethod
    def read(cls, reader: der.Reader) -> Self:
        """Read what `encode` wrote and verify every certificate."""
        sign, agree = reader.whole(der.SEQUENCE), reader.whole(der.SEQUENCE)
        if not reader.has(der.context(0)):
            return cls(sign, agree)
        second = reader.inside(der.context(0))
        return cls(sign, agree, (second.whole(der.SEQUENCE), second.whole(der.SEQUENCE)))

    def to_pem(self) -> bytes:
        """Write the identity file: two CERTIFICATE blocks, or four, sign first."""
        return b"".join(pem.encode(PEM_LABEL, each) for each in self.certificates)

    @classmethod
    def from_pem(cls, data: bytes) -> Self:
        """Read an identity file and verify everything in it but that its owner is who the name says."""
        if len(data) > MAX_PEM_SIZE:
            raise MalformedMessage(f"an identity file is larger than {MAX_PEM_SIZE} bytes")
        blocks = 4 if data.count(_BEGIN) == 4 else 2
        sign, agree, *recovery = pem.decode(PEM_LABEL, data, "an identity file", blocks=blocks)
        return cls(sign, agree, tuple(recovery))


class RecordPlace(StrEnum):
    """Where an identity's sealed records lie: settled once, by `settle_records`, and noted down with the identity."""

    TOKEN = "token"  # noqa: S105 - as private data objects
    DIRECTORY = "directory"  # in the state directory, beside a token that holds none


@dataclass(frozen=True, slots=True)
class Identity:
    """One's own identity and where its keys and records are. Everything in it is public.

    sign_key_id, agree_key_id: the CKA_ID of each key pair. token: as it was when the identity was made or
    found. records: as it was settled when the identity was made.
    """

    public: PublicIdentity
    sign_key_id: bytes
    agree_key_id: bytes
    token: TokenInfo
    records: RecordPlace

    @property
    def name(self) -> str:
        """The name that both certificates carry."""
        return self.public.name


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of an identity at work: the identity, and its token open and logged in.

    works_with: ids of the state directories that the token was seen to work with since it was opened. settled: ids of
    the sharings whose rounds were seen to have left nothing there. unlooked: how often nonces may be drawn with the
    share of a sharing until those are looked for that are left of what has ended.
    """

    identity: Identity
    token: Token
    works_with: set[bytes] = field(default_factory=set, init=False, repr=False, compare=False)
    settled: set[bytes] = field(default_factory=set, init=False, repr=False, compare=False)
    unlooked: dict[bytes, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def public(self) -> PublicIdentity:
        """What others know the holder by."""
        return self.identity.public

    @property
    def sign_key(self) -> PublicKey:
        """The key that verifies what the holder signs."""
        return self.public.sign_key

    def sign(self, data: bytes) -> bytes:
        """Sign ``data`` with the sign key: a DER ECDSA signature with a low s. Raises `TokenProblem`."""
        return _sign(self.token, self.identity.sign_key_id, self.public.sign_key, data)


OpenHolder = Callable[[], AbstractContextManager[Holder]]
"""Opens the token, asking for the PIN if it must; called only once everything public has been checked."""


def create(
    token: Token,
    name: str,
    agree_kind: KeyKind = KeyKind.AGREE,
    *,
    allow_imported: bool = False,
    recovery: PublicIdentity | None = None,
    entropy: Entropy = system_entropy,
) -> Identity:
    """Make an identity in the token: two key pairs, certified and both certificates stored beside them.

    The same again changes nothing and returns the same identity; after a crash in the middle it completes
    what was begun, which it knows by the keys' labels, ``frost-hsm NAME sign`` and ``frost-hsm NAME agree``.
    It never destroys a key.

    agree_kind: `KeyKind.AGREE`, or `KeyKind.DECRYPT` for a token without ECDH. allow_imported: accept a token that
    claims all but that it made the keys, as NSS does. recovery: the identity of one's second token; it has the same
    name, and none of its own. entropy: key ids and serial numbers. Raises `KeyExists` if other keys have these labels,
    `KeyPolicy` if a key is not confined to the token, `MechanismUnsupported` if the token cannot make such keys,
    `NotPossible`.
    """
    require_name(name)
    if agree_kind is KeyKind.SIGN:
        raise NotPossible("the second key of an identity opens envelopes; a signing key cannot")
    sign = _own_key(token, KeyKind.SIGN, _label(name, "sign"), allow_imported, entropy)
    agree = _own_key(token, agree_kind, _label(name, "agree"), allow_imported, entropy)
    return _certify(token, name, sign, agree, recovery, entropy)


def adopt(
    token: Token,
    name: str,
    sign_key_id: bytes,
    agree_key_id: bytes,
    *,
    allow_imported: bool = False,
    recovery: PublicIdentity | None = None,
    earlier: PublicIdentity | None = None,
    entropy: Entropy = system_entropy,
) -> Identity:
    """Make an identity of two key pairs that the token holds already, given by their CKA_ID.

    Where the token keeps one certificate a key and has another already, that one stays, and the identity's
    own are only in what is returned.

    Whether a key can do its work is tried: what a token says of a key's uses is not always so.

    allow_imported: accept keys that were, or may have been, outside the token. recovery: as for `create`. earlier: the
    identity that was made of these keys, which stays the same even if the token keeps no certificates. Raises
    `KeyNotFound` if there is no such key, or it cannot do its work, `KeyPolicy`, `KeyExists` if ``earlier``
    is of other keys or another name, and `NotPossible` for one key twice.
    """
    require_name(name)
    keys = token.keys()
    sign = trial.key_for(keys, sign_key_id, (KeyKind.SIGN,))
    agree = trial.key_for(keys, agree_key_id, (KeyKind.AGREE, KeyKind.DECRYPT))
    if sign.public_key == agree.public_key:
        raise NotPossible("one key cannot both sign and open envelopes", hint="name two keys")
    if not allow_imported:
        for key in (sign, agree):
            if not key.attributes.stays_inside:
                raise KeyPolicy(_OUTSIDE.format(key.label, key.id.hex()), hint=_ALLOW)
    trial.sign(token, sign)
    if agree.kind is KeyKind.AGREE:
        trial.agree(token, agree)
    else:
        trial.decrypt(token, agree, _oaep_hash(token))
    if earlier is not None:
        if (earlier.name, earlier.sign_key.spki, earlier.agree_key.spki) != (name, sign.public_key, agree.public_key):
            raise KeyExists(f"{name} has an identity of other keys", hint=_ANOTHER)
        if recovery is None or earlier.is_recovered_by(recovery):
            return Identity(earlier, sign.id, agree.id, token.info, settle_records(token))
    return _certify(token, name, sign, agree, recovery, entropy)


def settle_records(token: Token) -> RecordPlace:
    """Decide where the records of an identity lie: in the token, if it holds any. Needs a login.

    Whatever a token says now decides for always. So one that does not answer, or is full, raises `TokenProblem`.
    """
    return RecordPlace.TOKEN if Capability.DATA in token.capabilities else RecordPlace.DIRECTORY


def find(token: Token, records: RecordPlace = RecordPlace.TOKEN) -> list[Identity]:
    """List the identities whose certificates the token holds, by name. Needs no login.

    records: as `Identity.records` said when the identity was made; the token does not tell.
    """
    found = []
    by_name: dict[str, list[StoredCertificate]] = {}  # those of one identity have the same, and there may be many
    for each in token.certificates():
        with suppress(InputProblem):
            by_name.setdefault(certificate.name_in(each.der), []).append(each)
    for certificates in by_name.values():
        for sign, agree in _pairs(certificates):
            with suppress(InputProblem):
                public = PublicIdentity(sign.der, agree.der)
                found.append(Identity(_with_second(public, certificates), sign.id, agree.id, token.info, records))
    return sorted(found, key=lambda identity: (identity.name, identity.agree_key_id))


def _with_second(public: PublicIdentity, certificates: list[StoredCertificate]) -> PublicIdentity:
    """Return the identity with the certificates of a second token that are stored beside its own, if there are."""
    for named, agree in _pairs(certificates, public.sign_key):
        with suppress(InputProblem):
            return replace(public, recovery_certificates=(named.der, agree.der))
    return public


def _pairs(held: list[StoredCertificate], *issuer: PublicKey) -> Iterator[tuple[StoredCertificate, StoredCertificate]]:
    for first in held:  # of many that are strangers', few can be the first of two
        with suppress(InputProblem):
            certificate.parse(first.der, *issuer, is_recovery=bool(issuer))
            yield from ((first, second) for second in held if second is not first)


def _label(name: str, purpose: str) -> str:
    return f"frost-hsm {name} {purpose}"


def _own_key(token: Token, kind: KeyKind, label: str, allow_imported: bool, entropy: Entropy) -> TokenKey:
    """Return the key of this label, made now unless an earlier run made it."""
    keys = [key for key in token.keys() if key.label == label]
    if not keys:
        token.generate(kind, _random(entropy), label)
        keys = [key for key in token.keys() if key.label == label]
    key = next((each for each in keys if each.kind is kind), None)
    if key is None or any(each.id != key.id for each in keys):
        raise KeyExists(f'the token holds other keys labelled "{label}"', hint="choose another name, or adopt the keys")
    if not key.attributes.is_confined or not (key.attributes.stays_inside or allow_imported):
        raise KeyPolicy(_OUTSIDE.format(label, key.id.hex()), hint=_ALLOW)
    return key


def _certify(
    token: Token, name: str, sign: TokenKey, agree: TokenKey, recovery: PublicIdentity | None, entropy: Entropy
) -> Identity:
    sign_key, agree_key = PublicKey(sign.public_key), PublicKey(agree.public_key)
    oaep_hash = _oaep_hash(token) if agree.kind is KeyKind.DECRYPT else None
    wanted = Certificate(name, sign_key, _random(entropy), sign_key)
    sign_certificate = _stored(token, sign.id, sign, wanted, _label(name, "sign"))
    wanted = Certificate(name, agree_key, _random(entropy), sign_key, oaep_hash)
    agree_certificate = _stored(token, agree.id, sign, wanted, _label(name, "agree"))
    public = _with_second(PublicIdentity(sign_certificate, agree_certificate), token.certificates())
    if recovery is not None and not public.is_recovered_by(recovery):
        if public.recovery is not None:
            raise KeyExists(f"the identity of {name} in the token names another second token")
        public = _name_second(token, public, sign, recovery, entropy)
    return Identity(public, sign.id, agree.id, token.info, settle_records(token))


def _name_second(
    token: Token, public: PublicIdentity, sign: TokenKey, second: PublicIdentity, entropy: Entropy
) -> PublicIdentity:
    """Certify the keys of a second token, and store the certificates beside one's own."""
    if second.name != public.name or second.recovery is not None or second.sign_key == public.sign_key:
        raise NotPossible(
            f"the identity of {second.name} cannot be that of a second token of {public.name}",
            hint="it is made on another token, under the same name, and names no second token itself",
        )
    wanted = Certificate(public.name, second.sign_key, _random(entropy), public.sign_key, is_recovery=True)
    sign_id, agree_id = (key.key_id[:_KEY_ID_LENGTH] for key in (second.sign_key, second.agree_key))
    named = _stored(token, sign_id, sign, wanted, _label(public.name, "second token sign"))
    with suppress(*_NOT_KEPT):
        token.store_certificate(agree_id, _label(public.name, "second token agree"), second.agree_certificate)
    return replace(public, recovery_certificates=(named, second.agree_certificate))


def _stored(token: Token, key_id: bytes, issuer: TokenKey, wanted: Certificate, label: str) -> bytes:
    """Return the key's certificate that the token holds; if there is none, issue and store the wanted one."""
    for held in token.certificates():
        if held.id == key_id:
            with suppress(InputProblem):  # a certificate of somebody else's making
                found = certificate.parse(
                    held.der, None if wanted.is_self_signed else wanted.issuer, is_recovery=wanted.is_recovery
                )
                if found == replace(wanted, serial=found.serial):
                    return held.der
    issued = wanted.issue(lambda tbs: _sign(token, issuer.id, wanted.issuer, tbs))
    with suppress(*_NOT_KEPT):
        token.store_certificate(key_id, label, issued)
    return issued


def _sign(token: Token, key_id: bytes, key: PublicKey, data: bytes) -> bytes:
    return public_key.sign(lambda digest: token.sign(key_id, digest), key, data)


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
