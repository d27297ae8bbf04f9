"""Everything public about a key in one file: for somebody who is to receive a share, or whose state directory was lost.

It is the signed messages that show what the key is, one after the other: for each epoch the proposal, everybody's
confirmation, the public key package that they confirm, and the request, the sigmas and the end of each repair. Nothing
in it is taken on the word of who sent it.

SEQUENCE OF CHOICE { message ContentInfo, publicKeyPackage OCTET STRING }, in PEM
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any, Final

from frost_hsm.ceremony import cms, der, pem, signed
from frost_hsm.ceremony.identity import PublicIdentity
from frost_hsm.ceremony.inbox import Inbox, Incoming
from frost_hsm.ceremony.keys import GroupKey
from frost_hsm.ceremony.messages import Confirmation, Proposal
from frost_hsm.ceremony.repair import Repair
from frost_hsm.ceremony.roster import Roster
from frost_hsm.ceremony.signed import Signed
from frost_hsm.ceremony.store import (
    ACTIVE,
    PROPOSAL,
    PUBLIC_KEY_PACKAGE,
    REQUEST,
    StateDirectory,
    ceremony_folder,
    epoch_folder,
    repairs_folder,
)
from frost_hsm.ceremony.transcript import STEPS
from frost_hsm.ceremony.upkeep import RefreshProposal, RepairDone, RepairRequest, RepairSigma
from frost_hsm.errors import MalformedMessage, NotKnown, NotPossible, NotYet, StorageProblem, UnknownSender
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.packages import PublicKeyPackage

PEM_LABEL: Final = "FROST-HSM BUNDLE"
MAX_SIZE: Final = 16 << 20

Chapter = list[bytes]
"""A proposal or a request, and what belongs to it."""

_WHAT = "a bundle"
_STAGING = "importing"
_OPENING = (Proposal, RefreshProposal, RepairRequest)


def write(home: StateDirectory, key: GroupKey) -> bytes:
    """Return the bundle of an active key, as PEM."""
    return pem.encode(PEM_LABEL, _encode(home, key))


def _encode(home: StateDirectory, key: GroupKey) -> bytes:
    key.require_active()
    parts: list[bytes] = []
    for epoch in range(key.epoch + 1):
        folder = epoch_folder(key.name, epoch)
        package = PublicKeyPackage.from_json(key.suite, home.read(f"{folder}/{PUBLIC_KEY_PACKAGE}") or b"")
        parts += [_message(home, f"{folder}/{PROPOSAL}"), *_all(home, f"{folder}/{STEPS[Confirmation]}")]
        parts.append(der.octet_string(package.serialize()))
        repairs = repairs_folder(key.name, epoch)
        for name in home.names(repairs):
            if home.exists(f"{repairs}/{name}/{ACTIVE}"):
                parts.append(_message(home, f"{repairs}/{name}/{REQUEST}"))
                parts += _all(home, f"{repairs}/{name}/{STEPS[RepairSigma]}")
                parts += _all(home, f"{repairs}/{name}/{STEPS[RepairDone]}")
    return der.sequence(*parts)


def _all(home: StateDirectory, folder: str) -> list[bytes]:
    return [_message(home, f"{folder}/{name}") for name in home.names(folder)]


def _message(home: StateDirectory, path: str) -> bytes:
    return signed.parse(home.read(path) or b"").der


def read(home: StateDirectory, data: bytes, me: PublicIdentity, peers: Mapping[str, PublicIdentity]) -> GroupKey:
    """Take a key from its bundle into the state directory, once all of it has been verified.

    peers: everybody in it has to be among them, but for the one whose name we have: who receives a share takes their
    place. The same again is fine. Raises `NotPossible` if something else has the key's name here, `UnknownSender`, `MalformedMessage` and what reading
    messages raises; then nothing is changed.
    """
    if len(data) > MAX_SIZE:
        raise MalformedMessage(f"{_WHAT} is larger than {MAX_SIZE} bytes")
    encoded = pem.decode(PEM_LABEL, data, _WHAT)[0]
    chapters = _chapters(encoded)
    with home.lock():
        shutil.rmtree(home.path / _STAGING, ignore_errors=True)  # left by an import that was killed
        try:
            staging = StateDirectory.create(home.path / _STAGING)
            try:
                key = _replay(staging, chapters, me)
                der.require_same(_encode(staging, key), encoded, _WHAT)
            except StorageProblem:  # what was verified and kept does not fit together
                raise MalformedMessage(f"{_WHAT} contradicts itself") from None
            except NotYet as error:
                raise MalformedMessage(f"{_WHAT} is not whole: {error}") from None
            _check_known(key, me, peers)
            folder = ceremony_folder(key.name)
            if not home.exists(folder):
                home.move(f"{_STAGING}/{folder}", folder)
            elif not _is_here(home, key):
                raise NotPossible(
                    f'another ceremony or key has the name "{key.name}" here', hint="see: frost-hsm keys list"
                )
        finally:
            shutil.rmtree(home.path / _STAGING, ignore_errors=True)
    return key


def _is_here(home: StateDirectory, key: GroupKey) -> bool:
    try:
        return GroupKey.load(home, key.name, key.me) == key
    except NotKnown:
        return False


def _chapters(encoded: bytes) -> list[Chapter]:
    """Take a bundle apart; a chapter begins with a proposal or a request."""
    reader, blocks = der.Reader(encoded, _WHAT).sequence(), []
    while reader.more():
        blocks.append(reader.whole(der.OCTET_STRING if reader.has(der.OCTET_STRING) else der.SEQUENCE))
    der.require_same(der.sequence(*blocks), encoded, _WHAT)
    chapters: list[Chapter] = []
    for block in blocks:
        if _is_package(block) or not isinstance(signed.decode(cms.parse(block)), _OPENING):
            if not chapters:
                raise MalformedMessage(f"{_WHAT} does not begin with a proposal")
            chapters[-1].append(block)
        else:
            chapters.append([block])
    if not chapters:
        raise MalformedMessage(f"{_WHAT} is empty")
    return chapters


def _is_package(block: bytes) -> bool:
    return block[0] == der.OCTET_STRING


def _replay(staging: StateDirectory, chapters: Sequence[Chapter], me: PublicIdentity) -> GroupKey:
    """Verify one chapter after the other, and keep each where it would be had we been there."""
    first, *others = chapters[0]
    proposal = signed.read(first).expect(Proposal)
    name = proposal.message.name
    _keep_epoch(staging, name, 0, proposal, proposal.message.roster, proposal.message.suite, others)
    key = GroupKey.load(staging, name, me)
    repairs: list[Chapter] = []
    for chapter in chapters[1:]:
        if isinstance(signed.decode(cms.parse(chapter[0])), RepairRequest):
            repairs.append(chapter)
            continue
        key = _replay_repairs(staging, key, repairs)
        repairs = []
        first, *others = chapter
        refreshed = signed.read(first, key.roster).expect(RefreshProposal)
        _keep_epoch(staging, name, key.epoch + 1, refreshed, key.roster, key.suite.id, others)
        key = GroupKey.load(staging, name, me)
    return _replay_repairs(staging, key, repairs)


def _replay_repairs(staging: StateDirectory, key: GroupKey, repairs: list[Chapter]) -> GroupKey:
    """Follow the repairs of an epoch, in whatever order they are."""
    waiting = [(signed.read(chapter[0]).expect(RepairRequest), chapter[1:]) for chapter in repairs]
    while waiting:
        following = next((each for each in waiting if key.is_repaired_by(each[0].message)), None)
        if following is None:
            raise MalformedMessage(f"{_WHAT} holds a repair of another key")
        waiting.remove(following)
        request, messages = following
        inbox = Inbox([Incoming(f"message {number}", block) for number, block in enumerate(messages, start=1)])
        Repair(staging, request, key).replay(inbox)
        key = GroupKey.load(staging, key.name, key.me)
    return key


def _keep_epoch(
    staging: StateDirectory,
    name: str,
    epoch: int,
    proposal: Signed[Any],
    roster: Roster,
    suite: str,
    blocks: Chapter,
) -> None:
    """Verify that everybody confirmed an epoch alike, and keep it."""
    packages = [der.Reader(block, _WHAT).octet_string() for block in blocks if _is_package(block)]
    said = [signed.read(block, roster).expect(Confirmation) for block in blocks if not _is_package(block)]
    alike = {each.content_digest for each in said}
    if (
        len(packages) != 1
        or len(alike) != 1
        or said[0].message.ceremony != proposal.content_digest
        or {each.sender.name for each in said} != {each.name for each in roster}
    ):
        raise MalformedMessage(f"{_WHAT} does not show that all participants confirmed epoch {epoch} of {name}")
    package = PublicKeyPackage.deserialize(ciphersuites.by_id(suite), packages[0])
    folder = epoch_folder(name, epoch)
    staging.put(f"{folder}/{PROPOSAL}", proposal.to_pem())
    for each in said:
        staging.replace(f"{folder}/{STEPS[Confirmation]}/{each.sender.name}.pem", each.to_pem())
    staging.put(f"{folder}/{PUBLIC_KEY_PACKAGE}", package.to_json().encode())
    staging.put(f"{folder}/{ACTIVE}", said[0].message.check_code.encode() + b"\n")


def _check_known(key: GroupKey, me: PublicIdentity, peers: Mapping[str, PublicIdentity]) -> None:
    for identity in key.roster:
        if identity.name != me.name and peers.get(identity.name) != identity:
            raise UnknownSender(
                f"{identity.name} with the identity in the bundle is not among your peers",
                hint="compare fingerprints with them, by voice or in person; then: frost-hsm peer add",
            )
