"""What came in from the others: read, attributed, sorted; nothing in it is trusted for its file name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.errors import (
    Equivocation,
    ForeignMessage,
    FrostHsmError,
    InputProblem,
    InvalidContents,
    UnknownSender,
)

M = TypeVar("M", bound=Message)

Take = Callable[[Signed[Any]], Signed[Any] | None]
"""Returns what of a message belongs somewhere, with the envelopes that are of use there; None if it does not."""

FIRST_LINE = b"-----BEGIN CMS-----"
"""What every file of ours that is sent begins with."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One file from somebody. ``named`` if it was given one by one, not found in a directory.

    data: what is in it, or what reads that once its turn comes: not all files have to be in memory together.
    """

    label: str
    data: bytes | Callable[[], bytes]
    named: bool = True


class Contradiction(Equivocation):
    """Two different messages of a step in which nobody honest says two; ``proof`` holds both."""

    def __init__(self, message: str, *, culprit: str, proof: tuple[Signed[Any], ...]) -> None:
        super().__init__(message, culprits=[culprit])
        self.proof = proof


class Inbox:
    """The files that were given for one step, each read and verified once.

    In a directory, what does not belong is passed over; a file that was named one by one has to fit. A file that
    does belong and is damaged is an error either way.
    """

    def __init__(self, files: Iterable[Incoming] = (), envelopes: Mapping[bytes, bytes] = MappingProxyType({})) -> None:
        """Take files, and envelopes that came apart from the messages that name them, by their hashes."""
        self._files = tuple(files)
        self._envelopes = envelopes
        # By the place of the file: whoever sends it can choose its label.
        self._read: dict[int, Signed[Any] | None] = {}
        self.passed_over: list[str] = []
        """The labels of the files that did not belong, after `collect`."""

    def anew(self) -> Inbox:
        """Return the same files, to be read for something else."""
        return Inbox(self._files, self._envelopes)

    def collect(
        self,
        kind: type[M],
        roster: Roster,
        take: Take,
        home: str,
        known: Mapping[str, Signed[M]],
    ) -> dict[str, Signed[M]]:
        """Add the messages of one kind to those that are ``known``, by sender's name; other kinds are let be.

        take: what of a message is of this ceremony or request; home: what that is called in an error. Raises
        `Contradiction` when one sender signed two with different contents, one of which may be a known one; of a kind
        that is not said once, `Equivocation` that names no culprit.
        """
        found = dict(known)
        labels = dict.fromkeys(known, "what was received before")
        for label, said in self.of_kind(kind, roster, take, home):
            name = said.sender.name
            earlier = found.get(name)
            if earlier is None:
                found[name], labels[name] = said, label
            elif earlier.content_digest != said.content_digest:
                both = f"{name} signed two different {kind.title}s: {labels[name]}, {label}"
                if kind.is_said_once:
                    raise Contradiction(both, culprit=name, proof=(earlier, said))
                raise Equivocation(
                    both,
                    hint=f"{name} may have lost what they did, and done it again: ask which one holds, "
                    "and leave the other out; or begin this anew",
                )
            else:
                found[name] = earlier.joined(said)
        return found

    def of_kind(self, kind: type[M], roster: Roster, take: Take, home: str) -> Iterator[tuple[str, Signed[M]]]:
        """Read the messages of one kind, with the labels of their files; whether they contradict is not looked at."""
        for place, file in enumerate(self._files):
            if place not in self._read:
                self._read[place] = self._open(file, roster, take, home)
            read = self._read[place]
            if read is not None and isinstance(read.message, kind):
                yield file.label, read.expect(kind)

    def _open(self, file: Incoming, roster: Roster, take: Take, home: str) -> Signed[Any] | None:
        """Read one file; None if it was found in a directory and does not belong."""
        data = file.data if isinstance(file.data, bytes) else file.data()
        try:
            if not file.named and not data.startswith(FIRST_LINE):
                raise ForeignMessage("it is not a message")
            if data.count(FIRST_LINE) > 1:
                raise ForeignMessage("it holds several messages", hint="see what they are: frost-hsm inspect")
            taken = take(signed.read(data, roster).given(self._envelopes))
            if taken is None:
                raise ForeignMessage(f"it does not belong to {home}")
            return taken
        except (UnknownSender, ForeignMessage) as error:
            if file.named:
                raise _placed(error, file.label) from error
            self.passed_over.append(file.label)
            return None
        except (InputProblem, InvalidContents) as error:
            raise _placed(error, file.label) from error


NOTHING: Final = Inbox()
"""What has come in where nothing has."""


def _placed(error: FrostHsmError, label: str) -> FrostHsmError:
    """Return the error with the file's name in front."""
    return type(error)(f"{label}: {error}", hint=error.hint, culprits=error.culprits)
