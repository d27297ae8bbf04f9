from __future__ import annotations

import base64

import pytest

from frost_hsm.errors import MalformedMessage
from frost_hsm.forms import pem

DER = bytes(range(100))
TEXT = pem.encode("CMS", DER)


@pytest.mark.parametrize("length", [1, 47, 48, 49, 96, 1000])
def test_reads_what_it_wrote(length: int) -> None:
    assert pem.decode("CMS", pem.encode("CMS", bytes(length)), "it") == [bytes(length)]


def test_lines_have_64_characters() -> None:
    assert [len(line) for line in TEXT.splitlines()[1:-1]] == [64, 64, 8]
    assert base64.b64decode(b"".join(TEXT.splitlines()[1:-1])) == DER


@pytest.mark.parametrize("same", [TEXT.replace(b"\n", b"\r\n"), TEXT.rstrip(b"\n"), TEXT + b"\n"])
def test_takes_other_line_ends_and_another_end_of_file(same: bytes) -> None:
    assert pem.decode("CMS", same, "it") == [DER]


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"\n",
        TEXT + TEXT,
        b"\xef\xbb\xbf" + TEXT,
        b" " + TEXT,
        b"From: alice\n" + TEXT,
        TEXT + b"trailing\n",
        TEXT.replace(b"CMS", b"CERTIFICATE"),
        TEXT.replace(b"END CMS", b"END XMS"),
        TEXT.replace(b"\n", b"\r"),
        TEXT.replace(b"A", b"A ", 1),
        TEXT.replace(b"A", b"A\n", 1),
        TEXT.replace(b"AAEC", b"AA*C"),
        TEXT.replace(b"Yw==", b"Yx=="),  # the unused bits of the last group set
        TEXT.replace(b"==", b""),
        TEXT.replace(b"-----\n", b"-----\nProc-Type: 4\n\n", 1),
        DER,
    ],
)
def test_refuses_every_other_form(other: bytes) -> None:
    with pytest.raises(MalformedMessage, match=r"^a message "):
        pem.decode("CMS", other, "a message")


def test_wants_the_number_of_blocks_it_is_asked_for() -> None:
    assert pem.decode("CMS", TEXT + TEXT, "it", blocks=2) == [DER, DER]
    with pytest.raises(MalformedMessage):
        pem.decode("CMS", TEXT, "it", blocks=2)
