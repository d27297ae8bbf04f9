"""Whatever has become of a thing, or of a file made of one, it is read or refused, and never breaks a program."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from stage.authority import END, NOW, REQUEST, TOP
from stage.memory_group import MemoryGroup, group
from stage.signing_things import Signed, make, sign

from frost_hsm import targets
from frost_hsm.errors import FrostHsmError

TAG = f"object {'ab' * 20}\ntype commit\ntag v1.0\ntagger A <a@b> 1 +0000\n\nmessage\n".encode()
COMMIT = (
    f"tree {'ab' * 20}\nparent {'cd' * 20}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nmessage\n".encode()
)
SSH_KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop\n"
PSBT = (
    bytes.fromhex(
        "70736274ff0100520200000001" + "01" * 32 + "0000000000fdffffff01e803000000000000160014" + "ab" * 20 + "00000000"
        "00" + "01012bd007000000000000225120"
    )
    + group("secp256k1-tr").key.serialize()[1:]
    + bytes(2)
)

GIVEN: dict[str, tuple[bytes, dict[str, str]]] = {
    "raw": (b"message", {}),
    "ssh": (b"message", {}),
    "git": (TAG, {}),
    "ssh-cert": (SSH_KEY, {"principals": "alice", "force-command": "true"}),
    "openpgp": (b"message", {}),
    "openpgp-cleartext": (b"-message\n", {}),
    "openpgp-certificate": (b"", {"user-id": "Team", "days": "9"}),
    "openpgp-revocation": (b"", {"comment": "why"}),
    "minisign": (b"message", {}),
    "signify": (b"message", {}),
    "x509-root": (b"", {"subject": "CN=Team,O=Team"}),
    "x509-intermediate": (REQUEST, {"only-dns": "example.org", "crl-url": "http://a/", "ocsp-url": "http://a/"}),
    "x509-end": (REQUEST, {"names": "a.example,192.0.2.1,a@b.example", "use": "server,email"}),
    "x509-crl": (b"5a 2025-01-31 keyCompromise\n5b 2025-01-31\n", {}),
    "x509-ocsp": (END, {"status": "superseded", "revoked": "2025-01-31"}),
    "jws": (b'{"iss":"team","exp":1}', {}),
    "nostr": (b"note", {"tags": '[["t","x"]]'}),
    "psbt": (PSBT, {}),
}


def by(target: str) -> MemoryGroup:
    return group("ed25519" if "ed25519" in targets.load(target).suites else "secp256k1-tr")


def things() -> dict[str, list[tuple[bytes, Signed]]]:
    """Of every target that is installed a thing, or several, and what came of them."""
    made: dict[str, list[tuple[bytes, Signed]]] = {}
    for name, (data, texts) in GIVEN.items():
        files = {option.name: TOP for option in targets.load(name).options if option.is_file}
        thing = make(name, data, by=by(name), files=files, now=NOW, **texts)
        made[name] = [(thing, sign(name, thing, by=by(name)))]
    made["git"].append((COMMIT, sign("git", COMMIT)))
    half = made["minisign"][0][1].finished
    made["minisign-comment"] = [(half, sign("minisign-comment", half))]
    return made


THINGS = things()


def damaged(data: bytes, chance: random.Random, count: int) -> list[bytes]:
    """Copies of it with something changed, cut out, doubled or cut off."""
    found = []
    for _ in range(count):
        one, two = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        other = bytes((chance.choice((0, 1, 0x30, 0x7F, 0x80, 0xFF, chance.randrange(256))),))
        found.append(
            chance.choice(
                (
                    data[:one] + other + data[one + 1 :],
                    data[:one] + data[min(two, one + 4) :],
                    data[:one] + data[one : one + 8] + data[one:],
                    data[:one],
                )
            )
        )
    return found


def test_every_target_is_tried() -> None:
    ours = {name for name in targets.installed() if type(targets.load(name)).__module__.startswith("frost_hsm.")}
    assert ours == THINGS.keys()


# cryptography warns of what it will refuse one day
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@pytest.mark.parametrize("name", THINGS)
def test_a_damaged_thing_is_read_or_refused(name: str, tmp_path: Path) -> None:
    target, key, chance = targets.load(name), by(name).key, random.Random(7)
    refused = 0
    for thing, _ in THINGS[name]:
        for data in damaged(thing, chance, 600):
            try:
                read = target.read(data)
                assert all(line.isprintable() for line in read.lines())
                read.to_sign(key)
                assert read.file_name("file")
                assert read.use("file")
            except FrostHsmError:
                refused += 1
    assert refused > 50 or name in ("raw", "signify")


@pytest.mark.parametrize("name", THINGS)
def test_a_damaged_file_is_verified_or_refused(name: str) -> None:
    target, key, chance = targets.load(name), by(name).key, random.Random(7)
    for _, signed in THINGS[name]:
        data = GIVEN["minisign" if name == "minisign-comment" else name][0]
        for finished in damaged(signed.finished, chance, 150):
            if finished != signed.finished and name != "minisign":  # of whose two signatures this is the first alone
                with pytest.raises(FrostHsmError):
                    targets.verify(target, key, finished, io.BytesIO(data))
