"""Refreshing: the key and the threshold stay, the shares do not, and who spoils it is named where that shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage.dealing import Group, every_suite, few, shapes, sign
from stage.group_run import Run, Signing, others

from frost_hsm.errors import (
    DuplicatedIdentifier,
    FrostHsmError,
    IncorrectNumberOfCommitments,
    IncorrectNumberOfPackages,
    IncorrectPackage,
    InvalidMaxSigners,
    InvalidMinSigners,
    InvalidProofOfKnowledge,
    InvalidSecretShare,
    InvalidSignature,
    InvalidSignatureShare,
    SecretConsumed,
    UnknownIdentifier,
)
from frost_hsm.frost import signing
from frost_hsm.frost.ciphersuites import P256, Ciphersuite
from frost_hsm.frost.keys import dealer, dkg, refresh, round1, round2
from frost_hsm.frost.packages import (
    Identifier,
    KeyPackage,
    PublicKeyPackage,
    SigningKey,
    SigningShare,
    VerifiableSecretSharingCommitment,
)
from frost_hsm.secret import Secret


@dataclass
class Refresh:
    """One refresh by everybody, round by round; tests tamper with its maps in between."""

    group: Group
    ids: list[Identifier]
    min_signers: int = 0  # 0 for the group's
    secrets1: dict[Identifier, round1.SecretPackage] = field(default_factory=dict)
    packages1: dict[Identifier, round1.Package] = field(default_factory=dict)
    secrets2: dict[Identifier, round2.SecretPackage] = field(default_factory=dict)
    packages2: dict[Identifier, dict[Identifier, round2.Package]] = field(default_factory=dict)  # by sender

    def __post_init__(self) -> None:
        for own in self.ids:
            self.secrets1[own], self.packages1[own] = refresh.refresh_dkg_part1(
                own.ciphersuite,
                own,
                max_signers=len(self.ids),
                min_signers=self.min_signers or self.group.some(1)[0].min_signers,
            )

    def part2(self, own: Identifier) -> None:
        self.secrets2[own], self.packages2[own] = refresh.refresh_dkg_part2(
            self.secrets1[own], others(self.packages1, own)
        )

    def until_shares(self) -> Refresh:
        for own in self.ids:
            self.part2(own)
        return self

    def shares(self, own: Identifier, *, strict: bool | None = None) -> tuple[KeyPackage, PublicKeyPackage]:
        received = {sender: sent[own] for sender, sent in self.packages2.items() if sender != own}
        return refresh.refresh_dkg_shares(
            self.secrets2[own],
            others(self.packages1, own),
            received,
            self.group.public,
            self.group.key_packages[own],
            strict=strict,
        )

    def finish(self, *, strict: bool | None = None) -> Group:
        """Run what is left; everybody must end with the same public key package."""
        self.until_shares()
        results = {own: self.shares(own, strict=strict) for own in self.ids}
        public, *rest = (package for _, package in results.values())
        assert all(package == public for package in rest)
        return Group({own: package for own, (package, _) in results.items()}, public)


def by_dealer(group: Group, ids: list[Identifier]) -> Group:
    shares, public = refresh.compute_refreshing_shares(group.public, ids)
    return Group({own: refresh.refresh_share(shares[own], group.key_packages[own]) for own in ids}, public)


def by_everybody(group: Group, ids: list[Identifier]) -> Group:
    return Refresh(group, ids).finish()


Way = Callable[[Group, list[Identifier]], Group]

both_ways = pytest.mark.parametrize("way", [by_dealer, by_everybody])


def check_refreshed(old: Group, new: Group, ids: list[Identifier]) -> None:
    """The key stays, of whoever makes it; every share is another, and all that is said of it."""
    min_signers = old.some(1)[0].min_signers
    assert new.public.verifying_key == old.public.verifying_key
    assert new.public.min_signers == min_signers
    assert list(new.public.verifying_shares) == sorted(ids)
    for own, package in new.key_packages.items():
        before = old.key_packages[own]
        assert (package.identifier, package.min_signers) == (own, min_signers)
        assert package.verifying_key == before.verifying_key
        assert package.verifying_share == new.public.verifying_shares[own] == package.signing_share.verifying_share()
        assert package.verifying_share != before.verifying_share
    key = dealer.reconstruct(new.some(min_signers))
    assert key.serialize().equals(dealer.reconstruct(old.some(min_signers)).serialize())


# ── honest runs ──


@every_suite
@both_ways
@few
@given(shape=shapes(4), data=st.data())
def test_refreshing_keeps_the_key(
    suite: Ciphersuite, way: Way, shape: tuple[list[int], int], data: st.DataObject
) -> None:
    group = Group.deal(suite, *shape)
    count = data.draw(st.integers(shape[1], len(group.ids)))
    staying = data.draw(st.permutations(group.ids))[:count]
    check_refreshed(group, way(group, staying), staying)


@every_suite
@both_ways
def test_a_refreshed_group_signs_and_refreshes_again(suite: Ciphersuite, way: Way) -> None:
    group = Group.deal(suite, (2, 4, 5, 9), 3)
    once = way(group, group.ids)
    sign(once.some(3), once.public)
    twice = way(once, once.ids[1:])
    sign(twice.some(3), twice.public)
    check_refreshed(group, twice, twice.ids)


@every_suite
def test_a_generated_key_refreshes(suite: Ciphersuite) -> None:
    key_packages, public = Run(suite, (1, 2, 3), 2).finish()
    group = Group(key_packages, public)
    refreshed = by_everybody(group, group.ids)
    check_refreshed(group, refreshed, group.ids)
    sign(refreshed.some(2), refreshed.public)


def test_without_checking_every_sender() -> None:
    group = Group.deal(P256, range(1, 13), 5)
    for strict in (True, False, None):
        check_refreshed(group, Refresh(group, group.ids).finish(strict=strict), group.ids)


@every_suite
def test_what_is_on_the_wire(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3), 3)
    run = Refresh(group, group.ids).until_shares()
    own = group.ids[0]
    secret, package = refresh.refresh_dkg_part1(suite, own, max_signers=3, min_signers=3)
    zero, *coefficients = secret.coefficients
    assert suite.group.is_zero(zero.scalar)
    assert len(coefficients) == len(package.commitment) == len(run.secrets2[own].commitment) == 2
    elements, _ = suite.group.commit([coefficient.scalar for coefficient in coefficients])
    assert VerifiableSecretSharingCommitment.from_elements(suite, elements) == package.commitment
    shares, _ = refresh.compute_refreshing_shares(group.public, group.ids)
    assert {len(share.commitment) for share in shares.values()} == {2}


@every_suite
@pytest.mark.parametrize("encoding", ["postcard", "json"])
def test_packages_can_be_kept_in_either_encoding(suite: Ciphersuite, encoding: str) -> None:
    def again(package: Any) -> Any:
        if encoding == "json":
            return type(package).from_json(suite, package.to_json())
        return type(package).deserialize(suite, package.serialize())

    group = Group.deal(suite, (1, 2, 7), 2)
    run = Refresh(group, group.ids)
    run.secrets1 = {own: again(secret) for own, secret in run.secrets1.items()}
    run.packages1 = {own: again(package) for own, package in run.packages1.items()}
    run.until_shares()
    run.secrets2 = {own: again(secret) for own, secret in run.secrets2.items()}  # without the digest of round 1
    run.packages2 = {own: {to: again(p) for to, p in sent.items()} for own, sent in run.packages2.items()}
    results = {own: run.shares(own) for own in run.ids}
    new = Group({own: package for own, (package, _) in results.items()}, results[run.ids[0]][1])
    check_refreshed(group, new, group.ids)


# ── old and new shares ──


@every_suite
@both_ways
def test_old_and_new_shares_do_not_sign_together(suite: Ciphersuite, way: Way) -> None:
    """Known attack K31, as far as the shares themselves show it."""
    group = Group.deal(suite, (1, 2, 3), 2)
    new = way(group, group.ids)
    first, second, _ = group.ids
    mixed = [group.key_packages[first], new.key_packages[second]]
    for public, stranger in ((group.public, second), (new.public, first)):
        session = Signing(mixed, b"message")
        with pytest.raises(InvalidSignatureShare) as caught:
            signing.aggregate(session.package, session.shares(), public)
        assert caught.value.culprits == (stranger,)
    patched = replace(
        new.public,
        verifying_shares={**new.public.verifying_shares, first: group.public.verifying_shares[first]},
    )
    session = Signing(mixed, b"message")
    with pytest.raises(InvalidSignature):
        signing.aggregate(session.package, session.shares(), patched)
    with pytest.raises(IncorrectPackage):
        dealer.reconstruct(mixed)


@every_suite
def test_who_was_left_out_cannot_sign(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3), 2)
    new = by_everybody(group, group.ids[:2])
    out = group.ids[2]
    session = Signing([new.some(1)[0], group.key_packages[out]], b"message")
    with pytest.raises(UnknownIdentifier):
        signing.aggregate(session.package, session.shares(), new.public)
    with pytest.raises(UnknownIdentifier):
        refresh.compute_refreshing_shares(new.public, [*new.ids, out])


# ── another threshold, another group ──


@every_suite
@pytest.mark.parametrize("other", [2, 4])
def test_another_threshold_for_all_is_refused(suite: Ciphersuite, other: int) -> None:
    """Known attack K30: whoever made everybody's program refresh with it gains nothing."""
    group = Group.deal(suite, (1, 2, 3, 4), 3)
    run = Refresh(group, group.ids, min_signers=other).until_shares()
    for own in run.ids:
        with pytest.raises(InvalidMinSigners):
            run.shares(own)


