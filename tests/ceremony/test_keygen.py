"""Key generation between honest people: order, repetition, lateness, refusals that change nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from stage import parties
from stage.parties import Party, inbox
from stage.staging import Stage

from frost_hsm.ceremony.history.keys import GroupKey, KeyStatus
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Confirmation, Proposal, Round1, Round2
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.people.roster import MAX_PARTICIPANTS
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.records import SealedRecords, own_context
from frost_hsm.ceremony.sharing.keygen import KeyGeneration
from frost_hsm.ceremony.signing import session as signing
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import (
    CeremonyStopped,
    FrostHsmError,
    NonceUsed,
    NotKnown,
    NotPossible,
    NotYet,
    StateRolledBack,
    StepConflict,
    StorageProblem,
    UnknownSender,
)
from frost_hsm.frost.ciphersuites import P256
from frost_hsm.frost.keys import dkg
from frost_hsm.frost.values import Identifier
from frost_hsm.secret import Secret


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Alice, Bob and Carol, who have no key yet."""
    return Stage(tmp_path_factory.mktemp("keygen"), parties.gather)


@contextmanager
def nothing_changes(*watched: Party) -> Iterator[None]:
    """Every file and every record is what it was, byte for byte."""
    before = [(party.files(), party.records()) for party in watched]
    yield
    assert [(party.files(), party.records()) for party in watched] == before


def refused(party: Party, error: type[FrostHsmError], step: Callable[[], object]) -> FrostHsmError:
    with nothing_changes(party), pytest.raises(error) as caught:
        step()
    return caught.value


def no_token() -> Holder:
    raise AssertionError("the token was opened")


def roll_back(party: Party, copy: Path) -> None:
    shutil.rmtree(party.directory / "home")
    shutil.copytree(copy, party.directory / "home")


def copy_home(party: Party, name: str) -> Path:
    copy = party.directory / name
    shutil.copytree(party.directory / "home", copy)
    return copy


def test_all_end_with_the_same_key_and_can_sign(trio: list[Party]) -> None:
    parties.generate(trio)
    keys = [party.key() for party in trio]
    assert {key.verifying_key for key in keys} == {keys[0].verifying_key}
    assert {key.status for key in keys} == {KeyStatus.ACTIVE}
    assert {key.transcript for key in keys} == {keys[0].transcript}
    assert len(parties.sign(trio[1:], b"message")) == 65


def test_only_the_share_is_left_in_the_token(trio: list[Party]) -> None:
    """What settles a dispute about the rounds goes when the key is used for the first time."""
    parties.generate(trio)
    for party in trio:
        assert sorted(name.split(".")[0] for name in party.records()) == ["round2-done", "signing-share"]
    parties.sign(trio[:2], b"message")
    parties.sign(trio[1:], b"message")
    for party in trio:
        assert [name.split(".")[0] for name in party.records()] == ["signing-share"]


def test_every_step_repeats_itself_without_the_token(trio: list[Party]) -> None:
    alice = trio[0]
    proposal = parties.propose(trio)
    first = parties.round1(trio, proposal)
    ceremony = alice.ceremony()
    with nothing_changes(alice):
        assert ceremony.round1(no_token) == first["alice"]
    second = parties.round2(trio, first)
    with nothing_changes(alice):
        assert ceremony.round1(no_token) == first["alice"]
        assert ceremony.round2(no_token, inbox(first.values())) == second["alice"]
        assert ceremony.round2(no_token, inbox()) == second["alice"]
    third = parties.finish(trio, first, second)
    with nothing_changes(alice):
        assert ceremony.finish(no_token, inbox(first.values(), second.values())).message == third["alice"]
        assert ceremony.finish(no_token, inbox()).message == third["alice"]
    parties.confirm(trio, third)
    with nothing_changes(alice):
        assert ceremony.confirm(inbox(third.values())) == ceremony.finish(no_token, inbox())
        assert ceremony.confirm(inbox()).message == third["alice"]


