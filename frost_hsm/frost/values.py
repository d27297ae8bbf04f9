"""The values that packages are made of: identifiers, shares, keys, commitments, signatures.

Each has a ``ciphersuite``, an encoding of fixed length per suite, ``serialize()`` and ``deserialize(suite,
data)``, which accepts the one canonical form only. Public values keep the bytes they were read from; secret
ones serialize to a `Secret`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self, TypeVar

from frost_hsm.errors import InvalidSignature, InvalidZeroScalar, MalformedElement, UsageProblem
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.groups import Element, SecretScalar, pieces
from frost_hsm.secret import Entropy, Redacted, Secret, system_entropy


@dataclass(frozen=True, slots=True)
class Identifier:
    """A participant's number: any scalar but zero (ZcashFoundation: ``Identifier``). Sorts as a number.

    Raises `UsageProblem` for a value outside [1, order).
    """

    ciphersuite: Ciphersuite
    value: int

    is_secret: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.value < self.ciphersuite.group.order:
            raise UsageProblem(f"{self.value} is no identifier: it is zero, negative or not below the group order")

    @classmethod
    def from_u16(cls, ciphersuite: Ciphersuite, number: int) -> Self:
        """Make the identifier of a number from 1 to 65535. Raises `UsageProblem`."""
        if not 0 < number < 1 << 16:
            raise UsageProblem(f"{number} is no identifier: they go from 1 to 65535")
        return cls(ciphersuite, number)

    @classmethod
    def derive(cls, ciphersuite: Ciphersuite, data: bytes) -> Self:
        """Hash any bytes, say an e-mail address, to an identifier (ZcashFoundation: ``derive``, HID)."""
        return cls(ciphersuite, ciphersuite.hid(data))

    @staticmethod
    def encoded_length(ciphersuite: Ciphersuite) -> int:
        """Bytes of the encoding."""
        return ciphersuite.group.scalar_length

    def serialize(self) -> bytes:
        """Write the scalar."""
        return self.ciphersuite.encode_scalar(self.value)

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: bytes) -> Self:
        """Read the scalar. Raises `MalformedScalar`, `InvalidZeroScalar`."""
        value = ciphersuite.decode_scalar(data)
        if value == 0:
            raise InvalidZeroScalar("zero is no identifier")
        return cls(ciphersuite, value)

    def __lt__(self, other: Identifier) -> bool:
        if self.ciphersuite is not other.ciphersuite:
            return NotImplemented
        return self.value < other.value

    def __hash__(self) -> int:
        return hash(self.value)  # so often needed that the suite is left out

    def __str__(self) -> str:
        return str(self.value) if self.value < 1 << 16 else self.serialize().hex()

    def __repr__(self) -> str:
        return f"<Identifier {self}>"


_Item = TypeVar("_Item")


def in_order(items: Mapping[Identifier, _Item]) -> dict[Identifier, _Item]:
    """Return a map that goes by ascending identifiers, of one suite."""
    return dict(sorted(items.items(), key=lambda item: item[0].value))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SecretValue(Redacted):
    """A secret scalar with a meaning."""

    ciphersuite: Ciphersuite
    scalar: SecretScalar

    is_secret: ClassVar[bool] = True

    @staticmethod
    def encoded_length(ciphersuite: Ciphersuite) -> int:
        """Bytes of the encoding."""
        return ciphersuite.group.scalar_length

    def serialize(self) -> Secret:
        """Write the scalar."""
        return self.ciphersuite.group.encode_scalar(self.scalar)

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: Secret) -> Self:
        """Read the scalar. Raises `MalformedScalar`."""
        return cls(ciphersuite, ciphersuite.group.decode_scalar(data))

    def wipe(self) -> None:
        """Overwrite it with zero. Wiping twice is fine."""
        self.scalar.wipe()


class SigningKey(SecretValue):
    """The group's whole private key, which only a trusted dealer and `dealer.reconstruct` ever hold. Secret.

    It is the scalar, not what other programs make it from, such as the seed of RFC 8032. Never zero.
    """

    __slots__ = ()

    @classmethod
    def generate(cls, ciphersuite: Ciphersuite, entropy: Entropy = system_entropy) -> Self:
        """Draw a new one."""
        return cls(ciphersuite, ciphersuite.group.random_scalar(entropy))

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: Secret) -> Self:
        """Read the scalar. Raises `MalformedScalar`, `InvalidZeroScalar`."""
        key = super().deserialize(ciphersuite, data)
        if ciphersuite.group.is_zero(key.scalar):
            raise InvalidZeroScalar("zero is no signing key")
        return key

    def sign(self, message: bytes, entropy: Entropy = system_entropy) -> Signature:
        """Sign alone, as the whole group would (ZcashFoundation: ``SigningKey::sign``)."""
        key = self.verifying_key()
        return Signature.make(self.ciphersuite, self.scalar, lambda r: key.challenge(r, message), entropy)

    def verifying_key(self) -> VerifyingKey:
        """Multiply it with the generator."""
        return VerifyingKey.from_element(self.ciphersuite, self.ciphersuite.group.multiply_base(self.scalar))


class SigningShare(SecretValue):
    """A participant's share of the signing key, or a part of it that another participant sent. Secret."""

    __slots__ = ()

    def verifying_share(self) -> VerifyingShare:
        """Multiply it with the generator: s·G. Raises `InvalidIdentityElement` for a zero share."""
        return VerifyingShare.from_element(self.ciphersuite, self.ciphersuite.group.multiply_base(self.scalar))


