"""Everything that reads what others wrote, as one function each: any bytes may come, only typed errors may leave.

What a target has read it writes again, and asserts that this gives the same bytes. Where it reads things of several
types, the first bytes of the input choose.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from ceremony.people import golden_alice
from pkcs11 import Attribute

from frost_hsm import targets as purposes
from frost_hsm.backends import PinState, StoredCertificate, TokenInfo
from frost_hsm.backends.pkcs11.calls import attributes
from frost_hsm.backends.software.file import TokenFile
from frost_hsm.backends.software.token import SoftwareToken
from frost_hsm.backends.uri import Pkcs11Uri
from frost_hsm.ceremony.history import backup, bundle, dossier, evidence
from frost_hsm.ceremony.history.backup import Backup
from frost_hsm.ceremony.messages import changing, complaints, making, signed, using
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.people import identity
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.records import own_context
from frost_hsm.ceremony.sharing import private_key
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.cli.config import Config
from frost_hsm.cli.files import description
from frost_hsm.errors import (
    ConfigProblem,
    InputProblem,
    InvalidContents,
    InvalidSignature,
    MalformedMessage,
    NotPossible,
    PinUnusable,
    SealBroken,
    StorageProblem,
    UsageProblem,
)
from frost_hsm.forms import certificate, der, pem
from frost_hsm.forms.public_key import PublicKey
from frost_hsm.frost import ciphersuites, packages, values
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.encoding.package import Package, SecretPackage
from frost_hsm.frost.keys import round1, round2
from frost_hsm.plans import plan as plans
from frost_hsm.plans import record, script, signature, statement
from frost_hsm.secret import Secret

CORPUS = Path(__file__).parent / "corpus"
IDENTITY = Path(__file__).parents[1] / "ceremony" / "golden" / "alice.identity.pem"


@dataclass(frozen=True, slots=True)
class Target:
    """One reader. errors: what it may raise. choosing: how many bytes in front choose what is read."""

    read: Callable[[bytes], object]
    errors: tuple[type[Exception], ...] = (InputProblem,)
    choosing: int = 0

    def accepts(self, data: bytes) -> bool:
        """Read an input; False for a typed error. Whatever else is raised is a finding."""
        try:
            self.read(data)
        except self.errors:
            return False
        return True


def seeds(name: str) -> dict[str, bytes]:
    """Return a target's corpus: things that it reads, and, named ``found-…``, what it once failed on."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / name).iterdir())}


def same(written: object, data: object) -> None:
    assert written == data, f"written again it is {written!r}"


def chosen(kinds: Sequence[Any], data: bytes, place: int = 0) -> Any:
    return kinds[data[place] % len(kinds)] if place < len(data) else kinds[0]


# ── DER, PEM, CMS ──


def walk(reader: der.Reader) -> bytes:
    """Read whatever comes, each element by the method for its tag, and write it again."""
    written = b""
    while reader.more():
        again = next((each for tag, each in _ELEMENTS.items() if reader.has(tag)), None)
        if again is None:
            raise MalformedMessage("a tag that is not among those walked")
        written += again(reader)
    return written


_ELEMENTS: dict[int, Callable[[der.Reader], bytes]] = {
    der.SEQUENCE: lambda reader: der.sequence(walk(reader.sequence())),
    der.context(0): lambda reader: der.element(der.context(0), walk(reader.inside(der.context(0)))),
    der.SET: lambda reader: reader.whole(der.SET),
    der.INTEGER: lambda reader: der.integer(reader.integer(33)),
    der.OCTET_STRING: lambda reader: der.octet_string(reader.octet_string()),
    der.UTF8_STRING: lambda reader: der.utf8_string(reader.utf8_string()),
    der.OBJECT_IDENTIFIER: lambda reader: der.oid(reader.oid()),
}


def read_der(data: bytes) -> None:
    if len(data) < 1000:  # deeper than Python's stack would be: our own readers have a depth
        same(walk(der.Reader(data, "the input")), data)


