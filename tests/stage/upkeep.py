"""A key in use: parties refresh its shares and repair lost ones, through the library."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from stage.parties import KEY, Messages, Party, inbox

from frost_hsm.ceremony.history import bundle
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.people import identity
from frost_hsm.ceremony.sharing import recovery
from frost_hsm.ceremony.sharing import refresh as ceremony_refresh
from frost_hsm.ceremony.sharing import repair as ceremony_repair
from frost_hsm.ceremony.sharing.refresh import Refresh
from frost_hsm.ceremony.sharing.repair import Repair


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


# ── Loss ──


def keep(party: Party) -> Path:
    """Copy somebody's state directory; returns where to."""
    return shutil.copytree(party.directory / "home", party.directory / "kept")


def put_back(party: Party, kept: Path) -> None:
    """Let somebody go on with a copy; their token stays as it is."""
    shutil.rmtree(party.directory / "home")
    kept.rename(party.directory / "home")


# ── Repair ──


def hand_over(giver: Party, taker: Party, people: Iterable[Party]) -> GroupKey:
    """Give somebody what is public about the key."""
    known = {party.name: party.public for party in people}
    return bundle.read(taker.home, bundle.write(giver.home, giver.key()), taker.public, known)


def ask(receiver: Party, position: int, helpers: Iterable[Party]) -> bytes:
    with receiver.holder() as holder:
        names = [party.name for party in helpers]
        return ceremony_repair.request(holder, receiver.key(), position, names)


def repairing(party: Party, request: bytes) -> Repair:
    return Repair.read(party.home, request, party.public)


def deltas(helpers: Iterable[Party], request: bytes) -> Messages:
    return {party.name: repairing(party, request).delta(party.holder) for party in helpers}


def sigmas(helpers: Iterable[Party], request: bytes, first: Messages) -> Messages:
    return {party.name: repairing(party, request).sigma(party.holder, inbox(first.values())) for party in helpers}


def repair(receiver: Party, position: int, helpers: Sequence[Party], people: Sequence[Party]) -> bytes:
    """Run a repair to the end, everybody in ``people`` taking it in; returns the request."""
    hand_over(people[0], receiver, people)
    request = ask(receiver, position, helpers)
    second = sigmas(helpers, request, deltas(helpers, request))
    done = repairing(receiver, request).finish(receiver.holder, inbox(second.values()))
    confirm_repair([*people, receiver], request, *second.values(), done)
    return request


def confirm_repair(people: Iterable[Party], request: bytes, *ending: bytes) -> Messages:
    """Let everybody confirm a repair and take in who else has; returns the confirmations."""
    everybody = list({party.name: party for party in people}.values())
    said = {party.name: repairing(party, request).confirm(party.holder, inbox(ending)) for party in everybody}
    confirmations = {name: data for name, data in said.items() if data is not None}
    for party in everybody:
        repairing(party, request).confirm(party.holder, inbox(ending, confirmations.values()))
    return confirmations


# ── A second token ──


def name_second(party: Party, second: Party, others: Iterable[Party]) -> None:
    """Let a party's identity name a second token; the others know it like that from the beginning."""
    with party.open_token() as token:
        named = identity.create(token, party.name, recovery=second.public).public
    party.home.replace("identity.pem", named.to_pem())
    for other in others:
        other.home.replace(f"peers/{party.name}.pem", named.to_pem())
        second.home.put(f"peers/{other.name}.pem", other.public.to_pem())


def take_over(second: Party, people: Iterable[Party]) -> None:
    """Let a second token, which has the transcript, take the place of the first, and everybody take that in."""
    asked = recovery.recover(second.home, KEY, second.public, second.holder).takeover
    assert asked is not None and asked.ending is not None
    confirm_repair([*people, second], asked.request.to_pem(), asked.ending.to_pem())
