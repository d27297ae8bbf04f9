"""Changes to an input: to its bytes, or to what it says with its outer form kept, so that a reader has to go deep.

One element of DER is changed and every length around it set right, one value of JSON, or what is inside PEM.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from random import Random
from typing import Any

from frost_hsm.errors import MalformedMessage
from frost_hsm.forms import der, pem

Element = tuple[int, bytes]
"""A DER element: tag and contents."""

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 -]+)-----\n([A-Za-z0-9+/=\n]*)-----END \1-----\n")
_TAGS = (1, 2, 3, 4, 5, 6, 12, 0x13, 0x17, 0x18, 0x1F, 0x24, 0x30, 0x31, 0x80, 0x81, 0xA0, 0xA1, 0xA2, 0xA3, 0xFF)
_CONTENTS = (b"", b"\0", b"\1", b"\x7f", b"\x80", b"\xff", b"\0" * 9, b"\xff" * 9, bytes(32), b"\x30\0", b"A" * 300)
_HEADERS = (
    b"\x30\x80",
    b"\x04\x84\xff\xff\xff\xff",
    b"\x30\x81\x00",
    b"\x02\x89",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x00",
)
_VALUES = (None, True, 0, 1, -1, 65535, 65536, 1 << 64, 1.5, "", "0", "00", "0A", "zz", "\0", "é", [], {}, {"": ""})


def mutate(data: bytes, random: Random) -> bytes:
    """Change an input in one place, or in a few."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        changed = _change_form(data, random) if random.random() < 0.7 else None
        data = _change_bytes(data, random) if changed is None else changed
    return data


def _change_form(data: bytes, random: Random) -> bytes | None:
    """Change what an input says; None if it has no form that is known here."""
    if data.startswith(b"-----BEGIN "):
        return _change_armoured(data, random)
    if data[:1] == b"{":
        return _change_json(data, random)
    return _change_element(data, random)


def _change_bytes(data: bytes, random: Random) -> bytes:
    start = random.randint(0, len(data))
    end = min(len(data), start + random.choice((0, 1, 1, 1, 2, 8, 32, len(data))))
    part = data[start:end]
    replacement = random.choice(
        (
            b"",
            part + part,
            part[::-1],
            random.randbytes(len(part)),
            random.randbytes(1),
            random.choice(_CONTENTS),
            random.choice(_HEADERS),
            bytes(byte ^ 1 << random.randrange(8) for byte in part[:1]) + part[1:],
        )
    )
    return data[:start] + replacement + data[end:]


def _change_armoured(data: bytes, random: Random) -> bytes | None:
    blocks = list(_PEM.finditer(data))
    if not blocks:
        return None
    block = random.choice(blocks)
    try:
        inside = mutate(base64.b64decode(block[2]), random)
    except binascii.Error:
        return None
    return data[: block.start()] + pem.encode(block[1].decode(), inside) + data[block.end() :]


# ── DER ──


def _change_element(data: bytes, random: Random) -> bytes | None:
    """Go down to some element and change it, or its neighbours; None if this is not DER."""
    elements = _elements(data)
    if not elements:
        return None
    place = random.randrange(len(elements))
    tag, contents = elements[place]
    is_deep = tag & 0x20 or (tag == der.OCTET_STRING and contents[:1] == b"\x30")
    inside = _change_element(contents, random) if is_deep and random.random() < 0.8 else None
    elements[place : place + 1] = [(tag, inside)] if inside is not None else _instead(tag, contents, elements, random)
    return b"".join(der.element(*element) for element in elements)


def _instead(tag: int, contents: bytes, among: list[Element], random: Random) -> list[Element]:
    match random.randrange(8):
        case 0:
            return []
        case 1:
            return [(tag, contents), (tag, contents)]
        case 2:
            return [(random.choice(_TAGS), contents)]
        case 3:
            return [(tag, random.choice(_CONTENTS))]
        case 4:
            return [(random.choice(_TAGS), der.element(tag, contents))]
        case 5:
            return [random.choice(among), (tag, contents)]
        case 6:
            return [(tag, contents), (random.choice(_TAGS), random.choice(_CONTENTS))]
    return [(tag, _change_bytes(contents, random))]


def _elements(data: bytes) -> list[Element] | None:
    """Take one level of DER apart; None if it is not DER."""
    elements: list[Element] = []
    reader, place = der.Reader(data, "the input"), 0
    try:
        while reader.more():
            tag = data[place]
            elements.append((tag, reader.contents(tag)))
            place += len(der.element(*elements[-1]))
    except MalformedMessage:
        return None
    return elements


# ── JSON ──


def _change_json(data: bytes, random: Random) -> bytes | None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    among, place = random.choice([*_places(document)] or [([document], 0)])
    value = among[place]
    if random.random() < 0.2:
        del among[place]
    elif isinstance(value, str) and random.random() < 0.7:
        among[place] = _change_bytes(value.encode(), random).decode("latin-1")
    elif isinstance(among, dict) and random.random() < 0.3:
        among[random.choice((str(place).upper(), "extra", "header", "min_signers", ""))] = value
    else:
        among[place] = random.choice((*_VALUES, [value], {"header": value}, [value] * 20))
    return json.dumps(document, separators=random.choice(((",", ":"), (", ", ": "))), ensure_ascii=False).encode(
        errors="surrogatepass"
    )


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every value in a document, as what holds it and where."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for place, each in inside:
        found += [(value, place), *_places(each)]
    return found
