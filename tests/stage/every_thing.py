"""Of every target a thing, and what came of it."""

from __future__ import annotations

from stage.authority import END, NOW, REQUEST, TOP
from stage.memory_group import MemoryGroup, group
from stage.signing_things import Signed, make, sign

from frost_hsm import targets
from frost_hsm.targets.ssh import wire as ssh_wire
from frost_hsm.targets.ssh.login import SshLogin

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
    "ssh-digest": (ssh_wire.to_sign("file", bytes(64)), {}),
    "ssh-login": (SshLogin(bytes(32), "root", ssh_wire.public_key(group().key), b"key").challenge, {}),
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
    "cms": (b"message", {}),
    "cms-attached": (b"message", {}),
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
    return made
