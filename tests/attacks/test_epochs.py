"""Shares that are made anew, or for somebody new, where somebody would keep the old ones or change the terms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from attacks.table import refused
from stage import parties, upkeep
from stage.p256 import scalar
from stage.parties import Party, inbox

from frost_hsm import P256
from frost_hsm.ceremony.history.keys import GroupKey, KeyStatus
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import RepairDone
from frost_hsm.ceremony.messages.making import Confirmation, RefreshProposal
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sharing import dealing
from frost_hsm.errors import (
    CeremonyStopped,
    Equivocation,
    ForeignMessage,
    FrostHsmError,
    IncorrectNumberOfIdentifiers,
    IncorrectPackage,
    InvalidMinSigners,
    NotKnown,
    NotPossible,
    StateRolledBack,
    StepConflict,
    UnknownSender,
)
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.keys import refresh, repair
from frost_hsm.frost.keys.repair import Sigma
from frost_hsm.frost.packages import KeyPackage
from frost_hsm.frost.values import SigningKey


def share(party: Party, key: GroupKey) -> KeyPackage:
    with party.holder() as holder:
        return key.unseal(SealedRecords(holder, party.home))


def lie(party: Party, message: bytes) -> bytes:
    """Sign another transcript than everybody else."""
    honest = signed.read(message, party.key().roster).expect(Confirmation).message
    with party.holder() as holder:
        return signed.write(replace(honest, messages=(honest.messages[0], bytes(32))), holder)


@pytest.mark.parametrize(
    ("change", "error"), [({"state": bytes(32)}, ForeignMessage), ({"ceremony": bytes(32)}, UnknownSender)]
)
def test_k30_a_refresh_of_something_else(
    group: list[Party], change: dict[str, bytes], error: type[FrostHsmError]
) -> None:
    """Bob proposes to refresh another key, or from a state, of other people or epoch, that nobody has confirmed."""
    alice, bob, _ = group
    honest = signed.read(upkeep.propose(bob), bob.key().roster).expect(RefreshProposal).message
    with bob.holder() as holder:
        data = signed.write(replace(honest, **change), holder)  # type: ignore[arg-type]
    refused(alice, error, lambda: upkeep.join(alice, data))


def test_k30_a_refresh_from_a_state_that_has_ended(group: list[Party]) -> None:
    """Bob proposed to refresh the epoch that all have gone on from since."""
    alice, bob, _ = group
    old = upkeep.propose(bob)
    upkeep.refresh(group)
    refused(alice, ForeignMessage, lambda: upkeep.join(alice, old))


def test_k30_the_key_and_the_threshold_stay(group: list[Party]) -> None:
    """Somebody has the shares made anew with another threshold; what comes of it all signs as before."""
    alice, bob, _ = group
    before = alice.key()
    own = before.identifier("alice")
    secret, _ = refresh.refresh_dkg_part1(P256, own, max_signers=3, min_signers=3)
    others = {
        before.identifier(name): refresh.refresh_dkg_part1(P256, before.identifier(name), max_signers=3, min_signers=3)[
            1
        ]
        for name in ("bob", "carol")
    }
    state, _ = refresh.refresh_dkg_part2(secret, others)
    with pytest.raises(InvalidMinSigners):
        refresh.refresh_dkg_shares(state, others, {}, before.public_key_package, share(alice, before))
    upkeep.refresh(group)
    after = alice.key()
    assert (after.verifying_key, after.min_signers, after.epoch) == (before.verifying_key, before.min_signers, 1)
    assert len(parties.sign([alice, bob], b"message")) == 65


def test_k31_shares_of_two_epochs(group: list[Party]) -> None:
    """Alice has gone on to the next epoch and Bob has not: neither signs with the other's."""
    alice, bob, _ = group
    old = parties.request([bob, alice], b"old")
    confirmations = upkeep.to_confirmations(group)
    upkeep.confirm([alice], confirmations)
    new = parties.request([alice, bob], b"new")
    refused(bob, ForeignMessage, lambda: bob.session(new).commit(bob.holder))
    refused(alice, ForeignMessage, lambda: alice.session(old).commit(alice.holder))


