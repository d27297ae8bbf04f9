"""The steps of signing in plain ZcashFoundation JSON, so that another program can coordinate our signers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from frost_hsm.ceremony.keys import GroupKey
from frost_hsm.ceremony.sealed_signer import SealedSigner
from frost_hsm.cli import files
from frost_hsm.cli.agreement import agree, message_line
from frost_hsm.cli.output import Result
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import InputProblem, InvalidSignatureShare, NonceUsed, UsageProblem
from frost_hsm.frost import signing
from frost_hsm.frost.packages import Identifier, SignatureShare, SigningCommitments, SigningPackage
from frost_hsm.frost.signing import CheaterDetection

T = TypeVar("T")


def commit(place: Workplace, name: str, output: str | None, force: bool) -> Result:
    """Draw nonces and write their SigningCommitments.

    Killed before they are written, it leaves nonces in the token that nobody will ask for. They go with the share.
    """
    key = _active(place, name)
    path = output or f"{name}.{place.me.name}.commitments.json"
    files.check_output(path, force=force)
    with place.holder() as holder:
        commitments = SealedSigner(key, holder, place.home).commit()
    raw = files.write(path, _line(commitments.to_json()), force=force)
    after = f"give {path} to the coordinator, as identifier {_identifier(key)}"
    return Result("plain-commit", [f"Wrote {path}"], _fields(key, path), after, raw)


def package(place: Workplace, name: str, message: str, given: tuple[str, ...], path: str, force: bool) -> Result:
    """Read the SigningCommitments of each signer, as NAME=FILE, and write the SigningPackage. Needs no token."""
    key = GroupKey.load(place.home, name, place.me)
    commitments = _by_identifier(key, given, partial(SigningCommitments.from_json, key.suite))
    made = SigningPackage(key.suite, commitments, files.read(message))
    raw = files.write(path, _line(made.to_json()), force=force)
    after = f"each signer runs: frost-hsm sign respond {path} --key {name}"
    return Result("plain-request", [f"Wrote {path}"], _fields(key, path), after, raw)


def respond(place: Workplace, name: str, package_path: str, output: str | None, force: bool) -> Result:
    """Read a SigningPackage, show its message, and write a SignatureShare.

    The same again is fine as long as the file is there; what an earlier run that was cut short left is cleared away.
    """
    key = _active(place, name)
    package = _read_package(key, package_path)
    path = output or f"{name}.{place.me.name}.share.json"
    answer = _answer(key, package, path)
    files.check_output(path, force=force, again=answer)
    signers = ", ".join(key.participant(identifier) for identifier in package.signing_commitments)
    lines = [f"Signing package for key {name}, signers {signers}", message_line(package.message)]
    agree(place.terminal, lines, package.message, package_path)
    written: list[bytes | None] = []

    def keep(share: SignatureShare) -> None:
        written.append(files.write(path, _line(share.to_json()), force=force))

    with place.holder() as holder:
        try:
            SealedSigner(key, holder, place.home).sign(package, keep=keep)
        except NonceUsed:
            if answer is None:
                raise
            written.append(None)
    return Result("plain-respond", [f"Wrote {path}"], _fields(key, path), "give it to the coordinator", written[0])


def _answer(key: GroupKey, package: SigningPackage, path: str) -> bytes | None:
    """Return what is in the output file already, if it is our good answer to this very package."""
    mine, public = key.identifier(key.me.name), key.public_key_package
    try:
        data = Path(path).read_bytes()
        share = SignatureShare.from_json(key.suite, data)
        signing.verify_signature_share(mine, public.verifying_shares[mine], share, package, public.verifying_key)
    except (OSError, InputProblem, InvalidSignatureShare):
        return None
    return data


def aggregate(
    place: Workplace,
    name: str,
    package_path: str,
    given: tuple[str, ...],
    path: str,
    force: bool,
) -> Result:
    """Read a SigningPackage and, as NAME=FILE, the SignatureShare of each signer; write the signature."""
    key = GroupKey.load(place.home, name, place.me)
    package = _read_package(key, package_path)
    shares = _by_identifier(key, given, partial(SignatureShare.from_json, key.suite))
    try:
        signature = signing.aggregate(package, shares, key.public_key_package, cheater_detection=CheaterDetection.ALL)
    except InvalidSignatureShare as error:
        names = [key.participant(culprit) for culprit in error.culprits if isinstance(culprit, Identifier)]
        # Plain shares are not signed: anybody may have altered one, so nobody is convicted.
        raise InputProblem(
            f"the signature share given for {' and '.join(names)} does not verify",
            hint="it may have been altered on its way; ask for it again, or sign with others",
        ) from error
    encoded = signature.serialize()
    raw = files.write(path, encoded, force=force)
    lines = [f"Signature verified under {name}", f"Wrote {path} ({len(encoded)} bytes)"]
    return Result("plain-aggregate", lines, {**_fields(key, path), "signature": encoded.hex()}, raw=raw)


def _active(place: Workplace, name: str) -> GroupKey:
    key = GroupKey.load(place.home, name, place.me)
    key.require_active()
    return key


def _read_package(key: GroupKey, path: str) -> SigningPackage:
    return files.parse(path, partial(SigningPackage.from_json, key.suite))


def _by_identifier(key: GroupKey, given: tuple[str, ...], reader: Callable[[bytes], T]) -> dict[Identifier, T]:
    found: dict[Identifier, T] = {}
    for each in given:
        participant, equals, path = each.partition("=")
        if not equals or key.identifier(participant) in found:
            raise UsageProblem(f'"{each}" is not NAME=FILE with a name of its own')
        found[key.identifier(participant)] = files.parse(path, reader)
    return found


def _identifier(key: GroupKey) -> str:
    return key.identifier(key.me.name).serialize().hex()


def _fields(key: GroupKey, path: str) -> dict[str, object]:
    return {"key": key.name, "identifier": _identifier(key), "file": path}


def _line(text: str) -> bytes:
    return text.encode() + b"\n"
