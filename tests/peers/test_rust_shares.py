"""What is done with shares beside key generation, across ZcashFoundation's crates and frost_hsm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from peers import ceremony
from peers.ceremony import Participant
from peers.ours import OurParticipant, Ours
from peers.zcash_foundation import Form, Rust, RustParticipant, key, public_bytes

from frost_hsm.frost import dealer, refresh, repair, round1, round2
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SecretShare
from frost_hsm.frost.repair import Delta, Sigma
from frost_hsm.frost.values import Identifier, SigningKey
from frost_hsm.secret import Secret


@pytest.fixture(params=Form)
def rust(rust: Rust, request: pytest.FixtureRequest) -> Rust:
    """ZcashFoundation's crates, in either encoding."""
    return replace(rust, form=request.param)


def choose_identifiers(suite: Ciphersuite, count: int) -> list[Identifier]:
    """Return small, large and derived identifiers, the last out of order."""
    return [Identifier.from_u16(suite, number) for number in (1, 2, 40000)][: count - 1] + [
        Identifier.derive(suite, bytes([number])) for number in range(max(1, count - 3))
    ]


def take_shares(rust: Rust, shares: Mapping[Identifier, SecretShare], public: PublicKeyPackage) -> list[Participant]:
    """Let every other participant be ours; both sides check what the dealer sent."""
    participants: list[Participant] = []
    for number, (identifier, share) in enumerate(shares.items()):
        if number % 2:
            ours = OurParticipant(identifier)
            ours.take_key_package(KeyPackage.from_secret_share(share), public)
            participants.append(ours)
        else:
            theirs = RustParticipant(rust, identifier)
            theirs.key = rust.ask("accept", secret_share=rust.write(share))["handle"]
            participants.append(theirs)
    return participants


# ── a dealer ──


def test_our_dealer_serves_both(suite: Ciphersuite, rust: Rust) -> None:
    identifiers = choose_identifiers(suite, 5)
    signing_key = SigningKey.generate(suite)

    shares, public = dealer.split(signing_key, max_signers=5, min_signers=3, identifiers=identifiers)

    participants = take_shares(rust, shares, public)
    ceremony.check_key_packages(participants, public)
    ceremony.sign(participants[1:4], public, b"message", [rust, Ours()])
    assert reconstruct_by_rust(rust, participants[:3]) == public_bytes(signing_key.serialize())


def test_their_dealer_serves_both(suite: Ciphersuite, rust: Rust) -> None:
    identifiers = choose_identifiers(suite, 5)
    signing_key = SigningKey.generate(suite)

    dealt = rust.ask(
        "split",
        signing_key=public_bytes(signing_key.serialize()).hex(),
        identifiers=[key(identifier) for identifier in identifiers],
        max_signers=5,
        min_signers=3,
    )

    public = rust.read(PublicKeyPackage, dealt["public_key_package"])
    participants = take_shares(rust, rust.read_map(SecretShare, dealt["secret_shares"]), public)
    ceremony.check_key_packages(participants, public)
    ceremony.sign(participants[1:4], public, b"message", [rust, Ours()])
    made = dealer.reconstruct([one.key_package() for one in participants[2:]])
    assert public_bytes(made.serialize()) == reconstruct_by_rust(rust, participants[:3])


def reconstruct_by_rust(rust: Rust, participants: Sequence[Participant]) -> bytes:
    packages = [rust.write(one.key_package()) for one in participants]
    return bytes.fromhex(rust.ask("reconstruct", key_packages=packages)["signing_key"])


# ── repair ──


def deal(suite: Ciphersuite, rust: Rust) -> tuple[list[Participant], PublicKeyPackage]:
    """Make a group of five with a threshold of three, every other one ours."""
    shares, public = dealer.generate_with_dealer(
        suite, max_signers=5, min_signers=3, identifiers=choose_identifiers(suite, 5)
    )
    return take_shares(rust, shares, public), public


