"""What a signature is for: a target turns a thing into bytes to sign, and the signature into a file that tools take.

An item of a signing request names a target, a name for people, and the *thing*, bytes that every signer's own program
reads, shows and derives the message from. So what people see and what is signed cannot differ. A target is a plug-in:
an entry point of the group ``frost_hsm.targets``, loaded only when it is named. Nothing here knows tokens, ceremonies
or a terminal.

In the order in which one may read it:

- for all of them: ``words`` ``asked`` ``own_copy`` ``recognising``
- any bytes: ``raw``; files for minisign and signify: ``minisign``; web tokens: ``jws``
- in rooms of their own, for OpenSSH and git: ``ssh``; for OpenPGP: ``openpgp``; for X.509: ``x509``; with such a
  certificate: ``cms``
- by keys of secp256k1-tr: ``nostr`` ``psbt``
- for programs, which wait or are run again: ``programs``
- the key itself, for whoever verifies: ``jwk`` ``exporting``; before it is made: ``suites``
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, Final, Literal, Protocol, cast

from frost_hsm import plugins
from frost_hsm.errors import DeserializationError, InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import Signature, VerifyingKey

_PLUGINS: Final = plugins.Kind(
    "frost_hsm.targets",
    "target",
    NotPossible,
    {
        "raw": "frost_hsm.targets.raw:Raw",
        "ssh": "frost_hsm.targets.ssh.sshsig:Ssh",
        "git": "frost_hsm.targets.ssh.git:Git",
        "ssh-digest": "frost_hsm.targets.ssh.digest:SshDigestTarget",
        "ssh-login": "frost_hsm.targets.ssh.login:SshLoginTarget",
        "ssh-cert": "frost_hsm.targets.ssh.cert:SshCert",
        "openpgp": "frost_hsm.targets.openpgp.signature:OpenPgp",
        "openpgp-cleartext": "frost_hsm.targets.openpgp.signature:OpenPgpCleartext",
        "openpgp-certificate": "frost_hsm.targets.openpgp.key:OpenPgpCertificate",
        "openpgp-revocation": "frost_hsm.targets.openpgp.key:OpenPgpRevocation",
        "minisign": "frost_hsm.targets.minisign:Minisign",
        "signify": "frost_hsm.targets.minisign:Signify",
        "x509-root": "frost_hsm.targets.x509.profiles:X509Root",
        "x509-intermediate": "frost_hsm.targets.x509.profiles:X509Intermediate",
        "x509-end": "frost_hsm.targets.x509.profiles:X509End",
        "x509-crl": "frost_hsm.targets.x509.crl:X509Crl",
        "x509-ocsp": "frost_hsm.targets.x509.ocsp:X509Ocsp",
        "cms": "frost_hsm.targets.cms:Cms",
        "cms-attached": "frost_hsm.targets.cms:CmsAttached",
        "jws": "frost_hsm.targets.jws:JsonWebSignature",
        "nostr": "frost_hsm.targets.nostr:Nostr",
        "psbt": "frost_hsm.targets.psbt:BitcoinPsbt",
    },
)

LARGEST: Final = 8 << 20
"""Bytes of a thing, and of a file of which all has to be signed."""

CARRIED: Final = 1 << 20
"""Bytes of a file that travels in the request; of a larger one its digest does, where the target's format signs one."""


class Thing(Protocol):
    """What is to be signed, read from bytes in their one form. Holds nothing secret."""

    ending: str
    """Of the name of the file that `finish` makes."""

    contents: bytes | None = None
    """All of a file, where it travels in the request, for people to look into."""

    needs_own_copy: bool = False
    """Whether it names a file by digest only, so that every signer has to have it."""

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the message that the group signs. Raises `NotPossible` if the thing is made for another key."""

    def to_sign_second(self, key: VerifyingKey, first: bytes) -> bytes | None:
        """Return what the group signs once the first signature is there; None of a thing that takes one.

        `finish` is given both then, in a row.
        """
        return None

    def lines(self) -> list[str]:
        """Say in words everything that is signed, in printable characters; whatever is hidden was refused before."""

    def facts(self) -> Mapping[str, str]:
        """Say by name what a rule may go by, of what is signed alone: ``ref``, ``namespace``, ``user``, …

        size: in bytes, where that of the thing is not the size of what is signed.
        """
        return {}

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Make the file that the tool takes, of a signature that was verified: see `finish` below."""

    def check_own_copy(self, directory: Path, name: str) -> str:
        """Compare with the file of this name in a directory, or with a clone there, as `Target.own_copy` says.

        Returns a sentence of that.

        Raises `InputProblem` if it is not the same, or not there, and `NotPossible` where there is no file.
        """
        raise NotPossible("there is no file to compare with: all that is signed is shown")

    def file_name(self, name: str) -> str:
        """Return what the file is called that `finish` makes, by what people call the thing."""
        return f"{name}{self.ending}"

    def use(self, file: str) -> str:
        """Return a command by which somebody else takes the file that was made."""


