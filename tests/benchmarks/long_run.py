"""Sign for hours' worth at once, while workers are killed: python tests/benchmarks/long_run.py [SIGNATURES] [KILLS]

Several processes with several threads each sign with one share in a SoftHSM2 token. Any of them but the first may be
killed at any time; it is started again, and goes on with what it finds. In the end every signature is there and
verified, no nonces are left in the token, and the first process has no more memory than at the beginning, but for what
SoftHSM2 keeps of every object that it ever saw destroyed: that is measured beside it, without any code of ours.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_long
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import pkcs11
from pkcs11 import Attribute, ObjectClass
from stage import parties, softhsm
from stage.parties import KEY, Party

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import NonceUsed
from frost_hsm.frost import signing
from frost_hsm.frost.packages import KeyPackage, SignatureShare, SigningPackage

PROCESSES = 3
THREADS = 2
WARM = 0.2  # of the signatures of a process: from then on its memory does not grow

Where = tuple[str, Path, str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to. left: nonces in the token. warm, end: KiB of memory of the first process."""

    signatures: int
    seconds: float
    kills: int
    tokens_lost: int
    left: list[str]
    warm: int
    end: int


class Work:
    """What one process does: every number of its own, from whatever an earlier process left of it."""

    def __init__(self, folder: Path, signer: SealedSigner, his: KeyPackage) -> None:
        self.folder = folder
        self.signer = signer
        self.key = signer.key
        self.his = his

    def sign(self, number: int) -> None:
        """Make, verify and keep one signature. The package comes first: a share is only ever made for a kept one."""
        attempt = len(list(self.folder.glob(f"{number}.*.lost")))
        request = hashlib.sha256(b"request %d %d" % (number, attempt)).digest()
        packaged, answered, done = (self.folder / f"{number}.{kind}" for kind in ("package", "share", "signature"))
        if done.exists():
            return
        mine, theirs = self.key.identifier("alice"), self.key.identifier("bob")
        if not packaged.exists():
            nonces, commitments = signing.commit(self.his.signing_share)
            both = {mine: self.signer.commit(request), theirs: commitments}
            package = SigningPackage(self.key.suite, both, b"message %d" % number)
            his = signing.sign(package, nonces, self.his)
            _write(self.folder / f"{number}.his", his.serialize())
            _write(packaged, package.serialize())
        package = SigningPackage.deserialize(self.key.suite, packaged.read_bytes())
        if answered.exists():
            self.signer.forget([request])  # killed before it came to that
        else:
            try:
                self.signer.sign(package, request, keep=lambda share: _write(answered, share.serialize()))
            except NonceUsed:  # an answer was cut short: its nonces have served
                _write(self.folder / f"{number}.{attempt}.lost", b"")
                packaged.unlink()
                return self.sign(number)
        shares = {
            mine: SignatureShare.deserialize(self.key.suite, answered.read_bytes()),
            theirs: SignatureShare.deserialize(self.key.suite, (self.folder / f"{number}.his").read_bytes()),
        }
        _write(done, signing.aggregate(package, shares, self.key.public_key_package).serialize())


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)


def _work(wheres: tuple[Where, Where], folder: Path, numbers: range, progress: Any, slot: int) -> None:
    alice, bob = (Party(*where) for where in wheres)
    home = StateDirectory.open(alice.directory / "home")
    with bob.holder() as holder:
        his = bob.key().unseal(SealedRecords(holder, bob.home))
    with alice.holder() as holder:
        work = Work(folder, SealedSigner(GroupKey.load(home, KEY, alice.public), holder, home), his)

        def sign(number: int) -> None:
            work.sign(number)
            progress[slot] += 1
            if slot == 0 and number == numbers[int(len(numbers) * WARM)]:
                progress[-2] = _memory()

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(sign, numbers))
    if slot == 0:
        progress[-1] = _memory()
    _require_no_session()


