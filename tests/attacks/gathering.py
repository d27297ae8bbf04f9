"""Five people with tokens in memory, of whom some cheat; and what each has been sent."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import parties
from ceremony.memory_token import MemoryToken
from parties import Party

from frost_hsm.ceremony import identity
from frost_hsm.ceremony.identity import Holder, Identity
from frost_hsm.ceremony.inbox import Inbox, Incoming
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.cli.config import Config

NAMES = ("ann", "ben", "cid", "dot", "eve")


@dataclass
class Person(Party):
    """A party whose token is in memory, and whose sealed records lie in the state directory therefore."""

    token: MemoryToken = field(default_factory=MemoryToken)
    own: Identity | None = None
    mail: list[bytes] = field(default_factory=list)

    @contextlib.contextmanager
    def holder(self) -> Iterator[Holder]:
        assert self.own is not None
        yield Holder(self.own, self.token)

    def take(self, messages: Iterable[bytes]) -> None:
        self.mail += [each for each in messages if each not in self.mail]

    @property
    def inbox(self) -> Inbox:
        """All mail, as it lies in a folder together."""
        return Inbox([Incoming(f"mail {number}", data, named=False) for number, data in enumerate(self.mail)])

    def forget(self) -> None:
        """Put everything back to before the first ceremony."""
        self.mail.clear()
        for folder in ("ceremonies", "requests", "sealed", "given-up"):
            shutil.rmtree(self.directory / "home" / folder, ignore_errors=True)


def gather(directory: Path, names: Iterable[str] = NAMES) -> list[Person]:
    """Make people who know each other."""
    people = []
    for name in names:
        person = Person(name, directory / name, "memory:")
        person.own = identity.create(person.token, name)
        home = StateDirectory.create(person.directory / "home")
        Config(name, "memory:", parties.QUICK).save(home)
        home.put("identity.pem", person.own.public.to_pem())
        people.append(person)
    for person in people:
        for other in people:
            if other is not person:
                person.home.put(f"peers/{other.name}.pem", other.public.to_pem())
    return people
