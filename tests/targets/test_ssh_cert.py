"""Certificates of OpenSSH: shown by ssh-keygen as they were shown to signers, trusted by it, refused once changed."""

from __future__ import annotations

import base64
import binascii
import getpass
import re
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    load_ssh_public_identity,
)
from hypothesis import given
from hypothesis import strategies as st
from stage.dealing import few
from stage.memory_group import altered, group, run
from stage.signing_things import NOW, make, sign, verify
from stage.ssh_server import ssh_server

from frost_hsm.errors import InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.targets.ssh import wire as ssh_wire
from frost_hsm.targets.ssh.cert import SshCertificate
from frost_hsm.targets.ssh.wire import string


def public_line(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


KEYS = {
    "ed25519": public_line(ed25519.Ed25519PrivateKey.generate()),
    "p256": public_line(ec.generate_private_key(ec.SECP256R1())),
    "p521": public_line(ec.generate_private_key(ec.SECP521R1())),
    "rsa": public_line(rsa.generate_private_key(65537, 2048)),
    "sk": b"sk-ssh-ed25519@openssh.com "
    + base64.b64encode(string(b"sk-ssh-ed25519@openssh.com") + string(bytes(32)) + string(b"ssh:")),
}


def shown(directory: Path, certificate: bytes) -> str:
    (directory / "it-cert.pub").write_bytes(certificate)
    done = run("ssh-keygen", "-L", "-f", "it-cert.pub", cwd=directory)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@pytest.mark.parametrize("kind", ["user", "host"])
@pytest.mark.parametrize("key", KEYS)
def test_ssh_keygen_shows_what_signers_saw(kind: str, key: str, tmp_path: Path) -> None:
    thing = make("ssh-cert", KEYS[key], principals="alice,root", kind=kind, serial="77", key_id="alice of team")
    made = sign("ssh-cert", thing)
    text = shown(tmp_path, made.finished)
    assert f"{kind} certificate" in text
    assert 'Key ID: "alice of team"' in text
    assert "Serial: 77" in text
    assert re.search(r"Principals:\s+alice\s+root\s", text)
    assert "(using ssh-ed25519)" in text
    said = dict(line.strip().split(maxsplit=1) for line in made.words.splitlines())
    assert said["as"] == '"alice", "root"'
    assert said["certifies"].split()[-1] in text  # the fingerprint
    assert verify("ssh-cert", made.finished).to_sign(group().key) == made.message
    assert sorted(re.findall(r"permit-\S+", text)) == sorted(re.findall(r"permit-\S+", made.words))


def test_who_trusts_the_group_trusts_whom_it_certified(tmp_path: Path) -> None:
    """Alice signs a file; her certificate is checked by the code that sshd has."""
    assert run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "alice", cwd=tmp_path).returncode == 0
    made = sign("ssh-cert", make("ssh-cert", (tmp_path / "alice.pub").read_bytes(), principals="alice", days="0"))
    (tmp_path / "file").write_bytes(b"file\n")
    ca = ssh_wire.allowed_signers(group().key, 'alice cert-authority,namespaces="file"')
    (tmp_path / "allowed").write_bytes(ca)

    def trusted(certificate: bytes, principal: str = "alice") -> bool:
        (tmp_path / "alice-cert.pub").write_bytes(certificate)
        (tmp_path / "file.sig").unlink(missing_ok=True)
        if run("ssh-keygen", "-Y", "sign", "-f", "alice-cert.pub", "-n", "file", "file", cwd=tmp_path).returncode:
            return False
        words = ("-Y", "verify", "-f", "allowed", "-I", principal, "-n", "file", "-s", "file.sig")
        return run("ssh-keygen", *words, cwd=tmp_path, stdin=b"file\n").returncode == 0

    assert trusted(made.finished)
    assert not trusted(made.finished, "bob")
    kind, text, comment = made.finished.split(b" ")
    for other in altered(binascii.a2b_base64(text), 12):
        wrong = b" ".join((kind, base64.b64encode(other), comment))
        assert not trusted(wrong)
        with pytest.raises((InvalidSignature, MalformedMessage, NotPossible)):
            verify("ssh-cert", wrong)


def test_sshd_lets_in_whom_the_group_certified(tmp_path: Path) -> None:
    assert run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "id", cwd=tmp_path).returncode == 0
    (tmp_path / "ca.pub").write_bytes(ssh_wire.key_line(group().key, "team"))
    user = getpass.getuser()

    def says(**texts: str) -> bytes:
        thing = make("ssh-cert", (tmp_path / "id.pub").read_bytes(), days="0", **texts)
        (tmp_path / "id-cert.pub").write_bytes(sign("ssh-cert", thing).finished)
        for path in tmp_path.glob("host*"):
            path.unlink()
        with ssh_server(tmp_path, TrustedUserCAKeys=tmp_path / "ca.pub") as port:
            words = (
                "ssh",
                "-F",
                "none",
                "-i",
                "id",
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "BatchMode=yes",
                "-p",
                str(port),
            )
            known = ("-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no")
            return run(*words, *known, f"{user}@127.0.0.1", "echo", "let in", cwd=tmp_path).stdout

    assert says(principals=user) == b"let in\n"
    assert says(principals=user, force_command="echo forced") == b"forced\n"
    assert says(principals="nobody-else") == b""


