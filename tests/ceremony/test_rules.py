"""The rules by which people who share a state stay on one line: every situation of a few people and a cheat, explored.

Each way in which the rules were broken once is put back, and has to be found out.
"""

from __future__ import annotations

import pytest
from stage.exploring import CHEAT, Situation, World, successor

from frost_hsm.ceremony.history.rules import Claim, Id, Successor, View, contradict, is_lie, is_released

ALICE, BOB, CAROL = b"alice", b"bob", b"carol"
THREE = (ALICE, BOB, CHEAT)
FOUR = (ALICE, BOB, CAROL, CHEAT)


def others(everybody: tuple[bytes, ...], *without: bytes) -> tuple[bytes, ...]:
    return tuple(each for each in everybody if each not in without)


def worlds(everybody: tuple[bytes, ...]) -> dict[str, tuple[Successor, ...]]:
    """What may hang, two or three proposals at once."""
    refresh = successor("refresh", everybody)
    abandonment = successor("abandonment", everybody, "refresh")
    eviction = successor("eviction", others(everybody, CHEAT), "refresh", "abandonment")
    return {
        "a refresh, and whoever blocks it evicted": (refresh, eviction),
        "a refresh, abandoned, and then somebody evicted": (refresh, abandonment, eviction),
        "two refreshes at once": (
            refresh,
            successor("another", everybody),
            successor("eviction", others(everybody, CHEAT), "another", "refresh"),
        ),
        "two repairs of one seat": (
            successor("repair", others(everybody, BOB)),
            successor("another", others(everybody, BOB)),
        ),
        "a newcomer and a refresh": (refresh, successor("newcomer", everybody), eviction_of_all(everybody)),
    }


def eviction_of_all(everybody: tuple[bytes, ...]) -> Successor:
    return successor("eviction", others(everybody, CHEAT), "refresh", "newcomer")


CASES = [
    pytest.param(everybody, found, id=f"{len(everybody)} people, {name}")
    for everybody in (THREE, FOUR)
    for name, found in worlds(everybody).items()
    if everybody is THREE or len(found) == 2
]


def faults(world: World, situations: set[Situation]) -> set[str]:
    """Say what is wrong in any of these situations."""
    found = set()
    for now in situations:
        guilty = world.convicted(now)
        if guilty & set(world.honest):
            found.add("somebody honest is convicted")
        counting = {frozenset(each) for each in world.where(now) if each}
        if len(counting) > 1 and CHEAT not in guilty and not is_mended(world, now):
            found.add("people are parted, and nobody is shown to be at fault")
    return found


def is_mended(world: World, now: Situation) -> bool:
    """Whether people who hear all that was said are together again."""
    return len(set(world.where(world.together(now)))) == 1


@pytest.mark.parametrize(("everybody", "found"), CASES)
def test_nobody_honest_is_convicted_or_parted_unseen(
    everybody: tuple[bytes, ...], found: tuple[Successor, ...], record_property: pytest.RecordProperty
) -> None:
    world = World(others(everybody, CHEAT), found)
    situations = world.explore(400_000)
    record_property("situations", len(situations))
    assert faults(world, situations) == set()


@pytest.mark.parametrize(("everybody", "found"), [case for case in CASES if "3 people" in str(case.id)])
def test_nobody_is_stuck(everybody: tuple[bytes, ...], found: tuple[Successor, ...]) -> None:
    """Whoever hears all that was said goes on with the others, or knows whom to blame for that they cannot."""
    world = World(others(everybody, CHEAT), found, is_restored=True)
    for now in world.explore(400_000):
        after = world.together(now)
        where = set(world.where(after))
        assert len(where) == 1 or CHEAT in world.convicted(after), (now, after)
        if any(each.id == b"eviction" for each in found):
            assert where != {frozenset()} or CHEAT in world.convicted(after), (now, after)


# ── Broken rules are found out ──


