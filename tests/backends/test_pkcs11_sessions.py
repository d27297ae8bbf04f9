"""One session and one login a token, and when the PIN is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pkcs11
import pytest
from conftest import NoInteraction, TokenFixture
from pkcs11 import Attribute, ObjectClass
from stage import softhsm

from frost_hsm import errors
from frost_hsm.backends import Backend, PinState, Token
from frost_hsm.backends.pkcs11 import backend, session
from frost_hsm.backends.pkcs11.calls import answers, native
from frost_hsm.backends.pkcs11.modules import module
from frost_hsm.secret import Secret
from frost_hsm.testing import PinSourceSpy

GENERAL_ERROR, OPERATION_ACTIVE, USER_PIN_NOT_INITIALIZED = 0x05, 0x90, 0x102

# ── Sessions and logins ──────────────────────────────────────────────────────────────────────────────────────


def test_wrong_pins_leave_no_session_open(softhsm_module: str, pkcs11_backend: Backend, fixture: TokenFixture) -> None:
    assert not softhsm.has_open_session(softhsm_module, fixture.serial)
    for _ in range(5):
        with pytest.raises(errors.PinIncorrect, match="CKR_PIN_INCORRECT"):
            pkcs11_backend.open(fixture.uri, PinSourceSpy("wrong"))
    assert not softhsm.has_open_session(softhsm_module, fixture.serial)


def test_all_opens_share_one_session(softhsm_module: str, pkcs11_backend: Backend, fixture: TokenFixture) -> None:
    asked = PinSourceSpy(fixture.pin)
    public = pkcs11_backend.open(fixture.uri, None)
    tokens = [pkcs11_backend.open(fixture.uri, asked) for _ in range(3)]
    assert softhsm.has_open_session(softhsm_module, fixture.serial)
    assert len(asked.calls) == 1
    with pytest.raises(errors.PinUnusable):
        public.keys()
    for each in tokens:
        each.close()
    assert public.certificates() == []
    with pkcs11_backend.open(fixture.uri, asked) as again:
        assert again.keys() == []
    assert len(asked.calls) == 2  # the last login had logged out
    public.close()
    assert not softhsm.has_open_session(softhsm_module, fixture.serial)


def test_the_last_close_logs_out(softhsm_module: str, pkcs11_backend: Backend, fixture: TokenFixture) -> None:
    with pkcs11_backend.open(fixture.uri, fixture.pin_source) as token:
        token.write_record("name", b"value")
    found = pkcs11.lib(softhsm_module).get_token(token_serial=fixture.serial.encode())
    with found.open() as public:
        assert list(public.get_objects({Attribute.CLASS: ObjectClass.DATA})) == []


def test_a_login_by_another_library_is_used_and_left(
    softhsm_module: str, pkcs11_backend: Backend, fixture: TokenFixture
) -> None:
    found = pkcs11.lib(softhsm_module).get_token(token_serial=fixture.serial.encode())
    with found.open(rw=True, user_pin=fixture.pin) as other:
        with pkcs11_backend.open(fixture.uri, fixture.pin_source) as token:
            token.write_record("name", b"value")
        assert len(list(other.get_objects({Attribute.CLASS: ObjectClass.DATA}))) == 1


@pytest.mark.parametrize(
    "failure",
    [
        answers.Answer(GENERAL_ERROR),
        answers.Answer(OPERATION_ACTIVE),
        answers.Answer(0x80000001),
        OverflowError("x"),
        ValueError("x"),
        NotImplementedError("x"),
    ],
)
def test_an_unexpected_failure_gives_the_session_up(
    softhsm_module: str,
    pkcs11_backend: Backend,
    fixture: TokenFixture,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
) -> None:
    def fail(*_: object) -> None:
        raise failure

    token = pkcs11_backend.open(fixture.uri, fixture.pin_source)
    with monkeypatch.context() as patched:
        patched.setattr(session.SharedSession, "find", fail)
        with pytest.raises(errors.TokenProblem, match="the token or its module failed") as caught:
            token.keys()
    assert fixture.label in str(caught.value)
    assert not isinstance(caught.value, errors.TokenLost)  # it is still there
    assert not softhsm.has_open_session(softhsm_module, fixture.serial)
    with pytest.raises(errors.TokenProblem, match="the token or its module failed"):
        token.keys()
    with pkcs11_backend.open(fixture.uri, fixture.pin_source) as again:
        assert again.keys() == []
        token.close()  # the one that was given up takes nothing from the new one
        assert again.keys() == []


# ── PINs ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make tokens present themselves otherwise: SoftHSM2 never locks, and has no PIN pad."""
    truly = backend._Source.info

    def pretend(**changes: Any) -> None:
        monkeypatch.setattr(
            backend._Source, "info", lambda self, token: dataclasses.replace(truly(self, token), **changes)
        )

    return pretend


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (PinState.LOCKED, errors.PinLocked),
        (PinState.NOT_SET, errors.PinUnusable),
        (PinState.FINAL_TRY, errors.PinFinalTry),
    ],
)
def test_no_pin_is_asked_in_vain(
    pkcs11_backend: Backend,
    fixture: TokenFixture,
    pretend: Callable[..., None],
    state: PinState,
    error: type[Exception],
) -> None:
    pretend(pin_state=state)
    asked = PinSourceSpy(fixture.pin)
    with pytest.raises(error, match=fixture.label):
        pkcs11_backend.open(fixture.uri, asked)
    assert asked.calls == []


