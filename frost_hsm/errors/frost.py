"""The protocol's own errors, under ZcashFoundation's names where it has one."""

from __future__ import annotations

from frost_hsm.errors.kinds import FrostHsmError, InputProblem, MalformedMessage, ProtocolViolation, UsageProblem


class InvalidMinSigners(UsageProblem):
    """The threshold is below 2 or above the number of participants (ZcashFoundation: ``InvalidMinSigners``)."""

    code = "invalid-min-signers"
    default_hint = "the threshold is at least 2 and at most the number of participants"


class InvalidMaxSigners(UsageProblem):
    """Fewer than two participants (ZcashFoundation: ``InvalidMaxSigners``)."""

    code = "invalid-max-signers"
    default_hint = "a group has at least 2 participants and at most 65535"


class DuplicatedIdentifier(UsageProblem):
    """The same identifier twice (ZcashFoundation: ``DuplicatedIdentifier``)."""

    code = "duplicated-identifier"
    default_hint = "each participant has an identifier of their own"


class IncorrectNumberOfIdentifiers(UsageProblem):
    """Not as many identifiers as participants, or too few helpers (ZcashFoundation's name, too)."""

    code = "incorrect-number-of-identifiers"
    default_hint = "one identifier for each participant, and at least as many helpers as the threshold"


class SecretConsumed(UsageProblem):
    """A single-use secret was used before: a secret package, or nonces."""

    code = "secret-consumed"
    default_hint = "each secret package and each pair of nonces serves once; make a new one"


class SecretForked(SecretConsumed):
    """A single-use secret in a process forked off the one that made it, where it may serve as well."""

    code = "secret-forked"
    default_hint = "make it after the fork, in the process that uses it, or start that one by spawn"


class DeserializationError(MalformedMessage):
    """Bytes that are not ZcashFoundation's encoding of what was asked for."""

    code = "package-malformed"


class MalformedScalar(DeserializationError):
    """A scalar of the wrong length or not below the group order."""


class MalformedElement(DeserializationError):
    """An element of the wrong length, off the curve or in a non-canonical form."""


class InvalidIdentityElement(DeserializationError):
    """The identity element where ZcashFoundation refuses it: everywhere."""


class InvalidNonPrimeOrderElement(DeserializationError):
    """A point of the curve outside the subgroup of prime order: of low order, or with a part of it."""


class InvalidZeroScalar(DeserializationError):
    """A zero where none may be: an identifier, a signing key, a signing share."""


class IncorrectNumberOfPackages(InputProblem):
    """Not one package from each other participant (ZcashFoundation: ``IncorrectNumberOfPackages``)."""

    code = "incorrect-number-of-packages"


class IncorrectPackage(InputProblem):
    """Packages that do not belong together (ZcashFoundation: ``IncorrectPackage``)."""

    code = "incorrect-package"


class UnknownIdentifier(InputProblem):
    """An identifier that has no place here (ZcashFoundation: ``UnknownIdentifier``)."""

    code = "unknown-identifier"


class IncorrectNumberOfSigners(InputProblem):
    """Fewer commitments or shares than min_signers, or one without the other.

    ZcashFoundation: ``IncorrectNumberOfCommitments`` and ``IncorrectNumberOfShares`` of signing.
    """

    code = "incorrect-number-of-signers"


class MissingCommitment(InputProblem):
    """The signing package lacks the signer's own commitments (ZcashFoundation: ``MissingCommitment``)."""

    code = "missing-commitment"


class IncorrectCommitment(InputProblem):
    """The signing package holds other commitments for the signer (ZcashFoundation: ``IncorrectCommitment``)."""

    code = "incorrect-commitment"


class IdentityCommitment(InputProblem):
    """Commitments that add up to the identity (ZcashFoundation: ``IdentityCommitment``)."""

    code = "identity-commitment"


class UnchangedShare(InputProblem):
    """A refresh that leaves somebody's share as it was. Nothing shows by whom, and so nobody is named."""

    code = "refresh-unchanged-share"
    default_hint = (
        "nothing was changed, the old shares go on; start another refresh, and if it was dealt, by somebody else"
    )


class IncorrectNumberOfCommitments(ProtocolViolation):
    """A round-1 commitment without exactly min_signers entries: it would raise or lower the threshold."""

    code = "dkg-commitment-length"


class InvalidProofOfKnowledge(ProtocolViolation):
    """A round-1 proof of knowledge that does not verify (ZcashFoundation: ``InvalidProofOfKnowledge``)."""

    code = "dkg-bad-proof"


class InvalidSecretShare(ProtocolViolation):
    """A round-2 share that does not match its sender's commitment (ZcashFoundation: ``InvalidSecretShare``).

    Its recipient alone sees it, until its sender opens it.
    """

    code = "dkg-bad-share"


class InvalidSignatureShare(ProtocolViolation):
    """A signature share that does not verify (ZcashFoundation: ``InvalidSignatureShare``)."""

    code = "sign-bad-share"
    default_hint = "make a new request with other signers"


class NoConstantTime(FrostHsmError):
    """No C library computes with secrets on a curve, in time that does not depend on them. Nothing else may."""

    code = "no-constant-time"
    exit = 69
    default_hint = "install pycryptodome from a wheel with its C code, or a Python with OpenSSL; see frost-hsm doctor"
