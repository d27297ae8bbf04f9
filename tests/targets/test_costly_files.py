"""Files that somebody made to keep a program busy: read or refused within a second, however large."""

from __future__ import annotations

import base64
import time

import pytest
from stage.authority import NOW, TOP
from stage.signing_things import make, verify

from frost_hsm import targets
from frost_hsm.errors import MalformedMessage

BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"

ARMOUR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n%b\n=AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"


@pytest.mark.parametrize(
    ("target", "finished"),
    [
        ("git", b"object " + b"\n" + BEGIN * (1 << 19)),
        ("git", b"tree " + (b"\ngpgsig " + BEGIN) * (1 << 17) + END * (1 << 17)),
        ("openpgp-certificate", b"\xc6\0" * (1 << 23)),
        ("openpgp-revocation", ARMOUR % base64.b64encode(b"\xc2\0" * (1 << 22))),
    ],
)
def test_a_finished_file(target: str, finished: bytes) -> None:
    start = time.process_time()
    with pytest.raises(MalformedMessage):
        verify(target, finished)
    assert time.process_time() - start < 1


def test_a_list_of_many() -> None:
    text = b"".join(b"%x 2025-01-31\n" % number for number in range(1, 40_000))
    start = time.process_time()
    thing = make("x509-crl", text, files={"issuer": TOP}, now=NOW)
    assert len(targets.load("x509-crl").read(thing).lines()) > 40_000
    assert time.process_time() - start < 4
