"""Where the history of a key lies in the state directory, and how it is read: the one loader, for every command.

    keys/NAME.CEREMONY/ID/beginning.pem    one folder a chapter, under its id; that of the making is the ceremony's
                          round1/WHO.pem   … its transcript, one file a participant and step
                          public-key-package.json
    keys/NAME.CEREMONY/standing/WHO.pem    where people said that they stand

What a folder is called finds it, and decides nothing: a key has the name, and a chapter the place, that is signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from frost_hsm.ceremony.history.chain import History
from frost_hsm.ceremony.history.transcript import BEGINNING, GIVEN_UP, STEPS, read_kept
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import GivenUp
from frost_hsm.ceremony.messages.making import Confirmation, Proposal
from frost_hsm.ceremony.messages.memory import Memory
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.people.names import require_name
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import InputProblem, InvalidContents, NotKnown, NotPossible, NotYet, StorageProblem
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.packages import PublicKeyPackage, VerifyingKey

KEYS: Final = "keys"
STANDING: Final = "standing"
PUBLIC_KEY_PACKAGE: Final = "public-key-package.json"

_HISTORIES: Final[Memory[History]] = Memory(8 << 20)
_PACKAGES: Final[Memory[PublicKeyPackage]] = Memory(1 << 20)
"""What files say, by their contents: they are read each time, and taken apart again only if they changed."""


def folder_of(proposal: Signed[Proposal]) -> str:
    """Return the folder of a key."""
    return f"{KEYS}/{require_name(proposal.message.name)}.{proposal.content_digest.hex()}"


def folders(home: StateDirectory, name: str | None = None) -> list[str]:
    """List the folders of the keys of a name, or of all."""
    listed = home.names(KEYS)
    return [f"{KEYS}/{each}" for each in listed if name is None or each.rpartition(".")[0] == name]


def unknown(home: StateDirectory, name: str, otherwise: str = ", frost-hsm dkg status") -> NotKnown:
    """Return the error that says that there is no key of a name, with the names that are written alike."""
    import difflib  # here, because most keys are there

    alike = difflib.get_close_matches(name, sorted({name_of(folder) for folder in folders(home)}))
    meant = f"is it {' or '.join(alike)}? " if alike else ""
    return NotKnown(f'there is no key "{name}" here', hint=f"{meant}see: frost-hsm keys list{otherwise}")


def find(home: StateDirectory, ceremony: bytes) -> str | None:
    """Return the folder of a key by its ceremony; None if it is not here."""
    return next((each for each in folders(home) if each.endswith(f".{ceremony.hex()}")), None)


def name_of(folder: str) -> str:
    """Return the name of a key by its folder."""
    return folder.removeprefix(f"{KEYS}/").rpartition(".")[0]


def id_of(folder: str) -> bytes:
    """Return the ceremony of a key by its folder."""
    return bytes.fromhex(folder.rpartition(".")[2])


def chapter_folder(folder: str, chapter: bytes) -> str:
    """Return the folder of a chapter of a key."""
    return f"{folder}/{chapter.hex()}"


def chapters(home: StateDirectory, folder: str) -> list[str]:
    """List the folders of the chapters of a key."""
    return [f"{folder}/{each}" for each in home.names(folder) if each != STANDING]


def messages(home: StateDirectory, folder: str, kinds: Iterable[str]) -> Iterator[str]:
    """List the files of a key: how each chapter began, what was said in it of some kinds, where people stand.

    The chapter that made the key comes first.
    """
    making = chapter_folder(folder, id_of(folder))
    for chapter in sorted(chapters(home, folder), key=lambda each: each != making):
        if home.exists(f"{chapter}/{BEGINNING}"):
            yield f"{chapter}/{BEGINNING}"
            yield from (f"{chapter}/{kind}/{name}" for kind in kinds for name in home.names(f"{chapter}/{kind}"))
    yield from (f"{folder}/{STANDING}/{name}" for name in home.names(f"{folder}/{STANDING}"))


def packages(home: StateDirectory, folder: str) -> Iterator[str]:
    """List the public key packages that chapters of a key made."""
    paths = (f"{chapter}/{PUBLIC_KEY_PACKAGE}" for chapter in chapters(home, folder))
    yield from filter(home.exists, paths)


@contextmanager
def reading(home: StateDirectory, folder: str) -> Iterator[None]:
    """Say of a key that another process deleted while it is read in the block, that it is not here: `NotKnown`."""
    try:
        yield
    except StorageProblem:
        if not home.names(folder):
            raise unknown(home, name_of(folder)) from None
        raise


def read(home: StateDirectory, folder: str) -> History:
    """Read all that was signed about a key but the rounds, and verify it. Raises `StorageProblem` if it is damaged."""
    contents = [*home.read_all(partial(messages, home, folder, [STEPS[Confirmation]])).values()]
    digest = hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in contents)).digest()
    try:
        history = _HISTORIES.get(digest, sum(map(len, contents)), lambda: History.read(contents))
    except (InputProblem, InvalidContents) as error:
        if isinstance(error, StorageProblem):
            raise
        raise StorageProblem(
            f"what {home.path / folder} holds does not fit together: {error}", hint="restore it from a backup"
        ) from error
    if folder_of(history.proposal) != folder:
        raise StorageProblem(
            f"{home.path / folder} holds another key than its name says", hint="restore it from a backup"
        )
    return history


def proposal(home: StateDirectory, folder: str) -> Signed[Proposal] | None:
    """Read what was proposed for a key; None if nothing of it is here."""
    return read_kept(home, f"{chapter_folder(folder, id_of(folder))}/{BEGINNING}", Proposal)


def given_up(home: StateDirectory, folder: str, me: PublicIdentity) -> frozenset[bytes]:
    """Return the ids of the chapters of a key that were given up here, by one's own word."""
    found = set()
    for chapter in chapters(home, folder):
        data = home.read(f"{chapter}/{GIVEN_UP}")
        if data is not None:
            parsed = signed.parse(data)
            note = signed.decode(parsed)
            if isinstance(note, GivenUp) and parsed.signer_key_id == me.sign_key.key_id:
                parsed.verify(me.sign_key)
                found.add(note.ceremony)
    return frozenset(found)


