"""Prime-order groups: what the protocol asks of a curve, whoever computes it.

Two kinds of values must never be mixed up. An `Element` and a plain ``int`` in [0, order) are public:
identifiers, challenges, Lagrange coefficients, commitments. A `SecretScalar` is a coefficient, share, nonce
or key: it lives in memory that is wiped, and only the operations that take one are meant to run in constant
time.

A group makes its own elements and scalars and understands no others. What a step of the protocol needs many of is asked
for at once, so that a foundation in another language is entered once a step.

- what the contract stands on: ``secret_hash``; how to meet it in part: ``one_by_one``; checking many things at once:
  ``weights``; square roots: ``powers``
- foundations, a room each: ``libcrypto``, ``pycryptodome`` and, where it is installed, our own library, ``native``
- which one computes: ``self_test`` ``foundations``
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol

from frost_hsm.errors import MalformedScalar, UsageProblem
from frost_hsm.groups.secret_hash import SecretHash
from frost_hsm.secret import Entropy, Redacted, Secret, system_entropy

RANDOMNESS = 32
"""Fresh bytes that a nonce is made of, beside the share (RFC 9591, section 4.1)."""

_DRAWS = 100
"""An honest source fails once in 2³² draws for P-256, and never 100 times in a row."""


class Element:
    """A public group element. Opaque; changed in place by `accumulate`, `double` and `negate` of `Group` alone."""

    __slots__ = ("handle",)

    def __init__(self, handle: Any) -> None:  # whatever the group computes with
        self.handle = handle


class SecretScalar(Redacted):
    """A secret integer modulo the group order: wiped, redacted, never compared with ``==``, never copied."""

    __slots__ = ("handle",)

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    def wipe(self) -> None:
        """Overwrite the value with zero. Wiping twice is fine."""
        raise NotImplementedError


class ScalarField(Protocol):
    """What is computed with secret scalars alone, in constant time: the integers modulo a group's prime order.

    Every method may be called from several threads at once, as long as no two share a value that one of them
    changes.
    """

    name: str  # of the group, "P-256"
    backend: str  # what computes it, with its version, for people
    order: int
    scalar_length: int  # bytes
    byteorder: Literal["big", "little"]  # of encoded scalars

    def random_scalar(self, entropy: Entropy = system_entropy) -> SecretScalar:
        """Draw a uniform scalar that is not zero, by rejection.

        Raises `UsageProblem` if ``entropy`` keeps giving bytes that are out of range.
        """

    def decode_scalar(self, data: Secret) -> SecretScalar:
        """Read a scalar of ``scalar_length`` bytes. Zero is one. Raises `MalformedScalar`."""

    def encode_scalar(self, scalar: SecretScalar) -> Secret:
        """Write a scalar as ``scalar_length`` bytes."""

    def reduce(self, wide: Secret) -> SecretScalar:
        """Read an integer of any length, in the byte order of scalars, modulo the order."""

    def digest(self, algorithm: str, source: memoryview, target: memoryview) -> None:
        """Hash secret data by "sha256" or another, into ``target``, which has the digest's length.

        ``target`` may be a part of ``source``.
        """

    def is_zero(self, scalar: SecretScalar) -> bool:
        """Say whether a scalar is zero."""

    def add_scalars(self, scalars: Iterable[SecretScalar]) -> SecretScalar:
        """Add scalars up."""

    def multiply_add(self, a: SecretScalar, b: SecretScalar, c: int | SecretScalar) -> SecretScalar:
        """Compute a + b·c."""

    def evaluate(self, coefficients: Sequence[SecretScalar], points: Sequence[int]) -> list[SecretScalar]:
        """Evaluate a polynomial, constant term first, at public points."""

    def hash_secret(self, how: SecretHash, data: Secret) -> SecretScalar:
        """Hash secret data to a scalar, in wiped memory all the way."""

    def draw_nonces(
        self, how: SecretHash, share: SecretScalar, count: int, entropy: Entropy = system_entropy
    ) -> list[SecretScalar]:
        """Hash 32 fresh bytes and the share, so many times (RFC 9591, section 4.1); what is zero is drawn again."""

    def reveal_sum(self, scalars: Sequence[SecretScalar], factors: Sequence[int]) -> int:
        """Compute Σ factors[k]·scalars[k], at least one, which is public from then on.

        The caller sees to it that a scalar that serves nowhere else, a nonce, hides the others.
        """


class Group(ScalarField, Protocol):
    """The contract that every curve meets (RFC 9591, section 3.1, and what makes key generation fast).

    As to threads, what is said of `ScalarField` holds.
    """

    element_length: int  # bytes
    y_length: int  # bytes of a `y_coordinate`
    product_in_additions: int  # what one more term of `sum_products` costs, by measurement

    def multiply_base(self, scalar: SecretScalar) -> Element:
        """Compute scalar·G, in constant time."""

    # ── public elements, in variable time ──

    def decode(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> Element:
        """Read an element of ``element_length`` bytes in its one canonical form.

        y: its `y_coordinate` if known; it is checked, not trusted, and saves the square root. prove: False where
        the caller does it, for many at once, by `prove_membership`, before anything is computed with them; with
        y it is done here in any case. Raises `MalformedElement`, `InvalidIdentityElement` and, on curves whose
        points are not all in the group, `InvalidNonPrimeOrderElement`.
        """

    def prove_membership(self, elements: Iterable[Element], encodings: Iterable[bytes]) -> None:
        """Check that points that were decoded are in the group, all or none.

        encodings: what they were decoded from. Raises `InvalidNonPrimeOrderElement`.
        """

    def encode(self, element: Element) -> bytes:
        """Write an element as ``element_length`` bytes. Raises `InvalidIdentityElement`."""

    def y_coordinate(self, element: Element) -> bytes:
        """Return what `decode` takes beside the encoding, ``y_length`` bytes.

        On a short Weierstrass curve that is y, on others what does as much for them. Raises
        `InvalidIdentityElement`.
        """

    def identity(self) -> Element:
        """Make a new identity element."""

    def is_identity(self, element: Element) -> bool:
        """Say whether an element is the identity."""

    def equal(self, a: Element, b: Element) -> bool:
        """Say whether two elements are the same."""

    def copy(self, element: Element) -> Element:
        """Make a copy that may be changed in place."""

    def accumulate(self, target: Element, element: Element) -> None:
        """Add an element to ``target``, in place."""

    def double(self, target: Element) -> None:
        """Double ``target``, in place."""

    def negate(self, target: Element) -> None:
        """Replace ``target`` by its negative, in place."""

    def combine_base(self, a: int, b: int, element: Element) -> Element:
        """Compute a·G + b·element."""

    def sum_products(self, scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        """Compute the sum of scalars[k]·elements[k]: a multi-scalar multiplication."""

    # ── many at once ──

    def commit(self, scalars: Sequence[SecretScalar]) -> tuple[list[Element], bytes]:
        """Multiply each scalar with G, in constant time; returns the encodings too, one after the other.

        Raises `InvalidIdentityElement` for a scalar that is zero.
        """

    def make_nonces(
        self, how: SecretHash, share: SecretScalar, count: int, entropy: Entropy = system_entropy
    ) -> tuple[list[SecretScalar], list[Element], bytes]:
        """Do what `draw_nonces` does, and `commit` to them: all of a signer's first round at once."""

    def decode_all(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> list[Element]:
        """Read elements that follow each other without gaps.

        y: all `y_coordinate` values in the same order, or None. prove: as in `decode`. Raises `MalformedElement` if a
        length does not fit, and what `decode` raises.
        """

    def encode_all(self, elements: Sequence[Element]) -> bytes:
        """Write elements one after the other. Raises `InvalidIdentityElement`."""

    def add_products(self, terms: Sequence[Element], scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        """Compute Σ terms[j] + Σ scalars[k]·elements[k], with at least one product: R of a signing session."""

    def encode_combinations(
        self, a: Sequence[int], b: Sequence[int], elements: Sequence[Element]
    ) -> list[bytes | None]:
        """Write every a[k]·G + b[k]·elements[k], None for the identity: what Schnorr signatures and proofs have to be
        compared with.
        """


def draw_scalar(field: ScalarField, entropy: Entropy) -> SecretScalar:
    """Draw scalars from ``entropy`` until one is in range and not zero: `ScalarField.random_scalar` for every
    field. Bits that no scalar has are cleared, so that at least every second draw is in range.
    """
    top_first = 1 if field.byteorder == "big" else -1
    for _ in draws(field):
        with Secret.zeros(field.scalar_length) as data:
            with data.reveal() as view:
                entropy(view)
                clear_unused_bits(view[::top_first], field.order)
            try:
                scalar = field.decode_scalar(data)
            except MalformedScalar:
                continue
            if not field.is_zero(scalar):
                return scalar
    raise AssertionError("draws() ends only by raising")


def clear_unused_bits(drawn: memoryview, order: int) -> None:
    """Clear the bits that no scalar has in random bytes, the most significant first."""
    unused = 8 * len(drawn) - order.bit_length()
    drawn[: unused // 8] = bytes(unused // 8)
    drawn[unused // 8] &= 0xFF >> unused % 8
    drawn.release()


def draws(field: ScalarField) -> Iterator[int]:
    """Count draws of a scalar, until it is certain that the entropy source is none: then raise `UsageProblem`."""
    yield from range(_DRAWS)
    raise UsageProblem(f"no scalar of {field.name} in {_DRAWS} draws: the entropy source is not random")


def threads() -> int:
    """Say on how many threads to decode, which takes square roots outside the interpreter's lock.

    More than two were not measured, and two on one core take half as long again.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(2, cores)


def pieces(data: bytes, length: int) -> list[bytes]:
    """Cut data into parts of one length; the last is shorter if it does not divide."""
    return [data[k : k + length] for k in range(0, len(data), length)]
