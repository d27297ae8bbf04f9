"""Packages and values of every suite: reading what was written gives the same, and there is no second form."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import every_package, plain_curves
from stage.dealing import every_suite
from stage.every_package import KINDS, read_json, read_postcard
from stage.p256 import public_bytes
from stage.plain_curves import Edwards

from frost_hsm.errors import (
    DeserializationError,
    IncorrectPackage,
    InvalidIdentityElement,
    InvalidNonPrimeOrderElement,
)
from frost_hsm.frost.ciphersuites import ALL, ED448, ED25519, Ciphersuite
from frost_hsm.frost.keys import dkg
from frost_hsm.frost.keys.repair import Delta
from frost_hsm.frost.packages import PublicKeyPackage, SignatureShare, SigningPackage
from frost_hsm.frost.values import (
    Identifier,
    Nonce,
    NonceCommitment,
    Signature,
    SignatureResponse,
    SigningKey,
    SigningShare,
    VerifyingKey,
    VerifyingShare,
)
from frost_hsm.secret import Secret

many = settings(max_examples=200, deadline=None)
every_kind = pytest.mark.parametrize("kind", KINDS)

SCALARS = {Identifier, SignatureResponse, SigningShare, SigningKey, Nonce, Delta}
ELEMENTS = {VerifyingKey, VerifyingShare, NonceCommitment}


@functools.cache
def written(suite: Ciphersuite) -> dict[str, tuple[bytes, str]]:
    """One package of each kind, in postcard and in JSON."""
    return {kind: both_forms(package) for kind, package in every_package.make(suite).items()}


def both_forms(package: Any) -> tuple[bytes, str]:
    text = package.to_json()
    return public_bytes(package.serialize()), text if isinstance(text, str) else public_bytes(text).decode()


@st.composite
def changed(draw: st.DrawFn, data: bytes) -> bytes:
    """Return what becomes of some bytes when a few are replaced, left out, put in, doubled, or one bit is flipped."""
    at = draw(st.integers(0, len(data)))
    until = draw(st.integers(at, min(len(data), at + 3)))
    middle = data[at:until]
    flipped = st.integers(0, 7).map(lambda bit: bytes(byte ^ 1 << bit for byte in middle[:1]) + middle[1:])
    return data[:at] + draw(st.one_of(st.binary(max_size=3), st.just(middle * 2), flipped)) + data[until:]


@every_suite
@every_kind
def test_reading_is_the_inverse_of_writing(suite: Ciphersuite, kind: str) -> None:
    data, text = written(suite)[kind]
    assert both_forms(read_postcard(suite, kind, data)) == (data, text)
    assert both_forms(read_json(suite, kind, text)) == (data, text)


@every_suite
@many
@given(data=st.data())
def test_every_other_postcard_is_refused_or_another_package(suite: Ciphersuite, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(KINDS)))
    original, _ = written(suite)[kind]
    other = data.draw(changed(original))
    try:
        package = read_postcard(suite, kind, other)
    except DeserializationError:
        assert other != original
    else:
        assert both_forms(package)[0] == other


@every_suite
@many
@given(data=st.data())
def test_every_other_json_is_refused_or_another_package(suite: Ciphersuite, data: st.DataObject) -> None:
    """White space, the order of fields and the case of hex digits apart."""
    kind = data.draw(st.sampled_from(list(KINDS)))
    _, original = written(suite)[kind]
    other = data.draw(changed(original.encode())).decode("latin-1")
    try:
        package = read_json(suite, kind, other)
    except DeserializationError:
        assert other != original
    else:
        assert json.loads(both_forms(package)[1].lower()) == json.loads(other.lower())


@every_suite
@every_kind
def test_all_that_is_cut_short_or_has_something_after_it(suite: Ciphersuite, kind: str) -> None:
    data, text = written(suite)[kind]
    older = len(data) - 2 if KINDS[kind] is PublicKeyPackage else None  # before version 3, without its threshold
    for end in range(len(data)):
        if end != older:
            with pytest.raises(DeserializationError):
                read_postcard(suite, kind, data[:end])
    for tail in (b"\0", b"\1", data):
        with pytest.raises(DeserializationError):
            read_postcard(suite, kind, data + tail)
    for broken in (text[:-1], text + "}", text + text, text + "0", "[" + text + "]"):
        with pytest.raises(DeserializationError):
            read_json(suite, kind, broken)


@every_suite
@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.endswith("_secret_package")])
def test_packages_of_another_suite(suite: Ciphersuite, kind: str) -> None:
    data, text = written(suite)[kind]
    for other in ALL:
        if other is not suite:
            with pytest.raises(DeserializationError):
                read_json(other, kind, text)
            if KINDS[kind] is not SignatureShare:  # a bare scalar in postcard
                with pytest.raises(DeserializationError):
                    read_postcard(other, kind, data)


@every_suite
def test_secret_packages_of_another_suite_do_not_serve(suite: Ciphersuite) -> None:
    """ZcashFoundation's say no suite, and some read as another's: they do not go with that one's packages."""
    data, _ = written(suite)["round1_secret_package"]
    for other in ALL:
        if other is suite:
            continue
        try:
            package = read_postcard(other, "round1_secret_package", data)
        except DeserializationError:
            continue
        sender = Identifier.derive(suite, b"two")
        received = {sender: read_postcard(suite, "round1_package", written(suite)["round1_package"][0])}
        with pytest.raises(IncorrectPackage):
            dkg.part2(package, received)