def cut(helper: Participant, helpers: Sequence[Identifier], participant: Identifier) -> dict[Identifier, bytes]:
    """Run repair's part1 for one helper."""
    if isinstance(helper, RustParticipant):
        answer = helper.rust.ask(
            "repair_part1", key=helper.key, helpers=[key(each) for each in helpers], participant=key(participant)
        )
        return {helper.rust.identifier(name): bytes.fromhex(delta) for name, delta in answer["deltas"].items()}
    deltas = repair.repair_share_part1(helpers, helper.key_package(), participant)
    return {recipient: public_bytes(delta.serialize()) for recipient, delta in deltas.items()}


def add_up(helper: Participant, deltas: Mapping[Identifier, bytes]) -> bytes:
    """Run repair's part2 for one helper."""
    if isinstance(helper, RustParticipant):
        answer = helper.rust.ask("repair_part2", deltas=[delta.hex() for delta in deltas.values()])
        return bytes.fromhex(answer["sigma"])
    suite = helper.identifier.ciphersuite
    read = {sender: Delta.deserialize(suite, Secret(delta)) for sender, delta in deltas.items()}
    return public_bytes(repair.repair_share_part2(list(deltas), read).serialize())


def help_out(helpers: Sequence[Participant], participant: Identifier) -> dict[Identifier, bytes]:
    """Run part1 and part2 for all helpers. Returns the sigmas, by sender."""
    identifiers = [helper.identifier for helper in helpers]
    deltas = {helper.identifier: cut(helper, identifiers, participant) for helper in helpers}
    return {
        helper.identifier: add_up(helper, {sender: deltas[sender][helper.identifier] for sender in identifiers})
        for helper in helpers
    }


def repair_here(sigmas: Mapping[Identifier, bytes], participant: Identifier, public: PublicKeyPackage) -> KeyPackage:
    read = {sender: Sigma.deserialize(participant.ciphersuite, Secret(sigma)) for sender, sigma in sigmas.items()}
    return repair.repair_share_part3(read, participant, public)


def repair_there(
    rust: Rust, sigmas: Mapping[Identifier, bytes], participant: Identifier, public: PublicKeyPackage
) -> KeyPackage:
    joining = RustParticipant(rust, participant)
    joining.key = rust.ask(
        "repair_part3",
        sigmas=[sigma.hex() for sigma in sigmas.values()],
        identifier=key(participant),
        public_key_package=rust.write(public),
    )["handle"]
    return joining.key_package()


@pytest.mark.parametrize("lost", [0, 3])
def test_mixed_helpers_rebuild_a_share(suite: Ciphersuite, rust: Rust, lost: int) -> None:
    participants, public = deal(suite, rust)
    loser = participants[lost]

    sigmas = help_out([one for one in participants if one is not loser], loser.identifier)

    expected = loser.key_package().serialize()
    assert repair_here(sigmas, loser.identifier, public).serialize().equals(expected)
    assert repair_there(rust, sigmas, loser.identifier, public).serialize().equals(expected)


def test_mixed_helpers_make_a_share_for_somebody_new(suite: Ciphersuite, rust: Rust) -> None:
    participants, public = deal(suite, rust)
    new = Identifier.derive(suite, b"somebody new")

    sigmas = help_out(participants[1:4], new)

    here, there = repair_here(sigmas, new, public), repair_there(rust, sigmas, new, public)
    assert here.serialize().equals(there.serialize())
    joined = RustParticipant(rust, new)
    joined.take_key_package(here, public)
    signers = [participants[0], participants[1], joined]
    ceremony.sign(signers, repair.add_participant(public, new), b"message", [rust, Ours()])


# ── refresh ──


