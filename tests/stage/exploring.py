"""All that a few people and a cheat can do with the successors of one state, explored whole.

The people follow `frost_hsm.ceremony.history.rules`: the very code of the program is what moves them here. What one of
them says reaches each of the others at any later time, or never. The cheat says anything, to anybody, at any time, and
to each something else. All that somebody's view has of the votes of others is which successors are complete; so what
comes in is that one is, at any time after the honest have voted for it. Whoever loses their state directory forgets
what others said; their token remembers their own votes, and where they stood: nobody who is behind that votes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from frost_hsm.ceremony.history import rules
from frost_hsm.ceremony.history.rules import Claim, Successor, View

CHEAT = b"mallory"


@dataclass(frozen=True, slots=True)
class Person:
    """What one honest person has: their votes, what they saw to be complete, and claims by their ids."""

    votes: frozenset[bytes] = frozenset()
    complete: frozenset[bytes] = frozenset()
    claims: frozenset[bytes] = frozenset()


Situation = tuple[Person, ...]
"""Of each honest person, in order."""


@dataclass(frozen=True)
class World:
    """Honest people, a cheat, and what can follow the state that they share. view: the rules, or broken ones."""

    honest: tuple[bytes, ...]
    successors: tuple[Successor, ...]
    view: type[View] = View
    is_restored: bool = False  # whether state directories are lost as well

    def explore(self, most: int) -> set[Situation]:
        """Return every situation that can come about. Raises `OverflowError` for more than ``most``."""
        first: Situation = tuple(Person() for _ in self.honest)
        found, waiting = {first}, [first]
        while waiting:
            for following in self._following(waiting.pop()):
                if following not in found:
                    found.add(following)
                    waiting.append(following)
            if len(found) > most:
                raise OverflowError(f"more than {most} situations")
        return found

    def _following(self, now: Situation) -> Iterator[Situation]:
        for at, person in enumerate(now):
            changed = [replace(person, votes=person.votes | {id_}) for id_ in _possible_votes(self, at, person)]
            changed += [
                replace(person, complete=person.complete | {each.id})
                for each in self.successors
                if each.id not in person.complete and self._is_voted_for(now, each)
            ]
            claim = self.honest_claim(now, at)
            said = {self.claim(each).successor for each in person.claims if self.claim(each).voter == self.honest[at]}
            if claim is not None and self.claim(claim).successor in self.displaced - said:
                changed.append(replace(person, claims=person.claims | {claim}))
            if any(each.displaces and each.id in person.votes for each in self.successors):  # nobody else heeds claims
                changed += [
                    replace(person, claims=person.claims | {claim})
                    for claim in self._claims_about(now)
                    if claim not in person.claims
                ]
            if self.is_restored and (person.complete or person.claims) and not _counting(self, at, person):
                changed.append(Person(person.votes))
            yield from ((*now[:at], each, *now[at + 1 :]) for each in changed)

    def _is_voted_for(self, now: Situation, successor: Successor) -> bool:
        """Whether all honest people have voted for this whose votes it needs."""
        voted = {who for who, person in zip(self.honest, now, strict=True) if successor.id in person.votes}
        return voted >= successor.voters - {CHEAT}

    def view_of(self, now: Situation, at: int) -> View:
        """Return what one of the people knows."""
        return _view(self, at, now[at])

    def claim(self, id_: bytes) -> Claim:
        """Return a claim by its id: who, in what, citing whom."""
        voter, successor, *cited = id_.split(b"/", 2)
        return Claim(voter, successor, cited[0] if cited else None)

    def _claims_about(self, now: Situation) -> Iterator[bytes]:
        """List what is said of where people stand: the honest say what is true, and the cheat whatever it likes."""
        yield from (b"/".join((CHEAT, id_)) for id_ in self.displaced)
        for who, person in zip(self.honest, now, strict=True):
            yield from (claim for claim in person.claims if self.claim(claim).voter == who)

    @property
    def displaced(self) -> frozenset[bytes]:
        """What something else displaces: of where people stand beside that nobody needs to know."""
        return frozenset(id_ for each in self.successors for id_ in each.displaces)

    def honest_claim(self, now: Situation, at: int) -> bytes | None:
        """Return what one of the people says of where they stand, as ``history standing`` does."""
        return _claim(self, at, now[at])

    # ── What must hold ──

    def where(self, now: Situation) -> list[frozenset[bytes]]:
        """Return which successors count for each of the people."""
        return [_counting(self, at, person) for at, person in enumerate(now)]

    def convicted(self, now: Situation) -> set[bytes]:
        """Return who is shown to be at fault by all that was said to anybody."""
        by_id = {each.id: each for each in self.successors}
        votes = {who: set(person.votes) for who, person in zip(self.honest, now, strict=True)}
        seen = {id_ for person in now for id_ in person.complete}
        votes[CHEAT] = {id_ for id_ in seen if CHEAT in by_id[id_].voters}
        claims = {claim: self.claim(claim) for person in now for claim in person.claims}
        guilty = set()
        for voter, ids in votes.items():
            voted = [by_id[id_] for id_ in ids]
            if any(rules.contradict(one, other) for one in voted for other in voted):
                guilty.add(voter)
        for claim in claims.values():
            if rules.is_lie(claim, [by_id[id_] for id_ in votes.get(claim.voter, ())], claims):
                guilty.add(claim.voter)
        return guilty

    def together(self, now: Situation) -> Situation:
        """Let everybody hear all that was said, say where they stand, and vote for what leads on without the cheat."""
        while True:
            complete = frozenset(id_ for person in now for id_ in person.complete)
            complete |= {
                each.id for each in self.successors if CHEAT not in each.voters and self._is_voted_for(now, each)
            }
            claims = frozenset(each for person in now for each in person.claims)
            said = {(self.claim(each).voter, self.claim(each).successor) for each in claims}
            claims |= {
                claim
                for claim in (self.honest_claim(now, at) for at in range(len(now)))
                if claim is not None
                and self.claim(claim).successor in self.displaced
                and (self.claim(claim).voter, self.claim(claim).successor) not in said
            }
            before, now = now, tuple(replace(person, complete=complete, claims=claims) for person in now)
            if now == before:
                following = next(self._votes_that_lead_on(now), None)
                if following is None:
                    return now
                now = following

    def _votes_that_lead_on(self, now: Situation) -> Iterator[Situation]:
        for at, person in enumerate(now):
            view = self.view_of(now, at)
            for each in reversed(self.successors):  # what displaces most comes last
                if CHEAT not in each.voters and each.id not in person.votes and view.may_vote(each):
                    yield (*now[:at], replace(person, votes=person.votes | {each.id}), *now[at + 1 :])


def successor(id_: str, voters: Sequence[bytes], *displaces: str) -> Successor:
    """Make a successor."""
    return Successor(id_.encode(), frozenset(voters), frozenset(each.encode() for each in displaces))


@cache
def _view(world: World, at: int, person: Person) -> View:
    complete = [each for each in world.successors if each.id in person.complete]
    voted = [each for each in world.successors if each.id in person.votes]
    claims = {claim: world.claim(claim) for claim in person.claims}
    return world.view(world.honest[at], frozenset(complete), frozenset(voted), claims)


@cache
def _counting(world: World, at: int, person: Person) -> frozenset[bytes]:
    return frozenset(each.id for each in _view(world, at, person).counting())


@cache
def _possible_votes(world: World, at: int, person: Person) -> tuple[bytes, ...]:
    view = _view(world, at, person)
    return tuple(each.id for each in world.successors if each.id not in person.votes and view.may_vote(each))


@cache
def _claim(world: World, at: int, person: Person) -> bytes | None:
    view = _view(world, at, person)
    counting = view.counting()
    if len(counting) != 1:
        return None
    [stands] = counting
    cited = view.citable(stands)
    return b"/".join((world.honest[at], stands.id, *([cited] if cited is not None else [])))