def _memory() -> int:
    """Return the KiB that this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def _require_no_session() -> None:
    from frost_hsm.backends.pkcs11 import session

    if session._sessions:
        raise AssertionError(f"sessions are open: {session._sessions}")


def run(alice: Party, bob: Party, tokens: Path, signatures: int, kills: int, rng: random.Random) -> Report:
    """Have ``alice``, in SoftHSM2, and ``bob`` sign; kill a process each time another part of the work is done."""
    context = multiprocessing.get_context("spawn")
    folder = alice.directory / "signatures"
    folder.mkdir()
    wheres = tuple((party.name, party.directory, party.uri, party.settings) for party in (alice, bob))
    progress = RawArray(c_long, PROCESSES + 2)
    begun = time.perf_counter()
    kept = {path: path.read_bytes() for path in tokens.glob("*/token.object")}

    def start(slot: int) -> BaseProcess:
        arguments = (wheres, folder, range(slot, signatures, PROCESSES), progress, slot)
        process = context.Process(target=_work, args=arguments)
        process.start()
        return process

    workers = [start(slot) for slot in range(PROCESSES)]
    waiting, killed, lost = sorted(rng.sample(range(signatures), kills)), 0, 0
    while any(worker.is_alive() for worker in workers):
        time.sleep(0.02)
        done = sum(path.suffix == ".signature" for path in folder.iterdir()) if waiting else 0
        if waiting and done >= waiting[0]:
            waiting.pop(0)
            slot = rng.randrange(1, PROCESSES)
            if workers[slot].is_alive():
                workers[slot].kill()
                workers[slot].join()
                killed += 1
                lost += _mend(kept)
                workers[slot] = start(slot)
    if any(worker.exitcode != 0 for worker in workers):
        raise AssertionError(f"workers ended with {[worker.exitcode for worker in workers]}")
    made = len(list(folder.glob("*.signature")))
    left = [name for name in alice.records() if "nonces" in name]
    return Report(made, time.perf_counter() - begun, killed, lost, left, progress[-2], progress[-1])


def _mend(kept: dict[Path, bytes]) -> int:
    """Put back what SoftHSM2 loses when it is killed within a login: the file with the token's label and PIN."""
    empty = [path for path in kept if path.stat().st_size == 0]
    for path in empty:
        path.write_bytes(kept[path])
    return len(empty)


def _kept_by_softhsm(module: str, serial: str, objects: int = 1500) -> float:
    """Return how many KiB SoftHSM2 has more in memory for each data object that was made and destroyed."""
    token = pkcs11.lib(module).get_token(token_serial=serial.encode())
    template = {Attribute.CLASS: ObjectClass.DATA, Attribute.TOKEN: True, Attribute.VALUE: bytes(1500)}
    names = {Attribute.APPLICATION: "bare", Attribute.LABEL: "an object as long-lived as a pair of nonces"}
    with token.open(rw=True, user_pin=parties.PIN) as session:
        for number in range(2 * objects):
            if number == objects:  # what was free before is used up
                before = _memory()
            session.create_object({**template, **names}).destroy()
        return (_memory() - before) / objects


def main() -> None:
    signatures, kills = (int(word) for word in [*sys.argv[1:], "10000", "100"][:2])
    module = softhsm.module_path()
    if module is None:
        raise SystemExit("SoftHSM2 is not installed")
    softhsm.configure_process()
    directory = Path(tempfile.mkdtemp(prefix="frost-hsm-long-run-"))
    try:
        serial = softhsm.initialise(module, "long-run", parties.PIN)
        uris = {"alice": f"pkcs11:token=long-run;serial={serial}"}
        settings = {**parties.QUICK, "pkcs11": {"softhsm": module}}

        def token(name: str, folder: Path) -> str:
            return uris.get(name) or parties.software_token(folder / f"{name}.token")

        alice, bob = parties.gather(directory, ["alice", "bob"], new_token=token, settings=settings)
        parties.generate([alice, bob])
        tokens = Path(os.environ["SOFTHSM2_CONF"]).parent / "tokens"
        report = run(alice, bob, tokens, signatures, kills, random.Random())
        kept = _kept_by_softhsm(module, serial)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(
        f"{report.signatures} signatures verified in {report.seconds:.0f} s, {PROCESSES} processes, {THREADS} threads"
    )
    print(f"{report.kills} processes killed; SoftHSM2 lost its token {report.tokens_lost} times")
    print(f"nonces left in the token: {len(report.left)}")
    print(f"memory of the process that lived on: {report.warm} KiB warm, {report.end} KiB in the end")
    destroyed = round(signatures * (1 - WARM))  # nonces
    print(f"SoftHSM2 alone keeps {kept:.2f} KiB of each object destroyed: {kept * destroyed:.0f} KiB of {destroyed}")


if __name__ == "__main__":
    main()
