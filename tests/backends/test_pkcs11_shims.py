"""What other modules do otherwise than SoftHSM2, by a shim in front of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from conftest import NoInteraction, TokenFixture
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from stage import shim

from frost_hsm import errors
from frost_hsm.backends import Backend, Capability, KeyKind, Token
from frost_hsm.backends.pkcs11 import Pkcs11Backend
from frost_hsm.backends.pkcs11.calls.return_values import NAMES
from frost_hsm.ceremony.people import identity
from frost_hsm.ceremony.people.identity import RecordPlace
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.testing.judge import point_of

FINALIZE, LOGIN = "1", "18"  # positions in CK_FUNCTION_LIST
numbers = count()
NewToken = Callable[..., TokenFixture]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler: apt-get install gcc libc6-dev")
    directory = tmp_path_factory.mktemp("shim")
    shim.compiled(directory)
    return directory


@pytest.fixture
def backend(
    compiled: Path, softhsm_module: str, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Backend]:
    """A backend whose module is a shim of the test's own, over the SoftHSM2 that holds ``fixture``."""
    monkeypatch.setenv("SHIM_MODULE", softhsm_module)
    yield Pkcs11Backend({"shim": str(shim.copy(compiled, compiled / f"{next(numbers)}.so"))}, NoInteraction())


