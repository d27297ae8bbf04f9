"""What a token must do, and how a backend that brings tokens is found.

A *backend* is a plug-in: an entry point of the group ``frost_hsm.backends``, loaded only when it is named, by
the scheme of a token URI (``pkcs11:…``, ``software:…``), and never guessed. A backend never prompts and never
prints: it is handed a `PinSource` and an `Interaction`. `frost_hsm.testing` is the kit that every backend
passes. Ours: ``pkcs11`` ``software``; for both ``uri`` ``arguments``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, Self, cast, runtime_checkable

from frost_hsm import plugins
from frost_hsm.errors import BackendUnavailable, FrostHsmError, UsageProblem
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.secret import Secret

ENTRY_POINT_GROUP = "frost_hsm.backends"

_PLUGINS: Final = plugins.Kind(
    ENTRY_POINT_GROUP,
    "backend",
    BackendUnavailable,
    {"pkcs11": "frost_hsm.backends.pkcs11:Pkcs11Backend", "software": "frost_hsm.backends.software:SoftwareBackend"},
)


class Capability(StrEnum):
    """What a token can do for us."""

    SIGN = "sign"  # ECDSA over P-256 on a digest
    AGREE = "agree"  # ECDH over P-256, x coordinate out
    DECRYPT = "decrypt"  # RSA-OAEP
    GENERATE = "generate"  # make key pairs inside
    DATA = "data"  # hold private records


class KeyKind(StrEnum):
    """What a key pair is for, and so of which type it is: one purpose each."""

    SIGN = "sign"  # P-256, ECDSA only
    AGREE = "agree"  # P-256, ECDH only
    DECRYPT = "decrypt"  # RSA-3072, OAEP only


class PinState(StrEnum):
    """What the token says of its user PIN, read afresh."""

    OK = "ok"
    LOW = "low"  # a wrong PIN was given lately
    FINAL_TRY = "final-try"
    LOCKED = "locked"
    NOT_SET = "not-set"


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token as it presents itself, without login. Everything here is public and claimed by its module."""

    uri: str  # selects exactly this token again: SCHEME:…
    label: str
    serial: str
    manufacturer: str
    model: str
    source: str  # the module's alias, or whatever else brings the token
    initialised: bool
    pin_state: PinState
    has_own_pin_entry: bool  # a PIN pad: the host must not ask
    is_software: bool  # no physical protection

    @property
    def can_log_in(self) -> bool:
        """Whether it is initialised, and its user has a PIN."""
        return self.initialised and self.pin_state is not PinState.NOT_SET


@dataclass(frozen=True, slots=True)
class KeyAttributes:
    """What keeps a private key inside its token, as claimed by the module; None where it does not say."""

    sensitive: bool | None
    extractable: bool | None
    always_sensitive: bool | None
    never_extractable: bool | None
    local: bool | None

    @property
    def is_confined(self) -> bool:
        """Whether every claim holds of a key that cannot leave the token, and never could since it is there."""
        return (
            self.sensitive is True
            and self.extractable is False
            and self.always_sensitive is True
            and self.never_extractable is True
        )

    @property
    def stays_inside(self) -> bool:
        """Whether every claim holds that a key made in, and never out of, the token fulfils."""
        return self.is_confined and self.local is True


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A private key that the token holds."""

    id: bytes  # CKA_ID
    label: str
    kind: KeyKind
    public_key: bytes  # DER SubjectPublicKeyInfo
    attributes: KeyAttributes


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """A certificate that the token holds beside its key."""

    id: bytes  # CKA_ID, the same as the key's
    label: str
    der: bytes


PinSource = Callable[[TokenInfo], str]
"""Called at most once an `open`, only if a login is needed, with the token's state read just before.

