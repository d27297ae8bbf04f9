"""`SealedSigner` under load: eight threads on one token, and races for one pair of nonces."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import parties
import pytest
from conftest import TokenFixture
from parties import Party

from frost_hsm.ceremony.keys import GroupKey
from frost_hsm.ceremony.sealed_signer import SealedSigner
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import FrostHsmError, NonceUsed
from frost_hsm.frost.packages import SignatureShare, SigningCommitments, SigningPackage
from frost_hsm.frost.signing import aggregate, verify, verify_signature_share

THREADS = 8
ROUNDS = 12


@pytest.mark.slow
def test_eight_threads_sign_with_one_softhsm_token(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    """The same state machine in one process: one login, every signature verified, no nonces left behind."""

    def token(name: str, folder: Path) -> str:
        uri: str = new_token("threads").uri if name == "alice" else parties.software_token(folder / f"{name}.token")
        return uri

    alice, bob = parties.gather(tmp_path, ["alice", "bob"], new_token=token, settings=backend_settings)
    key = parties.generate([alice, bob])
    pins_before = alice.pins_asked
    with alice.holder() as hers, bob.holder() as his:
        signers = [SealedSigner(key, hers, alice.home), SealedSigner(bob.key(), his, bob.home)]

        def sign(number: int) -> None:
            for attempt in range(3):
                message = f"message {number}.{attempt}".encode()
                commitments = {key.identifier(each.key.me.name): each.commit() for each in signers}
                package = SigningPackage(key.suite, commitments, message)
                shares = {key.identifier(each.key.me.name): each.sign(package) for each in signers}
                signature = aggregate(package, shares, key.public_key_package)
                verify(message, signature, key.public_key_package.verifying_key)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(sign, range(THREADS)))
        for holder in (hers, his):
            assert [name.split(".")[0] for name in holder.token.record_names()] == ["signing-share"]
    assert alice.pins_asked == pins_before + 1


def _answer(home: Path, party: Party, package: bytes, message: bytes, barrier: Barrier, answers: Any) -> None:
    """Sign one of two packages with the same commitments, at the same instant as somebody else."""
    directory = StateDirectory.open(home)
    key = GroupKey.load(directory, parties.KEY, party.public)
    commitments = SigningPackage.deserialize(key.suite, package).signing_commitments
    wanted = SigningPackage(key.suite, commitments, message)
    with party.holder() as holder:
        signer = SealedSigner(key, holder, directory)
        barrier.wait()
        try:
            answers.put((message, signer.sign(wanted).serialize()))
        except NonceUsed as error:
            answers.put((message, str(error)))
        except FrostHsmError as error:
            answers.put((message, repr(error)))


def _race(party: Party, homes: Iterable[Path], package: SigningPackage) -> list[tuple[bytes, Any]]:
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_answer, args=(home, party, package.serialize(), message, barrier, answers))
        for home, message in zip(homes, (b"one", b"other"), strict=True)
    ]
    for process in processes:
        process.start()
    said = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    return said


@pytest.mark.slow
@pytest.mark.parametrize("lock", ["shared lock", "no shared lock"])
def test_two_processes_race_for_one_pair_of_nonces(tmp_path: Path, lock: str) -> None:
    """P8, S1: of two who answer at once with different messages, one gets a share; without a common lock, at most."""
    alice, bob = parties.gather(tmp_path, ["alice", "bob"])
    key = parties.generate([alice, bob])
    homes = [alice.directory / "home"] * 2
    if lock == "no shared lock":
        homes[1] = alice.directory / "clone"
        shutil.copytree(homes[0], homes[1])
    won = 0
    for _ in range(ROUNDS):
        commitments: dict[Any, SigningCommitments] = {}
        for party in (alice, bob):
            with party.holder() as holder:
                commitments[key.identifier(party.name)] = SealedSigner(party.key(), holder, party.home).commit()
        package = SigningPackage(key.suite, commitments, b"")
        said = _race(alice, homes, package)
        shares = [(message, answer) for message, answer in said if isinstance(answer, bytes)]
        refusals = [answer for _, answer in said if isinstance(answer, str)]
        assert len(shares) <= 1, "one pair of nonces served two messages"
        assert all(answer.startswith("these nonces") for answer in refusals), refusals
        won += len(shares)
        for message, answer in shares:
            _verify_share(key, SigningPackage(key.suite, commitments, message), answer)
    assert won == ROUNDS if lock == "shared lock" else won > 0
    with alice.open_token() as token:
        assert [name.split(".")[0] for name in token.record_names()] == ["signing-share"]


def _verify_share(key: GroupKey, package: SigningPackage, share: bytes) -> None:
    mine, public = key.identifier("alice"), key.public_key_package
    decoded = SignatureShare.deserialize(key.suite, share)
    verify_signature_share(mine, public.verifying_shares[mine], decoded, package, public.verifying_key)
