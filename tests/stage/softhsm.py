"""SoftHSM2 tokens for tests: in a directory of this process alone, made without a subprocess.

A token that another process initialises is invisible to a module that is loaded already, so tokens are
initialised through the module itself: C_InitToken and C_InitPIN, which python-pkcs11 does not offer.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

SO_PIN = "87654321"
TEMPLATE = Path(__file__).parents[2] / "softhsm-config" / "softhsm2.conf"
CANDIDATES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)

_CKF_RW_SERIAL = 6
_CKU_SO = 0
_CKR_PIN_INCORRECT = 0xA0
_CKR_SESSION_EXISTS = 0xB6

_given_back: list[str] = []


def module_path() -> str | None:
    """Where the module is, symbolic links resolved; None if SoftHSM2 is not installed."""
    for candidate in (os.environ.get("SOFTHSM2_MODULE", ""), *CANDIDATES):
        if candidate and Path(candidate).is_file():
            return os.path.realpath(candidate)
    return None


def configure(directory: Path) -> Path:
    """Fill in the template, with tokens under ``directory``; the caller sets SOFTHSM2_CONF to it."""
    tokens = directory / "tokens"
    tokens.mkdir(mode=0o700)
    configuration = directory / "softhsm2.conf"
    configuration.write_text(TEMPLATE.read_text().replace("@TOKENS@", str(tokens)))
    return configuration


@cache
def configure_process() -> None:
    """Give this process a directory of tokens, removed when it ends; once, however often it is asked."""
    directory = Path(tempfile.mkdtemp(prefix="frost-hsm-tests-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.environ["SOFTHSM2_CONF"] = str(configure(directory))


def initialise(path: str, label: str, pin: str | None) -> str:
    """Make a token, of one that was given back or in the free slot; returns its serial. Without a PIN none is set."""
    import pkcs11

    loaded = pkcs11.lib(path)  # the same binding as the code under test, so that the module is initialised once
    module = ctypes.CDLL(path)
    present = {slot.get_token().serial.decode() if slot.get_token().label else "": slot for slot in loaded.get_slots()}
    padded = label.encode().ljust(32)
    wanted = [_given_back.pop(), ""] if _given_back and pin is not None else [""]
    for serial in wanted:
        chosen = present[serial]
        slot = ctypes.c_ulong(chosen.slot_id)
        answer = module.C_InitToken(slot, SO_PIN.encode(), ctypes.c_ulong(len(SO_PIN)), padded)
        if answer != _CKR_SESSION_EXISTS:  # of a session that a test let nobody close
            break
    _check(answer)
    if pin is not None:
        session = ctypes.c_ulong()
        flags = ctypes.c_ulong(_CKF_RW_SERIAL)
        _check(module.C_OpenSession(slot, flags, None, None, ctypes.byref(session)))
        so_pin_length = ctypes.c_ulong(len(SO_PIN))
        _check(module.C_Login(session, ctypes.c_ulong(_CKU_SO), SO_PIN.encode(), so_pin_length))
        _check(module.C_InitPIN(session, pin.encode(), ctypes.c_ulong(len(pin.encode()))))
        _check(module.C_Logout(session))
        _check(module.C_CloseSession(session))
    loaded.get_slots()  # makes the next free slot
    return str(chosen.get_token().serial.decode())


def give_back(serial: str) -> None:
    """Let a token become that of whoever wants one next: SoftHSM2 looks through all that there are at every step."""
    _given_back.append(serial)


def has_open_session(path: str, serial: str) -> bool:
    """Whether this process has a session open with a token: none may be while C_InitToken runs.

    The security officer's PIN is wrong, so the token stays as it is. (C_GetTokenInfo of SoftHSM2 does not count.)
    """
    import pkcs11

    slot = ctypes.c_ulong(pkcs11.lib(path).get_token(token_serial=serial.encode()).slot.slot_id)
    answer: int = ctypes.CDLL(path).C_InitToken(slot, b"wrong", ctypes.c_ulong(5), b" " * 32)
    if answer not in (_CKR_SESSION_EXISTS, _CKR_PIN_INCORRECT):
        raise RuntimeError(f"SoftHSM2 answered 0x{answer:x}")
    return answer == _CKR_SESSION_EXISTS


def _check(result: int) -> None:
    if result != 0:
        raise RuntimeError(f"SoftHSM2 answered 0x{result:x}")