def read_pem(data: bytes) -> None:
    blocks = chosen((1, 2, 3), data)
    found = pem.decode("CMS", data[1:], "the input", blocks=blocks)
    same(unlike_mail(b"".join(pem.encode("CMS", each) for each in found)), unlike_mail(data[1:]))


def unlike_mail(text: bytes) -> bytes:
    """Undo the liberties that mail takes with PEM."""
    return text.replace(b"\r\n", b"\n").rstrip(b"\n")


def read_cms(data: bytes) -> None:
    parsed = signed.parse(data)
    if data[:1] == b"0":
        same(parsed.der, data)
    else:
        same(unlike_mail(pem.encode("CMS", parsed.der)), unlike_mail(data))
    with contextlib.suppress(InputProblem):
        parsed.verify(alice().public.sign_key)


def read_envelope(data: bytes) -> None:
    same(envelope.Envelope.decode(data).encode(), data)


def open_sealed(data: bytes) -> None:
    opening = chosen((envelope.decrypt, envelope.unseal), data)
    opening(data[1:], SEALED, alice()).wipe()


def read_context(data: bytes) -> None:
    same(Context.decode(data).encode(), data)


def read_message(kinds: Sequence[type[Message]], data: bytes) -> None:
    same(chosen(kinds, data).decode(data[1:]).encode(), data[1:])


MESSAGES: tuple[type[Message], ...] = (
    making.Proposal,
    making.Round1,
    making.Round2,
    making.Confirmation,
    using.SigningRequest,
    using.Commitment,
    using.Response,
    using.SecondResponse,
)
UPKEEP: tuple[type[Message], ...] = (
    making.RefreshProposal,
    making.Dealing,
    changing.RepairRequest,
    changing.RepairDelta,
    changing.RepairSigma,
    changing.RepairDone,
    changing.Abandonment,
    changing.Standing,
    changing.GivenUp,
    complaints.Complaint,
    complaints.Opening,
)

# ── Identities ──


@functools.cache
def alice() -> Holder:
    """Return the Alice of the golden files, who is the same wherever the targets are run."""
    return golden_alice(IDENTITY.read_bytes())


SEALED = own_context(alice().public, bytes(32), Kind.SIGNING_NONCES, "FROST-P256-SHA256-v1", binding=b"request")
"""The context of the sealed seeds."""


def read_certificate(data: bytes) -> None:
    issuer = chosen((None, alice().public.sign_key), data)
    certificate.parse(data[1:], issuer)  # which has written it again


def read_public_key(data: bytes) -> None:
    same(PublicKey(data).spki, data)


def read_identity(data: bytes) -> None:
    same(unlike_mail(PublicIdentity.from_pem(data).to_pem()), unlike_mail(data))


def read_roster(data: bytes) -> None:
    der.require_same(Roster.read(der.Reader(data, "a roster")).encode(), data, "a roster")  # as its message does


def adopt(data: bytes) -> None:
    """Look at what a token holds that others put there: a certificate, a public key, an EC point."""
    part = chosen(("agree", "sign", "pkcs11", "software", "point", "modulus"), data)
    held = data[1:]
    if part in ("agree", "sign"):
        own = alice().public
        agree, sign = (held, own.sign_certificate) if part == "agree" else (own.agree_certificate, held)
        stored = [StoredCertificate(b"s", "", sign), StoredCertificate(b"a", "", agree)]
        token = SimpleNamespace(certificates=lambda: stored, info=_NOWHERE)
        if not identity.find(cast(Any, token)):
            raise MalformedMessage("no identity")
    elif part == "pkcs11":
        attributes.certificate_template(b"id", "label", held)
    elif part == "software":
        with contextlib.suppress(PinUnusable):  # it is a certificate
            SoftwareToken(TokenFile(Path("nowhere")), _NOWHERE, None).store_certificate(bytes(16), "label", held)
    else:
        point = {Attribute.EC_PARAMS: attributes.P256_PARAMETERS, Attribute.EC_POINT: held}
        modulus = {Attribute.MODULUS: held, Attribute.PUBLIC_EXPONENT: attributes.RSA_EXPONENT}
        encoded = attributes.public_key_info(point if part == "point" else modulus)
        if encoded is None:
            raise MalformedMessage("no key")
        PublicKey(encoded)


