"""Random weights for checking many things at once, which nobody who made the things can have known.

They are drawn from fresh entropy and from all that is weighed, together: whoever reads or repeats the generator still
has to make the things first, and whoever makes them still does not know what it gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from frost_hsm.secret import Entropy, system_entropy

WEIGHT_BITS = 128
"""Two weights are the same with a chance of 2⁻¹²⁸."""

_SEED_LENGTH = 32  # bytes


class Weights:
    """A source of random weights, and of choices.

    weighed: everything that is checked; what one part can be taken for, its neighbours must not change.
    """

    def __init__(self, purpose: bytes, weighed: Iterable[bytes], entropy: Entropy = system_entropy) -> None:
        fresh = bytearray(_SEED_LENGTH)
        entropy(memoryview(fresh))
        self._hash = hashlib.shake_256(b"frost-hsm weights: " + purpose + b"\0" + fresh)
        for part in weighed:
            self._hash.update(part)
        self._drawn = 0

    def draw_bytes(self, length: int) -> bytes:
        """Return uniform bytes, others at every call."""
        hashed = self._hash.copy()
        hashed.update(self._drawn.to_bytes(8, "big"))
        self._drawn += 1
        return hashed.digest(length)

    def draw(self, count: int) -> list[int]:
        """Return uniform weights from 1 to 2¹²⁸: none is zero, which would leave something out."""
        length = WEIGHT_BITS // 8
        drawn = self.draw_bytes(count * length)
        return [1 + int.from_bytes(drawn[k : k + length], "big") for k in range(0, len(drawn), length)]
