"""Two processes that answer at the same instant, with the same nonces and different messages."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from stage.parties import KEY, Party

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import FrostHsmError
from frost_hsm.frost.packages import SigningPackage


class Racer:
    """A process of its own that signs what it is handed, for one party in one state directory."""

    def __init__(self, party: Party, home: Path, message: bytes, barrier: Barrier) -> None:
        context = multiprocessing.get_context("spawn")  # a PKCS#11 module does not survive a fork
        self.message = message
        self._pipe, theirs = context.Pipe()
        where = (party.name, party.directory, party.uri, party.settings)
        self._process = context.Process(target=_answer, args=(where, home, message, barrier, theirs))
        self._process.start()

    def hand(self, package: SigningPackage) -> None:
        self._pipe.send(package.serialize())

    def answer(self) -> bytes | str:
        """Return the share, or why there is none."""
        if not self._pipe.poll(60):
            raise TimeoutError("the other process does not answer")
        said: bytes | str = self._pipe.recv()
        return said

    def stop(self) -> None:
        self._pipe.send(b"")
        self._process.join()


def barrier() -> Barrier:
    return multiprocessing.get_context("spawn").Barrier(2)


def _answer(
    where: tuple[str, Path, str, dict[str, dict[str, str]]],
    home: Path,
    message: bytes,
    start: Barrier,
    pipe: Connection,
) -> None:
    party = Party(*where)
    directory = StateDirectory.open(home)
    key = GroupKey.load(directory, KEY, party.public)
    while data := pipe.recv():
        commitments = SigningPackage.deserialize(key.suite, data).signing_commitments
        wanted = SigningPackage(key.suite, commitments, message)
        with party.holder() as holder:
            signer = SealedSigner(key, holder, directory)
            start.wait(60)
            try:
                pipe.send(signer.sign(wanted).serialize())
            except FrostHsmError as error:
                pipe.send(f"{type(error).__name__}: {error}")
