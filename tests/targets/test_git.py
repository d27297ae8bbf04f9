"""A tag and a commit: taken by git, and refused by it once anything has changed; nothing in one goes unsaid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage.dealing import few
from stage.memory_group import altered, group, run
from stage.signing_things import make, sign, verify

from frost_hsm.errors import ForeignMessage, InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.targets import words
from frost_hsm.targets.ssh import wire as ssh_wire

WHO = "Team <team@example.org> 1790000000 +0000"


@pytest.fixture(params=["sha1", "sha256"])
def clone(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A repository with one commit and an unsigned tag v1.0, which verifies by the group's key."""
    (tmp_path / "allowed").write_bytes(ssh_wire.allowed_signers(group().key, "team@example.org"))
    git(tmp_path, "init", "-q", f"--object-format={request.param}", ".")
    for name, value in (
        ("user.name", "Team"),
        ("user.email", "team@example.org"),
        ("gpg.format", "ssh"),
        ("gpg.ssh.allowedSignersFile", str(tmp_path / "allowed")),
    ):
        git(tmp_path, "config", name, value)
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first\n\nof many")
    git(tmp_path, "tag", "-a", "v1.0", "-m", "Version 1.0\n\nSame as 0.9.")
    return tmp_path


def git(clone: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    done = run("git", *arguments, cwd=clone, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def takes(clone: Path, kind: str, contents: bytes) -> bool:
    """Write an object and let git verify it."""
    found = git(clone, "hash-object", "-t", kind, "-w", "--literally", "--stdin", stdin=contents).decode().strip()
    return run("git", f"verify-{kind}", found, cwd=clone).returncode == 0


def unsigned(clone: Path, kind: str) -> bytes:
    return git(clone, "cat-file", kind, "v1.0^{}" if kind == "commit" else "v1.0")


@pytest.mark.parametrize("kind", ["tag", "commit"])
def test_git_takes_it(clone: Path, kind: str) -> None:
    thing = unsigned(clone, kind)
    made = sign("git", make("git", thing))
    assert not takes(clone, kind, thing)
    assert takes(clone, kind, made.finished)
    assert verify("git", made.finished).to_sign(group().key) == made.message
    for line in ("Version 1.0", "Same as 0.9.") if kind == "tag" else ("first", "of many"):
        assert f"  | {line}" in made.words
    assert "the clone" in made.thing.check_own_copy(clone, "v1.0")
    # the command that is said puts it there
    (clone / "made").write_bytes(made.finished)
    done = run("sh", "-c", made.thing.use("made"), cwd=clone)
    assert done.returncode == 0, done.stderr
    if kind == "tag":
        assert b"Good" in run("git", "verify-tag", "v1.0", cwd=clone).stderr


@pytest.mark.parametrize("kind", ["tag", "commit"])
def test_any_other_byte_is_refused(clone: Path, kind: str) -> None:
    made = sign("git", unsigned(clone, kind))
    signed = made.finished[:-1] if kind == "tag" else made.finished  # the last line feed of armour is nobody's
    for other in altered(signed, 10):
        assert not takes(clone, kind, other)
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("git", other)


def test_the_clone_is_asked_for_what_is_tagged(clone: Path) -> None:
    read = sign("git", unsigned(clone, "tag")).thing
    identifier = unsigned(clone, "tag")[7:].split(b"\n")[0]
    for wrong in (bytes(reversed(identifier)), b"0" * len(identifier)):
        missing = unsigned(clone, "tag").replace(identifier, wrong)
        with pytest.raises(ForeignMessage, match=wrong.decode()):
            sign("git", missing).thing.check_own_copy(clone, "v1.0")
    with pytest.raises(ForeignMessage):
        sign("git", unsigned(clone, "tag").replace(b"type commit", b"type tree")).thing.check_own_copy(clone, "v1.0")
    with pytest.raises(ForeignMessage):
        read.check_own_copy(clone / "allowed", "v1.0")


def tag(message: str, headers: str = "") -> bytes:
    return f"object {'ab' * 20}\ntype commit\ntag v1.0\ntagger {WHO}\n{headers}\n{message}".encode()


def commit(message: str, headers: str = "") -> bytes:
    return f"tree {'ab' * 20}\nparent {'cd' * 20}\nauthor {WHO}\ncommitter {WHO}\n{headers}\n{message}".encode()


@pytest.mark.parametrize(
    "thing",
    [
        tag("shown\0hidden\n"),  # git shows as far as NUL
        tag("shown\r\x1b[2Khidden\n"),
        tag("shown\n-----BEGIN SSH SIGNATURE-----\nhidden\n"),  # git cuts here
        tag("shown\n-----BEGIN PGP SIGNATURE-----\nhidden\n"),
        tag("message\n", "encoding latin1\n"),
        tag("without an end"),
        tag("two objects\n").replace(b"type", b"object " + b"cd" * 20 + b"\ntype"),
        tag("upper case\n").replace(b"ab", b"AB"),
        tag("no type\n").replace(b"type commit", b"type gift"),
        tag("no time\n").replace(b" 1790000000", b""),
        tag("bytes that are no text \n").replace(b"\n\n", b"\n\n\xff"),
        commit("message\n", "gpgsig of another\n"),
        commit("message\n", "HG:extra hidden\n"),
        commit("message\n", "encoding latin1\n"),
        commit("two trees\n").replace(b"parent", b"tree"),
        commit("shown\0hidden\n"),
        b"blob 5\0hello",
        b"",
    ],
)
def test_what_is_hidden_is_refused(thing: bytes) -> None:
    with pytest.raises(MalformedMessage):
        sign("git", thing)
    with pytest.raises(NotPossible):
        make("git", thing)


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=60)
LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<>"), min_size=1, max_size=30)


@few
@given(LINE, LINE, TEXT)
def test_what_is_shown_is_what_git_parses(name: str, who: str, message: str) -> None:
    thing = tag(f"{message}\n").replace(b"tag v1.0", f"tag {name}".encode()).replace(b"Team", who.encode())
    made = sign("git", thing)
    headers, _, body = made.finished.partition(b"\n\n")  # git's own way to take a tag apart
    shown = made.words.split("\n")
    assert shown[0] == f"  tag      {words.quoted(headers.decode().split(chr(10))[2].removeprefix('tag '))}"
    assert words.quoted(f"{who} <team@example.org>") in shown[2]
    signed = re.split(rb"^-----BEGIN ", body, flags=re.MULTILINE)[0]
    assert shown[3:] == words.indented(signed.decode())


def test_the_command_that_is_said_is_one_command(tmp_path: Path) -> None:
    """Whatever whoever asks has called the tag."""
    thing = tag("message\n").replace(b"tag v1.0", b"tag v1;touch gone;$(touch gone)")
    use = sign("git", thing).thing.use("made").replace("git", "echo")
    assert run("sh", "-c", use, cwd=tmp_path).returncode == 0
    use = sign("ssh", make("ssh", b"x", namespace="a;touch${IFS}gone")).thing.use("made")
    assert run("sh", "-c", use.replace("ssh-keygen", "echo").replace("< FILE", ""), cwd=tmp_path).returncode == 0
    assert not (tmp_path / "gone").exists()
