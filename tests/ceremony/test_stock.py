"""One's own pairs of nonces that are made ahead for all to take up, kept filled up whatever becomes of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from stage import parties, upkeep
from stage.parties import Party

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.using import Prepared
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sharing.refresh import note_signed
from frost_hsm.ceremony.signing.ahead import Offered, Stock
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.frost.packages import SigningCommitments

COUNT = 3
REQUEST = bytes(32)


def fill_up(
    party: Party, offered: Offered, is_over: Callable[[bytes], bool] = lambda request: False
) -> tuple[int, tuple[bytes, ...]]:
    """Fill up and hand out; returns how many were made, and their commitments."""
    key = party.key()
    with party.holder() as holder:
        made, data = Stock(key, party.home).fill_up(holder, COUNT, offered, is_over)
    if data is None:
        return made, ()
    said = signed.read(data, key.roster).expect(Prepared)
    offered.offer(said.message, said.sender)
    return made, said.message.commitments


def waiting(party: Party) -> int:
    with party.holder() as holder:
        return len(SealedSigner(party.key(), holder, party.home).prepared())


def left(party: Party, offered: Offered) -> int:
    return max(count for count in range(COUNT + 1) if count == 0 or offered.left(party.key(), [party.name], count))


def test_what_is_taken_up_is_made_anew_and_nothing_else(trio: list[Party]) -> None:
    alice, offered = trio[0], Offered()
    made, first = fill_up(alice, offered)
    assert (made, waiting(alice), left(alice, offered)) == (COUNT, COUNT, COUNT)
    assert fill_up(alice, offered) == (0, ())
    offered.take(first[:2], REQUEST, trio[1].public)
    assert left(alice, offered) == 1
    made, _ = fill_up(alice, offered)
    assert (made, waiting(alice), left(alice, offered)) == (2, COUNT + 2, COUNT), "what was taken still waits"


def test_what_was_taken_by_a_request_that_is_over_is_destroyed(trio: list[Party]) -> None:
    alice, offered = trio[0], Offered()
    _, first = fill_up(alice, offered)
    offered.take(first, REQUEST, trio[1].public)
    fill_up(alice, offered)
    assert waiting(alice) == 2 * COUNT
    assert fill_up(alice, offered, lambda request: request == REQUEST) == (0, ())
    assert waiting(alice) == COUNT
    assert len(Stock(alice.key(), alice.home).handed_out()) == 1, "of the first message nothing is left"


def test_what_was_discarded_by_hand_is_made_anew(trio: list[Party]) -> None:
    alice, offered = trio[0], Offered()
    fill_up(alice, offered)
    with alice.holder() as holder:
        assert SealedSigner(alice.key(), holder, alice.home).discard_prepared() == COUNT
    made, _ = fill_up(alice, offered)
    assert (made, waiting(alice)) == (COUNT, COUNT)


@pytest.mark.parametrize("sealed", range(COUNT + 1))
def test_who_is_killed_while_pairs_are_sealed_leaves_none_that_nobody_knows_of(
    trio: list[Party], sealed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = trio[0]
    put, room = SealedRecords.put, iter(range(sealed))

    def put_until_killed(self: SealedRecords, *arguments: object) -> None:
        if next(room, None) is None:
            os._exit(9)
        put(self, *arguments)  # type: ignore[arg-type]

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(SealedRecords, "put", put_until_killed)
        fill_up(alice, Offered())
        os._exit(9)  # before anything was posted
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert waiting(alice) == sealed
    stock, offered = Stock(alice.key(), alice.home), Offered()
    made, _ = fill_up(alice, offered)
    assert (made, waiting(alice)) == (0 if sealed == COUNT else COUNT, COUNT)
    assert len(stock.handed_out()) == 1, "all that waits is handed out, and nothing that does not"


def test_a_refresh_ends_what_was_made_ahead_of_it(trio: list[Party]) -> None:
    alice, bob, _ = trio
    fill_up(alice, Offered())
    upkeep.refresh(trio)
    stock = Stock(alice.key(), alice.home)
    assert stock.handed_out() == []
    made, _ = fill_up(alice, Offered())
    assert made == COUNT
    parties.sign([alice, bob], b"as many as sign are in the new epoch")
    assert waiting(alice) == COUNT
    assert len(alice.home.names("prepared")) == 1


def test_where_all_sign_with_nonces_made_ahead_filling_up_retires_the_old_share(trio: list[Party]) -> None:
    alice, offered = trio[0], Offered()
    upkeep.refresh(trio)
    fill_up(alice, offered)
    assert shares(alice) == 2, "nobody has been seen to sign with the new ones"
    note_signed(alice.key(), alice.home)
    fill_up(alice, offered)
    assert shares(alice) == 1


def shares(party: Party) -> int:
    return sum(name.startswith("signing-share.") for name in party.records())


def test_of_others_what_is_taken_is_not_found_in_whatever_order_it_is_heard(trio: list[Party]) -> None:
    alice, bob, _ = trio
    key, offered = alice.key(), Offered()
    _, hers = fill_up(alice, offered)
    later = Offered()
    later.take(hers[1:], REQUEST, bob.public)
    later.offer(Prepared(key.ceremony, key.state.digest, hers), alice.public)
    later.offer(Prepared(key.ceremony, key.state.digest, (b"garbage",)), bob.public)
    later.offer(Prepared(key.ceremony, bytes(32), (hers[0],)), bob.public)
    found = later.left(key, ["bob", "alice"], 1)
    assert {name: [each.serialize() for each in made] for name, made in found.items()} == {"alice": [hers[0]]}
    assert later.taken_by(key, hers[1]) == [REQUEST]


def test_nobody_hands_out_what_somebody_else_has(trio: list[Party]) -> None:
    """Carol says that Alice's pairs are hers: they stay Alice's, and Carol has none."""
    alice, _, carol = trio
    offered = Offered()
    _, first = fill_up(alice, offered)
    key = carol.key()
    offered.offer(Prepared(key.ceremony, key.state.digest, first), carol.public)
    assert (left(alice, offered), left(carol, offered)) == (COUNT, 0)


def test_who_has_no_part_in_a_key_takes_up_nothing_of_it(trio: list[Party], tmp_path: Path) -> None:
    """Mallory, whom Alice knows, says that a request takes up what Alice handed out, and that all of it is hers."""
    alice, bob, _ = trio
    [mallory] = parties.gather(tmp_path / "others", ["mallory"])
    key, offered = alice.key(), Offered()
    _, first = fill_up(alice, offered)
    later = Offered()
    later.offer(Prepared(key.ceremony, key.state.digest, first), mallory.public)
    later.take(first, REQUEST, mallory.public)
    later.offer(Prepared(key.ceremony, key.state.digest, first), alice.public)
    assert left(alice, later) == COUNT
    assert fill_up(alice, later, lambda request: True) == (0, ())
    later.take(first, b"\1" * 32, bob.public)
    assert [later.taken_by(key, each) for each in first] == [[b"\1" * 32]] * COUNT


def test_what_is_no_commitment_is_looked_at_once(trio: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bob hands out as much of it as a message holds, and Alice asks again and again."""
    alice, bob, _ = trio
    key, offered, read = alice.key(), Offered(), []
    real = SigningCommitments.deserialize
    monkeypatch.setattr(SigningCommitments, "deserialize", lambda *given: read.append(given) or real(*given))
    garbage = tuple(number.to_bytes(66, "big") for number in range(1024))
    offered.offer(Prepared(key.ceremony, key.state.digest, garbage), bob.public)
    for _ in range(3):
        assert offered.left(key, ["alice", "bob"], 1) == {}
    assert len(read) == len(garbage)


