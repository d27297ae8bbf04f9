"""What all messages have in common, and the forms of fields that several of them have.

One class a message; its ASN.1 stands in the docstring, and field by field in ``asn1``. FROST packages are opaque
bytes here, in ZcashFoundation's postcard encoding. How a message is signed into a file is in
`frost_hsm.ceremony.messages.signed`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Final

from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.people.roster import MAX_PARTICIPANTS
from frost_hsm.errors import NotPossible
from frost_hsm.forms import der
from frost_hsm.forms.asn1 import CLOSED, NUMBER, OCTETS, Form, Structure, many, optional
from frost_hsm.secret import Entropy

HASH_LENGTH: Final = 32
MAX_LINE: Final = 1024

_UNSEEN = re.compile(
    "[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
"""What could steer a terminal, or hide or turn round what follows it. By number: `str.isprintable` knows the Unicode
of its own Python, and what is a message to one of us has to be one to all."""

POSITIONS: Final = many(NUMBER, MAX_PARTICIPANTS)
HASHES: Final = many(OCTETS, MAX_PARTICIPANTS)
ENVELOPES: Final = many(CLOSED, MAX_PARTICIPANTS)
"""For several people, each an envelope that only its recipient takes apart."""
IDENTITY: Final = Form(der.SEQUENCE, PublicIdentity.encode, PublicIdentity.read)
"""The certificates of one participant, without a SEQUENCE of their own."""
Y_COORDINATES: Final = optional(0, OCTETS, None)


@dataclass(frozen=True, slots=True)
class Message(Structure):
    """What all messages have in common. content_type: by which CMS knows them.

    is_said_once: whether everybody says one of these in a chapter, and no other whatever they lost: the token remembers
    it. Of all else somebody whose state directory was lost says another one, honestly.
    """

    content_type: ClassVar[str]
    is_said_once: ClassVar[bool] = False


def random_field(entropy: Entropy) -> bytes:
    """Draw the 32 public bytes by which what begins something differs from all else of the same contents."""
    drawn = bytearray(HASH_LENGTH)
    entropy(memoryview(drawn))
    return bytes(drawn)


def require_hashes(title: str, *hashes: bytes) -> None:
    """Raise `NotPossible` unless each is as long as a hash."""
    if any(len(each) != HASH_LENGTH for each in hashes):
        raise NotPossible(f"a {title} names something by other than {HASH_LENGTH} bytes")


def require_ascending(title: str, hashes: tuple[bytes, ...]) -> None:
    """Raise `NotPossible` unless these are hashes, each once, in ascending order."""
    require_hashes(title, *hashes)
    if list(hashes) != sorted(set(hashes)):
        raise NotPossible(f"a {title} names something twice, or in another order")


def require_position(title: str, position: int) -> None:
    """Raise `NotPossible` for what cannot be a position in a roster."""
    if not 1 <= position <= MAX_PARTICIPANTS:
        raise NotPossible(f"a {title} names position {position}, which no roster has")


def are_ascending(positions: tuple[int, ...]) -> bool:
    """Whether these can be positions in a roster, in ascending order; none is fine."""
    within = 1 <= min(positions, default=1) and max(positions, default=1) <= MAX_PARTICIPANTS
    return within and all(one < next_ for one, next_ in pairwise(positions))


def require_envelopes(title: str, envelopes: tuple[bytes, ...]) -> None:
    """Raise `NotPossible` unless there are as many as people can be in a group."""
    if not 2 <= len(envelopes) <= MAX_PARTICIPANTS:
        raise NotPossible(f"a {title} cannot have {len(envelopes)} envelopes")


def require_line(title: str, what: str, text: str) -> None:
    """Raise `NotPossible` unless a text is one printable line; empty is fine."""
    if _UNSEEN.search(text) or len(text) > MAX_LINE:
        raise NotPossible(f"the {what} of a {title} is not one printable line of up to {MAX_LINE} characters")