def test_the_last_try_can_be_allowed(
    pkcs11_backend: Backend, fixture: TokenFixture, pretend: Callable[..., None]
) -> None:
    pretend(pin_state=PinState.FINAL_TRY)
    asked = PinSourceSpy(fixture.pin)
    with pkcs11_backend.open(fixture.uri, asked, allow_final_try=True) as token:
        assert token.keys() == []
    assert [info.pin_state for info in asked.calls] == [PinState.FINAL_TRY]


def test_a_low_count_is_told_to_the_pin_source(pkcs11_backend: Backend, fixture: TokenFixture) -> None:
    with pytest.raises(errors.PinIncorrect):
        pkcs11_backend.open(fixture.uri, PinSourceSpy("wrong"))
    asked = PinSourceSpy(fixture.pin)
    pkcs11_backend.open(fixture.uri, asked).close()
    assert [info.pin_state for info in asked.calls] == [PinState.LOW]


def test_a_token_without_a_user_pin(softhsm_module: str, pkcs11_backend: Backend) -> None:
    serial = softhsm.initialise(softhsm_module, "no user pin", None)
    asked = PinSourceSpy("1234")
    with pytest.raises(errors.PinUnusable):
        pkcs11_backend.open(f"pkcs11:serial={serial}", asked)
    assert asked.calls == []


