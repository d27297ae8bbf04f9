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

_SLOW = 150e-6
"""Seconds of a base multiplication that a libcrypto without assembly for P-256 takes at least."""


@functools.cache
def p256() -> Group:
    """Choose who computes P-256: a libcrypto that is there, right and fast, else pycryptodome."""
    from frost_hsm.groups import libcrypto, openssl, self_test

    for library in libcrypto.find():
        try:
            group = openssl.P256Libcrypto(library)
            if self_test.computes(group) and self_test.base_multiplication_seconds(group) < _SLOW:
                return group
        except MemoryError:  # how libcrypto says that it has no P-256, too
            continue
    with _no_other_is_left():
        from frost_hsm.groups import weierstrass

        return weierstrass.P256Pycryptodome()


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
    """Choose who computes secp256k1: libcrypto and pycryptodome together, else pycryptodome alone."""
    with _no_other_is_left():
        from frost_hsm.groups import koblitz, self_test, weierstrass

        library = _libcrypto()
        if library:
            with suppress(MemoryError):  # how libcrypto says that it has no such curve, too
                group = koblitz.Secp256k1Libcrypto(library)
                if self_test.computes(group):
                    return group
        return weierstrass.Secp256k1(library)


@functools.cache
def ed25519() -> Group:
    """Make the subgroup of prime order of edwards25519."""
    with _no_other_is_left():
        from frost_hsm.groups import edwards

        return edwards.Ed25519(_libcrypto())


@functools.cache
def ristretto255() -> Group:
    """Make ristretto255."""
    with _no_other_is_left():
        from frost_hsm.groups import ristretto

        return ristretto.Ristretto255(_libcrypto())


@functools.cache
def ed448() -> Group:
    """Make the subgroup of prime order of edwards448."""
    with _no_other_is_left():
        from frost_hsm.groups import edwards

        return edwards.Ed448(_libcrypto())


@contextmanager
def _no_other_is_left() -> Iterator[None]:
    """Say what it means that a library cannot be loaded."""
    try:
        yield
    except (ImportError, OSError) as error:
        raise NoConstantTime(f"no library that computes with secrets can be loaded: {error}") from error
