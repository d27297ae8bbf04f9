"""After each step of a ceremony no share, coefficient or nonce is left in the memory of a process that lives on.

The whole memory of another process is searched, from tokens to arithmetic, for what it wiped. What was freed without
being wiped is mostly still there, and would be found.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import living
from stage.memory_search import as_int, found_in

from frost_hsm.frost import ciphersuites

SMALL = 1 << 64  # a number that may stand anywhere by chance

if not Path("/proc/self/mem").exists():
    pytest.skip("needs /proc to look into another process", allow_module_level=True)


def forms(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """In which a scalar, of either byte order, could be left."""
    yield "bytes", secret
    yield "reversed bytes", secret[::-1]
    yield "hex", secret.hex().encode()
    for order in ("big", "little"):
        yield f"{order}-endian int", as_int(int.from_bytes(secret, order))
    for shift in range(3):
        first, last = (8 * shift + 5) // 6, 8 * (shift + len(secret)) // 6
        yield f"base64 at {shift}", base64.b64encode(bytes(shift) + secret)[first:last]


def told(descriptor: int) -> dict[bytes, str]:
    """Read the secrets that came into being since, and what they are."""
    os.set_blocking(descriptor, False)
    data, secrets = b"", {}
    try:
        while part := os.read(descriptor, 1 << 16):
            data += part
    except BlockingIOError:
        pass
    while data:
        secret, data = data[1 : 1 + data[0]], data[1 + data[0] :]
        name, _, data = data.partition(b"\n")
        if min(int.from_bytes(secret, order) for order in ("big", "little")) > SMALL:
            secrets[secret] = name.decode()
    return secrets


def search(suite: str, backend: str, directory: Path, *options: str) -> tuple[set[str], int]:
    """Run the program; returns what was found after which step, and how many secrets were looked for."""
    reader, writer = os.pipe()
    command = [sys.executable, "-m", living.__name__, suite, backend, str(directory), str(writer), *options]
    secrets: dict[bytes, str] = {}
    hits: set[str] = set()
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=(writer,),
        cwd=Path(living.__file__).parents[1],
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for line in process.stdout:
            secrets |= told(reader)
            needles = {
                f"{form} of {name} {secret.hex()[:8]}": data
                for secret, name in secrets.items()
                for form, data in forms(secret)
            }
            hits |= {f"{line.strip()}: {name}" for name in found_in(process.pid, needles)}
            process.stdin.write("\n")
            process.stdin.flush()
    os.close(reader)
    os.close(writer)
    assert process.returncode == 0
    return hits, len(secrets)


OTHERS = [pytest.param(suite.name, marks=pytest.mark.slow) for suite in ciphersuites.ALL if suite.name != "p256"]


@pytest.mark.parametrize("suite", ["p256", *OTHERS])
def test_with_software_tokens(suite: str, tmp_path: Path) -> None:
    hits, count = search(suite, "software", tmp_path)
    assert count >= 20
    assert hits == set()


def test_with_softhsm(softhsm_module: str, tmp_path: Path) -> None:
    hits, count = search("p256", "pkcs11", tmp_path)
    assert count >= 20
    assert hits == set()


def test_the_search_finds_what_is_left(tmp_path: Path) -> None:
    hits, _ = search("p256", "software", tmp_path, "leaking")
    assert any("bytes" in hit for hit in hits)
