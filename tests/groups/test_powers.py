"""Powers modulo primes, on both libraries; Python's are the judge."""

from __future__ import annotations

import pytest

from frost_hsm.groups import libcrypto
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.powers import power

PRIMES = (2**255 - 19, 2**256 - 2**32 - 977, 2**448 - 2**224 - 1)


@pytest.mark.parametrize("prime", PRIMES)
@pytest.mark.parametrize("library", [next(libcrypto.find()), None], ids=["libcrypto", "pycryptodome"])
def test_powers(library: Libcrypto | None, prime: int) -> None:
    for exponent in (1, (prime + 1) // 4, prime - 2):
        raised = power(exponent, prime, library)
        for base in (0, 1, 2, prime // 3, prime - 1):
            assert raised(base) == pow(base, exponent, prime)


@pytest.mark.parametrize("function", ["BN_bin2bn", "BN_mod_exp_mont", "BN_bn2binpad"])
def test_a_call_that_fails_is_noticed(function: str) -> None:
    library = next(libcrypto.find())
    raised = power(3, PRIMES[0], library)
    setattr(library, function, lambda *arguments: 0)
    with pytest.raises(MemoryError):
        raised(2)
