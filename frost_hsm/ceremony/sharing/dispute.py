"""Settling a dispute: the accused opens the one envelope that somebody complained about, and everybody looks into it.

    finish   somebody finds no good share in a message, stops, and sends their complaint, a file that anybody can judge
    answer   the accused adds the seed of that envelope, and sends the file to everybody
    settle   everybody stops too, and keeps the file: it convicts the accused, or whoever complained

What an opening shows was told to the complainer before, if it is a good share, and is worth nothing if it is none; the
seed opens no other envelope, and no key of anybody's is used. Whoever does not answer is not convicted. People may draw
their own conclusions.
"""

from __future__ import annotations

from typing import Any, TypeVar

from frost_hsm.ceremony.history import dossier, kept
from frost_hsm.ceremony.history.chain import History
from frost_hsm.ceremony.history.evidence import Verdict
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.transcript import BEGINNING, read_kept
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.complaints import Complaint, Opening
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, Proposal, Round1, Round2
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import Holder, OpenHolder, PublicIdentity
from frost_hsm.ceremony.sealing import shares
from frost_hsm.ceremony.sharing.keygen import KeyGeneration
from frost_hsm.ceremony.sharing.refresh import Refresh
from frost_hsm.ceremony.sharing.rounds import Rounds
from frost_hsm.ceremony.sharing.sealed_rounds import SealedRounds
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import ForeignMessage, KeyNotFound, NotKnown, NotPossible, Refused

M = TypeVar("M", bound=Message)


def find(home: StateDirectory, data: bytes, me: PublicIdentity) -> Dispute:
    """Take a file of evidence up, in the key generation or refresh here that it is about.

    Raises `NotKnown` if there is none, of a key that is not here before anything is verified, and what `dossier.read`
    raises.
    """
    messages, packages = dossier.blocks(data)
    first = signed.parse(messages[0]) if messages else None
    if first is not None and first.content_type == Proposal.content_type:
        if kept.find(home, first.content_digest) is None:
            raise _not_known()
    case = dossier.history(messages, packages)
    folder = kept.find(home, case.proposal.content_digest)
    proposal = kept.proposal(home, folder) if folder is not None else None
    if folder is not None and proposal is not None:
        disputed = [each for each in case.chapters.values() if Round2 in each.said or Dealing in each.said]
        for chapter in reversed(disputed):
            if chapter.before is None and me in chapter.roster:
                return Dispute(KeyGeneration(home, proposal, me), case)
            if chapter.before is not None and home.exists(f"{kept.chapter_folder(folder, chapter.id)}/{BEGINNING}"):
                key = GroupKey.read(home, folder, me, at=chapter.before.digest)
                return Dispute(Refresh(home, chapter.beginning, key), case)
    raise _not_known()


def _not_known() -> NotKnown:
    return NotKnown("this is about no ceremony that is known here", hint="to see what it shows: frost-hsm inspect")


