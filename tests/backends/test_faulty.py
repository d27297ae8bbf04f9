"""The fault-injecting backend does what it says, or tests that lean on it would show nothing."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable

import pytest
from conftest import NoInteraction, TokenFixture
from stage.faulty_backend import Faults, FaultyBackend, kill_at

from frost_hsm import errors
from frost_hsm.backends import Backend, PinState
from frost_hsm.backends.software import SoftwareBackend
from frost_hsm.testing import PinSourceSpy


@pytest.fixture
def fixture(software_token: Callable[..., TokenFixture]) -> TokenFixture:
    return software_token("alice")


@pytest.fixture
def software(load_backend: Callable[[str], Backend]) -> Backend:
    return load_backend("software")


def test_calls_are_passed_on_and_counted(software: Backend, fixture: TokenFixture) -> None:
    faults = Faults()
    with FaultyBackend(software, faults).open(fixture.uri, fixture.pin_source) as token:
        token.write_record("name", b"value")
        assert token.read_record("name") == b"value"
        assert token.capabilities
    assert faults.calls == ["write_record", "read_record"]
    with pytest.raises(errors.NotPossible):
        token.read_record("name")


@pytest.mark.parametrize(("faults", "written"), [(Faults(lost_at=2), False), (Faults(lost_after=2), True)])
def test_a_token_goes_away(software: Backend, fixture: TokenFixture, faults: Faults, written: bool) -> None:
    with FaultyBackend(software, faults).open(fixture.uri, fixture.pin_source) as token:
        token.write_record("first", b"value")
        with pytest.raises(errors.TokenLost, match="write_record"):
            token.write_record("second", b"value")
    with software.open(fixture.uri, fixture.pin_source) as real:
        assert real.record_names() == (["first", "second"] if written else ["first"])


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (PinState.FINAL_TRY, errors.PinFinalTry),
        (PinState.LOCKED, errors.PinLocked),
        (PinState.NOT_SET, errors.PinUnusable),
    ],
)
def test_pin_states(software: Backend, fixture: TokenFixture, state: PinState, error: type[Exception]) -> None:
    faulty = FaultyBackend(software, Faults(pin_state=state))
    asked = PinSourceSpy(fixture.pin)
    with pytest.raises(error):
        faulty.open(fixture.uri, asked)
    assert asked.calls == []
    with faulty.open(fixture.uri, None) as token:
        assert token.info.pin_state is state


def test_the_last_try_can_be_allowed(software: Backend, fixture: TokenFixture) -> None:
    asked = PinSourceSpy(fixture.pin)
    faulty = FaultyBackend(software, Faults(pin_state=PinState.FINAL_TRY))
    faulty.open(fixture.uri, asked, allow_final_try=True).close()
    assert [info.pin_state for info in asked.calls] == [PinState.FINAL_TRY]


def _write_two(uri: str, pin: str) -> None:
    real = SoftwareBackend({"scrypt_log2_n": "10"}, NoInteraction())
    with FaultyBackend(real, Faults(before=kill_at(2))).open(uri, lambda _: pin) as token:
        token.write_record("first", b"value")
        token.write_record("second", b"value")


def test_a_kill(software: Backend, fixture: TokenFixture) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_write_two, args=(fixture.uri, fixture.pin))
    process.start()
    process.join(30)
    assert process.exitcode == -9
    with software.open(fixture.uri, fixture.pin_source) as token:
        assert token.record_names() == ["first"]
