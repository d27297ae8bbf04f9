"""A web token or another payload, signed as JWS in compact form; taken by PyJWT, joserfc and all that know EdDSA.

The thing is the part that is signed: header, dot, payload, each in base64. PyJWT makes it again from what was read.
Source: RFC 7515, RFC 7519, RFC 8037.
"""

from __future__ import annotations

import base64
import codecs
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

import jwt

from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Option, Target, Thing, words
from frost_hsm.targets.own_copy import FileDigest
from frost_hsm.targets.programs.group_private_key import PrivateKey, record, replay

SUITES: Final = frozenset({"ed25519", "ed448"})
MAX_PAYLOAD: Final = 1 << 20

_ALGORITHM: Final = "EdDSA"
_JWT: Final = "JWT"
_INPUT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
_UNREAD: Final = "  CAREFUL  this begins as a web token does, and other programs may read it as one: look at all of it"
_TIMES: Final = ("exp", "nbf", "iat")
_HEADER: Final = ("kid", "typ")  # what there may be beside the algorithm


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:  # binascii.Error is one, and so is what is not ASCII
        raise MalformedMessage("a JWS is not in base64url") from None
    if _encode(data) != text:
        raise MalformedMessage("a JWS is not in the one form of base64url")
    return data


def _object(data: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object. Raises `MalformedMessage` for what programs differ in: a name that is there twice, a number
    that some round.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise MalformedMessage(f"{what} says something twice")
        return dict(pairs)

    def refuse(text: str) -> None:
        raise MalformedMessage(f"{what} has a number that is none: {text}")

    def exact(text: str) -> float:
        try:
            if Decimal(text) == Decimal(repr(number := float(text))):
                return number
        except ArithmeticError:  # an exponent beyond all bounds
            pass
        raise MalformedMessage(f"{what} has a number that programs round: {text[:40]}")

    try:
        found = json.loads(data.decode(), object_pairs_hook=once, parse_constant=refuse, parse_float=exact)
    except (ValueError, RecursionError):
        raise MalformedMessage(f"{what} is not JSON") from None
    if not isinstance(found, dict):
        raise MalformedMessage(f"{what} is not an object of JSON")
    return found


def _begins_as_object(data: bytes) -> bool:
    return data.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")


def _is_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False


@dataclass(frozen=True, slots=True)
class Jws(Thing):
    """A payload and its header, not signed yet.

    header: beside the algorithm, ``kid`` and ``typ`` or one of them or none.
    """

    header: dict[str, str]
    payload: bytes = field(repr=False)
    ending = ".jws"

    @classmethod
    def read(cls, data: bytes) -> Jws:
        """Read the part that is signed. Raises `MalformedMessage` for anything in the header that is not shown."""
        found = _INPUT.fullmatch(data.decode(errors="replace")) if len(data) < 2 * MAX_PAYLOAD else None
        if found is None:
            raise MalformedMessage("this is not the part of a JWS that is signed")
        header, payload = _object(_decode(found[1]), "the header of a JWS"), _decode(found[2])
        if header.pop("alg", None) != _ALGORITHM:
            raise MalformedMessage(f"a JWS is not of the algorithm {_ALGORITHM}")
        if not all(name in _HEADER and isinstance(value, str) for name, value in header.items()):
            raise MalformedMessage("the header of a JWS says something that is not shown")
        thing = cls(header, payload)
        if thing._input() != data:
            raise MalformedMessage("a JWS is not in its one form")
        thing.lines()
        return thing

    @property
    def contents(self) -> bytes:  # type: ignore[override]
        """The payload."""
        return self.payload

    def _build(self, key: PrivateKey) -> str:
        # PyJWT puts in a type of its own unless it is told of none
        header = {"typ": None, **self.header}
        return jwt.PyJWS().encode(self.payload, key, _ALGORITHM, header)

    def _input(self) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        nobody = Ed25519PrivateKey.from_private_bytes(bytes(32))  # only the part that is signed is looked at
        return self._build(nobody).rpartition(".")[0].encode()

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return header, dot, payload."""
        (message,) = record(key, self._build)
        return message

    def lines(self) -> list[str]:
        """Say the header, and every claim of a token, which any JSON object can pass for; else what payload it is."""
        header = [f"  {name:<8} {words.quoted(value)}" for name, value in self.header.items()]
        if self.header.get("typ") == _JWT or _is_object(self.payload):
            return [*header, *(_claim(name, value) for name, value in _object(self.payload, "a web token").items())]
        careful = [_UNREAD] if _begins_as_object(self.payload) else []
        return [*header, *words.contents_lines(self.payload), *careful]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write it in compact form."""
        return replay(key, self._build, {self.to_sign(key): signature}).encode() + b"\n"

    def check_own_copy(self, directory: Path, name: str) -> str:
        """Compare the payload."""
        return FileDigest.of_contents(self.payload, "sha256").check(directory, name)

    def use(self, file: str) -> str:
        """Verify with the tool of José."""
        return f"jose jws ver -i {file} -k KEY.jwk -O -"


def _claim(name: str, value: Any) -> str:
    said = json.dumps(value)
    if name in _TIMES and isinstance(value, int) and 0 <= value < 1 << 37:
        said = f"{value}, {words.moment(value)}"
    return f"  claim    {words.quoted(name)}: {said}"


class JsonWebSignature(Target):
    """A web token of claims in a JSON file, or another payload."""

    name = "jws"
    own_copy = "file"
    stands_alone = True
    suites = SUITES
    options = (
        Option("typ", f"the type: {_JWT} for a web token, nothing for any payload", _JWT),
        Option("kid", "what the key is called, for whoever verifies", ""),
    )

    def make(self, given: Given) -> bytes:
        """Take all of the payload."""
        header = {name: given.texts[name] for name in _HEADER if given.texts[name]}
        data = Jws(header, given.all(MAX_PAYLOAD)).to_sign(given.key)
        try:
            self.read(data)
        except MalformedMessage as error:
            raise NotPossible(str(error), hint=f"of a payload that is no {_JWT}: --with typ=") from error
        return data

    def read(self, data: bytes) -> Jws:
        """Read the part that is signed."""
        return Jws.read(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[Jws, bytes]:
        """Read it; the file is not needed."""
        signed, _, signature = finished.removesuffix(b"\n").rpartition(b".")
        return self.read(signed), _decode(signature.decode(errors="replace"))