def behave(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setenv("SHIM", words)


def made(token: Token, *kinds: KeyKind) -> list[bytes]:
    ids = [os.urandom(16) for _ in kinds]
    for kind, key_id in zip(kinds, ids, strict=True):
        token.generate(kind, key_id, f"a {kind} key")
    return ids


# ── Starting ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_module_that_gives_everybody_functions_of_their_own(
    backend: Backend, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """p11-kit does: whoever asks a second time gets functions that are not initialised."""
    behave(monkeypatch, "lists")
    with backend.open(fixture.uri, fixture.pin_source) as token:
        (key_id,) = made(token, KeyKind.SIGN)
        assert len(token.sign(key_id, bytes(32))) == 64


def test_a_module_that_wants_to_lock(backend: Backend, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    behave(monkeypatch, "locking")
    with backend.open(fixture.uri, fixture.pin_source) as token:
        assert token.keys() == []


def test_a_module_that_runs_already_is_shared(backend: Backend, pkcs11_backend: Backend, fixture: TokenFixture) -> None:
    """SoftHSM2 is loaded by the test itself, and once more behind the shim; neither takes it from the other."""
    with pkcs11_backend.open(fixture.uri, fixture.pin_source) as direct:
        (key_id,) = made(direct, KeyKind.SIGN)
        with backend.open(fixture.uri, fixture.pin_source) as token:
            assert [key.id for key in token.keys()] == [key_id]
        assert len(direct.sign(key_id, bytes(32))) == 64


@pytest.mark.parametrize("behind", ["", "lists", "locking"])
def test_a_module_is_told_once_that_the_process_ends(
    compiled: Path, softhsm_module: str, fixture: TokenFixture, tmp_path: Path, behind: str
) -> None:
    """Whether or not Python lets go of everything then."""
    program = """
import gc, sys
from frost_hsm.backends.pkcs11.modules.module import load
module = load(sys.argv[1])
assert module.present_tokens()
if sys.argv[2]:
    gc.freeze()
"""
    for kept in ("", "kept"):
        calls = tmp_path / f"calls {kept}"
        settings = {"SHIM_MODULE": softhsm_module, "SHIM": behind, "SHIM_COUNT": str(calls)}
        command = [sys.executable, "-c", program, str(shim.copy(compiled, compiled / f"{next(numbers)}.so")), kept]
        subprocess.run(command, env={**os.environ, **settings}, check=True)
        assert calls.read_text().split().count(FINALIZE) == 1


@pytest.mark.parametrize("behind", ["", "lists", "locking", "ykcs11", "network", "brief"])
def test_a_wrong_pin_is_one_login(
    backend: Backend, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, behind: str
) -> None:
    """By the calls that the module sees, whatever module it is."""
    behave(monkeypatch, behind)
    calls = tmp_path / "calls"
    monkeypatch.setenv("SHIM_COUNT", str(calls))
    with pytest.raises(errors.PinIncorrect):
        backend.open(fixture.uri, lambda info: "wrong-9876")
    assert calls.read_text().split().count(LOGIN) == 1
    with backend.open(fixture.uri, fixture.pin_source) as token:
        token.keys()
    assert calls.read_text().split().count(LOGIN) == 2


# ── Tokens that cannot ───────────────────────────────────────────────────────────────────────────────────────


def test_a_full_token_says_so_and_stays_the_home_of_records(
    backend: Backend, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    behave(monkeypatch, "full")
    with backend.open(fixture.uri, fixture.pin_source) as token:
        with pytest.raises(errors.TokenProblem, match=r"the token is full \(CKR_DEVICE_MEMORY\)"):
            identity.settle_records(token)
        with pytest.raises(errors.TokenProblem, match="the token is full"):
            token.write_record("name", b"value")
        with pytest.raises(errors.TokenProblem, match="the token is full"):
            token.generate(KeyKind.SIGN, bytes(16), "key")
    behave(monkeypatch, "")
    with backend.open(fixture.uri, fixture.pin_source) as token:
        assert identity.settle_records(token) is RecordPlace.TOKEN


def test_a_token_that_is_write_protected(
    backend: Backend, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    behave(monkeypatch, "readonly")
    with backend.open(fixture.uri, fixture.pin_source) as token:
        assert identity.settle_records(token) is RecordPlace.DIRECTORY
        with pytest.raises(errors.TokenReadOnly):
            token.write_record("name", b"value")


def test_a_ciphertext_that_does_not_open_is_told_from_a_token_that_fails(
    backend: Backend, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kryoptic says of every one that the device is in error."""
    behave(monkeypatch, "brief")
    with backend.open(fixture.uri, fixture.pin_source) as token:
        (key_id,) = made(token, KeyKind.DECRYPT)
        public = serialization.load_der_public_key(token.keys()[0].public_key)
        assert isinstance(public, rsa.RSAPublicKey)
        good = public.encrypt(b"secret", padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))
        above = (public.public_numbers().n + 1).to_bytes(len(good), "big")
        for bad in (bytes([good[0] ^ 1]) + good[1:], above, good[:-1], good + b"\0", b"", bytes(len(good))):
            with pytest.raises(errors.SealBroken):
                token.decrypt(key_id, bad, OaepHash.SHA1)
        with token.decrypt(key_id, good, OaepHash.SHA1) as opened:
            assert len(opened) == 6
        monkeypatch.setenv("SHIM_FAIL", "34f:30")  # C_Decrypt, whatever it is given
        with pytest.raises(errors.TokenProblem, match="CKR_DEVICE_ERROR") as caught:
            token.decrypt(key_id, good, OaepHash.SHA1)
        assert not isinstance(caught.value, errors.SealBroken | errors.TokenLost)


# ── Modules of others ────────────────────────────────────────────────────────────────────────────────────────


def test_a_yubikey_is_adopted(
    softhsm_module: str, backend: Backend, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids of one byte, made by a tool; it says of none that it agrees, and wants the PIN for each signature of one."""
    tool = ["pkcs11-tool", "--module", softhsm_module, "--token-label", fixture.label, "--login", "--pin", fixture.pin]
    for key_id, *options in (("02", "--usage-sign", "--always-auth"), ("03", "--usage-derive")):
        command = [*tool, "--keypairgen", "--key-type", "EC:prime256v1", "--id", key_id, "--sensitive", *options]
        subprocess.run(command, check=True, capture_output=True)
    behave(monkeypatch, "ykcs11")
    with backend.open(fixture.uri, fixture.pin_source) as token:
        with pytest.raises(errors.MechanismUnsupported, match="makes no sign key for us") as caught:
            identity.create(token, "yuki")
        assert "adopt" in str(caught.value.hint)
        adopted = identity.adopt(token, "yuki", b"\x02", b"\x03")
        assert adopted.records is RecordPlace.DIRECTORY
        for _ in range(2):
            identity.Holder(adopted, token).sign(b"data")  # which verifies
    assert len(fixture.calls) == 1  # the PIN was asked once


def test_a_network_hsm_opens_with_rsa(
    backend: Backend, pkcs11_backend: Backend, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pkcs11_backend.open(fixture.uri, fixture.pin_source) as token:  # whoever runs it makes the keys
        sign_id, decrypt_id = made(token, KeyKind.SIGN, KeyKind.DECRYPT)
    behave(monkeypatch, "network")
    with backend.open(fixture.uri, fixture.pin_source) as token:
        assert not token.capabilities & {Capability.AGREE, Capability.DATA}
        adopted = identity.adopt(token, "nora", sign_id, decrypt_id)
        assert adopted.records is RecordPlace.DIRECTORY
        assert adopted.public.oaep_hash is OaepHash.SHA1
        assert [each.public for each in identity.find(token)] == [adopted.public]
        with pytest.raises(errors.MechanismUnsupported):
            token.agree(sign_id, point_of(ec.generate_private_key(ec.SECP256R1())))


# ── Each call fails in turn, with each error ─────────────────────────────────────────────────────────────────

SAID_OF_ANYTHING = (0x05, 0x06, 0x30, 0x90, 0x80000001)
"""General error, function failed, device error, operation active, a vendor's own: the token is there all the time."""

SAID = (*SAID_OF_ANYTHING, 0x02, 0x31, 0x32, 0x54, 0x70, 0x82, 0xA0, 0xA4, 0xB3, 0xB5, 0xE0, 0x101, 0x190, 0x200)


@pytest.mark.parametrize("value", SAID, ids=lambda value: NAMES.get(value, hex(value)))
def test_each_call_may_fail(
    backend: Backend, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch, value: int
) -> None:
    """It is told in one sentence of ours, what was in the token stays there, and the next run works."""
    with backend.open(fixture.uri, fixture.pin_source) as token:
        sign_id, agree_id = made(token, KeyKind.SIGN, KeyKind.AGREE)
        token.write_record("kept", b"kept")
    point = point_of(ec.generate_private_key(ec.SECP256R1()))

    def life() -> None:
        with backend.open(fixture.uri, fixture.pin_source) as token:
            token.write_record("new", b"new")
            assert token.read_record("kept") == b"kept"
            assert len(token.sign(sign_id, bytes(32))) == 64
            token.agree(agree_id, point).wipe()
            token.delete_record("new")

    told, quiet = set(), 0
    for number in count(1):
        monkeypatch.setenv("SHIM_FAIL", f"{number}:{value:x}")
        fixture.calls.clear()
        try:
            life()
            quiet += 1
        except errors.TokenProblem as error:
            told.add(type(error))
            quiet = 0
            if value in SAID_OF_ANYTHING:
                assert not isinstance(error, errors.TokenLost)
            assert "python-pkcs11" not in str(error)
        assert len(fixture.calls) <= 1
        monkeypatch.setenv("SHIM_FAIL", "")
        with backend.open(fixture.uri, fixture.pin_source) as token:
            assert token.read_record("kept") == b"kept"
            assert {key.id for key in token.keys()} == {sign_id, agree_id}
            if "new" in token.record_names():
                token.delete_record("new")
        if quiet > 6:  # past the last call
            break
    assert told
