"""Which successor of a state counts, who may vote for which, and who lies: rules without any bytes.

A state of a key ends when one of its successors is *complete*: when all its voters have voted for it. These rules keep
people who share a state on one line, whatever messages are withheld, and convict whoever parts them:

1. Nobody votes for two successors of one state, unless the later one *displaces* the earlier by name.
2. Nobody votes any more once a successor counts for them.
3. Whoever has voted for one that displaces another does not follow the other, unless they are shown that the displacing
   one can no longer come about: somebody whose vote it needs stands in the other, and says so.
4. Of two complete successors, the one that displaces the other counts.
5. If neither displaces the other, somebody voted for both and is convicted. Then people decide which one to follow.

A vote that has left is never taken back by one alone. Whoever breaks a rule has signed both of what contradicts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

Id = bytes
"""Of a successor or a claim; of a voter, the key identifier."""


@dataclass(frozen=True, slots=True)
class Successor:
    """One way on from a state.

    voters: whose votes it needs, all of them. displaces: other successors of the same state, by id.
    """

    id: Id
    voters: frozenset[Id]
    displaces: frozenset[Id] = frozenset()


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody's word that they stand in a successor. cited: the claim of somebody else that led them there."""

    voter: Id
    successor: Id
    cited: Id | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What ``me`` knows of the successors of one state: which are complete, one's own votes, claims by their id."""

    me: Id
    complete: frozenset[Successor]
    voted: frozenset[Successor]
    claims: Mapping[Id, Claim] = field(default_factory=dict)

    def counting(self) -> frozenset[Successor]:
        """Return the successor that counts; none while the state goes on, several where somebody parted people."""
        displaced = {each for one in self.complete for each in one.displaces}
        return frozenset(one for one in self.complete if one.id not in displaced and not self.hindering(one))

    def hindering(self, successor: Successor) -> list[Successor]:
        """List the successors one has voted for that keep one from following another, though it is complete."""
        hindering = [later for later in self.voted - self.complete if successor.id in later.displaces]
        return hindering if self.citable(successor) is None else []

    def citable(self, successor: Successor) -> Id | None:
        """Return the claim by which one may follow a successor in spite of one's own votes; it has to be cited."""
        displacing = [later for later in self.voted if successor.id in later.displaces]
        found = (
            id_
            for id_, claim in self.claims.items()
            if claim.successor == successor.id
            and claim.voter != self.me
            and all(is_released(claim, later, self.claims) for later in displacing)
        )
        return min(found, default=None) if displacing else None

    def may_vote(self, successor: Successor) -> bool:
        """Whether one may vote for this, by rules 1 and 2."""
        earlier = {each.id for each in self.voted} - {successor.id}
        return self.me in successor.voters and not self.counting() and earlier <= successor.displaces


def is_released(claim: Claim, displacing: Successor, claims: Mapping[Id, Claim]) -> bool:
    """Whether a claim shows that ``displacing`` cannot come about.

    It does if it goes back to a voter of that who cites nobody, or somebody who has no say in it: by `is_lie` that
    voter has not voted for it, and by rule 2 never will.
    """
    if claim.voter not in displacing.voters:
        return False
    seen: set[Id] = set()
    while claim.cited is not None:
        if claim.cited in seen or claim.cited not in claims:
            return False
        seen.add(claim.cited)
        cited = claims[claim.cited]
        if cited.successor != claim.successor or cited.voter == claim.voter:
            return False
        if cited.voter not in displacing.voters:
            return True
        claim = cited
    return True


def contradict(one: Successor, other: Successor) -> bool:
    """Whether nobody who follows the rules votes for both."""
    return one.id != other.id and one.id not in other.displaces and other.id not in one.displaces


def is_lie(claim: Claim, votes: Collection[Successor], claims: Mapping[Id, Claim]) -> bool:
    """Whether nobody who follows the rules has cast these votes and makes this claim.

    A claim that cites what is not here is not called a lie: it may be right, and nobody follows it.
    """
    for later in votes:
        if claim.successor not in later.displaces:
            continue
        if claim.cited is None:
            return True
        cited = claims.get(claim.cited)
        if cited is not None and (cited.voter == claim.voter or cited.successor != claim.successor):
            return True
        if cited is not None and cited.voter not in later.voters:
            return True
    return False
