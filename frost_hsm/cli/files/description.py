"""What a file is, as fields for people and programs: identities, messages, evidence, packages, papers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from frost_hsm.ceremony.history import backup, dossier
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import Abandonment, RepairRequest, Standing
from frost_hsm.ceremony.messages.complaints import Complaint, Opening
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, Proposal, RefreshProposal, Round1, Round2
from frost_hsm.ceremony.messages.message import Enclosing, Message
from frost_hsm.ceremony.messages.using import (
    Abort,
    Attempt,
    Commitment,
    Item,
    Prepared,
    Response,
    SecondResponse,
    SigningRequest,
)
from frost_hsm.ceremony.people.identity import PEM_LABEL, PublicIdentity
from frost_hsm.cli.files import dossiers, packages, papers, things
from frost_hsm.cli.files.public_keys import read_package
from frost_hsm.cli.talk.fingerprints import identity_fields
from frost_hsm.errors import DeserializationError, ForeignMessage, MalformedMessage, NotPossible
from frost_hsm.forms import cms, oids, pem
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.encoding.json_text import as_map, as_text
from frost_hsm.frost.encoding.package import PublicPackage
from frost_hsm.frost.keys.round1 import Package as Round1Package
from frost_hsm.frost.packages import PublicKeyPackage, SignatureShare, SigningCommitments, SigningPackage

Description = dict[str, object]
Known = Mapping[bytes, PublicIdentity]
"""Everybody whose identity is known, by the key identifier of their sign key."""

_MESSAGE = f"-----END {cms.PEM_LABEL}-----".encode()
_IDENTITY = f"-----BEGIN {PEM_LABEL}-----".encode()

_PUBLIC: Mapping[frozenset[str], type[PublicPackage]] = {
    frozenset({"verifying_shares", "verifying_key"}): PublicKeyPackage,
    frozenset({"signing_commitments", "message"}): SigningPackage,
    frozenset({"hiding", "binding"}): SigningCommitments,
    frozenset({"share"}): SignatureShare,
    frozenset({"commitment", "proof_of_knowledge"}): Round1Package,
}
_SECRET = {
    frozenset({"identifier", "signing_share", "verifying_share", "verifying_key"}): "key package",
    frozenset({"identifier", "signing_share", "commitment"}): "secret share",
    frozenset({"signing_share"}): "round-2 package",
    frozenset({"hiding", "binding", "commitments"}): "signing nonces",
}
_NEVER = "SECRET: whoever has it can sign in its owner's place; it is never sent, and never kept like this"


def describe(data: bytes, known: Known) -> Iterator[Description]:
    """Say what a file is; of several messages, what they show, then each. Opens nothing that is sealed.

    Raises `InputProblem` for what is damaged, or nothing that is known here.
    """
    if data.startswith(_IDENTITY):
        yield identity(PublicIdentity.from_pem(data))
    elif data.startswith(tuple(suite.header for suite in ciphersuites.ALL)):
        yield _public_key_package(read_package(data))
    elif papers.is_paper(data):
        yield papers.describe(data, known.values())
    elif _is_json(data):
        yield _json(data)
    elif data.count(_MESSAGE) > 1:
        yield from _several(data, known)
    elif b"-----BEGIN " not in data and len(data) in {suite.signature_length for suite in ciphersuites.ALL}:
        raise MalformedMessage(
            f"this has {len(data)} bytes, as a signature has, of which nothing can be said without its key",
            hint="see: frost-hsm verify --help",
        )
    else:
        parsed = signed.parse(data)
        yield _backup(data) if parsed.content_type == oids.BACKUP else _message(parsed, known)


def _several(data: bytes, known: Known) -> Iterator[Description]:
    """Describe several messages: what they show together, then each."""
    try:
        case = dossier.read(data)
    except ForeignMessage as error:
        yield {"kind": "several messages", "shows": f"nothing together: {error}"}
        for der in pem.decode(cms.PEM_LABEL, data, "a file of several messages", blocks=data.count(_MESSAGE)):
            yield _message(signed.parse(der), known)
        return
    yield dossiers.describe(case)
    known = {**known, **{each.sign_key.key_id: each for each in case.participants()}}
    for der in dossier.blocks(data)[0]:
        yield _message(signed.parse(der), known)


def identity(public: PublicIdentity) -> Description:
    """Describe an identity."""
    return {"kind": "identity", **identity_fields(public)}


def _backup(data: bytes) -> Description:
    found = backup.parse(data)
    return {
        "kind": "backup",
        **identity_fields(found.owner),
        "signature": "good, by the identity in it",
        "peers": [peer.name for peer in found.peers],
        "keys": len(found.keys),
    }


def _message(parsed: cms.SignedMessage, known: Known) -> Description:
    message = None if parsed.content_type == oids.SEALED_RECORD else signed.decode(parsed)
    if isinstance(message, Proposal):
        known = {**known, **{each.sign_key.key_id: each for each in message.roster}}
    sender = known.get(parsed.signer_key_id)
    if sender is not None:
        parsed.verify(sender.sign_key)
    return {
        "kind": message.title if message is not None else "sealed record, which only its owner's token opens",
        "sender": sender.name if sender is not None else None,
        "signature": "good" if sender is not None else "not checked, its maker is not known here",
        "digest": hashlib.sha256(parsed.content).hexdigest(),
        "size": len(parsed.content),
        **(_details(message) if message is not None else {}),
    }


def _item(item: Item) -> list[str]:
    """Say which thing is to be signed, and what its target says of it."""
    digest = hashlib.sha256(item.thing).hexdigest()
    return [f"{item.target} {item.name or '-'} {len(item.thing)} bytes, sha256 {digest}", *things.said(item)]


def _details(message: Message) -> Description:
    match message:
        case Proposal():
            return {
                "name": message.name,
                "purpose": message.purpose,
                "suite": message.suite,
                "threshold": f"{message.min_signers} of {len(message.roster)}",
                "participants": [f"{each.name} {each.fingerprint}" for each in message.roster],
                "identifiers": message.numbering.value,
            }
        case Round1():
            return {"ceremony": message.ceremony.hex()}
        case Round2():
            return {
                "ceremony": message.ceremony.hex(),
                "round1": message.round1_hash.hex(),
                **_envelopes(message),
            }
        case Confirmation():
            return {"ceremony": message.ceremony.hex(), "check_code": message.check_code}
        case Dealing():
            return {"ceremony": message.ceremony.hex(), **_envelopes(message)}
        case RefreshProposal() | Abandonment() | Standing():
            return {"ceremony": message.ceremony.hex(), "state": message.state.hex()}
        case RepairRequest():
            return {
                "ceremony": message.ceremony.hex(),
                "state": message.state.hex(),
                "receiver": f"{message.receiver.name} {message.receiver.fingerprint}",
                "position": message.position,
                "helpers": list(message.helpers),
                "absent": list(message.absent),
                "displaces": [each.hex() for each in message.displaces],
            }
        case SigningRequest():
            return {
                "ceremony": message.ceremony.hex(),
                "state": message.state.hex(),
                "signers": list(message.signers),
                "rerandomized": bool(message.randomizer_seed),
                "needed": message.needed or len(message.signers),
                "prepared": bool(message.commitments),
                "items": [line for item in message.items for line in _item(item)],
            }
        case Complaint():
            return {"ceremony": message.ceremony.hex(), "accused": message.accused, "round2": message.round2.hex()}
        case Opening():
            return {"ceremony": message.ceremony.hex(), "recipient": message.recipient}
        case Prepared():
            return {
                "ceremony": message.ceremony.hex(),
                "state": message.state.hex(),
                "commitments": len(message.commitments),
            }
        case Attempt():
            return {"request": message.request.hex(), "signers": list(message.signers)}
        case Commitment() | Response() | SecondResponse() | Abort():
            return {"request": message.request.hex()}
    return {}


def _envelopes(message: Enclosing) -> Description:
    """Say how many envelopes a message names, and how many are in this file."""
    return {"envelopes": len(message.envelopes), "enclosed": len(message.enclosed)}


def message_of(data: bytes) -> bytes:
    """Return the thing that a signing request of one item, or a signing package in JSON, wants signed."""
    wanted = _package(data) if _is_json(data) else signed.decode(signed.parse(data))
    if isinstance(wanted, SigningRequest) and len(wanted.items) == 1:
        return wanted.items[0].thing
    if not isinstance(wanted, SigningPackage):
        raise NotPossible("--message takes a signing request of one item or a signing package, and this is neither")
    return wanted.message


def _is_json(data: bytes) -> bool:
    return data.lstrip()[:1] == b"{"


def _package(data: bytes) -> PublicPackage | Description:
    """Read a package in JSON; of a secret one, only what it is."""
    document = packages.members(data)
    try:
        suite = ciphersuites.by_id(as_text(as_map(document["header"])["ciphersuite"]))
    except (KeyError, DeserializationError, NotPossible):
        raise DeserializationError("this is JSON, but not a package of a ciphersuite that is known here") from None
    fields = frozenset(document) - {"header", "min_signers"}
    if fields in _SECRET:
        return {"kind": _SECRET[fields], "suite": suite.id, "warning": _NEVER}
    if fields not in _PUBLIC:
        raise DeserializationError(f"this is no package of {suite.id}")
    return _PUBLIC[fields].from_json(suite, data)


def _json(data: bytes) -> Description:
    package = _package(data)
    if not isinstance(package, PublicPackage):
        return package
    if isinstance(package, PublicKeyPackage):
        return _public_key_package(package)
    described: Description = {"kind": package.title, "suite": package.ciphersuite.id}
    if isinstance(package, SigningPackage):
        described["identifiers"] = [each.serialize().hex() for each in package.signing_commitments]
        described["message_size"] = len(package.message)
        described["message_sha256"] = hashlib.sha256(package.message).hexdigest()
    return described


def _public_key_package(package: PublicKeyPackage) -> Description:
    return {
        "kind": package.title,
        "suite": package.ciphersuite.id,
        "key": package.verifying_key.serialize().hex(),
        "min_signers": package.min_signers,
        "participants": len(package.verifying_shares),
    }
