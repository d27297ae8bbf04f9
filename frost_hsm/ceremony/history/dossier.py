"""Signed messages one after the other in one file, which whoever has nothing else can read, verify and judge.

A proposal comes first, which says who takes part; the rest in any order. Each is in PEM as it was sent, so that OpenSSL
verifies it too. Between them may be public key packages, which somebody in it has confirmed by their hash. Inside of
other files the same stands in DER:

SEQUENCE OF CHOICE { message ContentInfo, publicKeyPackage OCTET STRING }
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from frost_hsm.ceremony.history.chain import History
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Proposal
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.errors import MalformedMessage, NotKnown, UsageProblem
from frost_hsm.forms import cms, der, pem

PACKAGE_LABEL: Final = "FROST PUBLIC KEY PACKAGE"
MAX_SIZE: Final = 16 << 20
MAX_MESSAGES: Final = 1024
"""Of each participant, on average, for each takes time to verify: enough for a refresh a week, for six years."""

_WHAT = "a file of several messages"
_BEGIN = re.compile(rb"-----BEGIN ([A-Z -]+)-----\n")
_LABELS = {cms.PEM_LABEL.encode(): cms.PEM_LABEL, PACKAGE_LABEL.encode(): PACKAGE_LABEL}


def write(messages: Iterable[Signed[Any]], packages: Iterable[bytes] = ()) -> bytes:
    """Put messages and public key packages, postcard, into one file, in this order; the same twice is there once."""
    return armour((said.der for said in messages), packages)


def armour(messages: Iterable[bytes], packages: Iterable[bytes]) -> bytes:
    """As `write`, of messages in DER."""
    parts = [(cms.PEM_LABEL, each) for each in messages] + [(PACKAGE_LABEL, each) for each in packages]
    return b"".join(pem.encode(label, each) for label, each in dict.fromkeys(parts))


def read(data: bytes) -> History:
    """Read what `write` wrote, in whatever order, and verify all of it. Raises what `History.read` raises."""
    return history(*blocks(data))


def blocks(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """Take the messages, DER, and the packages, postcard, out of a file; nothing is verified."""
    if len(data) > MAX_SIZE:
        raise MalformedMessage(f"{_WHAT} is larger than {MAX_SIZE} bytes")
    text = data.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
    found: dict[str, list[bytes]] = {cms.PEM_LABEL: [], PACKAGE_LABEL: []}
    start = 0
    while start < len(text):
        begin = _BEGIN.match(text, start)
        label = _LABELS.get(begin[1]) if begin is not None else None
        if label is None:
            raise MalformedMessage(
                f'{_WHAT} is not PEM blocks "{cms.PEM_LABEL}" and "{PACKAGE_LABEL}", and nothing else'
            )
        following = _BEGIN.search(text, start + 1)
        end = following.start() if following is not None else len(text)
        found[label] += pem.decode(label, text[start:end], _WHAT)
        start = end
    return found[cms.PEM_LABEL], found[PACKAGE_LABEL]


def history(messages: list[bytes], packages: Iterable[bytes], what: str = _WHAT) -> History:
    """Read and verify messages, DER, the first of which is a proposal. what: where they are, in sentences."""
    try:
        proposal = signed.decode(signed.parse(messages[0])) if messages else None
        if not isinstance(proposal, Proposal):
            raise MalformedMessage(f"{what} does not begin with a proposal")
        if len(messages) > MAX_MESSAGES * len(proposal.roster):
            raise MalformedMessage(f"{what} holds more than {MAX_MESSAGES} of each participant")
        return History.read(messages, packages)
    except (UsageProblem, NotKnown) as error:  # a suite that is not known here, a group that cannot be
        raise MalformedMessage(f"{what} cannot be: {error}") from None


def encode(messages: Iterable[bytes], packages: Iterable[bytes]) -> bytes:
    """Put messages, DER, and packages, postcard, into one DER SEQUENCE."""
    return der.sequence(*messages, *map(der.octet_string, packages))


def decode(data: bytes, what: str) -> tuple[list[bytes], list[bytes]]:
    """Read what `encode` wrote; nothing is verified. what: the thing, in sentences."""
    reader = der.Reader(data, what).sequence()
    messages: list[bytes] = []
    packages: list[bytes] = []
    while reader.more() and not reader.has(der.OCTET_STRING):
        messages.append(reader.whole(der.SEQUENCE))
    while reader.more():
        packages.append(reader.octet_string())
    der.require_same(encode(messages, packages), data, what)
    return messages, packages
