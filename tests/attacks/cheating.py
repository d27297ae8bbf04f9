"""What a cheat can say at each step of a ceremony, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product

from stage import mallory, upkeep
from stage.mallory import Mallory
from stage.parties import Messages, Party
from stage.samples import takes_every

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.complaints import Complaint
from frost_hsm.ceremony.messages.making import Confirmation, Round1, Round2
from frost_hsm.ceremony.messages.message import Envelopes
from frost_hsm.errors import FrostHsmError
from frost_hsm.frost.keys import refresh, round1

EVERYTHING = takes_every("cheats")
"""Whether to try all ways of any two cheats, and not a sample."""

NAMES = ("ann", "ben", "cid", "dot", "eve")
STEPS = ("round1", "round2", "confirm")
FATAL = ("missing", "swapped", "wrong 0", "wrong 1", "wrong 2", "wrong 3")
"""Ways that leave the others without a message that they need."""

OPENLY = ("equivocating openly", "equivocating later")
"""Ways in which everybody is told what is right, among other things."""

Way = tuple[str, str]
"""A step, and what a cheat does there; in all other steps they do as they should."""


class Cheat(Mallory):
    """A participant who can say everything in several ways. ``first`` is the round 1 that they claim to have seen."""

    def __init__(self, person: Party, proposal: bytes) -> None:
        super().__init__(person, proposal)
        self.first: Messages = {}
        self.seen: list[bytes] = []

    def good(self, step: str) -> bytes:
        if step == "round1":
            return self.round1()
        if step == "round2":
            return self.round2(self.first)
        return self.say(self._confirmation())

    def other(self, step: str) -> bytes:
        """Say another thing that is well formed as well."""
        if step == "round1":
            return self.round1(self.draw()[1])
        if step == "round2":
            return self.round2(self.first)  # in fresh envelopes
        return self.say(replace(self._confirmation(), public_key_package_hash=bytes(32)))

    def wrong(self, step: str) -> Iterator[bytes]:
        """Say what nobody may say, in every way."""
        if step == "round1":
            yield self.round1(self.draw(self.seat.min_signers + 1)[1])
            yield self.round1(replace(self.package, proof_of_knowledge=self.draw()[1].proof_of_knowledge))
            yield self.say(Round1(self.seat.ceremony, b"nothing"))
        elif step == "round2":
            yield self.round2(self.first, lambda name, package: mallory.plus_one(package))
            victim = next(name for name in NAMES if name != self.party.name)
            spoil = lambda name, package: mallory.plus_one(package) if name == victim else package  # noqa: E731
            yield self.round2(self.first, spoil)
            yield self.say(Round2(self.seat.ceremony, bytes(32), self.envelopes(self.first)))
            _, *fewer = self.envelopes(self.first)
            yield self.say(Round2(self.seat.ceremony, self.hash(self.first), Envelopes.of(fewer)))
        else:
            own = self._confirmation()
            first, second = own.messages
            for messages in ((bytes(32), second), (first, bytes(32))):
                yield self.say(replace(own, messages=messages))
            yield self.other(step)

    def swapped(self, step: str) -> bytes:
        """Say what is somebody else's, or for somebody else."""
        if step == "round1":
            return self.repeat(next(said for name, said in self.first.items() if name != self.party.name))
        if step == "round2":
            one, two, *others = self.envelopes(self.first)
            return self.say(Round2(self.seat.ceremony, self.hash(self.first), Envelopes.of((two, one, *others))))
        own = self._confirmation()
        return self.say(replace(own, messages=own.messages[::-1]))

    def complaint(self, about: bytes) -> bytes:
        """Accuse somebody of a share that is good."""
        said = signed.read(about, self.seat.roster)
        position = self.seat.roster.position(said.sender.name)
        return self.say(Complaint(self.seat.ceremony, position, said.content_digest, self.digests(self.first)))

    def _confirmation(self) -> Confirmation:
        """Confirm what the honest confirm."""
        for data in self.seen:
            with suppress(FrostHsmError):  # of another ceremony
                said = signed.read(data, self.seat.roster)
                if isinstance(said.message, Confirmation):
                    return said.message
        raise LookupError("nobody has confirmed anything")


