"""Time our token methods against the bare PKCS#11 calls they are made of: python tests/benchmarks/tokens.py

Bare means python-pkcs11 alone: one thread, no lock, no checks, no search again after a deletion. Ours and bare are
timed in turns on one SoftHSM2 token, and the medians compared. On a device, where a call takes milliseconds, what we
add disappears.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.mechanisms import KDF
from stage import softhsm
from table import Table, milliseconds, show

from frost_hsm.backends import KeyKind
from frost_hsm.backends.pkcs11 import Pkcs11Backend
from frost_hsm.backends.pkcs11.calls import attributes
from frost_hsm.testing import SilentInteraction
from frost_hsm.testing.judge import point_of

ROUNDS = 300
PIN = "1234"

Pair = tuple[str, Callable[[], Any], Callable[[], Any]]


COLUMNS = ("", "ours, ms", "bare", "ratio")


def table() -> Table:
    """Time every method."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SOFTHSM2_CONF"] = str(softhsm.configure(Path(folder)))
        module = softhsm.module_path()
        if module is None:
            raise SystemExit("SoftHSM2 is not installed")
        serial = softhsm.initialise(module, "benchmark", PIN)
        backend = Pkcs11Backend({"softhsm": module}, SilentInteraction())
        with backend.open(f"pkcs11:serial={serial}", lambda _: PIN) as token:
            raw = pkcs11.lib(module).get_token(token_serial=serial.encode()).open(rw=True)
            rows = [(name, *_medians(ours, bare)) for name, ours, bare in _pairs(token, raw)]
            raw.close()
        rows.append(("open, log in, close", *_medians(*_opening(backend, module, serial))))
    return Table(
        "Token calls",
        COLUMNS,
        [(name, *map(milliseconds, (ours, bare)), f"{ours / bare:.2f}") for name, ours, bare in rows],
    )


def _pairs(token: Any, raw: Any) -> list[Pair]:
    sign_id, agree_id = os.urandom(16), os.urandom(16)
    token.generate(KeyKind.SIGN, sign_id, "sign")
    token.generate(KeyKind.AGREE, agree_id, "agree")
    signer = raw.get_key(object_class=ObjectClass.PRIVATE_KEY, id=sign_id)
    agreer = raw.get_key(object_class=ObjectClass.PRIVATE_KEY, id=agree_id)
    digest, point = os.urandom(32), point_of(ec.generate_private_key(ec.SECP256R1()))
    sealed = os.urandom(1200)
    numbers = count()

    def derive() -> bytes:
        derived = agreer.derive_key(
            KeyType.GENERIC_SECRET,
            256,
            mechanism=Mechanism.ECDH1_DERIVE,
            mechanism_param=(KDF.NULL, None, point),
            capabilities=0,
            template={Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True},
        )
        value: bytes = derived[Attribute.VALUE]
        derived.destroy()
        return value

    def create(name: str) -> Any:
        template = attributes.record_template(name)
        held = {Attribute.TOKEN: True, Attribute.PRIVATE: True, Attribute.VALUE: sealed}
        return raw.create_object({**template, **held})

    def find(name: str) -> list[Any]:
        return list(raw.get_objects(attributes.record_template(name)))

    def ours_whole_life() -> None:
        name = f"ours {next(numbers)}"
        token.write_record(name, sealed)
        token.read_record(name)
        token.delete_record(name)

    def bare_whole_life() -> None:
        name = f"bare {next(numbers)}"
        create(name)
        bytes(find(name)[0][Attribute.VALUE])
        find(name)[0].destroy()

    token.write_record("kept", sealed)
    return [
        ("sign (ECDSA)", lambda: token.sign(sign_id, digest), lambda: signer.sign(digest, mechanism=Mechanism.ECDSA)),
        ("agree (ECDH), unsealing", lambda: token.agree(agree_id, point), derive),
        ("read a record", lambda: token.read_record("kept"), lambda: find("kept")[0][Attribute.VALUE]),
        ("write, read, delete a record", ours_whole_life, bare_whole_life),
    ]


def _opening(backend: Pkcs11Backend, module: str, serial: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    def ours() -> None:
        backend.open(f"pkcs11:serial={serial}", lambda _: PIN).close()

    def bare() -> None:
        pkcs11.lib(module).get_token(token_serial=serial.encode()).open(rw=True, user_pin=PIN).close()

    return ours, bare


def _medians(ours: Callable[[], Any], bare: Callable[[], Any]) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    for _ in range(ROUNDS):
        for operation, seen in zip((ours, bare), times, strict=True):
            start = time.perf_counter()
            operation()
            seen.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


if __name__ == "__main__":
    show(table())
