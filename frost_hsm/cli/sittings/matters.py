"""The matters that people do together, and which of them a message begins."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import nullcontext

from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.history.keys import GroupKey, KeyStatus
from frost_hsm.ceremony.history.transcript import BEGINNING, Transcript
from frost_hsm.ceremony.messages import changing, signed
from frost_hsm.ceremony.messages.changing import RepairDelta, RepairDone, RepairRequest, RepairSigma
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.making import Confirmation, Proposal, RefreshProposal, Round1, Round2
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.using import SigningRequest
from frost_hsm.ceremony.sharing.abandonment import Abandonment
from frost_hsm.ceremony.sharing.keygen import KeyGeneration
from frost_hsm.ceremony.sharing.refresh import Refresh
from frost_hsm.ceremony.sharing.repair import Repair
from frost_hsm.ceremony.signing.aborting import SIGNATURES
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.ceremony.store import request_folder
from frost_hsm.cli.files import things
from frost_hsm.cli.sittings.matter import Matter, Person
from frost_hsm.cli.sittings.signing_matter import AnyOfMatter, SigningMatter
from frost_hsm.cli.steps import proposals
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import NotYet

BEGINNINGS = (Proposal, RefreshProposal, RepairRequest, changing.Abandonment, SigningRequest)
"""The messages that begin a matter."""


class _RoundsMatter(Matter):
    """Three rounds and an agreement."""

    def __init__(self, ceremony: KeyGeneration | Refresh, plan: list[str]) -> None:
        self.ceremony = ceremony
        self.begun = ceremony.proposal
        self.roster = ceremony.roster
        self.transcript = ceremony.transcript
        self.me = ceremony.me
        self.title = ceremony.title
        self._plan = plan

    @property
    def step(self) -> str:
        """The step that is next."""
        return self.ceremony.status().step

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.step in ("active", "stopped", "given-up")

    @property
    def next_command(self) -> str:
        """What to type, for those who carry files."""
        return f"frost-hsm {self.ceremony.command} status {self.ceremony.name}"

    def needs(self) -> type[Message] | None:
        """The kind of message that the next step takes."""
        return {"round2": Round1, "finish": Round2, "confirm": Confirmation}.get(self.step)

    def advance(self, person: Person, inbox: Inbox) -> str:
        """Take the next step."""
        step = self.step
        if step == "round1":
            self._take_part(person)
            return "your commitment is sent"
        if step == "round2":
            self.ceremony.round2(person.holder, inbox)
            return "everybody's commitment is good; their shares are sent"
        if step == "finish":
            finished = self.ceremony.finish(person.holder, inbox)
            return f"everybody's share is good; yours is sealed in the token; check code {finished.check_code}"
        agreed = self.ceremony.compare(inbox)
        others = ", ".join(each.name for each in self.roster if each != self.me)
        lines = [f"{self.title}: all {len(self.roster)} have finished", f"  check code    {agreed.check_code}"]
        person.compare(lines, f"Did {others} read the same check code?", agreed.check_code)
        self._confirm(person, inbox)
        return f"all confirm the same; group key {agreed.verifying_key.hex()} is active"

    def _take_part(self, person: Person) -> None:
        if self.ceremony.has_agreed:
            self.ceremony.round1(person.holder)
            return
        person.meet(self.roster)
        person.agree(self._plan, "Take part?", self.ceremony.name)
        with person.holder() as holder:  # agreed to once the token is open: until then nothing has changed
            self.ceremony.accept()
            self.ceremony.round1(lambda: nullcontext(holder))

    @abstractmethod
    def _confirm(self, person: Person, inbox: Inbox) -> None: ...


class MakingMatter(_RoundsMatter):
    """A key that is being made."""

    def __init__(self, making: KeyGeneration) -> None:
        super().__init__(making, proposals.making(making))
        self._making = making
        self.title = f'key "{making.name}"'

    def _confirm(self, person: Person, inbox: Inbox) -> None:
        self._making.confirm(inbox)


class RefreshMatter(_RoundsMatter):
    """Shares that are made anew."""

    def __init__(self, refreshing: Refresh) -> None:
        super().__init__(refreshing, proposals.refreshing(refreshing))
        self._refreshing = refreshing
        self.title = f'refresh of "{refreshing.name}"'

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do, or the key went on from the state that this would change."""
        return super().is_over or self._refreshing.key.status is not KeyStatus.ACTIVE

    def _confirm(self, person: Person, inbox: Inbox) -> None:
        self._refreshing.confirm(person.holder, inbox)


