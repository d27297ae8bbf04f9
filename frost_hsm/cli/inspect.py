"""``frost-hsm inspect``: what a file is, without a token."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import click

from frost_hsm.ceremony import cms, signed
from frost_hsm.ceremony.identity import PEM_LABEL, PublicIdentity
from frost_hsm.ceremony.messages import (
    Commitment,
    Confirmation,
    Message,
    Proposal,
    Response,
    Round1,
    Round2,
    SigningRequest,
)
from frost_hsm.ceremony.store import PROPOSAL, ceremony_folder
from frost_hsm.cli.options import command
from frost_hsm.cli.output import Result, grouped
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import FrostHsmError, MalformedMessage, NotPossible

_END = b"-----END CMS-----\n"


@command(None, "inspect")
@click.argument("files", nargs=-1, required=True)
@click.option("--digest", is_flag=True, help="Only the digest of the contents: equal files of one step are equal here.")
@click.option("--message", is_flag=True, help="Write the message of a signing request to stdout, as it is.")
def inspect(place: Workplace, files: tuple[str, ...], digest: bool, message: bool) -> Result:
    """Say what FILES are: identities, messages, evidence, packages in JSON. Needs no token and no PIN.

    A signature is checked where its maker is known here, as a peer or from a proposal.
    """
    if message:
        return _message(place, files)
    known = {identity.sign_key.key_id: identity for identity in _known(place)}
    lines, entries = [], []
    for file in files:
        for entry in _describe(place.read(file), file, known):
            entries.append({"file": file, **entry})
            lines += [f"{entry.get('digest', '-')}  {file}"] if digest else _lines(file, entry)
    return Result("inspect", lines, {"files": entries})


def _message(place: Workplace, files: tuple[str, ...]) -> Result:
    if len(files) != 1:
        raise NotPossible("--message takes one signing request")
    request = signed.decode(signed.parse(place.read(files[0])))
    if not isinstance(request, SigningRequest):
        raise NotPossible(f"{files[0]} is a {request.title}, not a signing request")
    return Result("inspect-message", raw=request.message)


def _known(place: Workplace) -> Iterator[PublicIdentity]:
    """Everybody whose identity is kept here; nobody where nothing is set up."""
    try:
        home = place.home
    except FrostHsmError:
        return
    for name in home.names("ceremonies"):
        data = home.read(f"{ceremony_folder(name)}/{PROPOSAL}")
        if data is not None:
            yield from signed.read(data).expect(Proposal).message.roster
    yield from place.peers().values()
    own = home.read("identity.pem")
    if own is not None:
        yield PublicIdentity.from_pem(own)


def _describe(data: bytes, file: str, known: dict[bytes, PublicIdentity]) -> Iterator[dict[str, object]]:
    if data.startswith(f"-----BEGIN {PEM_LABEL}-----".encode()):
        identity = PublicIdentity.from_pem(data)
        yield {
            "kind": "identity",
            "name": identity.name,
            "fingerprint": identity.fingerprint.replace(" ", ""),
        }
    elif data.lstrip()[:1] in (b"{", b'"'):
        yield _describe_json(data, file)
    else:
        blocks = [block + _END for block in data.split(_END)[:-1]] if data.count(_END) > 1 else [data]
        for block in blocks:
            yield _describe_message(signed.parse(block), known)


def _describe_message(parsed: cms.SignedMessage, known: dict[bytes, PublicIdentity]) -> dict[str, object]:
    message = signed.decode(parsed)
    if isinstance(message, Proposal):
        known = {**known, **{each.sign_key.key_id: each for each in message.roster}}
    sender = known.get(parsed.signer_key_id)
    if sender is not None:
        parsed.verify(sender.sign_key)
    return {
        "kind": message.title,
        "sender": sender.name if sender is not None else None,
        "signature": "good" if sender is not None else "not checked, its maker is not known here",
        "digest": hashlib.sha256(parsed.content).hexdigest(),
        "size": len(parsed.content),
        **_details(message),
    }


def _details(message: Message) -> dict[str, object]:
    if isinstance(message, Proposal):
        return {
            "name": message.name,
            "purpose": message.purpose,
            "suite": message.suite,
            "threshold": f"{message.min_signers} of {len(message.roster)}",
            "participants": [f"{each.name} {each.fingerprint}" for each in message.roster],
        }
    if isinstance(message, Round1):
        return {"ceremony": message.ceremony.hex()}
    if isinstance(message, Round2):
        return {
            "ceremony": message.ceremony.hex(),
            "round1": message.round1_hash.hex(),
            "envelopes": len(message.envelopes),
        }
    if isinstance(message, Confirmation):
        return {"ceremony": message.ceremony.hex(), "check_code": message.check_code}
    if isinstance(message, SigningRequest):
        return {
            "ceremony": message.ceremony.hex(),
            "key": message.key.hex(),
            "signers": list(message.signers),
            "message_size": len(message.message),
            "message_sha256": hashlib.sha256(message.message).hexdigest(),
        }
    if isinstance(message, Commitment | Response):
        return {"request": message.request.hex()}
    return {}


def _describe_json(data: bytes, file: str) -> dict[str, object]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise MalformedMessage(f"{file} is not JSON: {error}") from None
    header = document.get("header") if isinstance(document, dict) else None
    suite = header.get("ciphersuite") if isinstance(header, dict) else None
    if not isinstance(document, dict) or not isinstance(suite, str):
        raise MalformedMessage(f"{file} is JSON, but not a package of a ciphersuite")
    fields = [name for name in document if name != "header"]
    return {
        "kind": _PACKAGES.get(frozenset(fields) - {"min_signers"}, "package"),
        "suite": suite,
        "fields": fields,
    }


_PACKAGES = {
    frozenset({"verifying_shares", "verifying_key"}): "public key package",
    frozenset({"signing_commitments", "message"}): "signing package",
    frozenset({"hiding", "binding"}): "signing commitments",
    frozenset({"share"}): "signature share",
    frozenset({"commitment", "proof_of_knowledge"}): "round-1 package",
    frozenset({"identifier", "signing_share", "verifying_share", "verifying_key"}): "key package (SECRET)",
    frozenset({"signing_share"}): "round-2 package (SECRET)",
    frozenset({"hiding", "binding", "commitments"}): "signing nonces (SECRET)",
}


def _lines(file: str, entry: dict[str, object]) -> list[str]:
    lines = [f"{file}: {entry['kind']}"]
    for name, value in entry.items():
        if name == "kind" or value in (None, ""):
            continue
        shown = "\n                  ".join(map(str, value)) if isinstance(value, list) else value
        if name in ("fingerprint", "digest"):
            shown = grouped(bytes.fromhex(str(value)))
        lines.append(f"  {name.replace('_', ' '):<14}  {shown}")
    return lines
