"""Who computes each curve on this machine: the fastest foundation that is there and right.

Which one it is, `Group.backend` says. They are imported here, when a curve is first asked for, and not before. Where no
C library computes with secrets, all of this raises `NoConstantTime`: Python's own integers would show them by the time
that they take.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from frost_hsm.errors import NoConstantTime
from frost_hsm.groups import Group

if TYPE_CHECKING:
    from frost_hsm.groups.libcrypto import Libcrypto
    from frost_hsm.groups.native.library import Library

_SLOW = 150e-6
"""Seconds of a base multiplication that a libcrypto without assembly for P-256 takes at least."""


@functools.cache
def _native() -> Library | None:
    """Load the native library, if it is there and not switched off."""
    with suppress(ImportError):  # a Python without ctypes
        from frost_hsm.groups.native import library

        return library.find()
    return None


def _on_native(curve: str) -> Group | None:
    """Make a curve on the native library, if it is there and right. curve: its class in ``native.curves``."""
    library = _native()
    if library:
        from frost_hsm.groups import self_test
        from frost_hsm.groups.native import curves

        group: Group = getattr(curves, curve)(library)
        if self_test.computes(group):
            return group
    return None


def describe_native() -> tuple[bool, str]:
    """Say for people whether the native library computes here; and whether that is as it should be."""
    try:
        from frost_hsm.groups.native import library
    except ImportError as error:
        return True, f"no native library can be loaded: {error}"
    found = library.describe()
    if _native():
        wrong = [curve for curve in ("Ed25519", "Ristretto255", "Secp256k1", "Ed448") if _on_native(curve) is None]
        if wrong:
            return False, f"{found[1]}, but computes {', '.join(wrong)} wrong, so others do"
    return found


@functools.cache
def p256() -> Group:
    """Choose who computes P-256: a libcrypto that is there, right and fast, else pycryptodome.

    The native library helps libcrypto to read points, if it is there.
    """
    from frost_hsm.groups import libcrypto, self_test
    from frost_hsm.groups.libcrypto import curves

    for library in libcrypto.find():
        try:
            group = curves.P256Libcrypto(library)
            if self_test.computes(group) and self_test.base_multiplication_seconds(group) < _SLOW:
                return _helped(group, library)
        except MemoryError:  # how libcrypto says that it has no P-256, too
            continue
    with _no_other_is_left():
        from frost_hsm.groups.pycryptodome import weierstrass

        return weierstrass.P256Pycryptodome()


def _helped(group: Group, libcrypto: Libcrypto) -> Group:
    """Have the native library take the square roots, if it is there and right."""
    library = _native()
    if library:
        from frost_hsm.groups import self_test
        from frost_hsm.groups.native import p256

        helped = p256.P256(libcrypto, library)
        if self_test.computes(helped):
            return helped
    return group


@functools.cache
def _libcrypto() -> Libcrypto | None:
    """Choose what helps pycryptodome with the other curves: a libcrypto that is there and right, if there is one."""
    from frost_hsm.groups import libcrypto, self_test

    for library in libcrypto.find():
        with suppress(MemoryError):  # how libcrypto says that it failed
            if self_test.computes_modulo_primes(library):
                return library
    return None


@functools.cache
def secp256k1() -> Group:
    """Choose who computes secp256k1: the native library, libcrypto and pycryptodome together, or the latter alone."""
    native = _on_native("Secp256k1")
    if native:
        return native
    with _no_other_is_left():
        from frost_hsm.groups import self_test
        from frost_hsm.groups.pycryptodome import koblitz, weierstrass

        library = _libcrypto()
        if library:
            with suppress(MemoryError):  # how libcrypto says that it has no such curve, too
                group = koblitz.Secp256k1Libcrypto(library)
                if self_test.computes(group):
                    return group
        return weierstrass.Secp256k1(library)


@functools.cache
def ed25519() -> Group:
    """Choose who computes the subgroup of prime order of edwards25519: the native library, else pycryptodome."""
    native = _on_native("Ed25519")
    if native:
        return native
    with _no_other_is_left():
        from frost_hsm.groups.pycryptodome import edwards

        return edwards.Ed25519(_libcrypto())


@functools.cache
def ristretto255() -> Group:
    """Choose who computes ristretto255: the native library, else pycryptodome."""
    native = _on_native("Ristretto255")
    if native:
        return native
    with _no_other_is_left():
        from frost_hsm.groups.pycryptodome import ristretto

        return ristretto.Ristretto255(_libcrypto())


@functools.cache
def ed448() -> Group:
    """Choose who computes the subgroup of prime order of edwards448: the native library, else pycryptodome."""
    native = _on_native("Ed448")
    if native:
        return native
    with _no_other_is_left():
        from frost_hsm.groups.pycryptodome import edwards

        return edwards.Ed448(_libcrypto())


@contextmanager
def _no_other_is_left() -> Iterator[None]:
    """Say what it means that a library cannot be loaded."""
    try:
        yield
    except (ImportError, OSError) as error:
        raise NoConstantTime(f"no library that computes with secrets can be loaded: {error}") from error
