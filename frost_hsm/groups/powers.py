"""Powers of public numbers modulo a prime, which is how square roots are taken: on libcrypto, else on pycryptodome."""

from __future__ import annotations

from collections.abc import Callable

from frost_hsm.groups.libcrypto import Libcrypto, Workspaces

Power = Callable[[int], int]


def power(exponent: int, modulus: int, library: Libcrypto | None) -> Power:
    """Make the function that raises what is in [0, modulus) to ``exponent``, in variable time. modulus: odd."""
    return _with_libcrypto(exponent, modulus, library) if library else _with_pycryptodome(exponent, modulus)


def _with_libcrypto(exponent: int, modulus: int, library: Libcrypto) -> Power:
    length = (modulus.bit_length() + 7) // 8
    spaces = Workspaces(library)
    # kept as long as the process, like the groups that use them
    handles = [library.BN_bin2bn(number.to_bytes(length, "big"), length, None) for number in (exponent, modulus)]
    montgomery = library.BN_MONT_CTX_new()
    if not (all(handles) and montgomery and library.BN_MONT_CTX_set(montgomery, handles[1], spaces.mine.context)):
        raise MemoryError

    def raise_to_power(base: int) -> int:
        space = spaces.mine
        number, buffer = space.a, space.buffer
        if not (
            library.BN_bin2bn(base.to_bytes(length, "big"), length, number)
            and library.BN_mod_exp_mont(number, number, *handles, space.context, montgomery)
            and library.BN_bn2binpad(number, buffer, length) == length
        ):
            raise MemoryError
        return int.from_bytes(memoryview(buffer)[:length], "big")

    return raise_to_power


def _with_pycryptodome(exponent: int, modulus: int) -> Power:
    from Crypto.Math.Numbers import Integer  # slow to import

    exponent_, modulus_ = Integer(exponent, public=True), Integer(modulus, public=True)

    def raise_to_power(base: int) -> int:
        return int(pow(Integer(base, public=True), exponent_, modulus_))

    return raise_to_power
