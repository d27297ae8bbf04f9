"""The protocol between programs of SSH and their agent: what they ask, and how it is answered. Pure bytes.

A message is its length in 4 bytes, a number that says what it is, and its contents. Only keys are listed and
signatures made here; keys are neither added nor removed, and whatever else is asked fails, as the protocol has it.

An extension, ``sign@frost-hsm``, is for other programs (``asking``): any bytes are signed as they are, and who asked is
told why there is no signature.

Source: draft-ietf-sshm-ssh-agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from frost_hsm.errors import Aborted, MalformedMessage
from frost_hsm.targets.ssh.wire import Reader, string

MAX_LENGTH: Final = 256 << 10
"""Bytes of a message, as OpenSSH has it."""
LENGTH: Final = 4

_FAILURE: Final = 5
_REQUEST_IDENTITIES, _IDENTITIES_ANSWER = 11, 12
_SIGN_REQUEST, _SIGN_RESPONSE = 13, 14
_EXTENSION, _EXTENSION_FAILURE, _EXTENSION_RESPONSE = 27, 28, 29
_NAME: Final = string(b"sign@frost-hsm")


@dataclass(frozen=True, slots=True)
class ListKeys:
    """Somebody wants to know which keys there are."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Somebody wants a signature. key: as OpenSSH encodes it. data: what is to be signed.

    is_raw: whether by the extension.
    """

    key: bytes
    data: bytes
    is_raw: bool = False


@dataclass(frozen=True, slots=True)
class SomethingElse:
    """Anything that is not done here."""


def length_of(head: bytes) -> int:
    """Return how many bytes follow the 4 of the length. Raises `MalformedMessage`."""
    length = int.from_bytes(head, "big")
    if len(head) != LENGTH or not 1 <= length <= MAX_LENGTH:
        raise MalformedMessage(f"a message to the agent is not of 1 to {MAX_LENGTH} bytes")
    return length


def read(body: bytes) -> ListKeys | Sign | SomethingElse:
    """Read a message, without its length. Raises `MalformedMessage`."""
    reader = Reader(body, "a message to the agent")
    kind = reader.number(1)
    if kind == _REQUEST_IDENTITIES:
        reader.end()
        return ListKeys()
    if kind == _SIGN_REQUEST:
        asked = Sign(reader.string(), reader.string())
        reader.number(4)  # how RSA is to hash
        reader.end()
        return asked
    if kind == _EXTENSION and body[1:].startswith(_NAME):
        reader.string()
        asked = Sign(reader.string(), reader.string(), is_raw=True)
        reader.end()
        return asked
    return SomethingElse()


def keys_answer(keys: Sequence[tuple[bytes, str]]) -> bytes:
    """List keys: each as OpenSSH encodes it, and its comment."""
    listed = b"".join(string(key) + string(comment.encode()) for key, comment in keys)
    return _message(_IDENTITIES_ANSWER, len(keys).to_bytes(4, "big") + listed)


def sign_answer(signature: bytes) -> bytes:
    """Hand out a signature, with the name of its algorithm (`ssh_wire.signature_blob`)."""
    return _message(_SIGN_RESPONSE, string(signature))


def raw_answer(signature: bytes) -> bytes:
    """Hand out a signature, by the extension."""
    return _message(_EXTENSION_RESPONSE, _NAME + string(signature))


def not_signed(why: str) -> bytes:
    """Say why there is none, by the extension."""
    return _message(_EXTENSION_FAILURE, string(why.encode()))


def failure() -> bytes:
    """Say that it was not done."""
    return _message(_FAILURE, b"")


def _message(kind: int, contents: bytes) -> bytes:
    return string(bytes((kind,)) + contents)


# ── Who asks by the extension ────────────────────────────────────────────────────────────────────────────────


def ask_raw(key: bytes, data: bytes) -> bytes:
    """Write the question. key: as OpenSSH encodes it."""
    return _message(_EXTENSION, _NAME + string(key) + string(data))


def read_raw_answer(body: bytes) -> bytes:
    """Return the signature out of an answer without its length.

    Raises `Aborted`, with the reason, if there is none, and `MalformedMessage` for what is no answer.
    """
    reader = Reader(body, "an answer of the agent")
    kind = reader.number(1)
    if kind == _EXTENSION_RESPONSE:
        reader.string()
        signature = reader.string()
        reader.end()
        return signature
    if kind != _EXTENSION_FAILURE or not reader.more():
        raise MalformedMessage("this agent knows nothing of groups: it is none of frost-hsm")
    raise Aborted(f"the group has not signed: {reader.string().decode(errors='replace')}")
