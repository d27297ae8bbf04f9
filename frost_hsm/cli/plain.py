"""The steps of signing in plain ZcashFoundation JSON, so that another program can coordinate our signers."""

from __future__ import annotations

import hashlib

from frost_hsm.ceremony.keys import GroupKey
from frost_hsm.ceremony.sealed_signer import SealedSigner
from frost_hsm.cli.output import Result
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, InvalidSignatureShare, UsageProblem
from frost_hsm.frost import signing
from frost_hsm.frost.packages import Identifier, SignatureShare, SigningCommitments, SigningPackage
from frost_hsm.frost.signing import CheaterDetection


def commit(place: Workplace, name: str, output: str | None, force: bool) -> Result:
    """Draw nonces and write their SigningCommitments."""
    key = GroupKey.load(place.home, name, place.me)
    key.require_active()
    path = output or f"{name}.{place.me.name}.commitments.json"
    place.check_output(path, force=force)
    with place.holder() as holder:
        commitments = SealedSigner(key, holder, place.home).commit()
    raw = place.write(path, _line(commitments.to_json()), force=force)
    after = f"give {path} to the coordinator, as identifier {_own(key).serialize().hex()}"
    return Result("sign-commit", [f"Wrote {path}"], _fields(key, path), after, raw)


def package(place: Workplace, name: str, message: str, given: tuple[str, ...], path: str, force: bool) -> Result:
    """Read the SigningCommitments of each signer, as NAME=FILE, and write the SigningPackage. Needs no token."""
    key = GroupKey.load(place.home, name, place.me)
    commitments = {
        key.identifier(participant): SigningCommitments.from_json(key.suite, data)
        for participant, data in _by_name(place, given).items()
    }
    made = SigningPackage(key.suite, commitments, place.read(message))
    raw = place.write(path, _line(made.to_json()), force=force)
    after = f"each signer runs: frost-hsm sign respond {path} --key {name}"
    return Result("sign-request", [f"Wrote {path}"], _fields(key, path), after, raw)


def respond(place: Workplace, name: str, package_path: str, output: str | None, force: bool) -> Result:
    """Read a SigningPackage, show its message, and write a SignatureShare."""
    key = GroupKey.load(place.home, name, place.me)
    key.require_active()
    package = SigningPackage.from_json(key.suite, place.read(package_path))
    path = output or f"{name}.{place.me.name}.share.json"
    place.check_output(path, force=force)
    message = package.message
    signers = ", ".join(key.participant(identifier) for identifier in package.signing_commitments)
    place.terminal.message(f"Key {name}, signers {signers}")
    place.terminal.message(f"  message  {len(message)} bytes, sha256 {hashlib.sha256(message).hexdigest()}")
    if not place.terminal.confirm("Agree to sign this message?"):
        raise Aborted("you did not agree to sign; nothing was changed")
    written: list[bytes | None] = []

    def keep(share: SignatureShare) -> None:
        written.append(place.write(path, _line(share.to_json()), force=force))

    with place.holder() as holder:
        SealedSigner(key, holder, place.home).sign(package, keep=keep)
    return Result("sign-respond", [f"Wrote {path}"], _fields(key, path), "give it to the coordinator", written[0])


def aggregate(
    place: Workplace,
    name: str,
    package_path: str,
    files: tuple[str, ...],
    directory: str | None,
    path: str,
    force: bool,
) -> Result:
    """Read a SigningPackage and, as NAME=FILE, the SignatureShare of each signer; write the signature."""
    key = GroupKey.load(place.home, name, place.me)
    package = SigningPackage.from_json(key.suite, place.read(package_path))
    if directory is not None:
        raise UsageProblem("plain shares are given as NAME=FILE, one by one; they do not say whose they are")
    shares = {
        key.identifier(participant): SignatureShare.from_json(key.suite, data)
        for participant, data in _by_name(place, files).items()
    }
    try:
        signature = signing.aggregate(package, shares, key.public_key_package, cheater_detection=CheaterDetection.ALL)
    except InvalidSignatureShare as error:
        names = [key.participant(culprit) for culprit in error.culprits if isinstance(culprit, Identifier)]
        # Plain shares are not signed: what is wrong may have been altered by anybody, so the names are no verdict.
        raise InvalidSignatureShare(f"the signature share given for {' and '.join(names)} does not verify") from error
    encoded = signature.serialize()
    raw = place.write(path, encoded, force=force)
    lines = [f"Signature verified under {name}", f"Wrote {path} ({len(encoded)} bytes)"]
    return Result("sign-aggregate", lines, {**_fields(key, path), "signature": encoded.hex()}, raw=raw)


def _by_name(place: Workplace, given: tuple[str, ...]) -> dict[str, bytes]:
    found = {}
    for each in given:
        participant, equals, file = each.partition("=")
        if not equals or participant in found:
            raise UsageProblem(f'"{each}" is not NAME=FILE with a name of its own')
        found[participant] = place.read(file)
    return found


def _own(key: GroupKey) -> Identifier:
    return key.identifier(key.me.name)


def _fields(key: GroupKey, path: str) -> dict[str, object]:
    return {"key": key.name, "identifier": _own(key).serialize().hex(), "file": path}


def _line(text: str) -> bytes:
    return text.encode() + b"\n"