A PIN is a ``str``, so it cannot be wiped. The backend keeps no reference to it, and at most a copy in memory that is
wiped at the end, for keys that want it at each use.
"""


class Interaction(Protocol):
    """The four things that a backend may ask of the person in front, through whoever called it."""

    def message(self, text: str) -> None:
        """Show one line: "touch the device"."""

    def request_secret(self, prompt: str) -> str:
        """Ask for a secret other than the PIN; raises `NoTerminal` where nobody can answer."""

    def confirm(self, prompt: str) -> bool:
        """Ask yes or no."""

    def waiting(self, text: str) -> None:
        """Say that an answer of the device is being waited for."""


@runtime_checkable
class Token(Protocol):
    """One open token. Used as a context manager; closed at the end of the block.

    Every method may raise `TokenLost` when the token goes away, and must be callable from several threads. A
    token opened without a PIN source does what needs no login and raises `PinUnusable` for the rest. After
    `close`, every method raises `NotPossible`; so it does for arguments out of bounds, before the token is
    asked.
    """

    @property
    def info(self) -> TokenInfo:
        """The token as it was when it was opened."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this token can do, probed and not assumed."""

    def generate(self, kind: KeyKind, key_id: bytes, label: str) -> bytes:
        """Make a key pair inside: sensitive, not extractable, one purpose; returns its SubjectPublicKeyInfo.

        key_id: CKA_ID, 16 bytes. Raises `KeyExists` if taken, `MechanismUnsupported` if the token cannot,
        `KeyPolicy` if the new key is not `KeyAttributes.is_confined`: it is destroyed again then.
        """

    def keys(self) -> list[TokenKey]:
        """List the private keys of the three kinds, once for each use that a key has. Needs a login."""

    def sign(self, key_id: bytes, digest: bytes) -> bytes:
        """Sign a 32-byte digest by ECDSA with a `KeyKind.SIGN` key; returns r ‖ s, 64 bytes.

        key_id: 1 to 255 bytes, as in all that follows. Raises `KeyNotFound` if there is no such key, or the token
        does not use it so, as do `agree` and `decrypt`. A key that wants the PIN for each use is given it again.
        """

    def agree(self, key_id: bytes, peer_point: bytes) -> Secret:
        """Multiply a `KeyKind.AGREE` key with a peer's point; returns the x coordinate, 32 secret bytes.

        peer_point: 65 bytes, SEC1 uncompressed, on the curve.
        """

    def decrypt(self, key_id: bytes, ciphertext: bytes, oaep_hash: OaepHash) -> Secret:
        """Decrypt RSA-OAEP with a `KeyKind.DECRYPT` key, empty label.

        Raises `SealBroken`, one and the same for everything that can be wrong with a ciphertext.
        """

    def oaep_hashes(self) -> frozenset[OaepHash]:
        """The hashes that `decrypt` knows; empty without `Capability.DECRYPT`.

        Empty also as long as the token holds no `KeyKind.DECRYPT` key, if it makes none just to try.
        """

    def store_certificate(self, key_id: bytes, label: str, der: bytes) -> None:
        """Put a public certificate beside the key of the same id. Needs a login. The same again is fine.

        Raises `KeyExists` if another certificate is there, `NotPossible` if ``der`` is no X.509 certificate.
        """

    def certificates(self) -> list[StoredCertificate]:
        """List the certificates; needs no login."""

    def delete_key(self, key_id: bytes) -> None:
        """Destroy a key pair and its certificate, if they are there, for ever. Needs a login."""

    def record_names(self, beginning: str = "") -> list[str]:
        """List the names of our private records that begin so. Needs a login and `Capability.DATA`, as all four do.

        Names are built as KIND.…; to list one kind costs as much as there is of it, however many others there are.
        """

    def write_record(self, name: str, value: bytes) -> None:
        """Create a private record. Raises `KeyExists` if the name is taken; never overwrites.

        name: 1 to 255 bytes of UTF-8 without NUL. value: 1 to 131072 bytes, kept as they are: seal them first.
        """

    def read_record(self, name: str) -> bytes:
        """Read a private record. Raises `KeyNotFound`."""

    def delete_record(self, name: str) -> None:
        """Destroy a record and see that it is gone: when this returns, `read_record` cannot find it.

        Raises `KeyNotFound` if there was none: of two who delete at once, at most one succeeds.
        """

    def close(self) -> None:
        """Log out and let go. Closing twice is fine."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


class Backend(Protocol):
    """What an entry point of `ENTRY_POINT_GROUP` is: a class, called with its settings and an `Interaction`.

    settings: the strings of the configuration table ``[backends.NAME]``.
    """

    def __init__(self, settings: Mapping[str, str], interaction: Interaction) -> None: ...

    def describe(self) -> list[tuple[bool, str]]:
        """Say for ``doctor`` what works and what does not: (is fine, one line), never raising."""

    def tokens(self) -> list[TokenInfo]:
        """List every token in reach, uninitialised ones included. Needs no login."""

    def open(self, uri: str, pin_source: PinSource | None, *, allow_final_try: bool = False) -> Token:
        """Open the one token that ``uri`` selects; log in, once, unless ``pin_source`` is None.

        Raises `TokenNotFound`, `TokenAmbiguous` (its message lists the candidates' URIs) or
        `ModuleUnavailable`; without asking for a PIN `PinLocked`, `PinUnusable` if none is set, and
        `PinFinalTry` unless ``allow_final_try``; and `PinIncorrect`: a PIN is tried once and never again.
        """

    def create(self, uri: str, pin_source: PinSource) -> TokenInfo:
        """Make a new token, where that is possible without a vendor's tool; else `MechanismUnsupported`."""


def installed() -> frozenset[str]:
    """Name the backends that are installed, without loading any.

    Raises `BackendUnavailable` if two distributions bring the same name.
    """
    return frozenset(_PLUGINS.installed())


def load(name: str, settings: Mapping[str, str], interaction: Interaction) -> Backend:
    """Load one backend, by name. Raises `BackendUnavailable` if it is not installed or does not start."""
    entry = _PLUGINS.find(name)
    try:
        factory = cast("Callable[[Mapping[str, str], Interaction], Backend]", entry.load())
    except Exception as error:  # a plug-in may fail in any way, and must break nothing else
        raise BackendUnavailable(f'backend "{name}" ({plugins.owner(entry)}): import failed: {error}') from error
    try:
        return factory(settings, interaction)
    except FrostHsmError:  # what is wrong with its settings
        raise
    except Exception as error:
        raise BackendUnavailable(f'backend "{name}" ({plugins.owner(entry)}) does not start: {error}') from error


def scheme(uri: str) -> str:
    """Return the backend's name that a token URI begins with."""
    name, colon, _ = uri.partition(":")
    if not colon or not name.isidentifier():
        raise UsageProblem(
            f'"{uri}" is not a token URI',
            hint="it looks like pkcs11:token=LABEL or software:PATH; frost-hsm token list prints them",
        )
    return name
