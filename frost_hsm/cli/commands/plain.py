"""The steps of signing in plain ZcashFoundation JSON, so that another program can coordinate our signers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.cli.commands import preparing
from frost_hsm.cli.files import door, packages
from frost_hsm.cli.steps import requests
from frost_hsm.cli.talk.agreement import NO, Asked, is_agreed_to, message_line
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.text import quoted
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, DeserializationError, InputProblem, InvalidSignatureShare, NonceUsed, UsageProblem
from frost_hsm.frost import rerandomized, signing
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.packages import Identifier, PublicKeyPackage, SignatureShare, SigningPackage
from frost_hsm.frost.rerandomized import RandomizedParams
from frost_hsm.frost.signing import CheaterDetection
from frost_hsm.secret import Secret
from frost_hsm.targets.recognising import warnings

T = TypeVar("T")


def commit(place: Workplace, name: str, output: str | None, force: bool) -> Result:
    """Draw nonces and write their SigningCommitments.

    Killed before they are written, it leaves nonces in the token that nobody will ask for. They go with the share.
    """
    key = _active(place, name)
    path = output or f"{name}.{place.me.name}.commitments.json"
    door.check_output(path, force=force)
    with place.holder() as holder:
        commitments = SealedSigner(key, holder, place.home).commit()
    raw = door.write(path, _line(commitments.to_json()), force=force)
    after = f"give {path} to the coordinator, as identifier {_identifier(key)}"
    return Result("plain-commit", [door.wrote(path)], _fields(key, path), after, raw)


def package(
    place: Workplace, name: str, message: str, given: tuple[str, ...], path: str, is_rerandomized: bool, force: bool
) -> Result:
    """Read the SigningCommitments of each signer and write the SigningPackage. Needs no token.

    given: as for `preparing.read`. is_rerandomized: write a randomizer seed for it as well.
    """
    key = GroupKey.load(place.home, name, place.me)
    read = preparing.read(key, given)
    if any(len(each) != 1 for each in read.values()):
        raise UsageProblem("a signing package is of one message: one line of commitments for each signer")
    commitments = {key.identifier(who): each for who, [each] in read.items()}
    made = SigningPackage(key.suite, commitments, door.read(message))
    lines, fields, seed_option = [door.wrote(path)], _fields(key, path), ""
    if is_rerandomized:
        seed_path = f"{requests.stem(path if path != door.STANDARD else message)}.seed"
        _, seed = RandomizedParams.new_from_commitments(key.public_key_package.verifying_key, commitments)
        if force or not Path(seed_path).exists():  # else left by a run that was cut short, and as good
            with seed, seed.reveal() as view:
                door.write(seed_path, _line(view.hex()), force=force, is_private=True)
        lines.append(f"Wrote {seed_path}: for the signers alone, it links the signature to the group")
        fields["seed_file"], seed_option = seed_path, f" --randomizer-seed {quoted(seed_path)}"
    raw = door.write(path, _line(made.to_json()), force=force)
    after = f"each signer runs: frost-hsm sign respond {door.as_typed(path)} --key {name}{seed_option}"
    return Result("plain-request", lines, fields, after, raw)


def respond(
    place: Workplace, name: str, package_path: str, seed_path: str | None, output: str | None, force: bool
) -> Result:
    """Read a SigningPackage, show its message, and write a SignatureShare.

    seed_path: the coordinator's randomizer seed, in hex, if the signature is re-randomized. The same again is fine as
    long as the file is there; what an earlier run that was cut short left is cleared away.
    """
    key = _active(place, name)
    package = _read_package(key, package_path)
    path = output or f"{name}.{place.me.name}.share.json"
    seed = _read_seed(key, seed_path)
    answer = _answer(key, package, _public_key_package(key, package, seed), path)
    door.check_output(path, force=force, again=answer)
    signers = ", ".join(key.participants(package.signing_commitments))
    lines = [
        f"Signing package for key {name}, signers {signers}",
        *([requests.OWN_KEY] if seed is not None else []),
        message_line(package.message),
        *warnings(package.message),
    ]
    if not is_agreed_to(place.terminal, lines, [Asked(package_path, package.message, package.message)]):
        raise Aborted(NO)
    written: list[bytes | None] = []

    def keep(share: SignatureShare) -> None:
        written.append(door.write(path, _line(share.to_json()), force=force))

    with place.holder() as holder:
        try:
            SealedSigner(key, holder, place.home).sign(package, randomizer_seed=seed, keep=keep)
        except NonceUsed:
            if answer is None:
                raise
            written.append(None)
    return Result("plain-respond", [door.wrote(path)], _fields(key, path), "give it to the coordinator", written[0])


def _answer(key: GroupKey, package: SigningPackage, public: PublicKeyPackage, path: str) -> bytes | None:
    """Return what is in the output file already, if it is our good answer to this very package."""
    try:
        data = door.read(path)
        share = packages.read(SignatureShare, key.suite, data)
        is_bad = signing.find_cheaters(package, {key.identifier(key.me.name): share}, public)
    except (OSError, InputProblem):
        return None
    return None if is_bad else data


def check(place: Workplace, name: str, package_path: str, given: tuple[str, ...], seed_path: str | None) -> Result:
    """Read a SigningPackage and, as NAME=FILE, some signature shares; say whether each is good."""
    key = GroupKey.load(place.home, name, place.me)
    package = _read_package(key, package_path)
    public = _public_key_package(key, package, _read_seed(key, seed_path))
    shares = _by_identifier(key, given, partial(packages.read, SignatureShare, key.suite))
    bad = signing.find_cheaters(package, shares, public)
    if bad:
        raise _bad_shares(key, bad)
    have = key.participants(shares)
    missing = key.participants(each for each in package.signing_commitments if each not in shares)
    return Result("plain-check", requests.checked_lines(have, missing), {"key": name, "have": have, "missing": missing})


def aggregate(
    place: Workplace,
    name: str,
    package_path: str,
    given: tuple[str, ...],
    seed_path: str | None,
    cheater_detection: CheaterDetection,
    path: str,
    force: bool,
) -> Result:
    """Read a SigningPackage and, as NAME=FILE, the SignatureShare of each signer; write the signature."""
    key = GroupKey.load(place.home, name, place.me)
    package = _read_package(key, package_path)
    shares = _by_identifier(key, given, partial(packages.read, SignatureShare, key.suite))
    public = _public_key_package(key, package, _read_seed(key, seed_path))
    try:
        signature = signing.aggregate(package, shares, public, cheater_detection=cheater_detection)
    except InvalidSignatureShare as error:
        raise _bad_shares(key, error.culprits) from error
    encoded = signature.serialize()
    own_key = public.verifying_key if seed_path is not None else None
    lines, fields = requests.write_signature_keys(
        [own_key] if own_key is not None else [], [path], requests.stem(package_path), force
    )
    raw = door.write(path, encoded, force=force)
    lines = [
        f"Signature verified under {name if own_key is None else 'a key of its own'}",
        *lines,
        f"Wrote {path} ({len(encoded)} bytes)",
    ]
    return Result("plain-aggregate", lines, {**_fields(key, path), **fields, "signature": encoded.hex()}, raw=raw)


def _read_seed(key: GroupKey, path: str | None) -> Secret | None:
    return door.parse(path, partial(_seed, key.suite)) if path is not None else None


def _seed(suite: Ciphersuite, data: bytes) -> Secret:
    seed = door.from_hex(data)
    if len(seed) != suite.group.scalar_length:
        raise DeserializationError(f"a randomizer seed has {suite.group.scalar_length} bytes, not {len(seed)}")
    return seed


def _public_key_package(key: GroupKey, package: SigningPackage, seed: Secret | None) -> PublicKeyPackage:
    """Return what shares and signature are checked with."""
    if seed is None:
        return key.public_key_package
    return rerandomized.public_key_package(key.public_key_package, seed, package.signing_commitments)


def _bad_shares(key: GroupKey, culprits: Iterable[object]) -> InputProblem:
    """Say whose share is bad. Plain ones are not signed: anybody may have altered one, so nobody is convicted."""
    names = key.participants(culprit for culprit in culprits if isinstance(culprit, Identifier))
    return InputProblem(
        f"the signature share given for {' and '.join(names)} does not verify",
        hint="it may have been altered on its way; ask for it again, or sign with others",
    )


def _active(place: Workplace, name: str) -> GroupKey:
    key = GroupKey.load(place.home, name, place.me)
    key.require_active()
    return key


def _read_package(key: GroupKey, path: str) -> SigningPackage:
    return door.parse(path, partial(packages.read, SigningPackage, key.suite))


def _by_identifier(key: GroupKey, given: tuple[str, ...], reader: Callable[[bytes], T]) -> dict[Identifier, T]:
    found: dict[Identifier, T] = {}
    for each in given:
        participant, equals, path = each.partition("=")
        if not equals or key.identifier(participant) in found:
            raise UsageProblem(f'"{each}" is not NAME=FILE with a name of its own')
        found[key.identifier(participant)] = door.parse(path, reader)
    return found


def _identifier(key: GroupKey) -> str:
    return key.identifier(key.me.name).serialize().hex()


def _fields(key: GroupKey, path: str) -> dict[str, object]:
    return {"key": key.name, "identifier": _identifier(key), "file": path}


def _line(text: str) -> bytes:
    return text.encode() + b"\n"
