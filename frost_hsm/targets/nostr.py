"""An event of Nostr, signed by a key of secp256k1-tr; taken by relays and whatever reads them.

The thing is the event as it is hashed, a JSON array. Source: NIP-01.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Option, Target, Thing, asked, words

SUITES: Final = frozenset({"secp256k1-tr"})
MAX_SIZE: Final = 1 << 17

_WHAT: Final = "an event of Nostr"
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_HIDDEN: Final = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but tab and line feed: programs differ in how they write them."""

Tags = list[list[str]]


def public_key(key: VerifyingKey) -> str:
    """Write a key as Nostr has it: x alone, in hex."""
    return key.serialize()[1:].hex()


@dataclass(frozen=True, slots=True)
class NostrEvent(Thing):
    """An event that is not signed yet.

    author: x of its key, in hex. made: seconds since 1970. Raises `NotPossible`.
    """

    author: str
    made: int
    kind: int
    tags: Tags
    content: str
    ending = ".json"

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.author):
            raise NotPossible(f"{_WHAT} is not by a key of 32 bytes")
        if not (0 <= self.made < 1 << 37 and 0 <= self.kind < 1 << 16):
            raise NotPossible(f"time or kind of {_WHAT} cannot be")
        if any(map(_HIDDEN.search, [self.content, *(each for tag in self.tags for each in tag)])):
            raise NotPossible(f"{_WHAT} has control characters")

    def encode(self) -> bytes:
        """Write the event as it is hashed."""
        fields = [0, self.author, self.made, self.kind, self.tags, self.content]
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def read(cls, data: bytes) -> NostrEvent:
        """Read what `encode` wrote. Raises `MalformedMessage`."""
        found = _json(data)
        if not isinstance(found, list) or len(found) != 6 or found[0] != 0:
            raise MalformedMessage(f"this is not {_WHAT}")
        event = cls.of(*found[1:])
        if event.encode() != data:
            raise MalformedMessage(f"{_WHAT} is not in its one form")
        return event

    @classmethod
    def of(cls, author: Any, made: Any, kind: Any, tags: Any, content: Any) -> NostrEvent:
        """Make one of values of JSON. Raises `MalformedMessage`."""
        if not (_are((author, content), str) and _are((made, kind), int) and _are((tags,), list) and _are(tags, list)):
            raise MalformedMessage(f"{_WHAT} has fields of other types")
        if not all(tag and _are(tag, str) for tag in tags):
            raise MalformedMessage(f"{_WHAT} has a tag that is not a list of texts")
        try:
            return cls(author, made, kind, tags, content)
        except NotPossible as error:
            raise MalformedMessage(str(error)) from None

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the event's id."""
        if self.author != public_key(key):
            raise NotPossible(f"{_WHAT} by another key than the one that is to sign")
        return hashlib.sha256(self.encode()).digest()

    def lines(self) -> list[str]:
        """Say every field."""
        return [
            f"  event    of kind {self.kind}, {words.moment(self.made)}",
            f"  author   {self.author}",
            *(f"  tag      {', '.join(map(words.quoted, tag))}" for tag in self.tags),
            *words.indented(self.content),
        ]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the event, as a relay takes it."""
        fields = {
            "id": self.to_sign(key).hex(),
            "pubkey": self.author,
            "created_at": self.made,
            "kind": self.kind,
            "tags": self.tags,
            "content": self.content,
            "sig": signature.hex(),
        }
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    def use(self, file: str) -> str:
        """Publish it."""
        return f"nak event wss://RELAY < {file}"


def _are(values: Any, kind: type) -> bool:
    return all(type(value) is kind for value in values)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data.decode()) if len(data) <= MAX_SIZE else None
    except (ValueError, RecursionError):
        raise MalformedMessage(f"this is not {_WHAT}") from None


class Nostr(Target):
    """A note or another event of Nostr, of a text."""

    name = "nostr"
    stands_alone = True
    suites = SUITES
    options = (
        Option("kind", "what kind of event it is: 1 is a note", "1"),
        Option("tags", 'its tags in JSON: [["t","release"]]', "[]"),
    )

    def make(self, given: Given) -> bytes:
        """Take the text of the event."""
        texts = given.texts
        try:
            tags = _json(texts["tags"].encode())
            content = given.all(MAX_SIZE).decode()
            event = NostrEvent.of(public_key(given.key), given.now, asked.number(texts["kind"]), tags, content)
        except (MalformedMessage, UnicodeDecodeError) as error:
            raise NotPossible(f"no event of Nostr can be made of this: {error}") from None
        return event.encode()

    def read(self, data: bytes) -> NostrEvent:
        """Read the event as it is hashed."""
        return NostrEvent.read(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[NostrEvent, bytes]:
        """Read an event; the file is not needed."""
        found = _json(finished)
        try:
            event = NostrEvent.of(*(found[name] for name in ("pubkey", "created_at", "kind", "tags", "content")))
            return event, bytes.fromhex(found["sig"])
        except (TypeError, KeyError, ValueError):
            raise MalformedMessage(f"this is not {_WHAT} that is signed") from None
