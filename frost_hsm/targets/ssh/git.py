"""A tag or a commit of git, signed in git's SSH format; taken by ``git verify-tag`` and ``git verify-commit``.

The thing is the unsigned object itself, as ``git cat-file tag NAME`` writes it. The signature goes behind a tag, and
into the header ``gpgsig`` of a commit, ``gpgsig-sha256`` where ids are SHA-256. Source: ``gitformat-signature``.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from frost_hsm.errors import FileMissing, ForeignMessage, MalformedMessage, NotPossible
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Target, Thing, words
from frost_hsm.targets.ssh import wire as ssh_wire

MAX_OBJECT: Final = 1 << 18

_NAMESPACE: Final = "git"
_ID: Final = "[0-9a-f]{40}(?:[0-9a-f]{24})?"
_PERSON: Final = r"[^\n<>]*<[^\n<>]*> [0-9]{1,12} [+-][0-9]{4}"
_TAG: Final = re.compile(
    rf"object (?P<object>{_ID})\ntype (?P<type>commit|tree|blob|tag)\ntag (?P<tag>[^\n]+)\n"
    rf"tagger (?P<tagger>{_PERSON})\n\n(?P<message>.*\n)",
    re.DOTALL,
)
_COMMIT: Final = re.compile(
    rf"tree (?P<tree>{_ID})\n(?P<parents>(?:parent {_ID}\n)*)author (?P<author>{_PERSON})\n"
    rf"committer (?P<committer>{_PERSON})\n\n(?P<message>.*)",
    re.DOTALL,
)
_HIDDEN: Final = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters but tab and line feed: git stops showing a message at NUL, and others steer a terminal."""

_ARMOUR: Final = re.compile("^-----BEGIN ", re.MULTILINE)
"""Of a signature: git would cut the message there."""


_BEGIN: Final = b"-----BEGIN SSH SIGNATURE-----\n"
_HEADER: Final = re.compile(rb"\ngpgsig(?:-sha256)? ")


