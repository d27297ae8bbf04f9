"""The contract of `Group`, on every implementation; `cryptography` and plain integers are the judges."""

from __future__ import annotations

import copy
import hashlib
import pickle
import threading

import p256
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from p256 import G, number, scalar, vectors

from frost_hsm import groups
from frost_hsm.errors import InvalidIdentityElement, MalformedElement, MalformedScalar, UsageProblem
from frost_hsm.groups import Group, decode_all
from frost_hsm.secret import Secret

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SCALARS = (1, 2, 3, 2**64 - 1, 2**128, N // 2, N - 2, N - 1)


@pytest.fixture(params=p256.GROUPS)
def group(request: pytest.FixtureRequest) -> Group:
    return p256.GROUPS[request.param]


def multiple_of_g(k: int) -> ec.EllipticCurvePublicKey:
    return ec.derive_private_key(k % N, ec.SECP256R1()).public_key()


def compressed(k: int) -> bytes:
    return multiple_of_g(k).public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def test_order_is_that_of_the_curve(group: Group) -> None:
    assert group.is_identity(group.combine_base(N, 0, group.decode(G)))
    assert group.encode(group.combine_base(N - 1, 0, group.decode(G))) == bytes((2,)) + G[1:]


@pytest.mark.parametrize("k", SCALARS)
def test_base_multiplication(group: Group, k: int) -> None:
    element = group.multiply_base(scalar(group, k))
    assert group.encode(element) == compressed(k)
    assert group.y_coordinate(element) == multiple_of_g(k).public_numbers().y.to_bytes(32, "big")


def test_zero_times_the_generator_is_the_identity(group: Group) -> None:
    element = group.multiply_base(scalar(group, 0))
    assert group.is_identity(element)
    for write in (group.encode, group.y_coordinate):
        with pytest.raises(InvalidIdentityElement):
            write(element)


@pytest.mark.parametrize(("a", "b", "k"), [(1, 1, 1), (N - 1, 1, 1), (5, 7, 11), (0, 3, 4), (3, 0, 4), (-2, -3, N - 5)])
def test_combination_with_the_base(group: Group, a: int, b: int, k: int) -> None:
    element = group.combine_base(a, b, group.decode(compressed(k)))
    expected = (a + b * k) % N
    assert group.is_identity(element) if expected == 0 else group.encode(element) == compressed(expected)


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_sum_of_products(group: Group, count: int) -> None:
    factors = [(k * 2**200 + 17 * k) % N for k in range(count)]
    elements = [group.decode(compressed(k + 1)) for k in range(count)]
    expected = sum(factor * (k + 1) for k, factor in enumerate(factors)) % N
    total = group.sum_products(factors, elements)
    assert group.is_identity(total) if expected == 0 else group.encode(total) == compressed(expected)


def test_addition_doubling_and_copies(group: Group) -> None:
    element = group.decode(G)
    kept = group.copy(element)
    group.double(element)
    assert group.encode(element) == compressed(2)
    group.accumulate(element, kept)
    assert group.encode(element) == compressed(3)
    group.accumulate(element, element)
    assert group.encode(element) == compressed(6)
    assert group.encode(kept) == G
    assert not group.equal(element, kept)
    group.accumulate(element, group.identity())
    assert group.equal(element, group.decode(compressed(6)))
    group.accumulate(element, group.decode(compressed(-6)))
    assert group.is_identity(element)
    assert group.equal(element, group.identity())
    group.double(element)
    assert group.is_identity(element)


X_WITHOUT_Y = next(
    x
    for x in range(1, 99)
    if pow(x**3 - 3 * x + 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B, (P - 1) // 2, P) != 1
)
X_BELOW_2_256_MINUS_P = next(
    x
    for x in range(1, 99)
    if pow(x**3 - 3 * x + 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B, (P - 1) // 2, P) == 1
)
UNCOMPRESSED = multiple_of_g(1).public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

NOT_ELEMENTS = {
    "empty": b"",
    "infinity": b"\0",
    "short": G[:-1],
    "long": G + b"\0",
    "uncompressed": UNCOMPRESSED,
    "hybrid": b"\7" + UNCOMPRESSED[1:],
    "prefix 4": b"\4" + G[1:],
    "prefix 0": b"\0" + G[1:],
    "prefix 6": b"\6" + G[1:],
    "off the curve": b"\2" + X_WITHOUT_Y.to_bytes(32, "big"),
    "x is p": b"\2" + P.to_bytes(32, "big"),
    "x not reduced": b"\2" + (P + X_BELOW_2_256_MINUS_P).to_bytes(32, "big"),
    "x all ones": b"\2" + b"\xff" * 32,
    "of ZcashFoundation": bytes.fromhex(vectors("elements.json")["elements"]["invalid_element"]),
}


@pytest.mark.parametrize("data", NOT_ELEMENTS.values(), ids=NOT_ELEMENTS)
def test_what_is_not_an_element(group: Group, data: bytes) -> None:
    with pytest.raises((MalformedElement, InvalidIdentityElement)):
        group.decode(data)


def test_the_identity_is_named(group: Group) -> None:
    with pytest.raises(InvalidIdentityElement):
        group.decode(bytes(33))


def test_decoding_with_the_y_coordinate(group: Group) -> None:
    y = group.y_coordinate(group.decode(G))
    assert group.encode(group.decode(G, y)) == G
    other = (P - int.from_bytes(y, "big")).to_bytes(32, "big")
    assert group.encode(group.decode(bytes((2,)) + G[1:], other)) == bytes((2,)) + G[1:]
    wrong = {
        "the other sign": other,
        "another point": group.y_coordinate(group.decode(compressed(9))),
        "off the curve": y[:-1] + bytes((y[-1] ^ 2,)),
        "not reduced": (int.from_bytes(y, "big") + 2 * P).to_bytes(33, "big")[1:],
        "all ones": b"\xff" * 32,
        "short": y[1:],
        "long": b"\0" + y,
        "empty": b"",
    }
    for data in wrong.values():
        with pytest.raises(MalformedElement):
            group.decode(G, data)


def test_a_y_coordinate_that_is_not_reduced(group: Group) -> None:
    # y = 1 would do for an x with x³ - 3x + b = 1; searching for small y where y + p still has 32 bytes
    for y in range(1, 60):
        root = _abscissa(y)
        if root is not None:
            break
    else:
        pytest.fail("no small y coordinate found")
    data = bytes((2 | y & 1,)) + root.to_bytes(32, "big")
    assert group.encode(group.decode(data, y.to_bytes(32, "big"))) == data
    flipped = bytes((2 | (y + P) & 1,)) + root.to_bytes(32, "big")
    with pytest.raises(MalformedElement):
        group.decode(flipped, (y + P).to_bytes(32, "big"))


def _abscissa(y: int) -> int | None:
    """Find x with x³ - 3x + b = y² by gcd(x^p - x, cubic), if a linear factor comes out."""
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    c0 = (b - y * y) % P  # the cubic x³ - 3x + c0

    def times(u: list[int], v: list[int]) -> list[int]:
        product = [0] * 5
        for i, ui in enumerate(u):
            for j, vj in enumerate(v):
                product[i + j] += ui * vj
        for k in (4, 3):  # x³ = 3x - c0
            product[k - 2] += 3 * product[k]
            product[k - 3] -= c0 * product[k]
        return [value % P for value in product[:3]]

    power, base = [1, 0, 0], [0, 1, 0]
    for bit in bin(P)[2:]:
        power = times(power, power)
        if bit == "1":
            power = times(power, base)
    u, v = [c0, -3 % P, 0, 1], [power[0], (power[1] - 1) % P, power[2]]
    while any(v):
        while v and v[-1] == 0:
            v.pop()
        while len(u) >= len(v):
            factor = u[-1] * pow(v[-1], -1, P) % P
            for k in range(len(v)):
                u[len(u) - len(v) + k] = (u[len(u) - len(v) + k] - factor * v[k]) % P
            u.pop()
        u, v = v, u
        while v and v[-1] == 0:
            v.pop()
    return -u[0] * pow(u[1], -1, P) % P if len(u) == 2 else None


@pytest.mark.parametrize("count", [0, 1, 5, 99, 100, 101, 250])
def test_decoding_many_on_one_thread_and_on_two(group: Group, count: int) -> None:
    encoded = [compressed(k % 7 + 1) for k in range(count)]
    assert [group.encode(element) for element in decode_all(group, b"".join(encoded))] == encoded
    y = b"".join(group.y_coordinate(group.decode(data)) for data in encoded)
    assert [group.encode(element) for element in decode_all(group, b"".join(encoded), y)] == encoded


@pytest.mark.parametrize("bad", [0, 60, 149])
def test_one_bad_element_among_many(group: Group, bad: int) -> None:
    encoded = [G] * 150
    encoded[bad] = NOT_ELEMENTS["off the curve"]
    with pytest.raises(MalformedElement):
        decode_all(group, b"".join(encoded))


def test_decoding_many_with_lengths_that_do_not_fit(group: Group) -> None:
    for data, y in ((G + b"\2", None), (G, b""), (G, bytes(64)), (G + G, bytes(32))):
        with pytest.raises(MalformedElement):
            decode_all(group, data, y)


@pytest.mark.parametrize("k", [0, *SCALARS])
def test_scalars_come_out_as_they_went_in(group: Group, k: int) -> None:
    assert number(group, scalar(group, k)) == k
    assert group.is_zero(scalar(group, k)) == (k == 0)


@pytest.mark.parametrize(
    "data", [b"", bytes(31), bytes(33), N.to_bytes(32, "big"), (N + 1).to_bytes(32, "big"), b"\xff" * 32]
)
def test_what_is_not_a_scalar(group: Group, data: bytes) -> None:
    with pytest.raises(MalformedScalar):
        group.decode_scalar(Secret(data))


@pytest.mark.parametrize("length", [0, 1, 32, 48, 64, 100])
def test_reduction_of_wide_integers(group: Group, length: int) -> None:
    for wide in (b"\xff" * length, bytes(range(length)), bytes(length)):
        assert number(group, group.reduce(Secret(wide))) == int.from_bytes(wide, "big") % N


def test_arithmetic_of_scalars(group: Group) -> None:
    for a, b, c in ((0, 0, 0), (1, 2, 3), (N - 1, N - 1, N - 1), (5, N // 3, 2**255), (N - 6, 2, 3)):
        x, y, z = scalar(group, a), scalar(group, b), scalar(group, c)
        expected = (a + b * c) % N
        assert number(group, group.multiply_add(x, y, c)) == expected
        assert number(group, group.multiply_add(x, y, c - 3 * N)) == expected
        assert number(group, group.multiply_add(x, y, z)) == expected
        assert number(group, group.add_scalars([x, y, z])) == (a + b + c) % N
        assert [number(group, s) for s in (x, y, z)] == [a, b, c]
    assert number(group, group.add_scalars([])) == 0


@pytest.mark.parametrize("name", ["random_scalar_", "sigma_"])
def test_sums_of_zcashfoundation(group: Group, name: str) -> None:
    section = vectors("repair-share.json")["scalar_generation" if name == "random_scalar_" else "sigma_generation"]
    parts = [scalar(group, int(value, 16)) for key, value in section.items() if not key.endswith("sum")]
    assert len(parts) >= 3
    assert number(group, group.add_scalars(parts)) == int(section[name + "sum"], 16)


@pytest.mark.parametrize("terms", [1, 2, 3, 7, 11, 12, 13, 17, 40])
@pytest.mark.parametrize("points", [(1, 2, 3), (0,), (65535,), (1, 2**32 - 1), (2**32,), (N - 1, 1), ()])
def test_evaluation(group: Group, terms: int, points: tuple[int, ...]) -> None:
    values = [(N - 1 - 3**k * 2**190) % N for k in range(terms)]
    coefficients = [scalar(group, value) for value in values]
    expected = [sum(value * pow(x, k, N) for k, value in enumerate(values)) % N for x in points]
    assert [number(group, value) for value in group.evaluate(coefficients, points)] == expected
    assert [number(group, coefficient) for coefficient in coefficients] == values


def test_random_scalars_are_drawn_by_rejection(group: Group) -> None:
    draws = p256.ScriptedEntropy(N.to_bytes(32, "big"), b"\xff" * 32, bytes(32), (7).to_bytes(32, "big"))
    assert number(group, group.random_scalar(draws)) == 7
    assert not draws.left


def test_an_entropy_source_that_is_none(group: Group) -> None:
    with pytest.raises(UsageProblem, match="not random"):
        group.random_scalar(lambda buffer: None)


def test_random_scalars_differ(group: Group) -> None:
    drawn = {number(group, group.random_scalar()) for _ in range(50)}
    assert len(drawn) == 50
    assert max(value.bit_length() for value in drawn) > 250


def test_digest_of_secrets(group: Group) -> None:
    for data in (b"", b"abc", bytes(1000)):
        for algorithm in ("sha256", "sha512"):
            expected = hashlib.new(algorithm, data).digest()
            target = bytearray(len(expected))
            group.digest(algorithm, memoryview(bytearray(data)), memoryview(target))
            assert target == expected
    overlapping = memoryview(bytearray(100))
    group.digest("sha256", overlapping, overlapping[:32])
    assert overlapping[:32] == hashlib.sha256(bytes(100)).digest()
    for room in (0, 31, 33):
        with pytest.raises(ValueError):
            group.digest("sha256", memoryview(bytearray(3)), memoryview(bytearray(room)))


def test_a_wiped_scalar_is_zero(group: Group) -> None:
    secret = scalar(group, 12345)
    secret.wipe()
    secret.wipe()
    assert number(group, secret) == 0


def test_a_secret_scalar_gives_nothing_away(group: Group) -> None:
    secret = scalar(group, 0xABCDEF)
    for text in (repr(secret), str(secret), f"{secret}"):
        assert "abcdef" not in text.lower()
        assert str(0xABCDEF) not in text
    for attempt in (
        lambda: secret == secret,
        lambda: secret != 1,
        lambda: hash(secret),
        lambda: copy.copy(secret),
        lambda: copy.deepcopy(secret),
        lambda: pickle.dumps(secret),
    ):
        with pytest.raises(TypeError):
            attempt()


def test_threads_do_not_disturb_each_other(group: Group) -> None:
    failures: list[int] = []

    def work(k: int) -> None:
        for _ in range(20):
            secret = scalar(group, k)
            element = group.combine_base(k, 2, group.multiply_base(secret))
            product = group.multiply_add(secret, secret, k)
            if group.encode(element) != expected[k] or number(group, product) != k + k * k:
                failures.append(k)

    expected = {k: compressed(3 * k) for k in range(1, 9)}
    threads = [threading.Thread(target=work, args=(k,)) for k in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_chosen_group_computes_p256() -> None:
    group = groups.p256()
    assert group.encode(group.multiply_base(scalar(group, 2**100))) == compressed(2**100)
    assert group is groups.p256()