class RefreshCheat(Cheat):
    """The same where the shares of a key are made anew."""

    def __init__(self, person: Party, proposal: bytes) -> None:
        self.party = person
        self.seat = upkeep.join(person, proposal).seat
        self.proven: dict[bytes, bytes] = {}
        self.secret, self.package = self.draw()
        self.first = {}
        self.seen = []

    def draw(self, min_signers: int | None = None) -> tuple[round1.SecretPackage, round1.Package]:
        count, own = min_signers or self.seat.min_signers, self.seat.identifier(self.party.name)
        secret, package = refresh.refresh_dkg_part1(self.seat.suite, own, max_signers=len(NAMES), min_signers=count)
        self.proven[self.encoded(package)] = refresh.prove_coefficients(secret, self.seat.ceremony)
        return secret, package

    def round1(self, package: round1.Package | None = None) -> bytes:
        self.proofs = self.proven[self.encoded(package or self.package)]
        return super().round1(package)

    def encoded(self, package: round1.Package) -> bytes:
        return b"".join(map(self.seat.suite.group.encode, package.commitment.elements))


Sent = tuple[Mapping[str, Sequence[bytes]], Mapping[str, Sequence[bytes]]]
"""By recipient: what comes in time, and what comes late."""


def to_all(*messages: bytes) -> dict[str, Sequence[bytes]]:
    return dict.fromkeys(NAMES, messages)


def halves(one: Sequence[bytes], other: Sequence[bytes]) -> dict[str, Sequence[bytes]]:
    return {name: one if place % 2 else other for place, name in enumerate(NAMES)}


WAYS: dict[str, Callable[[Cheat, str], Sent]] = {
    "as they should": lambda cheat, step: (to_all(cheat.good(step)), {}),
    "missing": lambda cheat, step: ({}, {}),
    "repeated": lambda cheat, step: (
        (to_all(cheat.good(step), cheat.good(step)), {}) if step != "round2" else _twice(cheat)
    ),
    "swapped": lambda cheat, step: (to_all(cheat.swapped(step)), {}),
    "equivocating": lambda cheat, step: (halves([cheat.good(step)], [cheat.other(step)]), {}),
    "equivocating openly": lambda cheat, step: (to_all(cheat.good(step), cheat.other(step)), {}),
    "equivocating later": lambda cheat, step: (to_all(cheat.good(step)), to_all(cheat.other(step))),
    "to some": lambda cheat, step: (halves([cheat.good(step)], []), {}),
    "late": lambda cheat, step: ({}, to_all(cheat.good(step))),
}


def say(cheat: Cheat, step: str, way: str) -> Sent:
    """Have a cheat speak. Raises `LookupError` if there is nothing yet that they could speak of."""
    if way == "complaining":
        way = "as they should"
    if way.startswith("wrong "):
        return to_all(list(cheat.wrong(step))[int(way.removeprefix("wrong "))]), {}
    return WAYS[way](cheat, step)


def _twice(cheat: Cheat) -> Sent:
    said = cheat.good("round2")
    return to_all(said, cheat.repeat(said)), {}


EVERY_WAY: list[Way] = [
    *product(STEPS, [way for way in WAYS if way != "as they should"]),
    *((step, f"wrong {number}") for step, count in zip(STEPS, (3, 4, 3), strict=True) for number in range(count)),
    ("confirm", "complaining"),
]


def harmless(way: Way) -> bool:
    """Whether all have what they need in the end, once the honest have shown each other what they were sent."""
    step, how = way
    return how in ("repeated", "late", "complaining") or (step == "confirm" and how in OPENLY)
