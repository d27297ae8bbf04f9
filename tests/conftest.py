"""Tokens for every test: SoftHSM2 in a directory of this process alone, and files of the software backend.

With FROST_HSM_REQUIRE_ALL=1 in the environment a skipped test is a failed test. With ``--few``, of a test that has many
parameters only the first and the last are tried.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from stage import softhsm

from frost_hsm import backends

REQUIRE_ALL = os.environ.get("FROST_HSM_REQUIRE_ALL") == "1"

# What the tests start is started as people start it, and finds what the one before it has compiled.
for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(name, None)

# Whoever starts them in the background has Ctrl-C and a hangup ignored, by all that they start, too.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# Tokens and state directories sync every step to the disk; a memory disk does not have to wait for that.
_MEMORY_DISK = Path("/dev/shm")
if os.access(_MEMORY_DISK, os.W_OK) and shutil.disk_usage(_MEMORY_DISK).free > 1 << 30:
    tempfile.tempdir = str(_MEMORY_DISK)

# A module reads its configuration when it is first loaded, so this cannot wait for a fixture. The directory is this
# process's own, so every pytest-xdist worker has its own tokens; children of multiprocessing share it.
if multiprocessing.current_process().name == "MainProcess":
    softhsm.configure_process()


@dataclass(frozen=True, slots=True)
class TokenFixture:
    """A token made for a test."""

    uri: str
    pin: str
    label: str
    serial: str
    calls: list[backends.TokenInfo]  # one for every time that the PIN was asked

    def pin_source(self, info: backends.TokenInfo) -> str:
        self.calls.append(info)
        return self.pin


class NoInteraction:
    """An `Interaction` in front of which nobody sits: messages are kept, questions fail the test."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def waiting(self, text: str) -> None:
        self.messages.append(text)

    def request_secret(self, prompt: str) -> str:
        raise AssertionError(f"asked for a secret: {prompt}")

    def confirm(self, prompt: str) -> bool:
        raise AssertionError(f"asked to confirm: {prompt}")


@pytest.fixture(autouse=True)
def without_the_modules_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """p11-kit, where it is installed, would start every module that this machine has in the process of the tests."""
    monkeypatch.setattr("frost_hsm.backends.pkcs11.backend.find_proxy", lambda: None)


@pytest.fixture
def interaction() -> NoInteraction:
    return NoInteraction()


@pytest.fixture(scope="session")
def softhsm_module() -> str:
    """The path of the SoftHSM2 module; SOFTHSM2_CONF points to tokens of this process alone."""
    path = softhsm.module_path()
    if path is None:
        pytest.skip("SoftHSM2 is not installed: apt-get install softhsm2")
    return path


@pytest.fixture(scope="session")
def backend_settings() -> Mapping[str, Mapping[str, str]]:
    """What ``[backends.NAME]`` of a configuration says, by backend: quick to run, otherwise as installed."""
    path = softhsm.module_path()
    return {
        "pkcs11": {"softhsm": path} if path else {},
        "software": {"scrypt_log2_n": "10"},
    }


@pytest.fixture
def load_backend(
    backend_settings: Mapping[str, Mapping[str, str]], interaction: NoInteraction
) -> Callable[[str], backends.Backend]:
    """Load a backend by name, with the settings for tests."""
    return lambda name: backends.load(name, backend_settings.get(name, {}), interaction)


@pytest.fixture
def open_token(load_backend: Callable[[str], backends.Backend]) -> Callable[[TokenFixture], backends.Token]:
    """Open a token with its PIN, through the backend that its URI names."""

    def open_it(token: TokenFixture) -> backends.Token:
        return load_backend(backends.scheme(token.uri)).open(token.uri, token.pin_source)

    return open_it


@pytest.fixture(scope="session")
def new_token(softhsm_module: str) -> Callable[..., TokenFixture]:
    """Make a SoftHSM2 token with a user PIN: ``new_token(label)``."""

    def new(label: str, pin: str = "frost-1234") -> TokenFixture:
        serial = softhsm.initialise(softhsm_module, label, pin)
        return TokenFixture(f"pkcs11:token={label};serial={serial}", pin, label, serial, [])

    return new


@pytest.fixture(scope="session")
def software_token(
    tmp_path_factory: pytest.TempPathFactory, backend_settings: Mapping[str, Mapping[str, str]]
) -> Callable[..., TokenFixture]:
    """Make a token of the software backend: ``software_token(label)``."""
    numbers = count()

    def new(label: str, pin: str = "frost-1234") -> TokenFixture:
        path = tmp_path_factory.mktemp(f"software{next(numbers)}") / f"{label}.token"
        backend = backends.load("software", backend_settings["software"], NoInteraction())
        info = backend.create(f"software:{path}", lambda _: pin)
        return TokenFixture(info.uri, pin, info.label, info.serial, [])

    return new


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a second or two")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--few", action="store_true", help="of a test with many parameters, try the first and the last")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--few"):
        of_test: dict[str, list[pytest.Item]] = {}
        for item in items:
            of_test.setdefault(item.nodeid.partition("[")[0], []).append(item)
        kept = {id(item) for each in of_test.values() for item in (each[0], each[-1])}
        config.hook.pytest_deselected(items=[item for item in items if id(item) not in kept])
        items[:] = [item for item in items if id(item) in kept]


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name bytes by their number: they may be long, and differ between the workers of pytest-xdist."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: Any) -> None:
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"FROST_HSM_REQUIRE_ALL=1 allows no skip: {report.longrepr}"
