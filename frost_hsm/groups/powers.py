"""Powers of public numbers modulo a prime, which is how square roots are taken: on libcrypto, else on pycryptodome."""

from __future__ import annotations

from collections.abc import Callable

from frost_hsm.groups.libcrypto import Libcrypto, Workspaces

Power = Callable[[int], int]


def power(exponent: int, modulus: int, library: Libcrypto | None) -> Power:
    """Make the function that raises what is in [0, modulus) to ``exponent``, in variable time. modulus: odd."""
    return _LibcryptoPower(exponent, modulus, library) if library else _pycryptodome_power(exponent, modulus)


class _LibcryptoPower:
    def __init__(self, exponent: int, modulus: int, library: Libcrypto) -> None:
        self._library = library
        self._spaces = Workspaces(library)
        self._length = length = (modulus.bit_length() + 7) // 8
        self._exponent = library.BN_bin2bn(exponent.to_bytes(length, "big"), length, None)
        self._modulus = library.BN_bin2bn(modulus.to_bytes(length, "big"), length, None)
        self._montgomery = library.BN_MONT_CTX_new()
        if not library.BN_MONT_CTX_set(self._montgomery, self._modulus, self._spaces.mine.context):
            raise MemoryError

    def __del__(self) -> None:
        self._library.BN_MONT_CTX_free(self._montgomery)
        self._library.BN_free(self._modulus)
        self._library.BN_free(self._exponent)

    def __call__(self, base: int) -> int:
        library, space, length = self._library, self._spaces.mine, self._length
        number, buffer = space.a, space.buffer
        if not (
            library.BN_bin2bn(base.to_bytes(length, "big"), length, number)
            and library.BN_mod_exp_mont(number, number, self._exponent, self._modulus, space.context, self._montgomery)
            and library.BN_bn2binpad(number, buffer, length) == length
        ):
            raise MemoryError
        return int.from_bytes(memoryview(buffer)[:length], "big")


def _pycryptodome_power(exponent: int, modulus: int) -> Power:
    from Crypto.Math.Numbers import Integer  # slow to import

    exponent_, modulus_ = Integer(exponent, public=True), Integer(modulus, public=True)

    def raise_to_power(base: int) -> int:
        return int(pow(Integer(base, public=True), exponent_, modulus_))

    return raise_to_power
