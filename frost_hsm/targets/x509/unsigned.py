"""What is signed of a structure of X.509: read, made again by the library, and refused unless all of it is said.

Whatever the library would not write again has no place in it: so nothing is hidden in what a signer is shown.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from cryptography.hazmat.primitives.asymmetric import ed448, ed25519
from cryptography.x509.oid import SignatureAlgorithmOID

from frost_hsm.errors import MalformedMessage
from frost_hsm.forms import der
from frost_hsm.targets import Thing
from frost_hsm.targets.programs.group_private_key import PrivateKey
from frost_hsm.targets.x509.words import UNREADABLE


@dataclass(frozen=True, slots=True)
class Unsigned(Thing):
    """A structure that is not signed yet. found: it, with a signature of zeros.

    what: its name in sentences; largest: bytes of the part that is signed; before: how many fields that has before the
    name of the signature's algorithm.
    """

    found: Any

    what: ClassVar[str]
    largest: ClassVar[int]
    before: ClassVar[int]

    @classmethod
    def read(cls, part: bytes) -> Self:
        """Read the part that is signed. Raises `MalformedMessage` unless all of it is said by `lines`."""
        if len(part) > cls.largest:
            raise MalformedMessage(f"{cls.what} is larger than {cls.largest} bytes")
        fields = der.Reader(part, cls.what).sequence()
        for _ in range(cls.before):
            fields.skip()
        algorithm = fields.whole(der.SEQUENCE)
        key = _stand_in(algorithm, cls.what)
        try:
            thing = cls(cls.load(der.sequence(part, algorithm, der.bit_string(bytes(64)))))
        except UNREADABLE as error:
            raise MalformedMessage(f"this is not {cls.what}: {error}") from None
        try:
            again = cls.signed_part(thing.made_again(key))
            thing.lines()
        except UNREADABLE as error:
            raise MalformedMessage(f"{cls.what} is not of a kind that is signed here: {error}") from None
        if again != part:
            raise MalformedMessage(f"{cls.what} has parts that are not shown")
        return thing

    @staticmethod
    @abstractmethod
    def load(data: bytes) -> Any:
        """Have the library read a whole structure, in DER."""

    @staticmethod
    @abstractmethod
    def signed_part(found: Any) -> bytes:
        """Return what is signed of it."""

    @abstractmethod
    def made_again(self, key: PrivateKey) -> Any:
        """Have the library make it again."""


def _stand_in(algorithm: bytes, what: str) -> PrivateKey:
    """Return a key that is nobody's, to make a structure again with: the part that is signed is the same.

    algorithm: DER AlgorithmIdentifier of the structure; raises `MalformedMessage` if no group signs so.
    """
    if algorithm == der.algorithm(SignatureAlgorithmOID.ED25519.dotted_string):
        return ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    if algorithm == der.algorithm(SignatureAlgorithmOID.ED448.dotted_string):
        return ed448.Ed448PrivateKey.from_private_bytes(bytes(57))
    raise MalformedMessage(f"{what} names an algorithm by which no group signs")
