"""frost-hsm: signing keys that belong to a group, each share sealed in its owner's token.

The names below are the public ones; they are loaded when they are first used. The protocol alone needs no
token: `dkg.part1`, `dkg.part2`, `dkg.part3`, `signing.commit`, `signing.sign`, `signing.aggregate`. With tokens:
`KeyGeneration` makes a key, `SigningSession` and `SealedSigner` sign, `Refresh` and `Repair` look after the shares.
`GroupPrivateKey` is what other libraries are handed, for the group to sign: by an `Agent`, or by a `MessageFolder`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frost_hsm.agent.asking import Agent
    from frost_hsm.ceremony.history.keys import GroupKey
    from frost_hsm.ceremony.messages.inbox import Inbox, Incoming
    from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
    from frost_hsm.ceremony.sharing.keygen import KeyGeneration
    from frost_hsm.ceremony.sharing.refresh import Refresh
    from frost_hsm.ceremony.sharing.repair import Repair
    from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
    from frost_hsm.ceremony.signing.session import SigningSession
    from frost_hsm.ceremony.store import StateDirectory
    from frost_hsm.errors import FrostHsmError
    from frost_hsm.frost import batch, rerandomized, signing, taproot
    from frost_hsm.frost.ciphersuites import ED448, ED25519, P256, RISTRETTO255, SECP256K1, SECP256K1_TR
    from frost_hsm.frost.keys import dealer, dkg, refresh, repair, round1, round2
    from frost_hsm.frost.packages import (
        Identifier,
        KeyPackage,
        PublicKeyPackage,
        SecretShare,
        Signature,
        SignatureShare,
        SigningCommitments,
        SigningKey,
        SigningNonces,
        SigningPackage,
        SigningShare,
        VerifyingKey,
        VerifyingShare,
    )
    from frost_hsm.secret import Secret
    from frost_hsm.targets.programs.group_private_key import GroupPrivateKey
    from frost_hsm.targets.programs.message_folder import MessageFolder

__version__ = "0.1.0"

__all__ = [
    "ED448",
    "ED25519",
    "P256",
    "RISTRETTO255",
    "SECP256K1",
    "SECP256K1_TR",
    "Agent",
    "FrostHsmError",
    "GroupKey",
    "GroupPrivateKey",
    "Holder",
    "Identifier",
    "Inbox",
    "Incoming",
    "KeyGeneration",
    "KeyPackage",
    "MessageFolder",
    "PublicIdentity",
    "PublicKeyPackage",
    "Refresh",
    "Repair",
    "SealedSigner",
    "Secret",
    "SecretShare",
    "Signature",
    "SignatureShare",
    "SigningCommitments",
    "SigningKey",
    "SigningNonces",
    "SigningPackage",
    "SigningSession",
    "SigningShare",
    "StateDirectory",
    "VerifyingKey",
    "VerifyingShare",
    "batch",
    "dealer",
    "dkg",
    "refresh",
    "repair",
    "rerandomized",
    "round1",
    "round2",
    "signing",
    "taproot",
]

_HOMES = {
    "frost_hsm.ceremony.people.identity": ("Holder", "PublicIdentity"),
    "frost_hsm.ceremony.messages.inbox": ("Inbox", "Incoming"),
    "frost_hsm.ceremony.sharing.keygen": ("KeyGeneration",),
    "frost_hsm.ceremony.history.keys": ("GroupKey",),
    "frost_hsm.ceremony.sharing.refresh": ("Refresh",),
    "frost_hsm.ceremony.sharing.repair": ("Repair",),
    "frost_hsm.ceremony.signing.sealed_signer": ("SealedSigner",),
    "frost_hsm.ceremony.signing.session": ("SigningSession",),
    "frost_hsm.ceremony.store": ("StateDirectory",),
    "frost_hsm.errors": ("FrostHsmError",),
    "frost_hsm.frost.ciphersuites": ("ED448", "ED25519", "P256", "RISTRETTO255", "SECP256K1", "SECP256K1_TR"),
    "frost_hsm.secret": ("Secret",),
    "frost_hsm.targets.programs.group_private_key": ("GroupPrivateKey",),
    "frost_hsm.targets.programs.message_folder": ("MessageFolder",),
    "frost_hsm.agent.asking": ("Agent",),
}
_MODULES = {
    "frost_hsm.frost": ("batch", "rerandomized", "signing", "taproot"),
    "frost_hsm.frost.keys": ("dealer", "dkg", "refresh", "repair", "round1", "round2"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for room, names in _MODULES.items():
        if name in names:
            return import_module(f"{room}.{name}")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    return getattr(import_module("frost_hsm.frost.packages"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
