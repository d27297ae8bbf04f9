"""The packages that outlive a key generation, and those of signing, named as ZcashFoundation names them.

Those of key generation are in `round1` and `round2`; the values they are made of come from `values`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, repeat
from typing import Any, ClassVar, Self

from frost_hsm.errors import DeserializationError, IncorrectPackage, InvalidSecretShare
from frost_hsm.frost import polynomial
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.encoding.codecs import (
    U16,
    Bytes,
    Codec,
    Commitment,
    Fixed,
    MapOf,
    Nested,
    OptionalTail,
    Point,
    capped,
)
from frost_hsm.frost.encoding.package import Header, PublicPackage, SecretPackage
from frost_hsm.frost.encoding.postcard import Reader
from frost_hsm.frost.keeping import SingleUse
from frost_hsm.frost.values import (
    Coefficient,
    Identifier,
    Nonce,
    NonceCommitment,
    Signature,
    SignatureResponse,
    SigningKey,
    SigningShare,
    VerifiableSecretSharingCommitment,
    VerifyingKey,
    VerifyingShare,
    in_order,
)
from frost_hsm.groups import Element, pieces

__all__ = [
    "Coefficient",
    "Identifier",
    "KeyPackage",
    "Nonce",
    "NonceCommitment",
    "PublicKeyPackage",
    "SecretShare",
    "Signature",
    "SignatureResponse",
    "SignatureShare",
    "SigningCommitments",
    "SigningKey",
    "SigningNonces",
    "SigningPackage",
    "SigningShare",
    "VerifiableSecretSharingCommitment",
    "VerifyingKey",
    "VerifyingShare",
]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class KeyPackage(SecretPackage):
    """What a participant signs with. Secret: its signing share."""

    ciphersuite: Ciphersuite
    identifier: Identifier
    signing_share: SigningShare
    verifying_share: VerifyingShare
    verifying_key: VerifyingKey
    min_signers: int

    title: ClassVar[str] = "key package"
    fields: ClassVar[dict[str, Codec]] = {
        "identifier": Fixed(Identifier),
        "signing_share": Fixed(SigningShare),
        "verifying_share": Point(VerifyingShare),
        "verifying_key": Point(VerifyingKey),
        "min_signers": U16(),
    }

    @classmethod
    def from_secret_share(cls, secret_share: SecretShare) -> Self:
        """Check what a dealer sent and make a key package of it (ZcashFoundation: ``TryFrom<SecretShare>``).

        The share is copied; the caller wipes ``secret_share``. Compare the key and ``min_signers`` with what was
        agreed, and the commitment with the other participants'. Raises `IncorrectPackage` for a commitment that
        is no threshold's and `InvalidSecretShare`, without culprits: the dealer is none of the participants.
        """
        suite, commitment = secret_share.ciphersuite, secret_share.commitment
        suite.check_owns(secret_share.identifier, secret_share.signing_share, commitment)
        if len(commitment) < 2:
            raise IncorrectPackage(f"a commitment of {len(commitment)} entries is that of no threshold")
        number, scalar = secret_share.identifier.value, secret_share.signing_share.scalar
        if not polynomial.commits_to(suite.group, commitment.elements, number, scalar):
            raise InvalidSecretShare(f"the share of {secret_share.identifier} does not match the commitment")
        return cls(
            suite,
            secret_share.identifier,
            SigningShare(suite, suite.group.add_scalars((scalar,))),
            secret_share.signing_share.verifying_share(),
            VerifyingKey.from_element(suite, commitment.elements[0]),
            len(commitment),
        )

    def wipe(self) -> None:
        """Overwrite the signing share."""
        self.signing_share.wipe()


@dataclass(frozen=True, slots=True)
class PublicKeyPackage(PublicPackage):
    """What everybody knows of a group: its key and each participant's verifying share.

    min_signers: None in a package from before version 3 of ZcashFoundation's crates.
    """

    ciphersuite: Ciphersuite
    verifying_shares: Mapping[Identifier, VerifyingShare]
    verifying_key: VerifyingKey
    min_signers: int | None

    title: ClassVar[str] = "public key package"
    fields: ClassVar[dict[str, Codec]] = {
        "verifying_shares": MapOf(Point(VerifyingShare)),
        "verifying_key": Point(VerifyingKey),
        "min_signers": OptionalTail(U16()),
    }

    def __post_init__(self) -> None:
        object.__setattr__(self, "verifying_shares", in_order(self.verifying_shares))

    def as_v2(self) -> Self:
        """Return the package without ``min_signers``: the JSON that versions 1 and 2 read, who refuse the
        field.
        """
        return replace(self, min_signers=None)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SecretShare(SecretPackage):
    """What a trusted dealer gives a participant. Secret: its signing share."""

    ciphersuite: Ciphersuite
    identifier: Identifier
    signing_share: SigningShare
    commitment: VerifiableSecretSharingCommitment

    title: ClassVar[str] = "secret share"
    fields: ClassVar[dict[str, Codec]] = {
        "identifier": Fixed(Identifier),
        "signing_share": Fixed(SigningShare),
        "commitment": Commitment(),
    }

    def wipe(self) -> None:
        """Overwrite the signing share."""
        self.signing_share.wipe()


@dataclass(frozen=True, slots=True)
class SigningCommitments(PublicPackage):
    """A signer's commitments to a pair of nonces."""

    ciphersuite: Ciphersuite
    hiding: NonceCommitment
    binding: NonceCommitment

    title: ClassVar[str] = "signing commitments"
    fields: ClassVar[dict[str, Codec]] = {"hiding": Point(NonceCommitment), "binding": Point(NonceCommitment)}

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: bytes, y_coordinates: bytes | None = None) -> Self:
        """Read the postcard form. y_coordinates: those of `y_coordinates`, if known, checked and not trusted.

        Raises `DeserializationError`.
        """
        return cls._deserialize(ciphersuite, memoryview(data), y_coordinates)

    def y_coordinates(self) -> bytes:
        """Return the y coordinates of both, hiding first; they save the reader the square roots."""
        y_coordinate = self.ciphersuite.group.y_coordinate
        return y_coordinate(self.hiding.element) + y_coordinate(self.binding.element)


