"""All that was signed about a key, one message after the other: written from a state directory, followed into another.

A chapter is a ceremony: a proposal, everybody's confirmation of it and the public key package that they confirm, or the
request, the sigmas and the end of a repair. With the *rounds* in it, the messages that made the shares, each of its
participants can make theirs again. Nothing in it is taken on the word of who sent it.

SEQUENCE OF CHOICE { message ContentInfo, publicKeyPackage OCTET STRING }
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.transcript import STEPS
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Inbox, Incoming
from frost_hsm.ceremony.messages.making import Confirmation, Message, Proposal, Round1, Round2
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.messages.upkeep import Dealing, RefreshProposal, RepairDone, RepairRequest, RepairSigma
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.sharing.repair import Repair
from frost_hsm.ceremony.store import (
    ACTIVE,
    PROPOSAL,
    PUBLIC_KEY_PACKAGE,
    REQUEST,
    StateDirectory,
    epoch_folder,
    repairs_folder,
)
from frost_hsm.errors import MalformedMessage, NotKnown, NotYet, StepConflict, StorageProblem
from frost_hsm.forms import cms, der
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.packages import PublicKeyPackage

Chapter = list[bytes]
"""A proposal or a request, and what belongs to it."""

_OPENING: Final = tuple(kind.content_type for kind in (Proposal, RefreshProposal, RepairRequest))
_ROUNDS: Final = (Round1, Round2, Dealing)
_MOST_BLOCKS: Final = 1 << 16  # more than fit into the largest file, each as short as a message can be


def write(home: StateDirectory, key: GroupKey, *, with_rounds: bool) -> bytes:
    """Write down what was signed about a key up to its epoch."""
    parts: list[bytes] = []
    for epoch in range(key.epoch + 1):
        folder = epoch_folder(key.name, epoch)
        package = PublicKeyPackage.from_json(key.suite, home.read(f"{folder}/{PUBLIC_KEY_PACKAGE}") or b"")
        parts.append(_message(home, f"{folder}/{PROPOSAL}"))
        parts += _rounds(home, folder) if with_rounds else []
        parts += _all(home, f"{folder}/{STEPS[Confirmation]}")
        parts.append(der.octet_string(package.serialize()))
        repairs = repairs_folder(key.name, epoch)
        for name in home.names(repairs):
            if home.exists(f"{repairs}/{name}/{ACTIVE}"):
                parts.append(_message(home, f"{repairs}/{name}/{REQUEST}"))
                parts += _all(home, f"{repairs}/{name}/{STEPS[RepairSigma]}")
                parts += _all(home, f"{repairs}/{name}/{STEPS[RepairDone]}")
    return der.sequence(*parts)


def _rounds(home: StateDirectory, folder: str) -> list[bytes]:
    """Return the messages that made the shares; none unless all of them are here."""
    first, second, dealt = (_all(home, f"{folder}/{STEPS[kind]}") for kind in _ROUNDS)
    if dealt or not second:
        return dealt
    expected = len(Round2.decode(cms.parse(second[0]).content).envelopes)
    return [*first, *second] if len(first) == len(second) == expected else []


def _all(home: StateDirectory, folder: str) -> list[bytes]:
    return [_message(home, f"{folder}/{name}") for name in home.names(folder)]


def _message(home: StateDirectory, path: str) -> bytes:
    return signed.parse(home.read(path) or b"").der


def follow(staging: StateDirectory, encoded: bytes, me: PublicIdentity, what: str, *, to_the_end: bool) -> GroupKey:
    """Verify what `write` wrote, and keep each message where it would be had we been there.

    staging: an empty state directory. what: the thing, in sentences. to_the_end: refuse a key that not all have
    confirmed; else the last chapter may be one that ``me`` alone has finished. Raises `MalformedMessage` and what
    reading messages raises.
    """
    reading = _Reading(staging, me, what, to_the_end=to_the_end)
    try:
        key = reading.follow(_chapters(encoded, what))
        der.require_same(write(staging, key, with_rounds=True), encoded, what)
    except (StorageProblem, NotKnown, StepConflict) as error:  # what was verified and kept does not fit together
        if isinstance(error.__cause__, OSError):
            raise  # it is the disk
        raise MalformedMessage(f"{what} contradicts itself") from None
    except NotYet as error:
        raise MalformedMessage(f"{what} is not whole: {error}") from None
    return key


def _chapters(encoded: bytes, what: str) -> list[Chapter]:
    """Take it apart; a chapter begins with a proposal or a request."""
    reader = der.Reader(encoded, what).sequence()
    blocks: list[bytes] = []
    while reader.more() and len(blocks) < _MOST_BLOCKS:
        blocks.append(reader.whole(der.OCTET_STRING if reader.has(der.OCTET_STRING) else der.SEQUENCE))
    der.require_same(der.sequence(*blocks), encoded, what)
    chapters: list[Chapter] = []
    for block in blocks:
        if _is_package(block) or cms.parse(block).content_type not in _OPENING:
            if not chapters:
                raise MalformedMessage(f"{what} does not begin with a proposal")
            chapters[-1].append(block)
        else:
            chapters.append([block])
    if not chapters:
        raise MalformedMessage(f"{what} is empty")
    return chapters


def _is_package(block: bytes) -> bool:
    return block[0] == der.OCTET_STRING


class _Reading:
    """One key, chapter by chapter."""

    def __init__(self, staging: StateDirectory, me: PublicIdentity, what: str, *, to_the_end: bool) -> None:
        self._staging = staging
        self._me = me
        self._what = what
        self._to_the_end = to_the_end

    def follow(self, chapters: Sequence[Chapter]) -> GroupKey:
        first, *others = chapters[0]
        proposal = signed.read(first).expect(Proposal)
        plan = proposal.message
        self._keep_epoch(plan.name, 0, proposal, plan.roster, plan.suite, others, is_last=len(chapters) == 1)
        key = GroupKey.load(self._staging, plan.name, self._me)
        repairs: list[Chapter] = []
        for number, chapter in enumerate(chapters[1:], start=2):
            if isinstance(signed.decode(cms.parse(chapter[0])), RepairRequest):
                repairs.append(chapter)
                continue
            key = self._follow_repairs(key, repairs)
            repairs = []
            first, *others = chapter
            refreshed = signed.read(first, key.roster).expect(RefreshProposal)
            epoch, is_last = key.epoch + 1, number == len(chapters)
            self._keep_epoch(plan.name, epoch, refreshed, key.roster, key.suite.id, others, is_last=is_last)
            key = GroupKey.load(self._staging, plan.name, self._me, epoch=epoch)
        return self._follow_repairs(key, repairs)

    def _follow_repairs(self, key: GroupKey, repairs: list[Chapter]) -> GroupKey:
        """Follow the repairs of an epoch, in whatever order they are."""
        waiting = [(signed.read(chapter[0]).expect(RepairRequest), chapter[1:]) for chapter in repairs]
        while waiting:
            following = next((each for each in waiting if key.is_repaired_by(each[0].message)), None)
            if following is None:
                raise MalformedMessage(f"{self._what} holds a repair of another key")
            waiting.remove(following)
            request, messages = following
            inbox = Inbox([Incoming(f"message {number}", block) for number, block in enumerate(messages, start=1)])
            Repair(self._staging, request, key).replay(inbox)
            key = GroupKey.load(self._staging, key.name, key.me)
        return key

    def _keep_epoch(
        self,
        name: str,
        epoch: int,
        proposal: Signed[Any],
        roster: Roster,
        suite: str,
        blocks: Chapter,
        *,
        is_last: bool,
    ) -> None:
        """Verify that everybody confirmed an epoch alike, and keep it."""
        packages = [der.Reader(block, self._what).octet_string() for block in blocks if _is_package(block)]
        said = self._sort(roster, [block for block in blocks if not _is_package(block)])
        confirmed = list(said[Confirmation].values())
        everybody = {each.name for each in roster}
        is_active = set(said[Confirmation]) == everybody
        is_enough = is_active or (is_last and not self._to_the_end and self._me.name in said[Confirmation])
        if (
            len(packages) != 1
            or len({each.content_digest for each in confirmed}) != 1
            or confirmed[0].message.ceremony != proposal.content_digest
            or not is_enough
        ):
            raise MalformedMessage(
                f"{self._what} does not show that all participants confirmed epoch {epoch} of {name}"
            )
        if not _made(said, proposal, roster, confirmed[0].message):
            raise MalformedMessage(f"{self._what} holds other rounds of epoch {epoch} of {name} than were confirmed")
        package = PublicKeyPackage.deserialize(ciphersuites.by_id(suite), packages[0])
        folder = epoch_folder(name, epoch)
        self._staging.put(f"{folder}/{PROPOSAL}", proposal.to_pem())
        for kind, messages in said.items():
            for sender, each in messages.items():
                self._staging.replace(f"{folder}/{STEPS[kind]}/{sender}.pem", each.to_pem())
        self._staging.put(f"{folder}/{PUBLIC_KEY_PACKAGE}", package.to_json().encode())
        if is_active:
            self._staging.put(f"{folder}/{ACTIVE}", confirmed[0].message.check_code.encode() + b"\n")

    def _sort(self, roster: Roster, blocks: Iterable[bytes]) -> dict[type[Message], dict[str, Signed[Any]]]:
        """Read the messages of a ceremony; of each kind, one of each sender."""
        found: dict[type[Message], dict[str, Signed[Any]]] = {kind: {} for kind in (*_ROUNDS, Confirmation)}
        for block in blocks:
            said = signed.read(block, roster)
            kind: type[Message] = type(said.message)
            if kind not in found or said.sender.name in found[kind]:
                raise MalformedMessage(f"{self._what} holds a {kind.title} where there can be none")
            found[kind][said.sender.name] = said
        return found


def _made(
    said: Mapping[type[Message], Mapping[str, Signed[Any]]],
    proposal: Signed[Any],
    roster: Roster,
    confirmed: Confirmation,
) -> bool:
    """Whether the rounds that are there, if any, are all of those that were confirmed."""
    first, second, dealt = (said[kind] for kind in _ROUNDS)
    if dealt:
        author = proposal.sender.name
        digests = (confirmed.round1_hash, confirmed.round2_hash)
        return not first and not second and set(dealt) == {author} and digests == (dealt[author].content_digest,) * 2
    if not first and not second:
        return True
    everybody = [each.name for each in roster]
    if set(first) != set(everybody) or set(second) != set(everybody):
        return False
    hashes = (transcript_hash(first[name] for name in everybody), transcript_hash(second[name] for name in everybody))
    return hashes == (confirmed.round1_hash, confirmed.round2_hash)
