"""`SealedSigner` under load: eight threads on one token, and races for one pair of nonces."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import TokenFixture
from stage import parties, racing, upkeep

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner, Served
from frost_hsm.ceremony.store import StateDirectory, served_folder
from frost_hsm.errors import NonceUsed
from frost_hsm.frost.packages import Identifier, SignatureShare, SigningCommitments, SigningPackage
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
        for holder, party in ((hers, alice), (his, bob)):
            assert [name.split(".")[0] for name in SealedRecords(holder, party.home).names()] == ["signing-share"]
    assert alice.pins_asked == pins_before + 1


def test_what_was_let_out_to_serve_is_not_drawn_again(tmp_path: Path) -> None:
    """A program that was cut short after that has lost the pair, and makes no other one for the same request."""
    alice, bob = parties.gather(tmp_path, ["alice", "bob"])
    key, request = parties.generate([alice, bob]), bytes(32)

    def cut_short(share: SignatureShare) -> None:
        raise KeyboardInterrupt

    with alice.holder() as hers, bob.holder() as his:
        signer = SealedSigner(key, hers, alice.home)
        theirs = SealedSigner(bob.key(), his, bob.home).commit()
        mine = signer.commit(request)
        assert signer.commit(request) == mine
        package = SigningPackage(key.suite, {key.identifier("alice"): mine, key.identifier("bob"): theirs}, b"message")
        with pytest.raises(KeyboardInterrupt):
            signer.sign(package, request, keep=cut_short)
        for step in (lambda: signer.commit(request), lambda: signer.sign(package, request)):
            with pytest.raises(NonceUsed, match="have been used") as caught:
                step()
            assert "ask for a new request" in str(caught.value.hint)
    assert not [name for name in alice.records() if "nonces" in name]


def test_the_share_is_opened_once_for_all_items_of_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing has changed if the nonces of one of them have served."""
    alice, bob = parties.gather(tmp_path, ["alice", "bob"])
    key, opened = parties.generate([alice, bob]), []
    unseal = GroupKey.unseal
    monkeypatch.setattr(GroupKey, "unseal", lambda self, records: opened.append(self.me.name) or unseal(self, records))
    with alice.holder() as hers, bob.holder() as his:
        signer, other = SealedSigner(key, hers, alice.home), SealedSigner(bob.key(), his, bob.home)
        pairs = list(zip(signer.preprocess(4), other.preprocess(4), strict=True))
        packages = [
            SigningPackage(key.suite, {key.identifier("alice"): mine, key.identifier("bob"): theirs}, b"%d" % number)
            for number, (mine, theirs) in enumerate(pairs)
        ]
        opened.clear()
        hers_made, answers = signer.sign_all(packages[:3]), other.sign_all(packages[:3])
        assert opened == ["alice", "bob"]
        for package, one, another in zip(packages, hers_made, answers, strict=False):
            shares = {key.identifier("alice"): one, key.identifier("bob"): another}
            signature = aggregate(package, shares, key.public_key_package)
            verify(package.message, signature, key.public_key_package.verifying_key)
        before = alice.records()
        with pytest.raises(NonceUsed):
            signer.sign_all([packages[3], packages[0]])
        assert alice.records() == before
        signer.sign_all(packages[3:])


def test_a_note_costs_the_same_after_many(tmp_path: Path) -> None:
    """Of what served, and of what serves: a few system calls and a short file, in a directory that has seen a lot."""
    home = StateDirectory.create(tmp_path / "home")
    served = Served(home, bytes(32), 1)
    subjects = [hashlib.sha256(b"%d" % number).digest() for number in range(400)]
    for subject in subjects:
        assert subject not in served
        served.add(subject)
    assert all(subject in served for subject in subjects)
    assert max(len(home.read(name) or b"") for name in home.files("served")) < 33 * 12
    assert len(home.files("served")) > 128


def test_the_memory_of_a_share_goes_with_it(tmp_path: Path) -> None:
    alice, bob = parties.gather(tmp_path, ["alice", "bob"])
    key = parties.generate([alice, bob])
    parties.sign([alice, bob], b"message")
    notes = b"".join(alice.home.read(name) or b"" for name in alice.home.files("served"))
    assert len(notes.splitlines()) == 2, "of the request, and of the pair of nonces"
    upkeep.refresh([alice, bob])
    parties.sign([alice, bob], b"message")
    assert served_folder(key.sharing, key.position).removeprefix("served/") not in alice.home.names("served")


@pytest.mark.slow
@pytest.mark.parametrize("lock", ["shared lock", "no shared lock"])
@pytest.mark.parametrize("kind", ["software", "softhsm"])
def test_two_processes_race_for_one_pair_of_nonces(
    tmp_path: Path,
    new_token: Callable[..., TokenFixture],
    backend_settings: parties.Settings,
    kind: str,
    lock: str,
) -> None:
    """P8, S1: of two who answer at once with different messages, one gets a share; without a common lock, at most."""

    def token(name: str, folder: Path) -> str:
        if name == "alice" and kind == "softhsm":
            return str(new_token("race").uri)
        return parties.software_token(folder / f"{name}.token")

    alice, bob = parties.gather(tmp_path, ["alice", "bob"], new_token=token, settings=backend_settings)
    key = parties.generate([alice, bob])
    homes = [alice.directory / "home"] * 2
    if lock == "no shared lock":
        homes[1] = alice.directory / "clone"
        shutil.copytree(homes[0], homes[1])
    start = racing.barrier()
    racers = [
        racing.Racer(alice, home, message, start) for home, message in zip(homes, (b"one", b"other"), strict=True)
    ]
    won = 0
    for _ in range(ROUNDS):
        commitments: dict[Identifier, SigningCommitments] = {}
        for party in (alice, bob):
            with party.holder() as holder:
                commitments[key.identifier(party.name)] = SealedSigner(party.key(), holder, party.home).commit()
        for racer in racers:
            racer.hand(SigningPackage(key.suite, commitments, b""))
        shares = 0
        for racer in racers:
            answer = racer.answer()
            if isinstance(answer, bytes):
                shares += 1
                _verify_share(key, SigningPackage(key.suite, commitments, racer.message), answer)
            else:
                assert answer.startswith("NonceUsed"), answer
        assert shares <= 1, "one pair of nonces served two messages"
        won += shares
    for racer in racers:
        racer.stop()
    assert won == ROUNDS if lock == "shared lock" else won > 0
    assert [name.split(".")[0] for name in alice.records()] == ["signing-share"]


def _verify_share(key: GroupKey, package: SigningPackage, share: bytes) -> None:
    mine, public = key.identifier("alice"), key.public_key_package
    decoded = SignatureShare.deserialize(key.suite, share)
    verify_signature_share(mine, public.verifying_shares[mine], decoded, package, public.verifying_key)
