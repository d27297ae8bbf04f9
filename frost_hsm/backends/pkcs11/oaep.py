"""RSA-OAEP in a token, and which of its hashes the token knows: it is tried, since tokens do not say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import MGF, Attribute, Mechanism

from frost_hsm.backends import KeyKind
from frost_hsm.backends.pkcs11.calls import attributes
from frost_hsm.backends.pkcs11.calls.answers import Answer
from frost_hsm.backends.pkcs11.session import PrivateKey, SharedSession
from frost_hsm.errors import TokenProblem
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.secret import Secret

_HASHED = {
    OaepHash.SHA256: (Mechanism.SHA256, MGF.SHA256),
    OaepHash.SHA1: (Mechanism.SHA_1, MGF.SHA1),
}
_PROBE_BITS = 2048
_PROBE = b"probe"


def public_numbers(session: SharedSession, key: PrivateKey) -> rsa.RSAPublicKey:
    """Return the public key of a private RSA key. Raises `TokenProblem` if the token does not tell it."""
    encoded = attributes.public_key_info(session.read(key.handle, (Attribute.MODULUS, Attribute.PUBLIC_EXPONENT)))
    public = None if encoded is None else load_der_public_key(encoded)
    if not isinstance(public, rsa.RSAPublicKey):
        raise TokenProblem(f"{session.name} does not tell the public key of its RSA key")
    return public


def can_open(public: rsa.RSAPublicKey, ciphertext: bytes) -> bool:
    """Whether a ciphertext is as long as the modulus, and below it: what is not, modules answer in their own ways."""
    length = (public.key_size + 7) // 8
    return len(ciphertext) == length and int.from_bytes(ciphertext, "big") < public.public_numbers().n


def decrypt(
    session: SharedSession, key: PrivateKey, public: rsa.RSAPublicKey, ciphertext: bytes, oaep_hash: OaepHash
) -> Secret:
    """Decrypt in the token, into memory that is wiped. Raises `Answer`."""
    with Secret.zeros((public.key_size + 7) // 8) as room:
        with room.reveal() as view:
            length = session.module.functions.decrypt(
                session.handle, key.handle, ciphertext, _HASHED[oaep_hash], view, session.pin_again(key)
            )
        return room.part(0, length)


def opens(session: SharedSession, key: PrivateKey, public: rsa.RSAPublicKey, oaep_hash: OaepHash) -> bool:
    """Whether the token opens a ciphertext that is made on the spot."""
    algorithm = hashes.SHA256() if oaep_hash is OaepHash.SHA256 else hashes.SHA1()  # noqa: S303 - OAEP
    ciphertext = public.encrypt(_PROBE, padding.OAEP(padding.MGF1(algorithm), algorithm, None))
    with suppress(Answer), decrypt(session, key, public, ciphertext, oaep_hash) as opened, opened.reveal() as view:
        return bytes(view) == _PROBE
    return False


def known_hashes(session: SharedSession, held: PrivateKey | None) -> frozenset[OaepHash]:
    """Try each hash with a key that the token holds, or with one made for it; none if there is neither."""
    with _probe_key(session, held) as key:
        if key is None:
            return frozenset()
        public = public_numbers(session, key)
        return frozenset(each for each in OaepHash if opens(session, key, public, each))


@contextmanager
def _probe_key(session: SharedSession, held: PrivateKey | None) -> Iterator[PrivateKey | None]:
    if held is not None:
        yield held
        return
    public, private = attributes.key_pair_templates(KeyKind.DECRYPT, rsa_bits=_PROBE_BITS)[-2]
    for_now = {Attribute.TOKEN: False}
    functions = session.module.functions
    try:
        made = functions.generate_key_pair(
            session.handle, Mechanism.RSA_PKCS_KEY_PAIR_GEN, {**public, **for_now}, {**private, **for_now}
        )
    except Answer:  # not for a session only, or not at all
        yield None
        return
    try:
        yield PrivateKey(made[1], {})
    finally:
        for handle in made:
            functions.destroy(session.handle, handle)
