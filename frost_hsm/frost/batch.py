"""Verifying many signatures at once, in a fraction of the time (ZcashFoundation: ``batch``).

All equations z·G - c·Y - R = 0 are added up with random weights, 2¹²⁸ of them: if one does not hold, the sum is zero
with a chance of 2⁻¹²⁸ at most. The weights come from fresh entropy and from all signatures, together. Signatures by
one key share its multiplication, so that only one of half length remains for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from frost_hsm.errors import DeserializationError, InvalidSignature
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import Signature, VerifyingKey
from frost_hsm.groups.weights import Weights
from frost_hsm.secret import Entropy, system_entropy

_WORTH_IT = 20  # below about this many signatures decoding each R costs more than is saved


@dataclass(frozen=True, slots=True)
class Item:
    """A signature with what it is of."""

    verifying_key: VerifyingKey
    message: bytes
    signature: Signature


def verify(items: Sequence[Item], entropy: Entropy = system_entropy) -> None:
    """Check all signatures, of one suite and at least one.

    Raises `InvalidSignature`, saying which are wrong, by position from 0, and `IncorrectPackage`.
    """
    if not items:
        raise InvalidSignature("there are no signatures")
    wrong = find_invalid(items, entropy)
    if wrong:
        positions = ", ".join(map(str, wrong))
        raise InvalidSignature(f"of {len(items)} signatures, from 0, these are not by their key: {positions}")


def find_invalid(items: Sequence[Item], entropy: Entropy = system_entropy) -> list[int]:
    """Return the positions of the signatures that do not verify, ascending: none if all do.

    If there are few or one is wrong, each is checked by itself. Raises `IncorrectPackage` for items of different
    suites.
    """
    if not items:
        return []
    suite = items[0].verifying_key.ciphersuite
    suite.check_owns(*(part for item in items for part in (item.verifying_key, item.signature)))
    if len(items) >= _WORTH_IT and _all_verify(suite, items, entropy):
        return []
    return [k for k, item in enumerate(items) if not _verifies(item)]


def _all_verify(suite: Ciphersuite, items: Sequence[Item], entropy: Entropy) -> bool:
    """Say whether Σ w·z·G = Σ w·R + Σ w·c·Y for random weights w."""
    group = suite.group
    try:
        commitments = group.decode_all(b"".join(item.signature.commitment for item in items))
    except DeserializationError:
        return False
    weights = Weights(b"signatures", map(_encode, items), entropy).draw(len(items))
    response = sum(weight * item.signature.response for weight, item in zip(weights, items, strict=True))
    factors = dict.fromkeys((item.verifying_key for item in items), 0)
    for weight, item in zip(weights, items, strict=True):
        factors[item.verifying_key] += weight * item.verifying_key.challenge(item.signature.commitment, item.message)
    (key, factor), *others = factors.items()
    total = group.sum_products(
        (*weights, *(factor for _, factor in others)), (*commitments, *(key.element for key, _ in others))
    )
    return group.equal(group.combine_base(response, -factor, key.element), total)


def _encode(item: Item) -> bytes:
    return b"".join(
        (item.verifying_key.encoded, item.signature.serialize(), len(item.message).to_bytes(8, "big"), item.message)
    )


def _verifies(item: Item) -> bool:
    try:
        item.verifying_key.verify(item.message, item.signature)
    except InvalidSignature:
        return False
    return True
