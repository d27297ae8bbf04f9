"""A key in use: parties refresh it, through the library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parties import KEY, Messages, Party, inbox

from frost_hsm.ceremony import refresh as ceremony_refresh
from frost_hsm.ceremony.refresh import Refresh


def propose(party: Party, name: str = KEY) -> bytes:
    with party.holder() as holder:
        return ceremony_refresh.propose(holder, party.key(name))


def join(party: Party, proposal: bytes) -> Refresh:
    ceremony = Refresh.read(party.home, proposal, party.public)
    ceremony.accept()
    return ceremony


def load(party: Party, name: str = KEY) -> Refresh:
    return Refresh.load(party.home, name, party.public)


def round1(people: Iterable[Party], proposal: bytes) -> Messages:
    return {party.name: join(party, proposal).round1(party.holder) for party in people}


def round2(people: Iterable[Party], first: Messages) -> Messages:
    return {party.name: load(party).round2(party.holder, inbox(first.values())) for party in people}


def finish(people: Iterable[Party], first: Messages, second: Messages) -> Messages:
    taken = (first.values(), second.values())
    return {party.name: load(party).finish(party.holder, inbox(*taken)).message for party in people}


def to_confirmations(people: Sequence[Party]) -> Messages:
    """Run a refresh up to where everybody has everybody's confirmation to take in."""
    first = round1(people, propose(people[0]))
    return finish(people, first, round2(people, first))


def confirm(people: Iterable[Party], confirmations: Messages) -> None:
    for party in people:
        load(party).confirm(party.holder, inbox(confirmations.values()))


def refresh(people: Sequence[Party]) -> None:
    """Run a refresh to the end."""
    confirm(people, to_confirmations(people))
