"""Packages of the first round of key generation (ZcashFoundation: ``keys::dkg::round1``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar, Self

from frost_hsm.errors import DeserializationError, InvalidNonPrimeOrderElement
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.encoding.codecs import U16, Codec, Commitment, Fixed, ListOf
from frost_hsm.frost.encoding.package import Header, PublicPackage
from frost_hsm.frost.encoding.package import SecretPackage as _SecretPackage
from frost_hsm.frost.keeping import SingleUse
from frost_hsm.frost.keys import many_commitments
from frost_hsm.frost.values import Coefficient, Identifier, Signature, VerifiableSecretSharingCommitment

_AT_ONCE = 1 << 20
"""Bytes of commitments that are read and proven at once: fewer take longer to prove, more take more memory."""


@dataclass(frozen=True, slots=True)
class Package(PublicPackage):
    """What a participant sends to all others, over a channel that shows who sent it.

    Everybody must receive the same. proof_of_knowledge: of the constant term's logarithm.
    """

    ciphersuite: Ciphersuite
    commitment: VerifiableSecretSharingCommitment
    proof_of_knowledge: Signature

    title: ClassVar[str] = "round 1 package"
    fields: ClassVar[dict[str, Codec]] = {
        "commitment": Commitment(),
        "proof_of_knowledge": Fixed(Signature, counted=True),
    }

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: bytes, y_coordinates: bytes | None = None) -> Self:
        """Read the postcard form. y_coordinates: those of `y_coordinates`, if known, checked and not trusted.

        Raises `DeserializationError`.
        """
        return cls._deserialize(ciphersuite, memoryview(data), y_coordinates)

    def y_coordinates(self) -> bytes:
        """Return the y coordinates of the commitment's entries; they save the reader the square roots."""
        return self.commitment.y_coordinates()


def deserialize_all(ciphersuite: Ciphersuite, packages: Mapping[Identifier, bytes]) -> dict[Identifier, Package]:
    """Read the postcard forms of many senders' packages, their elements many at once, which is most of the work.

    That they are in the group is proven for many together, too. Of very many only the sum is kept, beside their
    encodings, and the elements of one are read again where they are asked for. Raises `DeserializationError`, which
    names the sender but proves nothing against them.
    """
    found: dict[Identifier, Package] = {}
    unread: dict[Identifier, Package] = {}
    for sender, data in packages.items():
        with _naming(sender):
            unread[sender] = Package._deserialize(ciphersuite, memoryview(data), decodes=False)
        if sum(len(package.commitment.encoded) for package in unread.values()) >= _AT_ONCE:
            found |= _put_together(ciphersuite, _with_elements(ciphersuite, unread, packages))
            unread.clear()
    return found | _with_elements(ciphersuite, unread, packages)


def keep_sums(ciphersuite: Ciphersuite, packages: Iterable[tuple[Identifier, Package]]) -> dict[Identifier, Package]:
    """Keep packages as they are read one by one, with their senders; of very many as `deserialize_all` does."""
    found: dict[Identifier, Package] = {}
    apart: dict[Identifier, Package] = {}
    size = 0
    for sender, package in packages:
        apart[sender] = package
        size += len(package.commitment.encoded)
        if size >= _AT_ONCE:
            found |= _put_together(ciphersuite, apart)
            apart, size = {}, 0
    return found | apart


def _with_elements(
    ciphersuite: Ciphersuite, packages: Mapping[Identifier, Package], encoded: Mapping[Identifier, bytes]
) -> dict[Identifier, Package]:
    group = ciphersuite.group
    try:
        elements = iter(group.decode_all(b"".join(p.commitment.encoded for p in packages.values()), prove=False))
    except DeserializationError:
        for sender in packages:
            with _naming(sender):
                Package.deserialize(ciphersuite, encoded[sender])
        raise
    found = {}
    for sender, package in packages.items():
        encoding = package.commitment.encoded
        own = tuple(islice(elements, len(encoding) // group.element_length))
        commitment = VerifiableSecretSharingCommitment(ciphersuite, encoding, own)
        found[sender] = Package(ciphersuite, commitment, package.proof_of_knowledge)
    _prove_membership(ciphersuite, found)
    return found


def _put_together(ciphersuite: Ciphersuite, packages: Mapping[Identifier, Package]) -> dict[Identifier, Package]:
    """Keep of many packages no more elements than their constant terms and the sum of all."""
    encodings = [package.commitment.encoded for package in packages.values()]
    elements = [package.commitment.elements for package in packages.values()]
    kept = many_commitments.put_together(ciphersuite.group, encodings, elements)
    return {
        sender: replace(package, commitment=replace(package.commitment, elements=those))
        for (sender, package), those in zip(packages.items(), kept, strict=True)
    }


def _prove_membership(ciphersuite: Ciphersuite, packages: Mapping[Identifier, Package]) -> None:
    prove = ciphersuite.group.prove_membership
    try:
        prove(
            (element for package in packages.values() for element in package.commitment.elements),
            (encoding for package in packages.values() for encoding in package.commitment.encodings()),
        )
    except InvalidNonPrimeOrderElement:
        for sender, package in packages.items():
            with _naming(sender):
                prove(package.commitment.elements, package.commitment.encodings())
        raise


@contextmanager
def _naming(sender: Identifier) -> Iterator[None]:
    """Make errors say whose package it is."""
    try:
        yield
    except DeserializationError as error:
        raise type(error)(f"of {sender}: {error}") from None


class SecretPackage(_SecretPackage):
    """What a participant keeps for `dkg.part2`. Secret: the polynomial. Serves once, and not in a forked child. Has
    no header."""

    __slots__ = ("_coefficients", "ciphersuite", "commitment", "identifier", "max_signers", "min_signers")

    header: ClassVar[Header] = Header.NONE
    title: ClassVar[str] = "round 1 secret package"
    fields: ClassVar[dict[str, Codec]] = {
        "identifier": Fixed(Identifier),
        "coefficients": ListOf(Fixed(Coefficient)),
        "commitment": Commitment(),
        "min_signers": U16(),
        "max_signers": U16(),
    }

    def __init__(
        self,
        ciphersuite: Ciphersuite,
        identifier: Identifier,
        coefficients: Sequence[Coefficient],
        commitment: VerifiableSecretSharingCommitment,
        min_signers: int,
        max_signers: int,
    ) -> None:
        self.ciphersuite = ciphersuite
        self.identifier = identifier
        self.commitment = commitment
        self.min_signers = min_signers
        self.max_signers = max_signers
        self._coefficients = SingleUse("the round 1 secret package", tuple(coefficients), _wipe)

    @property
    def coefficients(self) -> tuple[Coefficient, ...]:
        """The secret polynomial, constant term first. Raises `SecretConsumed`, `SecretForked`."""
        return self._coefficients.look()

    def consumed(self) -> AbstractContextManager[tuple[Coefficient, ...]]:
        """Lend the polynomial to one block, which consumes it unless it raises.

        Raises `SecretConsumed`, `SecretForked`.
        """
        return self._coefficients.consumed()

    def wipe(self) -> None:
        """Overwrite the polynomial, unless it was consumed."""
        self._coefficients.wipe()


def _wipe(coefficients: tuple[Coefficient, ...]) -> None:
    for coefficient in coefficients:
        coefficient.wipe()