def test_a_pin_pad_is_left_to_ask(
    pkcs11_backend: Backend,
    interaction: NoInteraction,
    fixture: TokenFixture,
    pretend: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(has_own_pin_entry=True)
    given = []
    truly = native.Functions.login

    def login(self: native.Functions, session: int, pin: Secret | None) -> None:
        given.append(pin)
        truly(self, session, Secret(fixture.pin.encode()))

    monkeypatch.setattr(native.Functions, "login", login)
    asked = PinSourceSpy("never asked")
    with pkcs11_backend.open(fixture.uri, asked) as token:
        assert token.keys() == []
    assert (asked.calls, given) == ([], [None])
    assert [fixture.label in message for message in interaction.messages] == [True]


def test_a_record_that_vanishes_while_it_is_written_is_the_tokens_fault(
    pkcs11_backend: Backend, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SoftHSM2 whose directory goes away lists nothing; that is no name that was taken before."""
    token = pkcs11_backend.open(fixture.uri, fixture.pin_source)
    with monkeypatch.context() as patched:
        patched.setattr(native.Functions, "read", lambda *_: {})
        with pytest.raises(errors.TokenLost, match="as soon as it was written"):
            token.write_record("name", b"value")
    with pkcs11_backend.open(fixture.uri, fixture.pin_source) as again, pytest.raises(errors.KeyExists):
        again.write_record("name", b"value")


def test_an_exchanged_token_is_not_taken_for_the_one_that_was_opened(
    softhsm_module: str, new_token: Callable[..., TokenFixture], token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one card is pulled and another pushed in: the slot is the same, and holds another serial."""
    other = new_token("other")
    (another,) = [each for each in module.load(softhsm_module).present_tokens() if each.serial == other.serial.encode()]
    shared = token._session  # type: ignore[attr-defined]
    monkeypatch.setattr(
        shared, "token", SimpleNamespace(slot=another.slot, serial=shared.token.serial, label=shared.token.label)
    )
    with pytest.raises(errors.TokenLost, match="another one"):
        token.keys()
    with pytest.raises(errors.TokenLost):
        token.read_record("name")


# ── A token that another process is just logging in to, which SoftHSM2 then misreads ─────────────────────────


@pytest.fixture
def misread(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], list[str]]:
    """Have the first logins answered with a return value; returns a list, to which each PIN that was tried is added."""
    truly, tried = native.Functions.login, list[str]()

    def misread(times: int, answer: int) -> list[str]:
        def login(self: native.Functions, session: int, pin: Secret | None) -> None:
            assert pin is not None
            with pin.reveal() as view:
                tried.append(bytes(view).decode())
            if len(tried) <= times:
                raise answers.Answer(answer)
            truly(self, session, pin)

        monkeypatch.setattr(native.Functions, "login", login)
        return tried

    return misread


@pytest.mark.parametrize("answer", [GENERAL_ERROR, USER_PIN_NOT_INITIALIZED])
def test_a_login_to_a_misread_token_is_made_again(
    pkcs11_backend: Backend, fixture: TokenFixture, misread: Callable[[int, int], list[str]], answer: int
) -> None:
    tried, asked = misread(2, answer), PinSourceSpy(fixture.pin)
    with pkcs11_backend.open(fixture.uri, asked) as token:
        assert token.keys() == []
    assert (tried, len(asked.calls)) == ([fixture.pin] * 3, 1)


@pytest.mark.parametrize(
    ("answer", "error"), [(GENERAL_ERROR, errors.TokenProblem), (USER_PIN_NOT_INITIALIZED, errors.PinUnusable)]
)
def test_a_token_that_stays_misread(
    softhsm_module: str,
    pkcs11_backend: Backend,
    fixture: TokenFixture,
    misread: Callable[[int, int], list[str]],
    answer: int,
    error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module.softhsm, "was_just_written", lambda: False)
    tried, asked = misread(1000, answer), PinSourceSpy(fixture.pin)
    with pytest.raises(error):
        pkcs11_backend.open(fixture.uri, asked)
    assert (len(tried), len(asked.calls)) == (1 + len(module.PAUSES), 1)
    assert not softhsm.has_open_session(softhsm_module, fixture.serial)


def test_another_module_is_taken_at_its_word(
    pkcs11_backend: Backend,
    fixture: TokenFixture,
    misread: Callable[[int, int], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its tries may be counted, and a person may have to come to the reader for each."""
    monkeypatch.setattr(module.Module, "start_again", lambda self: False)
    tried = misread(1, GENERAL_ERROR)
    with pytest.raises(errors.TokenProblem):
        pkcs11_backend.open(fixture.uri, fixture.pin_source)
    assert len(tried) == 1


def test_a_module_that_does_not_start_again(
    pkcs11_backend: Backend,
    fixture: TokenFixture,
    misread: Callable[[int, int], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: module.Module) -> bool:
        raise pkcs11.GeneralError

    monkeypatch.setattr(module.Module, "start_again", fail)
    misread(1, GENERAL_ERROR)
    with pytest.raises(errors.TokenProblem, match=r"starting .* again"):
        pkcs11_backend.open(fixture.uri, fixture.pin_source)


def test_a_token_that_is_misread_for_an_instant_is_not_lost(
    pkcs11_backend: Backend, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    truly, looks = session.SharedSession._what_is_else, []

    def look(self: session.SharedSession) -> str | None:
        looks.append(self)
        return "is gone" if len(looks) < len(module.PAUSES) else truly(self)

    with pkcs11_backend.open(fixture.uri, fixture.pin_source) as token:
        monkeypatch.setattr(session.SharedSession, "_what_is_else", look)
        with pytest.raises(errors.KeyNotFound):
            token.read_record("name")
    assert len(looks) == len(module.PAUSES)