def test_options_are_shown_and_bind(tmp_path: Path) -> None:
    options = {"force_command": "/bin/backup --now", "source_address": "192.0.2.0/24", "verify_required": "yes"}
    made = sign("ssh-cert", make("ssh-cert", KEYS["sk"], principals="backup", days="1", extensions="", **options))
    text = shown(tmp_path, made.finished)
    for wanted in ("force-command /bin/backup --now", "source-address 192.0.2.0/24", "verify-required"):
        assert wanted in text
        assert wanted in made.words.replace('"', "")
    assert '"ssh:"' in made.words
    assert "permit" not in text + made.words


GOOD = SshCertificate.read(make("ssh-cert", KEYS["ed25519"], principals="alice", extensions="permit-pty"))


def test_certificates_that_are_refused() -> None:
    data = GOOD.encode()
    other = data.replace(b"permit-pty", b"permit-foo")
    twice = string(b"permit-pty") + string(b"")
    doubled = data.replace(string(twice), string(twice * 2))
    with_value = data.replace(string(twice), string(string(b"permit-pty") + string(string(b"x"))))
    reserved = data.replace(string(twice) + string(b""), string(twice) + string(b"hidden"))
    unknown = data.replace(string(b"") + string(twice), string(string(b"x@y") + string(b"")) + string(twice))
    assert len({data, other, doubled, with_value, reserved, unknown}) == 6
    for wrong in (other, doubled, with_value, reserved, unknown, data + b"\0", data[:-1], b"", bytes(1 << 16)):
        with pytest.raises(MalformedMessage):
            SshCertificate.read(wrong)
    for change in (
        {"principals": ()},
        {"principals": ("alice,root",)},
        {"principals": ("alice\N{ZERO WIDTH SPACE}",)},
        {"key_id": "alice\nroot"},
        {"valid_before": GOOD.valid_after},
        {"kind": "host"},
        {"critical": {"force-command": ""}},
        {"critical": {"verify-required": "x"}},
        {"nonce": b"short"},
    ):
        with pytest.raises(NotPossible):
            replace(GOOD, **change)
    with pytest.raises(NotPossible, match="9999"):
        make("ssh-cert", KEYS["ed25519"], principals="alice", days="999999999999")


def test_a_certificate_that_names_another_issuer() -> None:
    with pytest.raises(NotPossible, match="another issuer"):
        GOOD.to_sign(group("ed25519", 1).key)


@pytest.mark.parametrize("line", [b"", b"ssh-ed25519", b"ssh-ed25519 AAAA", b"ssh-dss " + KEYS["p256"].split()[1]])
def test_keys_that_are_not_certified(line: bytes) -> None:
    with pytest.raises(NotPossible, match="public key"):
        make("ssh-cert", line, principals="alice")


def quoted(data: bytes) -> str:
    escaped = data.decode().replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


WORD = st.from_regex(r"[!-+\--~]{1,20}", fullmatch=True)


@few
@given(st.lists(WORD, min_size=1, max_size=3), st.from_regex(r"[ -~]{1,20}", fullmatch=True), st.integers(1, 9999))
def test_what_is_shown_is_what_others_parse(principals: list[str], key_id: str, days: int) -> None:
    thing = replace(GOOD, principals=tuple(principals), key_id=key_id, valid_before=NOW + days * 86400)
    made = sign("ssh-cert", thing.encode())
    parsed = load_ssh_public_identity(made.finished)
    assert isinstance(parsed, SSHCertificate)
    parsed.verify_cert_signature()
    assert f"  as       {', '.join(map(quoted, parsed.valid_principals))}" in made.words
    assert f"  key id   {quoted(parsed.key_id)}, serial number {parsed.serial}" in made.words
    assert sorted(parsed.extensions) == [b"permit-pty"]
    assert (parsed.valid_after, parsed.valid_before) == (NOW, NOW + days * 86400)


def test_cryptography_refuses_a_changed_one() -> None:
    made = sign("ssh-cert", GOOD.encode())
    kind, text, _ = made.finished.split(b" ")
    blob = binascii.a2b_base64(text)
    wrong = load_ssh_public_identity(kind + b" " + base64.b64encode(blob.replace(b"alice", b"malic")))
    assert isinstance(wrong, SSHCertificate)
    with pytest.raises(WrongSignature):
        wrong.verify_cert_signature()