@dataclass(frozen=True, slots=True)
class Option:
    """What one may say of a thing when it is made. is_file: the value is the path of a file."""

    name: str
    says: str
    default: str | None = None  # None: it has to be given
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """What a thing is made of: by the person who asks for the signature, for nobody else reads it.

    file: what is to be signed, open for reading. texts, files: by the names of options. now: seconds since 1970.
    """

    key: VerifyingKey
    file: BinaryIO
    now: int
    texts: Mapping[str, str]
    files: Mapping[str, bytes]

    def all(self, most: int = LARGEST) -> bytes:
        """Read all of the file; raises `NotPossible` if it is larger than ``most`` bytes."""
        data = self.file.read(most + 1)
        if len(data) > most:
            raise NotPossible(f"this is larger than {most} bytes")
        return data


class Target(Protocol):
    """A kind of thing that tools take a signature on."""

    name: ClassVar[str]
    suites: ClassVar[frozenset[str]]  # of the keys whose signatures they take
    options: ClassVar[tuple[Option, ...]]

    takes_file: ClassVar[bool] = True
    """Whether a thing is made of a file; otherwise of options alone."""

    own_copy: ClassVar[Literal["file", "clone"] | None] = None
    """What a signer may have a copy of, to compare with a thing: the file, or a clone of a repository."""

    is_twice: ClassVar[bool] = False
    """Whether a thing takes two signatures, of which the second is on something made of the first."""

    stands_alone: ClassVar[bool] = False
    """Whether what `Thing.finish` makes has in it all that was signed, so that it is verified without the file."""

    def make(self, given: Given) -> bytes:
        """Make a thing; raises `NotPossible` for what it cannot be made of."""

    def read(self, data: bytes) -> Thing:
        """Read a thing. Raises `MalformedMessage` unless it is one, in its one form, with nothing in it unsaid."""

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[Thing, bytes]:
        """Return thing and signature of a file that `Thing.finish` made, and of the file that was signed.

        Raises `MalformedMessage` or `NotPossible` if that is not what it is.
        """


def installed() -> frozenset[str]:
    """Name the targets that are there, unloaded. Raises `NotPossible` if two distributions bring one of them."""
    return frozenset(_PLUGINS.installed())


def is_installed(name: str) -> bool:
    """Whether there is a target of this name."""
    return name in _PLUGINS


def load(name: str) -> Target:
    """Load one target, by name. Raises `NotPossible` if it is not there or its library is missing."""
    found = _PLUGINS.find(name)
    try:
        target = cast("Callable[[], Target]", found.load())()
    except ImportError as error:
        raise NotPossible(
            f'target "{name}" needs a library that is not installed: {error.name}',
            hint=f"pip install 'frost-hsm[{name}]'",
        ) from error
    return target


def require_suite(target: Target, suite: Ciphersuite) -> None:
    """Raise `NotPossible` unless tools take signatures by keys of a suite."""
    if suite.name not in target.suites:
        raise NotPossible(
            f"no tool takes a signature of {suite.name} as {target.name}",
            hint=f"it takes a key of {' or '.join(sorted(target.suites))}",
        )


def require_signature(key: VerifyingKey, message: bytes, signature: bytes) -> None:
    """Raise `InvalidSignature` unless these bytes are the key's signature on a message."""
    try:
        read = Signature.deserialize(key.ciphersuite, signature)
    except DeserializationError as error:
        raise InvalidSignature(f"this is no signature: {error}") from None
    key.verify(message, read)


def _require_signed(thing: Thing, key: VerifyingKey, signature: bytes) -> None:
    """Raise `InvalidSignature` unless this is the signature on a thing, or both of them."""
    first, second = signature[: len(signature) // 2], signature[len(signature) // 2 :]
    message = thing.to_sign_second(key, first)
    require_signature(key, thing.to_sign(key), signature if message is None else first)
    if message is not None:
        require_signature(key, message, second)


def finish(thing: Thing, key: VerifyingKey, signature: bytes) -> bytes:
    """Make the file that the tool takes; raises `InvalidSignature` before there is one."""
    _require_signed(thing, key, signature)
    return thing.finish(key, signature)


def verify(target: Target, key: VerifyingKey, finished: bytes, file: BinaryIO) -> Thing:
    """Check a file that `finish` made, against the file that was signed; returns what was signed.

    Raises `MalformedMessage` unless it is in the very form that `finish` gives it, and `InvalidSignature`.
    """
    try:
        thing, signature = target.take_apart(finished, file)
        _require_signed(thing, key, signature)
    except NotPossible as error:
        raise MalformedMessage(f"this is none of {target.name} by this key: {error}") from error
    if thing.finish(key, signature) != finished:
        raise MalformedMessage(f"this is not in the one form of {target.name}")
    return thing
