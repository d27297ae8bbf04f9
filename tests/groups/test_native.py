"""The native library beside today's groups; its border; how it is chosen."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_char
from pathlib import Path

import pytest
from stage import native
from stage.memory_search import as_int, found_in
from stage.p256 import number, scalar

from frost_hsm.errors import FrostHsmError
from frost_hsm.groups import Element, Group, foundations, libcrypto, self_test
from frost_hsm.groups.libcrypto.curves import P256Libcrypto
from frost_hsm.groups.native import library
from frost_hsm.groups.native.curves import NativeCurve
from frost_hsm.groups.native.library import Library
from frost_hsm.groups.pycryptodome import edwards, ristretto
from frost_hsm.groups.pycryptodome.koblitz import Secp256k1Libcrypto

TODAY: dict[str, Group] = {
    make.name: make(next(libcrypto.find())) for make in (edwards.Ed25519, edwards.Ed448, ristretto.Ristretto255)
}
TODAY["secp256k1"] = Secp256k1Libcrypto(next(libcrypto.find()))
TODAY["P-256"] = P256Libcrypto(next(libcrypto.find()))


@pytest.fixture
def lib() -> Library:
    if native.LIBRARY is None:
        pytest.skip("the native library is not built: python frost_hsm/groups/native/build.py")
    return native.LIBRARY


@pytest.fixture(params=TODAY)
def pair(request: pytest.FixtureRequest, lib: Library) -> tuple[Group, Group]:
    """A group of the native library, and today's."""
    return native.GROUPS[f"{request.param}-native"], TODAY[request.param]


# ── beside today's groups: about a thousand comparisons a curve ──