class SigningNonces(SecretPackage):
    """A pair of signing nonces with their commitments. Secret; serves once.

    Used again for another message or other signers, it gives the signing share away; so it serves in the process that
    made it, and in none forked off it.
    """

    __slots__ = ("_nonces", "ciphersuite", "commitments")

    title = "signing nonces"
    fields: ClassVar[dict[str, Codec]] = {
        "hiding": Fixed(Nonce),
        "binding": Fixed(Nonce),
        "commitments": Nested(SigningCommitments),
    }

    def __init__(
        self, ciphersuite: Ciphersuite, hiding: Nonce, binding: Nonce, commitments: SigningCommitments
    ) -> None:
        self.ciphersuite = ciphersuite
        self.commitments = commitments
        self._nonces = SingleUse("the pair of signing nonces", (hiding, binding), _wipe_both)

    @property
    def hiding(self) -> Nonce:
        """The hiding nonce. Raises `SecretConsumed`, `SecretForked`."""
        return self._nonces.look()[0]

    @property
    def binding(self) -> Nonce:
        """The binding nonce. Raises `SecretConsumed`, `SecretForked`."""
        return self._nonces.look()[1]

    def take(self) -> tuple[Nonce, Nonce]:
        """Take the nonces out for good, hiding first: one caller gets them. Raises `SecretConsumed`, `SecretForked`."""
        return self._nonces.take()

    def wipe(self) -> None:
        """Overwrite the nonces, unless they were taken."""
        self._nonces.wipe()

    @classmethod
    def _gather(cls, suite: Ciphersuite, read: Callable[[str, Codec], Any]) -> Self:
        nonces = super()._gather(suite, read)
        if [nonces.commitments] != commit_nonces(suite, (nonces.hiding, nonces.binding)):
            raise DeserializationError("commitments: not those of the nonces")
        return nonces


