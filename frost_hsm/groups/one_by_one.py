"""What the contract takes many of at once, for foundations that compute them one by one."""

from __future__ import annotations

from collections.abc import Sequence

from frost_hsm.errors import InvalidIdentityElement, MalformedElement
from frost_hsm.groups import RANDOMNESS, Element, Group, ScalarField, SecretScalar, pieces, threads
from frost_hsm.groups.secret_hash import ExpandedHash, SecretHash
from frost_hsm.secret import Entropy, Secret, system_entropy

_WORTH_A_THREAD = 600
"""Below about this many points a second thread costs more than it saves: every one takes and drops the interpreter's
lock.
"""


class ScalarsOneByOne:
    """Those methods of `ScalarField`."""

    def hash_secret(self: ScalarField, how: SecretHash, data: Secret) -> SecretScalar:
        """Hash secret data to a scalar, in wiped memory all the way."""
        if isinstance(how, ExpandedHash):
            return _expand(self, how, data)
        with Secret.join(how.prefix, data) as message, Secret.zeros(how.length) as wide:
            with message.reveal() as source, wide.reveal() as target:
                self.digest(how.algorithm, source, target)
            return self.reduce(wide)

    def draw_nonces(
        self: ScalarField, how: SecretHash, share: SecretScalar, count: int, entropy: Entropy = system_entropy
    ) -> list[SecretScalar]:
        """Hash fresh randomness with the share, so many times."""
        nonces: list[SecretScalar] = []
        with self.encode_scalar(share) as encoded:
            while len(nonces) < count:
                with Secret.zeros(RANDOMNESS) as randomness:
                    with randomness.reveal() as view:
                        entropy(view)
                    with Secret.join(randomness, encoded) as seed:
                        nonce = self.hash_secret(how, seed)
                if not self.is_zero(nonce):
                    nonces.append(nonce)
        return nonces

    def reveal_sum(self: ScalarField, scalars: Sequence[SecretScalar], factors: Sequence[int]) -> int:
        """Compute Σ factors[k]·scalars[k]."""
        total = self.add_scalars(())
        for scalar, factor in zip(scalars, factors, strict=True):
            partial, total = total, self.multiply_add(total, scalar, factor)
            partial.wipe()
        with self.encode_scalar(total) as encoded, encoded.reveal() as view:
            return int.from_bytes(view, self.byteorder)


class ElementsOneByOne:
    """Those methods of `Group`."""

    def commit(self: Group, scalars: Sequence[SecretScalar]) -> tuple[list[Element], bytes]:
        """Multiply each scalar with G."""
        elements = [self.multiply_base(scalar) for scalar in scalars]
        return elements, self.encode_all(elements)

    def make_nonces(
        self: Group, how: SecretHash, share: SecretScalar, count: int, entropy: Entropy = system_entropy
    ) -> tuple[list[SecretScalar], list[Element], bytes]:
        """Draw nonces and commit to them."""
        nonces = self.draw_nonces(how, share, count, entropy)
        return nonces, *self.commit(nonces)

    def decode_all(self: Group, data: bytes, y: bytes | None = None, *, prove: bool = True) -> list[Element]:
        """Read elements that follow each other, on two threads where there are many."""
        length, y_length = self.element_length, self.y_length
        count, rest = divmod(len(data), length)
        if rest or (y is not None and len(y) != count * y_length):
            raise MalformedElement(f"{len(data)} bytes are not a whole number of {self.name} points with their y")
        encodings = pieces(data, length)
        if y is not None:
            return list(map(self.decode, encodings, pieces(y, y_length)))
        elements = _decode_on_threads(self, encodings)
        if prove:
            self.prove_membership(elements, encodings)
        return elements

    def encode_all(self: Group, elements: Sequence[Element]) -> bytes:
        """Write elements one after the other."""
        return b"".join(map(self.encode, elements))

    def add_products(
        self: Group, terms: Sequence[Element], scalars: Sequence[int], elements: Sequence[Element]
    ) -> Element:
        """Compute Σ terms[j] + Σ scalars[k]·elements[k]."""
        total = self.sum_products(scalars, elements)
        for term in terms:
            self.accumulate(total, term)
        return total

    def encode_combinations(
        self: Group, a: Sequence[int], b: Sequence[int], elements: Sequence[Element]
    ) -> list[bytes | None]:
        """Write every a[k]·G + b[k]·elements[k]."""
        return [
            _encode_or_none(self, self.combine_base(factor, other, element))
            for factor, other, element in zip(a, b, elements, strict=True)
        ]


def _expand(field: ScalarField, how: ExpandedHash, data: Secret) -> SecretScalar:
    with (
        Secret.join(how.before, data, how.after) as message,
        Secret.join(bytes(32), b"\1" + how.suffix) as next_block,
        Secret.zeros(48) as wide,
    ):
        with message.reveal() as source, next_block.reveal() as block, wide.reveal() as uniform:
            chained = block[:32]
            field.digest("sha256", source, chained)  # b0
            field.digest("sha256", block, uniform[:32])  # b1
            for k in range(32):
                chained[k] ^= uniform[k]
            block[32] = 2
            field.digest("sha256", block, chained)  # b2
            uniform[32:] = chained[:16]
        return field.reduce(wide)


def _encode_or_none(group: Group, element: Element) -> bytes | None:
    try:
        return group.encode(element)
    except InvalidIdentityElement:
        return None


def _decode_on_threads(group: Group, encodings: Sequence[bytes]) -> list[Element]:
    def decode_range(part: Sequence[bytes]) -> list[Element]:
        return [group.decode(encoded, prove=False) for encoded in part]

    count = len(encodings)
    if count < _WORTH_A_THREAD or threads() == 1:
        return decode_range(encodings)
    from concurrent.futures import ThreadPoolExecutor  # seldom needed, slow to import

    step = -(-count // threads())
    with ThreadPoolExecutor(threads()) as pool:
        parts = pool.map(decode_range, (encodings[first : first + step] for first in range(0, count, step)))
        return [element for part in parts for element in part]
