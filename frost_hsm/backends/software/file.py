"""The file of a software token: its one canonical form, its lock, its replacement in one step.

JSON with sorted keys and no spaces, so that writing what was read gives the same bytes; anything else is
refused. What is secret in it is sealed before it gets here: this module knows no key. Writers hold a lock on
a file beside it, read again, and replace the whole file; readers always see the one or the other.
"""

from __future__ import annotations

import json
import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from frost_hsm import file_lock
from frost_hsm.backends import KeyKind, StoredCertificate
from frost_hsm.errors import OutputExists, StorageProblem, TokenNotFound

FORMAT = "frost-hsm software token 1"
MAX_FILE_SIZE = 64 << 20
MOST_ELEMENTS = 1 << 17  # of the document, or about: what is parsed takes a multiple of its bytes where they are many
LOG2_N_RANGE = range(10, 19)  # scrypt with r = 8 takes 2^(10 + log2_n) bytes: 1 MiB to 256 MiB

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A private key as the file holds it; ``sealed`` is its PKCS #8 form under the token's key."""

    id: bytes
    label: str
    kind: KeyKind
    public_key: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Contents:
    """All that the file says. Public, but for what is sealed."""

    label: str
    serial: str
    scrypt_log2_n: int
    scrypt_salt: bytes
    failed_tries: int
    check: bytes  # nothing, sealed: opens only under the right passphrase
    keys: tuple[SealedKey, ...] = ()
    certificates: tuple[StoredCertificate, ...] = ()
    records: tuple[tuple[str, str], ...] = ()  # names, and what is sealed, in base64: all are written, few are opened


