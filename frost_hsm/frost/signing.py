"""Two-round threshold signing (RFC 9591, section 5; ZcashFoundation: ``round1``, ``round2``, ``aggregate``).

A signer commits, receives a signing package, looks at its message, and signs; whoever collects the shares,
trusted with nothing, aggregates them. Nonces serve once and are taken before anything is computed with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from frost_hsm.errors import (
    IdentityCommitment,
    IncorrectCommitment,
    IncorrectNumberOfSigners,
    InvalidIdentityElement,
    InvalidSignature,
    InvalidSignatureShare,
    MissingCommitment,
    UnknownIdentifier,
    UsageProblem,
)
from frost_hsm.frost import polynomial
from frost_hsm.frost.packages import (
    KeyPackage,
    PublicKeyPackage,
    SignatureShare,
    SigningCommitments,
    SigningNonces,
    SigningPackage,
    encode_group_commitments,
    pair_commitments,
)
from frost_hsm.frost.values import (
    Identifier,
    Nonce,
    Signature,
    SignatureResponse,
    SigningShare,
    VerifyingKey,
    VerifyingShare,
)
from frost_hsm.groups import Element
from frost_hsm.secret import Entropy, system_entropy


class CheaterDetection(StrEnum):
    """What `aggregate` does when the shares do not add up to a signature."""

    DISABLED = "disabled"  # raise InvalidSignature, name nobody
    FIRST = "first"  # name the first signer whose share is wrong
    ALL = "all"  # name every one


def commit(
    signing_share: SigningShare | KeyPackage, entropy: Entropy = system_entropy
) -> tuple[SigningNonces, SigningCommitments]:
    """Make a pair of nonces and the commitments to send (RFC 9591, section 5.1).

    Each nonce is a hash of 32 fresh random bytes and the share, so that a weak generator alone does not give
    the share away. The nonces are secret and serve once.
    """
    (pair,) = preprocess(1, signing_share, entropy)
    return pair


def preprocess(
    count: int, signing_share: SigningShare | KeyPackage, entropy: Entropy = system_entropy
) -> list[tuple[SigningNonces, SigningCommitments]]:
    """Make many pairs at once, to sign in one round later (RFC 9591, section 5; ZcashFoundation: ``preprocess``).

    The commitments are published in their order; each pair serves one signature. Raises `UsageProblem` for a
    ``count`` below 1.
    """
    if count < 1:
        raise UsageProblem(f"{count} pairs of nonces are none")
    share = signing_share.signing_share if isinstance(signing_share, KeyPackage) else signing_share
    suite = share.ciphersuite
    drawn, elements, encoded = suite.group.make_nonces(suite.h3, share.scalar, 2 * count, entropy)
    nonces = [Nonce(suite, scalar) for scalar in drawn]
    committed = pair_commitments(suite, elements, encoded)
    return [
        (SigningNonces(suite, hiding, binding, commitments), commitments)
        for hiding, binding, commitments in zip(nonces[::2], nonces[1::2], committed, strict=True)
    ]


def sign(signing_package: SigningPackage, nonces: SigningNonces, key_package: KeyPackage) -> SignatureShare:
    """Make this signer's share of the signature (RFC 9591, section 5.2).

    Consumes ``nonces`` before it computes. Look at the package's message first. Raises
    `IncorrectNumberOfSigners`, `MissingCommitment`, `IncorrectCommitment`, `IncorrectPackage` for parts of
    different suites, `IdentityCommitment`, and `SecretConsumed` for nonces that have served.
    """
    suite, identifier = key_package.ciphersuite, key_package.identifier
    suite.check_owns(signing_package, nonces)
    commitments = signing_package.signing_commitments
    if len(commitments) < key_package.min_signers:
        raise IncorrectNumberOfSigners(f"{len(commitments)} signers are fewer than {key_package.min_signers}")
    if identifier not in commitments:
        raise MissingCommitment(f"the signing package has no commitments of {identifier}")
    if commitments[identifier] != nonces.commitments:
        raise IncorrectCommitment(f"the signing package has other commitments of {identifier} than these nonces have")
    hiding, binding = nonces.take()
    try:
        session = _Session.open(signing_package, key_package.verifying_key)
        group = suite.group
        factor = session.challenge * session.lagrange(identifier)
        response = group.reveal_sum(
            (hiding.scalar, binding.scalar, key_package.signing_share.scalar),
            (1, session.binding_factors[identifier], factor),
        )
        return SignatureShare(suite, SignatureResponse(suite, session.sign * response % group.order))
    finally:
        hiding.wipe()
        binding.wipe()


def aggregate(
    signing_package: SigningPackage,
    signature_shares: Mapping[Identifier, SignatureShare],
    public_key_package: PublicKeyPackage,
    *,
    cheater_detection: CheaterDetection = CheaterDetection.FIRST,
) -> Signature:
    """Add the shares up to a signature, which is verified before it is returned (RFC 9591, section 5.3).

    Raises `UnknownIdentifier` unless the shares are of exactly the package's signers, all of the group;
    `IncorrectNumberOfSigners`, `IncorrectPackage`, `IdentityCommitment`; `InvalidSignatureShare` with
    culprits, or `InvalidSignature` where those are not asked for.
    """
    suite = public_key_package.ciphersuite
    suite.check_owns(signing_package, *signature_shares.values())
    signers = signing_package.signing_commitments
    for identifier in sorted(signers.keys() ^ signature_shares.keys()):
        lacks = "share" if identifier in signers else "place in the signing package"
        raise UnknownIdentifier(f"{identifier} has no {lacks}")
    for identifier in sorted(signers.keys() - public_key_package.verifying_shares.keys()):
        raise UnknownIdentifier(f"{identifier} is not of this group")
    if len(signers) < (public_key_package.min_signers or 1):
        raise IncorrectNumberOfSigners(f"{len(signers)} signers are fewer than {public_key_package.min_signers}")
    group, key = suite.group, public_key_package.verifying_key
    session = _Session.open(signing_package, key)
    response = sum(share.share.value for share in signature_shares.values()) % group.order
    if session.fits(response, session.challenge, key.element, session.group_commitment):
        return Signature(suite, session.encoded_commitment, response)
    if cheater_detection is CheaterDetection.DISABLED:
        raise InvalidSignature(
            "the shares do not add up to a signature",
            hint="aggregate again with cheater detection, to learn whose share is wrong",
        )
    most = 1 if cheater_detection is CheaterDetection.FIRST else None
    culprits = list(islice(session.cheaters(signature_shares, public_key_package), most))
    if not culprits:  # the verifying shares are not those of the key
        raise InvalidSignature("the shares are right for their signers but not for this group key")
    raise InvalidSignatureShare(
        f"the signature share of {', '.join(map(str, culprits))} does not verify", culprits=culprits
    )


def find_cheaters(
    signing_package: SigningPackage,
    signature_shares: Mapping[Identifier, SignatureShare],
    public_key_package: PublicKeyPackage,
) -> list[Identifier]:
    """List the signers whose share is wrong, of those whose shares are here (ZcashFoundation: ``detect_cheater``).

    Raises `UnknownIdentifier` for a share of somebody else, `IncorrectPackage` and `IdentityCommitment`.
    """
    if not signature_shares:
        return []
    public_key_package.ciphersuite.check_owns(signing_package, *signature_shares.values())
    for identifier in signature_shares:
        _require_signer(signing_package, identifier)
        if identifier not in public_key_package.verifying_shares:
            raise UnknownIdentifier(f"{identifier} is not of this group")
    session = _Session.open(signing_package, public_key_package.verifying_key)
    return list(session.cheaters(signature_shares, public_key_package))


def verify_signature_share(
    identifier: Identifier,
    verifying_share: VerifyingShare,
    signature_share: SignatureShare,
    signing_package: SigningPackage,
    verifying_key: VerifyingKey,
) -> None:
    """Check one share (RFC 9591, section 5.4). Raises `InvalidSignatureShare` with its signer as culprit.

    Raises `UnknownIdentifier` too, `IncorrectPackage` and `IdentityCommitment`.
    """
    verifying_key.ciphersuite.check_owns(identifier, verifying_share, signature_share, signing_package)
    _require_signer(signing_package, identifier)
    if not _Session.open(signing_package, verifying_key).share_fits(identifier, verifying_share, signature_share):
        raise InvalidSignatureShare(f"the signature share of {identifier} does not verify", culprits=(identifier,))


def _require_signer(signing_package: SigningPackage, identifier: Identifier) -> None:
    if identifier not in signing_package.signing_commitments:
        raise UnknownIdentifier(f"{identifier} is not a signer of this package")


def verify(message: bytes, signature: Signature, verifying_key: VerifyingKey) -> None:
    """Check a signature. Raises `InvalidSignature`."""
    verifying_key.verify(message, signature)


@dataclass(frozen=True, slots=True)
class _Session:
    """What all signers and the aggregator compute alike from a signing package and the group key.

    Where signatures carry -R instead of R, everybody negates the response instead of the nonces, and the challenge
    so that this is all: -(d + e·ρ + λ·s·(-c)) = -d - e·ρ + λ·s·c.
    """

    signing_package: SigningPackage
    binding_factors: dict[Identifier, int]  # ρ
    group_commitment: Element  # R
    encoded_commitment: bytes  # of R or -R, as signatures have it
    sign: int  # 1 or -1
    challenge: int  # c, or -c

    @classmethod
    def open(cls, signing_package: SigningPackage, verifying_key: VerifyingKey) -> _Session:
        suite, commitments = signing_package.ciphersuite, signing_package.signing_commitments
        group = suite.group
        encoded_list = encode_group_commitments(commitments)
        prefix = suite.hooks.normal(verifying_key.encoded) + suite.h4(signing_package.message) + suite.h5(encoded_list)
        factors = {identifier: suite.h1(prefix + identifier.serialize()) for identifier in commitments}

        hiding, binding = zip(*((c.hiding.element, c.binding.element) for c in commitments.values()), strict=True)
        commitment = group.add_products(hiding, list(factors.values()), binding)
        try:
            encoded = group.encode(commitment)
        except InvalidIdentityElement:
            raise IdentityCommitment("the commitments of the signers add up to the identity") from None
        sign = suite.hooks.sign(encoded)
        challenge = sign * verifying_key.challenge(encoded, signing_package.message)
        return cls(signing_package, factors, commitment, suite.hooks.normal(encoded), sign, challenge)

    def lagrange(self, identifier: Identifier) -> int:
        """Return λ of one signer."""
        numbers = [signer.value for signer in self.signing_package.signing_commitments]
        return polynomial.lagrange(identifier.ciphersuite.group.order, numbers, identifier.value)

    def share_fits(self, identifier: Identifier, verifying_share: VerifyingShare, share: SignatureShare) -> bool:
        """Say whether z·G = D + ρ·E + (c·λ)·Y."""
        group = identifier.ciphersuite.group
        commitments = self.signing_package.signing_commitments[identifier]
        expected = group.add_products(
            (commitments.hiding.element,), (self.binding_factors[identifier],), (commitments.binding.element,)
        )
        factor = self.challenge * self.lagrange(identifier)
        return self.fits(share.share.value, factor, verifying_share.element, expected)

    def cheaters(
        self, shares: Mapping[Identifier, SignatureShare], public_key_package: PublicKeyPackage
    ) -> Iterator[Identifier]:
        """Find the signers whose share is here and wrong, in the package's order."""
        for identifier in self.signing_package.signing_commitments:
            if identifier not in shares:
                continue
            verifying_share = public_key_package.verifying_shares[identifier]
            if not self.share_fits(identifier, verifying_share, shares[identifier]):
                yield identifier

    def fits(self, response: int, factor: int, element: Element, commitment: Element) -> bool:
        """Say whether z·G = commitment + factor·element, for the response z before it may have been negated."""
        group = self.signing_package.ciphersuite.group
        return group.equal(group.combine_base(self.sign * response, -factor, element), commitment)