class Coefficient(SecretValue):
    """A coefficient of a participant's secret polynomial. Secret."""

    __slots__ = ()


class Nonce(SecretValue):
    """A signing nonce. Secret, and never used twice."""

    __slots__ = ()

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: Secret) -> Self:
        """Read the scalar. Raises `MalformedScalar`, `InvalidZeroScalar`."""
        nonce = super().deserialize(ciphersuite, data)
        if ciphersuite.group.is_zero(nonce.scalar):
            raise InvalidZeroScalar("zero is no nonce")
        return nonce


@dataclass(frozen=True, slots=True)
class ElementValue:
    """A public element with a meaning, and its encoding. Never the identity."""

    ciphersuite: Ciphersuite
    encoded: bytes
    element: Element = field(compare=False, repr=False)

    is_secret: ClassVar[bool] = False

    @classmethod
    def from_element(cls, ciphersuite: Ciphersuite, element: Element) -> Self:
        """Encode an element. Raises `InvalidIdentityElement`."""
        return cls(ciphersuite, ciphersuite.group.encode(element), element)

    @staticmethod
    def encoded_length(ciphersuite: Ciphersuite) -> int:
        """Bytes of the encoding."""
        return ciphersuite.group.element_length

    def serialize(self) -> bytes:
        """Return the encoding."""
        return self.encoded

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: bytes, y: bytes | None = None) -> Self:
        """Read an element. y: its y coordinate if known.

        Raises `MalformedElement`, `InvalidIdentityElement`.
        """
        return cls(ciphersuite, data, ciphersuite.group.decode(data, y))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.encoded.hex()}>"


class VerifyingShare(ElementValue):
    """A participant's public share: signing share times G."""

    __slots__ = ()


class NonceCommitment(ElementValue):
    """A nonce times G."""

    __slots__ = ()


class VerifyingKey(ElementValue):
    """The group's public key."""

    __slots__ = ()

    def verify(self, message: bytes, signature: Signature) -> None:
        """Check a signature (RFC 9591, appendix B). Raises `InvalidSignature`."""
        if not signature.fits(self.element, self.challenge(signature.commitment, message)):
            raise InvalidSignature("the signature is not by this key on this message")

    def challenge(self, commitment: bytes, message: bytes) -> int:
        """Hash R, the key and the message to the challenge c (RFC 9591, section 4.6).

        Where signatures verify by the negative of this key, -c: z·G = R + c·Y holds for the key as it is.
        """
        hooks = self.ciphersuite.hooks
        hashed = self.ciphersuite.h2(hooks.shorten(commitment) + hooks.shorten(self.encoded) + message)
        return hooks.sign(self.encoded) * hashed