@every_suite
@pytest.mark.parametrize("other", [2, 4])
def test_another_threshold_of_one_names_that_one(suite: Ciphersuite, other: int) -> None:
    group = Group.deal(suite, (1, 2, 3, 4), 3)
    run, strange = Refresh(group, group.ids), Refresh(group, group.ids, min_signers=other)
    own, cheat, *_ = run.ids
    run.packages1[cheat] = strange.packages1[cheat]
    with pytest.raises(IncorrectNumberOfCommitments) as caught:
        run.part2(own)
    assert caught.value.culprits == (cheat,)
    run.packages1[cheat] = Refresh(group, group.ids).packages1[cheat]
    run.part2(own)  # the failure has consumed nothing


@every_suite
@pytest.mark.parametrize("other", [2, 4])
def test_a_dealer_with_another_threshold(suite: Ciphersuite, other: int) -> None:
    group = Group.deal(suite, (1, 2, 3, 4), 3)
    shares, _ = refresh.compute_refreshing_shares(replace(group.public, min_signers=3), group.ids)
    strange = Group.deal(suite, (1, 2, 3, 4), other)
    foreign, _ = refresh.compute_refreshing_shares(strange.public, group.ids)
    for own in group.ids:
        with pytest.raises(IncorrectNumberOfCommitments) as caught:
            refresh.refresh_share(foreign[own], group.key_packages[own])
        assert caught.value.culprits == ()
        refresh.refresh_share(shares[own], group.key_packages[own])
    with pytest.raises(IncorrectPackage):
        refresh.compute_refreshing_shares(replace(group.public, min_signers=other), group.ids)