class _CommitmentsOfSigners(MapOf):
    """A map of `SigningCommitments`: records of one length, whose elements are read all at once."""

    def __init__(self) -> None:
        super().__init__(Nested(SigningCommitments))

    def read(self, suite: Ciphersuite, reader: Reader) -> dict[Identifier, SigningCommitments]:
        group, header, known = suite.group, suite.header, reader.known
        at_hiding = group.scalar_length + len(header)
        at_binding = at_hiding + group.element_length
        length = at_binding + group.element_length
        records = pieces(bytes(reader.take(capped(reader.count(length)) * length)), length)
        identifiers = [Identifier.deserialize(suite, record[: group.scalar_length]) for record in records]
        if any(not before < after for before, after in pairwise(identifiers)):
            raise DeserializationError("the identifiers are not in ascending order")
        if any(record[group.scalar_length : at_hiding] != header for record in records):
            raise DeserializationError(f"not all commitments are of the version and ciphersuite of {suite.id}")
        encodings = [each for record in records for each in (record[at_hiding:at_binding], record[at_binding:])]
        unknown = [encoding for encoding in encodings if encoding not in known]
        decoded = iter(group.decode_all(b"".join(unknown)))
        elements = [known[encoding] if encoding in known else next(decoded) for encoding in encodings]
        values = list(map(NonceCommitment, repeat(suite), encodings, elements))
        pairs = zip(identifiers, values[::2], values[1::2], strict=True)
        return {identifier: SigningCommitments(suite, hiding, binding) for identifier, hiding, binding in pairs}


@dataclass(frozen=True, slots=True)
class SigningPackage(PublicPackage):
    """What signers are asked to sign: the message, and the commitments of exactly those who sign."""

    ciphersuite: Ciphersuite
    signing_commitments: Mapping[Identifier, SigningCommitments]
    message: bytes

    title: ClassVar[str] = "signing package"
    fields: ClassVar[dict[str, Codec]] = {
        "signing_commitments": _CommitmentsOfSigners(),
        "message": Bytes(),
    }

    def __post_init__(self) -> None:
        object.__setattr__(self, "signing_commitments", in_order(self.signing_commitments))

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: bytes, known: Iterable[SigningCommitments] = ()) -> Self:
        """Read the postcard form. known: commitments that were made or read before, a signer's own say: where these are
        in the package, their elements are not read again. Raises `DeserializationError`, `IncorrectPackage`.
        """
        known = tuple(known)
        ciphersuite.check_owns(*known)
        elements = {each.encoded: each.element for pair in known for each in (pair.hiding, pair.binding)}
        return cls._deserialize(ciphersuite, memoryview(data), known=elements)


@dataclass(frozen=True, slots=True)
class SignatureShare(PublicPackage):
    """A signer's part of a signature. In postcard it is the bare scalar."""

    ciphersuite: Ciphersuite
    share: SignatureResponse

    header: ClassVar[Header] = Header.JSON
    title: ClassVar[str] = "signature share"
    fields: ClassVar[dict[str, Codec]] = {"share": Fixed(SignatureResponse)}


def _wipe_both(nonces: tuple[Nonce, Nonce]) -> None:
    for nonce in nonces:
        nonce.wipe()


def commit_nonces(suite: Ciphersuite, nonces: Sequence[Nonce]) -> list[SigningCommitments]:
    """Multiply pairs of nonces, hiding and binding in turn, with the generator."""
    return pair_commitments(suite, *suite.group.commit([nonce.scalar for nonce in nonces]))


def pair_commitments(suite: Ciphersuite, elements: Sequence[Element], encoded: bytes) -> list[SigningCommitments]:
    """Make commitments of their elements and encodings, hiding and binding in turn."""
    committed = map(NonceCommitment, repeat(suite), pieces(encoded, suite.group.element_length), elements)
    return [SigningCommitments(suite, hiding, binding) for hiding, binding in zip(committed, committed, strict=True)]


def encode_group_commitments(signing_commitments: Mapping[Identifier, SigningCommitments]) -> bytes:
    """Write identifier, D and E of every signer, in order (RFC 9591, section 4.3)."""
    return b"".join(
        identifier.serialize() + commitments.hiding.encoded + commitments.binding.encoded
        for identifier, commitments in in_order(signing_commitments).items()
    )