def test_what_an_open_request_takes_up_is_not_destroyed_for_what_others_say(trio: list[Party]) -> None:
    """Carol says first that a request of hers takes up what Bob's does, and nobody ever hears of that one."""
    alice, bob, carol = trio
    offered = Offered()
    _, first = fill_up(alice, offered)
    offered.take(first, b"\1" * 32, carol.public)
    offered.take(first, REQUEST, bob.public)
    fill_up(alice, offered, lambda request: request != REQUEST)
    assert waiting(alice) == 2 * COUNT
    fill_up(alice, offered, lambda request: True)
    assert waiting(alice) == COUNT


def test_what_an_open_request_takes_up_is_not_destroyed_with_the_others_of_its_message(trio: list[Party]) -> None:
    """One of them has served, and what took it up is not on the board any more."""
    alice, bob, _ = trio
    offered = Offered()
    _, first = fill_up(alice, offered)
    offered.take(first[:1], REQUEST, bob.public)
    with alice.holder() as holder:
        signer = SealedSigner(alice.key(), holder, alice.home)
        signer.forget([hashlib.sha256(first[1]).digest()])
    made, _ = fill_up(alice, offered)
    with alice.holder() as holder:
        there = SealedSigner(alice.key(), holder, alice.home).are_prepared(first)
    assert (made, there) == (COUNT, [first[0]])