_NOWHERE = TokenInfo("software:nowhere", "nowhere", "1", "", "", "software", True, PinState.OK, False, True)


@functools.cache
def home() -> StateDirectory:
    made = Path(tempfile.mkdtemp(prefix="frost-hsm-fuzz-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return StateDirectory.create(made)


@functools.cache
def peers() -> dict[str, PublicIdentity]:
    """Return everybody in the seeds."""
    return {
        name.split(".")[0]: PublicIdentity.from_pem(each) for name, each in seeds("identity").items() if "." in name
    }


def read_bundle(data: bytes) -> None:
    try:
        key = bundle.read(home(), data, peers()["alice"], peers())
        written = bundle.write(home(), key, with_rounds=True)
        found, again = (set(map(bytes, dossier.blocks(each)[0])) for each in (data, written))
        assert again <= found, "what is written again was not in the bundle"
    finally:
        home().remove("keys")


def read_backup(data: bytes) -> None:
    """Check all of a backup, or only take apart what is signed in one."""
    if data[:1] != b"\0":
        same(Backup.decode(data[1:]).encode(), data[1:])
        return
    backup.read(data[1:])


def read_evidence(data: bytes) -> None:
    evidence.judge(data)
    blocks = dossier.blocks(data)
    assert dossier.blocks(dossier.armour(*blocks)) == tuple(list(dict.fromkeys(each)) for each in blocks)


def read_private_key(data: bytes) -> None:
    private_key.read(data[1:], chosen(SUITES, data)).wipe()


# ── FROST's own encodings ──

SUITES: tuple[Ciphersuite, ...] = ciphersuites.ALL

PACKAGES: tuple[type[Package], ...] = (
    packages.KeyPackage,
    packages.PublicKeyPackage,
    packages.SecretShare,
    packages.SignatureShare,
    packages.SigningCommitments,
    packages.SigningNonces,
    packages.SigningPackage,
    round1.Package,
    round1.SecretPackage,
    round2.Package,
    round2.SecretPackage,
)

VALUES: tuple[Any, ...] = (
    values.VerifyingKey,
    values.Identifier,
    values.SignatureResponse,
    values.Signature,
    values.SigningKey,
    values.SigningShare,
    values.Nonce,
    values.VerifiableSecretSharingCommitment,
)
WITH_Y = len(VALUES)
"""What chooses an element with the y coordinate behind it."""


def public(encoded: Secret | bytes | str) -> bytes:
    if isinstance(encoded, Secret):
        with encoded.reveal() as view:
            return bytes(view)
    return encoded.encode() if isinstance(encoded, str) else encoded


def read_postcard(data: bytes) -> None:
    suite, kind, rest = chosen(SUITES, data), chosen(PACKAGES, data, 1), data[2:]
    package = kind.deserialize(suite, Secret(rest) if issubclass(kind, SecretPackage) else rest)
    same(public(package.serialize()), rest)


def read_json(data: bytes) -> None:
    """Read a package in JSON: fields may come in any order, hexadecimal digits in either case."""
    suite, kind, rest = chosen(SUITES, data), chosen(PACKAGES, data, 1), data[2:]
    given: Callable[[bytes], Any] = Secret if issubclass(kind, SecretPackage) else bytes
    written = public(kind.from_json(suite, given(rest)).to_json())
    same(public(kind.from_json(suite, given(written)).to_json()), written)
    same(json.loads(written.lower()), json.loads(rest.lower()))


def read_group(data: bytes) -> None:
    """Read a bare element, scalar or value of a suite."""
    suite, kind, rest = chosen(SUITES, data), chosen((*VALUES, WITH_Y), data, 1), data[2:]
    group = suite.group
    if kind == WITH_Y:
        split = group.element_length
        element = group.decode(rest[:split], rest[split:])
        same(group.encode(element) + group.y_coordinate(element), rest)
    elif kind is values.VerifiableSecretSharingCommitment:
        read = kind.deserialize_whole(suite, rest)
        same(b"".join(map(group.encode, read.elements)), rest)
    elif kind is values.VerifyingKey:
        same(group.encode(kind.deserialize(suite, rest).element), rest)
    else:
        same(public(kind.deserialize(suite, Secret(rest) if kind.is_secret else rest).serialize()), rest)


# ── Files and texts of one's own ──


def read_uri(data: bytes) -> None:
    argument = data[: 1 << 17]  # Linux gives a program no longer one
    read = Pkcs11Uri.parse(argument.decode("utf-8", "surrogateescape"))
    same(Pkcs11Uri.parse(str(read)), read)


def read_config(data: bytes) -> None:
    same(loaded(loaded(data).encode()), loaded(data))


def loaded(data: bytes) -> Config:
    return Config.load(cast(Any, SimpleNamespace(path=Path("home"), read=lambda name: data)))


def read_token_file(data: bytes) -> None:
    path = home().path / "fuzz.token"
    path.touch(mode=0o600)
    path.write_bytes(data)
    contents = TokenFile(path).read()
    TokenFile(path).replace(contents)
    same(path.read_bytes(), data)


def describe(data: bytes) -> None:
    list(description.describe(data, {alice().public.sign_key.key_id: alice().public}))
    with contextlib.suppress(InputProblem, NotPossible):  # it is no request
        description.message_of(data)


THINGS = (
    *("git", "jws", "minisign", "nostr", "openpgp", "openpgp-certificate", "openpgp-cleartext"),
    *("openpgp-revocation", "psbt", "ssh", "ssh-cert", "x509-crl", "x509-end", "x509-intermediate", "x509-ocsp"),
    "x509-root",
)
"""What signatures are for, whose things are in one form; of the others any bytes are a thing."""

load_target = functools.cache(purposes.load)


def read_thing(data: bytes) -> None:
    """Everything that is said of a thing can be shown: nothing in it steers a terminal."""
    for line in load_target(chosen(THINGS, data)).read(data[1:]).lines():
        assert line.isprintable(), line


PAPER = ("plan", "statement", "signature", "record")
"""What is read of a ceremony on paper."""


def read_paper(data: bytes) -> None:
    kind, rest = chosen(PAPER, data), data[1:]
    if kind == "plan":
        plan = plans.read(rest)
        for typed in script.commands(plan, "plan.toml"):
            assert typed.line.isprintable(), typed
    elif kind == "statement":
        same(statement.read(rest).encode(), rest)
    elif kind == "signature":
        with contextlib.suppress(InvalidSignature):
            signature.verify(b"", rest)
    else:
        record.participants(rest)


TARGETS = {
    "der": Target(read_der),
    "pem": Target(read_pem, choosing=1),
    "cms": Target(read_cms),
    "envelope": Target(read_envelope),
    "sealed": Target(open_sealed, (SealBroken,), choosing=1),
    "context": Target(read_context),
    "messages": Target(functools.partial(read_message, MESSAGES), choosing=1),
    "upkeep": Target(functools.partial(read_message, UPKEEP), choosing=1),
    "certificate": Target(read_certificate, choosing=1),
    "public-key": Target(read_public_key),
    "identity": Target(read_identity),
    "roster": Target(read_roster, (InputProblem, UsageProblem)),
    "adoption": Target(adopt, (InputProblem, NotPossible), choosing=1),
    "bundle": Target(read_bundle),
    "evidence": Target(read_evidence, (InputProblem, InvalidContents)),
    "private-key": Target(read_private_key, (InputProblem, NotPossible), choosing=1),
    "backup": Target(read_backup, choosing=1),
    "postcard": Target(read_postcard, choosing=2),
    "json": Target(read_json, choosing=2),
    "group": Target(read_group, choosing=2),
    "uri": Target(read_uri, (UsageProblem,)),
    "config": Target(read_config, (ConfigProblem,)),
    "token-file": Target(read_token_file, (StorageProblem,)),
    "inspect": Target(describe),
    "things": Target(read_thing, choosing=1),
    "paper": Target(read_paper, (InputProblem, UsageProblem), choosing=1),
}
