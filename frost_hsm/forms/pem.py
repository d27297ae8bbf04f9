"""PEM (RFC 7468), strictly: what is read must be exactly what would be written, whatever text may be around it."""

from __future__ import annotations

import base64
import binascii
import re
import string

from frost_hsm.errors import MalformedMessage

_LINE = 64
_BLOCK = (
    rb"-----BEGIN %(label)b-----\n"
    rb"(?P<body>(?:[A-Za-z0-9+/]{64}\n)*+)"
    rb"(?:(?P<last>(?:[A-Za-z0-9+/]{4}){0,15}(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=))\n)?"
    rb"-----END %(label)b-----\n"
)


_MARK = b"-----BEGIN "
_ALPHABET = string.ascii_letters.encode() + string.digits.encode() + b"+/=- \n"
_BEGIN = re.compile(rb"-----BEGIN ([ -~]+?)-----(?=\r?\n)")


def encode(label: str, der: bytes) -> bytes:
    """Armour ``der`` in lines of 64, each ended by a line feed."""
    text = base64.b64encode(der)
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    begin, end = f"-----BEGIN {label}-----".encode(), f"-----END {label}-----".encode()
    return b"\n".join((begin, *lines, end, b""))


def decode(label: str, data: bytes, what: str, *, blocks: int = 1) -> list[bytes]:
    """Take exactly ``blocks`` blocks of this label out of their armour.

    The only liberties are those that mail and editors take: CRLF for LF, the final line feed missing or
    repeated. what: the name of the thing, for the sentence of the `MalformedMessage` that anything else
    raises.
    """
    text = data.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
    block = re.compile(_BLOCK % {b"label": re.escape(label.encode())})
    ders: list[bytes] = []
    position = 0
    while len(ders) < blocks and (found := block.match(text, position)):
        if found["last"] is None and found.start("body") == found.end("body"):
            break  # there is nothing that would be nothing in DER
        last = base64.b64decode(found["last"] or b"")
        if base64.b64encode(last) != (found["last"] or b""):
            break  # unused bits are set
        ders.append(binascii.a2b_base64(memoryview(text)[slice(*found.span("body"))]) + last)
        position = found.end()
    if len(ders) != blocks or position != len(text):
        raise MalformedMessage(f'{what} is not {blocks} PEM block{"s" * (blocks > 1)} "{label}", and nothing else')
    return ders


def without_surroundings(text: bytes) -> bytes:
    """Return the blocks of a text, with LF, and nothing of what is around them; without a whole block, all as it is.

    RFC 7468, section 2, has parsers expect text there: a mail, what ``openssl x509 -text`` says. A block begins and
    ends with a line; inside it nothing is looked at.
    """
    if text.startswith(_MARK) and text.endswith(b"-----\n") and not text.translate(None, _ALPHABET):
        return text  # as almost all are, and whoever sends very many blocks pays for them
    blocks: list[bytes] = []
    position = 0
    while (start := text.find(_MARK, position)) >= 0:
        begin = _BEGIN.match(text, start)
        end = text.find(b"\n-----END %b-----" % begin[1], start) if begin is not None else -1
        if begin is None or end < 0 or text[start - 1 : start] not in (b"", b"\n"):
            return text
        position = end + len(b"\n-----END -----") + len(begin[1])
        rest = text.find(b"\n", position)
        if text[position : rest if rest >= 0 else None].strip():
            return text  # more is on that line
        blocks.append(text[start:position].replace(b"\r\n", b"\n"))
    return b"".join(block + b"\n" for block in blocks) or text
