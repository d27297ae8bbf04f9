from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import NoInteraction, TokenFixture

from frost_hsm import errors
from frost_hsm.backends import Backend, KeyKind, PinState, TokenInfo
from frost_hsm.backends.software import MAX_TRIES, SoftwareBackend
from frost_hsm.testing import PinSourceSpy

NewToken = Callable[..., TokenFixture]


@pytest.fixture
def backend(load_backend: Callable[[str], Backend]) -> Backend:
    return load_backend("software")


@pytest.fixture
def token(software_token: NewToken) -> TokenFixture:
    return software_token("alice")


def path_of(token: TokenFixture) -> Path:
    return Path(token.uri.removeprefix("software:"))


def try_wrong(backend: Backend, token: TokenFixture, *, allow_final_try: bool = False) -> None:
    with pytest.raises(errors.PinIncorrect):
        backend.open(token.uri, PinSourceSpy("wrong"), allow_final_try=allow_final_try)


# ── Passphrase tries ──────────────────────────────────────────────────────────────────────────────────────


def test_tries_are_counted_to_the_lock(backend: Backend, token: TokenFixture) -> None:
    def state() -> PinState:
        with backend.open(token.uri, None) as public:
            return public.info.pin_state

    assert state() is PinState.OK
    for _ in range(MAX_TRIES - 1):
        try_wrong(backend, token)
        assert state() in (PinState.LOW, PinState.FINAL_TRY)
    assert state() is PinState.FINAL_TRY

    asked = PinSourceSpy(token.pin)
    with pytest.raises(errors.PinFinalTry):
        backend.open(token.uri, asked)
    assert asked.calls == []
    assert state() is PinState.FINAL_TRY

    try_wrong(backend, token, allow_final_try=True)
    assert state() is PinState.LOCKED
    for allow_final_try in (False, True):
        with pytest.raises(errors.PinLocked):
            backend.open(token.uri, asked, allow_final_try=allow_final_try)
    assert asked.calls == []


def test_the_right_passphrase_clears_the_count(backend: Backend, token: TokenFixture) -> None:
    for _ in range(MAX_TRIES - 1):
        try_wrong(backend, token)
    asked = PinSourceSpy(token.pin)
    with backend.open(token.uri, asked, allow_final_try=True) as opened:
        opened.write_record("name", b"value")
    assert asked.calls[0].pin_state is PinState.FINAL_TRY
    with backend.open(token.uri, None) as public:
        assert public.info.pin_state is PinState.OK


