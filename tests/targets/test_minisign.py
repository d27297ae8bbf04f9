"""Files for minisign, in two signatures, and for signify; both tools refuse them once anything has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage.dealing import few
from stage.memory_group import altered, group, run
from stage.signing_things import Signed, make, sign, verify

from frost_hsm import targets
from frost_hsm.errors import ForeignMessage, InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.targets import CARRIED, minisign

RELEASE = b"release 1.0\n"


def signed(data: bytes, comment: str = "2 of 3") -> Signed:
    return sign("minisign", make("minisign", data, comment=comment))


def taken(tool: str, data: bytes, signature: bytes, directory: Path) -> bytes | None:
    """What the tool says of a good signature; None if it refuses it."""
    (directory / "key.pub").write_bytes(minisign.public_key(group().key, "team"))
    (directory / "file").write_bytes(data)
    (directory / "signature").write_bytes(signature)
    done = run(tool, "-V", "-p", "key.pub", "-x", "signature", "-m", "file", cwd=directory)
    return done.stdout if done.returncode == 0 else None


@pytest.mark.parametrize("data", [RELEASE, b"", bytes(CARRIED + 1)], ids=["small", "empty", "large"])
def test_minisign_takes_it(data: bytes, tmp_path: Path) -> None:
    made = signed(data)
    said = taken("minisign", data, made.finished, tmp_path)
    assert said is not None
    assert b"Trusted comment: 2 of 3" in said
    assert 'comment  "2 of 3"' in made.words
    assert verify("minisign", made.finished, data).to_sign(group().key) == made.message


def test_minisign_refuses_any_other_byte(tmp_path: Path) -> None:
    made = signed(RELEASE)
    for other in altered(RELEASE, 3):
        assert taken("minisign", other, made.finished, tmp_path) is None
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("minisign", made.finished, other)
    lines = made.finished.splitlines(keepends=True)
    for other in altered(b"".join(lines[1:])[:-1], 8):  # the first line is called untrusted
        assert taken("minisign", RELEASE, lines[0] + other + b"\n", tmp_path) is None
    for other in altered(made.finished, 12):
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("minisign", other, RELEASE)


def test_the_second_signature_is_on_the_first() -> None:
    made = signed(RELEASE)
    first, second = made.signature[:64], made.signature[64:]
    assert made.thing.to_sign_second(group().key, first) == first + b"2 of 3"
    other = group().sign(b"another file")
    for wrong in (first, second, first + first, second + first, other + group().sign(other + b"2 of 3"), b""):
        with pytest.raises(InvalidSignature):
            targets.finish(made.thing, group().key, wrong)


def test_signers_have_their_own_copy_of_a_large_file(tmp_path: Path) -> None:
    large = bytes(CARRIED + 1)
    made = signed(large)
    assert made.thing.needs_own_copy
    (tmp_path / "disk.img").write_bytes(large)
    assert "is the same" in made.thing.check_own_copy(tmp_path, "disk.img")
    (tmp_path / "disk.img").write_bytes(large[1:])
    with pytest.raises(ForeignMessage):
        made.thing.check_own_copy(tmp_path, "disk.img")


def test_signify_takes_it_and_refuses_any_other_byte(tmp_path: Path) -> None:
    made = sign("signify", make("signify", RELEASE))
    assert made.message == RELEASE
    assert taken("signify-openbsd", RELEASE, made.finished, tmp_path) is not None
    assert verify("signify", made.finished, RELEASE).to_sign(group().key) == RELEASE
    for other in altered(RELEASE, 3):
        assert taken("signify-openbsd", other, made.finished, tmp_path) is None
    first, second = made.finished.splitlines(keepends=True)
    for other in altered(second[:-3], 6):  # base64 ends in bits that nobody reads
        assert taken("signify-openbsd", RELEASE, first + other + second[-3:], tmp_path) is None
    for other in altered(made.finished, 10):
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("signify", other, RELEASE)


@pytest.mark.parametrize("comment", ["two\nlines", "\x1b[2K", "turned\N{RIGHT-TO-LEFT OVERRIDE}", "x" * 1025])
def test_comments_that_are_refused(comment: str) -> None:
    with pytest.raises(NotPossible):
        make("minisign", RELEASE, comment=comment)
    placeholder = "#" * len(comment.encode())
    if len(placeholder) < 100:
        forged = make("minisign", RELEASE, comment=placeholder).replace(placeholder.encode(), comment.encode())
        with pytest.raises(MalformedMessage):
            targets.load("minisign").read(forged)


@few
@given(st.binary(max_size=50), st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20))
def test_what_is_shown_is_what_stands_in_the_file(data: bytes, comment: str) -> None:
    made = signed(data, comment)
    (line,) = [line for line in made.finished.decode().splitlines() if line.startswith("trusted comment: ")]
    escaped = comment.replace("\\", "\\\\").replace('"', '\\"')
    assert f'comment  "{escaped}"' in made.words
    assert line == f"trusted comment: {comment}"
