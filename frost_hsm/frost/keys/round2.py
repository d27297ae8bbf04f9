"""Packages of the second round of key generation (ZcashFoundation: ``keys::dkg::round2``)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Self

from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.encoding.codecs import U16, Codec, Commitment, Fixed
from frost_hsm.frost.encoding.package import Header
from frost_hsm.frost.encoding.package import SecretPackage as _SecretPackage
from frost_hsm.frost.keeping import SingleUse
from frost_hsm.frost.values import Identifier, SigningShare, VerifiableSecretSharingCommitment
from frost_hsm.secret import Secret


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Package(_SecretPackage):
    """What a participant sends to one other, encrypted: that one's part of the sender's secret."""

    ciphersuite: Ciphersuite
    signing_share: SigningShare

    title: ClassVar[str] = "round 2 package"
    fields: ClassVar[dict[str, Codec]] = {"signing_share": Fixed(SigningShare)}

    def wipe(self) -> None:
        """Overwrite the share."""
        self.signing_share.wipe()


class SecretPackage(_SecretPackage):
    """What a participant keeps for `dkg.part3`. Secret: its part of its own secret. Serves once, and not in a forked
    child. No header.

    round1_digest: 32 bytes that bind part3 to the round 1 packages that part2 checked. ZcashFoundation's
    encodings have no room for it: keep it beside them and hand it to `deserialize`. Without it part3 checks
    everything again.
    """

    __slots__ = (
        "_share",
        "ciphersuite",
        "commitment",
        "identifier",
        "max_signers",
        "min_signers",
        "round1_digest",
    )

    header: ClassVar[Header] = Header.NONE
    title: ClassVar[str] = "round 2 secret package"
    fields: ClassVar[dict[str, Codec]] = {
        "identifier": Fixed(Identifier),
        "commitment": Commitment(),
        "secret_share": Fixed(SigningShare),
        "min_signers": U16(),
        "max_signers": U16(),
    }

    def __init__(
        self,
        ciphersuite: Ciphersuite,
        identifier: Identifier,
        commitment: VerifiableSecretSharingCommitment,
        secret_share: SigningShare,
        min_signers: int,
        max_signers: int,
        round1_digest: bytes | None = None,
    ) -> None:
        self.ciphersuite = ciphersuite
        self.identifier = identifier
        self.commitment = commitment
        self.min_signers = min_signers
        self.max_signers = max_signers
        self.round1_digest = round1_digest
        self._share = SingleUse("the round 2 secret package", secret_share, SigningShare.wipe)

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: Secret, round1_digest: bytes | None = None) -> Self:
        """Read the postcard form. round1_digest: as kept beside it. Raises `DeserializationError`."""
        package = super().deserialize(ciphersuite, data)
        package.round1_digest = round1_digest
        return package

    @property
    def secret_share(self) -> SigningShare:
        """The participant's own part of its own secret. Raises `SecretConsumed`, `SecretForked`."""
        return self._share.look()

    def consumed(self) -> AbstractContextManager[SigningShare]:
        """Lend the share to one block, which consumes it unless it raises. Raises `SecretConsumed`, `SecretForked`."""
        return self._share.consumed()

    def wipe(self) -> None:
        """Overwrite the share, unless it was consumed."""
        self._share.wipe()
