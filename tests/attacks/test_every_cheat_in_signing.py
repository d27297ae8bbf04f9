"""Five signers, any one or two of whom cheat, in every way that the messages of signing allow.

Whatever they do: no signature is let out that does not verify, no honest signer answers twice, and none is ever named.
Where nothing is missing in the end, there is a signature. All ways of one cheat are tried; of two at once a sample,
or all with FROST_HSM_EVERY=cheats.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import combinations, product

import pytest
from attacks.cheating import EVERYTHING, NAMES, Sent, Way, halves, to_all
from attacks.gathering import NobodyHonestNamed, Person, gather
from stage import parties

from frost_hsm.ceremony.history.evidence import judge
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.signed import transcript_hash
from frost_hsm.ceremony.messages.using import RAW, Commitment, Item, Response, SigningRequest
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.errors import FrostHsmError
from frost_hsm.frost import signing
from frost_hsm.frost.packages import Signature, SignatureShare, SigningCommitments, SigningNonces, SigningPackage
from frost_hsm.frost.values import SignatureResponse

MESSAGE = b"pay 5 to dave"
STEPS = ("commit", "respond")


class Cheat:
    """A signer who can say everything in several ways, with nonces in memory."""

    def __init__(self, person: Person, wanted: bytes) -> None:
        self.person, self.key = person, person.key()
        self.request = person.session(wanted).id
        with person.holder() as holder:
            self.package = self.key.unseal(SealedRecords(holder, person.home))
        self.nonces: list[SigningNonces] = []
        self.commitments: list[SigningCommitments] = []
        self.seen: list[bytes] = []

    def say(self, message: Commitment | Response) -> bytes:
        with self.person.holder() as holder:
            return signed.write(message, holder)

    def good(self, step: str) -> bytes:
        if step == "commit":
            if not self.commitments:
                self._draw()
            return self._commit(self.commitments[0])
        return self.say(self._answer())

    def other(self, step: str) -> bytes:
        if step == "commit":
            return self._commit(self._draw())
        answer = self._answer()
        return self.say(replace(answer, shares=(_altered(self.package.ciphersuite, answer.shares[0]),)))

    def wrong(self, step: str) -> Iterator[bytes]:
        if step == "commit":
            encoded = self._draw().serialize()
            for altered in (b"nothing", encoded[:-33] + bytes(33), encoded + b"\0"):
                yield self.say(Commitment(self.request, (altered,)))
        else:
            answer = self._answer()
            yield self.other(step)
            yield self.say(replace(answer, commitments_hash=bytes(32)))
            yield self.say(replace(answer, shares=(answer.shares[0][:-32] + b"\xff" * 32,)))

    def swapped(self, step: str) -> bytes:
        """Say what somebody else has said."""
        kind = Commitment if step == "commit" else Response
        return self.say(self._said(kind)[0].message)

    def _draw(self) -> SigningCommitments:
        nonces, commitments = signing.commit(self.package.signing_share)
        self.nonces.append(nonces)
        self.commitments.append(commitments)
        return commitments

    def _commit(self, commitments: SigningCommitments) -> bytes:
        y = commitments.y_coordinates()
        return self.say(Commitment(self.request, (commitments.serialize(),), (y,) if y is not None else ()))

    def _answer(self) -> Response:
        """Sign with the first commitments of each that were seen. Raises `LookupError` if somebody's are missing."""
        said = {each.sender.name: each for each in reversed(self._said(Commitment))}
        ordered = [said[name] for name in NAMES]
        suite, commitments = self.package.ciphersuite, {}
        for name, each in zip(NAMES, ordered, strict=True):
            with suppress(FrostHsmError):
                [encoded] = each.message.commitments
                commitments[self.key.identifier(name)] = SigningCommitments.deserialize(suite, encoded)
        own = self.key.identifier(self.person.name)
        for nonces in self.nonces:
            with suppress(FrostHsmError):
                copy = SigningNonces.deserialize(suite, nonces.serialize())
                commitments[own] = copy.commitments
                share = signing.sign(SigningPackage(suite, commitments, MESSAGE), copy, self.package)
                return Response(self.request, transcript_hash(ordered), (share.serialize(),))
        raise LookupError("there is nothing to sign with")

    def _said(self, kind: type[Commitment] | type[Response]) -> list[signed.Signed[Commitment | Response]]:
        read = [signed.read(data, self.key.roster) for data in self.seen]
        found = [each for each in read if isinstance(each.message, kind) and each.message.request == self.request]
        if not found:
            raise LookupError("nobody has said anything")
        return found


def _altered(suite: object, share: bytes) -> bytes:
    value = SignatureShare.deserialize(suite, share)  # type: ignore[arg-type]
    order = value.ciphersuite.group.order
    changed = SignatureResponse(value.ciphersuite, (value.share.value + 1) % order)
    return SignatureShare(value.ciphersuite, changed).serialize()


WAYS: dict[str, Callable[[Cheat, str], Sent]] = {
    "as they should": lambda cheat, step: (to_all(cheat.good(step)), {}),
    "missing": lambda cheat, step: ({}, {}),
    "repeated": lambda cheat, step: (to_all(cheat.good(step), cheat.good(step)), {}),
    "swapped": lambda cheat, step: (to_all(cheat.swapped(step)), {}),
    "equivocating": lambda cheat, step: (halves([cheat.good(step)], [cheat.other(step)]), {}),
    "equivocating openly": lambda cheat, step: (to_all(cheat.good(step), cheat.other(step)), {}),
    "to some": lambda cheat, step: (halves([cheat.good(step)], []), {}),
    "late": lambda cheat, step: ({}, to_all(cheat.good(step))),
    "wrong 0": lambda cheat, step: (to_all(next(cheat.wrong(step))), {}),
    "wrong 1": lambda cheat, step: (to_all(list(cheat.wrong(step))[1]), {}),
    "wrong 2": lambda cheat, step: (to_all(list(cheat.wrong(step))[2]), {}),
}
EVERY_WAY: list[Way] = list(product(STEPS, [way for way in WAYS if way != "as they should"]))


