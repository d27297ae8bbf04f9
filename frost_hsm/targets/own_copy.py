"""Files that are signed by their digest: small ones travel in the request, of large ones every signer has a copy.

So nobody signs a bare digest: what it stands for is in the request or on the signer's own disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, ClassVar, Final, Self

from frost_hsm.errors import FileMissing, ForeignMessage, MalformedMessage, NotPossible
from frost_hsm.forms.asn1 import NUMBER, OCTETS, Structure, optional
from frost_hsm.targets import CARRIED, Thing, words


@dataclass(frozen=True, slots=True)
class FileDigest:
    """A file by its size, in bytes, and its digest. algorithm: a name that `hashlib` knows."""

    algorithm: str
    size: int
    value: bytes

    @classmethod
    def of(cls, file: BinaryIO, algorithm: str, beginning: bytes = b"") -> Self:
        """Read a file to its end, however large. beginning: what was read of it before."""
        digest, size = hashlib.new(algorithm, beginning), len(beginning)
        while piece := file.read(1 << 16):
            digest.update(piece)
            size += len(piece)
        return cls(algorithm, size, digest.digest())

    @classmethod
    def of_contents(cls, contents: bytes, algorithm: str) -> Self:
        """Take the contents of a file."""
        return cls(algorithm, len(contents), hashlib.new(algorithm, contents).digest())

    def lines(self) -> list[str]:
        """Say which file it is."""
        return [f"  size     {self.size} bytes", f"  {self.algorithm:<8} {self.value.hex()}"]

    def check(self, directory: Path, name: str) -> str:
        """Compare with the file of this name in a directory, and say so.

        Raises `FileMissing` and `ForeignMessage`, and `MalformedMessage` for a name that leads out of the directory.
        """
        if not name or Path(name).name != name:
            raise MalformedMessage(f"{words.quoted(name)} is not the name of a file")
        path = directory / name
        try:
            with path.open("rb") as file:
                own = self.of(file, self.algorithm)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a path"
            raise FileMissing(
                f"cannot read your own copy {path}: {reason}", hint="get the file by another way than the request"
            ) from error
        if own != self:
            raise ForeignMessage(f"your own copy {path} is not what is to be signed", hint="ask which of them is right")
        return f"your own copy {path} is the same"


DIGESTED: Final = (NUMBER, OCTETS, optional(0, OCTETS, None))
"""The forms of `DigestedFile`."""


@dataclass(frozen=True, slots=True)
class DigestedFile(Structure, Thing):
    """A file of which a digest is signed.

    size: in bytes. digest: by ``algorithm``. contents: up to 1 MiB; None for a file that every signer has to have.
    Raises `NotPossible`.

    size INTEGER, digest OCTET STRING, contents [0] OCTET STRING OPTIONAL
    """

    algorithm: ClassVar[str]

    size: int
    digest: bytes
    contents: bytes | None = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.digest) != hashlib.new(self.algorithm).digest_size:
            raise NotPossible(f"a digest is not as long as one of {self.algorithm}")
        if self.contents is not None and FileDigest.of_contents(self.contents, self.algorithm) != self.file:
            raise NotPossible("size or digest are not those of the contents")

    @classmethod
    def take(cls, file: BinaryIO, *, is_carried: bool = True) -> tuple[int, bytes, bytes | None]:
        """Read a file and return the three values for it. is_carried: whether a small one is to travel itself."""
        beginning = file.read(CARRIED + 1)
        found = FileDigest.of(file, cls.algorithm, beginning)
        return found.size, found.value, beginning if is_carried and found.size <= CARRIED else None

    @property
    def needs_own_copy(self) -> bool:  # type: ignore[override]
        """Whether it names the file only by its digest."""
        return self.contents is None

    @property
    def file(self) -> FileDigest:
        """The file, by its digest."""
        return FileDigest(self.algorithm, self.size, self.digest)

    def check_own_copy(self, directory: Path, name: str) -> str:
        """Compare the file."""
        return self.file.check(directory, name)

    def facts(self) -> Mapping[str, str]:
        """Say the size of the file."""
        return {"size": str(self.size)}

    def file_lines(self) -> list[str]:
        """Say which file it is, and how it begins if it is here."""
        return self.file.lines() if self.contents is None else words.contents_lines(self.contents)