def test_it_computes_what_others_compute(pair: tuple[Group, Group]) -> None:
    chance = random.Random(pair[0].name)
    order = pair[0].order

    def number() -> int:
        return chance.choice((0, 1, 2, order - 1, order // 2, chance.randrange(order), chance.randrange(order)))

    def written(group: Group, element: Element) -> bytes:
        return b"identity" if group.is_identity(element) else group.encode(element)

    some = [written(pair[1], pair[1].multiply_base(scalar(pair[1], chance.randrange(1, order)))) for _ in range(8)]

    def sums(group: Group, factors: list[int], data: list[bytes]) -> Iterator[bytes]:
        elements = [group.decode(each) for each in data]
        yield written(group, group.multiply_base(scalar(group, factors[0])))
        yield written(group, group.combine_base(factors[0], factors[-1], elements[0]))
        yield written(group, group.sum_products(factors, elements))
        total = group.copy(elements[-1])
        group.accumulate(total, elements[0])
        yield written(group, total)
        group.negate(total)
        group.double(total)
        yield written(group, total)
        yield group.y_coordinate(elements[0])

    for count in (*itertools.repeat(2, 25), 1, 1, 3, 5, 24, 70, 200):
        factors, data = [number() for _ in range(count)], [chance.choice(some) for _ in range(count)]
        one, other = (list(sums(group, factors, data)) for group in pair)
        assert one == other


def test_it_reads_what_others_read_and_nothing_else(pair: tuple[Group, Group]) -> None:
    chance = random.Random(pair[0].name)

    def verdict(group: Group, data: bytes, y: bytes | None, prove: bool) -> object:
        try:
            return group.encode(group.decode(data, y, prove=prove))
        except FrostHsmError as error:
            return type(error)

    agreed = []
    for data, y in _encodings(pair[1], chance):
        for prove in (True, False) if y is None else (True,):
            one, other = (verdict(group, data, y, prove) for group in pair)
            assert one == other, (data.hex(), y and y.hex(), prove)
            agreed.append(one)
    assert len(agreed) > 800
    assert 100 < sum(isinstance(each, bytes) for each in agreed) < len(agreed) - 100


def _encodings(group: Group, chance: random.Random) -> Iterator[tuple[bytes, bytes | None]]:
    """Random bytes, and what is next to the ends of the field, to small orders and to what is beside a point."""
    length, order = group.element_length, group.order
    edges = [number.to_bytes(length, group.byteorder) for number in (*range(40), *(1 << k for k in range(240, 256)))]
    prefixes = (b"\2", b"\3") if length == 33 else (b"",)
    for prefix in prefixes:
        for data in (*edges, *(bytes(0xFF - byte for byte in data) for data in edges)):
            changed = bytearray(prefix + data[len(prefix) :])
            yield bytes(changed), None
            changed[-1] ^= 0x80  # a sign
            yield bytes(changed), None
        for _ in range(220):
            yield prefix + chance.randbytes(length - len(prefix)), None
    for _ in range(60):
        element = group.multiply_base(scalar(group, chance.randrange(1, order)))
        data, y = group.encode(element), group.y_coordinate(element)
        yield data, y
        for wrong in (_one_bit_changed(y, chance), y[::-1], chance.randbytes(len(y)), bytes(len(y))):
            yield data, wrong
        yield _one_bit_changed(data, chance), y
        yield _one_bit_changed(data, chance), None


def _one_bit_changed(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def test_secret_scalars_are_those_of_others(pair: tuple[Group, Group]) -> None:
    chance = random.Random(pair[0].name)
    order = pair[0].order
    for _ in range(60):
        a, b, c, x = (chance.choice((0, 1, order - 1, chance.randrange(order))) for _ in "abcx")
        found = []
        for group in pair:
            first, second = scalar(group, a), scalar(group, b)
            found.append(
                [
                    number(group, value)
                    for value in (
                        group.multiply_add(first, second, c),
                        group.add_scalars((first, second, second)),
                        *group.evaluate((first, second, first), (x, 1, 70000)),
                    )
                ]
            )
        assert found[0] == found[1]


# ── the border ──

_BUFFERS = {name: buffers for name, (_, buffers) in library._ARGUMENTS.items()}
_LENGTHS = (0, 1, 31, 32, 33, 57, 64, 112, 114, 160, 168, 320, 1000)
_MISUSED = -4


def test_whatever_is_given_is_answered_and_nothing_beside_it_is_written(lib: Library) -> None:
    """Random bytes, also in place of points, of random lengths: never a panic, never a byte outside."""
    chance = random.Random(3)
    margin = 64
    seen = set()
    for _ in range(6000):
        name = chance.choice(list(_BUFFERS))
        sizes = [chance.choice(_LENGTHS) for _ in range(_BUFFERS[name])]
        if chance.random() < 0.7:  # mostly what fits
            sizes = _fitting(name, curve := chance.randrange(4), chance.randrange(4))
        else:
            curve = chance.choice((0, 1, 2, 3, 4, 2**32 - 1))
        buffers = [bytearray(chance.randbytes(size + 2 * margin)) for size in sizes]
        before = [bytes(buffer) for buffer in buffers]
        arguments: list[object] = [] if name == "p256_ordinates" else [curve]
        for buffer, size in zip(buffers, sizes, strict=True):
            arguments += [(c_char * size).from_buffer(buffer, margin), size]
        status = getattr(lib, name)(*arguments)
        assert -4 <= status <= 1, (name, curve, sizes)
        seen.add((name, status))
        for buffer, was, size in zip(buffers, before, sizes, strict=True):
            assert buffer[:margin] == was[:margin] and buffer[margin + size :] == was[margin + size :], name
    assert {(name, 0) for name in _BUFFERS} - {("prove", 0)} <= seen | {(name, 0) for name in _RARELY_FINE}


_RARELY_FINE = {"read", "read_proven", "read_beside", "multiply_add", "write", "write_y", "p256_ordinates", "evaluate"}
_RARELY_FINE |= {"reveal_sum", "commit", "write_combinations"}
"""Of random bytes."""


def _fitting(name: str, curve: int, count: int) -> list[int]:
    """Return lengths of buffers that fit, for ``count`` points or scalars."""
    group = list(native.GROUPS.values())[curve]
    assert isinstance(group, NativeCurve)
    point, secret, element, y = group._point_size, group.scalar_length, group.element_length, group.y_length
    many = (count * point, count * secret, count * element, count * y)
    return {
        "sizes": [16],
        "read_scalar": [secret, secret],
        "fit_scalar": [secret],
        "reduce": [secret, 17 * count],
        "is_zero": [secret],
        "add_scalars": [secret, many[1]],
        "multiply_add": [secret] * 4,
        "evaluate": [many[1], 3 * secret, many[1]],
        "multiply_base": [many[0], many[1]],
        "read": [many[0], many[2]],
        "read_proven": [many[0], many[2]],
        "read_beside": [many[0], many[2], many[3]],
        "prove": [many[0], many[2], 16 * count],
        "write": [many[2], many[0]],
        "write_y": [many[3], many[0]],
        "identity": [point],
        "is_identity": [point],
        "equal": [point, point],
        "add": [many[0], many[0]],
        "double": [point],
        "negate": [point],
        "combine_base": [point, secret, secret, point],
        "sum_products": [point, 2 * point, many[1], many[0]],
        "reveal_sum": [secret, many[1], many[1]],
        "hash_sha512": [many[1], 30, 64 * count, 32],
        "hash_shake256": [many[1], 0, 64 * count, 57],
        "hash_expanded": [many[1], 30, 0, 32],
        "nonces_sha512": [many[1], many[0], many[2], 30, 64 * count, 32],
        "nonces_shake256": [many[1], many[0], many[2], 0, 64 * count, 57],
        "nonces_expanded": [many[1], many[0], many[2], 30, 0, 32],
        "commit": [many[0], many[2], many[1]],
        "write_combinations": [many[2], count, many[1], many[1], many[0]],
        "digest": [(32, 64, 100)[curve % 3], 50 * count],
        "p256_ordinates": [32 * count, 33 * count],
    }[name]


@pytest.mark.parametrize("name", _BUFFERS)
def test_null_pointers_and_lengths_that_no_memory_has(lib: Library, name: str) -> None:
    function = getattr(lib, name)
    first = [] if name == "p256_ordinates" else [0]
    for length in (1, 32, 2**63, 2**64 - 1):
        assert function(*first, *[None, length] * _BUFFERS[name]) == _MISUSED
    assert function(*first, *[b"", 2**64 - 1] * _BUFFERS[name]) == _MISUSED


def test_a_mistake_of_the_program_is_no_fault_of_the_data(lib: Library) -> None:
    group = native.GROUPS["Ed25519-native"]
    with pytest.raises(RuntimeError, match="status -4"):
        group.sum_products((1, 2), (group.identity(),))


# ── secrets ──

_COMPUTE = """
import sys
import threading
from stage import native
from frost_hsm.groups.secret_hash import ExpandedHash, WideHash
from frost_hsm.secret import Secret

group = native.GROUPS[sys.argv[1]]
with Secret(bytearray.fromhex(sys.stdin.readline())) as data:
    secret, other = group.decode_scalar(data), group.random_scalar()
how = WideHash("sha512", 64, b"prefix") if group.byteorder == "little" else ExpandedHash(b"domain")


def read_again():
    with group.encode_scalar(secret) as wide, group.encode_scalar(group.reduce(wide)) as again:
        assert again.equals(wide)


def leave(compute, *arguments):
    # on a stack of its own, which nothing else overwrites
    def work():
        for scalar in compute(*arguments) or ():
            scalar.wipe()
        done.set()
        threading.Event().wait()

    done = threading.Event()
    threading.Thread(target=work, daemon=True).start()
    assert done.wait(10)


leave(lambda: group.commit([secret, other]) and ())
leave(lambda: group.reveal_sum([secret, other], [3, 5]) and ())
leave(group.draw_nonces, how, secret, 3)
leave(lambda: group.make_nonces(how, secret, 2)[0])
leave(lambda: [group.encode_scalar(group.multiply_add(other, secret, 3))])
leave(lambda: [group.encode_scalar(group.add_scalars([secret, other]))])
leave(group.evaluate, [other, secret], [2])
leave(read_again)
if sys.argv[2] == "wiped":
    secret.wipe()
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("mode", ["wiped", "kept"])
@pytest.mark.parametrize("name", ["Ed25519-native", "ristretto255-native", "secp256k1-native", "Ed448-native"])
def test_nothing_of_a_secret_is_left_in_memory(lib: Library, name: str, mode: str) -> None:
    group = native.GROUPS[name]
    value = random.Random(name).randrange(1, group.order)
    little = value.to_bytes(group.scalar_length, "little").rstrip(b"\0")
    needles = {
        "little-endian": little,
        "big-endian": little[::-1],
        "a Python int": as_int(value),
        "half of it": little[:16],
        "what doubles to it": (value * (group.order + 1) // 2 % group.order).to_bytes(group.scalar_length, "little"),
        "signed digits of 4 bits": _signed_digits(value, 4),
        "signed digits of 5 bits": _signed_digits(value, 5),
        "a Montgomery form": (value * (1 << 448) % group.order).to_bytes(56, "little"),
    }
    given = value.to_bytes(group.scalar_length, group.byteorder).hex().encode() + b"\n"
    with subprocess.Popen(
        [sys.executable, "-c", _COMPUTE, name, mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(given)
        process.stdin.flush()
        assert process.stdout.readline() == b"done\n"
        found = found_in(process.pid, needles)
        process.stdin.close()
    assert bool(found) == (mode == "kept"), found


def _signed_digits(value: int, width: int) -> bytes:
    """Return what scalars are recoded to for multiplication in constant time: bytes from -2ʷ⁻¹ to 2ʷ⁻¹."""
    digits, half = [], 1 << width - 1
    for _ in range(value.bit_length() // width):
        digit = value & 2 * half - 1
        value >>= width
        if digit >= half:
            digit -= 2 * half
            value += 1
        digits.append(digit & 0xFF)
    return bytes(digits)


# ── processes and threads ──


def test_a_forked_child_computes_on(pair: tuple[Group, Group]) -> None:
    group = pair[0]
    secret = scalar(group, 2**100 + 7)
    expected = group.encode(group.multiply_base(secret))
    child = os.fork()
    if child == 0:
        os._exit(0 if group.encode(group.multiply_base(secret)) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_threads_compute_side_by_side(pair: tuple[Group, Group]) -> None:
    group = pair[0]
    elements = [group.multiply_base(scalar(group, k)) for k in range(1, 41)]

    def work(start: int) -> bytes:
        factors = [start * k for k in range(1, 41)]
        sums = {group.encode(group.sum_products(factors, elements)) for _ in range(20)}
        assert len(sums) == 1
        return sums.pop()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, range(1, 9)))
    squares = sum(k * k for k in range(1, 41))
    assert found == [group.encode(group.combine_base(start * squares, 0, elements[0])) for start in range(1, 9)]


# ── whether it is chosen ──

_CHOICES: dict[str, Callable[[], Group]] = {
    name: getattr(foundations, name).__wrapped__ for name in ("p256", "secp256k1", "ed25519", "ristretto255", "ed448")
}


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Callable[[], set[str]]:
    """Choose afresh; return the names of the curves that the library takes part in."""
    monkeypatch.setattr(foundations, "_native", foundations._native.__wrapped__)
    monkeypatch.delenv(library.SWITCH, raising=False)
    return lambda: {name for name, choose in _CHOICES.items() if "native" in choose().backend}


def test_it_is_chosen_where_it_is(lib: Library, chosen: Callable[[], set[str]]) -> None:
    assert chosen() == _CHOICES.keys()
    assert all(lib.path in choose().backend for choose in _CHOICES.values())
    assert foundations.describe_native() == (True, f"the native library {lib.path} is there")


def test_it_is_switched_off(chosen: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.SWITCH, "0")
    assert chosen() == set()
    assert foundations.describe_native() == (True, "the native library is switched off by FROST_HSM_NATIVE=0")


@pytest.mark.parametrize("content", [None, b"", b"not a library", "another library"])
def test_what_is_not_this_library_is_not_chosen(
    chosen: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | str | None
) -> None:
    path = tmp_path / "library.so"
    if content == "another library":
        path = Path(next(each for each in libcrypto._candidates() if each))
    elif isinstance(content, bytes):
        path.write_bytes(content)
    monkeypatch.setattr(library, "FILE", str(path))
    assert chosen() == set()
    fine, text = foundations.describe_native()
    assert (fine, "no native library is installed" in text) == (content is None, content is None)


def test_another_version_is_not_chosen(
    lib: Library, chosen: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "VERSION", library.VERSION + 1)
    assert chosen() == set()
    fine, text = foundations.describe_native()
    assert not fine and "another version" in text


@pytest.mark.parametrize(
    ("function", "wrong"),
    [("double", 0), ("multiply_base", 0), ("sum_products", 0), ("evaluate", 0), ("read_proven", 0), ("read", 0)],
)
def test_what_computes_wrong_is_not_chosen(
    lib: Library, chosen: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch, function: str, wrong: int
) -> None:
    broken = Library(lib.path)
    setattr(broken, function, lambda *arguments: wrong)  # says that it did something
    monkeypatch.setattr(library, "find", lambda: broken)
    used = chosen()
    fine, text = foundations.describe_native()
    assert fine == (used == _CHOICES.keys()) and ("wrong" in text) != fine, text
    assert used <= {"p256"} or function == "read"
    assert all(self_test.computes(choose()) for choose in _CHOICES.values())
