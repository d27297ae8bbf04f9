"""What a token remembers: whose it is, how far a key went, what was voted and what is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stage import parties
from stage.parties import Party

from frost_hsm.ceremony.people.identity import Holder, RecordPlace
from frost_hsm.ceremony.sealing.marks import Marks, is_mark
from frost_hsm.ceremony.sealing.shelf import Shelf
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import KeyExists, KeyNotFound, StateRolledBack, StepConflict, TokenLost, TokenOwnedElsewhere

KEY, OTHER_KEY = bytes([1]) * 32, bytes([2]) * 32
SAID = bytes([9]) * 32
STATES = [bytes([10 + number]) * 32 for number in range(4)]


@pytest.fixture
def alice(tmp_path: Path) -> Party:
    alice = parties.gather(tmp_path, ["alice"])[0]
    with alice.open_token() as token:
        for name in token.record_names():
            token.delete_record(name)
    return alice


@pytest.fixture
def holder(alice: Party) -> Iterator[Holder]:
    with alice.holder() as holder:
        yield holder


@pytest.fixture
def marks(alice: Party, holder: Holder) -> Marks:
    return Marks(holder, alice.home)


@pytest.fixture
def others(alice: Party, holder: Holder) -> Marks:
    return Marks(holder, StateDirectory.create(alice.directory / "other"))


class Stopping:
    """A token that is gone after some changes."""

    def __init__(self, token: Any, changes: int) -> None:
        self._token = token
        self._left = changes

    def __getattr__(self, name: str) -> Any:
        if name in ("write_record", "delete_record"):
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
        return getattr(self._token, name)


# ── Whose token it is ──


def test_the_first_directory_that_comes_has_the_token(alice: Party, marks: Marks, others: Marks) -> None:
    assert not marks.is_owned_elsewhere()
    marks.require_own()
    marks.require_own()
    assert others.is_owned_elsewhere()
    with pytest.raises(TokenOwnedElsewhere) as caught:
        others.require_own()
    assert "frost-hsm init --take-over" in str(caught.value.hint)
    [mark] = alice.marks()
    assert mark.split(".")[0::2] == ["owner", alice.home.id[:16].hex()]


def test_a_token_that_keeps_nothing_is_lost_and_not_of_another(
    alice: Party, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a token of SoftHSM2 looks whose files were taken away."""
    monkeypatch.setattr(type(holder.token), "record_names", lambda *_: [])
    with pytest.raises(TokenLost, match="does not hold what was just written"):
        Marks(holder, alice.home).require_own()


def test_taking_over_shuts_the_other_out(alice: Party, holder: Holder, marks: Marks, others: Marks) -> None:
    marks.require_own()
    holder.token.write_record("signing-nonces.of.somebody", b"sealed")
    holder.token.write_record("signing-share.of.somebody", b"sealed")
    others.take_over()
    others.require_own()
    with pytest.raises(TokenOwnedElsewhere):
        marks.require_own()
    assert list(alice.records()) == ["signing-share.of.somebody"], "whether nonces have served is known elsewhere"
    holder.token.write_record("signing-nonces.of.somebody", b"sealed")
    others.take_over()
    assert len(alice.records()) == 2, "its own stay"


@pytest.mark.parametrize("changes", range(3))
def test_taking_over_may_be_cut_short(alice: Party, holder: Holder, marks: Marks, others: Marks, changes: int) -> None:
    marks.require_own()
    holder.token.write_record("signing-nonces.of.somebody", b"sealed")
    cut = replace(holder, token=Stopping(holder.token, changes))  # type: ignore[arg-type]
    home = StateDirectory.open(alice.directory / "other")
    with pytest.raises(KeyboardInterrupt):
        Marks(cut, home).take_over()
    with pytest.raises(TokenOwnedElsewhere):
        others.require_own()
    if changes:
        with alice.holder() as opened_anew, pytest.raises(TokenOwnedElsewhere):
            Marks(opened_anew, alice.home).require_own()
    others.take_over()
    others.require_own()
    assert alice.records() == {}
    assert len(alice.marks()) == 1


def test_two_identities_on_one_token_know_nothing_of_each_other(tmp_path: Path) -> None:
    def token(name: str, folder: Path) -> str:
        return parties.software_token(folder / "it.token") if name == "alice" else f"software:{tmp_path}/alice/it.token"

    alice, bob = parties.gather(tmp_path, ["alice", "bob"], new_token=token)
    for party in (alice, bob):
        with party.holder() as holder:
            Marks(holder, party.home).require_own()
            Marks(holder, party.home).seen_state(KEY, 2 if party is alice else 1, STATES[0])
    with bob.holder() as holder:
        Marks(holder, bob.home).require_not_behind(KEY, 1, STATES[0])


# ── How far a key went ──


