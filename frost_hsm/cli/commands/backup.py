"""``frost-hsm backup``: what to keep, in one file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import click

from frost_hsm.ceremony.history import backup as ceremony_backup
from frost_hsm.ceremony.history import bundle, kept
from frost_hsm.ceremony.history.backup import Backup
from frost_hsm.ceremony.history.chain import History
from frost_hsm.ceremony.history.keys import GroupKey, KeyStatus
from frost_hsm.ceremony.people import identity as identities
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.sharing import recovery
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.cli.files import door, temporary
from frost_hsm.cli.options import command, output
from frost_hsm.cli.parsing import group
from frost_hsm.cli.talk.fingerprints import identity_fields, identity_lines
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.pin import token_name
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, CeremonyStopped, FrostHsmError, NotPossible, WrongToken


@group
def backup() -> None:
    """Keep what is needed when state directory or token are lost.

    A backup is one file, signed by you: your identity, your peers, and all messages of your keys. It holds no PIN, no
    private key, nothing that was begun and not finished, and your shares only as they were sent to you, encrypted to
    your token and to the second token that your identity names. Make one after each key, refresh and repair.
    """


@command(backup, "create", token=True)
@output
def create(place: Workplace, output: str | None, force: bool) -> Result:
    """Write what is public about you, your peers and your keys into one file.

    Writes YOU.backup.pem, signed by your token.
    """
    path = output or f"{place.me.name}.backup.pem"
    door.check_output(path, force=force)
    peers = list(place.peers().values())
    with place.holder() as holder:
        made = ceremony_backup.create(place.home, holder, peers)
    raw = door.write(path, made.data, force=force, is_private=True)  # it says whom one signs with
    lines = [f"Backup of {place.me.name}; keys: {len(made.keys)}, peers: {len(peers)}"]
    lines += [f"warn  key {name} is NOT in it: {why}" for name, why in made.left_out.items()]
    lines.append(door.wrote(path))
    fields = {
        "owner": place.me.name,
        "keys": len(made.keys),
        "peers": len(peers),
        "left_out": list(made.left_out),
        "file": path,
    }
    return Result(
        "backup-create",
        lines,
        fields,
        f"keep it where the token is not: frost-hsm backup verify {door.as_typed(path)}",
        raw,
    )


@command(backup, "verify", token=True)
@click.argument("file")
@click.option("--check-token", is_flag=True, help="Make the shares with your token, and keep none; needs the PIN.")
def verify(place: Workplace, file: str, check_token: bool) -> Result:
    """Check all that is in a backup, and say what can be made of it.

    Needs no token and no state directory, unless --check-token asks whether your token, the first or the second, makes
    the very shares that the others know of.
    """
    with temporary.folder("verify") as directory:
        staging = StateDirectory.create(directory)
        read = door.parse(file, ceremony_backup.read)
        found, keys = read.backup, [_stage(staging, history, read.backup.owner) for history in read.keys]
        can = {key.name: recovery.is_possible(staging, key) for key in keys}
        tried = [key for key in keys if can[key.name]] if check_token else []
        if check_token:
            _try_token(place, staging, found, tried)
    second = "the token of this identity, or its second token" if found.owner.recovery else "the token of this identity"
    lines = [
        *_owner(found),
        f"  peers        {', '.join(peer.name for peer in found.peers) or 'none'}",
        *(f"  key          {_described(key, can[key.name])}" for key in keys),
        *(f"  damaged      {which}: {why}" for which, why in read.damaged.items()),
        f"{'The rest' if read.damaged else 'It'} is whole. To make the shares again it takes {second}, and the PIN",
    ]
    if check_token:
        lines.append(f"Your token makes the shares of {', '.join(key.name for key in tried) or 'no key'}")
    listed = [{**_fields(key), "share_can_be_made": can[key.name]} for key in keys]
    peers = [peer.name for peer in found.peers]
    fields = {
        "owner": identity_fields(found.owner),
        "peers": peers,
        "keys": listed,
        "damaged": list(read.damaged),
        "checked": check_token,
    }
    return Result("backup-verify", lines, fields)


def _stage(staging: StateDirectory, history: History, owner: PublicIdentity) -> GroupKey:
    """Put a key where it would be had we been there."""
    bundle.take_in(staging, history, owner)
    return GroupKey.read(staging, kept.folder_of(history.proposal), owner)


def _try_token(place: Workplace, staging: StateDirectory, found: Backup, keys: Sequence[GroupKey]) -> None:
    if not found.owner.is_same_token(place.me) and not found.owner.is_recovered_by(place.me):
        raise WrongToken(f"the backup of {found.owner.name} is for another token than yours")
    with place.holder() as holder:
        for key in keys:
            recovery.rebuild(staging, key, holder).wipe()


@command(backup, "restore", token=True, asks=True)
@click.argument("file")
def restore(place: Workplace, file: str) -> Result:
    """Bring back what a backup holds, and make the shares again that the token lacks.

    Into the state directory that init made, empty or not: what is there stays, what is missing is added, and where the
    two contradict each other nothing is changed. Everything is verified first. Nothing that was begun and not finished
    comes back, nonces least of all.

    With your second token nothing is made yet: see frost-hsm recover.
    """
    data, found = door.parse(file, lambda data: (data, ceremony_backup.parse(data)))
    with door.naming(file):
        me = _me(place, found)
        restored = ceremony_backup.restore(place.home, data, me)
    place.home.replace("identity.pem", me.to_pem())
    lines = [*_owner(found), *(f"  key          {_described(key, True)}" for key in restored.keys)]
    lines += [f"  passed over  {name}: {why}" for name, why in restored.passed_over.items()]
    names = [key.name for key in restored.keys]
    again: list[str] = []
    after = "frost-hsm keys list"
    if me != found.owner:
        after = f"to take the place of the first token: {'; '.join(f'frost-hsm recover {name}' for name in names)}"
    elif names:
        failed: list[FrostHsmError] = []
        with place.holder() as holder:
            for name in (key.name for key in restored.keys if me in key.roster):
                try:
                    if not recovery.recover(place.home, name, me, lambda: nullcontext(holder)).was_there:
                        again.append(name)
                except CeremonyStopped as stopped:
                    lines.append(f"  no share     {name}: {stopped}")
                except FrostHsmError as error:  # stops no other key
                    failed.append(error)
        if failed:
            raise failed[0]
        lines.append(f"Shares made again: {', '.join(again) or 'none, the token holds them all'}")
    fields = {"owner": found.owner.name, "keys": names, "made_again": again, "passed_over": list(restored.passed_over)}
    return Result("backup-restore", lines, fields, after)


def _me(place: Workplace, found: Backup) -> PublicIdentity:
    """Return one's own identity: the one that is here, else the one in the token that the backup is for."""
    if place.config.me != found.owner.name:
        raise NotPossible(f"this is the backup of {found.owner.name}, and you are {place.config.me}")
    if place.home.exists("identity.pem"):
        me = place.me
        if me.is_same_token(found.owner) and not place.home.names(kept.KEYS):
            me = found.owner  # made again by a token that cannot tell of the second
    else:
        with place.public_token() as token:
            held = [each.public for each in identities.find(token)]
            where = token_name(token.info)
        mine = [each for each in held if each.is_same_token(found.owner)]
        second = [each for each in held if found.owner.is_recovered_by(each)]
        if not mine and not second:
            raise WrongToken(f"the backup of {found.owner.name} is for another token than {where}")
        me = found.owner if mine else second[0]
    if found.owner.is_recovered_by(me):  # only its owner knows whose identity named this token
        is_theirs = place.terminal.agree(
            "Is this the identity of your first token, with this fingerprint?",
            what="the fingerprint",
            shown=found.owner.fingerprint,
            last=4,
            lines=_owner(found),
        )
        if not is_theirs:
            raise Aborted("nothing was restored")
    return me


def _owner(found: Backup) -> list[str]:
    return ["Backup (signature good)", *identity_lines(found.owner)]


def _described(key: GroupKey, can: bool) -> str:
    text = f"{key.name} ({key.verifying_key[:17].hex()}), {key.min_signers} of {len(key.roster)}, epoch {key.epoch}"
    if key.status is not KeyStatus.ACTIVE:
        text += f", {key.status}"
    return text if can else f"{text}; the messages that made your share are not in it"


def _fields(key: GroupKey) -> dict[str, object]:
    return {"name": key.name, "key": key.verifying_key.hex(), "epoch": key.epoch, "state": key.status}