def test_steps_wait_for_everybody_and_say_for_whom(trio: list[Party]) -> None:
    alice, _, carol = trio
    first = parties.round1(trio, parties.propose(trio))
    error = refused(alice, NotYet, lambda: alice.ceremony().round2(alice.holder, inbox(first["bob"])))
    assert "carol" in str(error)
    assert "bob" not in str(error)
    assert error.hint is not None
    assert "treasury.carol.round1.pem" in error.hint
    second = parties.round2(trio, first)
    refused(alice, NotYet, lambda: alice.ceremony().finish(alice.holder, inbox(second["bob"])))
    third = parties.finish(trio, first, second)
    refused(carol, NotYet, lambda: carol.ceremony().confirm(inbox(third["bob"])))


def test_a_step_before_its_time_is_refused(trio: list[Party]) -> None:
    alice = trio[0]
    proposal = parties.propose(trio)
    first = parties.round1(trio[1:], proposal)
    refused(alice, NotKnown, lambda: alice.ceremony().round2(alice.holder, inbox(first.values())))
    alice.join(proposal)
    refused(alice, NotKnown, lambda: alice.ceremony().round2(alice.holder, inbox(first.values())))
    refused(alice, NotKnown, lambda: alice.ceremony().finish(alice.holder, inbox(first.values())))
    refused(alice, NotKnown, lambda: alice.ceremony().confirm(inbox()))


def test_nobody_takes_part_without_agreeing(trio: list[Party]) -> None:
    alice = trio[0]
    proposal = signed.read(parties.propose(trio)).expect(Proposal)
    ceremony = KeyGeneration(alice.home, proposal, alice.public)
    refused(alice, NotPossible, lambda: ceremony.round1(alice.holder))


def test_a_pending_key_does_not_sign_and_a_late_finisher_makes_it_active(trio: list[Party]) -> None:
    """K14: nobody uses the key before all have it, and whoever missed the end can still finish."""
    alice, bob, carol = trio
    first = parties.round1(trio, parties.propose(trio))
    second = parties.round2(trio, first)
    third = parties.finish([alice, bob], first, second)
    assert alice.key().status is KeyStatus.PENDING
    with alice.holder() as holder:
        refused(alice, NotYet, lambda: signing.request(holder, alice.key(), b"message", ["alice", "bob"]))
    refused(alice, NotYet, lambda: alice.ceremony().confirm(inbox(third.values())))
    third |= parties.finish([carol], first, second)
    parties.confirm(trio, third)
    assert len(parties.sign([carol, bob], b"message")) == 65


def test_another_proposal_of_the_same_name_is_refused(trio: list[Party]) -> None:
    """K24: a ceremony's id is fresh, and one name stands for one ceremony."""
    alice = trio[0]
    one, other = parties.propose(trio), parties.propose(trio)
    ceremony = alice.join(one)
    refused(alice, StepConflict, lambda: alice.join(other))
    ceremony.abort(alice.holder)
    refused(alice, CeremonyStopped, lambda: alice.join(one))
    alice.join(other)


def test_a_proposal_with_strangers_or_impostors_is_refused(trio: list[Party], tmp_path: Path) -> None:
    """K16: the roster consists of known people under the identities that were compared."""
    alice, bob, carol = trio
    impostor, stranger = parties.gather(tmp_path / "others", ["bob", "dave"])
    for other in (impostor, stranger):
        proposal = signed.read(parties.propose([carol, alice, other])).expect(Proposal)
        ceremony = KeyGeneration(alice.home, proposal, alice.public)
        known = {party.name: party.public for party in (bob, carol)}
        refused(alice, UnknownSender, lambda c=ceremony, k=known: c.check_roster(k))
    proposal = signed.read(parties.propose([bob, carol])).expect(Proposal)
    refused(alice, NotPossible, lambda: KeyGeneration(alice.home, proposal, alice.public))


