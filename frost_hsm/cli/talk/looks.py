"""What a file looks like that is not what it was taken for, so that its sender knows what went wrong on the way."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import NamedTuple

_ENOUGH = 4096  # bytes, to see what something is
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")  # what a CMS message of ours says of itself, in DER
_OF_DATA = bytes.fromhex("06092a864886f70d010701")  # of a file, which is a signature for others: a .p7s
_LINE = 64  # of base64 in PEM
_BEGIN = re.compile(rb"-----BEGIN ([ -~]+?)-----")


class Look(NamedTuple):
    """What it looks like, and what to do about it."""

    what: str
    advice: str


_AGAIN = "send the file itself, as an attachment: nothing between sender and recipient may rewrite it"
_SAVE = "save the attachment, not the mail or page around it"

_BEGINNINGS = (
    ((b"\xff\xfe", b"\xfe\xff"), "text in UTF-16", "save it as UTF-8, or send the file as it was made"),
    ((b"PK\x03\x04",), "a ZIP archive", "unpack it first"),
    ((b"\x1f\x8b",), "a gzip archive", "unpack it first: gunzip"),
    ((b"\xfd7zXZ\0",), "an xz archive", "unpack it first: unxz"),
    ((b"\x28\xb5\x2f\xfd",), "a zstd archive", "unpack it first: unzstd"),
    ((b"%PDF-",), "a PDF document", "name another file"),
    ((b"\x89PNG", b"\xff\xd8\xff", b"GIF8"), "a picture", "name another file"),
    ((b"\x7fELF",), "a program for Linux", "name another file"),
    ((b"MZ",), "a program for Windows", "name another file"),
    ((b"version https://git-lfs",), "a pointer of Git LFS", "fetch what it points to: git lfs pull"),
    ((b"SQLite format 3",), "a database", "name another file"),
    ((b"ssh-", b"ecdsa-sha2-"), "a public key for SSH", "name another file"),
    ((b"age-encryption.org/",), "a file encrypted with age", "decrypt it first"),
)


def look(data: bytes) -> Look | None:
    """Say what a file looks like, from how it begins; None if it looks like nothing in particular."""
    if not data:
        return Look("nothing: it is empty", "get the file again")
    for beginnings, what, advice in _BEGINNINGS:
        if data.startswith(beginnings):
            return Look(what, advice)
    start = data[:_ENOUGH].removeprefix(b"\xef\xbb\xbf")
    if start[1::2].count(0) > len(start) // 4 or start[::2].count(0) > len(start) // 4:
        return Look("text in UTF-16", "save it as UTF-8, or send the file as it was made")
    if re.match(rb"\s*<(!doctype html|html)", start, re.IGNORECASE):
        return Look("a web page", "download the file itself, not the page that shows it")
    return _armoured(data) or _json(data) or _page(start.lstrip()) or _bare(start)


def is_meant(beginning: bytes) -> bool:
    """Whether something was one of our messages once, whatever has become of it on its way."""
    text = beginning.replace(b"\0", b"")  # UTF-16
    if b"BEGIN CMS" in text or (_SIGNED_DATA in beginning[:64] and _OF_DATA not in beginning[:64]):
        return True
    return _is_signed_data(text.removeprefix(b"\xef\xbb\xbf").lstrip())


def is_hollow(beginning: bytes) -> bool:
    """Whether a PEM block of ours begins with something else than a message: then the rest needs no reading."""
    _, line, body = beginning.partition(b"-----BEGIN CMS-----\n")
    return line != b"" and len(body) >= _LINE and not _is_signed_data(body)


def _is_signed_data(text: bytes) -> bool:
    line = re.match(rb"[A-Za-z0-9+/\s]{24,%d}" % _LINE, text)
    try:
        return line is not None and _SIGNED_DATA in base64.b64decode(b"".join(line[0].split()), validate=True)
    except binascii.Error:
        return False


def _armoured(data: bytes) -> Look | None:
    """Say what has become of a PEM block."""
    begin = _BEGIN.search(data)
    if begin is None:
        return None
    label = begin[1].decode()
    line_start = data.rfind(b"\n", 0, begin.start()) + 1
    before = data[line_start : begin.start()].removeprefix(b"\xef\xbb\xbf")
    body = data[begin.end() : begin.end() + _ENOUGH]
    if b"PGP" in begin[1]:
        return Look("something signed or encrypted with PGP", "take what is inside out of it first")
    if b">" in before:
        return Look("a quotation in a mail, with > before its lines", _AGAIN)
    if before.strip(b" \t") == b"" and before:
        return Look("a block whose lines are indented", _AGAIN)
    if re.search(rb"=3D|=\r?\n[A-Za-z0-9+/]", body):
        return Look("the source of a mail, in quoted-printable", _SAVE)
    if data.count(b"-----END %b-----" % begin[1]) < data.count(begin[0]):
        return Look(f"the beginning of a file: it has no line -----END {label}-----", "get the file again, whole")
    lines = [line.removesuffix(b"\r") for line in body.partition(b"-----END")[0].split(b"\n")[1:-1]]
    if any(line != line.strip() for line in lines):
        return Look("a block with blanks at the ends of its lines", _AGAIN)
    if any(re.match(rb"[A-Za-z-]+: ", line) for line in lines):
        return Look("a block with headers in it", _AGAIN)
    if any(len(line) != _LINE for line in lines[:-1]) or any(len(line) > _LINE for line in lines[-1:]):
        return Look("a block that a program has wrapped anew: our lines have 64 characters", _AGAIN)
    return Look(f'a block "{label}" that was changed, or is meant for something else', _AGAIN)


def _page(start: bytes) -> Look | None:
    lower = start[:512].lower()
    if re.match(rb"(from|received|return-path|mime-version|delivered-to|content-type): ?", lower):
        return Look("the source of a mail", _SAVE)
    if lower.startswith((b"<?xml", b"<svg")):
        return Look("XML", "name another file")
    if start.startswith(b">"):
        return Look("a quotation in a mail, with > before its lines", _AGAIN)
    return None


_READABLE = 1 << 18
"""Bytes of JSON that are read to the end to say what is wrong with it: more than any that we write."""


def _json(data: bytes) -> Look | None:
    if not data[:_READABLE].lstrip().startswith((b"{", b"[")):
        return None
    try:
        if len(data) <= _READABLE:  # a hostile one would take much memory
            json.loads(data)
    except (ValueError, RecursionError):
        return Look("JSON that was cut off, or changed on its way", _AGAIN)
    return Look("JSON", "name another file")


def _bare(start: bytes) -> Look | None:
    """Say which encoding has nothing around it."""
    if start[:1] == b"\x30" and start[1:2] and start[1] >= 0x80:
        return Look("DER, which is binary", "put it into PEM, as it was made")
    digits = b"".join(start.split())
    if re.fullmatch(rb"([0-9A-Fa-f]{2}){8,}", digits):
        return Look("hex", "decode it first: xxd -r -p")
    if re.fullmatch(rb"[A-Za-z0-9+/_=-]{12,}", digits):
        return Look(
            "base64 with nothing around it", "decode it first: base64 -d; a block in PEM has its first and last line"
        )
    return None
