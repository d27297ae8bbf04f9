"""Everything public about a key in one file: for somebody who is to receive a share, or whose state directory was lost.

It is the `chapters` of the key in PEM. With the rounds in it, it is a *transcript*: with that, and
their token, each participant can make their share again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from frost_hsm.ceremony.history import chapters
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.store import ACTIVE, GIVEN_UP, PROPOSAL, StateDirectory, ceremony_folder
from frost_hsm.errors import CeremonyStopped, MalformedMessage, NotPossible, UnknownSender
from frost_hsm.forms import pem

PEM_LABEL: Final = "FROST-HSM BUNDLE"
MAX_SIZE: Final = 16 << 20

_WHAT = "a bundle"
_STAGING = "importing"


def write(home: StateDirectory, key: GroupKey, *, with_rounds: bool = False) -> bytes:
    """Return the bundle of an active key, or its transcript, as PEM."""
    key.require_active()
    return pem.encode(PEM_LABEL, chapters.write(home, key, with_rounds=with_rounds))


def read(home: StateDirectory, data: bytes, me: PublicIdentity, peers: Mapping[str, PublicIdentity]) -> GroupKey:
    """Take a key from its bundle into the state directory, once all of it has been verified.

    peers: everybody in it has to be among them, but for the one whose name we have: who receives a share takes their
    place. What is here already of the same key stays, and what is missing is added: a later epoch, or the rounds.
    Raises `NotPossible` if something else has the key's name here, `UnknownSender`, `MalformedMessage` and what reading
    messages raises; then nothing is changed.
    """
    if len(data) > MAX_SIZE:
        raise MalformedMessage(f"{_WHAT} is larger than {MAX_SIZE} bytes")
    encoded = pem.decode(PEM_LABEL, data, _WHAT)[0]
    with home.lock(), staging_area(home) as staging:
        key = chapters.follow(staging, encoded, me, _WHAT, to_the_end=True)
        _check_known(key, me, peers)
        missing = compare(home, staging, key.name)
        take_in(home, staging, key.name, missing)
        return GroupKey.load(home, key.name, me)


@contextmanager
def staging_area(home: StateDirectory) -> Iterator[StateDirectory]:
    """Lend a state directory inside this one, for what has to be verified before it is taken in."""
    path = home.path / _STAGING
    shutil.rmtree(path, ignore_errors=True)  # left by somebody who was killed
    try:
        yield StateDirectory.create(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def compare(home: StateDirectory, staging: StateDirectory, name: str) -> list[str]:
    """List the files of a key that are not here yet, as they may be put one after the other.

    What decides, that an epoch or a repair is active, comes last. Raises `NotPossible` if any file that is here says
    something else, `CeremonyStopped` for what is being given up here.
    """
    missing = []
    for path in staging.files(ceremony_folder(name)):
        if path.endswith(f"/{PROPOSAL}") and home.exists(path.replace(PROPOSAL, GIVEN_UP)):
            raise CeremonyStopped(
                f"giving up {home.path / path} was cut short",
                hint=f"let it end first: frost-hsm dkg abort {name}, or refresh abort {name}",
            )
        present = home.read(path)
        if present is None:
            missing.append(path)
        elif not _say_the_same(present, staging.read(path) or b""):
            raise NotPossible(
                f'something else has the name "{name}" here: {home.path / path} differs',
                hint=f"see: frost-hsm keys list, frost-hsm dkg status, frost-hsm refresh status {name}",
            )
    return sorted(missing, key=_rank)


def _rank(path: str) -> tuple[bool, int, bool, str]:
    """Put what decides last, and each epoch, with its repairs, before the next."""
    _, _, *parts = path.split("/")
    epoch = int(parts[1]) if parts[0] == "epochs" else 0
    return parts[-1] == ACTIVE, epoch, "repairs" in parts, path


def take_in(home: StateDirectory, staging: StateDirectory, name: str, missing: list[str]) -> None:
    """Put what `compare` found missing; a key that is not here at all comes in one step."""
    folder = ceremony_folder(name)
    if not home.exists(folder):
        home.take(staging, folder)
        return
    for path in missing:
        home.put(path, staging.read(path) or b"")


def _say_the_same(present: bytes, other: bytes) -> bool:
    """Whether two files are alike, or messages with the same contents: a signature can be made twice."""
    if present == other:
        return True
    try:
        one, two = signed.parse(present), signed.parse(other)
    except MalformedMessage:
        return False
    return (one.content_type, one.content, one.signer_key_id) == (two.content_type, two.content, two.signer_key_id)


def _check_known(key: GroupKey, me: PublicIdentity, peers: Mapping[str, PublicIdentity]) -> None:
    for identity in key.roster:
        if identity.name != me.name and peers.get(identity.name) != identity:
            raise UnknownSender(
                f"{identity.name} with the identity in the bundle is not among your peers",
                hint="compare fingerprints with them, by voice or in person; then: frost-hsm peer add",
            )