class Session:
    """One request for a signature by all five. ways: who cheats, and how. wanted: what each was shown, by name."""

    def __init__(self, people: Sequence[Person], ways: Mapping[str, Way], wanted: Mapping[str, bytes]) -> None:
        self.ways, self.wanted = ways, wanted
        self.honest = [person for person in people if person.name not in ways]
        self.cheats = {person.name: Cheat(person, wanted[person.name]) for person in people if person.name in ways}
        self.late: list[Mapping[str, Sequence[bytes]]] = []
        self.answers: dict[str, set[bytes]] = {person.name: set() for person in self.honest}
        self.signatures: list[bytes] = []

    def run(self) -> bool:
        """Returns whether there is a signature."""
        for step, following in (("commit", "respond"), ("respond", "aggregate")):
            self.honestly(step)
            self.cheating(step)
            self.honestly(following)
            while self.late:
                self._post(self.late.pop())
        together = [data for person in self.honest for data in person.mail]
        for person in self.honest:
            person.take(together)
        for step in ("respond", "aggregate"):
            self.honestly(step)
        self.judge()
        return bool(self.signatures)

    def honestly(self, step: str) -> None:
        for person in self.honest:
            with NobodyHonestNamed(set(self.cheats)):
                session = person.session(self.wanted[person.name])
                if step == "commit":
                    self._post(to_all(session.commit(person.holder)))
                elif step == "respond":
                    said = session.respond(person.holder, person.inbox)
                    self.answers[person.name].add(signed.read(said, session.key.roster).content_digest)
                    self._post(to_all(said))
                else:
                    self.signatures.append(session.aggregate(person.inbox)[0])

    def cheating(self, step: str) -> None:
        for name, cheat in self.cheats.items():
            at, way = self.ways[name]
            with suppress(LookupError):
                now, late = WAYS[way if at == step else "as they should"](cheat, step)
                self._post(now)
                self.late.append(late)

    def judge(self) -> None:
        assert all(len(answers) <= 1 for answers in self.answers.values())
        key = self.honest[0].key()
        for signature in self.signatures:
            read = Signature.deserialize(key.suite, signature)
            signing.verify(MESSAGE, read, key.public_key_package.verifying_key)
        for person in self.honest:
            evidence = person.session(self.wanted[person.name]).transcript.evidence()
            if evidence is not None:
                assert set(judge(evidence).names) <= set(self.cheats)

    def _post(self, sent: Mapping[str, Sequence[bytes]]) -> None:
        for person in self.honest:
            person.take(sent.get(person.name, ()))
        for name, cheat in self.cheats.items():
            cheat.seen += sent.get(name, ())


@pytest.fixture(scope="module")
def owners(tmp_path_factory: pytest.TempPathFactory) -> list[Person]:
    people = gather(tmp_path_factory.mktemp("signers"))
    parties.generate(people, 3)
    for person in people:
        person.keep()
    return people


@pytest.fixture
def group(owners: list[Person]) -> list[Person]:
    for person in owners:
        person.put_back()
    return owners


def cases() -> Iterator[Mapping[str, Way]]:
    for number, way in enumerate(EVERY_WAY):
        for name in NAMES if EVERYTHING else [NAMES[number % len(NAMES)]]:
            yield {name: way}
    for pair in combinations(NAMES[1:], 2):
        ways = list(product(EVERY_WAY, repeat=2))
        for chosen in ways if EVERYTHING else random.Random("".join(pair)).sample(ways, 1):
            yield dict(zip(pair, chosen, strict=True))


def title(case: Mapping[str, Way]) -> str:
    return " and ".join(f"{name} {way} in {step}" for name, (step, way) in case.items())


@pytest.mark.parametrize("case", [{}, *cases()], ids=title)
def test_nothing_wrong_is_let_out_and_nobody_honest_is_named(group: list[Person], case: Mapping[str, Way]) -> None:
    is_signed = Session(group, case, dict.fromkeys(NAMES, parties.request(group, MESSAGE))).run()
    if all(way in ("repeated", "late") for _, way in case.values()):
        assert is_signed
    if len(case) == 1 and any(way in ("missing", "swapped") or way.startswith("wrong") for _, way in case.values()):
        assert not is_signed
    if len(case) == 2:
        assert len(parties.sign([person for person in group if person.name not in case], MESSAGE)) == 65


@pytest.mark.parametrize("way", ["repeated", "equivocating"])
def test_a_request_that_is_not_the_same_for_all(group: list[Person], way: str) -> None:
    """Ann, who requests, signs her request twice, or requests another message of some."""
    one, key = parties.request(group, MESSAGE), group[0].key()
    asked = signed.read(one, key.roster).expect(SigningRequest).message
    with group[0].holder() as holder:
        other = signed.write(
            asked if way == "repeated" else replace(asked, items=(Item(RAW, "", b"pay 5000 to ann"),)), holder
        )
    cheats = {"ann": ("request", way), "ben": ("request", way)}
    wanted = {name: one if place % 2 else other for place, name in enumerate(NAMES)}
    assert Session(group, cheats, wanted).run() == (way == "repeated")