def test_k31_the_old_share_is_gone(group: list[Party]) -> None:
    """Whoever puts Alice's state directory back opens no share of the old epoch; once people sign, there is none."""
    alice, bob, _ = group
    before, key = set(alice.records()), alice.key()
    upkeep.refresh(group)
    refused(alice, StateRolledBack, lambda: share(alice, key))
    parties.sign([alice, bob], b"message")
    assert not before & set(alice.records())


def test_k31_the_old_share_stays_until_all_have_confirmed(group: list[Party]) -> None:
    """Carol keeps her confirmation back, or confirms something else: the old epoch goes on."""
    alice, bob, carol = group
    confirmations = upkeep.to_confirmations(group)
    before = alice.key()
    withheld = {name: said for name, said in confirmations.items() if name != "carol"}
    with pytest.raises(FrostHsmError):
        upkeep.confirm([alice], withheld)
    with pytest.raises(Equivocation):
        upkeep.confirm([alice], {**confirmations, "carol": lie(carol, confirmations["carol"])})
    assert alice.key() == before
    assert len(parties.sign([alice, bob], b"message")) == 65


def test_k31_one_confirmation_for_each_half(group: list[Party]) -> None:
    """Carol confirms to Alice, and something else to Bob: two halves, of which neither could sign, for good."""
    alice, bob, carol = group
    good = upkeep.to_confirmations(group)
    bad = lie(carol, good["carol"])
    upkeep.confirm([alice], good)
    with pytest.raises(Equivocation):
        upkeep.confirm([bob], {**good, "carol": bad})
    assert upkeep.load(bob).status().step == "stopped"
    upkeep.confirm([bob], {**good, "lie": bad})  # as Alice hands on what she has, among whatever else there is
    assert upkeep.load(bob).status().step == "active"
    assert alice.key().status is bob.key().status is KeyStatus.ACTIVE
    assert len(parties.sign([alice, bob], b"message")) == 65


def newcomer(group: list[Party], directory: Path) -> Party:
    """Dave, who has a token of his own and knows the three, as they know him."""
    [dave] = parties.gather(directory, ["dave"])
    for party in group:
        party.home.put("peers/dave.pem", dave.public.to_pem())
        dave.home.put(f"peers/{party.name}.pem", party.public.to_pem())
    upkeep.hand_over(group[0], dave, group)
    return dave


def test_k32_too_few_helpers(group: list[Party], tmp_path: Path) -> None:
    """One of three makes a share for Dave."""
    alice, _, _ = group
    dave = newcomer(group, tmp_path)
    with pytest.raises((NotPossible, IncorrectNumberOfIdentifiers, NotKnown)):
        upkeep.ask(dave, 4, [alice])
    own, package = alice.key().identifier("alice"), share(alice, alice.key())
    with pytest.raises(IncorrectNumberOfIdentifiers):
        repair.repair_share_part1([own], package, type(own).from_u16(P256, 4))


def spoil(party: Party, request: bytes, message: bytes, recipient: Party) -> bytes:
    """Sign a sigma that is none of this share, well encrypted."""
    helping = upkeep.repairing(party, request)
    honest = signed.read(message, party.key().roster).message
    wrong = Sigma(P256, scalar(P256.group, 5))
    sealed = helping._encrypt(Kind.REPAIR_SIGMA, recipient.public, wrong, honest.deltas_hash)
    with party.holder() as holder:
        return signed.write(replace(honest, envelope=sealed), holder)


def test_k32_a_share_of_another_key(group: list[Party], tmp_path: Path) -> None:
    """Bob helps Dave to a share that is not of the group's key: Dave compares, and keeps nothing."""
    alice, bob, _ = group
    dave = newcomer(group, tmp_path)
    request = upkeep.ask(dave, 4, [alice, bob])
    second = upkeep.sigmas([alice, bob], request, upkeep.deltas([alice, bob], request))
    second["bob"] = spoil(bob, request, second["bob"], dave)
    step = lambda: upkeep.repairing(dave, request).finish(dave.holder, inbox(second.values()))  # noqa: E731
    refused(dave, IncorrectPackage, step)
    assert dave.records() == {}


