"""A share made again, of the messages that made it and the token's agree key alone, and sealed once more.

Every message is checked as it was the first time: it has to be what all n confirmed, part 3 runs with all its checks,
and the result has to be the share that belongs to the public key package. A refreshed share is made through all epochs
before it, whose shares are in memory for that instant only; a repaired one of the sigmas; a dealt one of the dealing.

The second token that a participant has named opens the same envelopes. It seals the share for itself, and takes the
place of the first by a repair that needs no helpers (`Repair.take_over`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TypeVar

from frost_hsm.ceremony.history.keys import GroupKey, KeyStatus
from frost_hsm.ceremony.history.transcript import Transcript
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import RepairRequest, RepairSigma
from frost_hsm.ceremony.messages.inbox import Inbox, Incoming
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, Round1, Round2
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.people.identity import Holder, OpenHolder, PublicIdentity
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.marks import Marks
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sharing import dealing, repair, voting
from frost_hsm.ceremony.sharing.keygen import KeyGeneration
from frost_hsm.ceremony.sharing.refresh import Refresh
from frost_hsm.ceremony.sharing.repair import Repair
from frost_hsm.ceremony.store import StateDirectory, given_up_folder
from frost_hsm.errors import (
    CeremonyStopped,
    Equivocation,
    ForeignMessage,
    KeyNotFound,
    NotYet,
    ProtocolViolation,
    SealBroken,
    UnknownSender,
)
from frost_hsm.frost.packages import KeyPackage

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What `recover` found or made.

    key: as it is now. was_there: the token held the share, which was opened and checked. takeover: by which a second
    token has taken the place of the first, for everybody to take in.
    """

    key: GroupKey
    was_there: bool
    takeover: Repair | None = None


def recover(
    home: StateDirectory, name: str, me: PublicIdentity, open_holder: OpenHolder, files: Sequence[Incoming] = ()
) -> Recovered:
    """Make one's share of a key again and seal it, unless the token holds it: then it is opened and checked.

    What the state directory holds of the key decides which epoch that is; the share of a refresh that is not confirmed
    by all is made besides. files: messages that the state directory lacks. Raises `StateRolledBack` if the token was in
    a later state, `CeremonyStopped` if it saw the end of the share, `NotYet` if messages are missing, `NotKnown` if
    ``me`` has no share. May be repeated.
    """
    key = GroupKey.load(home, name, me)
    if key.status is KeyStatus.STOPPED or home.exists(given_up_folder(key.ceremony)):
        raise CeremonyStopped(f"key {name} was stopped or given up here; its share is not made again")
    if me not in key.roster and any(member.is_recovered_by(me) for member in key.roster):
        return _take_over(home, key, open_holder, files)
    latest, _ = key.latest(home), key.position
    with open_holder() as holder, home.lock():
        _require_not_given_up(key, holder, home)
        voting.require_here(key, holder, home)
        wanted = [key] if latest == key else [key, latest]
        was_there = [_seal_again(home, each, holder, files) for each in wanted]
        if key.status is KeyStatus.ACTIVE:
            voting.settle(key, holder, home)
    takeovers = (asked for asked in Repair.done(home, key) if asked.is_takeover and asked.receiver == me)
    return Recovered(key, all(was_there), next(takeovers, None))


def _require_not_given_up(key: GroupKey, holder: Holder, home: StateDirectory) -> None:
    if Marks(holder, home).is_gone(key.ceremony):
        raise CeremonyStopped(
            f"your token shows that your share of {key.name} was destroyed for good; it is not made again",
            hint=f"the others can make you one: frost-hsm repair request {key.name}",
        )


def _seal_again(home: StateDirectory, key: GroupKey, holder: Holder, files: Sequence[Incoming]) -> bool:
    """Make the share and seal it, unless it is sealed and the right one. Returns whether it was."""
    records, is_broken = SealedRecords(holder, home), False
    try:
        key.unseal(records).wipe()
        return True
    except KeyNotFound:
        pass
    except SealBroken:
        is_broken = True
    package = rebuild(home, key, holder, files)
    if is_broken:  # what does not open goes once there is something better
        records.destroy(key.record_name(Kind.SIGNING_SHARE))
    key.seal(package, records)
    return False


def rebuild(home: StateDirectory, key: GroupKey, holder: Holder, files: Sequence[Incoming] = ()) -> KeyPackage:
    """Make the share that ``key.me`` has of the key in its epoch; the caller wipes it.

    holder: of the identity that the messages were encrypted to, or of the second token that it names. Raises `NotYet`,
    `ForeignMessage`, `SealBroken`. Blames nobody: all of it was opened once, or all could not have confirmed it.
    """
    owner, repaired = _origin(home, key)
    try:
        if repaired is not None:
            sigmas = _gather(repaired.transcript, RepairSigma, files, key.name)
            package = repaired.add_up(holder, sigmas)
        else:
            package = _of_ceremony(_ceremony(home, replace(key, me=owner), files), holder, files)
    except Equivocation:  # two messages that were signed say so themselves
        raise
    except (ProtocolViolation, UnknownSender) as error:
        raise SealBroken(
            f"this token does not open all that made the share of {key.name}",
            hint=f"the others can make it again for a new token: frost-hsm repair request {key.name}",
        ) from error
    replace(key, me=owner).require_share(package)
    return package