@every_suite
def test_a_refresh_that_would_lower_the_threshold(suite: Ciphersuite, monkeypatch: pytest.MonkeyPatch) -> None:
    order, arithmetic = suite.group.order, suite.group

    def scalar(value: int) -> SigningShare:
        return SigningShare.deserialize(suite, Secret(suite.encode_scalar(value % order)))

    key = SigningKey.deserialize(suite, Secret(suite.encode_scalar(1234)))
    with monkeypatch.context() as patch:
        coefficients = [scalar(11).scalar, scalar(-5).scalar]
        patch.setattr(arithmetic, "random_scalar", lambda *_: coefficients.pop(0))
        _, public = dealer.split(key, max_signers=4, min_signers=3)
    harmless = [arithmetic.multiply_base(scalar(value).scalar) for value in (3, 9)]
    lowering = [arithmetic.multiply_base(scalar(value).scalar) for value in (3, 5)]
    ids = list(public.verifying_shares)

    def commitment(elements) -> VerifiableSecretSharingCommitment:
        return VerifiableSecretSharingCommitment.from_elements(suite, elements)

    assert refresh.refresh_public_key_package(public, commitment(harmless), ids).verifying_key == public.verifying_key
    with pytest.raises(IncorrectPackage, match="cancel out"):
        refresh.refresh_public_key_package(public, commitment(lowering), ids)
    with pytest.raises(IncorrectPackage, match="entries"):
        refresh.refresh_public_key_package(public, commitment(harmless[:1]), ids)