def test_k32_two_ends_of_a_repair(group: list[Party], tmp_path: Path) -> None:
    """Dave ends his repair in two ways, to part Bob, who sees both, from Alice: until all are alike nothing changes.

    He is not convicted: who lost what they did does it again.
    """
    alice, bob, carol = group
    dave = newcomer(group, tmp_path)
    request = upkeep.ask(dave, 4, [alice, carol])
    sigmas = upkeep.sigmas([alice, carol], request, upkeep.deltas([alice, carol], request)).values()
    done = upkeep.repairing(dave, request).finish(dave.holder, inbox(sigmas))
    assert upkeep.repairing(alice, request).confirm(alice.holder, inbox(sigmas, done))
    with dave.holder() as holder:
        other = signed.write(RepairDone(upkeep.repairing(dave, request).id, bytes(32)), holder)
    with pytest.raises(Equivocation) as caught:
        upkeep.repairing(bob, request).confirm(bob.holder, inbox(sigmas, done, other))
    assert caught.value.culprits == ()
    upkeep.repairing(carol, request).confirm(carol.holder, inbox(sigmas, done))
    assert alice.key().state == bob.key().state == carol.key().state, "without Bob nothing comes of it"
    assert len(alice.key().roster) == 3
    upkeep.confirm_repair(group, request, *sigmas, done)
    assert alice.key().state == bob.key().state == carol.key().state
    assert len(alice.key().roster) == 4


def test_k30_a_refresh_is_stopped_for_good(group: list[Party]) -> None:
    """Carol's contribution was refused; nothing that she sends afterwards makes Alice go on."""
    alice, _, carol = group
    first = upkeep.round1(group, upkeep.propose(alice))
    broken = signed.read(first["carol"], carol.key().roster).message
    with carol.holder() as holder:
        bad = signed.write(replace(broken, package=b"nothing", y_coordinates=None), holder)
    with pytest.raises(FrostHsmError):
        upkeep.round2([alice], {**first, "carol": bad})
    with pytest.raises(CeremonyStopped):
        upkeep.round2([alice], first)


def test_k38_a_repair_is_confirmed_in_one_way(group: list[Party], tmp_path: Path) -> None:
    """Helpers and receiver lost what they did, and do it again: Carol confirms the one or the other, never both.

    She lost her word for the one as well; two would convict her, and with votes of all others part the group.
    """
    alice, bob, carol = group
    dave = newcomer(group, tmp_path)
    request = upkeep.ask(dave, 4, [alice, bob])
    before = {party.name: upkeep.keep(party) for party in (*group, dave)}

    def ending() -> list[bytes]:
        sigmas = upkeep.sigmas([alice, bob], request, upkeep.deltas([alice, bob], request))
        return [*sigmas.values(), upkeep.repairing(dave, request).finish(dave.holder, inbox(sigmas.values()))]

    first = ending()
    said = upkeep.repairing(carol, request).confirm(carol.holder, inbox(first))
    assert said is not None
    for party in (*group, dave):
        upkeep.put_back(party, before[party.name])
    second = ending()
    assert second[-1] != first[-1]
    confirming, files = upkeep.repairing(carol, request), carol.files()
    with pytest.raises(StepConflict, match="confirmed this before, with other messages"):
        confirming.confirm(carol.holder, inbox(second))
    assert carol.files() == files
    again = confirming.confirm(carol.holder, inbox(first))
    assert again is not None
    assert signed.parse(again).content == signed.parse(said).content


def test_k39_nobody_deals_twice(tmp_path: Path) -> None:
    """The same again gives the same; who lost it is told by the token, and takes what they sent from the others."""
    people = parties.gather(tmp_path)
    alice = people[0]
    suite = ciphersuites.by_name("p256")
    proposal = parties.propose(people)
    ceremony = alice.join(proposal)
    kept, key, other = upkeep.keep(alice), SigningKey.generate(suite), SigningKey.generate(suite)
    dealt = dealing.deal(ceremony, alice.holder, key)
    assert dealing.deal(ceremony, alice.holder, key) == dealt
    with pytest.raises(StepConflict, match="another key was dealt"):
        dealing.deal(ceremony, alice.holder, other)
    upkeep.put_back(alice, kept)
    for wanted in (key, other):
        with pytest.raises(StateRolledBack, match="nobody deals twice"):
            dealing.deal(alice.ceremony(), alice.holder, wanted)
    said = {party.name: dealing.accept(party.join(proposal), party.holder, dealt).message for party in people}
    parties.confirm(people, said)
    assert len(parties.sign(people[1:], b"message")) == 65
    assert dealing.deal(alice.ceremony(), alice.holder, key) == dealt
