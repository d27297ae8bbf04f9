"""The contract of `Group`, on every implementation; plain integers are the judge."""

from __future__ import annotations

import copy
import hashlib
import pickle
import threading
from collections.abc import Callable

import pytest
from stage import native, p256, plain_curves
from stage.p256 import number, scalar
from stage.suites import SUITES, vectors

from frost_hsm.errors import InvalidIdentityElement, MalformedElement, MalformedScalar, UsageProblem
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.hashing import XmdSha256
from frost_hsm.groups import Element, Group, foundations, libcrypto
from frost_hsm.groups.pycryptodome import edwards, koblitz, ristretto, weierstrass
from frost_hsm.groups.secret_hash import ExpandedHash, SecretHash, WideHash
from frost_hsm.secret import Secret

GROUPS: dict[str, Group] = {
    **p256.GROUPS,
    **{make.name: make(next(libcrypto.find())) for make in (edwards.Ed25519, ristretto.Ristretto255, edwards.Ed448)},
    "secp256k1": koblitz.Secp256k1Libcrypto(next(libcrypto.find())),
    "secp256k1-without-points-mul": koblitz.Secp256k1Libcrypto(next(libcrypto.find()), points_mul=False),
    **{
        f"{make.name}-without-libcrypto": make()
        for make in (weierstrass.Secp256k1, edwards.Ed25519, ristretto.Ristretto255, edwards.Ed448)
    },
    **native.GROUPS,
}
SCALARS = (1, 2, 3, 2**64 - 1, 2**128, -5, -2, -1)  # modulo the order


@pytest.fixture(params=GROUPS)
def group(request: pytest.FixtureRequest) -> Group:
    return GROUPS[request.param]


def encoded(group: Group, k: int) -> bytes:
    """Encode k·G by plain integers."""
    return plain_curves.encode_multiple(group.name, k)


def generator(group: Group) -> Element:
    return group.decode(encoded(group, 1))


def test_order_is_that_of_the_curve(group: Group) -> None:
    order = group.order
    assert order == plain_curves.CURVES[group.name].order
    assert group.is_identity(group.combine_base(order, 0, generator(group)))
    assert group.encode(group.combine_base(order - 1, 0, generator(group))) == encoded(group, -1)


@pytest.mark.parametrize("k", SCALARS)
def test_base_multiplication(group: Group, k: int) -> None:
    element = group.multiply_base(scalar(group, k % group.order))
    assert group.encode(element) == encoded(group, k)
    y = group.y_coordinate(element)
    assert len(y) == group.y_length
    assert group.equal(group.decode(encoded(group, k), y), element)


def test_zero_times_the_generator_is_the_identity(group: Group) -> None:
    element = group.multiply_base(scalar(group, 0))
    assert group.is_identity(element)
    for write in (group.encode, group.y_coordinate):
        with pytest.raises(InvalidIdentityElement):
            write(element)


@pytest.mark.parametrize(("a", "b", "k"), [(1, 1, 1), (-1, 1, 1), (5, 7, 11), (0, 3, 4), (3, 0, 4), (-2, -3, -5)])
def test_combination_with_the_base(group: Group, a: int, b: int, k: int) -> None:
    element = group.combine_base(a, b, group.decode(encoded(group, k)))
    expected = a + b * k
    assert group.is_identity(element) if expected == 0 else group.encode(element) == encoded(group, expected)


@pytest.mark.parametrize("count", [1, 2, 3, 9, 40])
def test_sum_of_products(group: Group, count: int) -> None:
    factors = [k * 2**200 - 17 * k for k in range(count)]
    elements = [group.decode(encoded(group, k + 1)) for k in range(count)]
    expected = sum(factor * (k + 1) for k, factor in enumerate(factors))
    total = group.sum_products(factors, elements)
    assert group.is_identity(total) if expected == 0 else group.encode(total) == encoded(group, expected)


def test_addition_doubling_and_copies(group: Group) -> None:
    element = generator(group)
    kept = group.copy(element)
    group.double(element)
    assert group.encode(element) == encoded(group, 2)
    group.accumulate(element, kept)
    assert group.encode(element) == encoded(group, 3)
    group.accumulate(element, element)
    assert group.encode(element) == encoded(group, 6)
    assert group.encode(kept) == encoded(group, 1)
    assert not group.equal(element, kept)
    group.accumulate(element, group.identity())
    assert group.equal(element, group.decode(encoded(group, 6)))
    group.accumulate(element, group.decode(encoded(group, -6)))
    assert group.is_identity(element)
    assert group.equal(element, group.identity())
    group.double(element)
    assert group.is_identity(element)