@every_suite
def test_packages_of_another_group(suite: Ciphersuite) -> None:
    """Known attack K32."""
    group, other = Group.deal(suite, (1, 2, 3), 2), Group.deal(suite, (1, 2, 3), 2)
    own, second, _ = group.ids
    run = Refresh(group, group.ids).until_shares()
    for wrong in (
        Group(group.key_packages, other.public),
        Group({**group.key_packages, own: other.key_packages[own]}, group.public),
        Group({**group.key_packages, own: group.key_packages[second]}, group.public),
        Group(group.key_packages, replace(group.public, verifying_key=other.public.verifying_key)),
        Group(
            {**group.key_packages, own: replace(group.key_packages[own], verifying_key=other.public.verifying_key)},
            replace(group.public, verifying_key=other.public.verifying_key),  # consistent, and still not their key
        ),
        Group(
            {
                **group.key_packages,
                own: replace(group.key_packages[own], signing_share=group.key_packages[second].signing_share),
            },
            group.public,
        ),
    ):
        run.group = wrong
        with pytest.raises(IncorrectPackage):
            run.shares(own)
    run.group = Group(group.key_packages, replace(group.public, min_signers=3))
    with pytest.raises(InvalidMinSigners):
        run.shares(own)
    shrunk = {i: share for i, share in group.public.verifying_shares.items() if i != second}
    run.group = Group(group.key_packages, replace(group.public, verifying_shares=shrunk))
    with pytest.raises(UnknownIdentifier):
        run.shares(own)
    run.group = group
    run.shares(own)  # no failure has consumed anything
    with pytest.raises(SecretConsumed):
        run.shares(own)


def test_a_public_key_package_from_before_version_3() -> None:
    group = Group.deal(P256, (1, 2, 3), 2)
    old = Group(group.key_packages, group.public.as_v2())
    new = by_everybody(old, old.ids)
    assert new.public.min_signers == 2
    with pytest.raises(InvalidMinSigners):
        refresh.compute_refreshing_shares(old.public, old.ids)


# ── others that cheat ──


@every_suite
@pytest.mark.parametrize("strict", [True, False])
def test_bad_shares_name_all_their_senders(suite: Ciphersuite, strict: bool) -> None:
    group = Group.deal(suite, (1, 2, 5, 9), 2)
    run = Refresh(group, group.ids).until_shares()
    own, *rest = run.ids
    for cheat in rest[1:]:
        run.packages2[cheat][own] = run.packages2[cheat][rest[0]]
    run.packages2[rest[2]][own] = run.packages2[rest[2]][rest[0]]
    with pytest.raises(InvalidSecretShare) as caught:
        run.shares(own, strict=strict)
    assert caught.value.culprits == (rest[1], rest[2])


@every_suite
def test_bad_proofs_name_all_their_senders(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 5, 9), 2)
    run = Refresh(group, group.ids)
    own, *rest = run.ids
    honest = dict(run.packages1)
    for cheat in rest[1:]:
        proof = honest[cheat].proof_of_knowledge
        forged = replace(proof, response=(proof.response + 1) % suite.group.order)
        run.packages1[cheat] = replace(honest[cheat], proof_of_knowledge=forged)
    with pytest.raises(InvalidProofOfKnowledge) as caught:
        run.part2(own)
    assert caught.value.culprits == (rest[1], rest[2])
    tampered, run.packages1 = run.packages1, honest
    run.until_shares()
    run.packages1 = tampered
    with pytest.raises(IncorrectPackage, match="part 2"):
        run.shares(own)
    kept = run.secrets2[own]
    run.secrets2[own] = round2.SecretPackage.deserialize(suite, kept.serialize())
    with pytest.raises(InvalidProofOfKnowledge) as caught:
        run.shares(own)
    assert caught.value.culprits == (rest[1], rest[2])


