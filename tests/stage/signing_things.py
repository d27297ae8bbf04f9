"""A thing made, read and signed as those who ask, who sign and who put together do it, by a group in memory."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stage.memory_group import MemoryGroup, group

from frost_hsm import targets
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Thing

NOW = 1_790_000_000  # in September 2026


def make(
    target: str,
    data: bytes = b"",
    *,
    by: MemoryGroup | None = None,
    files: Mapping[str, bytes] | None = None,
    now: int = NOW,
    **texts: str,
) -> bytes:
    """What a request carries. An option's name has ``_`` for ``-`` here."""
    found = targets.load(target)
    by = by or group()
    targets.require_suite(found, by.key.ciphersuite)
    given = {name.replace("_", "-"): value for name, value in texts.items()}
    known = {option.name for option in found.options}
    assert {*given, *(files or {})} <= known
    defaults = {each.name: each.default for each in found.options if each.default is not None and not each.is_file}
    return found.make(Given(by.key, io.BytesIO(data), now, {**defaults, **given}, files or {}))


@dataclass
class Signed:
    """What came of it. message: that of the first signature; signature: both of a thing that takes two, in a row."""

    thing: Thing
    words: str
    message: bytes
    signature: bytes
    finished: bytes


def sign(target: str, thing: bytes, *, by: MemoryGroup | None = None) -> Signed:
    by = by or group()
    read = targets.load(target).read(thing)
    lines = read.lines()
    assert all(line.isprintable() for line in lines)
    message = read.to_sign(by.key)
    signature = by.sign(message)
    second = read.to_sign_second(by.key, signature)
    assert (second is not None) == targets.load(target).is_twice
    signature += by.sign(second) if second is not None else b""
    return Signed(read, "\n".join(lines), message, signature, targets.finish(read, by.key, signature))


def all_signed(thing: Thing, key: VerifyingKey) -> tuple[bytes, ...]:
    """Everything that is signed of a thing, by a first signature of zeros."""
    return tuple(each for each in (thing.to_sign(key), thing.to_sign_second(key, bytes(64))) if each is not None)


def verify(target: str, finished: bytes, data: bytes = b"", *, by: MemoryGroup | None = None) -> Thing:
    return targets.verify(targets.load(target), (by or group()).key, finished, io.BytesIO(data))


def sign_what_waits(folder: Path) -> None:
    """Put signatures beside the messages of a `MessageFolder`, as ``sign aggregate`` does it there."""
    for path in folder.glob("*.to-sign"):
        path.with_name(f"{path.name}.sig").write_bytes(group().sign(path.read_bytes()))
