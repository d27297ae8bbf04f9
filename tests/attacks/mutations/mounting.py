"""A process that forks once for each defence: a copy of the program without it, and the attack on that copy.

Run as a program by `test_defences`. It imports pytest and what the program stands on, and nothing of the program, so
that each child finds the copy and not the original. Lines in: a defence's number. Lines out: what the attack did, JSON.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[2]
PATIENCE = 60  # seconds: without its defence a program may hang

HEAVY = (
    *("_pytest.junitxml", "_pytest.pastebin", "_pytest.setupplan", "_pytest.unittest", "_pytest.helpconfig"),
    *("multiprocessing.context", "pdb", "secrets", "tomllib", "unittest.main", "xml.etree.ElementTree"),
    "asn1crypto.x509",
    "click",
    "cryptography.hazmat.backends.openssl.backend",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.kdf.hkdf",
    "cryptography.hazmat.primitives.kdf.scrypt",
    "cryptography.hazmat.primitives.kdf.x963kdf",
    "cryptography.hazmat.primitives.keywrap",
    "cryptography.hazmat.primitives.serialization",
    "Crypto.PublicKey.ECC",
    "cryptography.x509",
    "pkcs11.attributes",
)


class Observer:
    """A plug-in of pytest that notes how each test ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
        report = yield
        if call.excinfo is not None:
            self.ended.append((f"{item.name} ({call.when})", f"{call.excinfo.typename}: {call.excinfo.value}"[:300]))
        elif call.when == "call":
            self.ended.append((item.name, "passed"))
        return report


def attack(number: int, directory: Path) -> dict[str, Any]:
    """Take the defence out of a copy of the program and mount the attacks on that."""
    from attacks.mutations.defences import DEFENCES

    defence = DEFENCES[number]
    defence.remove(TESTS.parent / "frost_hsm", directory / "frost_hsm")
    sys.path.insert(0, str(directory))
    os.environ["PYTHONPATH"] = os.pathsep.join((str(directory), str(TESTS)))
    observer = Observer()
    with Path(os.devnull).open("w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
        status = pytest.main(
            [
                f"--basetemp={directory / 'tmp'}",
                f"--rootdir={TESTS.parent}",
                "-p",
                "no:cacheprovider",
                *defence.nodes(),
            ],
            plugins=[observer],
        )
    return {"status": int(status), "ended": observer.ended, "program": sys.modules["frost_hsm"].__file__}


def in_a_child(number: int, directory: Path) -> str:
    """Do that in a child and a directory that is gone afterwards; returns what it said."""
    directory.mkdir()
    answer = directory / "answer"
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)
        os.chdir(TESTS.parent)
        try:
            answer.write_text(json.dumps(attack(number, directory)))
        except BaseException as error:
            answer.write_text(json.dumps({"failed": repr(error)}))
        atexit._run_exitfuncs()  # which clear away what the tests have made
        os._exit(0)  # to let go of all else takes a tenth of the whole
    _, status = os.waitpid(child, 0)
    try:
        return answer.read_text() if status == 0 else json.dumps({"failed": f"killed: {status}"})
    finally:
        shutil.rmtree(directory)


def main() -> None:
    sys.path[:] = [str(TESTS), *(each for each in sys.path if Path(each).resolve() != TESTS.parent)]
    for name in HEAVY:
        importlib.import_module(name)
    gc.freeze()
    assert not any(name.partition(".")[0] == "frost_hsm" for name in sys.modules)
    room = Path(tempfile.mkdtemp(prefix="frost-hsm-defence-"))
    # Each copy lies where the one before it lay, so that only what was changed is compiled anew.
    sys.pycache_prefix, sys.dont_write_bytecode = str(room / "compiled"), False
    for line in sys.stdin:
        print(in_a_child(int(line), room / "copy"), flush=True)
    shutil.rmtree(room)


if __name__ == "__main__":
    main()
