"""PEM (RFC 7468), strictly: what is read must be exactly what would be written."""

from __future__ import annotations

import base64
import binascii

from frost_hsm.errors import MalformedMessage

_LINE = 64


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
    begin, end = f"-----BEGIN {label}-----\n".encode(), f"-----END {label}-----\n".encode()
    bodies = [part.partition(begin)[2] for part in text.split(end)[:-1]]
    try:
        ders = [base64.b64decode(body.replace(b"\n", b""), validate=True) for body in bodies]
    except binascii.Error:
        raise MalformedMessage(f"{what} is damaged: not base64") from None
    if len(ders) != blocks or b"".join(encode(label, der) for der in ders) != text:
        raise MalformedMessage(f'{what} is not {blocks} PEM block{"s" * (blocks > 1)} "{label}", and nothing else')
    return ders
