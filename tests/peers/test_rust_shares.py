"""What is done with shares beside key generation, across ZcashFoundation's crates and frost_hsm."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from peers import ceremony
from peers.ceremony import Participant, blamed
from peers.ours import OurParticipant, Ours
from peers.zcash_foundation import Form, Rust, RustParticipant, key, public_bytes

from frost_hsm.errors import IncorrectPackage
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys import dealer, refresh, repair, round1, round2
from frost_hsm.frost.keys.repair import Delta, Sigma
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SecretShare
from frost_hsm.frost.values import Identifier, SigningKey
from frost_hsm.secret import Secret


@pytest.fixture(params=Form)
def rust(rust: Rust, request: pytest.FixtureRequest) -> Rust:
    """ZcashFoundation's crates, in either encoding."""
    return replace(rust, form=request.param)


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


@pytest.fixture(params=range(2))
def identifiers(suite: Ciphersuite, request: pytest.FixtureRequest) -> list[Identifier]:
    """Five identifiers, of any kind and in no order."""
    choices = random.Random(request.param)
    found = ceremony.choose_identifiers(suite, choices, 5)
    choices.shuffle(found)
    return found


def test_our_dealer_serves_both(suite: Ciphersuite, rust: Rust, identifiers: list[Identifier]) -> None:
    signing_key = SigningKey.generate(suite)

    shares, public = dealer.split(signing_key, max_signers=5, min_signers=3, identifiers=identifiers)

    participants = take_shares(rust, shares, public)
    ceremony.check_key_packages(participants, public)
    ceremony.sign(participants[1:4], public, b"message", [rust, Ours()])
    assert reconstruct_by_rust(rust, participants[:3]) == public_bytes(signing_key.serialize())


def test_their_dealer_serves_both(suite: Ciphersuite, rust: Rust, identifiers: list[Identifier]) -> None:
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


# ── groups of both, for repair and refresh ──


@dataclass
class Group:
    """Three to seven, in any order, of whom some run the crates and some run frost_hsm."""

    participants: list[Participant]
    public: PublicKeyPackage
    choices: random.Random

    @property
    def min_signers(self) -> int:
        assert self.public.min_signers is not None
        return self.public.min_signers

    def some(self, of: Sequence[Participant] | None = None) -> list[Participant]:
        """Choose some of the participants, or of those given: as many as sign, or more."""
        those = self.participants if of is None else of
        return self.choices.sample(those, self.choices.randint(self.min_signers, len(those)))


@pytest.fixture(params=range(4))
def group(suite: Ciphersuite, rust: Rust, request: pytest.FixtureRequest) -> Group:
    """By turns a dealer has made the key, and they themselves, which for Taproot is not the same."""
    choices = random.Random(request.param)
    count = choices.randint(3, 7)
    min_signers = choices.randint(2, count - 1)
    if request.param % 2:
        sides = [rust, Ours(), *choices.choices([rust, Ours()], k=count - 2)]
        participants = ceremony.join(suite, choices, sides)
        public = ceremony.generate_key(participants, min_signers)
    else:
        identifiers = ceremony.choose_identifiers(suite, choices, count)
        shares, public = dealer.generate_with_dealer(
            suite, max_signers=count, min_signers=min_signers, identifiers=identifiers
        )
        participants = take_shares(rust, shares, public)
    choices.shuffle(participants)
    return Group(participants, public, choices)


# ── repair ──


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


def test_mixed_helpers_rebuild_a_share(rust: Rust, group: Group) -> None:
    loser, *others = group.participants

    sigmas = help_out(group.some(others), loser.identifier)

    expected = loser.key_package().serialize()
    assert repair_here(sigmas, loser.identifier, group.public).serialize().equals(expected)
    assert repair_there(rust, sigmas, loser.identifier, group.public).serialize().equals(expected)


def test_mixed_helpers_make_a_share_for_somebody_new(suite: Ciphersuite, rust: Rust, group: Group) -> None:
    new = Identifier.derive(suite, b"somebody new")

    sigmas = help_out(group.some(), new)

    here, there = repair_here(sigmas, new, group.public), repair_there(rust, sigmas, new, group.public)
    assert here.serialize().equals(there.serialize())
    joined = RustParticipant(rust, new)
    joined.take_key_package(here, group.public)
    signers = [*group.participants[: group.min_signers - 1], joined]
    ceremony.sign(signers, repair.add_participant(group.public, new), b"message", [rust, Ours()])


def test_a_spoilt_sum_is_refused_here_and_accepted_there(rust: Rust, group: Group) -> None:
    """The crates do not compare what comes out with the verifying share that everybody knows."""
    loser, *others = group.participants
    sigmas = help_out(group.some(others), loser.identifier)
    first, second, *_ = sigmas
    sigmas[first] = sigmas[second]

    with pytest.raises(IncorrectPackage) as caught:
        repair_here(sigmas, loser.identifier, group.public)

    assert caught.value.culprits == ()
    assert (
        repair_there(rust, sigmas, loser.identifier, group.public).verifying_share
        != (group.public.verifying_shares[loser.identifier])
    )


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


