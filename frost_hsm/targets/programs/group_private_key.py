"""A private key that is none: libraries that sign are handed it, and the group signs.

It has `cryptography`'s own types, so whatever takes an ``Ed25519PrivateKey`` or ``Ed448PrivateKey`` takes it: the
X.509, CRL, CSR and SSH certificate builders of `cryptography`, PyJWT, dnspython, securesystemslib.

A group may need days, and a library waits in a call. So there are two ways. `GroupPrivateKey.of` hands each message to
a callable, which comes back with the signature: an agent, or a session that is waited for. `record` and `replay` build
the same thing twice: what is to be signed is known after the first pass, and signed by the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from frost_hsm.errors import DeserializationError, InvalidSignature, NotPossible
from frost_hsm.frost.values import Signature, VerifyingKey

if TYPE_CHECKING:
    from cryptography.utils import Buffer

SignBy = Callable[[bytes], bytes]
"""From a message to the group's signature on it, 64 bytes for ed25519 and 114 for ed448; raises if there is none."""

PrivateKey = Ed25519PrivateKey | Ed448PrivateKey

T = TypeVar("T")


class GroupPrivateKey:
    """What stands in for the private key of a group; made by `of`. Holds nothing secret, and nothing that changes.

    Any number of threads may sign at once; each is in ``sign_by`` then.
    """

    def __init__(self, key: VerifyingKey, sign_by: SignBy) -> None:
        self._key = key
        self._sign_by = sign_by

    @staticmethod
    def of(key: VerifyingKey, sign_by: SignBy) -> PrivateKey:
        """Make one for a group key of ed25519 or ed448, in the type of that suite.

        What ``sign_by`` raises is raised in whoever asked for the signature, and `InvalidSignature` if what comes back
        does not verify. Raises `NotPossible` for another suite: its signatures are not those of a type of library.
        """

        def checked(message: bytes) -> bytes:
            signature = sign_by(message)
            verify(key, message, signature)
            return signature

        return _make(key, checked)

    def sign(self, data: Buffer) -> bytes:
        """Have the group sign."""
        return self._sign_by(bytes(data))

    def private_bytes(self, *_: object, **__: object) -> NoReturn:
        """Raise `NotPossible`: there is no private key, here or anywhere."""
        raise NotPossible(
            "the private key of a group exists nowhere, so it cannot be written", hint="each participant has a share"
        )

    def private_bytes_raw(self) -> NoReturn:
        """Raise `NotPossible`, as `private_bytes`."""
        self.private_bytes()

    def __reduce__(self) -> NoReturn:
        self.private_bytes()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __repr__(self) -> str:
        return f"<GroupPrivateKey of {self._key.serialize().hex()}>"


class _OfEd25519(GroupPrivateKey, Ed25519PrivateKey):
    def public_key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self._key.serialize())


class _OfEd448(GroupPrivateKey, Ed448PrivateKey):
    def public_key(self) -> Ed448PublicKey:
        return Ed448PublicKey.from_public_bytes(self._key.serialize())


_KINDS: dict[str, type[_OfEd25519 | _OfEd448]] = {"ed25519": _OfEd25519, "ed448": _OfEd448}


def _make(key: VerifyingKey, sign_by: SignBy) -> PrivateKey:
    if (kind := _KINDS.get(key.ciphersuite.name)) is None:
        raise NotPossible(
            f"signatures of {key.ciphersuite.name} are not of a kind that libraries have a type for",
            hint=f"a key of {' or '.join(_KINDS)}",
        )
    return kind(key, sign_by)


def verify(key: VerifyingKey, message: bytes, signature: bytes) -> None:
    """Check a serialized signature; raises `InvalidSignature`, for bytes that are none as well."""
    try:
        key.verify(message, Signature.deserialize(key.ciphersuite, signature))
    except DeserializationError as error:
        raise InvalidSignature(f"this is no signature: {error}") from None


def record(key: VerifyingKey, build: Callable[[PrivateKey], object]) -> list[bytes]:
    """Take the first pass: build something with a key that only notes what it is asked to sign; returns that, in order.

    Its signatures are zeros, so what is built is thrown away. ``build`` has to ask for the same again in `replay`:
    clock, serial numbers and other random values are drawn before.
    """
    messages: list[bytes] = []

    def note(message: bytes) -> bytes:
        messages.append(message)
        return bytes(key.ciphersuite.signature_length)

    build(_make(key, note))
    return messages


def replay(key: VerifyingKey, build: Callable[[PrivateKey], T], signatures: Mapping[bytes, bytes]) -> T:
    """Take the second pass: build it with the signatures on the messages that `record` gave; returns what is built.

    Raises `NotPossible` if ``build`` asks for another message, `InvalidSignature` for a signature that does not verify.
    """

    def find(message: bytes) -> bytes:
        if message not in signatures:
            raise NotPossible(
                "the second pass asks for a signature on something that was not signed",
                hint="draw the clock, serial numbers and random values before the first pass",
            )
        return signatures[message]

    return build(GroupPrivateKey.of(key, find))
