"""Everything public about a key in one file: for somebody who is to receive a share, or whose state directory was lost.

It is all that was signed about the key and lies in its folder, as `dossier` has it. With the rounds in it, it is a
*transcript*: with that, and their token, each participant can make their share again. Nothing in it is taken on the
word of who sent it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from frost_hsm.ceremony.history import dossier, kept
from frost_hsm.ceremony.history.chain import History
from frost_hsm.ceremony.history.chapter import Chapter
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.transcript import BEGINNING, STEPS
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import RepairDone, RepairRequest, RepairSigma
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, Round1, Round2
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.store import StateDirectory, given_up_folder
from frost_hsm.errors import InputProblem, MalformedMessage, NotPossible, UnknownSender
from frost_hsm.forms import cms, pem
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.packages import PublicKeyPackage

_ROUNDS: tuple[type[Message], ...] = (Round1, Round2, Dealing)
_ALWAYS: tuple[type[Message], ...] = (Confirmation, RepairSigma, RepairDone)
_MOST_OF_ONE: Final = 8
"""Of what is undecided, how many chapters are kept because one person confirmed them; and their words on one state."""

_WHAT = "a bundle"


def write(home: StateDirectory, key: GroupKey, *, with_rounds: bool = False) -> bytes:
    """Return the bundle of a key, or its transcript. Raises what `GroupKey.require_active` raises."""
    key.require_active()
    messages, packages = contents(home, key.folder, with_rounds=with_rounds)
    return dossier.armour(messages, packages)


def contents(home: StateDirectory, folder: str, *, with_rounds: bool) -> tuple[list[bytes], list[bytes]]:
    """Return what lies in the folder of a key, messages and public key packages, as they may be read again."""
    kinds = [STEPS[kind] for kind in (*(_ROUNDS if with_rounds else ()), *_ALWAYS)]
    found = home.read_all(lambda: [*kept.messages(home, folder, kinds), *kept.packages(home, folder)])
    with kept.reading(home, folder):
        suite = ciphersuites.by_id(kept.read(home, folder).proposal.message.suite)
    messages, packages = [], []
    for path, data in found.items():
        if path.endswith(kept.PUBLIC_KEY_PACKAGE):  # whether it is one that was confirmed or not
            packages.append(PublicKeyPackage.from_json(suite, data).serialize())
        else:
            messages.append(signed.parse(data).der)
    return messages, packages


def read(home: StateDirectory, data: bytes, me: PublicIdentity, peers: Mapping[str, PublicIdentity]) -> GroupKey:
    """Take a key from its bundle into the state directory, once all of it has been verified.

    peers: everybody in it has to be among them, but for the one whose name we have: who receives a share takes their
    place. What is here already of the same key stays, and what is missing is added: later chapters, or the rounds.
    Raises `NotPossible` if something else has the key's name here, `UnknownSender`, `MalformedMessage` and what reading
    messages raises; then nothing is changed.
    """
    messages, packages = dossier.blocks(data)
    with home.lock():
        history = dossier.history(messages, packages, _WHAT)
        require_made(history, _WHAT)
        _check_known(history, me, peers)
        take_in(home, history, me)
        return GroupKey.read(home, kept.folder_of(history.proposal), me)


def require_made(history: History, what: str) -> None:
    """Raise `MalformedMessage` unless all have confirmed the key, and the rounds in it are those that they did."""
    if not history.states:
        raise MalformedMessage(f"{what} does not show that all participants confirmed {history.plan.name}")
    for chapter in history.chapters.values():
        require_rounds_confirmed(chapter, what)
    for state in history.states.values():
        if history.package(state) is None:
            raise MalformedMessage(f"{what} lacks a public key package that was confirmed")


def require_rounds_confirmed(chapter: Chapter, what: str) -> None:
    """Raise `MalformedMessage` if messages of a chapter, all of a step, are others than were confirmed."""
    for found in chapter.confirmed() if chapter.epoch is not None else ():
        confirmed = next(iter(found.values())).message
        if any(said and not is_confirmed for _, said, is_confirmed in _steps(chapter, confirmed)):
            raise MalformedMessage(f"{what} holds other messages of {chapter.title} than were confirmed")


def _steps(chapter: Chapter, confirmed: Confirmation) -> Iterator[tuple[type[Message], list[Signed[Any]], bool]]:
    """Go through the steps that a confirmation names the hashes of.

    Gives of each what was said, in order, nothing unless all of it is here, and whether it is what was confirmed.
    """
    for (kind, speakers), wanted in zip(_speakers(chapter, confirmed), confirmed.messages, strict=False):
        of = chapter.by_sender(kind)
        said: list[Signed[Any]] = [of[each] for each in speakers if each in of]
        if len(said) != len(speakers):
            yield kind, [], False
        elif kind in (Dealing, RepairDone):  # of one person
            yield kind, said, said[0].content_digest == wanted
        else:
            yield kind, said, transcript_hash(said) == wanted


def _speakers(chapter: Chapter, confirmed: Confirmation) -> list[tuple[type[Message], Sequence[PublicIdentity]]]:
    """List the steps of a chapter, and who speaks in each, in order."""
    if chapter.epoch is not None:
        if confirmed.is_dealt:
            return [(Dealing, [chapter.beginning.sender])]
        return [(Round1, chapter.roster.members), (Round2, chapter.roster.members)]
    if isinstance(chapter.beginning.message, RepairRequest):
        helpers = [chapter.roster.at(position) for position in chapter.beginning.message.helpers]
        return [(RepairSigma, helpers), (RepairDone, [chapter.beginning.sender])]
    return []


def take_in(home: StateDirectory, history: History, me: PublicIdentity) -> None:
    """Keep what a history holds and is not here yet, all of it at once.

    What all have confirmed takes the place of what somebody said besides; of what is undecided, what is here stays, and
    what concerns nobody is left out. Raises `NotPossible` if we said something else ourselves, or another key has the
    name; then nothing is changed.
    """
    folder = kept.folder_of(history.proposal)
    others = [each for each in kept.folders(home, history.plan.name) if each != folder]
    if any(not kept.given_up(home, each, me) for each in others):
        raise NotPossible(
            f'something else has the name "{history.plan.name}" here',
            hint="see: frost-hsm keys list, frost-hsm dkg status",
        )
    files = [each for chapter in _worth_keeping(home, history, me) for each in _files(history, chapter, me)]
    wanted: dict[str, bytes] = {}
    for path, data, sender, is_decided in files:
        present = home.read(f"{folder}/{path}")
        both = _joined(present, data) if present is not None else None
        if present is not None and both is None and sender == me:
            raise NotPossible(
                f"{home.path / folder / path} says something else than what is to be taken in",
                hint=f"compare with the others: frost-hsm history show {history.plan.name}",
            )
        if present is None or (is_decided and both is None):
            wanted[f"{folder}/{path}"] = data
        elif both is not None and both != present:
            wanted[f"{folder}/{path}"] = both
    claims = Counter[tuple[PublicIdentity, bytes]]()
    for said in history.standings.values():
        path = f"{folder}/{kept.STANDING}/{said.content_digest.hex()}.pem"
        claims[said.sender, said.message.state] += 1
        if claims[said.sender, said.message.state] <= _MOST_OF_ONE and not home.exists(path):
            wanted[path] = said.to_pem()
    home.replace_all(wanted)


def _worth_keeping(home: StateDirectory, history: History, me: PublicIdentity) -> Iterator[Chapter]:
    """List the chapters to take in: what all have confirmed, what ``me`` takes part in, and what others wait for.

    Anybody can begin something, and a cheat confirm it too: without an end, what lies here would be too much to be
    read or backed up again. Nobody honest confirms many things that exclude each other.
    """
    folder, waiting = kept.folder_of(history.proposal), Counter[PublicIdentity]()
    for chapter in history.chapters.values():
        voters = chapter.by_sender(Confirmation)
        if chapter.is_complete:
            yield chapter
        elif home.exists(given_up_folder(chapter.id)):  # before one's own confirmation left: it cannot end well
            continue
        elif (
            me in _speakers_of_all(chapter)
            or home.exists(kept.chapter_folder(folder, chapter.id))
            or any(waiting[each] < _MOST_OF_ONE for each in voters)
        ):
            waiting.update(voters.keys())
            yield chapter


def _speakers_of_all(chapter: Chapter) -> set[PublicIdentity]:
    """Return whoever began a chapter, or said something in it."""
    return {chapter.beginning.sender, *(said.sender for kind in chapter.said for said in chapter.of(kind))}


def _files(
    history: History, chapter: Chapter, me: PublicIdentity
) -> Iterator[tuple[str, bytes, PublicIdentity | None, bool]]:
    """List the files of a chapter: where, what, whose, and whether all have confirmed it.

    Of a chapter that all have confirmed there is nothing else than what they have: whoever signed other messages in it
    takes nobody's from them.
    """
    folder, is_decided = chapter.id.hex(), chapter.is_complete
    yield f"{folder}/{BEGINNING}", chapter.beginning.to_pem(), chapter.beginning.sender, is_decided
    for package in _packages_made_by(history, chapter, me):
        yield f"{folder}/{kept.PUBLIC_KEY_PACKAGE}", package.to_json().encode(), None, is_decided
    for kind, said in _confirmed(chapter) if is_decided else _undecided(chapter):
        for each in said:
            yield f"{folder}/{STEPS[kind]}/{each.sender.name}.pem", each.to_pem(), each.sender, is_decided


def _confirmed(chapter: Chapter) -> Iterator[tuple[type[Message], Iterable[Signed[Any]]]]:
    for found in chapter.confirmed():
        for kind, said, is_confirmed in _steps(chapter, next(iter(found.values())).message):
            if is_confirmed:
                yield kind, said
        yield Confirmation, found.values()


def _undecided(chapter: Chapter) -> Iterator[tuple[type[Message], Iterable[Signed[Any]]]]:
    for kind in (*_ROUNDS, RepairSigma, RepairDone, Confirmation):
        yield kind, chapter.by_sender(kind).values()


def _packages_made_by(history: History, chapter: Chapter, me: PublicIdentity) -> Iterator[PublicKeyPackage]:
    """Return the public key package that a chapter made with its shares: that of all, else the one of one's own word.

    Of one that others alone have confirmed it is theirs to show: whoever takes part makes it themselves.
    """
    if chapter.epoch is None:
        return
    confirmed = [said for found in chapter.confirmed() for said in found.values()]
    if not confirmed:
        confirmed = [said for said in chapter.of(Confirmation) if said.sender == me or me not in chapter.roster]
    for said in confirmed[:1]:
        package = history.packages.get(said.message.public_key_package_hash)
        if package is not None:
            yield PublicKeyPackage.deserialize(chapter.state_by(said).suite, package)


def _joined(present: bytes, other: bytes) -> bytes | None:
    """Return one file in place of two that say the same, with the envelopes of both; None if they do not.

    They are alike, or messages with the same contents: a signature can be made twice. The first stays.
    """
    if present == other:
        return present
    try:
        one, two = signed.parse(present), signed.parse(other)
    except InputProblem:
        return None
    if (one.content_type, one.content, one.signer_key_id) != (two.content_type, two.content, two.signer_key_id):
        return None
    if set(two.enclosed) <= set(one.enclosed):
        return present
    return pem.encode(cms.PEM_LABEL, one.enclosing((*one.enclosed, *two.enclosed)))


def _check_known(history: History, me: PublicIdentity, peers: Mapping[str, PublicIdentity]) -> None:
    for state in history.latest():
        for identity in state.roster:
            if identity.name != me.name and peers.get(identity.name) != identity:
                raise UnknownSender(
                    f"{identity.name} with the identity in the bundle is not among your peers",
                    hint="compare fingerprints with them, by voice or in person; then: frost-hsm peer add",
                )
