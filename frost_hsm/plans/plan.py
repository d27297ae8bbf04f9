"""A plan: which key is made, by whom, and what is signed with it at the end. A file in TOML that people write."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from frost_hsm import targets
from frost_hsm.ceremony.people.names import NAME
from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.keys.checks import check_numbers
from frost_hsm.targets import Target, suites, words

MAX_SIZE: Final = 65536
MAX_PEOPLE: Final = 64
RAW: Final = "raw"

FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What files of a ceremony are called: no folders, and nothing that a shell takes for something else."""

_PLAN: Final = {"title", "key", "for", "suite", "threshold", "people", "purpose", "sign"}
_SIGNING: Final = {"as", "file", "with", "clone", "signers", "output"}
_HEADER: Final = re.compile(r"(?m)^[ \t]*\[\[[ \t]*sign[ \t]*\]\]")


@dataclass(frozen=True, slots=True)
class Signing:
    """One thing that the key signs at the end.

    target: what the signature is for. file: what people call the thing; a file, where the target takes one. options:
    what the target is told, by name. output: the file that is made. clone: a folder beside the plan, a clone of a
    repository that every signer's program asks for what is signed; empty where the target asks none.
    """

    target: str
    file: str
    options: Mapping[str, str]
    signers: tuple[str, ...]
    output: str
    clone: str = ""

    @property
    def kind(self) -> Target:
        """The target, loaded."""
        return targets.load(self.target)

    @property
    def needed(self) -> tuple[str, ...]:
        """The files that it is made of."""
        kind = self.kind
        told = [self.options[each.name] for each in kind.options if each.is_file and each.name in self.options]
        return (*([self.file] if kind.takes_file else []), *told)