class TokenFile:
    """One token's file. Every method raises `StorageProblem` if it is damaged or the system refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last: tuple[bytes, Contents] | None = None  # what was read, and what it says

    def read(self) -> Contents:
        """Read the file as it is now, and take it apart unless it is as last time. Raises `TokenNotFound`."""
        with _explained(f"token file {self.path}"):
            try:
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except FileNotFoundError:
                raise TokenNotFound(
                    f"there is no token file {self.path}",
                    hint="check the path; a new one is made by: frost-hsm init --create",
                ) from None
            with os.fdopen(descriptor, "rb") as file:
                self._check_status(os.fstat(file.fileno()))
                data = file.read(MAX_FILE_SIZE + 1)
        last = self._last
        if last is None or last[0] != data:
            self._last = last = (data, self._decode(data))
        return last[1]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other process and thread from writing, and from counting a PIN try, during the block."""
        path = self.path.with_name(self.path.name + ".lock")
        with _explained(f"lock file {path}"):
            descriptor = file_lock.acquire(path)
        try:
            yield
        finally:
            os.close(descriptor)

    def replace(self, contents: Contents) -> None:
        """Put ``contents`` in the file's place; on the disk when this returns. The caller holds the lock."""
        self._last = None  # a record that is deleted does not stay here
        data = self._encode(contents)
        with _explained(f"token file {self.path}"), self._written(data) as temporary:
            temporary.replace(self.path)
        self._last = (data, contents)

    def create(self, contents: Contents) -> None:
        """Make the file. Raises `OutputExists` if there is one."""
        data = self._encode(contents)
        with self.lock(), _explained(f"token file {self.path}"), self._written(data) as temporary:
            try:
                os.link(temporary, self.path)
            except FileExistsError:
                raise OutputExists(f"{self.path} exists already", hint="use another path for the token") from None
            temporary.unlink()

    @contextmanager
    def _written(self, data: bytes) -> Iterator[Path]:
        temporary = self.path.with_name(f".{self.path.name}.partial")
        temporary.unlink(missing_ok=True)  # left by a process that was killed: nobody else has the lock
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _check_status(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise StorageProblem(f"{self.path} is not a regular file", hint="a software token is one file")
        if status.st_uid != os.geteuid():
            raise StorageProblem(f"token file {self.path} belongs to another user", hint="make it yours")
        if status.st_mode & 0o077:
            raise StorageProblem(f"others can read or change token file {self.path}", hint=f"chmod 600 {self.path}")
        if status.st_size > MAX_FILE_SIZE:
            raise StorageProblem(f"token file {self.path} has more than {MAX_FILE_SIZE} bytes", hint="restore it")

    def _encode(self, contents: Contents) -> bytes:
        data = _encode(contents)
        if len(data) > MAX_FILE_SIZE or _has_too_many_elements(data):
            raise StorageProblem(f"token file {self.path} is full: {len(data)} bytes", hint="delete records")
        return data

    def _decode(self, data: bytes) -> Contents:
        try:
            contents = _decode(data)
            if _encode(contents) == data:
                return contents
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        raise StorageProblem(f"token file {self.path} is damaged, or is none", hint="restore it from a backup")


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageProblem(f"{what}: {error.strerror or error}") from error


# ── The canonical form ────────────────────────────────────────────────────────────────────────────────────


def _encode(contents: Contents) -> bytes:
    document = {
        "format": FORMAT,
        "label": contents.label,
        "serial": contents.serial,
        "scrypt": {"log2_n": contents.scrypt_log2_n, "salt": _text(contents.scrypt_salt)},
        "failed_tries": contents.failed_tries,
        "check": _text(contents.check),
        "keys": [
            {
                "id": key.id.hex(),
                "label": key.label,
                "kind": key.kind.value,
                "public_key": _text(key.public_key),
                "sealed": _text(key.sealed),
            }
            for key in contents.keys
        ],
        "certificates": [
            {"id": certificate.id.hex(), "label": certificate.label, "der": _text(certificate.der)}
            for certificate in contents.certificates
        ],
        "records": [],
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    # Base64 has nothing to escape: json, which looks at each character, takes most of the time of a large token.
    records = [f'{{"name":{json.dumps(name)},"sealed":"{sealed}"}}' for name, sealed in contents.records]
    return text.replace('"records":[]', f'"records":[{",".join(records)}]', 1).encode() + b"\n"


def _decode(data: bytes) -> Contents:
    if _has_too_many_elements(data):
        raise ValueError("more elements than fit into a token")
    document = _typed(json.loads(data), dict)
    if document["format"] != FORMAT:
        raise ValueError("another format")
    scrypt = _typed(document["scrypt"], dict)
    log2_n, failed_tries = _typed(scrypt["log2_n"], int), _typed(document["failed_tries"], int)
    if log2_n not in LOG2_N_RANGE or failed_tries < 0:
        raise ValueError("a number out of range")
    return Contents(
        label=_typed(document["label"], str),
        serial=_typed(document["serial"], str),
        scrypt_log2_n=log2_n,
        scrypt_salt=_bytes(scrypt, "salt"),
        failed_tries=failed_tries,
        check=_bytes(document, "check"),
        keys=tuple(
            SealedKey(
                bytes.fromhex(key["id"]),
                _typed(key["label"], str),
                KeyKind(key["kind"]),
                _bytes(key, "public_key"),
                _bytes(key, "sealed"),
            )
            for key in _typed(document["keys"], list)
        ),
        certificates=tuple(
            StoredCertificate(bytes.fromhex(entry["id"]), _typed(entry["label"], str), _bytes(entry, "der"))
            for entry in _typed(document["certificates"], list)
        ),
        records=tuple(
            (_typed(entry["name"], str), _base64(entry, "sealed")) for entry in _typed(document["records"], list)
        ),
    )


def _has_too_many_elements(data: bytes) -> bool:
    return data.count(b",") > MOST_ELEMENTS


def _text(value: bytes) -> str:
    return b64encode(value).decode()


def _base64(entry: Mapping[str, Any], field: str) -> str:
    text = _typed(entry[field], str)
    if _text(b64decode(text)) != text:
        raise ValueError("not as it is written in base64")
    return text


def _bytes(entry: Mapping[str, Any], field: str) -> bytes:
    return b64decode(_typed(entry[field], str), validate=True)


def _typed(value: Any, expected: type[_T]) -> _T:
    if type(value) is not expected:
        raise ValueError("a value of another type")
    return value
