"""Repair between people: a lost share for a new token, a share for a new participant, and who may have them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from stage import parties, upkeep
from stage.parties import Party, inbox

from frost_hsm.ceremony.history import bundle, dossier
from frost_hsm.ceremony.history.keys import KeyStatus
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import RepairDelta, RepairDone, RepairRequest, RepairSigma
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.errors import (
    CeremonyStopped,
    Equivocation,
    ForeignMessage,
    FrostHsmError,
    IncorrectPackage,
    InputProblem,
    InvalidContents,
    MalformedMessage,
    NotKnown,
    NotPossible,
    NotYet,
    StepConflict,
    UnknownSender,
)
from frost_hsm.frost.keys.repair import Sigma
from frost_hsm.secret import system_entropy


def newcomer(trio: list[Party], name: str) -> Party:
    """Somebody with a new token, an empty state directory and the others as peers."""
    [party] = parties.gather(trio[0].directory.parent.parent / "later", [name])
    return party


def share(party: Party) -> bytes:
    with party.holder() as holder, party.key().unseal(SealedRecords(holder, party.home)).serialize() as plaintext:
        with plaintext.reveal() as view:
            return bytes(view)


def refused(party: Party, error: type[FrostHsmError], step: Callable[[], object]) -> FrostHsmError:
    before = (party.files(), party.records())
    with pytest.raises(error) as caught:
        step()
    assert (party.files(), party.records()) == before
    return caught.value


def test_a_lost_share_is_rebuilt_on_a_new_token_and_signs(trio: list[Party]) -> None:
    alice, bob, carol = trio
    lost = share(carol)
    new = newcomer(trio, "carol")
    upkeep.repair(new, 3, [alice, bob], [alice, bob])
    assert share(new) == lost
    assert new.key().status is KeyStatus.ACTIVE
    for party in (alice, bob, new):
        assert party.key().roster.at(3) == new.public
        assert party.key().public_key_package == carol.key().public_key_package
    assert len(parties.sign([alice, new], b"message")) == 65
    assert len(parties.sign([new, bob], b"message")) == 65


def test_the_lost_identity_is_a_participant_no_more(trio: list[Party]) -> None:
    alice, bob, carol = trio
    old_request = parties.request([carol, alice], b"from the lost token")
    upkeep.repair(newcomer(trio, "carol"), 3, [alice, bob], [alice, bob])
    error = refused(alice, ForeignMessage, lambda: alice.session(old_request).commit(alice.holder))
    assert "it was followed by the repair of treasury for carol" in str(error)


def test_after_a_repair_a_refresh_makes_the_lost_share_worthless(trio: list[Party]) -> None:
    alice, bob, carol = trio
    lost = share(carol)
    new = newcomer(trio, "carol")
    upkeep.repair(new, 3, [alice, bob], [alice, bob])
    upkeep.refresh([alice, bob, new])
    assert share(new) != lost
    assert len(parties.sign([bob, new], b"message")) == 65
    assert bob.key().epoch == new.key().epoch == 1


def test_a_new_participant_gets_a_share_that_signs_with_any(trio: list[Party]) -> None:
    alice, bob, carol = trio
    dave = newcomer(trio, "dave")
    upkeep.repair(dave, 4, [alice, carol], trio)
    key = dave.key()
    assert [each.name for each in key.roster] == ["alice", "bob", "carol", "dave"]
    assert key.public_key_package == bob.key().public_key_package
    assert len(key.public_key_package.verifying_shares) == 4
    assert key.min_signers == 2
    for other in trio:
        assert len(parties.sign([other, dave], b"message")) == 65
    upkeep.refresh([*trio, dave])
    assert len(parties.sign([dave, bob], b"message")) == 65


def test_one_repair_after_another_and_a_bundle_with_all_of_it(trio: list[Party]) -> None:
    alice, bob, _ = trio
    carol, dave, eve = (newcomer(trio, name) for name in ("carol", "dave", "eve"))
    upkeep.repair(carol, 3, [alice, bob], [alice, bob])
    upkeep.refresh([alice, bob, carol])
    upkeep.repair(dave, 4, [carol, bob], [alice, bob, carol])
    upkeep.repair(eve, 5, [alice, dave], [alice, bob, carol, dave])
    with pytest.raises(NotKnown, match="no refresh of treasury"):
        upkeep.load(eve)
    upkeep.round1([eve], upkeep.propose(eve))
    assert upkeep.load(eve).epoch == 2, "of those before she knows nothing of her own"
    assert len(parties.sign([eve, carol], b"message")) == 65
    assert {party.key().roster.digest for party in (alice, bob, carol, dave, eve)} == {eve.key().roster.digest}


def test_a_bundle_brings_a_lost_state_directory_back(trio: list[Party]) -> None:
    alice, bob, _ = trio
    upkeep.refresh(trio)
    alice.home.remove("keys")
    upkeep.hand_over(bob, alice, trio)
    assert alice.key().epoch == 1
    assert len(parties.sign([alice, bob], b"message")) == 65


def test_too_few_helpers_are_refused(tmp_path: Path) -> None:
    people = parties.gather(tmp_path / "first", ["alice", "bob", "carol", "dave"])
    parties.generate(people, min_signers=3)
    new = newcomer(people, "dave")
    upkeep.hand_over(people[0], new, people)
    error = refused(new, NotPossible, lambda: upkeep.ask(new, 4, people[:2]))
    assert "it takes 3 helpers" in str(error)
    asked = signed.read(upkeep.ask(new, 4, people[:3])).expect(RepairRequest).message
    with new.holder() as holder:
        data = signed.write(replace(asked, helpers=(1, 2)), holder)
    # Whoever signed it has only said that they are Dave.
    assert not refused(people[0], ForeignMessage, lambda: upkeep.repairing(people[0], data)).culprits


def test_a_stranger_is_not_helped(trio: list[Party]) -> None:
    alice, bob, carol = trio
    new = newcomer(trio, "carol")
    upkeep.hand_over(alice, new, trio)
    asked = upkeep.repairing(alice, upkeep.ask(new, 3, [alice, bob]))
    with pytest.raises(UnknownSender, match="carol with this identity is not among your peers"):
        asked.check_receiver({"bob": bob.public, "carol": carol.public})
    asked.check_receiver({"carol": new.public})


@pytest.mark.parametrize("change", [{"state": bytes(32)}])
def test_a_request_from_another_state_is_refused(trio: list[Party], change: dict[str, object]) -> None:
    alice, bob, _ = trio
    new = newcomer(trio, "carol")
    upkeep.hand_over(alice, new, trio)
    asked = signed.read(upkeep.ask(new, 3, [alice, bob])).expect(RepairRequest).message
    with new.holder() as holder:
        data = signed.write(replace(asked, **change), holder)  # type: ignore[arg-type]
    refused(alice, ForeignMessage, lambda: upkeep.repairing(alice, data))


def test_a_request_in_the_name_of_another_is_refused(trio: list[Party]) -> None:
    alice, bob, carol = trio
    new = newcomer(trio, "carol")
    upkeep.hand_over(alice, new, trio)
    asked = signed.read(upkeep.ask(new, 3, [alice, bob])).expect(RepairRequest).message
    with carol.holder() as holder:
        data = signed.write(asked, holder)
    refused(alice, UnknownSender, lambda: upkeep.repairing(alice, data))


def test_a_request_of_an_epoch_that_is_over_is_refused(trio: list[Party]) -> None:
    alice, bob, _ = trio
    new = newcomer(trio, "dave")
    upkeep.hand_over(alice, new, trio)
    request = upkeep.ask(new, 4, [alice, bob])
    upkeep.refresh(trio)
    refused(alice, ForeignMessage, lambda: upkeep.deltas([alice], request))


def test_steps_repeat_themselves_and_wait_for_all(trio: list[Party]) -> None:
    alice, bob, carol = trio
    new = newcomer(trio, "dave")
    upkeep.hand_over(alice, new, trio)
    request = upkeep.ask(new, 4, [alice, bob])
    first = upkeep.deltas([alice, bob], request)
    assert upkeep.deltas([alice], request)["alice"] == first["alice"]
    error = refused(alice, NotYet, lambda: upkeep.sigmas([alice], request, {"alice": first["alice"]}))
    assert "bob" in str(error)
    second = upkeep.sigmas([alice, bob], request, first)
    assert upkeep.sigmas([alice], request, first)["alice"] == second["alice"]
    receiving = upkeep.repairing(new, request)
    refused(new, NotYet, lambda: receiving.finish(new.holder, inbox(second["bob"])))
    done = receiving.finish(new.holder, inbox(second.values()))
    assert receiving.finish(new.holder, inbox(second.values())) == done
    for missing in (second["alice"], done):
        others = [each for each in (*second.values(), done) if each != missing]
        refused(
            carol, NotYet, lambda given=others: upkeep.repairing(carol, request).confirm(carol.holder, inbox(given))
        )  # type: ignore[misc]
    confirmed = upkeep.repairing(carol, request).confirm(carol.holder, inbox(second.values(), done))
    before = carol.files()
    assert upkeep.repairing(carol, request).confirm(carol.holder, inbox(second.values(), done)) == confirmed
    assert carol.files() == before
    assert upkeep.repairing(carol, request).missing == ["alice", "bob"]
    refused(carol, NotPossible, lambda: upkeep.deltas([carol], request))
    refused(alice, NotPossible, lambda: upkeep.repairing(alice, request).finish(alice.holder, inbox()))


def test_nobody_confirms_a_repair_and_a_refresh_of_one_state(trio: list[Party]) -> None:
    """Two successors of one state exclude each other; what was confirmed first stands."""
    alice, bob, carol = trio
    new = newcomer(trio, "dave")
    upkeep.hand_over(alice, new, trio)
    request = upkeep.ask(new, 4, [alice, bob])
    second = upkeep.sigmas([alice, bob], request, upkeep.deltas([alice, bob], request))
    done = upkeep.repairing(new, request).finish(new.holder, inbox(second.values()))
    first = upkeep.round1(trio, upkeep.propose(carol))
    shares = upkeep.round2(trio, first)
    upkeep.finish([carol], first, shares)
    confirming = upkeep.repairing(carol, request)
    error = refused(carol, StepConflict, lambda: confirming.confirm(carol.holder, inbox(second.values(), done)))
    assert "you have confirmed refresh 1 of treasury" in str(error)
    upkeep.repairing(bob, request).confirm(bob.holder, inbox(second.values(), done))
    with pytest.raises(StepConflict, match="you have confirmed the repair of treasury for dave"):
        upkeep.finish([bob], first, shares)
    assert {len(party.key().roster) for party in trio} == {3}
    assert len(parties.sign([alice, bob], b"message")) == 65


def test_a_share_that_was_deleted_is_made_again(trio: list[Party]) -> None:
    """The same identity asks for the share of its own position, twice."""
    alice, bob, carol = trio
    lost = share(carol)
    for _ in range(2):
        with carol.holder() as holder:
            carol.key().delete(holder, carol.home)
        upkeep.repair(carol, 3, [alice, bob], [alice, bob])
        assert share(carol) == lost
    assert len(parties.sign([alice, carol], b"message")) == 65


# ── Somebody who breaks the protocol ──


class Spoilt:
    """Alice and Bob help Dave; what Bob signs can be changed."""

    def __init__(self, trio: list[Party]) -> None:
        self.alice, self.bob, self.carol = trio
        self.dave = newcomer(trio, "dave")
        upkeep.hand_over(self.alice, self.dave, trio)
        self.request = upkeep.ask(self.dave, 4, [self.alice, self.bob])
        self.first = upkeep.deltas([self.alice, self.bob], self.request)

    def bob_says(self, message: RepairDelta | RepairSigma | RepairDone) -> bytes:
        with self.bob.holder() as holder:
            return signed.write(message, holder)

    def read(self, data: bytes, kind: type) -> object:
        return signed.read(data, self.bob.key().roster).expect(kind).message


@pytest.mark.parametrize("change", [lambda one, two: (two, one), lambda one, two: (one, two, one)])
def test_envelopes_that_hold_nothing_convict_a_helper(
    trio: list[Party], change: Callable[..., tuple[Enclosure, ...]]
) -> None:
    table = Spoilt(trio)
    own = table.read(table.first["bob"], RepairDelta)
    assert isinstance(own, RepairDelta)
    table.first["bob"] = table.bob_says(replace(own, envelopes=Envelopes.of(change(*own.envelopes))))
    with pytest.raises(InvalidContents) as caught:
        upkeep.sigmas([table.alice], table.request, table.first)
    assert caught.value.culprits == ("bob",)
    with pytest.raises(CeremonyStopped):
        upkeep.sigmas([table.alice], table.request, table.first)
    assert len(parties.sign([table.alice, table.carol], b"message")) == 65


def test_a_wrong_sum_is_found_and_blames_nobody(trio: list[Party]) -> None:
    table = Spoilt(trio)
    second = upkeep.sigmas([table.alice, table.bob], table.request, table.first)
    honest = table.read(second["bob"], RepairSigma)
    assert isinstance(honest, RepairSigma)
    helping, suite = upkeep.repairing(table.bob, table.request), table.bob.key().suite
    wrong = Sigma(suite, suite.group.random_scalar(system_entropy))
    sealed = helping._encrypt(Kind.REPAIR_SIGMA, table.dave.public, wrong, honest.deltas_hash)
    second["bob"] = table.bob_says(replace(honest, envelope=sealed))
    error = refused(
        table.dave,
        IncorrectPackage,
        lambda: upkeep.repairing(table.dave, table.request).finish(table.dave.holder, inbox(second.values())),
    )
    assert error.culprits == ()


def test_helpers_who_saw_different_deltas_are_found(trio: list[Party]) -> None:
    table = Spoilt(trio)
    second = upkeep.sigmas([table.alice, table.bob], table.request, table.first)
    honest = table.read(second["bob"], RepairSigma)
    assert isinstance(honest, RepairSigma)
    second["bob"] = table.bob_says(replace(honest, deltas_hash=bytes(32)))
    receiving = upkeep.repairing(table.dave, table.request)
    error = refused(table.dave, Equivocation, lambda: receiving.finish(table.dave.holder, inbox(second.values())))
    assert error.culprits == ()
    assert table.dave.records() == {}


def test_nobody_joins_without_the_sigma_of_every_helper(trio: list[Party]) -> None:
    """The end of a repair that names other sigmas, or comes from somebody else, changes no roster."""
    table = Spoilt(trio)
    second = upkeep.sigmas([table.alice, table.bob], table.request, table.first)
    done = upkeep.repairing(table.dave, table.request).finish(table.dave.holder, inbox(second.values()))
    confirming = upkeep.repairing(table.carol, table.request)
    honest = signed.read(done, confirming.roster).expect(RepairDone).message
    with table.dave.holder() as holder:
        other = signed.write(replace(honest, sigmas_hash=bytes(32)), holder)
    refused(table.carol, Equivocation, lambda: confirming.confirm(table.carol.holder, inbox(second.values(), other)))
    forged = table.bob_says(honest)
    refused(table.carol, ForeignMessage, lambda: confirming.confirm(table.carol.holder, inbox(second.values(), forged)))
    assert len(table.carol.key().roster) == 3


# ── Bundles ──


def test_a_bundle_from_strangers_is_refused(trio: list[Party]) -> None:
    alice, bob, _ = trio
    new = newcomer(trio, "dave")
    with pytest.raises(UnknownSender, match="is not among your peers"):
        upkeep.hand_over(alice, new, [alice, bob])
    assert not new.home.names("keys")
    assert not (new.directory / "home/importing").exists()


def test_no_part_of_a_bundle_can_be_left_out_or_changed(trio: list[Party]) -> None:
    alice, bob, _ = trio
    upkeep.repair(newcomer(trio, "dave"), 4, [alice, bob], trio)
    known = {party.name: party.public for party in trio}
    data = bundle.write(alice.home, alice.key())
    eve = newcomer(trio, "eve")
    known |= {"dave": alice.key().roster.at(4)}
    messages, packages = dossier.blocks(data)
    assert (len(messages), len(packages)) == (11, 1)  # proposal, 3 confirmations, request, 2 sigmas, done, 3 again
    for place in range(len(messages)):
        left = dossier.armour([*messages[:place], *messages[place + 1 :]], packages)
        is_of_rounds = isinstance(signed.decode(signed.parse(messages[place])), RepairSigma | RepairDone)
        with suppress(InputProblem, NotYet):  # else it shows the same, or less
            assert (bundle.read(eve.home, left, eve.public, known).state == alice.key().state) is is_of_rounds
        eve.home.remove("keys")
    with pytest.raises(MalformedMessage):
        bundle.read(eve.home, dossier.armour(messages, []), eve.public, known)
    with pytest.raises(MalformedMessage):
        bundle.read(eve.home, data + b"x", eve.public, known)
    assert not eve.home.names("keys")
    assert bundle.read(eve.home, data, eve.public, known).roster == alice.key().roster
    assert bundle.read(eve.home, data, eve.public, known) == eve.key()


def test_who_has_no_share_cannot_sign(trio: list[Party]) -> None:
    new = newcomer(trio, "carol")
    upkeep.hand_over(trio[0], new, trio)
    with new.holder() as holder, pytest.raises(NotKnown, match="has no share of treasury"):
        new.key().unseal(SealedRecords(holder, new.home))