@dataclass(frozen=True, slots=True)
class Plan:
    """A ceremony before it takes place. Valid by construction, but for the files that it needs.

    title: one line, what it is called on paper. suite: of the key, by its short name. use: what it is for, as
    ``dkg propose --for`` has it, where that chose the suite. people: the first proposes the key, and asks for nothing.
    Raises `NotPossible` and `InvalidMinSigners`.
    """

    title: str
    key: str
    suite: str
    use: str | None
    threshold: int
    people: tuple[str, ...]
    purpose: str
    signings: tuple[Signing, ...]

    def __post_init__(self) -> None:
        for what, text in (("title", self.title), ("purpose", self.purpose)):
            words.require_line(text, f"the {what} of a plan", most=200)
        for name in (self.key, *self.people):
            if not NAME.fullmatch(name):
                raise NotPossible(f'"{words.quoted(name)[1:-1]}" is no name of a key or a participant', hint=_NAMES)
        if len({*self.people}) != len(self.people) or len(self.people) > MAX_PEOPLE:
            raise NotPossible(f"people are up to {MAX_PEOPLE}, each named once")
        check_numbers(len(self.people), self.threshold)
        made: set[str] = set()
        for each in self.signings:
            self._check(each)
            if each.output in made or each.output in (*each.needed, each.clone):
                raise NotPossible(f"two files are called {each.output}")
            made.add(each.output)
        for name in sorted(made):
            if taken := [other for other in sorted(made) if other.startswith(f"{name}.")]:  # by the script's patterns
                raise NotPossible(
                    f"what belongs to {taken[0]} would be taken for what belongs to {name}", hint=_OUTPUTS
                )
        if clash := made & {*self.files}:
            raise NotPossible(f"{', '.join(sorted(clash))} is needed before it is made")

    def _check(self, each: Signing) -> None:
        if strangers := [name for name in each.signers if name not in self.people]:
            raise NotPossible(f"{', '.join(strangers)} signs {each.output}, and is not among the people of the plan")
        if len({*each.signers}) != len(each.signers) or len(each.signers) < self.threshold:
            raise NotPossible(f"it takes {self.threshold} different signers for {each.output}")
        kind = each.kind
        targets.require_suite(kind, ciphersuites.by_name(self.suite))
        known = {option.name: option for option in kind.options}
        if unknown := each.options.keys() - known.keys():
            raise NotPossible(
                f"{each.target} cannot be told its {', '.join(sorted(unknown))}", hint=f"known: {', '.join(known)}"
            )
        for option in kind.options:
            if option.default is None and option.name not in each.options:
                raise NotPossible(f"{each.target} has to be told its {option.name}: {option.says}")
        for name, value in each.options.items():
            words.require_line(value, f"the {name} of {each.output}")
        if each.clone and kind.own_copy != "clone":
            raise NotPossible(f"{each.target} asks no clone of a repository, and {each.output} has one in the plan")
        if kind.own_copy == "clone" and not each.clone:
            raise NotPossible(
                f"{each.target} asks a clone of the repository for what {each.file} names: the plan has to say which",
                hint='put a clone beside the plan, and name its folder: clone = "app"',
            )
        for name in (each.file, each.output, *each.needed, *filter(None, [each.clone])):
            if not FILE.fullmatch(name):
                raise NotPossible(f"{words.quoted(name)} is no name of a file of a ceremony", hint=_FILES)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that have to be there beforehand."""
        made: set[str] = set()
        needed: dict[str, None] = {}
        for each in self.signings:
            needed |= dict.fromkeys(name for name in each.needed if name not in made)
            made.add(each.output)
        return tuple(needed)

    @property
    def clones(self) -> tuple[str, ...]:
        """The folders that have to be there, too: clones of repositories."""
        return tuple(dict.fromkeys(each.clone for each in self.signings if each.clone))


_NAMES: Final = "a name is up to 32 of a-z 0-9 . _ -, the first a letter or digit"
_OUTPUTS: Final = "call one of the two otherwise: no name begins with another and a dot"
_FILES: Final = "it is up to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit: all lie in one folder"


def read(data: bytes) -> Plan:
    """Read a plan. Raises `MalformedMessage` for what is none, with the line where it can, and what `Plan` raises."""
    if len(data) > MAX_SIZE:
        raise MalformedMessage(f"a plan is larger than {MAX_SIZE} bytes", hint=_HINT)
    try:
        text = data.decode()
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"this is not TOML: {error}", hint=_HINT) from None
    _require_known(document, _PLAN, text, 0)
    tables = document.get("sign", [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise MalformedMessage("what is signed stands under [[sign]], once for each", hint=_HINT)
    starts = [match.end() for match in _HEADER.finditer(text)]
    for number, each in enumerate(tables):
        _require_known(each, _SIGNING, text, starts[number] if number < len(starts) else 0)
    use, suite = _text(document, "for", ""), _text(document, "suite", "")
    if bool(use) == bool(suite):
        raise MalformedMessage("a plan says what the key is for, or its suite: one of the two", hint=_HINT)
    threshold = document.get("threshold")
    if type(threshold) is not int:
        raise MalformedMessage("threshold has to be a number", hint=_HINT)
    return Plan(
        _text(document, "title"),
        _text(document, "key"),
        suites.suite_for(use) if use else ciphersuites.by_name(suite).name,
        use or None,
        threshold,
        _texts(document, "people"),
        _text(document, "purpose", ""),
        tuple(map(_signing, tables)),
    )


_HINT: Final = "an example is in: frost-hsm help ceremony-plan"


def _signing(table: Mapping[str, Any]) -> Signing:
    options = table.get("with", {})
    if not isinstance(options, dict) or not all(isinstance(value, str) for value in options.values()):
        raise MalformedMessage('with has to be a table of texts: with = { subject = "CN=…" }', hint=_HINT)
    return Signing(
        _text(table, "as", RAW),
        _text(table, "file"),
        dict(options),
        _texts(table, "signers"),
        _text(table, "output"),
        _text(table, "clone", ""),
    )


def _text(table: Mapping[str, Any], key: str, otherwise: str | None = None) -> str:
    value = table.get(key, otherwise)
    if not isinstance(value, str) or (otherwise is None and not value):
        raise MalformedMessage(f"{key} has to be a text" if key in table else f"{key} is missing", hint=_HINT)
    return value


def _texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise MalformedMessage(f'{key} has to be a list of names: {key} = ["alice", "bob"]', hint=_HINT)
    return tuple(value)


def _require_known(table: Mapping[str, Any], known: Collection[str], text: str, start: int) -> None:
    """Refuse a key that means nothing, and say where it stands. start: where its table does."""
    for key in table:
        if key not in known:
            shown = words.quoted(key)
            found = re.compile(rf"(?m)^[ \t]*[\[\"']*{re.escape(key)}\b").search(text, start)
            where = f" in line {text.count(chr(10), 0, found.start()) + 1}" if found else ""
            raise MalformedMessage(
                f"{shown}{where} means nothing in a plan", hint=f"known here: {', '.join(sorted(known))}"
            )