class Dispute:
    """A file of evidence about one of our ceremonies. Nothing in it is trusted but what is signed."""

    def __init__(self, ceremony: Rounds, case: History) -> None:
        self.ceremony = ceremony
        self._case = case

    def answer(self, open_holder: OpenHolder) -> tuple[bytes, Verdict]:
        """Open the envelope that somebody complains about, and stop; returns the file for everybody and what it shows.

        The same again returns the same. Raises `ForeignMessage` if nobody complains about what we sent, `Refused` once
        the shares are active.
        """
        ceremony, complaint = self.ceremony, self._complaint()
        self._require_not_active()
        said = [*self._sent_to(complaint.sender), complaint]
        if self._answer(complaint) is None:
            with open_holder() as holder, ceremony.home.lock():
                self._require_not_active()  # taken in while we waited for the token
                if self._answer(complaint) is None:
                    ceremony.transcript.stop(said)
                    opening = self._opening(holder, complaint.sender)
                    ceremony.home.put(self._path(complaint), signed.write(opening, holder))
        said += [each for each in [self._answer(complaint)] if each is not None]
        return ceremony.transcript.file_of(said), ceremony.transcript.stop(said)

    def answered(self) -> bytes | None:
        """Return the file that `answer` returned before; None if it was not done. Raises as it does."""
        complaint = self._complaint()
        answer = self._answer(complaint)
        if answer is None:
            return None
        return self.ceremony.transcript.file_of([*self._sent_to(complaint.sender), complaint, answer])

    def _answer(self, complaint: Signed[Complaint]) -> Signed[Opening] | None:
        """Return the opening that answers a complaint, if it was made."""
        return read_kept(self.ceremony.home, self._path(complaint), Opening, self.ceremony.roster)

    def _path(self, complaint: Signed[Complaint]) -> str:
        return f"{self.ceremony.transcript.folder}/opening/{complaint.sender.name}.pem"

    def _sent_to(self, recipient: PublicIdentity) -> list[Signed[Any]]:
        """Return what we sent, with the envelope that is complained about: the others were not given that one."""
        transcript = self.ceremony.transcript
        first, second = transcript.sent(Round1), transcript.sent(Round2)
        if first is None or second is None:
            raise NotPossible(
                f"your own messages of {self.ceremony.title} are not here", hint="restore them from a backup"
            )
        return [first, transcript.part(second, recipient.name)]

    def _require_not_active(self) -> None:
        if self.ceremony.is_active:
            raise Refused(
                f"{self.ceremony.seat.title} is done, and nothing of it is opened any more",
                hint="whoever complains now has confirmed it before",
            )

    def _opening(self, holder: Holder, recipient: PublicIdentity) -> Opening:
        ceremony, second = self.ceremony, self._sent_to(recipient)[1]
        round1_hash = second.message.round1_hash
        try:
            root = SealedRounds(ceremony.seat, holder, ceremony.home).root(round1_hash)
        except KeyNotFound:
            raise Refused("what opens your envelopes was destroyed in your token; there is no answer") from None
        with root, shares.seed_of(ceremony.seat, recipient, round1_hash, root) as seed, seed.reveal() as shown:
            return Opening(ceremony.id, ceremony.roster.position(recipient.name), bytes(shown))

    def _complaint(self) -> Signed[Complaint]:
        """Return the complaint in the file that is about what we sent."""
        ceremony = self.ceremony
        complaints, sent = self._said(Complaint), ceremony.transcript.sent(Round2)
        if sent is not None:
            for said in complaints:
                is_about_us = said.message.is_about(ceremony.position, sent.content_digest, sent.message.round1_hash)
                if is_about_us and said.sender != ceremony.me:
                    return said
        if any(said.message.accused == ceremony.position for said in complaints):
            raise ForeignMessage("the complaint is about another message than you sent; compare it with yours")
        raise ForeignMessage(f"nobody complains about {ceremony.me.name} in this file")

    def settle(self) -> Verdict:
        """Take the file in: stop the ceremony here too, unless it is active, and keep what the file shows.

        What is known here besides of those who speak in it is added: a message other than the one that we got convicts
        its sender. Raises `ForeignMessage` if it shows nothing.
        """
        transcript = self.ceremony.transcript
        kinds = (Round1, Round2, Dealing, Confirmation, Complaint, Opening)
        said: list[Signed[Any]] = [each for kind in kinds for each in self._said(kind)]
        speakers = {each.sender.name for each in said}
        for kind in (Round1, Round2, Confirmation):
            said += [each for name, each in transcript.known(kind).items() if name in speakers]
        verdict = transcript.judge(said)
        if verdict.error is None and not verdict.awaiting:
            raise ForeignMessage("the file shows nothing against anybody; nothing was changed")
        return transcript.stop(said)

    def _said(self, kind: type[M]) -> list[Signed[M]]:
        chapter = self._case.chapters.get(self.ceremony.id)
        return chapter.of(kind) if chapter is not None else []