def test_mixed_groups_refresh_their_shares(rust: Rust, group: Group) -> None:
    staying = group.some()
    old = [one.key_package() for one in staying]
    refreshers = [
        RustRefresher(rust, package, group.public) if number % 2 else OurRefresher(package, group.public)
        for number, package in enumerate(old)
    ]

    refreshed = ceremony.generate_key(refreshers, group.min_signers)

    assert refreshed.verifying_key == group.public.verifying_key
    assert refreshed.verifying_shares.keys() == {one.identifier for one in staying}
    for before, after in zip(old, refreshers, strict=True):
        assert before.verifying_share != after.key_package().verifying_share
    ceremony.sign(refreshers[-group.min_signers :], refreshed, b"message", [rust, Ours()])


@dataclass
class Spoilt:
    """A refresh by three, of whom the first cheats; what the second says of it is judged."""

    people: list[Participant]
    first: dict[Identifier, round1.Package]
    culprits: tuple[str, ...]
    """Whom the judge names: frost_hsm the cheat, the crates nobody in a refresh."""

    @property
    def received(self) -> dict[Identifier, round1.Package]:
        return ceremony.others(self.first, self.people[1].identifier)


@pytest.fixture(params=["frost_hsm", "crates"])
def spoilt(suite: Ciphersuite, rust: Rust, request: pytest.FixtureRequest) -> Spoilt:
    shares, public = dealer.generate_with_dealer(suite, max_signers=3, min_signers=2)
    cheat, judge, third = (KeyPackage.from_secret_share(share) for share in shares.values())
    people: list[Participant] = [OurRefresher(third, public)]
    if request.param == "frost_hsm":
        people[:0] = [RustRefresher(rust, cheat, public), OurRefresher(judge, public)]
    else:
        people[:0] = [OurRefresher(cheat, public), RustRefresher(rust, judge, public)]
    first = ceremony.exchange_round1(people, 2)
    return Spoilt(people, first, (key(cheat.identifier),) if request.param == "frost_hsm" else ())


def test_a_refresh_with_another_threshold_is_refused(spoilt: Spoilt) -> None:
    cheat, judge, _ = spoilt.people
    received = {**spoilt.received, cheat.identifier: cheat.part1(3, 3)}

    assert blamed(lambda: judge.part2(received)) == ("IncorrectNumberOfCommitments", spoilt.culprits)


def test_a_refresh_with_a_wrong_proof_is_refused_here_and_accepted_there(spoilt: Spoilt) -> None:
    """It proves nothing, the constant term being zero; but what is sent and not looked at is a place to hide in."""
    cheat, judge, _ = spoilt.people
    honest = spoilt.received[cheat.identifier]
    response = (honest.proof_of_knowledge.response + 1) % honest.ciphersuite.group.order
    proof = replace(honest.proof_of_knowledge, response=response)
    received = {**spoilt.received, cheat.identifier: replace(honest, proof_of_knowledge=proof)}

    if spoilt.culprits:
        assert blamed(lambda: judge.part2(received)) == ("InvalidProofOfKnowledge", spoilt.culprits)
    else:
        assert len(judge.part2(received)) == 2


def test_a_refresh_with_a_share_meant_for_somebody_else_is_refused(spoilt: Spoilt) -> None:
    cheat, judge, third = spoilt.people
    second = ceremony.exchange_round2(spoilt.people, spoilt.first)

    second[judge.identifier][cheat.identifier] = second[third.identifier][cheat.identifier]

    assert blamed(lambda: judge.part3(spoilt.received, second[judge.identifier])) == (
        "InvalidSecretShare",
        spoilt.culprits,
    )


def test_our_dealer_refreshes_their_shares(rust: Rust, group: Group) -> None:
    theirs = [RustParticipant(rust, one.identifier) for one in group.some()]
    shares, refreshed = refresh.compute_refreshing_shares(group.public, [one.identifier for one in theirs])
    held = {one.identifier: one.key_package() for one in group.participants}

    for one in theirs:
        one.take_key_package(held[one.identifier], group.public)
        answer = rust.ask("refresh_share", key=one.key, secret_share=rust.write(shares[one.identifier]))
        one.key = answer["handle"]
        share = one.key_package().signing_share  # the verifying share beside it is the old one in version 3.0.0
        assert share.verifying_share() == refreshed.verifying_shares[one.identifier]
    ceremony.sign(theirs, refreshed, b"message", [rust, Ours()])


def test_their_dealer_refreshes_our_shares(rust: Rust, group: Group) -> None:
    staying = group.some()

    dealt = rust.ask(
        "refreshing_shares",
        public_key_package=rust.write(group.public),
        identifiers=[key(one.identifier) for one in staying],
    )

    shares = rust.read_map(SecretShare, dealt["secret_shares"])
    refreshed = rust.read(PublicKeyPackage, dealt["public_key_package"])
    ours = [OurParticipant(one.identifier) for one in staying]
    for one, before in zip(ours, staying, strict=True):
        one.key = refresh.refresh_share(shares[one.identifier], before.key_package())
    ceremony.check_key_packages(ours, refreshed)
    assert refreshed.verifying_key == group.public.verifying_key
    ceremony.sign(ours, refreshed, b"message", [rust, Ours()])
