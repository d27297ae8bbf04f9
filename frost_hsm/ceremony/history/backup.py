"""What to keep for the day when the state directory, or the token, is lost: one file, all public, signed by its owner.

It holds one's identity, those of one's peers, everything that was signed about every key, the messages that made the
shares included, and which ceremonies were given up. It holds no nonces and no state between rounds, sealed or not, and
no signing request: what was begun and not finished is not in it, so nothing is done twice for having been restored.

Shares are in it as they travelled, encrypted to the token and to the second token that the identity names. So whoever
has the file, that token and its PIN has the share; whoever lacks one of the three does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from frost_hsm.ceremony.history import bundle, chapters
from frost_hsm.ceremony.history.keys import GroupKey, KeyState
from frost_hsm.ceremony.messages.making import HASH_LENGTH
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.store import GIVEN_UP, StateDirectory, epoch_folder, given_up_folder
from frost_hsm.errors import ForeignMessage, MalformedMessage, NotKnown, NotPossible, UnknownSender
from frost_hsm.forms import cms, der, oids, pem
from frost_hsm.forms.asn1 import CLOSED, OCTETS, Form, Structure, many

MAX_LISTED: Final = 1024
"""Of peers, and of keys."""
MAX_GIVEN_UP: Final = 1 << 20

_WHAT = "a backup"
_IDENTITY = Form(
    der.SEQUENCE,
    lambda identity: der.sequence(identity.encode()),
    lambda reader: PublicIdentity.read(reader.sequence()),
)


@dataclass(frozen=True, slots=True)
class Backup(Structure):
    """What a backup says. peers: by name, ascending. keys: `chapters` of each. given_up: ids, 32 bytes, ascending.

    SEQUENCE { version INTEGER (1), owner SEQUENCE, peers SEQUENCE OF SEQUENCE, keys SEQUENCE OF SEQUENCE,
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
        if max(len(names), len(self.keys)) > MAX_LISTED or names != sorted(set(names)) or self.owner.name in names:
            raise MalformedMessage(f"{_WHAT} holds too much, or somebody twice")
        lengths = {len(each) for each in self.given_up}
        if not lengths <= {HASH_LENGTH} or list(self.given_up) != sorted(set(self.given_up)):
            raise MalformedMessage(f"{_WHAT} lists ceremonies that are none")


@dataclass(frozen=True, slots=True)
class Restored:
    """What `restore` did. keys: of the backup, as they are now here. passed_over: names of keys, and why."""

    backup: Backup
    keys: tuple[GroupKey, ...]
    passed_over: Mapping[str, str]


def create(home: StateDirectory, holder: Holder, peers: Iterable[PublicIdentity]) -> bytes:
    """Write a backup of everything here; returns the signed file, PEM.

    What was stopped is in it as given up. Raises `StorageProblem` if a key is damaged here: better no backup than one
    that lacks it; `NotPossible` if it grows larger than can be read again.
    """
    with home.lock():
        keys, given_up = [], {bytes.fromhex(name) for name in home.names("given-up")}
        for name in GroupKey.names(home):
            key = GroupKey.latest(home, name, holder.public)
            if key.state is KeyState.STOPPED:
                given_up.add(key.ceremony)
            else:
                keys.append(chapters.write(home, key, with_rounds=True))
    in_order = tuple(sorted(peers, key=lambda peer: peer.name))
    backup = Backup(holder.public, in_order, tuple(keys), tuple(sorted(given_up)))
    data = pem.encode(cms.PEM_LABEL, cms.sign(oids.BACKUP, backup.encode(), holder))
    if len(data) > cms.MAX_PEM_SIZE:
        raise NotPossible(
            f"the backup has {len(data)} bytes, and no more than {cms.MAX_PEM_SIZE} are ever read again",
            hint="keep a copy of the state directory instead, and see what is said of older copies in the README",
        )
    return data


def read(data: bytes) -> Backup:
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


def verify(staging: StateDirectory, data: bytes) -> tuple[Backup, tuple[GroupKey, ...]]:
    """Check all that is in a backup, as `restore` does, without a token; returns what the keys in it are.

    staging: an empty state directory, which is filled.
    """
    backup = read(data)
    return backup, _follow(staging, backup)


def restore(home: StateDirectory, data: bytes, me: PublicIdentity) -> Restored:
    """Bring back what a backup holds, once all of it has been verified, and what is here contradicts none of it.

    me: the owner, or the identity of their second token, for which what not all have confirmed is left out. So are keys
    that were given up here, or stopped before all had confirmed. What is here stays, and what is missing is added.
    Raises `ForeignMessage` for a backup of somebody else's, `NotPossible` where the two differ, and what `verify`
    raises; then nothing is changed. May be repeated if it was cut short. Shares are for `sharing.recovery`
    to make again.
    """
    backup = read(data)
    if backup.owner != me and not backup.owner.is_recovered_by(me):
        raise ForeignMessage(
            f"this is the backup of {backup.owner.name} with fingerprint {backup.owner.fingerprint}, which is not you",
            hint="it takes their token, or the second token that their identity names",
        )
    with home.lock(), bundle.staging_area(home) as staging:
        keys, passed_over = [], {}
        for key in _follow(staging, backup):
            if key.state is KeyState.PENDING and key.epoch and me != key.me:  # only the first token can go on with it
                staging.remove(epoch_folder(key.name, key.epoch))
                key = GroupKey.load(staging, key.name, me)
            why = _why_not(home, key, me)
            if why is None:
                keys.append(key.name)
            else:
                passed_over[key.name] = why
        missing = {name: bundle.compare(home, staging, name) for name in keys}
        peers = {f"peers/{peer.name}.pem": peer.to_pem() for peer in backup.peers}
        for path, peer in peers.items():
            if home.read(path) not in (None, peer):
                raise NotPossible(
                    f"{home.path / path} is another identity than the one in the backup",
                    hint="find out which one is theirs, by voice or in person; frost-hsm peer remove lets go of yours",
                )
        for path, peer in peers.items():
            home.put(path, peer)
        for ceremony in backup.given_up:
            home.put(f"{given_up_folder(ceremony)}/{GIVEN_UP}", b"")
        for name, paths in missing.items():
            bundle.take_in(home, staging, name, paths)
        return Restored(backup, tuple(GroupKey.load(home, name, me) for name in keys), passed_over)


def _follow(staging: StateDirectory, backup: Backup) -> tuple[GroupKey, ...]:
    keys = [chapters.follow(staging, each, backup.owner, _WHAT, to_the_end=False) for each in backup.keys]
    names = [key.name for key in keys]
    if names != sorted(set(names)):
        raise MalformedMessage(f"{_WHAT} holds its keys in another order, or one twice")
    return tuple(keys)


def _why_not(home: StateDirectory, key: GroupKey, me: PublicIdentity) -> str | None:
    """Say why a key in a backup is not to be brought back, if so."""
    if home.exists(given_up_folder(key.ceremony)):
        return "it was given up here since"
    if key.state is not KeyState.PENDING:
        return None
    if me != key.me:
        return "not all have confirmed it, and only your first token can go on with it"
    with suppress(NotKnown):
        if GroupKey.load(home, key.name, me).state is KeyState.STOPPED:
            return "it was stopped here since"
    return None