def test_giving_up_leaves_nothing_secret_and_is_for_good(trio: list[Party]) -> None:
    alice = trio[0]
    proposal = parties.propose(trio)
    first = parties.round1(trio, proposal)
    parties.round2([alice], first)
    alice.ceremony().abort(alice.holder)
    assert alice.records() == {}
    refused(alice, CeremonyStopped, lambda: alice.join(proposal))
    with pytest.raises(NotKnown):
        alice.ceremony()


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_directory_from_before_giving_up_begins_nothing_again(trio: list[Party], is_begun: bool) -> None:
    """The token remembers: whoever gave up after round 1 would else draw other secrets in the same ceremony."""
    alice = trio[0]
    proposal = parties.propose(trio)
    alice.join(proposal)
    copy = copy_home(alice, "before-round1")
    first = parties.round1(trio, proposal)
    copy = copy_home(alice, "before-giving-up") if is_begun else copy
    alice.ceremony().abort(alice.holder)
    roll_back(alice, copy)
    step = partial(alice.ceremony().round2, alice.holder, inbox(first.values()))
    refused(alice, CeremonyStopped, step if is_begun else lambda: alice.ceremony().round1(alice.holder))


def test_an_active_key_is_not_aborted_but_deleted(trio: list[Party]) -> None:
    key = parties.generate(trio)
    alice = trio[0]
    refused(alice, NotPossible, lambda: alice.ceremony().abort(alice.holder))
    with alice.holder() as holder:
        key.delete(holder, alice.home)
    assert alice.records() == {}
    assert GroupKey.names(alice.home) == []


@pytest.mark.parametrize("step", ["round1", "round2", "finish", "confirm"])
def test_an_older_state_directory_changes_nothing_that_was_said(trio: list[Party], step: str) -> None:
    """S4 for key generation: whatever Alice says again has the contents that she said first, and it completes."""
    alice = trio[0]
    proposal = parties.propose(trio)
    alice.join(proposal)
    copies = {"round1": copy_home(alice, "before-round1")}
    first = parties.round1(trio, proposal)
    copies["round2"] = copy_home(alice, "before-round2")
    second = parties.round2(trio, first)
    copies["finish"] = copy_home(alice, "before-finish")
    third = parties.finish(trio, first, second)
    copies["confirm"] = copy_home(alice, "before-confirm")
    parties.confirm(trio, third)

    roll_back(alice, copies[step])
    ceremony = alice.ceremony()
    everything = (first.values(), second.values(), third.values())
    if step == "round1":
        refused(alice, StateRolledBack, lambda: ceremony.round1(alice.holder))
    if step in ("round1", "round2"):
        others = [first["bob"], first["carol"], first["alice"]]
        refused(alice, StateRolledBack, lambda: ceremony.round2(alice.holder, inbox(others)))
        assert ceremony.round2(alice.holder, inbox(*everything)) == second["alice"]
    again = ceremony.finish(alice.holder, inbox(*everything)).message
    roster = ceremony.roster
    digests = [signed.read(data, roster).content_digest for data in (again, third["alice"])]
    assert digests[0] == digests[1]
    ceremony.confirm(inbox(*everything))
    assert len(parties.sign(trio[:2], b"message")) == 65


def test_another_public_key_package_than_the_confirmed_one_is_refused(trio: list[Party]) -> None:
    parties.generate(trio)
    parties.generate(trio, name="other")
    alice = trio[0]
    other = alice.home.read(f"{alice.folder('other')}/public-key-package.json")
    alice.home.replace(f"{alice.folder()}/public-key-package.json", other)
    refused(alice, StorageProblem, alice.key)


def test_status_says_what_comes_next(trio: list[Party]) -> None:
    alice = trio[0]
    proposal = parties.propose(trio)
    alice.join(proposal)
    seen = [alice.ceremony().status()]
    first = parties.round1(trio, proposal)
    seen.append(alice.ceremony().status())
    second = parties.round2(trio, first)
    seen.append(alice.ceremony().status())
    third = parties.finish(trio, first, second)
    seen.append(alice.ceremony().status())
    parties.confirm(trio, third)
    seen.append(alice.ceremony().status())
    assert [status.step for status in seen] == ["round1", "round2", "finish", "confirm", "active"]
    assert seen[1].missing == ("bob", "carol")


