"""Every byte of a thing, and of a signature: once one has changed, ``verify`` refuses it, and so does the stock tool.

But for a few bytes that formats have around what is signed, and that tools do not read. The tool is asked about one
byte in five, always the same ones; FROST_HSM_EVERY=bytes has it asked about all.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stage.authority import REQUEST
from stage.every_thing import COMMIT, TAG
from stage.judges import JUDGES, OF_FILES, Bench, each_byte, each_byte_of_a_signature
from stage.memory_group import group
from stage.samples import takes
from stage.signing_things import make, sign

from frost_hsm import targets
from frost_hsm.errors import FrostHsmError

NOW = int(time.time()) - 60  # tools look at the clock
ONE_OF = 5
DATA = b"release 1.0\n"
UNREAD = {
    "ssh": 1,  # the version of the envelope: a lower one will do
    "git": 1,
    "openpgp": 16,  # the subpackets that are not hashed, two bytes of the digest, the bits of numbers
    "openpgp-cleartext": 16,
    "openpgp-certificate": 8,
    "openpgp-revocation": 8,
    "cms": 40,  # versions, algorithms said twice, the name of the signer's certificate
    "cms-attached": 40,
}
"""Up to how many bytes of what is made the tool itself does not read; of the others' none."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    root = sign("x509-root", make("x509-root", subject="CN=Team", now=NOW)).finished
    end = sign("x509-end", make("x509-end", REQUEST, files={"issuer": root}, now=NOW)).finished
    thing = make("openpgp-certificate", user_id="Team <team@example.org>", now=NOW)
    found = Bench(tmp_path, group().key, sign("openpgp-certificate", thing).finished, root, end)
    found.lay_out()
    return found


def things(name: str, bench: Bench) -> Iterator[tuple[bytes, bytes]]:
    """Of a target things, and what comes of them."""
    given: dict[str, tuple[tuple[bytes, ...], dict[str, str]]] = {
        "git": ((TAG, COMMIT), {}),
        "ssh-cert": (((bench.folder / "alice.pub").read_bytes(),), {"principals": "alice"}),
        "openpgp-certificate": ((b"",), {"user_id": "Team <team@example.org>"}),
        "openpgp-revocation": ((b"",), {"comment": "why"}),
        "minisign": ((DATA,), {"comment": "2 of 3"}),
        "x509-root": ((b"",), {"subject": "CN=Team"}),
        "x509-intermediate": ((REQUEST,), {}),
        "x509-end": ((REQUEST,), {}),
        "x509-crl": ((b"5a 2025-01-31\n",), {}),
        "x509-ocsp": ((bench.end,), {}),
        "jws": ((b'{"iss":"team"}',), {}),
    }
    of, texts = given.get(name, ((DATA,), {}))
    files = {option.name: bench.root for option in targets.load(name).options if option.is_file}
    for data in of:
        yield data, sign(name, make(name, data, files=files, now=NOW, **texts)).finished


@pytest.mark.slow
@pytest.mark.parametrize("name", JUDGES)
def test_any_other_byte_is_refused(name: str, bench: Bench) -> None:
    judge, target, unread = JUDGES[name], targets.load(name), 0
    for data, made in things(name, bench):
        assert judge(bench, data, made)
        assert targets.verify(target, bench.key, made, io.BytesIO(data)).to_sign(bench.key)
        for number, other in enumerate(each_byte(data) if name in OF_FILES else ()):
            assert not (takes("bytes", number, ONE_OF) and judge(bench, other, made))
            with pytest.raises(FrostHsmError):
                targets.verify(target, bench.key, made, io.BytesIO(other))
        for number, other in enumerate(each_byte_of_a_signature(made)):
            assert other != made
            with pytest.raises(FrostHsmError):
                targets.verify(target, bench.key, other, io.BytesIO(data))
            unread += takes("bytes", number, ONE_OF) and judge(bench, data, other)
    assert unread <= UNREAD.get(name, 0)
