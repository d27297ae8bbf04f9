"""Seeds: what is random in something, derived from 32 secret bytes, so that it can be made again and be shown."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from frost_hsm.secret import Entropy, Secret

SEED_LENGTH: Final = 32


def draw(entropy: Entropy) -> Secret:
    """Draw a fresh seed."""
    seed = Secret.zeros(SEED_LENGTH)
    with seed.reveal() as view:
        entropy(view)
    return seed


def expand(seed: Secret, label: bytes, length: int = SEED_LENGTH) -> Secret:
    """Derive ``length`` secret bytes: HKDF-Expand with SHA-256 (RFC 5869, section 2.3).

    label: what they are for. What is derived for one label tells nothing of the seed, nor of any other label.
    """
    derived = Secret.zeros(length)
    with seed.reveal() as key, derived.reveal() as target:
        HKDFExpand(hashes.SHA256(), length, label).derive_into(key, target)
    return derived
