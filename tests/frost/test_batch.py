"""Batch verification: it agrees with verifying one by one, whatever is wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage.dealing import every_suite, few

from frost_hsm.errors import IncorrectPackage, InvalidSignature
from frost_hsm.frost import batch
from frost_hsm.frost.batch import Item
from frost_hsm.frost.ciphersuites import P256, Ciphersuite
from frost_hsm.frost.packages import SigningKey
from frost_hsm.groups.weights import Weights


def item(key: SigningKey, message: bytes) -> Item:
    return Item(key.verifying_key(), message, key.sign(message))


def items(suite: Ciphersuite, count: int) -> list[Item]:
    return many(suite)[:count]


@functools.cache
def many(suite: Ciphersuite) -> list[Item]:
    keys = [SigningKey.generate(suite) for _ in range(3)]
    return [item(keys[k % 3], b"message %d" % k) for k in range(25)]


def other_message(one: Item) -> Item:
    return replace(one, message=b"another")


def other_response(one: Item) -> Item:
    response = (one.signature.response + 1) % one.verifying_key.ciphersuite.group.order
    return replace(one, signature=replace(one.signature, response=response))


def no_point(one: Item) -> Item:
    return replace(one, signature=replace(one.signature, commitment=b"\xff" * len(one.signature.commitment)))


def identity(one: Item) -> Item:
    return replace(one, signature=replace(one.signature, commitment=bytes(len(one.signature.commitment))))


def other_key(one: Item) -> Item:
    return replace(one, verifying_key=SigningKey.generate(one.verifying_key.ciphersuite).verifying_key())


SPOILT = [other_message, other_response, no_point, identity, other_key]


@every_suite
@pytest.mark.parametrize("count", [1, 2, 19, 20, 25])
def test_good_signatures(suite: Ciphersuite, count: int) -> None:
    good = items(suite, count)
    batch.verify(good)
    assert batch.find_invalid(good) == []


@every_suite
@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("count", [1, 24])
def test_a_bad_signature_is_found(suite: Ciphersuite, spoil: Callable[[Item], Item], count: int) -> None:
    chosen = items(suite, count)
    chosen[count // 2] = spoil(chosen[count // 2])
    assert batch.find_invalid(chosen) == [count // 2]
    with pytest.raises(InvalidSignature, match=f": {count // 2}$"):
        batch.verify(chosen)


@every_suite
@few
@given(wrong=st.dictionaries(st.integers(0, 21), st.sampled_from(SPOILT)))
def test_any_bad_signatures_are_found(suite: Ciphersuite, wrong: dict[int, Callable[[Item], Item]]) -> None:
    chosen = items(suite, 22)
    for k, spoil in wrong.items():
        chosen[k] = spoil(chosen[k])
    assert batch.find_invalid(chosen) == sorted(wrong)


@every_suite
def test_errors_that_cancel_out_in_a_plain_sum(suite: Ciphersuite) -> None:
    chosen = items(suite, 20)
    for k, error in ((2, 5), (3, -5)):
        response = (chosen[k].signature.response + error) % suite.group.order
        chosen[k] = replace(chosen[k], signature=replace(chosen[k].signature, response=response))
    assert batch.find_invalid(chosen) == [2, 3]


def test_no_signatures() -> None:
    assert batch.find_invalid([]) == []
    with pytest.raises(InvalidSignature):
        batch.verify([])


def test_suites_do_not_mix() -> None:
    with pytest.raises(IncorrectPackage):
        batch.verify([*items(P256, 20), *items(P256.with_group(P256.group), 1)])


def test_weights_come_from_the_entropy_given() -> None:
    drawn: list[int] = []

    def entropy(buffer: memoryview) -> None:
        drawn.append(len(buffer))
        buffer[:] = bytes(k % 251 for k in range(len(buffer)))

    batch.verify(items(P256, 20), entropy)
    assert drawn == [32]


def test_who_knows_the_entropy_cannot_make_two_errors_cancel_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights depend on the signatures too: whatever is changed to fit them changes them."""
    found: list[list[int]] = []

    class Watched(Weights):
        def draw(self, count: int) -> list[int]:
            found.append(super().draw(count))
            return found[-1]

    monkeypatch.setattr(batch, "Weights", Watched)

    def nothing(buffer: memoryview) -> None:
        buffer[:] = bytes(len(buffer))

    honest, order = items(P256, 20), P256.group.order
    batch.verify(honest, nothing)
    first, second, *_ = found[0]
    errors = (second, -first)  # first·second - second·first = 0
    forged = [
        replace(one, signature=replace(one.signature, response=(one.signature.response + error) % order))
        for one, error in zip(honest, errors, strict=False)
    ]
    assert batch.find_invalid([*forged, *honest[2:]], nothing) == [0, 1]
    batch.verify(honest, nothing)
    assert found[2] == found[0]  # but for what was weighed, nothing was different
    assert found[1] != found[0]


def test_no_weight_is_zero() -> None:
    assert min(Weights(b"a test", ()).draw(1000)) > 0

    class Zeros(Weights):
        def draw_bytes(self, length: int) -> bytes:
            return bytes(length)

    assert Zeros(b"a test", ()).draw(3) == [1, 1, 1]


def test_weights_depend_on_the_entropy_the_purpose_and_all_that_is_weighed() -> None:
    def fixed(buffer: memoryview) -> None:
        buffer[:] = bytes(len(buffer))

    drawn = [
        Weights(b"a test", (b"one", b"two")).draw_bytes(16),
        Weights(b"a test", (b"one", b"two")).draw_bytes(16),
        Weights(b"a test", (b"one", b"two"), fixed).draw_bytes(16),
        Weights(b"another", (b"one", b"two"), fixed).draw_bytes(16),
        Weights(b"a test", (b"one", b"twp"), fixed).draw_bytes(16),
    ]
    assert len(set(drawn)) == 5
    again = Weights(b"a test", (b"one", b"two"), fixed)
    assert again.draw_bytes(16) == drawn[2] != again.draw_bytes(16)
