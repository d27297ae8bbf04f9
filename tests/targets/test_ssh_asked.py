"""What programs of SSH ask an agent for: shown in words, made again from them byte for byte, and nothing else taken."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage.dealing import few
from stage.memory_group import altered, group, run
from stage.signing_things import make, sign, verify

from frost_hsm import targets
from frost_hsm.errors import FileMissing, FrostHsmError, InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.targets.ssh import wire as ssh_wire
from frost_hsm.targets.ssh.wire import string

SESSION = bytes(range(32))
SERVER = string(b"ssh-ed25519") + string(bytes(32))


def challenge(
    user: bytes = b"deploy",
    *,
    session: bytes = SESSION,
    kind: bytes = b"\x32",
    service: bytes = b"ssh-connection",
    method: bytes = b"publickey-hostbound-v00@openssh.com",
    is_signed: bytes = b"\x01",
    key: bytes | None = None,
    end: bytes = string(SERVER),
) -> bytes:
    key = ssh_wire.public_key(group().key) if key is None else key
    asked = string(session) + kind + string(user) + string(service) + string(method) + is_signed
    return asked + string(b"ssh-ed25519") + string(key) + end


@pytest.mark.parametrize("asked", [challenge(), challenge(method=b"publickey", end=b"")], ids=["bound", "not bound"])
def test_a_login_is_shown_and_made_again(asked: bytes) -> None:
    made = sign("ssh-login", make("ssh-login", asked))
    assert made.message == asked
    assert 'as user "deploy"' in made.words
    assert ("SHA256:" in made.words) == (SERVER in asked)
    assert made.thing.facts()["user"] == "deploy"
    assert ("server" in made.thing.facts()) == (SERVER in asked)
    assert verify("ssh-login", made.finished, asked).to_sign(group().key) == asked
    for other in altered(asked, 12):
        with pytest.raises((InvalidSignature, MalformedMessage, NotPossible)):
            verify("ssh-login", made.finished, other)


@pytest.mark.parametrize(
    "wrong",
    [
        challenge(b""),
        challenge(b"ro\not"),
        challenge(b"\xff"),
        challenge("r\N{ZERO WIDTH SPACE}oot".encode()),
        challenge(b"x" * 256),
        challenge(session=bytes(31)),
        challenge(kind=b"\x33"),
        challenge(service=b"ssh-userauth"),
        challenge(method=b"password"),
        challenge(method=b"publickey"),
        challenge(is_signed=b"\0"),
        challenge(key=ssh_wire.public_key(group(which=1).key)),
        challenge(end=b""),
        challenge(end=string(SERVER) + b"\0"),
        challenge(end=string(bytes(5000))),
        challenge()[:-1],
        b"",
    ],
)
def test_what_is_no_login_by_this_key_is_refused(wrong: bytes) -> None:
    with pytest.raises(NotPossible):
        make("ssh-login", wrong)


def test_a_digest_is_shown_with_a_warning_and_taken_by_ssh_keygen(tmp_path: Path) -> None:
    asked = ssh_wire.to_sign("file", hashlib.sha512(b"data").digest())
    made = sign("ssh-digest", make("ssh-digest", asked))
    assert made.message == asked
    assert hashlib.sha512(b"data").hexdigest() in made.words
    assert "CAREFUL" in made.words
    assert made.thing.facts() == {"namespace": "file", "size": "unknown"}
    (tmp_path / "allowed").write_bytes(ssh_wire.allowed_signers(group().key, "team@example.org"))
    (tmp_path / "signature").write_bytes(made.finished)
    words = ("-Y", "verify", "-f", "allowed", "-I", "team@example.org", "-n", "file", "-s", "signature")
    assert run("ssh-keygen", *words, cwd=tmp_path, stdin=b"data").returncode == 0
    assert verify("ssh-digest", made.finished, b"data").facts()["namespace"] == "file"
    with pytest.raises(InvalidSignature):
        verify("ssh-digest", made.finished, b"date")


def test_signers_look_for_the_file_among_their_own(tmp_path: Path) -> None:
    thing = targets.load("ssh-digest").read(
        make("ssh-digest", ssh_wire.to_sign("file", hashlib.sha512(b"data").digest()))
    )
    (tmp_path / "folder").mkdir()
    (tmp_path / "a").write_bytes(b"other")
    with pytest.raises(FileMissing, match="no file in"):
        thing.check_own_copy(tmp_path, "")
    with pytest.raises(FileMissing, match="cannot look into"):
        thing.check_own_copy(tmp_path / "none", "")
    (tmp_path / "b").write_bytes(b"data")
    assert thing.check_own_copy(tmp_path, "") == f"your own file {tmp_path / 'b'} has this digest"


GOOD = ssh_wire.to_sign("file", bytes(64))


@pytest.mark.parametrize(
    "wrong",
    [
        b"SSHSIG",
        GOOD[:-1],
        GOOD + b"\0",
        GOOD.replace(b"SSHSIG", b"SSHSIH"),
        GOOD.replace(b"sha512", b"sha256"),
        ssh_wire.to_sign("", bytes(64)),
        ssh_wire.to_sign("two words", bytes(64)),
        ssh_wire.to_sign("file", bytes(32)),
        b"SSHSIG" + string(b"file") + string(b"reserved") + string(b"sha512") + string(bytes(64)),
        b"SSHSIG" + string(b"\xff") + string(b"") + string(b"sha512") + string(bytes(64)),
    ],
)
def test_what_is_no_digest_in_a_namespace_is_refused(wrong: bytes) -> None:
    with pytest.raises(NotPossible):
        make("ssh-digest", wrong)


def test_neither_is_asked_of_keys_that_openssh_has_no_type_for() -> None:
    for name, asked in (("ssh-login", challenge()), ("ssh-digest", GOOD)):
        with pytest.raises(FrostHsmError, match="ed448"):
            make(name, asked, by=group("ed448"))


NAMESPACE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@few
@given(NAMESPACE, st.binary(max_size=40))
def test_what_is_shown_of_a_digest_is_what_is_signed(namespace: str, data: bytes) -> None:
    """Read by hand: six letters, namespace, nothing, the hash's name, the digest (PROTOCOL.sshsig)."""
    digest = hashlib.sha512(data).digest()
    made = sign("ssh-digest", make("ssh-digest", ssh_wire.to_sign(namespace, digest)))
    read = re.fullmatch(rb"SSHSIG\0\0\0(.)(.+)\0\0\0\0\0\0\0\x06sha512\0\0\0\x40(.{64})", made.message, re.DOTALL)
    assert read is not None
    assert (read[1][0], read[2].decode(), read[3]) == (len(namespace), namespace, digest)
    escaped = namespace.replace("\\", "\\\\").replace('"', '\\"')
    assert f'namespace "{escaped}"' in made.words
    assert read[3].hex() in made.words


@few
@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20), st.binary(min_size=32, max_size=32))
def test_what_is_shown_of_a_login_is_what_is_signed(user: str, session: bytes) -> None:
    made = sign("ssh-login", make("ssh-login", challenge(user.encode(), session=session)))
    length = len(user.encode())
    assert made.message[:36] == b"\0\0\0\x20" + session
    assert made.message[36] == 50
    assert made.message[37 : 41 + length] == length.to_bytes(4, "big") + user.encode()
    assert f'as user "{user}"' in made.words
