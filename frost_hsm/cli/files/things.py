"""Things to be signed, as people handle them: made of files and options, shown, compared with own copies, finished.

What a thing is, its target says (`frost_hsm.targets`), which is loaded when it is named. Raw messages need none.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from frost_hsm.ceremony.messages.using import RAW, Item
from frost_hsm.cli.files import door
from frost_hsm.cli.files.finished import load, opened
from frost_hsm.cli.parsing import File
from frost_hsm.errors import FileMissing, FrostHsmError, MalformedMessage, NotPossible, UsageProblem
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import VerifyingKey

if TYPE_CHECKING:
    from frost_hsm.targets import Target, Thing


def read(item: Item, suite: Ciphersuite) -> Thing:
    """Read the thing of an item, as every signer's program does. Raises what `load` does, and `MalformedMessage`."""
    target = load(item.target, suite)
    _require_number(item, target.is_twice)
    return target.read(item.thing)


def derive(item: Item, key: VerifyingKey, first: bytes | None = None, /) -> bytes:
    """Make of an item, for a key, the bytes to sign: a `Derive` that knows every target that is installed."""
    if item.target == RAW:
        _require_number(item, False)
        return item.thing
    thing = read(item, key.ciphersuite)
    message = thing.to_sign(key) if first is None else thing.to_sign_second(key, first)
    if message is None:
        raise NotPossible(f"what is signed as {item.target} takes one signature")
    return message


def _require_number(item: Item, is_twice: bool) -> None:
    """Raise `MalformedMessage` unless a request asks for as many signatures on an item as its target has."""
    if item.is_twice != is_twice:
        number = "two signatures, and not one" if is_twice else "one signature, and not two"
        raise MalformedMessage(f"what is signed as {item.target} takes {number}")


def said(item: Item) -> list[str]:
    """Say what an item's target says of it, whatever the key; why not, where it is not known here or malformed."""
    from frost_hsm import targets

    try:
        return targets.load(item.target).read(item.thing).lines()
    except FrostHsmError as error:
        return [f"  (not shown: {error})"]


# ── Who asks ─────────────────────────────────────────────────────────────────────────────────────────────────


def make(arguments: Sequence[str], target: str, options: Sequence[str], key: VerifyingKey) -> list[Item]:
    """Make an item of each argument: FILE for the target, TARGET=FILE for another one.

    options: NAME=VALUE each, for every target that knows the name. Raises `UsageProblem` for one that none knows.
    """
    wanted = [_split(argument, target) for argument in arguments]
    loaded = {name: load(name, key.ciphersuite) for name, _ in wanted if name != RAW}
    given = _given(options, loaded)
    return [
        Item(RAW, _called(file), door.read(file)) if name == RAW else _make(loaded[name], file, given, key)
        for name, file in wanted
    ]


def _split(argument: str, default: str) -> tuple[str, str]:
    name, equals, file = argument.partition("=")
    if equals:
        from frost_hsm import targets

        if targets.is_installed(name):
            return name, _path(file)
    return default, argument


def _path(text: str) -> str:
    """Take a path after an equals sign, where the shell leaves ``~/`` alone."""
    path: str = File().convert(text, None, None)
    return path


def _called(file: str) -> str:
    """Return what people call a file; nothing for standard input."""
    return PurePath(file).name if file != door.STANDARD else ""


def _given(options: Sequence[str], loaded: Mapping[str, Target]) -> dict[str, str]:
    known = {option.name: option.says for target in loaded.values() for option in target.options}
    given: dict[str, str] = {}
    for each in options:
        name, equals, value = each.partition("=")
        if not equals:
            raise UsageProblem(f"--with takes NAME=VALUE, not {each}")
        if name in given:
            raise UsageProblem(f"--with {name} was given twice")
        if name not in known:
            said = "; ".join(f"{option}: {says}" for option, says in known.items())
            raise UsageProblem(
                f"{' and '.join(loaded) or RAW} cannot be told its {name}",
                hint=f"what there is: {said}" if said else "a raw message has no options; add --as TARGET",
            )
        given[name] = value
    return given


def _make(target: Target, file: str, given: Mapping[str, str], key: VerifyingKey) -> Item:
    from frost_hsm.targets import Given

    texts: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for option in target.options:
        value = given.get(option.name, option.default)
        if value is None:
            raise UsageProblem(
                f"{target.name} has to be told its {option.name}", hint=f"--with {option.name}=…: {option.says}"
            )
        if option.is_file:
            files[option.name] = door.read(_path(value))
        else:
            texts[option.name] = value
    with opened(file if target.takes_file else None) as data:
        thing = target.make(Given(key, data, int(time.time()), texts, files))
    return Item(target.name, _called(file), thing, target.is_twice)


# ── Who signs ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of comparing things with own copies. seen: a sentence for each that is the same.

    missing: the names of files that the signer has no copy of. unseen: those of them that travel by their digest, so
    that nobody who signs has seen them.
    """

    seen: tuple[str, ...]
    missing: tuple[str, ...]
    unseen: tuple[str, ...]

    def lines(self) -> list[str]:
        """Say so."""
        lines = [f"  compared: {each}" for each in self.seen]
        if self.missing:
            lines.append(f"  no copy  of {len(self.missing)}, not compared: {', '.join(self.missing)}")
        if self.unseen:
            lines.append(f"  UNSEEN   of {len(self.unseen)} the digest alone is here: {', '.join(self.unseen)}")
        return lines

    def require_all(self) -> None:
        """Raise `FileMissing` unless there is a copy of each: where no person is asked about it."""
        if self.missing:
            raise FileMissing(
                f"there is no copy of {', '.join(self.missing)} to compare with",
                hint="get the file by another way than the request, or say yes at a terminal",
            )


def compare(items: Sequence[Item], suite: Ciphersuite, files: str | None, clone: str | None) -> Compared:
    """Compare things with the signer's own copies, in a folder of files and in a clone.

    Raises `InputProblem` for what differs, and `NotPossible` if a file travels by its digest and no folder is given.
    """
    places = {"file": files, "clone": clone}
    seen, missing, unseen = [], [], []
    for item in items:
        if item.target == RAW and files is None:
            continue
        thing = read(item, suite)
        own_copy = load(item.target, suite).own_copy
        place = places.get(own_copy or "")
        if place is not None:
            try:
                seen.append(thing.check_own_copy(Path(place), item.name))
            except FileMissing:
                if own_copy != "file":
                    raise
                missing.append(item.name)
                unseen += [item.name] if thing.needs_own_copy else []
        elif thing.needs_own_copy:
            raise NotPossible(
                f"{item.name or 'a file'} is too large for the request, which has its digest alone",
                hint="get the file by another way, and name the folder that it is in: --files DIR",
            )
    return Compared(tuple(seen), tuple(missing), tuple(unseen))


# ── Who puts together ──────────────────────────────────────────────────────────────────────────


def finish(item: Item, key: VerifyingKey, signature: bytes) -> bytes:
    """Make of an item and its signature the file that tools take: of a raw message the signature itself."""
    if item.target == RAW:
        return signature
    from frost_hsm import targets

    return targets.finish(read(item, key.ciphersuite), key, signature)