# ── JSON, field by field ──


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every string of hex digits but the message, and of every number."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name not in ("ciphersuite", "message"):
                yield from places(value, (*path, name))
    elif isinstance(document, list):
        for position, value in enumerate(document):
            yield from places(value, (*path, position))
    else:
        yield path


def value_at(document: Any, path: tuple[Any, ...]) -> Any:
    return functools.reduce(lambda value, step: value[step], path, document)


def with_value(text: str, path: tuple[Any, ...], value: Any) -> str:
    document = json.loads(text)
    value_at(document, path[:-1])[path[-1]] = value
    return json.dumps(document)


@every_suite
@every_kind
def test_values_that_are_none(suite: Ciphersuite, kind: str) -> None:
    _, text = written(suite)[kind]
    document = json.loads(text)
    tried = 0
    for path in places(document):
        good = value_at(document, path)
        if isinstance(good, int):
            wrong = [-1, 65536, 1 << 32, str(good), [good], None, True, 1.5]
        else:
            wrong = [good[2:], good + "00", good[:-1], good[:-1] + "g", "ff" * (len(good) // 2), " " + good[1:], "", 1]
        for value in wrong:
            with pytest.raises(DeserializationError):
                read_json(suite, kind, with_value(text, path, value))
            tried += 1
    assert tried >= 8


@every_suite
@every_kind
def test_fields_that_are_missing_renamed_or_unknown(suite: Ciphersuite, kind: str) -> None:
    document = json.loads(written(suite)[kind][1])
    for name, value in document.items():
        others = {field: each for field, each in document.items() if field != name}
        wrong = [{**others, name + "_": value}, {**document, name + "_": value}]
        if (kind, name) != ("public_key_package", "min_signers"):  # which is not there before version 3
            wrong.append(others)
        for changed_document in wrong:
            with pytest.raises(DeserializationError):
                read_json(suite, kind, json.dumps(changed_document))


@every_suite
@pytest.mark.parametrize("kind", ["public_key_package", "signing_package"])
def test_identifiers_of_a_map(suite: Ciphersuite, kind: str) -> None:
    """Not zero, the group order or more; none twice; in postcard in ascending order."""
    data, text = written(suite)[kind]
    (name,) = set(json.loads(text)) & {"verifying_shares", "signing_commitments"}
    members = json.loads(text)[name]
    for number in (0, suite.group.order, suite.group.order + 1):
        wrong = number.to_bytes(suite.group.scalar_length, suite.group.byteorder).hex()
        with pytest.raises(DeserializationError):
            read_json(suite, kind, with_value(text, (name,), {wrong: members.popitem()[1], **members}))
        members = json.loads(text)[name]
    for identifier, member in members.items():
        for again in (identifier, identifier.upper()):
            twice = text.replace(f'"{name}":{{', f'"{name}":{{"{again}":{json.dumps(member)},', 1)
            with pytest.raises(DeserializationError, match="twice"):
                read_json(suite, kind, twice)

    own, other = (bytes.fromhex(identifier) for identifier in members)
    swapped = data.replace(own, b"?" * len(own)).replace(other, own).replace(b"?" * len(own), other)
    with pytest.raises(DeserializationError, match="ascending"):
        read_postcard(suite, kind, swapped)
    with pytest.raises(DeserializationError, match="ascending"):
        read_postcard(suite, kind, data.replace(other, own))


ELEMENT_FIELDS = {"commitment", "verifying_share", "verifying_shares", "verifying_key", "hiding", "binding"}


@pytest.mark.parametrize("suite", [ED25519, ED448], ids=["ed25519", "ed448"])
@pytest.mark.parametrize(
    "kind",
    ["round1_package", "key_package", "public_key_package", "secret_share", "signing_commitments", "signing_package"],
)
def test_points_outside_the_subgroup(suite: Ciphersuite, kind: str) -> None:
    """Known attack K27, wherever a package holds an element: of low order, and of mixed order."""
    curve = plain_curves.CURVES[suite.group.name]
    assert isinstance(curve, Edwards)
    low = curve.small_order_point()
    outside = [curve.encode(point).hex() for point in (low, curve.add(curve.generator, low))]
    _, text = written(suite)[kind]
    tried = 0
    for path in places(json.loads(text)):
        if ELEMENT_FIELDS & set(path):
            for point in outside:
                with pytest.raises((InvalidNonPrimeOrderElement, InvalidIdentityElement)):
                    read_json(suite, kind, with_value(text, path, point))
                tried += 1
    assert tried >= 4


# ── values alone ──


def given_to(kind: Any, data: bytes) -> Any:
    return Secret(data) if kind.is_secret else data


@every_suite
@many
@given(data=st.data())
def test_bare_scalars_have_one_form(suite: Ciphersuite, data: st.DataObject) -> None:
    kind: Any = data.draw(st.sampled_from(sorted(SCALARS, key=lambda kind: kind.__name__)))
    length, order = suite.group.scalar_length, suite.group.order
    number = data.draw(st.one_of(st.integers(0, 2), st.integers(order - 2, order + 2), st.integers(0, 1 << 8 * length)))
    try:
        encoded = number.to_bytes(length, suite.group.byteorder)
    except OverflowError:
        encoded = bytes(length + 1)
    is_one = number < order and not (number == 0 and kind in (Identifier, SigningKey, Nonce))
    try:
        value = kind.deserialize(suite, given_to(kind, encoded))
    except DeserializationError:
        assert not is_one
    else:
        assert is_one
        assert public_bytes(value.serialize()) == encoded


@every_suite
@many
@given(data=st.data())
def test_bare_elements_have_one_form(suite: Ciphersuite, data: st.DataObject) -> None:
    """The bytes that were read are kept, so the element itself is written again to compare."""
    kind: Any = data.draw(st.sampled_from(sorted(ELEMENTS, key=lambda kind: kind.__name__)))
    length = suite.group.element_length
    original = bytes.fromhex(json.loads(written(suite)["public_key_package"][1])["verifying_key"])
    encoded = data.draw(st.one_of(changed(original), st.binary(min_size=length, max_size=length)))
    try:
        value = kind.deserialize(suite, encoded)
    except DeserializationError:
        assert encoded != original
    else:
        assert suite.group.encode(value.element) == encoded


@every_suite
@many
@given(data=st.data())
def test_signatures_have_one_form(suite: Ciphersuite, data: st.DataObject) -> None:
    original = bytes.fromhex(json.loads(written(suite)["round1_package"][1])["proof_of_knowledge"])
    encoded = data.draw(changed(original))
    try:
        signature = Signature.deserialize(suite, encoded)
    except DeserializationError:
        assert encoded != original
    else:
        assert signature.serialize() == encoded


@every_suite
@pytest.mark.parametrize("kind", ["round1_package", "signing_commitments"])
def test_y_coordinates_have_one_form(suite: Ciphersuite, kind: str) -> None:
    """They travel beside the postcard form; a wrong one is refused, whatever else it may be."""
    data, _ = written(suite)[kind]
    of: Any = KINDS[kind]
    y = of.deserialize(suite, data).y_coordinates()
    length = suite.group.y_length
    assert of.deserialize(suite, data, y).serialize() == data
    assert of.deserialize(suite, data, y).y_coordinates() == y
    for k in range(0, len(y), length):
        one = y[k : k + length]
        flipped = (bytes((one[0] ^ 1,)) + one[1:], one[:-1] + bytes((one[-1] ^ 1,)))
        for other in (bytes(length), b"\xff" * length, *flipped):
            with pytest.raises(DeserializationError):
                of.deserialize(suite, data, y[:k] + other + y[k + length :])
    for other in (y[:-1], y + b"\0", b"", y + y[:length], y[length:] + y[:length]):
        with pytest.raises(DeserializationError):
            of.deserialize(suite, data, other)


@every_suite
def test_maps_are_written_in_the_order_of_numbers(suite: Ciphersuite) -> None:
    """Whatever the order of bytes in the suite's scalars."""
    package = every_package.make(suite)["signing_commitments"]
    ids = [Identifier(suite, number) for number in (256, 3, 2**200, 255, suite.group.order - 1)]
    data, text = both_forms(SigningPackage(suite, dict.fromkeys(ids, package), b""))
    ascending = [identifier.serialize() for identifier in sorted(ids, key=lambda identifier: identifier.value)]
    assert list(json.loads(text)["signing_commitments"]) == [identifier.hex() for identifier in ascending]
    positions = [data.index(identifier) for identifier in ascending]
    assert positions == sorted(positions)


def test_a_message_of_any_bytes() -> None:
    for suite in ALL:
        for message in (b"", bytes(range(256)), b"x" * 20000):
            package = SigningPackage(suite, {}, message)
            assert SigningPackage.deserialize(suite, package.serialize()) == package
            assert SigningPackage.from_json(suite, package.to_json()) == package