def is_possible(home: StateDirectory, key: GroupKey) -> bool:
    """Whether ``key.me`` has a share and all messages that `rebuild` needs are here. Needs no token."""
    if key.me not in key.roster:
        return False
    owner, repaired = _origin(home, key)
    if repaired is not None:
        return len(repaired.transcript.known(RepairSigma)) == len(repaired.helpers)
    ceremony = _ceremony(home, replace(key, me=owner), ())
    transcript = ceremony.transcript
    first, second, dealt = (
        sum(map(transcript.is_whole_for_us, transcript.known(kind).values())) for kind in (Round1, Round2, Dealing)
    )
    if not dealt and not first == second == len(ceremony.roster):
        return False
    return is_possible(home, ceremony.key) if isinstance(ceremony, Refresh) else True


# ── Where the share comes from ──


def _origin(home: StateDirectory, key: GroupKey) -> tuple[PublicIdentity, Repair | None]:
    """Return to whom the share was sent in this epoch, and the repair by which, if it was one.

    Whoever took the place of a first token by their second has the share that was sent to the first.
    """
    received = {asked.receiver: asked for asked in Repair.done(home, key)}
    owner = next((each for each in key.roster if each.is_recovered_by(key.me)), key.me)
    if owner in received and received[owner].is_takeover:
        owner = received[owner].key.roster.at(received[owner].position)
    return owner, received.get(owner)


def _ceremony(home: StateDirectory, key: GroupKey, files: Sequence[Incoming]) -> KeyGeneration | Refresh:
    """Return the ceremony that made the shares of the key's epoch; a refresh, with the old share to be made again."""
    chapter = key.history.chapters[key.sharing]
    if chapter.before is None:
        return KeyGeneration(home, key.history.proposal, key.me)
    before = replace(GroupKey.read(home, key.folder, key.me, at=chapter.before.digest), me=key.me)
    return Refresh(home, chapter.beginning, before, lambda holder: rebuild(home, before, holder, files))


def _of_ceremony(ceremony: KeyGeneration | Refresh, holder: Holder, files: Sequence[Incoming]) -> KeyPackage:
    """Make the share of the messages of a ceremony, once they are seen to be those that all have confirmed."""
    confirmed = ceremony.transcript.known(Confirmation)[ceremony.me.name].message
    if confirmed.is_dealt:
        said = _find_dealing(ceremony, files)
        _require_confirmed(ceremony, (said.content_digest,), confirmed)
        package, public = dealing.check(ceremony, holder, said)
        ceremony.transcript.keep({said.sender.name: said})
    else:
        first = _gather(ceremony.transcript, Round1, files, ceremony.name)
        second = _gather(ceremony.transcript, Round2, files, ceremony.name)
        _require_confirmed(ceremony, (transcript_hash(first.values()), transcript_hash(second.values())), confirmed)
        package, public = ceremony.add_up_shares(holder, ceremony.round1_packages(first), first, second, None)
        ceremony.transcript.keep(first)
        ceremony.transcript.keep(second)
    if hashlib.sha256(public.serialize()).digest() != confirmed.public_key_package_hash:
        package.wipe()
        raise SealBroken(f"the shares of {ceremony.title} do not make the key that was confirmed")
    return package


def _require_confirmed(ceremony: KeyGeneration | Refresh, hashes: tuple[bytes, ...], confirmed: Confirmation) -> None:
    if hashes != confirmed.messages:
        raise ForeignMessage(f"these messages of {ceremony.title} are not those that all have confirmed")


def _gather(transcript: Transcript, kind: type[M], files: Sequence[Incoming], name: str) -> dict[str, Signed[M]]:
    """Return everybody's message, kept or among the files, in roster order."""
    found = transcript.find(kind, Inbox(files))
    missing = [
        sender for sender in transcript.expected if sender not in found or not transcript.is_whole_for_us(found[sender])
    ]
    if missing:
        raise _not_here(f"the {kind.title} of {', '.join(missing)}", name, transcript)
    return {sender: found[sender] for sender in transcript.expected}


def _find_dealing(ceremony: KeyGeneration | Refresh, files: Sequence[Incoming]) -> Signed[Dealing]:
    found = ceremony.transcript.find(Dealing, Inbox(files)).get(ceremony.proposal.sender.name)
    if found is None or not ceremony.transcript.is_whole_for_us(found):
        raise _not_here(f"the dealing of {ceremony.proposal.sender.name}", ceremony.name, ceremony.transcript)
    return found


def _not_here(what: str, name: str, transcript: Transcript) -> NotYet:
    export = f"frost-hsm keys export {name} --format transcript"
    if transcript.keeps_envelopes_of_all:
        hint = f"give the files that were sent, or keys import what another participant writes: {export}"
    else:
        hint = f"give the files that were sent to you, or keys import what each of them writes: {export}"
    return NotYet(f"to make the share again, {what} is missing", hint=hint)


# ── On the second token ──


def _take_over(home: StateDirectory, key: GroupKey, open_holder: OpenHolder, files: Sequence[Incoming]) -> Recovered:
    """Make the share with the second token, seal it there, and say so to everybody."""
    with open_holder() as holder, home.lock():
        asked = Repair(home, _request(home, key, holder), key)
        _require_not_given_up(key, holder, home)
        asked.take_over(lambda: nullcontext(holder), lambda opened: rebuild(home, key, opened, files))
    return Recovered(GroupKey.load(home, key.name, key.me), False, asked)


def _request(home: StateDirectory, key: GroupKey, holder: Holder) -> Signed[RepairRequest]:
    """Ask for the place of the first token, unless an earlier try that was cut short has."""
    for chapter in key.unfinished():
        message, sender = chapter.beginning.message, chapter.beginning.sender
        if isinstance(message, RepairRequest) and not message.helpers and sender == key.me:
            return chapter.beginning
    position = next(each for each, member in enumerate(key.roster, start=1) if member.is_recovered_by(key.me))
    return signed.read(repair.request(holder, key, position, [])).expect(RepairRequest)