class TakenBack(View):
    """An abort takes a vote back that has left: what hangs no longer keeps anybody from voting for something else."""

    def may_vote(self, successor: Successor) -> bool:
        return self.me in successor.voters and not self.counting()


class Unhindered(View):
    """Having voted for what displaces a step, people follow the step all the same once it is complete."""

    def hindering(self, successor: Successor) -> list[Successor]:
        return []


class Credulous(View):
    """Anybody's word releases, also of those whose vote the displacing step does not need."""

    def hindering(self, successor: Successor) -> list[Successor]:
        return (
            []
            if any(claim.successor == successor.id for claim in self.claims.values())
            else super().hindering(successor)
        )


class Hasty(View):
    """A step counts with the votes of two, as a repair did with those of its helpers."""

    def counting(self) -> frozenset[Successor]:
        return super().counting() or frozenset(list(self.voted)[:1])


@pytest.mark.parametrize(
    ("view", "case", "fault"),
    [
        (TakenBack, "two refreshes at once", "somebody honest is convicted"),
        (TakenBack, "two repairs of one seat", "somebody honest is convicted"),
        (
            Unhindered,
            "a refresh, and whoever blocks it evicted",
            "people are parted, and nobody is shown to be at fault",
        ),
        (Hasty, "two refreshes at once", "people are parted, and nobody is shown to be at fault"),
    ],
)
def test_each_fault_put_back_is_found(view: type[View], case: str, fault: str) -> None:
    for everybody in (THREE, FOUR):
        found = worlds(everybody)[case]
        if everybody is FOUR and len(found) > 2:
            continue
        world = World(others(everybody, CHEAT), found, view)
        if fault in faults_by_situation(world):
            return
    raise AssertionError("the model does not find it")


def faults_by_situation(world: World) -> set[str]:
    """As `faults`, where people who hear everything are not mended by rules that are broken."""
    found = set()
    for now in world.explore(400_000):
        guilty = world.convicted(now)
        if guilty & set(world.honest):
            found.add("somebody honest is convicted")
        if len({each for each in world.where(now) if each}) > 1 and CHEAT not in guilty:
            found.add("people are parted, and nobody is shown to be at fault")
    return found


# ── The rules one by one ──


def test_a_claim_releases_only_if_it_shows_that_somebody_does_not_vote() -> None:
    displacing = successor("eviction", (ALICE, BOB), "refresh")
    claims: dict[Id, Claim] = {
        b"1": Claim(BOB, b"refresh"),
        b"2": Claim(ALICE, b"refresh", b"1"),
        b"3": Claim(CAROL, b"refresh"),
        b"4": Claim(BOB, b"refresh", b"3"),
        b"5": Claim(BOB, b"refresh", b"gone"),
        b"6": Claim(BOB, b"refresh", b"6"),
    }
    assert [is_released(claim, displacing, claims) for claim in claims.values()] == [
        True,
        True,
        False,
        True,  # nobody who voted for it may cite Carol, who has no say in it
        False,
        False,
    ]


def test_who_votes_for_two_contradicts_unless_one_displaces_the_other() -> None:
    one, other = successor("refresh", THREE), successor("another", THREE)
    later = successor("eviction", (ALICE, BOB), "refresh")
    assert contradict(one, other)
    assert contradict(other, later)
    assert not contradict(one, later)
    assert not contradict(one, one)


def test_a_standing_against_ones_vote_is_a_lie_unless_it_cites_somebody_who_voted_too() -> None:
    later = successor("eviction", (ALICE, BOB), "refresh")
    plain, citing = Claim(ALICE, b"refresh"), Claim(ALICE, b"refresh", b"1")
    assert is_lie(plain, [later], {})
    assert not is_lie(plain, [], {})
    assert not is_lie(citing, [later], {}), "what it cites may be right, and is not here"
    assert not is_lie(citing, [later], {b"1": Claim(BOB, b"refresh")})
    assert is_lie(citing, [later], {b"1": Claim(CAROL, b"refresh")})
