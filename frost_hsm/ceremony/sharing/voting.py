"""One's own vote for a chapter: cast once, noted in the token before it leaves, never taken back alone.

The rules are those of `frost_hsm.ceremony.history.rules`; here they meet a person's state directory and token. Each of
the two may have gone back in time: what one forgot the other remembers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from frost_hsm.ceremony.history.chapter import Chapter
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.transcript import Transcript
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import Holder, OpenHolder
from frost_hsm.ceremony.sealing.marks import Marks
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import StateRolledBack, StepConflict


def require_free(key: GroupKey, chapter: Chapter) -> None:
    """Raise `StepConflict` if one has confirmed something else that starts from the same state, and is not displaced.

    key: as it is before the chapter. Raises what `GroupKey.require_active` raises.
    """
    key.require_active()
    view = key.history.view(key.state, key.me)
    if view.may_vote(chapter.successor):
        return
    others = [each for each in key.voted_for() if each.id != chapter.id and each.id not in chapter.successor.displaces]
    titles = ", ".join(f"{each.title} ({each.id[:8].hex()})" for each in others)
    raise StepConflict(
        f"you have confirmed {titles or 'what excludes this'}, and nobody confirms two things that exclude each other",
        hint="it ends by everybody's confirmation, an abandonment that all confirm, or a repair that displaces it: "
        f"frost-hsm history show {key.name}",
    )


def require_here(key: GroupKey, holder: Holder, home: StateDirectory, *chapters: Chapter) -> None:
    """Raise `StateRolledBack` if the token was in a later state of the key, or confirmed what is not known here.

    chapters: that are known, though they are not kept yet.
    """
    marks = Marks(holder, home)
    marks.require_not_behind(key.ceremony, key.state.height, key.state.digest, key.overtaken)
    known = {chapter.id[:16] for chapter in (*key.history.successors(key.state), *chapters)}
    for voted in marks.votes(key.state.digest):
        if voted not in known:
            raise StateRolledBack(
                f"your token shows that you confirmed something of {key.name} that this directory does not know of",
                hint="take in what was signed since, from another participant: frost-hsm keys import",
            )


def cast(
    key: GroupKey,
    chapter: Chapter,
    confirmation: Confirmation,
    transcript: Transcript,
    holder: Holder,
    home: StateDirectory,
    keep: Callable[[], None] = lambda: None,
) -> Signed[Confirmation]:
    """Confirm a chapter: first the token notes it, then the directory holds it, then it may leave.

    keep: keeps what the chapter rests on, once it may be confirmed. The caller holds the state directory's lock. Raises
    as `require_free` and `require_here` do, and `StepConflict` if the token notes another confirmation of the chapter.
    """
    require_free(key, chapter)
    require_here(key, holder, home, chapter)
    marks, vote = Marks(holder, home), (key.state.digest, chapter.id, hashlib.sha256(confirmation.encode()).digest())
    marks.require_unsaid(*vote)
    settle(key, holder, home)
    keep()
    marks.vote(*vote)
    return transcript.write(confirmation, holder)


def confirm(
    home: StateDirectory,
    key: GroupKey,
    chapter: Chapter,
    confirmation: Confirmation,
    transcript: Transcript,
    open_holder: OpenHolder,
    inbox: Inbox,
    keep: Callable[[], None],
) -> Signed[Confirmation] | None:
    """Confirm a chapter that makes no shares, unless that was done, and take in who else has.

    keep: keeps what the chapter rests on, before anything decides. Returns one's own confirmation; None if one has no
    say in it. Raises `StepConflict` if one has confirmed something else of it before.
    """
    sent: Signed[Confirmation] | None = None
    is_agreed = transcript.is_complete or transcript.agreed(inbox) is not None  # whatever somebody says besides
    if key.me in chapter.voters and not is_agreed:
        require_free(key, chapter)
        sent = transcript.find(Confirmation, inbox).get(key.me.name)  # it may come back from others
        if sent is None:
            with open_holder() as holder, home.lock():
                sent = transcript.sent(Confirmation)
                if sent is None:
                    present = GroupKey.read(home, key.folder, key.me, at=key.state.digest)
                    sent = cast(present, chapter, confirmation, transcript, holder, home, keep)
        if sent.message != confirmation:
            raise StepConflict(f"you have confirmed {chapter.title} before, with other messages")
    with home.lock():
        keep()
        transcript.keep(transcript.agreed(inbox) or transcript.find(Confirmation, inbox))
    return sent or transcript.sent(Confirmation)


def settle(key: GroupKey, holder: Holder, home: StateDirectory) -> None:
    """Let the token know the state that a key is in now; it never goes back from there. The caller holds the lock.

    What the token noted of what was said before that state is let go of.
    """
    marks, history, now = Marks(holder, home), key.history, key.state.digest
    if marks.seen_state(key.ceremony, key.state.height, now, key.overtaken):
        following = {chapter.id for chapter in history.successors(key.state)}
        marks.forget(history.states.keys() - {now}, history.chapters.keys() - following)
