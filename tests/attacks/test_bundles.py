"""What a participant hands out about a key, with words of their own in it besides: it takes nothing from anybody."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from attacks.test_epochs import newcomer, share
from ceremony.people import holder as person
from stage import parties, upkeep
from stage.parties import Party, inbox

from frost_hsm.ceremony.history import backup, bundle, dossier
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import RepairRequest, RepairSigma, Standing
from frost_hsm.ceremony.messages.making import Confirmation, RefreshProposal, Round2
from frost_hsm.ceremony.messages.message import Envelopes, Message
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sharing import recovery
from frost_hsm.frost.packages import PublicKeyPackage


def say(party: Party, message: Message) -> bytes:
    with party.holder() as holder:
        return signed.parse(signed.write(message, holder)).der


def begun_by_nobody_known(cheat: Party, number: int) -> list[bytes]:
    """A request for a share, by somebody whom the cheat has made up."""
    key, mallory = cheat.key(), person("mallory")
    request = RepairRequest(key.ceremony, key.state.digest, number.to_bytes(32), 4, mallory.public, (1, 2))
    return [signed.parse(signed.write(request, mallory)).der]


def begun(cheat: Party, number: int) -> list[bytes]:
    key = cheat.key()
    return [say(cheat, RefreshProposal(key.ceremony, key.state.digest, key.position, number.to_bytes(32)))]


def begun_and_confirmed(cheat: Party, number: int) -> list[bytes]:
    beginning = begun(cheat, number)
    confirmation = Confirmation(signed.parse(beginning[0]).content_digest, (bytes(32), bytes(32)), bytes(32))
    return [*beginning, say(cheat, confirmation)]


def claimed(cheat: Party, number: int) -> list[bytes]:
    key = cheat.key()
    return [say(cheat, Standing(key.ceremony, key.state.digest, number.to_bytes(32)))]


@pytest.mark.parametrize("lie", [begun_by_nobody_known, begun, begun_and_confirmed, claimed])
def test_k41_so_much_that_nothing_is_backed_up_any_more(
    lie: Callable[[Party, int], list[bytes]], group: list[Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Carol hands out as much as a file may hold. With Alice's own words it would be more than is ever read again."""
    monkeypatch.setattr(dossier, "MAX_MESSAGES", 64)
    alice, _, carol = group
    most = (3 * 64 - 9) // len(lie(carol, 0))
    take_in(alice, carol, group, *chain.from_iterable(lie(carol, number) for number in range(most)))
    with alice.holder() as holder:
        made = backup.create(alice.home, holder, [])
    assert made.keys == (parties.KEY,)
    assert len(alice.files()) < 50


def test_what_somebody_waits_for_is_taken_in(group: list[Party]) -> None:
    """Carol and Bob have confirmed a refresh, and Alice, whom it did not reach, hears of it in a bundle."""
    alice, bob, carol = group
    first = upkeep.round1(group, upkeep.propose(carol))
    second = upkeep.round2(group, first)
    upkeep.finish([bob, carol], first, second)
    alice.home.remove(upkeep.load(alice).folder)
    take_in(alice, carol, group)
    [hanging] = alice.key().unfinished()
    assert [each.name for each in hanging.by_sender(Confirmation)] == ["carol"]


def another_key(package: PublicKeyPackage) -> bytes:
    """A public key package of the same people, and of another key."""
    shares = dict(zip(package.verifying_shares, reversed(package.verifying_shares.values()), strict=True))
    return replace(package, verifying_shares=shares).serialize()


def take_in(
    victim: Party, cheat: Party, people: list[Party], *lies: bytes, package: bytes = b"", without: bytes = b""
) -> GroupKey:
    """Have the victim import what the cheat has of the key, without the rounds, and what the cheat says besides.

    without: a message that is left out.
    """
    messages, packages = bundle.contents(cheat.home, cheat.key().folder, with_rounds=False)
    messages = [each for each in messages if each != without]
    data = dossier.armour([messages[0], *lies, *messages[1:]], [*packages, *filter(None, [package])])
    known = {party.name: party.public for party in people}
    return bundle.read(victim.home, data, victim.public, known)


