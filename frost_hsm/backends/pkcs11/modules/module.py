"""Loading a PKCS#11 module, once a process, and keeping every call to every module one at a time.

python-pkcs11 initialises modules without asking them to lock, and lets go of the interpreter's lock during
calls: two threads in SoftHSM2 at once crash it. So there is one lock for all, taken with `locked`.
"""

from __future__ import annotations

import atexit
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pkcs11

from frost_hsm import file_lock
from frost_hsm.backends.pkcs11.calls.answers import BINDING_ERRORS, Answer, name_of
from frost_hsm.backends.pkcs11.calls.attributes import attribute_mapper
from frost_hsm.backends.pkcs11.calls.native import Functions
from frost_hsm.backends.pkcs11.modules import softhsm
from frost_hsm.backends.pkcs11.modules.initialising import initialised
from frost_hsm.errors import ModuleUnavailable, TokenLost, TokenProblem

PAUSES = (0.0, 0.01, 0.02, 0.04, 0.08)
"""Seconds before each look at a token. SoftHSM2 finds none, or another, while a process logs in to the one sought."""

PATIENCE = 10.0
"""Seconds to go on looking while other processes log in to SoftHSM2, many of them perhaps."""

_LOCK = threading.RLock()
_PATIENCE = 30.0  # seconds

_modules: dict[str, Module] = {}


class Module:
    """A loaded, initialised module. Made by `load` only. Its methods are called in a `locked` block.

    is_shared: another part of the process initialised it, and will end it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.library, self.is_shared = initialised(path)
        self.functions = Functions(self.library, attribute_mapper())
        if self.functions.manufacturer() != self.library.manufacturer_id:
            raise ModuleUnavailable(f"{path}: what python-pkcs11 and the module say of its maker differs")
        self.open_sessions = 0  # kept by who opens and closes them
        self.pid = os.getpid()
        atexit.register(self._end)

    def _end(self) -> None:
        """Tell the module that the process ends: if it is ours to end, and no thread is in it for good."""
        if self.pid == os.getpid() and not self.is_shared and _LOCK.acquire(blocking=False):
            with suppress(*BINDING_ERRORS, Answer):
                self.library.finalize()

    def present_tokens(self) -> list[pkcs11.Token]:
        """Ask every slot for its token, afresh; those that do not answer count only if none does."""
        tokens, failures = [], []
        for slot in self.library.get_slots(token_present=True):
            try:
                tokens.append(slot.get_token())
            except (pkcs11.TokenNotPresent, pkcs11.TokenNotRecognised, pkcs11.DeviceRemoved):
                continue
            except pkcs11.PKCS11Error as error:
                failures.append(error)
        if failures and not tokens:
            raise failures[0]
        return tokens

    @property
    def is_softhsm(self) -> bool:
        """Whether this is SoftHSM2, whose tokens are files that we know."""
        return "softhsm" in self.library.manufacturer_id.lower()

    def start_again(self) -> bool:
        """Let SoftHSM2 read its tokens anew; False for any other module, or while a session of ours is open.

        It reads them once, when it starts: tokens made since are missing. And if another process logged in just
        then, which writes to the token's file, it may have found the file empty, and stays with that.
        """
        if self.open_sessions or self.is_shared or not self.is_softhsm:
            return False
        self.library.reinitialize()
        return True

    @property
    def lets_all_destroy(self) -> bool:
        """Whether every process that knows an object is told that it was the one to destroy it, however late it comes.

        tpm2-pkcs11 looks at what is there only when it starts.
        """
        return "tpm2" in self.library.manufacturer_id.lower()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other process on this machine be in such a block over this module.

        PKCS#11 does not say what becomes of two processes that destroy one object at the same instant: kryoptic tells
        both that they did. The lock lies on the module's own file, which is all that such processes have in common.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            file_lock.wait(descriptor, time.monotonic() + _PATIENCE)
            yield
        except BlockingIOError as error:
            raise TokenProblem(f"another process has kept {self.path} locked for {_PATIENCE:.0f} seconds") from error
        finally:
            os.close(descriptor)

    def require_space(self) -> None:
        """Raise `TokenProblem` where a login would lose the token: SoftHSM2 rewrites its file in place."""
        full = softhsm.lacks_space() if self.is_softhsm else None
        if full is not None:
            raise TokenProblem(
                f"no space is left on the disk of {full}; nothing was tried, since SoftHSM2 may lose the token then",
                hint="make space, and run the same command again",
            )

    def describe(self) -> str:
        """Name the module and its version."""
        version = ".".join(map(str, self.library.library_version))
        return f"{self.library.library_description} {version} by {self.library.manufacturer_id} ({self.path})"


def pauses() -> Iterator[float]:
    """Give the seconds to wait before each look at a token, more of them while other processes log in to SoftHSM2."""
    yield from PAUSES
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and softhsm.was_just_written():
        yield random.uniform(0.02, 0.2)  # noqa: S311 - that not all come again at once


@contextmanager
def locked() -> Iterator[None]:
    """Let nobody else call a module during the block; may be nested.

    Raises `TokenLost` in a process forked off one that had loaded a module: modules do not survive a fork, and
    the lock may be held there for ever.
    """
    if any(module.pid != os.getpid() for module in list(_modules.values())):
        raise TokenLost(
            "this process was forked off the one that loaded the PKCS#11 module",
            hint="open tokens after the fork, in the process that uses them, or start it by spawn",
        )
    with _LOCK:
        yield


def load(path: str) -> Module:
    """Load a module, or return it if it is loaded. Raises `ModuleUnavailable`.

    path: absolute; the place where symbolic links end is what counts, since a library that is initialised a
    second time under another name refuses.
    """
    if not path.startswith("/"):
        raise ModuleUnavailable(f"PKCS#11 module {path}: not an absolute path", hint="modules are not searched for")
    real = os.path.realpath(path)
    if not Path(real).is_file():
        raise ModuleUnavailable(f"PKCS#11 module {path}: there is no such file", hint="install it, or correct the path")
    with locked():
        if real not in _modules:
            try:
                _modules[real] = Module(real)
            except (*BINDING_ERRORS, Answer, OSError) as error:
                raise _unloadable(path, error) from error
        return _modules[real]


def _unloadable(path: str, error: Exception) -> ModuleUnavailable:
    reason = name_of(error)
    if "OS exception" in reason or isinstance(error, OSError):
        return ModuleUnavailable(f"{path} is not a PKCS#11 module: {error}", hint="check the path")
    hint = "its configuration is missing or cannot be read, its daemon is not running, or no reader is connected"
    if "softhsm" in path:
        hint = "SoftHSM2 finds no configuration: set SOFTHSM2_CONF to a softhsm2.conf that you can read"
    return ModuleUnavailable(f"PKCS#11 module {path} does not start: {reason}", hint=hint)
