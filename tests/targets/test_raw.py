"""Any bytes, for every suite; and what a plug-in has to say of itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage import stock_verifiers
from stage.dealing import every_suite, few
from stage.memory_group import altered, group
from stage.signing_things import make, sign, verify

from frost_hsm import targets
from frost_hsm.errors import ForeignMessage, InvalidSignature, NotPossible
from frost_hsm.frost.ciphersuites import ALL, Ciphersuite


@every_suite
def test_a_message_of_every_suite(suite: Ciphersuite) -> None:
    by = group(suite.name)
    made = sign("raw", make("raw", b"message\n", by=by), by=by)
    assert made.message == b"message\n"
    assert made.finished == made.signature
    assert '"message"' in made.words
    stock_verifiers.check(by.key, made.message, made.finished)
    verify("raw", made.finished, b"message\n", by=by)
    for other in altered(made.finished, 4):
        with pytest.raises(InvalidSignature):
            verify("raw", other, b"message\n", by=by)


def test_what_steers_a_terminal_is_shown_in_escapes() -> None:
    made = sign("raw", make("raw", b"\x1b[2Jpay\xe2\x80\xaemallory\xff"))
    assert r'"\u{1b}[2Jpay\u{202e}mallory' in made.words


@few
@given(st.binary(max_size=400), st.sampled_from(["raw", "signify"]))
def test_what_is_shown_is_what_is_signed(data: bytes, target: str) -> None:
    made = sign(target, make(target, data))
    assert made.message == data
    assert f"size     {len(data)} bytes" in made.words
    assert f"sha256   {hashlib.sha256(data).hexdigest()}" in made.words


@pytest.mark.parametrize("unseen", ["\N{HANGUL FILLER}", "\N{VARIATION SELECTOR-1}", "\N{BRAILLE PATTERN BLANK}"])
def test_letters_that_nobody_sees_are_shown_or_refused(unseen: str) -> None:
    assert f"pay\\u{{{ord(unseen):x}}}mallory" in sign("raw", make("raw", f"pay{unseen}mallory".encode())).words
    with pytest.raises(NotPossible, match="printable line"):
        make("minisign", b"", comment=f"pay{unseen}mallory")


def test_own_copy(tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(b"message\n")
    assert "is the same" in sign("raw", b"message\n").thing.check_own_copy(tmp_path, "message")
    with pytest.raises(ForeignMessage):
        sign("raw", b"another\n").thing.check_own_copy(tmp_path, "message")


def test_every_target_is_named_as_it_is_installed() -> None:
    suites = {suite.name for suite in ALL}
    assert targets.installed() >= {"raw", "ssh", "git"}
    for name in targets.installed():
        target = targets.load(name)
        assert target.name == name
        assert target.suites <= suites
        assert len({option.name for option in target.options}) == len(target.options)


def test_a_target_that_is_not_there() -> None:
    with pytest.raises(NotPossible, match="smoke"):
        targets.load("smoke")


def test_nothing_is_made_of_a_signature_that_does_not_verify() -> None:
    read = targets.load("ssh").read(make("ssh", b"message"))
    for wrong in (group().sign(b"message"), bytes(64), b""):
        with pytest.raises(InvalidSignature):
            targets.finish(read, group().key, wrong)