def require_recovering(party: Party) -> None:
    """Destroy somebody's share, and have it made again."""
    before, key = share(party, party.key()), party.key()
    with party.holder() as holder:
        SealedRecords(holder, party.home).destroy(key.record_name(Kind.SIGNING_SHARE))
    assert not recovery.recover(party.home, parties.KEY, party.public, party.holder).was_there
    assert share(party, party.key()).verifying_share == before.verifying_share


def test_k41_another_key_confirmed_besides(group: list[Party]) -> None:
    """Carol confirms another key besides, puts that first, and its package into the bundle that she gives to Alice."""
    alice, _, carol = group
    other, before = another_key(alice.key().public_key_package), alice.files()
    own = carol.ceremony().transcript.sent(Confirmation)
    assert own is not None
    lie = say(carol, replace(own.message, public_key_package_hash=hashlib.sha256(other).digest()))
    key = take_in(alice, carol, group, lie, package=other)
    assert key.public_key_package.serialize() != other
    assert alice.files() == before


def test_k41_another_round2_besides(group: list[Party]) -> None:
    """Carol signs another round 2 years later, so that Alice cannot make her share again of what she keeps."""
    alice, _, carol = group
    before, own = alice.files(), carol.ceremony().transcript.sent(Round2)
    assert own is not None
    take_in(
        alice,
        carol,
        group,
        say(carol, replace(own.message, envelopes=Envelopes.of(reversed([*own.message.envelopes])))),
    )
    assert alice.files() == before
    require_recovering(alice)


def test_k41_another_sigma_besides(group: list[Party], tmp_path: Path) -> None:
    """Bob helped Dave to a share, and shows another sigma in its place once all have confirmed it."""
    alice, bob, _ = group
    dave = newcomer(group, tmp_path)
    request = upkeep.repair(dave, 4, [alice, bob], group)
    before, own = dave.files(), upkeep.repairing(bob, request).transcript.sent(RepairSigma)
    assert own is not None
    lie = say(bob, replace(own.message, deltas_hash=bytes(32)))
    take_in(dave, bob, [*group, dave], lie, without=own.der)
    assert dave.files() == before
    require_recovering(dave)


def test_k41_a_package_before_ones_own(group: list[Party]) -> None:
    """Carol confirms a refresh before Alice has finished it, with a package that Alice will not make.

    When all have confirmed it, Alice has.
    """
    alice, bob, carol = group
    first = upkeep.round1(group, upkeep.propose(alice))
    second = upkeep.round2(group, first)
    upkeep.finish([carol], first, second)
    ceremony, other = upkeep.load(carol), another_key(alice.key().public_key_package)
    own = ceremony.transcript.sent(Confirmation)
    assert own is not None
    lie = replace(own.message, public_key_package_hash=hashlib.sha256(other).digest())
    carol.home.replace(f"{ceremony.folder}/confirm/carol.pem", say(carol, lie))
    take_in(alice, carol, group, package=other)
    taken = (first.values(), second.values())
    said = {"carol": own.to_pem(), "alice": upkeep.load(alice).finish(alice.holder, inbox(*taken)).message}
    said |= upkeep.finish([bob], first, second)
    upkeep.confirm([alice, bob], said)
    assert alice.key().state == bob.key().state
    assert alice.key().epoch == 1


def test_k41_one_vote_for_alice_and_another_for_the_others(group: list[Party], tmp_path: Path) -> None:
    """Carol confirms something else to Alice, and then with all others that Dave has a share: Alice goes with them."""
    alice, bob, carol = group
    dave = newcomer(group, tmp_path)
    request = upkeep.ask(dave, 4, [alice, bob])
    sigmas = upkeep.sigmas([alice, bob], request, upkeep.deltas([alice, bob], request)).values()
    done = upkeep.repairing(dave, request).finish(dave.holder, inbox(sigmas))
    ending = [*sigmas, done]
    own = upkeep.repairing(carol, request).confirm(carol.holder, inbox(ending))
    assert own is not None
    lie = say(carol, replace(signed.read(own, carol.key().roster).message, public_key_package_hash=bytes(32)))
    said = [upkeep.repairing(alice, request).confirm(alice.holder, inbox(ending, lie))]
    said += [upkeep.repairing(bob, request).confirm(bob.holder, inbox(ending)), own]
    for party in (alice, bob):
        upkeep.repairing(party, request).confirm(party.holder, inbox(ending, filter(None, said)))
    assert alice.key().state == bob.key().state
    assert len(alice.key().roster) == 4
