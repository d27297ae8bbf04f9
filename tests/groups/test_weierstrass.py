"""How P-256 and secp256k1 write points, on every implementation."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from stage import native, p256, plain_curves
from stage.p256 import scalar
from stage.plain_curves import Weierstrass, square_root
from stage.suites import SUITES, vectors

from frost_hsm.errors import InvalidIdentityElement, MalformedElement
from frost_hsm.groups import Group, libcrypto
from frost_hsm.groups.pycryptodome.koblitz import Secp256k1Libcrypto
from frost_hsm.groups.pycryptodome.weierstrass import Secp256k1

GROUPS: dict[str, Group] = {
    **p256.GROUPS,
    "secp256k1": Secp256k1Libcrypto(next(libcrypto.find())),
    "alone": Secp256k1(),
    **{name: group for name, group in native.GROUPS.items() if group.name in ("P-256", "secp256k1")},
}
JUDGES = {"P-256": ec.SECP256R1(), "secp256k1": ec.SECP256K1()}


@pytest.fixture(params=GROUPS)
def group(request: pytest.FixtureRequest) -> Group:
    return GROUPS[request.param]


@pytest.fixture
def curve(group: Group) -> Weierstrass:
    curve = plain_curves.CURVES[group.name]
    assert isinstance(curve, Weierstrass)
    return curve


def public_key(group: Group, k: int) -> ec.EllipticCurvePublicKey:
    return ec.derive_private_key(k, JUDGES[group.name]).public_key()


@pytest.mark.parametrize("k", [1, 2, 3, 2**128, 2**255 - 19])
def test_multiples_of_the_generator_are_those_of_openssl(group: Group, k: int) -> None:
    element = group.multiply_base(scalar(group, k))
    key = public_key(group, k)
    assert group.encode(element) == key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    assert group.y_coordinate(element) == key.public_numbers().y.to_bytes(32, "big")


def test_what_is_not_an_element(group: Group, curve: Weierstrass) -> None:
    p = curve.p
    without_y, with_y = (
        next(x for x in range(1, 99) if (square_root(x**3 + curve.a * x + curve.b, p) is not None) == exists)
        for exists in (False, True)
    )
    uncompressed = public_key(group, 1).public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    g = curve.encode(curve.generator)
    group.decode(b"\2" + with_y.to_bytes(32, "big"))
    for data in (
        uncompressed,
        b"\6" + uncompressed[1:],
        b"\7" + uncompressed[1:],
        *(bytes((prefix,)) + g[1:] for prefix in (0, 1, 4, 5, 6, 7, 0x82)),
        b"\2" + without_y.to_bytes(32, "big"),
        b"\3" + without_y.to_bytes(32, "big"),
        b"\2" + p.to_bytes(32, "big"),
        b"\2" + (p + with_y).to_bytes(32, "big"),
    ):
        with pytest.raises(MalformedElement):
            group.decode(data)


def test_the_identity_has_no_encoding(group: Group) -> None:
    for data in (bytes(33), b"\0"):
        with pytest.raises(InvalidIdentityElement):
            group.decode(data)
    for x in (b"\2", b"\3"):  # (0, 0), which some libraries take for the identity
        with pytest.raises(MalformedElement):
            group.decode(x + bytes(32), bytes(32))


@pytest.mark.parametrize("suite", [s for s in SUITES.values() if s.group in GROUPS.values()], ids=str)
def test_the_invalid_element_of_zcashfoundation(suite: object) -> None:
    data = bytes.fromhex(vectors(suite, "elements.json")["elements"]["invalid_element"])  # type: ignore[arg-type]
    with pytest.raises(MalformedElement):
        suite.group.decode(data)  # type: ignore[attr-defined]


def test_the_y_coordinate_has_the_sign_of_the_encoding(group: Group, curve: Weierstrass) -> None:
    g = curve.encode(curve.generator)
    y = curve.generator[1]
    other = (curve.p - y).to_bytes(32, "big")
    assert group.encode(group.decode(bytes((g[0] ^ 1,)) + g[1:], other)) == bytes((g[0] ^ 1,)) + g[1:]
    for wrong in (other, (y + 2 * curve.p).to_bytes(33, "big")[1:], (y ^ 2).to_bytes(32, "big")):
        with pytest.raises(MalformedElement):
            group.decode(g, wrong)


def test_a_y_coordinate_that_is_not_reduced(group: Group, curve: Weierstrass) -> None:
    # only for a small y has y + p 32 bytes, too
    y, x = next((y, x) for y in range(1, 60) if (x := abscissa(curve, y)) is not None)
    data = bytes((2 | y & 1,)) + x.to_bytes(32, "big")
    assert group.encode(group.decode(data, y.to_bytes(32, "big"))) == data
    flipped = bytes((2 | (y + curve.p) & 1,)) + x.to_bytes(32, "big")
    with pytest.raises(MalformedElement):
        group.decode(flipped, (y + curve.p).to_bytes(32, "big"))


def abscissa(curve: Weierstrass, y: int) -> int | None:
    """Find x with x³ + ax + b = y² by gcd(x^p - x, cubic), if a linear factor comes out."""
    p = curve.p
    if curve.a == 0:  # a cube root, as p = 7 mod 9
        x = pow(y * y - curve.b, (p + 2) // 9, p)
        return x if (x**3 + curve.b - y * y) % p == 0 else None
    c0 = (curve.b - y * y) % p  # the cubic x³ + ax + c0

    def times(u: list[int], v: list[int]) -> list[int]:
        product = [0] * 5
        for i, ui in enumerate(u):
            for j, vj in enumerate(v):
                product[i + j] += ui * vj
        for k in (4, 3):  # x³ = -ax - c0
            product[k - 2] -= curve.a * product[k]
            product[k - 3] -= c0 * product[k]
        return [value % p for value in product[:3]]

    power, base = [1, 0, 0], [0, 1, 0]
    for bit in bin(p)[2:]:
        power = times(power, power)
        if bit == "1":
            power = times(power, base)
    u, v = [c0, curve.a % p, 0, 1], [power[0], (power[1] - 1) % p, power[2]]
    while any(v):
        while v and v[-1] == 0:
            v.pop()
        while len(u) >= len(v):
            factor = u[-1] * pow(v[-1], -1, p) % p
            for k in range(len(v)):
                u[len(u) - len(v) + k] = (u[len(u) - len(v) + k] - factor * v[k]) % p
            u.pop()
        u, v = v, u
        while v and v[-1] == 0:
            v.pop()
    return -u[0] * pow(u[1], -1, p) % p if len(u) == 2 else None