def test_messages_of_all_kinds_may_lie_together(trio: list[Party]) -> None:
    alice = trio[0]
    proposal = parties.propose(trio)
    first = parties.round1(trio, proposal)
    second = parties.round2(trio, first)
    everything = inbox(proposal, first.values(), second.values())
    assert alice.ceremony().finish(alice.holder, everything)
    assert {Round1, Round2} <= {type(each) for each in _kept(alice)}
    assert Confirmation in {type(each) for each in _kept(alice)}


def test_a_disk_that_is_full_at_any_write_loses_nothing(trio: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write of Alice's fails once; she runs the same step again, and in the end there is a key."""
    alice, *others = trio
    changing = StateDirectory._changing
    failures = 0

    def failing_after(good_writes: int) -> Callable[[StateDirectory, Path], AbstractContextManager[None]]:
        left = iter(range(good_writes))

        def fail(home: StateDirectory, path: Path) -> AbstractContextManager[None]:
            if next(left, None) is None:
                raise StorageProblem("no space left")
            return changing(home, path)

        return fail

    def persist(step: Callable[[], bytes]) -> bytes:
        nonlocal failures
        for good_writes in range(20):
            monkeypatch.setattr(StateDirectory, "_changing", failing_after(good_writes))
            try:
                return step()
            except StorageProblem:
                failures += 1
            finally:
                monkeypatch.setattr(StateDirectory, "_changing", changing)
        raise AssertionError("it never got through")

    proposal = parties.propose(trio)
    first = parties.round1(others, proposal)
    first["alice"] = persist(lambda: alice.join(proposal).round1(alice.holder))
    second = parties.round2(others, first)
    second["alice"] = persist(lambda: alice.ceremony().round2(alice.holder, inbox(first.values())))
    third = parties.finish(others, first, second)
    third["alice"] = persist(
        lambda: alice.ceremony().finish(alice.holder, inbox(first.values(), second.values())).message
    )
    persist(lambda: alice.ceremony().confirm(inbox(third.values())).message)
    parties.confirm(others, third)
    assert failures > 6
    wanted = parties.request(trio[:2], b"message")
    commitments = parties.commit(others[:1], wanted)
    commitments["alice"] = persist(lambda: alice.session(wanted).commit(alice.holder))
    for good_writes in range(20):
        taken = inbox(commitments.values())
        with monkeypatch.context() as patched:
            patched.setattr(StateDirectory, "_changing", failing_after(good_writes))
            with suppress(StorageProblem):
                responses = parties.respond(trio[:2], wanted, commitments)
                break
        with suppress(NonceUsed):  # the pair of nonces is lost, if it was touched: a new request serves
            alice.session(wanted).respond(alice.holder, taken)
        wanted = parties.request(trio[:2], b"message")
        commitments = parties.commit(trio[:2], wanted)
    assert good_writes > 3
    assert alice.session(wanted).aggregate(inbox(commitments.values(), responses.values()))


def test_the_largest_polynomial_fits_into_a_record(trio: list[Party]) -> None:
    alice = trio[0]
    identifier = Identifier.from_u16(P256, 1)
    secret, package = dkg.part1(P256, identifier, max_signers=MAX_PARTICIPANTS, min_signers=MAX_PARTICIPANTS)
    context = own_context(alice.public, bytes(32), Kind.ROUND1_STATE, P256.id)
    proof = package.proof_of_knowledge.serialize()
    with secret.serialize() as state, Secret.join(state, proof) as plaintext, alice.holder() as holder:
        SealedRecords(holder, alice.home).put("largest", context, plaintext)
        assert SealedRecords(holder, alice.home).get("largest", context).equals(plaintext)


def _kept(party: Party) -> list[object]:
    ceremony = party.ceremony()
    kinds = (Round1, Round2, Confirmation)
    return [said.message for kind in kinds for said in ceremony.transcript.known(kind).values()]
