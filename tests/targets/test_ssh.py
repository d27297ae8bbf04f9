"""A file in a namespace: taken by ssh-keygen, and refused by it once anything has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage.dealing import few
from stage.memory_group import altered, group, run
from stage.signing_things import make, sign, verify

from frost_hsm import targets
from frost_hsm.errors import FileMissing, ForeignMessage, InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.targets import CARRIED
from frost_hsm.targets.ssh import wire as ssh_wire
from frost_hsm.targets.ssh.sshsig import SshFile

RELEASE = b"release 1.0\n"


def ssh_keygen(directory: Path, data: bytes, signature: bytes, namespace: str = "file") -> bool:
    (directory / "allowed").write_bytes(ssh_wire.allowed_signers(group().key, "team@example.org"))
    (directory / "signature").write_bytes(signature)
    words = ("-Y", "verify", "-f", "allowed", "-I", "team@example.org", "-n", namespace, "-s", "signature")
    done = run("ssh-keygen", *words, cwd=directory, stdin=data)
    assert (b"Good" in done.stdout) == (done.returncode == 0), done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("data", [RELEASE, b"", bytes(CARRIED + 1)], ids=["small", "empty", "large"])
def test_ssh_keygen_takes_it(data: bytes, tmp_path: Path) -> None:
    thing = make("ssh", data)
    assert len(thing) < CARRIED + 200
    made = sign("ssh", thing)
    assert ssh_keygen(tmp_path, data, made.finished)
    assert verify("ssh", made.finished, data).to_sign(group().key) == made.message
    assert not ssh_keygen(tmp_path, data, made.finished, "email")


def test_any_other_byte_is_refused(tmp_path: Path) -> None:
    made = sign("ssh", make("ssh", RELEASE))
    for other in altered(RELEASE, 4):
        assert not ssh_keygen(tmp_path, other, made.finished)
        with pytest.raises(InvalidSignature):
            verify("ssh", made.finished, other)
    for other in altered(made.finished[:-1], 12):  # the last line feed is nobody's
        assert not ssh_keygen(tmp_path, RELEASE, other)
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("ssh", other, RELEASE)


def test_signers_have_their_own_copy_of_a_large_file(tmp_path: Path) -> None:
    large = bytes(CARRIED + 1)
    read = sign("ssh", make("ssh", large)).thing
    assert read.needs_own_copy
    assert not sign("ssh", make("ssh", RELEASE)).thing.needs_own_copy
    with pytest.raises(FileMissing, match="own copy"):
        read.check_own_copy(tmp_path, "disk.img")
    (tmp_path / "disk.img").write_bytes(large + b"!")
    with pytest.raises(ForeignMessage, match=r"disk\.img"):
        read.check_own_copy(tmp_path, "disk.img")
    (tmp_path / "disk.img").write_bytes(large)
    assert "is the same" in read.check_own_copy(tmp_path, "disk.img")
    for name in ("../disk.img", "", ".", "..", "/etc/passwd"):
        with pytest.raises((MalformedMessage, FileMissing)):
            read.check_own_copy(tmp_path / "sub", name)


@few
@given(st.binary(max_size=300), st.from_regex(r"[!-~]{1,20}", fullmatch=True).filter(lambda text: text != "git"))
def test_what_is_shown_is_what_is_signed(data: bytes, namespace: str) -> None:
    made = sign("ssh", make("ssh", data, namespace=namespace))
    assert namespace.replace("\\", "\\\\").replace('"', '\\"') in made.words
    assert f"{len(data)} bytes" in made.words
    assert ssh_wire.read_armoured(made.finished) == (namespace, made.signature)


def test_a_request_whose_words_and_bytes_differ_is_refused() -> None:
    good = SshFile.decode(make("ssh", RELEASE))
    forged = SshFile(good.size, good.digest, None, "file").encode()
    longer = good.encode().replace(b"release 1.0", b"release 2.0")
    assert targets.load("ssh").read(forged).needs_own_copy
    for wrong in (longer, good.encode() + b"\0", good.encode()[:-1], forged.replace(b"file", b"git\0"), b""):
        with pytest.raises(MalformedMessage):
            targets.load("ssh").read(wrong)


@pytest.mark.parametrize("namespace", ["", "git", "two words", "file\n", "x" * 129, "\N{RIGHT-TO-LEFT OVERRIDE}"])
def test_namespaces_that_are_refused(namespace: str) -> None:
    with pytest.raises(NotPossible):
        make("ssh", RELEASE, namespace=namespace)


def test_keys_that_openssh_has_no_type_for() -> None:
    with pytest.raises(NotPossible, match="ed448"):
        make("ssh", RELEASE, by=group("ed448"))


def test_the_exported_key_is_read_by_ssh_keygen(tmp_path: Path) -> None:
    (tmp_path / "team.pub").write_bytes(ssh_wire.key_line(group().key, "team"))
    done = run("ssh-keygen", "-l", "-f", "team.pub", cwd=tmp_path)
    assert done.returncode == 0
    assert b"team (ED25519)" in done.stdout