class OurRefresher(OurParticipant):
    """One of our participants, whose three parts refresh a share that it has."""

    def __init__(self, key_package: KeyPackage, public: PublicKeyPackage) -> None:
        super().__init__(key_package.identifier)
        self.key, self._public = key_package, public

    def part1(self, max_signers: int, min_signers: int) -> round1.Package:
        self._round1, package = refresh.refresh_dkg_part1(
            self.identifier.ciphersuite, self.identifier, max_signers=max_signers, min_signers=min_signers
        )
        return package

    def part2(self, packages: Mapping[Identifier, round1.Package]) -> dict[Identifier, round2.Package]:
        self._round2, sent = refresh.refresh_dkg_part2(self._round1, packages)
        return sent

    def part3(
        self, round1_packages: Mapping[Identifier, round1.Package], round2_packages: Mapping[Identifier, round2.Package]
    ) -> PublicKeyPackage:
        self.key, public = refresh.refresh_dkg_shares(
            self._round2, round1_packages, round2_packages, self._public, self.key
        )
        return public


class RustRefresher(RustParticipant):
    """One of theirs, likewise."""

    def __init__(self, rust: Rust, key_package: KeyPackage, public: PublicKeyPackage) -> None:
        super().__init__(rust, key_package.identifier)
        self._public = public
        self.take_key_package(key_package, public)

    def part1(self, max_signers: int, min_signers: int) -> round1.Package:
        return self.run_part1("refresh_part1", max_signers, min_signers)

    def part2(self, packages: Mapping[Identifier, round1.Package]) -> dict[Identifier, round2.Package]:
        return self.run_part2("refresh_part2", packages)

    def part3(
        self, round1_packages: Mapping[Identifier, round1.Package], round2_packages: Mapping[Identifier, round2.Package]
    ) -> PublicKeyPackage:
        old = {"public_key_package": self.rust.write(self._public), "key": self.key}
        return self.run_part3("refresh_part3", round1_packages, round2_packages, **old)


@pytest.mark.parametrize("staying", [5, 4])
def test_mixed_groups_refresh_their_shares(suite: Ciphersuite, rust: Rust, staying: int) -> None:
    participants, public = deal(suite, rust)
    old = [one.key_package() for one in participants[-staying:]]
    refreshers: list[Participant] = [
        RustRefresher(rust, package, public) if number % 2 else OurRefresher(package, public)
        for number, package in enumerate(old)
    ]

    refreshed = ceremony.generate_key(refreshers, 3)

    assert refreshed.verifying_key == public.verifying_key
    assert refreshed.verifying_shares.keys() == {one.identifier for one in refreshers}
    for before, after in zip(old, refreshers, strict=True):
        assert before.verifying_share != after.key_package().verifying_share
    ceremony.sign(refreshers[1:], refreshed, b"message", [rust, Ours()])


def test_our_dealer_refreshes_their_shares(suite: Ciphersuite, rust: Rust) -> None:
    participants, public = deal(suite, rust)
    theirs = [one for one in participants if isinstance(one, RustParticipant)]

    shares, refreshed = refresh.compute_refreshing_shares(public, [one.identifier for one in theirs])

    for one in theirs:
        answer = rust.ask("refresh_share", key=one.key, secret_share=rust.write(shares[one.identifier]))
        one.key = answer["handle"]
        share = one.key_package().signing_share  # the verifying share beside it is the old one in version 3.0.0
        assert share.verifying_share() == refreshed.verifying_shares[one.identifier]
    ceremony.sign(theirs, refreshed, b"message", [rust, Ours()])


def test_their_dealer_refreshes_our_shares(suite: Ciphersuite, rust: Rust) -> None:
    participants, public = deal(suite, rust)
    staying = participants[1:]

    dealt = rust.ask(
        "refreshing_shares",
        public_key_package=rust.write(public),
        identifiers=[key(one.identifier) for one in staying],
    )

    shares = rust.read_map(SecretShare, dealt["secret_shares"])
    refreshed = rust.read(PublicKeyPackage, dealt["public_key_package"])
    ours = [OurParticipant(one.identifier) for one in staying]
    for one, before in zip(ours, staying, strict=True):
        one.key = refresh.refresh_share(shares[one.identifier], before.key_package())
    ceremony.check_key_packages(ours, refreshed)
    assert refreshed.verifying_key == public.verifying_key
    ceremony.sign(ours, refreshed, b"message", [rust, Ours()])
