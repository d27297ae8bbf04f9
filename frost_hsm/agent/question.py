"""What is asked of an agent: one signing request, in words for people and in facts for rules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from frost_hsm import targets
from frost_hsm.ceremony.messages.using import RAW, Item
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.targets.recognising import recognise

PATH = "path"
"""The fact that is what whoever asks calls a file. Nothing that is signed depends on it."""


@dataclass(frozen=True, slots=True)
class AskedItem:
    """One thing that is to be signed.

    target: what the signature is for. digest: SHA-256 over the thing, in hex. size: bytes of what is signed, None where
    nobody can see that. facts: `Thing.facts` and `PATH`. caution: what raw bytes are to another program, if anything.
    """

    target: str
    digest: str
    size: int | None
    facts: Mapping[str, str]
    caution: str | None = None

    @classmethod
    def of(cls, item: Item) -> AskedItem:
        """Read an item as its target does. Raises what `targets.load` and `Target.read` do."""
        facts = dict(targets.load(item.target).read(item.thing).facts())
        if item.name:
            facts[PATH] = item.name
        size = facts.pop("size", str(len(item.thing)))
        caution = recognise(item.thing) if item.target == RAW else None
        digest = hashlib.sha256(item.thing).hexdigest()
        return cls(item.target, digest, int(size) if size.isdigit() else None, facts, caution)

    @property
    def document(self) -> dict[str, object]:
        """All of it, for JSON."""
        said: dict[str, object] = {"target": self.target, "sha256": self.digest, "size": self.size, **self.facts}
        return said if self.caution is None else {**said, "caution": self.caution}


@dataclass(frozen=True, slots=True)
class Question:
    """A signing request that a signer has to answer.

    request: its id, 64 digits of hex. key, asked_by, signers: names. lines: all that people are shown of it.
    """

    request: str
    key: str
    asked_by: str
    signers: tuple[str, ...]
    items: tuple[AskedItem, ...]
    lines: tuple[str, ...]

    @classmethod
    def of(cls, session: SigningSession, lines: Sequence[str]) -> Question:
        """Take it from the request, and from what a person would be shown of it."""
        items = tuple(map(AskedItem.of, session.items))
        asked_by = session.request.sender.name
        return cls(session.id.hex(), session.key.name, asked_by, session.signers, items, tuple(lines))

    @property
    def document(self) -> dict[str, object]:
        """All of it but the words, for JSON."""
        return {
            "request": self.request,
            "key": self.key,
            "asked_by": self.asked_by,
            "signers": list(self.signers),
            "items": [item.document for item in self.items],
        }
