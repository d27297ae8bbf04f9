"""With libcrypto no secret is ever a Python ``int``; on P-256 none is left in memory when it has served.

Another process generates a key and signs with secrets that can be computed here; its whole memory is searched for
them. What was freed without being wiped is mostly still there, and would be found.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from stage import memory_run
from stage.memory_run import KnownEntropy
from stage.memory_search import as_int, found_in

from frost_hsm.frost.ciphersuites import ED25519, P256, SECP256K1, Ciphersuite

SUITES = (P256, ED25519, SECP256K1)

if not Path("/proc/self/mem").exists():
    pytest.skip("needs /proc to look into another process", allow_module_level=True)


def draw(suite: Ciphersuite, entropy: KnownEntropy) -> int:
    """Draw as `draw_scalar` does."""
    order = suite.group.order
    while True:
        data = bytearray(32)
        entropy(memoryview(data))
        value = int.from_bytes(data, suite.group.byteorder) & (1 << order.bit_length()) - 1
        if 0 < value < order:
            return value


def secrets(suite: Ciphersuite) -> tuple[dict[str, int], dict[str, int]]:
    """Return the values drawn as such, and those computed from them."""
    group = suite.group
    drawn, computed = {}, {}
    shares = dict.fromkeys((1, 2, 3), 0)
    for i in (1, 2, 3):
        entropy = KnownEntropy(b"dkg%d" % i)
        constant, linear, nonce = (draw(suite, entropy) for _ in range(3))
        drawn |= {f"a0 of {i}": constant, f"a1 of {i}": linear, f"k of {i}": nonce}
        for j in (1, 2, 3):
            computed[f"share of {i} for {j}"] = value = (constant + linear * j) % group.order
            shares[j] = (shares[j] + value) % group.order
    for i, share in shares.items():
        computed[f"signing share of {i}"] = share
    for i in (1, 2):
        entropy = KnownEntropy(b"sign%d" % i)
        for kind in ("hiding", "binding"):
            randomness = bytearray(32)
            entropy(memoryview(randomness))
            seed = bytes(randomness) + suite.encode_scalar(shares[i])
            computed[f"{kind} nonce of {i}"] = suite._hashing.to_scalar(group, b"nonce", seed)
    return drawn | dealt(suite)[0], computed | dealt(suite)[1]


def dealt(suite: Ciphersuite) -> tuple[dict[str, int], dict[str, int]]:
    """Return those of the dealer, the refresh and the repair: all to be found under names of their own."""
    order, entropy = suite.group.order, KnownEntropy(b"deal")
    key, linear, added = draw(suite, entropy), draw(suite, entropy), draw(suite, KnownEntropy(b"refresh"))
    pieces = {i: draw(suite, KnownEntropy(b"repair%d" % i)) for i in (1, 2)}
    drawn = {"key": key, "dealt a1": linear, "added a1": added} | {f"piece of {i}": r for i, r in pieces.items()}
    old = {i: (key + linear * i) % order for i in (1, 2, 3)}
    new = {i: (old[i] + added * i) % order for i in old}
    rest = {1: (-new[1] - pieces[1]) % order, 2: (2 * new[2] - pieces[2]) % order}  # of 3 = -1·1 + 2·2
    assert sum((*pieces.values(), *rest.values())) % order == new[3]
    computed = {f"dealt share of {i}": share for i, share in old.items()}
    computed |= {f"refreshed share of {i}": share for i, share in new.items()}
    computed |= {f"refreshing share of {i}": added * i % order for i in (2, 3)}
    computed |= {f"last piece of {i}": piece for i, piece in rest.items()}
    computed |= {"sigma of 1": sum(pieces.values()) % order, "sigma of 2": sum(rest.values()) % order}
    return drawn, computed


FORMS = {
    "int": as_int,
    "bytes": lambda value: value.to_bytes(32, "big"),
    "BIGNUM": lambda value: value.to_bytes(32, "little"),
    "hex": lambda value: value.to_bytes(32, "big").hex().encode(),
}


def found(suite: Ciphersuite, mode: str) -> set[tuple[str, str]]:
    """Run the other process and return which secrets its memory holds, in which form."""
    drawn, computed = secrets(suite)
    needles = {(name, "int"): as_int(value) for name, value in drawn.items()}
    # drawn values exist as bytes there, where the test's entropy made them
    needles |= {(name, form): write(value) for name, value in computed.items() for form, write in FORMS.items()}
    program = Path(memory_run.__file__)
    with subprocess.Popen(
        [sys.executable, str(program), suite.name, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        hits = found_in(process.pid, needles)
        process.communicate("\n")
    assert process.returncode == 0
    return hits


@pytest.mark.parametrize(("suite", "form"), [(P256, "bytes"), *((suite, "int") for suite in SUITES)], ids=str)
def test_the_search_finds_what_is_left(suite: Ciphersuite, form: str) -> None:
    assert ("signing share of 1", form) in found(suite, form)


def test_nothing_is_left_in_memory() -> None:
    assert found(P256, "wiped") == set()


@pytest.mark.parametrize("suite", [suite for suite in SUITES if suite is not P256], ids=str)
def test_no_secret_becomes_an_int(suite: Ciphersuite) -> None:
    """pycryptodome, which multiplies by them, leaves some of them as bytes."""
    assert {name for name, form in found(suite, "wiped") if form == "int"} == set()