def test_who_went_back_is_found_out(marks: Marks, alice: Party) -> None:
    assert marks.newest(KEY) is None
    marks.require_not_behind(KEY, 0, STATES[0])
    for height, state in enumerate(STATES[:3]):
        marks.seen_state(KEY, height, state)
    marks.seen_state(KEY, 2, STATES[2])
    marks.seen_state(OTHER_KEY, 0, STATES[0])
    assert marks.newest(KEY) == (2, STATES[2][:16])
    marks.require_not_behind(KEY, 2, STATES[2])
    marks.require_not_behind(KEY, 3, STATES[3])
    for height, state in ((0, STATES[0]), (1, STATES[2]), (2, STATES[3])):
        for look in (marks.require_not_behind, marks.seen_state):
            with pytest.raises(StateRolledBack):
                look(KEY, height, state)
    assert sum(name.startswith("state.") for name in alice.marks()) == 2


def test_the_newer_state_is_written_first(alice: Party, holder: Holder, marks: Marks) -> None:
    marks.seen_state(KEY, 1, STATES[1])
    cut = replace(holder, token=Stopping(holder.token, 1))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        Marks(cut, alice.home).seen_state(KEY, 2, STATES[2])
    assert marks.newest(KEY) == (2, STATES[2][:16])
    marks.seen_state(KEY, 2, STATES[2])
    assert len(alice.marks()) == 1


# ── What was voted, what is over ──


def test_votes_are_remembered_until_they_are_settled(marks: Marks) -> None:
    for opening in STATES[1:3]:
        marks.vote(STATES[0], opening, SAID)
        marks.vote(STATES[0], opening, SAID)
    marks.vote(STATES[3], STATES[1], SAID)
    marks.dealt(STATES[1])
    marks.dealt(STATES[2])
    assert marks.votes(STATES[0]) == {STATES[1][:16], STATES[2][:16]}
    marks.forget(STATES[:2], STATES[1:2])
    assert marks.votes(STATES[0]) == frozenset()
    assert marks.votes(STATES[3]) == {STATES[1][:16]}
    assert [marks.has_dealt(each) for each in STATES] == [False, False, True, False]


def test_one_thing_is_confirmed_in_one_way(marks: Marks, alice: Party) -> None:
    marks.vote(STATES[0], STATES[1], SAID)
    before = alice.marks()
    with pytest.raises(StepConflict, match="confirmed this before, with other messages"):
        marks.vote(STATES[0], STATES[1], bytes(32))
    assert alice.marks() == before


def test_who_was_in_a_state_that_was_overtaken_may_go_on(marks: Marks) -> None:
    marks.seen_state(KEY, 1, STATES[0])
    marks.require_not_behind(KEY, 1, STATES[1], [STATES[0]])
    assert marks.seen_state(KEY, 1, STATES[1], [STATES[0]])
    with pytest.raises(StateRolledBack):
        marks.require_not_behind(KEY, 1, STATES[0], [STATES[2]])
    assert not marks.seen_state(KEY, 1, STATES[1])


def test_what_is_gone_stays_so(marks: Marks, alice: Party) -> None:
    marks.seen_state(KEY, 4, STATES[0])
    marks.dealt(KEY)
    assert not marks.is_gone(KEY)
    marks.gone(KEY)
    marks.gone(KEY)
    assert marks.is_gone(KEY)
    assert not marks.is_gone(OTHER_KEY)
    assert marks.newest(KEY) is None
    assert [name.split(".")[0] for name in alice.marks()] == ["gone"]


# ── Where records lie ──


@pytest.fixture(params=RecordPlace)
def shelf(alice: Party, holder: Holder, request: pytest.FixtureRequest) -> Shelf:
    return Shelf(replace(holder, identity=replace(holder.identity, records=request.param)), alice.home)


def test_a_record_is_written_once_and_destroyed_once(shelf: Shelf) -> None:
    shelf.write("name", b"first")
    with pytest.raises(KeyExists):
        shelf.write("name", b"second")
    assert (shelf.names(), shelf.read("name")) == (["name"], b"first")
    shelf.destroy("name")
    for use in (shelf.read, shelf.destroy):
        with pytest.raises(KeyNotFound):
            use("name")
    shelf.discard("name")


@pytest.mark.parametrize("remove", [Shelf.destroy, Shelf.discard])
def test_nothing_stays_where_nobody_looks(
    alice: Party, holder: Holder, shelf: Shelf, remove: Callable[[Shelf, str], None]
) -> None:
    """Whatever the configuration says of the place, and said before."""
    for place in RecordPlace:
        Shelf(replace(holder, identity=replace(holder.identity, records=place)), alice.home).write("name", b"sealed")
    assert shelf.names() == ["name"]
    remove(shelf, "name")
    assert shelf.names() == []
    assert not alice.home.exists("sealed/name")
    assert alice.records() == {}


def test_what_is_in_the_other_place_alone_is_nobodys_to_use(alice: Party, holder: Holder) -> None:
    """Two who destroy a record of which one has a copy in their directory: exactly one is told that they did."""
    alice.home.put("sealed/name", b"sealed")
    settled = Shelf(replace(holder, identity=replace(holder.identity, records=RecordPlace.TOKEN)), alice.home)
    with pytest.raises(KeyNotFound):
        settled.destroy("name")
    assert settled.names() == []


def test_marks_are_told_from_records() -> None:
    assert is_mark("owner.0011.2233")
    assert not is_mark("signing-share.00.1")