@dataclass(frozen=True, slots=True)
class VerifiableSecretSharingCommitment:
    """A secret polynomial's coefficients times G, constant term first."""

    ciphersuite: Ciphersuite
    encoded: bytes  # all of them, without gaps
    elements: Sequence[Element] = field(compare=False, repr=False)

    @classmethod
    def from_elements(cls, ciphersuite: Ciphersuite, elements: Iterable[Element]) -> Self:
        """Encode elements. Raises `InvalidIdentityElement`."""
        kept = tuple(elements)
        return cls(ciphersuite, ciphersuite.group.encode_all(kept), kept)

    @classmethod
    def commit(cls, ciphersuite: Ciphersuite, coefficients: Sequence[SecretScalar]) -> Self:
        """Multiply coefficients with the generator. Raises `InvalidIdentityElement` if one is zero."""
        elements, encoded = ciphersuite.group.commit(coefficients)
        return cls(ciphersuite, encoded, tuple(elements))

    @classmethod
    def deserialize_whole(cls, ciphersuite: Ciphersuite, data: bytes, y: bytes | None = None) -> Self:
        """Read a plain concatenation (ZcashFoundation: ``deserialize_whole``). y: likewise, if known.

        Raises `MalformedElement`, `InvalidIdentityElement`, `InvalidNonPrimeOrderElement`.
        """
        return cls(ciphersuite, data, tuple(ciphersuite.group.decode_all(data, y)))

    @property
    def constant_term(self) -> bytes:
        """The encoding of the first entry: the sender's contribution to the group key. Empty if there is
        none.
        """
        return self.encoded[: self.ciphersuite.group.element_length]

    def encodings(self) -> list[bytes]:
        """Return the encoding of each entry."""
        return pieces(self.encoded, self.ciphersuite.group.element_length)

    def y_coordinates(self) -> bytes:
        """Return all y coordinates, which `deserialize_whole` takes to save the square roots."""
        return b"".join(map(self.ciphersuite.group.y_coordinate, self.elements))

    def __len__(self) -> int:
        return len(self.elements)


@dataclass(frozen=True, slots=True)
class SignatureResponse:
    """The scalar z of a signature, or a signer's part of it. Public once it exists."""

    ciphersuite: Ciphersuite
    value: int

    is_secret: ClassVar[bool] = False

    @staticmethod
    def encoded_length(ciphersuite: Ciphersuite) -> int:
        """Bytes of the encoding."""
        return ciphersuite.group.scalar_length

    def serialize(self) -> bytes:
        """Write the scalar."""
        return self.ciphersuite.encode_scalar(self.value)

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: bytes) -> Self:
        """Read the scalar. Raises `MalformedScalar`."""
        return cls(ciphersuite, ciphersuite.decode_scalar(data))


@dataclass(frozen=True, slots=True)
class Signature:
    """A Schnorr signature (R, z). R is kept as received, never decoded: verification compares encodings."""

    ciphersuite: Ciphersuite
    commitment: bytes  # R
    response: int  # z

    is_secret: ClassVar[bool] = False

    @staticmethod
    def encoded_length(ciphersuite: Ciphersuite) -> int:
        """Bytes of the encoding."""
        return ciphersuite.signature_length

    @classmethod
    def make(
        cls, ciphersuite: Ciphersuite, secret: SecretScalar, challenge: Callable[[bytes], int], entropy: Entropy
    ) -> Self:
        """Draw k; compute R = k·G and z = k + c·secret, where ``challenge`` makes c of R.

        Where R has to be the other of ±k·G, z = -(k - c·secret), so that no secret has to be negated.
        """
        group, hooks = ciphersuite.group, ciphersuite.hooks
        nonce = group.random_scalar(entropy)
        _, encoded = group.commit((nonce,))
        sign, encoded = hooks.sign(encoded), hooks.normal(encoded)
        response = group.reveal_sum((nonce, secret), (1, sign * challenge(encoded)))
        nonce.wipe()
        return cls(ciphersuite, encoded, sign * response % group.order)

    def fits(self, element: Element, challenge: int) -> bool:
        """Say whether z·G - c·element is R, compared as bytes."""
        (commitment,) = self.ciphersuite.group.encode_combinations((self.response,), (-challenge,), (element,))
        return commitment == self.commitment

    def serialize(self) -> bytes:
        """Write R ‖ z."""
        return self.ciphersuite.hooks.shorten(self.commitment) + self.ciphersuite.encode_scalar(self.response)

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: bytes) -> Self:
        """Read R ‖ z; an R that is none never verifies. Raises `MalformedElement`, `MalformedScalar`."""
        if len(data) != ciphersuite.signature_length:
            raise MalformedElement(f"a signature has {ciphersuite.signature_length} bytes, not {len(data)}")
        length = ciphersuite.signature_length - ciphersuite.group.scalar_length
        commitment = ciphersuite.hooks.restore(data[:length])
        return cls(ciphersuite, commitment, ciphersuite.decode_scalar(data[length:]))

    def __repr__(self) -> str:
        return f"<Signature {self.serialize().hex()}>"
