"""Backups taken at every instant of a key's life, restored at every later one: nothing that is over comes back.

Alice gives a refresh up, makes another, signs, takes somebody new in and deletes her share. Before every system call of
hers that changes something, all that she has is copied, which is what a kill there leaves. Of each copy a backup is
made; it is restored in each later copy, over what is there and in a fresh directory that takes the token over. A sample
of pairs is taken, always the same one; FROST_HSM_EVERY=instants takes all that differ.
"""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from crashes.stage import TAKES_ALL
from stage import parties, upkeep
from stage.disk import Disk
from stage.parties import KEY, Party

from frost_hsm.ceremony.history import backup
from frost_hsm.ceremony.sealing.marks import Marks
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sharing import recovery
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import CeremonyStopped, KeyNotFound, NotKnown, StateRolledBack

APART = 1 if TAKES_ALL else 47  # instants
PAIRS = 12
GONE = 3
"""Pairs of which at least as many are of a share that is gone."""
OTHER = "another"
"""A key that has no trouble."""

OVER = (CeremonyStopped, StateRolledBack, NotKnown)
"""How a key refuses to come back; `NotKnown`: it was passed over."""


@dataclass(frozen=True, slots=True)
class Copy:
    """All that Alice had at an instant. records: names of what her token held; ended: of what it held before."""

    directory: Path
    records: frozenset[str]
    ended: frozenset[str]
    newest: int
    is_gone: bool


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup, and the first copy that it is of."""

    at: int
    data: bytes


class Life:
    """What Alice has at every instant, in order, without those that are alike; and all backups that differ."""

    def __init__(self, directory: Path) -> None:
        self._kept = directory / "kept"
        people = parties.gather(directory / "people", ["alice", "bob"])
        self.alice = people[0]
        self._seen: set[str] = set()
        self._left: set[bytes] = set()
        self.copies: list[Copy] = []
        self.backups: list[Backup] = []
        for name in (OTHER, KEY):
            parties.generate(people, name=name)
        self.key = self.alice.key()
        [carol] = parties.gather(directory / "later", ["carol"])
        for party in people:
            party.home.put("peers/carol.pem", carol.public.to_pem())
        with self._copying():
            self._live(people, carol)
        self._take()

    def _live(self, people: list[Party], carol: Party) -> None:
        alice = people[0]
        upkeep.round2(people, upkeep.round1(people, upkeep.propose(alice)))
        for party in people:
            assert upkeep.load(party).abort(party.holder)
        upkeep.refresh(people)
        parties.sign(people, b"pay 5 to dave")
        upkeep.repair(carol, 3, people, people)
        with alice.holder() as holder:
            alice.key().delete(holder, alice.home)

    @contextmanager
    def _copying(self) -> Iterator[None]:
        calls = itertools.count()

        def before() -> None:
            if next(calls) % APART == 0:
                disk.leave()
                self._take()
                disk.__enter__()

        with Disk(self.alice.directory, before=before) as disk:
            yield

    def _take(self) -> None:
        """Copy what there is, unless it is what there was, and make a backup of the copy."""
        kept = self._kept / str(len(self.copies))
        shutil.copytree(self.alice.directory, kept)
        there = Party("alice", kept, f"software:{kept / 'alice.token'}")
        made = self._backup(there)  # which ends what is in flight
        with there.open_token() as token:
            names = frozenset(token.record_names())
        with there.holder() as holder:
            marks = Marks(holder, there.home)
            newest, is_gone = marks.newest(self.key.ceremony) or (0, b""), marks.is_gone(self.key.ceremony)
        look = repr((sorted(names), {name: data for name, data in there.files().items() if "lock" not in name}))
        if look in self._seen:
            shutil.rmtree(kept)
            return
        self._seen.add(look)
        earlier = frozenset().union(*(copy.records for copy in self.copies))
        self.copies.append(Copy(kept, names, earlier - names, newest[0], is_gone))
        content = backup.parse(made).encode()
        if content not in self._left:
            self._left.add(content)
            self.backups.append(Backup(len(self.copies) - 1, made))

    def _backup(self, there: Party) -> bytes:
        """Make a backup, and see that all in it can be read again."""
        with there.holder() as holder:
            made = backup.create(there.home, holder, [])
        read = backup.read(made.data)
        assert (made.left_out, read.damaged) == ({}, {})
        assert sorted(history.plan.name for history in read.keys) == sorted(made.keys)
        assert OTHER in made.keys
        return made.data

    def put_back(self, copy: Copy) -> None:
        shutil.rmtree(self.alice.directory)
        shutil.copytree(copy.directory, self.alice.directory)

    def begin_afresh(self) -> None:
        """Lose the state directory, and begin with a new one, as ``init --take-over`` makes it."""
        home = self.alice.directory / "home"
        kept = {name: (home / name).read_bytes() for name in ("config.toml", "identity.pem")}
        shutil.rmtree(home)
        fresh = StateDirectory.create(home)
        for name, data in kept.items():
            fresh.replace(name, data)
        with self.alice.holder() as holder:
            Marks(holder, fresh).take_over()

    def pairs(self) -> list[tuple[Backup, Copy]]:
        found = [(each, copy) for each in self.backups for copy in self.copies[each.at :]]
        if TAKES_ALL:
            return found
        gone = [pair for pair in found if pair[1].is_gone]  # few, and of another kind
        rng = random.Random(8)
        return [*rng.sample(found, PAIRS - len(gone[:GONE])), *rng.sample(gone, len(gone[:GONE]))]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return Life(tmp_path_factory.mktemp("life"))


@pytest.mark.parametrize("is_fresh", [False, True], ids=["over what is there", "in a fresh directory"])
def test_nothing_comes_back_that_the_token_has_seen_the_end_of(life: Life, is_fresh: bool) -> None:
    ends = set()
    for each, copy in life.pairs():
        life.put_back(copy)
        if is_fresh:
            life.begin_afresh()
        alice = life.alice
        restored = backup.restore(alice.home, each.data, alice.public)
        assert OTHER not in restored.passed_over
        assert recovery.recover(alice.home, OTHER, alice.public, alice.holder).was_there
        error = None
        try:
            recovery.recover(alice.home, KEY, alice.public, alice.holder)
        except OVER as refused:
            error = type(refused)
        assert error is not None or not copy.is_gone
        require_not_behind(alice, copy)
        with alice.open_token() as token:
            assert not copy.ended.intersection(token.record_names()), (each.at, copy.directory.name)
        ends.add(error)
    assert ends >= {None, CeremonyStopped}


def require_not_behind(alice: Party, copy: Copy) -> None:
    """Nobody signs in a state that the token has left behind."""
    with suppress(*OVER, KeyNotFound), alice.holder() as holder:
        key = alice.key()
        key.unseal(SealedRecords(holder, alice.home)).wipe()
        assert key.state.height >= copy.newest


def test_a_backup_of_every_instant_is_of_both_keys_until_one_is_gone(life: Life) -> None:
    found = [sorted(history.plan.name for history in backup.read(each.data).keys) for each in life.backups]
    assert found == [[OTHER, KEY]] * (len(found) - 1) + [[OTHER]]
    assert len(found) > 5
