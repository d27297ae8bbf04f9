"""What was read and verified once is not again, unless it changed; and every change on the disk is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from stage import parties, staging, upkeep
from stage.parties import KEY, Party
from stage.staging import Stage

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.memory import Memory
from frost_hsm.ceremony.messages.using import Commitment
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import BadMessageSignature, StorageProblem
from frost_hsm.forms.public_key import PublicKey


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return staging.with_key(tmp_path_factory.mktemp("once"), "p256")


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """How often each signature was verified."""
    counted: Counter[bytes] = Counter()
    verify = PublicKey.verify

    def counting(self: PublicKey, signature: bytes, data: bytes) -> None:
        counted[signature] += 1
        verify(self, signature, data)

    monkeypatch.setattr(PublicKey, "verify", counting)
    return counted


def test_a_key_is_verified_once_however_often_it_is_loaded(trio: list[Party], verified: Counter[bytes]) -> None:
    alice = trio[0]
    upkeep.refresh(trio)
    home, me = alice.home, alice.public
    GroupKey.load(home, KEY, me)
    verified.clear()
    for _ in range(3):
        GroupKey.load(StateDirectory.open(home.path), KEY, me).require_active()
    assert not verified


def test_messages_of_others_are_verified_once(trio: list[Party], verified: Counter[bytes]) -> None:
    alice, bob, _ = trio
    wanted = parties.request([alice, bob], b"pay 5 to dave")
    commitments = parties.commit([alice, bob], wanted)
    home, me = alice.home, alice.public
    verified.clear()
    for _ in range(3):
        session = SigningSession.read(home, wanted, me)
        session.transcript.gather(Commitment, parties.inbox(commitments.values()))
    assert set(verified.values()) <= {1}


def empty(path: Path, other: Path) -> None:
    path.write_bytes(b"")


def exchange(path: Path, other: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(data)


def delete(path: Path, other: Path) -> None:
    path.unlink()


def alter(path: Path, other: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("change", [empty, exchange, delete, alter])
@pytest.mark.parametrize("name", ["beginning.pem", "confirm/bob.pem", "public-key-package.json"])
def test_a_file_that_was_changed_is_seen_by_whoever_has_read_it(
    trio: list[Party], name: str, change: Callable[[Path, Path], None]
) -> None:
    alice = trio[0]
    home = StateDirectory.open(alice.directory / "home")
    key = GroupKey.load(home, KEY, alice.public)
    folder = home.path / alice.folder()
    change(folder / name, folder / "confirm/carol.pem")
    with pytest.raises(StorageProblem):
        GroupKey.load(home, KEY, alice.public)
    assert key.name == KEY


def test_what_another_process_adds_is_seen(trio: list[Party]) -> None:
    alice = trio[0]
    home = StateDirectory.open(alice.directory / "home")
    assert GroupKey.load(home, KEY, alice.public).epoch == 0
    upkeep.refresh(trio)
    assert GroupKey.load(home, KEY, alice.public).epoch == 1


def test_what_verified_with_one_key_does_not_with_another(trio: list[Party]) -> None:
    alice, bob, _ = trio
    data = parties.propose(trio, name="another")
    parsed = signed.parse(data)
    parsed.verify(alice.public.sign_key)
    assert signed.parse(data) is parsed
    for _ in range(2):
        with pytest.raises(BadMessageSignature):
            parsed.verify(bob.public.sign_key)


def test_so_many_bytes_are_remembered_and_no_more() -> None:
    memory: Memory[int] = Memory(10)
    made: list[int] = []

    def get(number: int, size: int) -> int:
        return memory.get(bytes([number]), size, lambda: made.append(number) or number)  # type: ignore[func-returns-value]

    assert [get(1, 4), get(2, 4), get(1, 4), get(2, 4), get(1, 4)] == [1, 2, 1, 2, 1]
    assert made == [1, 2]
    get(3, 4)  # takes the place of 2, which was not asked for longest
    get(1, 4)
    get(2, 4)
    assert made == [1, 2, 3, 2]
    get(4, 11)
    get(4, 11)
    assert made == [1, 2, 3, 2, 4, 4]


def test_what_raises_is_not_remembered() -> None:
    memory: Memory[int] = Memory(10)
    with pytest.raises(ZeroDivisionError):
        memory.get(b"", 1, lambda: 1 // 0)
    assert memory.get(b"", 1, lambda: 7) == 7
