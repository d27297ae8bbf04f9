"""A file signed as by ``ssh-keygen -Y sign``, in a namespace that says what for; taken by ``ssh-keygen -Y verify``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from frost_hsm.errors import NotPossible
from frost_hsm.forms.asn1 import TEXT
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Option, Target, Thing, words
from frost_hsm.targets.own_copy import DIGESTED, DigestedFile
from frost_hsm.targets.ssh import wire as ssh_wire

NAMESPACE: Final = re.compile(r"[!-~]{1,128}")
"""What a namespace may be here: it is shown, and written into commands."""


class Sshsig(Thing):
    """A digest by SHA-512 in a namespace, signed as by ``ssh-keygen -Y sign``, whatever else is known of the file."""

    __slots__ = ()
    ending = ".sig"

    namespace: str
    digest: bytes

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the message of an SSHSIG."""
        return ssh_wire.to_sign(self.namespace, self.digest)

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the armoured SSHSIG."""
        return ssh_wire.armoured(key, self.namespace, signature)

    def use(self, file: str) -> str:
        """Verify with OpenSSH."""
        return f"ssh-keygen -Y verify -f ALLOWED_SIGNERS -I PRINCIPAL -n {shlex.quote(self.namespace)} -s {file} < FILE"


@dataclass(frozen=True, slots=True)
class SshFile(DigestedFile, Sshsig):
    """A file and a namespace.

    namespace: 1 to 128 printable ASCII characters without a space, not "git": what git signs is shown by its own
    target.

    SEQUENCE { version INTEGER (2), size INTEGER, digest OCTET STRING, contents [0] OCTET STRING OPTIONAL,
    namespace UTF8String }
    """

    title = "file for an SSH signature"
    asn1 = (*DIGESTED, TEXT)
    algorithm = "sha512"

    namespace: str

    def __post_init__(self) -> None:
        super(SshFile, self).__post_init__()
        if not NAMESPACE.fullmatch(self.namespace):
            raise NotPossible(
                "a namespace is 1 to 128 printable characters without a space", hint="file, or name@domain"
            )
        if self.namespace == "git":
            raise NotPossible("in the namespace git only git's own objects are signed", hint="--as git")

    def lines(self) -> list[str]:
        """Say namespace and file."""
        return [f"  for      the SSH namespace {words.quoted(self.namespace)}", *self.file_lines()]

    def facts(self) -> Mapping[str, str]:
        """Name the namespace, and say the size."""
        return {**super(SshFile, self).facts(), "namespace": self.namespace}


class Ssh(Target):
    """A file in a namespace, for OpenSSH."""

    name = "ssh"
    own_copy = "file"
    suites = ssh_wire.SUITES
    options = (Option("namespace", "what the signature is for: file, email, or NAME@DOMAIN", "file"),)

    def make(self, given: Given) -> bytes:
        """Take the file: its contents up to 1 MiB, above that its digest."""
        return SshFile(*SshFile.take(given.file), given.texts["namespace"]).encode()

    def read(self, data: bytes) -> SshFile:
        """Read the structure."""
        return SshFile.decode(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[SshFile, bytes]:
        """Read the namespace out of the signature."""
        namespace, signature = ssh_wire.read_armoured(finished)
        return SshFile(*SshFile.take(file, is_carried=False), namespace), signature
