"""How a key came to be as it is, as signed messages: every file that is to convince others begins with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.transcript import STEPS, read_kept
from frost_hsm.ceremony.messages.making import Confirmation, Message, Proposal
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.upkeep import RefreshProposal, RepairRequest, RepairSigma
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.store import (
    ACTIVE,
    PROPOSAL,
    PUBLIC_KEY_PACKAGE,
    REQUEST,
    StateDirectory,
    epoch_folder,
    repairs_folder,
)
from frost_hsm.errors import StorageProblem
from frost_hsm.frost.packages import PublicKeyPackage

M = TypeVar("M", bound=Message)


def lineage(home: StateDirectory, key: GroupKey, *, is_confirmed: bool = False) -> Iterator[Signed[Any]]:
    """Read the proposal of a key, then the refreshes up to its epoch and the repairs up to its roster, in order.

    A repair is its request and the agreement of all its helpers. is_confirmed: with the confirmations of every epoch.
    Raises `StorageProblem`.
    """
    proposal = _read(home, f"{epoch_folder(key.name, 0)}/{PROPOSAL}", Proposal)
    yield proposal
    roster = proposal.message.roster
    for epoch in range(key.epoch + 1):
        if epoch:
            yield _read(home, f"{epoch_folder(key.name, epoch)}/{PROPOSAL}", RefreshProposal, roster)
        if is_confirmed:
            yield from _read_all(home, f"{epoch_folder(key.name, epoch)}/{STEPS[Confirmation]}", Confirmation, roster)
        folder = repairs_folder(key.name, epoch)
        done = [f"{folder}/{name}" for name in home.names(folder) if home.exists(f"{folder}/{name}/{ACTIVE}")]
        requests = {each: _read(home, f"{each}/{REQUEST}", RepairRequest) for each in done}
        waiting = {said.message.roster: (each, said) for each, said in requests.items()}
        while roster.digest in waiting and (epoch < key.epoch or roster != key.roster):
            path, request = waiting.pop(roster.digest)
            yield request
            yield from _read_all(home, f"{path}/{STEPS[RepairSigma]}", RepairSigma, roster)
            roster = roster.with_member(request.message.position, request.message.receiver)


def confirmed_package(home: StateDirectory, key: GroupKey) -> bytes:
    """Return the public key package that the confirmations of the key's epoch are of, in postcard."""
    path = f"{epoch_folder(key.name, key.epoch)}/{PUBLIC_KEY_PACKAGE}"
    return PublicKeyPackage.from_json(key.suite, home.read(path) or b"").serialize()


def _read_all(home: StateDirectory, folder: str, kind: type[M], roster: Roster) -> Iterator[Signed[M]]:
    """Read everybody's message of a kind, in roster order; some may be missing."""
    for member in roster:
        said = read_kept(home, f"{folder}/{member.name}.pem", kind, roster)
        if said is not None:
            yield said


def _read(home: StateDirectory, path: str, kind: type[M], roster: Roster | None = None) -> Signed[M]:
    said = read_kept(home, path, kind, roster)
    if said is None:
        raise StorageProblem(f"{home.path / path} is gone", hint="restore it from a backup")
    return said