class RepairMatter(Matter):
    """A share that is made again, or for somebody new."""

    def __init__(self, asked: Repair) -> None:
        self._asked = asked
        self.begun = asked.request
        self.roster = asked.roster
        self.transcript = asked.transcript
        self.me = asked.me
        self.title = f'repair of "{asked.key.name}" for {asked.receiver.name}'

    @property
    def step(self) -> str:
        """The step that is next."""
        return self._asked.status().step

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do; a second token takes over by a command of its own."""
        waits_for_recover = self._asked.is_takeover and self.me == self._asked.receiver and self.step == "finish"
        is_late = self._asked.key.status is not KeyStatus.ACTIVE
        return self.step == "done" or self.transcript.is_stopped or waits_for_recover or is_late

    @property
    def next_command(self) -> str:
        """What to type, for those who carry files."""
        return "frost-hsm repair status REQUEST"

    def needs(self) -> type[Message] | None:
        """The kind of message that the next step takes."""
        if self.step == "confirm":
            return RepairSigma if self._asked.ending is None else Confirmation
        return {"sigma": RepairDelta, "finish": RepairSigma}.get(self.step)

    def advance(self, person: Person, inbox: Inbox) -> str:
        """Take the next step."""
        step, asked = self.step, self._asked
        if step == "delta":
            self._agree(person, "Help?")
            asked.delta(person.holder)
            return "your part for the other helpers is sent"
        if step == "sigma":
            asked.sigma(person.holder, inbox)
            return "your part for the one who receives is sent"
        if step == "finish":
            asked.finish(person.holder, inbox)
            return "the share is checked against the group, and sealed in your token"
        return self._confirm(person, inbox)

    def _confirm(self, person: Person, inbox: Inbox) -> str:
        asked = self._asked
        if asked.me in asked.voters and self.transcript.sent(Confirmation) is None:
            self.transcript.gather(RepairSigma, inbox)
            if not self.transcript.find(RepairDone, inbox):
                raise NotYet(f"{asked.receiver.name} has not finished", hint="ask them to")
            if asked.me not in asked.helpers:
                self._agree(person, "Confirm it?")
        else:
            require_confirmed(self.transcript, inbox)
        asked.confirm(person.holder, inbox)
        return f"{asked.receiver.name} is participant {asked.position}" if asked.is_done else "you have confirmed it"

    def _agree(self, person: Person, question: str) -> None:
        if self._asked.receiver != self.me and not self._asked.is_takeover:
            person.meet([self._asked.receiver])
        person.agree(proposals.repairing(self._asked), question, self._asked.key.name)


class AbandonmentMatter(Matter):
    """What some have confirmed and not all, and everybody is asked to give up."""

    def __init__(self, asked: Abandonment) -> None:
        self._asked = asked
        self.begun = asked.asked
        self.roster = asked.key.roster
        self.transcript = asked.transcript
        self.me = asked.me
        self.title = f'abandonment of "{asked.key.name}"'

    @property
    def step(self) -> str:
        """The step that is next."""
        return "done" if self._asked.is_done else "confirm"

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        is_late = self._asked.key.status is not KeyStatus.ACTIVE
        return self._asked.is_done or self.transcript.is_stopped or is_late

    @property
    def next_command(self) -> str:
        """What to type, for those who carry files."""
        return f"frost-hsm history show {self._asked.key.name}"

    def needs(self) -> type[Message] | None:
        """The kind of message that the next step takes."""
        return None if self.transcript.sent(Confirmation) is None else Confirmation

    def advance(self, person: Person, inbox: Inbox) -> str:
        """Take the next step."""
        asked = self._asked
        if self.transcript.sent(Confirmation) is None:
            person.agree(proposals.abandoning(asked), "Abandon it?", asked.key.name)
        else:
            require_confirmed(self.transcript, inbox)
        asked.confirm(person.holder, inbox)
        return "all have abandoned it" if asked.is_done else "you have agreed"


def require_confirmed(transcript: Transcript, inbox: Inbox) -> None:
    """Raise `NotYet` unless everybody's confirmation is here."""
    if transcript.agreed(inbox) is not None:
        return
    missing = [name for name in transcript.voters if name not in transcript.find(Confirmation, inbox)]
    if missing:
        raise NotYet(f"no confirmation of {', '.join(missing)}", hint="ask them for it")


FindKey = Callable[[bytes, bytes], GroupKey]
"""Finds the key that a message names by its ceremony, in the state that it names."""


def begin(place: Workplace, data: bytes, message: Message, find_key: FindKey) -> Matter | None:
    """Take up the matter that a message begins; None if it is not mine. Raises what its readers raise."""
    if isinstance(message, Proposal):
        if place.me not in message.roster:
            return None
        return MakingMatter(KeyGeneration(place.home, signed.read(data).expect(Proposal), place.me))
    if isinstance(message, RefreshProposal):
        return RefreshMatter(Refresh.read(place.home, data, place.me))
    if isinstance(message, RepairRequest):
        return RepairMatter(Repair.read(place.home, data, place.me))
    if isinstance(message, changing.Abandonment):
        return AbandonmentMatter(Abandonment.read(place.home, data, place.me))
    if not isinstance(message, SigningRequest):
        return None
    key = find_key(message.ceremony, message.state)
    request = signed.read(data, key.roster).expect(SigningRequest)
    session = SigningSession(place.home, key, request, things.derive)
    if key.me.name not in session.signers and request.sender != key.me:
        return None
    return AnyOfMatter(session) if session.is_any else SigningMatter(session)


def known_here(place: Workplace) -> Iterator[bytes]:
    """Give the first messages of all that the state directory holds, requests apart whose signatures are here."""
    home = place.home
    folders = [each for folder in kept.folders(home) for each in kept.chapters(home, folder)]
    for request in SigningSession.names(home):
        folder = request_folder(bytes.fromhex(request))
        if not home.exists(f"{folder}/{SIGNATURES}/0"):
            folders.append(folder)
    for folder in folders:
        data = home.read(f"{folder}/{BEGINNING}")
        if data is not None:
            yield data
