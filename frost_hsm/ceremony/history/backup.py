"""What to keep for the day when the state directory, or the token, is lost: one file, all public, signed by its owner.

It holds one's identity, those of one's peers, everything that was signed about every key, the messages that made the
shares included, and which ceremonies were given up. It holds no nonces and no state between rounds, sealed or not, and
no signing request: what was begun and not finished is not in it, so nothing is done twice for having been restored.

Shares are in it as they travelled, encrypted to the token and to the second token that the identity names. So whoever
has the file, that token and its PIN has the share; whoever lacks one of the three does not. One key's trouble stops no
other key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from frost_hsm.ceremony.history import bundle, dossier, kept
from frost_hsm.ceremony.history.chain import History
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.ceremony.messages.message import HASH_LENGTH
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.store import StateDirectory, given_up_folder
from frost_hsm.errors import ForeignMessage, FrostHsmError, MalformedMessage, NotPossible, UnknownSender
from frost_hsm.forms import cms, der, oids, pem
from frost_hsm.forms.asn1 import CLOSED, OCTETS, Form, Structure, many

MAX_LISTED: Final = 1024
"""Of peers, and of keys."""
MAX_GIVEN_UP: Final = 1 << 20

_WHAT = "a backup"
_GIVEN_UP = "given-up"
_IDENTITY = Form(
    der.SEQUENCE,
    lambda identity: der.sequence(identity.encode()),
    lambda reader: PublicIdentity.read(reader.sequence()),
)


@dataclass(frozen=True, slots=True)
class Backup(Structure):
    """What a backup says. peers: by name, ascending. keys: each as `dossier.encode` has it. given_up: ids, ascending.

    SEQUENCE { version INTEGER (2), owner SEQUENCE, peers SEQUENCE OF SEQUENCE, keys SEQUENCE OF SEQUENCE,
    givenUp SEQUENCE OF OCTET STRING }, an identity being a SEQUENCE as `PublicIdentity.encode` has it
    """

    title = "backup"
    asn1 = (_IDENTITY, many(_IDENTITY, MAX_LISTED), many(CLOSED, MAX_LISTED), many(OCTETS, MAX_GIVEN_UP))

    owner: PublicIdentity
    peers: tuple[PublicIdentity, ...]
    keys: tuple[bytes, ...] = field(repr=False)
    given_up: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        names = [peer.name for peer in self.peers]
        if max(len(names), len(self.keys)) > MAX_LISTED or len(set(self.keys)) != len(self.keys):
            raise MalformedMessage(f"{_WHAT} holds too much, or a key twice")
        if names != sorted(set(names)) or self.owner.name in names:
            raise MalformedMessage(f"{_WHAT} holds somebody twice")
        lengths = {len(each) for each in self.given_up}
        if not lengths <= {HASH_LENGTH} or list(self.given_up) != sorted(set(self.given_up)):
            raise MalformedMessage(f"{_WHAT} lists ceremonies that are none")


@dataclass(frozen=True, slots=True)
class Made:
    """What `create` made: a signed file, PEM. keys: the names of those in it. left_out: names of others, and why."""

    data: bytes = field(repr=False)
    keys: tuple[str, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Read:
    """What is in a backup: the keys that can be read, and the names or numbers of those that cannot, and why."""

    backup: Backup
    keys: tuple[History, ...]
    damaged: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Restored:
    """What `restore` did. keys: of the backup, as they are now here. passed_over: names of keys, and why."""

    backup: Backup
    keys: tuple[GroupKey, ...]
    passed_over: Mapping[str, str]


def create(home: StateDirectory, holder: Holder, peers: Iterable[PublicIdentity]) -> Made:
    """Write a backup of everything here that can be read again; what cannot is left out, and named.

    Raises `NotPossible` if it grows larger than can be read again.
    """
    with home.lock():
        keys: list[bytes] = []
        names: list[str] = []
        left_out: dict[str, str] = {}
        for folder in kept.folders(home):
            name = kept.name_of(folder)
            try:
                encoded = _encode(home, folder, holder.public)
            except FrostHsmError as error:  # whatever is wrong with one key, the others are kept
                left_out[name] = str(error)
                continue
            if encoded is not None:
                keys.append(encoded)
                names.append(name)
        given_up = tuple(sorted(bytes.fromhex(name) for name in home.names(_GIVEN_UP)))
    in_order = tuple(sorted(peers, key=lambda peer: peer.name))
    backup = Backup(holder.public, in_order, tuple(keys), given_up)
    data = pem.encode(cms.PEM_LABEL, cms.sign(oids.BACKUP, backup.encode(), holder))
    if len(data) > cms.MAX_PEM_SIZE:
        raise NotPossible(
            f"the backup has {len(data)} bytes, and no more than {cms.MAX_PEM_SIZE} are ever read again",
            hint="keep a copy of the state directory instead, and see what is said of older copies in the manual",
        )
    return Made(data, tuple(names), left_out)


def _encode(home: StateDirectory, folder: str, me: PublicIdentity) -> bytes | None:
    """Return a key as a backup holds it, read again to be sure; None for one that ``me`` has not confirmed."""
    messages, packages = bundle.contents(home, folder, with_rounds=True)
    encoded = dossier.encode(messages, packages)
    history = _read_key(encoded)
    making = history.chapters[history.proposal.content_digest]
    return encoded if making.is_complete or me in making.by_sender(Confirmation) else None


def _read_key(encoded: bytes) -> History:
    messages, packages = dossier.decode(encoded, _WHAT)
    history = dossier.history(messages, packages, _WHAT)
    for chapter in history.chapters.values():
        bundle.require_rounds_confirmed(chapter, _WHAT)
    for state in history.states.values():
        if history.package(state) is None:
            raise MalformedMessage(f"{_WHAT} lacks a public key package that was confirmed")
    return history


def parse(data: bytes) -> Backup:
    """Read a backup and verify that its owner signed it; the keys in it are not looked at.

    Raises `MalformedMessage`, `ForeignMessage`, `BadMessageSignature`, `UnknownSender`.
    """
    if len(data) > cms.MAX_PEM_SIZE:
        raise MalformedMessage(f"{_WHAT} is larger than {cms.MAX_PEM_SIZE} bytes")
    message = cms.parse(pem.decode(cms.PEM_LABEL, data, _WHAT)[0])
    if message.content_type != oids.BACKUP:
        raise ForeignMessage("this is a signed message, but no backup")
    backup = Backup.decode(message.content)
    if message.signer_key_id != backup.owner.sign_key.key_id:
        raise UnknownSender(f"the backup of {backup.owner.name} is signed by somebody else")
    message.verify(backup.owner.sign_key)
    return backup


def read(data: bytes) -> Read:
    """Read a backup and verify all that is in it, key by key; needs no token. Raises as `parse` does."""
    backup = parse(data)
    keys: list[History] = []
    damaged: dict[str, str] = {}
    for number, encoded in enumerate(backup.keys, start=1):
        try:
            keys.append(_read_key(encoded))
        except FrostHsmError as error:
            damaged[f"key {number}"] = str(error)
    return Read(backup, tuple(keys), damaged)


def restore(home: StateDirectory, data: bytes, me: PublicIdentity) -> Restored:
    """Bring back what a backup holds, each key once it has been verified and what is here contradicts none of it.

    me: the owner, or the identity of their second token. What is here stays, and what is missing is added; a key that
    was given up here is left out. Raises `ForeignMessage` for a backup of somebody else's, `NotPossible` where a peer
    is another; then nothing is changed. May be repeated if it was cut short. Shares are for `sharing.recovery` to make
    again, if the token has not seen the end of them.
    """
    found = read(data)
    backup = found.backup
    if backup.owner != me and not backup.owner.is_recovered_by(me):
        raise ForeignMessage(
            f"this is the backup of {backup.owner.name} with fingerprint {backup.owner.fingerprint}, which is not you",
            hint="it takes their token, or the second token that their identity names",
        )
    passed_over = dict(found.damaged)
    with home.lock():
        peers = {f"peers/{peer.name}.pem": peer.to_pem() for peer in backup.peers}
        for path, peer in peers.items():
            if home.read(path) not in (None, peer):
                raise NotPossible(
                    f"{home.path / path} is another identity than the one in the backup",
                    hint="find out which one is theirs, by voice or in person; frost-hsm peer remove lets go of yours",
                )
        home.put_all(peers | {f"{given_up_folder(ceremony)}/restored": b"" for ceremony in backup.given_up})
        keys = []
        for history in found.keys:
            try:
                keys.append(_take_in(home, history, me))
            except FrostHsmError as error:
                passed_over[history.plan.name] = str(error)
    return Restored(backup, tuple(keys), passed_over)


def _take_in(home: StateDirectory, history: History, me: PublicIdentity) -> GroupKey:
    name, ceremony = history.plan.name, history.proposal.content_digest
    if home.exists(given_up_folder(ceremony)):
        raise NotPossible(f"{name} was given up here since")
    if not history.states and me not in history.plan.roster:
        raise NotPossible("not all have confirmed it, and only your first token can go on with it")
    bundle.take_in(home, history, me)
    return GroupKey.read(home, kept.folder_of(history.proposal), me)