@every_suite
def test_packages_of_key_generation_are_not_those_of_a_refresh(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3), 2)
    generation, run = Run(suite, (1, 2, 3), 2), Refresh(group, group.ids)
    own = run.ids[0]
    with pytest.raises(IncorrectNumberOfCommitments):
        dkg.part2(generation.secrets1[own], others(run.packages1, own))
    with pytest.raises(IncorrectNumberOfCommitments):
        refresh.refresh_dkg_part2(run.secrets1[own], others(generation.packages1, own))
    with pytest.raises(FrostHsmError):
        refresh.refresh_dkg_part2(generation.secrets1[own], others(run.packages1, own))
    with pytest.raises(FrostHsmError):
        dkg.part2(run.secrets1[own], others(generation.packages1, own))
    generation.until_part3()
    run.until_shares()
    run.secrets2[own] = generation.secrets2[own]
    with pytest.raises(IncorrectPackage):
        run.shares(own)


@every_suite
def test_a_constant_term_that_is_not_zero(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3), 2)
    run = Refresh(group, group.ids)
    own = run.ids[0]
    zero, linear = run.secrets1[own].coefficients
    moved = round1.SecretPackage(suite, own, (linear, linear), run.secrets1[own].commitment, 2, 3)
    with pytest.raises(IncorrectPackage):
        refresh.refresh_dkg_part2(moved, others(run.packages1, own))
    assert suite.group.is_zero(zero.scalar)


@every_suite
def test_sets_of_packages_that_do_not_fit(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3), 2)
    run = Refresh(group, group.ids)
    own, second, third = run.ids
    stranger = Identifier(suite, 4)
    part2 = refresh.refresh_dkg_part2
    with pytest.raises(IncorrectNumberOfPackages):
        part2(run.secrets1[own], run.packages1)
    with pytest.raises(IncorrectNumberOfPackages):
        part2(run.secrets1[own], {second: run.packages1[second]})
    with pytest.raises(UnknownIdentifier):
        part2(run.secrets1[own], {own: run.packages1[own], second: run.packages1[second]})
    run.until_shares()
    with pytest.raises(SecretConsumed):
        part2(run.secrets1[own], others(run.packages1, own))

    received = {sender: run.packages2[sender][own] for sender in (second, third)}
    for packages2, error in (
        ({second: received[second]}, IncorrectNumberOfPackages),
        ({own: received[second], second: received[second]}, UnknownIdentifier),
        ({stranger: received[second], second: received[second]}, IncorrectPackage),
    ):
        with pytest.raises(error):
            refresh.refresh_dkg_shares(
                run.secrets2[own], others(run.packages1, own), packages2, group.public, group.key_packages[own]
            )
    run.shares(own)


@every_suite
def test_refreshing_with_a_stranger(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3), 2)
    stranger = Identifier(suite, 4)
    run = Refresh(group, [*group.ids, stranger]).until_shares()
    with pytest.raises(UnknownIdentifier):
        run.shares(group.ids[0])


# ── dealers that cheat ──


@every_suite
def test_refreshing_shares_that_do_not_fit(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3), 2)
    shares, _ = refresh.compute_refreshing_shares(group.public, group.ids)
    own, second, _ = group.ids
    with pytest.raises(IncorrectPackage):
        refresh.refresh_share(shares[second], group.key_packages[own])
    for forged in (
        replace(shares[own], signing_share=shares[second].signing_share),
        replace(shares[second], identifier=own),
    ):
        with pytest.raises(InvalidSecretShare) as caught:
            refresh.refresh_share(forged, group.key_packages[own])
        assert caught.value.culprits == ()


@every_suite
def test_a_dealers_parameters_that_cannot_work(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3), 3)
    first, second, third = group.ids
    for ids, error in (
        ([first, second], InvalidMinSigners),
        ([first], InvalidMaxSigners),
        ([], InvalidMaxSigners),
        ([first, second, second], DuplicatedIdentifier),
        ([first, second, Identifier(suite, 4)], UnknownIdentifier),
    ):
        with pytest.raises(error):
            refresh.compute_refreshing_shares(group.public, ids)
    with pytest.raises(InvalidMinSigners):
        refresh.compute_refreshing_shares(group.public.as_v2(), group.ids)
    for numbers, error in (((3, 1), InvalidMinSigners), ((1, 2), InvalidMaxSigners), ((3, 4), InvalidMinSigners)):
        with pytest.raises(error):
            refresh.refresh_dkg_part1(suite, third, max_signers=numbers[0], min_signers=numbers[1])