def read_package(home: StateDirectory, chapter: str, suite: str, digest: bytes) -> PublicKeyPackage:
    """Read the public key package that a chapter made; raises `StorageProblem` for another than was confirmed."""
    path = f"{chapter}/{PUBLIC_KEY_PACKAGE}"
    try:
        data = home.read(path) or b""
        name = hashlib.sha256(suite.encode() + data).digest()
        package = _PACKAGES.get(name, len(data), lambda: PublicKeyPackage.from_json(ciphersuites.by_id(suite), data))
        if hashlib.sha256(package.serialize()).digest() == digest:
            return package
    except InputProblem as error:
        if isinstance(error, StorageProblem):
            raise
    raise StorageProblem(f"{home.path / path} is not what was confirmed", hint="restore it from a backup")


def verifying_key(home: StateDirectory, name: str) -> VerifyingKey:
    """Return the group key of this name, as all have confirmed it: it is the same in every state.

    Raises `NotYet` while not all have, `NotKnown` if there is none, `NotPossible` if there are two.
    """
    found = []
    for folder in folders(home, name):
        with reading(home, folder):
            for state in list(read(home, folder).states.values())[:1]:
                chapter = chapter_folder(folder, state.sharing)
                found.append(read_package(home, chapter, state.plan.suite, state.package_hash).verifying_key)
    if len(found) > 1:
        raise NotPossible(f'there are two keys "{name}" here', hint="name a public key package file instead")
    if not found:
        raise NotYet(f"key {name} is pending: not all participants have confirmed it")
    return found[0]


def keep(home: StateDirectory, path: str, said: Signed[Any]) -> None:
    """Keep a message, unless it is here already; of two with the same contents the first stays."""
    if not home.exists(path):
        home.put(path, said.to_pem())
