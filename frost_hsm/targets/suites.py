"""Which ciphersuite for what: who takes signatures of each, and who does not. To be known before a key is made."""

from __future__ import annotations

from typing import Final

from frost_hsm.errors import NotPossible

USES: Final = {
    "git": ("ed25519", ("git",)),
    "release": ("ed25519", ("ssh", "openpgp", "minisign", "signify", "git")),
    "ssh": ("ed25519", ("ssh", "ssh-cert")),
    "ca": ("ed25519", ("x509-root", "x509-intermediate", "x509-end", "x509-crl", "x509-ocsp")),
    "documents": ("ed25519", ("cms", "cms-attached")),
    "tokens": ("ed25519", ("jws",)),
    "dns": ("ed25519", ()),  # by GroupPrivateKey and dnspython
    "bitcoin": ("secp256k1-tr", ("psbt",)),
}
"""What a key may be for: the suite that suits it, and the targets that it is for."""

_FROST: Final = "frost-hsm and other programs of FROST alone"

TAKEN: Final = {
    "ed25519": (
        "whatever verifies Ed25519: OpenSSH, git, GnuPG, minisign, signify, OpenSSL (X.509), web tokens, DNSSEC, TUF",
        "web browsers, which take no certificates with it",
    ),
    "ed448": (
        "what verifies Ed448: OpenSSL (X.509), web tokens, DNSSEC",
        "OpenSSH, git, minisign, GnuPG 2.2, web browsers",
    ),
    "secp256k1-tr": ("Bitcoin (Taproot) and whatever verifies BIP-340", "OpenSSH, git, OpenPGP, X.509"),
    "p256": (
        "frost-hsm and other programs of FROST alone",
        "OpenSSL, X.509, web tokens, OpenSSH: to them P-256 is ECDSA",
    ),
    "secp256k1": (
        "frost-hsm and other programs of FROST alone",
        "Bitcoin, Ethereum: to them secp256k1 is ECDSA or BIP-340",
    ),
    "ristretto255": (_FROST, "whatever verifies Ed25519"),
}
"""By suite: who takes its signatures, and of whom one might think so but who does not."""


def suite_for(use: str) -> str:
    """Return the name of the suite for a use. Raises `NotPossible`."""
    if use not in USES:
        raise NotPossible(f'no suite is known for "{use}"', hint=f"known: {', '.join(USES)}; or say --suite NAME")
    return USES[use][0]


def takers(suite: str) -> list[str]:
    """Say who will verify signatures of a suite and who will not: two lines."""
    will, will_not = TAKEN[suite]
    return [f"  verified by   {will}", f"  not by        {will_not}"]
