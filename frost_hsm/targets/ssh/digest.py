"""What ``ssh-keygen -Y sign`` and git ask an agent to sign: a namespace, and the digest of a file that it is not shown.

Where the file itself can be had, it is signed as `ssh` or `git`, and every signer sees it. This is for where it cannot:
signers are shown a digest, which may stand for anything, and may look for it among their own files.

Source: PROTOCOL.sshsig of OpenSSH.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from frost_hsm.errors import FileMissing, MalformedMessage, NotPossible
from frost_hsm.forms.asn1 import OCTETS, TEXT, Structure
from frost_hsm.targets import Given, Target, words
from frost_hsm.targets.own_copy import FileDigest
from frost_hsm.targets.ssh import wire as ssh_wire
from frost_hsm.targets.ssh.sshsig import NAMESPACE, Sshsig

MAX_ASKED: Final = 1024
_MOST_FILES: Final = 1000


@dataclass(frozen=True, slots=True)
class SshDigest(Structure, Sshsig):
    """The digest of a file, and a namespace.

    namespace: 1 to 128 printable ASCII characters without a space. digest: SHA-512, 64 bytes.

    SEQUENCE { version INTEGER (2), namespace UTF8String, digest OCTET STRING }
    """

    title = "digest for an SSH signature"
    asn1 = (TEXT, OCTETS)

    namespace: str
    digest: bytes

    def __post_init__(self) -> None:
        if not NAMESPACE.fullmatch(self.namespace):
            raise NotPossible("a namespace of SSH is not 1 to 128 printable characters without a space")
        if len(self.digest) != hashlib.sha512().digest_size:
            raise NotPossible("a digest for an SSH signature is not as long as one of SHA-512")

    @classmethod
    def of_asked(cls, data: bytes) -> SshDigest:
        """Read what is asked to be signed. Raises `MalformedMessage` for what is none, or by another hash."""
        namespace, digest = ssh_wire.read_to_sign(data)
        try:
            return cls(namespace, digest)
        except NotPossible as error:
            raise MalformedMessage(str(error)) from None

    def lines(self) -> list[str]:
        """Say namespace and digest, and that this is not to see what is signed."""
        what = "a tag or commit of git, or anything else" if self.namespace == "git" else "any file"
        return [
            f"  for      the SSH namespace {words.quoted(self.namespace)}",
            f"  sha512   {self.digest.hex()}",
            f"  CAREFUL  this is a digest alone: it may stand for {what}",
        ]

    def facts(self) -> Mapping[str, str]:
        """Name the namespace. How large the file is, nobody can see."""
        return {"namespace": self.namespace, "size": "unknown"}

    def check_own_copy(self, directory: Path, name: str) -> str:
        """Look for the file in a directory, whatever it is called there. Raises `FileMissing`."""
        try:
            paths = [path for path in sorted(directory.iterdir()) if path.is_file()][:_MOST_FILES]
            for path in paths:
                with path.open("rb") as file:
                    if FileDigest.of(file, "sha512").value == self.digest:
                        return f"your own file {path} has this digest"
        except OSError as error:
            raise FileMissing(f"cannot look into {directory}: {error.strerror}") from error
        raise FileMissing(f"no file in {directory} has this digest", hint="get the file from whoever asks")


class SshDigestTarget(Target):
    """A digest in a namespace, as an agent of SSH is asked for it."""

    name = "ssh-digest"
    own_copy = "file"
    suites = ssh_wire.SUITES
    options = ()

    def make(self, given: Given) -> bytes:
        """Take what is asked to be signed."""
        try:
            return SshDigest.of_asked(given.all(MAX_ASKED)).encode()
        except MalformedMessage as error:
            raise NotPossible(str(error)) from error

    def read(self, data: bytes) -> SshDigest:
        """Read the structure."""
        return SshDigest.decode(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[SshDigest, bytes]:
        """Read the namespace out of the signature; the file is the one that was signed."""
        namespace, signature = ssh_wire.read_armoured(finished)
        return SshDigest(namespace, FileDigest.of(file, "sha512").value), signature