@dataclass(frozen=True, slots=True)
class GitObject(Thing):
    """A tag or a commit, unsigned: ``text`` is all of it, of the form of ``parts``."""

    text: str
    parts: re.Match[str]

    @classmethod
    def read(cls, data: bytes) -> GitObject:
        """Read an object.

        Raises `MalformedMessage` for other headers than the usual, for control characters, and for what git could take
        for a signature.
        """
        if len(data) > MAX_OBJECT:
            raise MalformedMessage(f"a git object is larger than {MAX_OBJECT} bytes")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise MalformedMessage("a git object is not in UTF-8") from None
        parts = _TAG.fullmatch(text) or _COMMIT.fullmatch(text)
        if parts is None:
            raise MalformedMessage(
                "this is not an unsigned tag or commit of git with the usual headers and no other",
                hint="write one with git cat-file tag NAME, after git tag -a; or git cat-file commit NAME",
            )
        if _HIDDEN.search(text) or _ARMOUR.search(text):
            raise MalformedMessage("a git object hides something: a control character, or what looks like a signature")
        return cls(text, parts)

    @property
    def is_tag(self) -> bool:
        """Whether it is a tag; otherwise it is a commit."""
        return self.parts.re is _TAG

    @property
    def ending(self) -> str:  # type: ignore[override]
        """Of a file with the signed object."""
        return ".tag" if self.is_tag else ".commit"

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the message of an SSHSIG over the object, in the namespace git."""
        return ssh_wire.to_sign(_NAMESPACE, hashlib.sha512(self.text.encode()).digest())

    def lines(self) -> list[str]:
        """Say every header and the message."""
        parts = self.parts
        if self.is_tag:
            said = [
                f"  tag      {words.quoted(parts['tag'])}",
                f"  of       {parts['type']} {parts['object']}",
                f"  tagger   {_person(parts['tagger'])}",
            ]
        else:
            said = [
                f"  commit   of tree {parts['tree']}",
                *(f"  {parent.replace(' ', '   ')}" for parent in parts["parents"].splitlines()),
                f"  author   {_person(parts['author'])}",
                f"  by       {_person(parts['committer'])}",
            ]
        return [*said, *words.indented(parts["message"])]

    def facts(self) -> Mapping[str, str]:
        """Name the ref of a tag; a commit says nothing of the refs that will lead to it."""
        return {"ref": f"refs/tags/{self.parts['tag']}"} if self.is_tag else {}

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Put the signature into the object, as git does: the contents of the object that git is given."""
        armoured = ssh_wire.armoured(key, _NAMESPACE, signature).decode()
        if self.is_tag:
            return (self.text + armoured).encode()
        headers, message = self.text.split("\n\n", 1)
        folded = armoured.removesuffix("\n").replace("\n", "\n ")
        return f"{headers}\n{self._header} {folded}\n\n{message}".encode()

    @property
    def _header(self) -> str:
        return "gpgsig" if len(self.parts["tree"]) == 40 else "gpgsig-sha256"

    def check_own_copy(self, directory: Path, name: str) -> str:
        """Ask a clone, the directory, whether it has what is tagged, or of a commit its tree and parents."""
        wanted = {self.parts["object"]: self.parts["type"]} if self.is_tag else {self.parts["tree"]: "tree"}
        if not self.is_tag:
            wanted |= {line.removeprefix("parent "): "commit" for line in self.parts["parents"].splitlines()}
        for identifier, kind in wanted.items():
            if _ask(directory, "cat-file", "-t", identifier) != kind:
                raise ForeignMessage(
                    f"the clone {directory} has no {kind} {identifier}", hint="git fetch, look at it, then sign"
                )
        first, kind = next(iter(wanted.items()))
        return f"the clone {directory} has {kind} {first}"

    def use(self, file: str) -> str:
        """Write the object into a clone."""
        if self.is_tag:
            name = shlex.quote(f"refs/tags/{self.parts['tag']}")
            return f"git update-ref {name} $(git hash-object -t tag -w {file})"
        return f"git hash-object -t commit -w {file}"


def _person(text: str) -> str:
    who, seconds, zone = text.rsplit(" ", 2)
    return f"{words.quoted(who)}, {words.moment(int(seconds))}, zone {zone}"


def _ask(clone: Path, *arguments: str) -> str | None:
    """Run git in a clone, which is not to fetch or to replace anything; None if it fails."""
    program = shutil.which("git")
    if program is None:
        raise FileMissing("git is not installed here", hint="install it, or leave the clone out")
    environment = {**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1"}
    done = subprocess.run(  # noqa: S603, arguments are ids of hexadecimal digits
        [program, "-C", str(clone), *arguments], capture_output=True, check=False, env=environment
    )
    return done.stdout.decode().strip() if done.returncode == 0 else None


class Git(Target):
    """A tag or a commit of git."""

    name = "git"
    own_copy = "clone"
    stands_alone = True
    suites = ssh_wire.SUITES
    options = ()

    def make(self, given: Given) -> bytes:
        """Take the unsigned object."""
        data = given.all(MAX_OBJECT)
        try:
            self.read(data)
        except MalformedMessage as error:
            raise NotPossible(str(error), hint=error.hint) from error
        return data

    def read(self, data: bytes) -> GitObject:
        """Read the object."""
        return GitObject.read(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[GitObject, bytes]:
        """Cut the signature out of a signed object; the unsigned one may be there too, or nothing."""
        if finished.startswith(b"tree "):
            before, *rest = _HEADER.split(finished, 1)
            armoured, cut, message = b"".join(rest).partition(b"\n\n")
            unsigned, armoured = before + b"\n" + cut[1:] + message, armoured.replace(b"\n ", b"\n") + b"\n"
        else:
            before, cut, armoured = finished.partition(b"\n" + _BEGIN)
            unsigned, armoured = before + cut[:1], cut[1:] + armoured
        _, signature = ssh_wire.read_armoured(armoured)
        return self.read(unsigned), signature
