"""Repair: the same share again, one for somebody new, and helpers that spoil it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stage.dealing import Group, every_suite, few, shapes, sign
from stage.group_run import Run
from stage.p256 import public_bytes
from stage.suites import vectors

from frost_hsm.errors import (
    DuplicatedIdentifier,
    IncorrectNumberOfIdentifiers,
    IncorrectNumberOfPackages,
    IncorrectPackage,
    InvalidMinSigners,
    MalformedScalar,
    NotPossible,
    UnknownIdentifier,
)
from frost_hsm.frost.ciphersuites import P256, Ciphersuite
from frost_hsm.frost.keys import dealer, refresh, repair
from frost_hsm.frost.keys.repair import Delta, Sigma
from frost_hsm.frost.packages import Identifier, KeyPackage, PublicKeyPackage
from frost_hsm.secret import Secret


@dataclass
class Repair:
    """One repair; tests tamper with its maps in between."""

    helpers: Sequence[KeyPackage]
    participant: Identifier
    public: PublicKeyPackage
    deltas: dict[Identifier, dict[Identifier, Delta]] = field(default_factory=dict)  # by sender
    sigmas: dict[Identifier, Sigma] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ids = [helper.identifier for helper in self.helpers]
        for helper in self.helpers:
            self.deltas[helper.identifier] = repair.repair_share_part1(self.ids, helper, self.participant)

    def part2(self) -> Repair:
        for own in self.ids:
            self.sigmas[own] = repair.repair_share_part2(self.ids, {h: self.deltas[h][own] for h in self.ids})
        return self

    def part3(self) -> KeyPackage:
        return repair.repair_share_part3(self.sigmas, self.participant, self.public)


def value(kind: type[Delta] | type[Sigma], suite: Ciphersuite, text: str) -> Delta | Sigma:
    return kind.deserialize(suite, Secret(bytes.fromhex(text)))


# ── ZcashFoundation's vectors ──


@every_suite
def test_sums_of_zcashfoundation(suite: Ciphersuite) -> None:
    document = vectors(suite, "repair-share.json")
    given_ = document["scalar_generation"]
    ids = [Identifier(suite, number) for number in (1, 4, 5)]
    deltas = {i: value(Delta, suite, given_[f"random_scalar_{k}"]) for k, i in enumerate(ids, start=1)}
    sigma = repair.repair_share_part2(ids, deltas)
    assert public_bytes(sigma.serialize()).hex() == given_["random_scalar_sum"]

    given_ = document["sigma_generation"]
    ids = [Identifier(suite, number) for number in (1, 3, 4, 5)]
    sigmas = {i: value(Sigma, suite, given_[f"sigma_{k}"]) for k, i in enumerate(ids, start=1)}
    total = value(Delta, suite, given_["sigma_sum"]).scalar
    public = PublicKeyPackage(  # made so that participant 2 is the one whose share the vectors add up to
        suite,
        {Identifier(suite, number): repair.SigningShare(suite, total).verifying_share() for number in (1, 2, 3, 4, 5)},
        dealer.SigningKey(suite, total).verifying_key(),
        4,
    )
    package = repair.repair_share_part3(sigmas, Identifier(suite, 2), public)
    assert public_bytes(package.signing_share.serialize()).hex() == given_["sigma_sum"]


# ── honest runs ──


@every_suite
@few
@given(shape=shapes(5), data=st.data())
def test_repair_gives_the_same_share(suite: Ciphersuite, shape: tuple[list[int], int], data: st.DataObject) -> None:
    numbers, min_signers = shape
    assume(min_signers < len(numbers))
    group = Group.deal(suite, numbers, min_signers)
    lost, *rest = data.draw(st.permutations(group.ids))
    count = data.draw(st.integers(min_signers, len(rest)))
    helpers = [group.key_packages[i] for i in rest[:count]]
    found, original = Repair(helpers, lost, group.public).part2().part3(), group.key_packages[lost]
    assert found.serialize().equals(original.serialize())


@every_suite
def test_a_share_for_somebody_new(suite: Ciphersuite) -> None:
    key_packages, public = Run(suite, (2, 4, 5), 2).finish()
    group = Group(key_packages, public)
    new = Identifier.derive(suite, b"dora")
    package = Repair(group.some(2), new, public).part2().part3()
    extended = repair.add_participant(public, new)
    assert package.identifier == new
    assert package.verifying_share == extended.verifying_shares[new] == package.signing_share.verifying_share()
    assert {i: extended.verifying_shares[i] for i in group.ids} == public.verifying_shares
    sign([package, group.some(1)[0]], extended)
    grown = Group({**group.key_packages, new: package}, extended)
    again = Repair([package, group.some(1)[0]], group.ids[0], extended).part2().part3()
    assert again.serialize().equals(group.key_packages[group.ids[0]].serialize())
    shares, refreshed = refresh.compute_refreshing_shares(extended, grown.ids)
    sign([refresh.refresh_share(shares[i], grown.key_packages[i]) for i in (new, group.ids[0])], refreshed)
    with pytest.raises(NotPossible):
        repair.add_participant(extended, new)


@every_suite
def test_pieces_survive_their_encoding(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3), 2)
    run = Repair(group.some(2), group.ids[0], group.public)
    for kind, piece in ((Delta, run.deltas[run.ids[0]][run.ids[1]]), (Sigma, run.part2().sigmas[run.ids[0]])):
        data = public_bytes(piece.serialize())
        assert len(data) == suite.group.scalar_length
        assert public_bytes(kind.deserialize(suite, Secret(data)).serialize()) == data
        for wrong in (data[:-1], data + b"\0", suite.group.order.to_bytes(len(data), suite.group.byteorder)):
            with pytest.raises(MalformedScalar):
                kind.deserialize(suite, Secret(wrong))
        assert repr(piece) == f"<{kind.__name__}>"
        piece.wipe()
        assert suite.group.is_zero(piece.scalar)


@every_suite
def test_deltas_are_fresh_and_say_nothing_alone(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3, 4), 2)
    first, second = (Repair(group.some(3), group.ids[0], group.public) for _ in range(2))
    for sender in first.ids:
        for to in first.ids:
            assert not first.deltas[sender][to].serialize().equals(second.deltas[sender][to].serialize())


# ── helpers that spoil it ──


@every_suite
def test_a_wrong_piece_is_noticed_and_names_nobody(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3, 4), 2)
    for participant in (group.ids[0], Identifier(suite, 77)):
        run = Repair(group.some(2), participant, group.public)
        a, b = run.ids
        run.deltas[a][b] = run.deltas[a][a]
        with pytest.raises(IncorrectPackage) as caught:
            run.part2().part3()
        assert caught.value.culprits == ()


@every_suite
def test_helpers_with_shares_of_another_refresh(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3), 2)
    shares, refreshed = refresh.compute_refreshing_shares(group.public, group.ids)
    new = {own: refresh.refresh_share(shares[own], group.key_packages[own]) for own in group.ids}
    lost, first, second = group.ids
    mixed = [group.key_packages[first], new[second]]
    for public in (group.public, refreshed):
        with pytest.raises(IncorrectPackage):
            Repair(mixed, lost, public).part2().part3()
    found = Repair([new[first], new[second]], lost, refreshed).part2().part3()
    assert found.serialize().equals(new[lost].serialize())


@every_suite
def test_helpers_that_cannot_help(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3, 4), 3)
    lost, a, b, c = group.ids
    own = group.key_packages[a]
    for helpers, error in (
        ([a, b], IncorrectNumberOfIdentifiers),
        ([], IncorrectNumberOfIdentifiers),
        ([a, b, b], DuplicatedIdentifier),
        ([b, c, Identifier(suite, 9)], UnknownIdentifier),
        ([a, b, lost], NotPossible),
    ):
        with pytest.raises(error):
            repair.repair_share_part1(helpers, own, lost)

    run = Repair(group.some(3), lost, group.public).part2()
    deltas = {sender: sent[a] for sender, sent in run.deltas.items()}
    for helpers, error in (
        ([a, b], IncorrectNumberOfPackages),
        ([a, b, lost], UnknownIdentifier),
        ([a, b, b], DuplicatedIdentifier),
    ):
        with pytest.raises(error):
            repair.repair_share_part2(helpers, deltas)
    with pytest.raises(IncorrectNumberOfPackages):
        repair.repair_share_part2([], {})

    stranger = Identifier(suite, 9)
    for sigmas, error in (
        ({a: run.sigmas[a], b: run.sigmas[b]}, IncorrectNumberOfIdentifiers),
        ({a: run.sigmas[a], b: run.sigmas[b], stranger: run.sigmas[c]}, UnknownIdentifier),
        ({a: run.sigmas[a], b: run.sigmas[b], lost: run.sigmas[c]}, NotPossible),
    ):
        with pytest.raises(error):
            repair.repair_share_part3(sigmas, lost, group.public)


def test_public_key_packages_that_are_no_help() -> None:
    group = Group.deal(P256, (1, 2, 3), 2)
    run = Repair(group.some(2), group.ids[0], group.public).part2()
    for public, error in (
        (group.public.as_v2(), InvalidMinSigners),
        (replace(group.public, min_signers=4), IncorrectPackage),
        (replace(group.public, min_signers=1), IncorrectPackage),
        (Group.deal(P256, (1, 2, 3), 2).public, IncorrectPackage),
        (Group.deal(P256.with_group(P256.group), (1, 2, 3), 2).public, IncorrectPackage),
    ):
        run.public = public
        with pytest.raises(error):
            run.part3()
    with pytest.raises(InvalidMinSigners):
        repair.add_participant(group.public.as_v2(), Identifier(P256, 9))
