"""What all messages have in common, and the forms of fields that several of them have.

One class a message; its ASN.1 stands in the docstring, and field by field in ``asn1``. FROST packages are opaque
bytes here, in ZcashFoundation's postcard encoding. Envelopes for several people lie beside what is signed, which holds
their hashes: so each can be given those that are for them, and everybody has the signed hashes of the rest. How a
message is signed into a file is in `frost_hsm.ceremony.messages.signed`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar, Final, Self, cast

from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.people.roster import MAX_PARTICIPANTS
from frost_hsm.errors import NotPossible, NotYet
from frost_hsm.forms import der
from frost_hsm.forms.asn1 import NUMBER, OCTETS, Form, Structure, many, optional
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
IDENTITY: Final = Form(der.SEQUENCE, PublicIdentity.encode, PublicIdentity.read)
"""The certificates of one participant, without a SEQUENCE of their own."""
Y_COORDINATES: Final = optional(0, OCTETS, None)


@dataclass(frozen=True, slots=True)
class Enclosure:
    """Something beside a signed message, which names it by its hash.

    digest: SHA-256, 32 bytes. data: one DER SEQUENCE, None where it is not here; two are the same by what is signed.
    """

    digest: bytes
    data: bytes | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, data: bytes) -> Enclosure:
        """Enclose something."""
        return cls(hashlib.sha256(data).digest(), data)

    @property
    def opened(self) -> bytes:
        """What it is. Raises `NotYet` where it is not here."""
        if self.data is None:
            raise NotYet("a message came without the envelope for you", hint="ask its sender for the file again")
        return self.data


@dataclass(frozen=True, slots=True)
class Envelopes:
    """Envelopes for several people, in their order; only its recipient takes one apart.

    hashes: SHA-256 of each, 32 bytes, one after the other. here: of those that are here, by hash; two are the same by
    what is signed.
    """

    hashes: bytes
    here: Mapping[bytes, bytes] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, envelopes: Iterable[Enclosure]) -> Envelopes:
        """Put together what is enclosed."""
        all_ = tuple(envelopes)
        here = {each.digest: each.data for each in all_ if each.data is not None}
        return cls(b"".join(each.digest for each in all_), here)

    def __len__(self) -> int:
        return len(self.hashes) // HASH_LENGTH

    def __getitem__(self, place: int) -> Enclosure:
        if not 0 <= place < len(self):
            raise IndexError(place)
        digest = self.hashes[place * HASH_LENGTH : (place + 1) * HASH_LENGTH]
        return Enclosure(digest, self.here.get(digest))

    def __iter__(self) -> Iterator[Enclosure]:
        return map(self.__getitem__, range(len(self)))

    def given(self, here: Mapping[bytes, bytes]) -> Envelopes:
        """Return the same with those of these that belong to them, and no other."""
        starts = range(0, len(self.hashes) if here else 0, HASH_LENGTH)
        digests = (self.hashes[start : start + HASH_LENGTH] for start in starts)
        return Envelopes(self.hashes, {digest: here[digest] for digest in digests if digest in here})


ENVELOPES: Final = Form(
    der.OCTET_STRING,
    lambda envelopes: der.octet_string(envelopes.hashes),
    lambda reader: Envelopes(reader.octet_string()),
)
"""Their hashes in one string, of which nothing is made until somebody asks: a large group has as many as its square."""


@dataclass(frozen=True, slots=True)
class Message(Structure):
    """What all messages have in common. content_type: by which CMS knows them.

    is_said_once: whether everybody says one of these in a chapter, and no other whatever they lost: the token remembers
    it. Of all else somebody whose state directory was lost says another one, honestly.
    """

    content_type: ClassVar[str]
    is_said_once: ClassVar[bool] = False


class Enclosing(Message):
    """What a message has in common whose envelopes lie beside what is signed, in the order of who they are for."""

    __slots__ = ()
    version: ClassVar[int] = 4

    envelopes: Envelopes

    @property
    def enclosed(self) -> Mapping[bytes, bytes]:
        """The envelopes that are here, by their hashes."""
        return self.envelopes.here

    def enclosing(self, here: Mapping[bytes, bytes]) -> Self:
        """Return the same with these envelopes, by their hashes, and no other."""
        return cast("Self", replace(cast("Any", self), envelopes=self.envelopes.given(here)))


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


def require_hash_list(title: str, hashes: bytes) -> None:
    """Raise `NotPossible` unless these are hashes, as many as people can be in a group."""
    number, rest = divmod(len(hashes), HASH_LENGTH)
    if rest:
        raise NotPossible(f"a {title} lists hashes of other than {HASH_LENGTH} bytes each")
    if not 2 <= number <= MAX_PARTICIPANTS:
        raise NotPossible(f"a {title} cannot list {number} hashes")


def require_line(title: str, what: str, text: str) -> None:
    """Raise `NotPossible` unless a text is one printable line; empty is fine."""
    if _UNSEEN.search(text) or len(text) > MAX_LINE:
        raise NotPossible(f"the {what} of a {title} is not one printable line of up to {MAX_LINE} characters")
