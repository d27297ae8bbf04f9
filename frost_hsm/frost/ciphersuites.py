"""Ciphersuites, one description each over shared code (RFC 9591, section 6, and ZcashFoundation's hashes)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Protocol

from frost_hsm.errors import IncorrectPackage, MalformedScalar, NotPossible
from frost_hsm.frost.hashing import Hashing, LittleEndian, XmdSha256, XmdSha256Bip340
from frost_hsm.frost.hooks import Hooks, Taproot
from frost_hsm.groups import Group, SecretScalar, foundations
from frost_hsm.groups.secret_hash import SecretHash
from frost_hsm.secret import Secret


class OfSuite(Protocol):
    """A value or package of some ciphersuite."""

    @property
    def ciphersuite(self) -> Ciphersuite:
        """The suite it was made for."""


class Ciphersuite:
    """A group with its hash functions. Compared by identity; the group itself is made on first use.

    id: the context string, ZcashFoundation's ``ID``. name: the short one, for command lines and file names.
    """

    def __init__(
        self, name: str, id: str, hashing: Hashing, make_group: Callable[[], Group], hooks: Hooks | None = None
    ) -> None:
        self.name = name
        self.id = id
        self.header = b"\0" + zlib.crc32(id.encode()).to_bytes(4, "big")  # of postcard: version 0, CRC-32 of the id
        self.hooks = hooks or Hooks()
        self._hashing = hashing
        self._make_group = make_group

    def with_group(self, group: Group) -> Ciphersuite:
        """Return the same suite on a given implementation of its group. Their values do not mix."""
        return Ciphersuite(self.name, self.id, self._hashing, lambda: group, self.hooks)

    @cached_property
    def group(self) -> Group:
        """The group, on the implementation that suits this machine."""
        return self._make_group()

    @property
    def signature_length(self) -> int:
        """Bytes of a signature, R ‖ z."""
        return len(self.hooks.shorten(bytes(self.group.element_length))) + self.group.scalar_length

    def check_owns(self, *parts: OfSuite) -> None:
        """Raise `IncorrectPackage` unless everything given is of this very suite."""
        for part in parts:
            if part.ciphersuite is not self:
                raise IncorrectPackage(f"something of {part.ciphersuite.id} where {self.id} is used")

    # ── public scalars ──

    def encode_scalar(self, scalar: int) -> bytes:
        """Write a public scalar in its one form."""
        return scalar.to_bytes(self.group.scalar_length, self.group.byteorder)

    def decode_scalar(self, data: bytes) -> int:
        """Read a public scalar; zero is one. Raises `MalformedScalar`."""
        if len(data) != self.group.scalar_length:
            raise MalformedScalar(f"a scalar has {self.group.scalar_length} bytes, not {len(data)}")
        scalar = int.from_bytes(data, self.group.byteorder)
        if scalar >= self.group.order:
            raise MalformedScalar("the scalar is not below the group order")
        return scalar

    # ── hash functions (RFC 9591, section 3.2; HDKG and HID are ZcashFoundation's) ──

    def h1(self, data: bytes) -> int:
        """Hash to a binding factor."""
        return self._hashing.to_scalar(self.group, b"rho", data)

    def h2(self, data: bytes) -> int:
        """Hash to a signature challenge."""
        return self._hashing.to_challenge(self.group, data)

    @cached_property
    def h3(self) -> SecretHash:
        """How groups hash to a nonce."""
        return self._hashing.secret(b"nonce")

    def h4(self, data: bytes) -> bytes:
        """Hash a message."""
        return self._hashing.digest(b"msg", data)

    def h5(self, data: bytes) -> bytes:
        """Hash a commitment list."""
        return self._hashing.digest(b"com", data)

    def hdkg(self, data: bytes) -> int:
        """Hash to the challenge of a proof of knowledge."""
        return self._hashing.to_scalar(self.group, b"dkg", data)

    def hid(self, data: bytes) -> int:
        """Hash to an identifier."""
        return self._hashing.to_scalar(self.group, b"id", data)

    def hash_refresh(self, data: bytes) -> int:
        """Hash to the challenge of a proof that somebody knows a refreshing polynomial. Ours."""
        return self._hashing.to_scalar(self.group, b"frost-hsm refresh", data)

    def hash_randomizer(self, data: Secret) -> SecretScalar:
        """Hash to a randomizer (ZcashFoundation: ``frost-rerandomized``)."""
        return self.group.hash_secret(self._hashing.secret(b"randomizer"), data)

    def __repr__(self) -> str:
        return f"<Ciphersuite {self.id}>"


P256 = Ciphersuite(
    name="p256",
    id="FROST-P256-SHA256-v1",
    hashing=XmdSha256(b"FROST-P256-SHA256-v1"),
    make_group=foundations.p256,
)

ED25519 = Ciphersuite(
    name="ed25519",
    id="FROST-ED25519-SHA512-v1",
    hashing=LittleEndian(b"FROST-ED25519-SHA512-v1", "sha512", 64, challenge=b""),  # of RFC 8032
    make_group=foundations.ed25519,
)

RISTRETTO255 = Ciphersuite(
    name="ristretto255",
    id="FROST-RISTRETTO255-SHA512-v1",
    hashing=LittleEndian(b"FROST-RISTRETTO255-SHA512-v1", "sha512", 64, challenge=b"FROST-RISTRETTO255-SHA512-v1chal"),
    make_group=foundations.ristretto255,
)

ED448 = Ciphersuite(
    name="ed448",
    id="FROST-ED448-SHAKE256-v1",
    hashing=LittleEndian(b"FROST-ED448-SHAKE256-v1", "shake_256", 114, challenge=b"SigEd448\0\0"),  # of RFC 8032
    make_group=foundations.ed448,
)

SECP256K1 = Ciphersuite(
    name="secp256k1",
    id="FROST-secp256k1-SHA256-v1",
    hashing=XmdSha256(b"FROST-secp256k1-SHA256-v1"),
    make_group=foundations.secp256k1,
)

SECP256K1_TR = Ciphersuite(
    name="secp256k1-tr",
    id="FROST-secp256k1-SHA256-TR-v1",
    hashing=XmdSha256Bip340(b"FROST-secp256k1-SHA256-TR-v1"),
    make_group=foundations.secp256k1,
    hooks=Taproot(),
)

ALL: tuple[Ciphersuite, ...] = (P256, ED25519, RISTRETTO255, ED448, SECP256K1, SECP256K1_TR)


def by_name(name: str) -> Ciphersuite:
    """Find a suite by its short name. Raises `NotPossible`."""
    return _find(name, ((suite.name, suite) for suite in ALL))


def by_id(id: str) -> Ciphersuite:
    """Find a suite by its context string. Raises `NotPossible`."""
    return _find(id, ((suite.id, suite) for suite in ALL))


def describe_native_library() -> tuple[bool, str]:
    """Say for people whether the native library makes suites faster here; and whether that is as it should be."""
    return foundations.describe_native()


def _find(key: str, suites: Iterable[tuple[str, Ciphersuite]]) -> Ciphersuite:
    known = dict(suites)
    if key not in known:
        raise NotPossible(f'no ciphersuite "{key}"', hint=f"known: {', '.join(known)}")
    return known[key]