@pytest.mark.parametrize("k", [1, 2, -3])
def test_negation(group: Group, k: int) -> None:
    element = group.decode(encoded(group, k))
    kept = group.copy(element)
    group.negate(element)
    assert group.encode(element) == encoded(group, -k)
    assert group.encode(kept) == encoded(group, k)
    group.accumulate(kept, element)
    assert group.is_identity(kept)
    group.negate(kept)
    assert group.is_identity(kept)


@pytest.mark.parametrize("count", [0, 1, 5, 599, 601])
def test_decoding_many_on_one_thread_and_on_two(group: Group, count: int) -> None:
    several = [encoded(group, k % 7 + 1) for k in range(count)]
    assert [group.encode(element) for element in group.decode_all(b"".join(several))] == several
    y = b"".join(group.y_coordinate(group.decode(data)) for data in several[:7]) * (count // 7 + 1)
    y = y[: count * group.y_length]
    assert [group.encode(element) for element in group.decode_all(b"".join(several), y)] == several


@pytest.mark.parametrize("bad", [0, 60, 149])
def test_one_bad_element_among_many(group: Group, bad: int) -> None:
    several = [encoded(group, 1)] * 150
    several[bad] = b"\xff" * group.element_length
    with pytest.raises(MalformedElement):
        group.decode_all(b"".join(several))


def test_decoding_many_with_lengths_that_do_not_fit(group: Group) -> None:
    one, y = encoded(group, 1), group.y_coordinate(generator(group))
    for data, beside in ((one + one[:1], None), (one, b""), (one, y + y), (one + one, y)):
        with pytest.raises(MalformedElement):
            group.decode_all(data, beside)


def test_no_other_y_coordinate_will_do(group: Group) -> None:
    one, two = encoded(group, 1), encoded(group, 2)
    y = group.y_coordinate(generator(group))
    assert group.encode(group.decode(one, y)) == one
    for beside in (
        group.y_coordinate(group.decode(two)),
        group.y_coordinate(group.decode(encoded(group, -1))),
        y[1:],
        y + b"\0",
        b"",
        bytes(len(y)),
        b"\xff" * len(y),
        *(y[:k] + bytes((y[k] ^ 1,)) + y[k + 1 :] for k in range(len(y))),
    ):
        with pytest.raises(MalformedElement):
            group.decode(one, beside)


def test_what_no_group_takes_for_an_element(group: Group) -> None:
    one = encoded(group, 1)
    for data in (b"", one[:-1], one + b"\0", b"\0" + one, b"\xff" * len(one)):
        with pytest.raises((MalformedElement, InvalidIdentityElement)):
            group.decode(data)


@pytest.mark.parametrize("k", [0, *SCALARS])
def test_scalars_come_out_as_they_went_in(group: Group, k: int) -> None:
    k %= group.order
    assert number(group, scalar(group, k)) == k
    assert group.is_zero(scalar(group, k)) == (k == 0)


def test_what_is_not_a_scalar(group: Group) -> None:
    length, order = group.scalar_length, group.order
    too_large = (value.to_bytes(length, group.byteorder) for value in (order, order + 1))
    for data in (b"", bytes(length - 1), bytes(length + 1), *too_large, b"\xff" * length):
        with pytest.raises(MalformedScalar):
            group.decode_scalar(Secret(data))


@pytest.mark.parametrize("length", [0, 1, 32, 48, 64, 114, 200])
def test_reduction_of_wide_integers(group: Group, length: int) -> None:
    for wide in (b"\xff" * length, bytes(range(length)), bytes(length)):
        expected = int.from_bytes(wide, group.byteorder) % group.order
        assert number(group, group.reduce(Secret(wide))) == expected


def test_arithmetic_of_scalars(group: Group) -> None:
    order = group.order
    for a, b, c in ((0, 0, 0), (1, 2, 3), (-1, -1, -1), (5, order // 3, 2**250), (-6, 2, 3)):
        a, b, c = (value % order for value in (a, b, c))
        x, y, z = scalar(group, a), scalar(group, b), scalar(group, c)
        expected = (a + b * c) % order
        assert number(group, group.multiply_add(x, y, c)) == expected
        assert number(group, group.multiply_add(x, y, c - 3 * order)) == expected
        assert number(group, group.multiply_add(x, y, z)) == expected
        assert number(group, group.add_scalars([x, y, z])) == (a + b + c) % order
        assert [number(group, s) for s in (x, y, z)] == [a, b, c]
    assert number(group, group.add_scalars([])) == 0


@pytest.mark.parametrize("name", ["random_scalar_", "sigma_"])
@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_sums_of_zcashfoundation(suite: Ciphersuite, name: str) -> None:
    document = vectors(suite, "repair-share.json")
    section = document["scalar_generation" if name == "random_scalar_" else "sigma_generation"]
    group = suite.group
    parts = [group.decode_scalar(Secret(bytes.fromhex(v))) for key, v in section.items() if not key.endswith("sum")]
    assert len(parts) >= 3
    assert p256.public_bytes(group.encode_scalar(group.add_scalars(parts))).hex() == section[name + "sum"]


@pytest.mark.parametrize("terms", [1, 2, 3, 7, 11, 12, 13, 17, 40])
@pytest.mark.parametrize("points", [(1, 2, 3), (0,), (65535,), (1, 2**32 - 1), (2**32,), (2**250, 1), ()])
def test_evaluation(group: Group, terms: int, points: tuple[int, ...]) -> None:
    order = group.order
    values = [(-1 - 3**k * 2**190) % order for k in range(terms)]
    coefficients = [scalar(group, value) for value in values]
    expected = [sum(value * pow(x, k, order) for k, value in enumerate(values)) % order for x in points]
    assert [number(group, value) for value in group.evaluate(coefficients, points)] == expected
    assert [number(group, coefficient) for coefficient in coefficients] == values


def test_random_scalars_are_drawn_by_rejection(group: Group) -> None:
    values = (group.order.to_bytes(group.scalar_length, group.byteorder), *map(group_scalar(group), (0, 7)))
    draws = p256.ScriptedEntropy(b"\xff" * group.scalar_length, *values)
    assert number(group, group.random_scalar(draws)) == 7
    assert not draws.left


def test_bits_that_no_scalar_has_do_not_cost_draws(group: Group) -> None:
    spare = 8 * group.scalar_length - group.order.bit_length()
    high = ((1 << spare) - 1) << group.order.bit_length()
    draws = p256.ScriptedEntropy((high | 99).to_bytes(group.scalar_length, group.byteorder))
    assert number(group, group.random_scalar(draws)) == 99


def group_scalar(group: Group) -> Callable[[int], bytes]:
    return lambda value: value.to_bytes(group.scalar_length, group.byteorder)


def test_an_entropy_source_that_is_none(group: Group) -> None:
    with pytest.raises(UsageProblem, match="not random"):
        group.random_scalar(lambda buffer: None)


def test_random_scalars_differ(group: Group) -> None:
    drawn = {number(group, group.random_scalar()) for _ in range(50)}
    assert len(drawn) == 50
    assert max(value.bit_length() for value in drawn) > group.order.bit_length() - 8


# ── many at once ──


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_commitments_to_many_scalars(group: Group, count: int) -> None:
    values = [3**k * 1000 % group.order for k in range(count)]
    elements, together = group.commit([scalar(group, value) for value in values])
    assert [group.encode(element) for element in elements] == [encoded(group, value) for value in values]
    assert together == b"".join(encoded(group, value) for value in values)
    assert group.encode_all(elements) == together


def test_a_commitment_to_zero_is_refused(group: Group) -> None:
    with pytest.raises(InvalidIdentityElement):
        group.commit([scalar(group, 1), scalar(group, 0)])
    with pytest.raises(InvalidIdentityElement):
        group.encode_all([generator(group), group.identity()])


@pytest.mark.parametrize(("terms", "count"), [(0, 1), (1, 1), (2, 2), (9, 9), (40, 40)])
def test_elements_and_products_added_up(group: Group, terms: int, count: int) -> None:
    factors = [k * 2**200 - 17 * k for k in range(1, count + 1)]
    added = [group.decode(encoded(group, 5 * k + 1)) for k in range(terms)]
    multiplied = [group.decode(encoded(group, k + 1)) for k in range(count)]
    expected = sum(5 * k + 1 for k in range(terms)) + sum(factor * (k + 1) for k, factor in enumerate(factors))
    assert group.encode(group.add_products(added, factors, multiplied)) == encoded(group, expected)
    assert [group.encode(element) for element in added] == [encoded(group, 5 * k + 1) for k in range(terms)]


def test_a_sum_of_products_that_is_the_identity(group: Group) -> None:
    assert group.is_identity(group.add_products([generator(group)], [group.order - 1], [generator(group)]))


def test_many_combinations_with_the_base(group: Group) -> None:
    a, b, multiples = (0, 1, -1, 5, 2**128, 0, 3), (1, 1, 1, -7, 2**100, 0, -1), (1, 4, 1, 9, 11, 6, 3)
    elements = [group.decode(encoded(group, k)) for k in multiples]
    sums = [(one + other * k) % group.order for one, other, k in zip(a, b, multiples, strict=True)]
    expected = [encoded(group, value) if value else None for value in sums]
    assert None in expected
    assert group.encode_combinations(a, b, elements) == expected
    assert group.encode_combinations((), (), ()) == []


@pytest.mark.parametrize("factors", [(1, 2, 3), (1,), (0, 0), (-1, 5, 2**250, 1), (1, 1, 1)])
def test_a_sum_that_is_revealed(group: Group, factors: tuple[int, ...]) -> None:
    values = [(7 + k) * 2**240 + 5 for k in range(len(factors))]
    values = [value % group.order for value in values]
    scalars = [scalar(group, value) for value in values]
    expected = sum(factor * value for factor, value in zip(factors, values, strict=True)) % group.order
    assert group.reveal_sum(scalars, factors) == expected
    assert [number(group, each) for each in scalars] == values


HASHES = [ExpandedHash(b"a domain"), WideHash("sha512", 64, b"prefix"), WideHash("shake_256", 114, b"")]


def hashed(group: Group, how: SecretHash, data: bytes) -> int:
    """Hash public data the same way."""
    if isinstance(how, ExpandedHash):
        return XmdSha256(b"a ").to_scalar(group, b"domain", data)
    digest = hashlib.new(how.algorithm, how.prefix + data)
    wide = digest.digest(how.length) if how.algorithm == "shake_256" else digest.digest()  # type: ignore[call-arg]
    return int.from_bytes(wide, group.byteorder) % group.order


@pytest.mark.parametrize("how", HASHES)
@pytest.mark.parametrize("data", [b"", b"abc", bytes(1000)])
def test_hashing_secrets_to_scalars(group: Group, how: SecretHash, data: bytes) -> None:
    if isinstance(how, WideHash) or group.byteorder == "big":
        assert number(group, group.hash_secret(how, Secret(data))) == hashed(group, how, data)


@pytest.mark.parametrize("how", HASHES)
def test_nonces_are_hashes_of_32_random_bytes_and_the_share(group: Group, how: SecretHash) -> None:
    if isinstance(how, ExpandedHash) and group.byteorder == "little":
        return
    share = scalar(group, 2**200 + 5)
    encoding = (2**200 + 5).to_bytes(group.scalar_length, group.byteorder)
    drawn = [bytes([k]) * 32 for k in (1, 2, 3)]
    nonces = group.draw_nonces(how, share, 3, p256.ScriptedEntropy(*drawn))
    assert [number(group, nonce) for nonce in nonces] == [hashed(group, how, random + encoding) for random in drawn]
    assert number(group, share) == 2**200 + 5
    again = {number(group, nonce) for _ in range(3) for nonce in group.draw_nonces(how, share, 2)}
    assert len(again) == 6


def test_nonces_come_with_their_commitments(group: Group) -> None:
    how = WideHash("sha512", 64, b"") if group.byteorder == "little" else ExpandedHash(b"domain")
    share, drawn = scalar(group, 5), [bytes([k]) * 32 for k in (1, 2)]
    nonces, elements, encoded = group.make_nonces(how, share, 2, p256.ScriptedEntropy(*drawn))
    expected = group.draw_nonces(how, share, 2, p256.ScriptedEntropy(*drawn))
    assert [number(group, nonce) for nonce in nonces] == [number(group, nonce) for nonce in expected]
    assert encoded == b"".join(map(group.encode, elements)) == group.commit(expected)[1]


def test_a_nonce_of_zero_is_drawn_again(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    """No entropy is known that gives one, so the question is answered wrongly once."""
    foundation = getattr(group.draw_nonces, "__self__", group)  # where pycryptodome has libcrypto compute scalars
    answers = [True, False, False]
    monkeypatch.setattr(foundation, "is_zero", lambda nonce: answers.pop(0))
    drawn = [bytes([k]) * 32 for k in (1, 2, 3)]
    how, share = WideHash("sha512", 64, b""), scalar(group, 5)
    nonces = group.draw_nonces(how, share, 2, p256.ScriptedEntropy(*drawn))
    encoding = (5).to_bytes(group.scalar_length, group.byteorder)
    assert [number(group, nonce) for nonce in nonces] == [hashed(group, how, random + encoding) for random in drawn[1:]]


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

    expected = {k: encoded(group, 3 * k) for k in range(1, 9)}
    threads = [threading.Thread(target=work, args=(k,)) for k in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_chosen_group_computes_p256() -> None:
    group = foundations.p256()
    assert group.encode(group.multiply_base(scalar(group, 2**100))) == encoded(group, 2**100)
    assert group is foundations.p256()