def test_a_try_is_on_the_disk_before_it_is_made(
    backend: Backend, token: TokenFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def die(*_: object) -> None:
        seen.append(json.loads(path_of(token).read_bytes())["failed_tries"])
        raise KeyboardInterrupt

    monkeypatch.setattr("frost_hsm.backends.software.key_from", die)
    with pytest.raises(KeyboardInterrupt):
        backend.open(token.uri, token.pin_source)
    assert seen == [1]


# ── The file ──────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_secret_is_in_the_file(backend: Backend, token: TokenFixture) -> None:
    with backend.open(token.uri, token.pin_source) as opened:
        opened.write_record("name", b"the value of a record")
        opened.generate(KeyKind.SIGN, bytes(16), "key")
    document = json.loads(path_of(token).read_bytes())
    assert sorted(document) == sorted(
        ["format", "label", "serial", "scrypt", "failed_tries", "check", "keys", "certificates", "records"]
    )
    assert sorted(document["keys"][0]) == ["id", "kind", "label", "public_key", "sealed"]
    assert sorted(document["records"][0]) == ["name", "sealed"]
    contents = path_of(token).read_bytes()
    for secret in (b"the value", token.pin.encode()):
        assert secret not in contents
        assert secret.hex().encode() not in contents
    assert path_of(token).stat().st_mode & 0o777 == 0o600


def test_no_other_files_are_left(backend: Backend, token: TokenFixture) -> None:
    with backend.open(token.uri, token.pin_source) as opened:
        for number in range(3):
            opened.write_record(str(number), b"value")
    names = sorted(path.name for path in path_of(token).parent.iterdir())
    assert names == ["alice.token", "alice.token.lock"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_open_to_others_is_refused(backend: Backend, token: TokenFixture, mode: int) -> None:
    path_of(token).chmod(mode)
    with pytest.raises(errors.StorageProblem) as caught:
        backend.open(token.uri, token.pin_source)
    assert token.calls == []
    assert "chmod 600" in str(caught.value.hint)


def test_damage_is_refused(backend: Backend, token: TokenFixture) -> None:
    with backend.open(token.uri, token.pin_source) as opened:
        opened.write_record("name", b"value")
        opened.generate(KeyKind.SIGN, bytes(16), "key")
    good = path_of(token).read_bytes()
    document = json.loads(good)

    def changed(**fields: Any) -> bytes:
        return json.dumps({**document, **fields}, sort_keys=True, separators=(",", ":")).encode() + b"\n"

    assert changed() == good
    damaged = [
        *(good[:length] for length in range(0, len(good), 7)),
        good + b" ",
        b" " + good,
        good.replace(b'"label":"alice"', b'"label":"alice","label":"alice"'),
        good.replace(b'"failed_tries":0', b'"failed_tries":0.0'),
        json.dumps(document).encode(),
        changed(format="frost-hsm software token 2"),
        changed(extra=1),
        changed(failed_tries="0"),
        changed(failed_tries=-1),
        changed(failed_tries=True),
        changed(serial=7),
        changed(check="!!!!"),
        changed(keys={}),
        changed(keys=[1]),
        changed(keys=[{}]),
        changed(keys=[{**document["keys"][0], "kind": "other"}]),
        changed(keys=[{**document["keys"][0], "id": "AA"}]),
        changed(records=[{**document["records"][0], "more": 1}]),
        *(changed(records=[{"name": "name", "sealed": text}]) for text in ("QQ", "QR==", "!!!!", "é", 'QQ=="', 7)),
        changed(scrypt={**document["scrypt"], "log2_n": 40}),
        b"[" * 100_000,
        b"\xff\xfe",
    ]
    for data in damaged:
        path_of(token).write_bytes(data)
        for pin_source in (None, PinSourceSpy(token.pin)):
            with pytest.raises(errors.StorageProblem) as caught:
                backend.open(token.uri, pin_source)
            assert "alice.token" in str(caught.value)
    path_of(token).write_bytes(good)
    with backend.open(token.uri, token.pin_source) as opened:
        assert opened.read_record("name") == b"value"


def test_a_label_cannot_pass_for_the_records(backend: Backend, token: TokenFixture) -> None:
    label = '"records":[]'
    with backend.open(token.uri, token.pin_source) as opened:
        opened.generate(KeyKind.SIGN, bytes(16), label)
        opened.write_record(label, b"value")
        opened.delete_record(label)
        opened.write_record("name", b"value")
    with backend.open(token.uri, token.pin_source) as opened:
        assert [key.label for key in opened.keys()] == [label]
        assert opened.record_names() == ["name"]


def test_sealed_entries_cannot_be_exchanged(backend: Backend, token: TokenFixture) -> None:
    first, second = bytes(16), bytes([1]) * 16
    with backend.open(token.uri, token.pin_source) as opened:
        for name in ("a", "b"):
            opened.write_record(name, name.encode())
        for key_id in (first, second):
            opened.generate(KeyKind.SIGN, key_id, "key")
    document = json.loads(path_of(token).read_bytes())
    for entries in (document["records"], document["keys"]):
        entries[0]["sealed"], entries[1]["sealed"] = entries[1]["sealed"], entries[0]["sealed"]
    path_of(token).write_text(json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")
    with backend.open(token.uri, token.pin_source) as opened:
        for name in ("a", "b"):
            with pytest.raises(errors.SealBroken):
                opened.read_record(name)
        for key_id in (first, second):
            with pytest.raises(errors.SealBroken):
                opened.sign(key_id, bytes(32))


def test_what_is_not_a_file_is_refused(backend: Backend, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(errors.StorageProblem):
        backend.open(f"software:{tmp_path / 'fifo'}", None)
    with pytest.raises(errors.StorageProblem):
        backend.open(f"software:{tmp_path}", None)


def test_a_directory_that_cannot_be_written_to(backend: Backend, token: TokenFixture) -> None:
    if os.geteuid() == 0:
        path = Path("/proc/self/alice.token")  # nobody writes there
        with pytest.raises(errors.StorageProblem):
            backend.create(f"software:{path}", lambda _: "pin")
        return
    path_of(token).parent.chmod(0o500)
    with pytest.raises(errors.StorageProblem):
        backend.open(token.uri, token.pin_source)


# ── Making and naming ─────────────────────────────────────────────────────────────────────────────────────


def test_create_never_overwrites(backend: Backend, token: TokenFixture) -> None:
    before = path_of(token).read_bytes()
    with pytest.raises(errors.OutputExists):
        backend.create(token.uri, lambda _: "another")
    assert path_of(token).read_bytes() == before
    assert {path.name for path in path_of(token).parent.iterdir()} == {"alice.token", "alice.token.lock"}


def test_create_refuses_an_empty_passphrase(backend: Backend, tmp_path: Path) -> None:
    with pytest.raises(errors.PinUnusable):
        backend.create(f"software:{tmp_path}/a.token", lambda _: "")
    assert list(tmp_path.iterdir()) == []


def test_create_tells_whose_passphrase_it_asks(backend: Backend, tmp_path: Path) -> None:
    asked = PinSourceSpy("passphrase")
    made = backend.create(f"software:{tmp_path}/bob.token", asked)
    assert (asked.calls[0].label, asked.calls[0].pin_state) == ("bob", PinState.NOT_SET)
    assert not asked.calls[0].initialised
    assert asked.calls[0].serial == made.serial


def test_relative_and_odd_paths(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = backend.create("software:a %41?;b.token", lambda _: "pin")
    assert made.uri == f"software:{tmp_path.resolve()}/a %41?;b.token"
    with backend.open("software:a %41?;b.token", None) as opened:
        assert opened.info == made


@pytest.mark.parametrize("uri", ["software:", "software:a\0b", "pkcs11:token=a"])
def test_uris_that_name_nothing(backend: Backend, uri: str) -> None:
    with pytest.raises(errors.UsageProblem):
        backend.open(uri, None)


def test_settings() -> None:
    for settings, named in (
        ({"scrypt_log2_n": "9"}, "scrypt_log2_n"),
        ({"scrypt_log2_n": "19"}, "scrypt_log2_n"),
        ({"scrypt_log2_n": "many"}, "scrypt_log2_n"),
        ({"colour": "red"}, "colour"),
    ):
        with pytest.raises(errors.ConfigProblem) as caught:
            SoftwareBackend(settings, NoInteraction())
        assert named in str(caught.value)


def test_the_directory_of_the_settings_is_listed(tmp_path: Path) -> None:
    backend = SoftwareBackend({"directory": str(tmp_path), "scrypt_log2_n": "10"}, NoInteraction())
    assert backend.tokens() == []
    made = [backend.create(f"software:{tmp_path}/{name}.token", lambda _: "pin") for name in ("a", "b")]
    assert backend.tokens() == made
    (tmp_path / "c.token").write_text("damaged")
    (tmp_path / "c.token").chmod(0o600)
    lines = backend.describe()
    assert [fine for fine, _ in lines] == [True, True, True, False]
    assert "c.token" in lines[3][1]


def test_a_missing_directory_is_described() -> None:
    backend = SoftwareBackend({"directory": "/nowhere/at/all"}, NoInteraction())
    assert backend.describe()[0][0] is True
    assert backend.tokens() == []


def test_the_default_cost_is_that_of_the_documentation(tmp_path: Path) -> None:
    info = SoftwareBackend({}, NoInteraction()).create(f"software:{tmp_path}/a.token", lambda _: "pin")
    document = json.loads((tmp_path / "a.token").read_bytes())
    assert document["scrypt"]["log2_n"] == 15
    with SoftwareBackend({}, NoInteraction()).open(info.uri, lambda _: "pin") as token:
        assert token.record_names() == []


# ── Several processes ─────────────────────────────────────────────────────────────────────────────────────


def _delete_each(uri: str, pin: str, start: Any, results: Any) -> None:
    backend = SoftwareBackend({}, NoInteraction())
    with backend.open(uri, lambda _: pin) as token:
        start.wait()
        for number in range(20):
            try:
                token.delete_record(str(number))
                results.put(number)
            except errors.KeyNotFound:
                pass
        token.write_record(f"done {os.getpid()}", b"x")


def test_processes_share_a_file(backend: Backend, token: TokenFixture) -> None:
    with backend.open(token.uri, token.pin_source) as opened:
        for number in range(20):
            opened.write_record(str(number), b"value")
        context = multiprocessing.get_context("spawn")
        start, results = context.Barrier(3), context.Queue()
        processes = [
            context.Process(target=_delete_each, args=(token.uri, token.pin, start, results)) for _ in range(3)
        ]
        for process in processes:
            process.start()
        deleted = sorted(results.get(timeout=30) for _ in range(20))
        for process in processes:
            process.join(30)
            assert process.exitcode == 0
        assert deleted == list(range(20))
        assert results.empty()
        assert sorted(opened.record_names()) == sorted(f"done {process.pid}" for process in processes)


def test_an_open_token_sees_what_others_did(backend: Backend, token: TokenFixture) -> None:
    def ask(_: TokenInfo) -> str:
        return token.pin

    with backend.open(token.uri, ask) as first, backend.open(token.uri, ask) as second:
        first.write_record("name", b"value")
        assert second.read_record("name") == b"value"
        second.delete_record("name")
        with pytest.raises(errors.KeyNotFound):
            first.read_record("name")
    with pytest.raises(errors.TokenNotFound):
        path_of(token).unlink()
        backend.open(token.uri, ask)
