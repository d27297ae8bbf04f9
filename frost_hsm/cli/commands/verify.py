"""``frost-hsm verify``: check a signature. Needs no token, no identity, nothing but the key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import click

from frost_hsm.cli import completing
from frost_hsm.cli.files import door, finished
from frost_hsm.cli.files.public_keys import find
from frost_hsm.cli.options import command
from frost_hsm.cli.talk.looks import look
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.text import quoted
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import DeserializationError, InvalidSignature, MalformedMessage, UsageProblem
from frost_hsm.frost import batch
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import Signature, VerifyingKey


@command(None, "verify")
@click.option(
    "--key",
    metavar="KEY",
    required=True,
    shell_complete=completing.keys_or_files,
    help="The name of a key here, a public key package file, or the key in hex, as such or in a file.",
)
@click.option("--suite", metavar="NAME", help="The ciphersuite, for a key in hex; without it p256.")
@click.option(
    "--as",
    "target",
    metavar="TARGET",
    shell_complete=completing.targets,
    help="What the signature is for, as with sign request: SIGNATURE is the file that sign aggregate wrote.",
)
@click.argument("pairs", nargs=-1, required=True, metavar="MESSAGE SIGNATURE [MESSAGE SIGNATURE]...")
def verify(place: Workplace, key: str, suite: str | None, target: str | None, pairs: tuple[str, ...]) -> Result:
    """Check signatures.

    MESSAGE and SIGNATURE are files, one of them may be - for stdin. The exit status is 0 if every signature is good,
    10 if one is not, and 65 if all that is wrong is that a file is no signature. Then it is said which, and why. Many
    at once take a fraction of the time. Needs no token and no PIN.

    Signatures of ed25519 and ed448 are those of RFC 8032, of secp256k1-tr those of BIP-340 (key: x alone). All
    others are Schnorr signatures, R and z; ECDSA verifiers do not take them.

    With --as, what was signed is shown too. What has all in it that was signed, a tag of git or a certificate, takes
    no MESSAGE: give each SIGNATURE alone.
    """
    if target is not None:
        return _verify_as(target, find(place, key, suite), key, pairs)
    if len(pairs) % 2:
        raise _unpaired(pairs[-1], key)
    verifying_key = find(place, key, suite)
    found = [
        _Pair(message, signature, door.read(message), door.read(signature))
        for message, signature in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    _require_good(verifying_key, key, found)
    good = "good signature" if len(found) == 1 else f"{len(found)} good signatures"
    fields = _fields(verifying_key, "raw", len(found))
    return Result("verify", [f"{good} by {key} ({verifying_key.serialize()[:17].hex()})"], fields)


def _unpaired(path: str, key: str) -> UsageProblem:
    return UsageProblem(
        f"{path} stands alone: each message comes before its signature",
        hint=f"for example: frost-hsm verify --key {quoted(key)} MESSAGE SIGNATURE",
    )


def _verify_as(name: str, verifying_key: VerifyingKey, key: str, paths: tuple[str, ...]) -> Result:
    target = finished.load(name, verifying_key.ciphersuite)
    if target.stands_alone:
        pairs: list[tuple[str | None, str]] = [(None, path) for path in paths]
    elif len(paths) % 2:
        raise _unpaired(paths[-1], key)
    else:
        pairs = list(zip(paths[::2], paths[1::2], strict=True))
    lines: list[str] = []
    bad: list[str] = []
    none: list[MalformedMessage] = []
    for message, signature in pairs:
        try:
            thing = finished.verify(target, verifying_key, signature, door.read(signature), message)
        except InvalidSignature:
            bad.append(f"{signature} is not one by {key}" + ("" if message is None else f" on {message}"))
        except MalformedMessage as error:
            none.append(error)
        else:
            shown = verifying_key.serialize()[:17].hex()
            lines += [f"{signature}: good signature by {key} ({shown})", *thing.lines()]
    _require_none(bad, none, len(pairs))
    return Result("verify", lines, _fields(verifying_key, name, len(pairs)))


def _require_none(bad: Sequence[str], none: Sequence[MalformedMessage], count: int) -> None:
    """Raise `InvalidSignature` if there are bad signatures, or else `MalformedMessage` for what is none at all."""
    reasons = list(map(str, none))
    if bad:
        many = "" if count == 1 else f", {len(bad)} of {count}"
        raise InvalidSignature(f"BAD signature{many}: {'; '.join(bad)}", details=reasons)
    if none:
        raise MalformedMessage(reasons[0], hint=none[0].hint, details=reasons[1:])


def _fields(key: VerifyingKey, target: str, count: int) -> dict[str, object]:
    return {"key": key.serialize().hex(), "suite": key.ciphersuite.id, "target": target, "signatures": count}


class _Pair(NamedTuple):
    """A message and what is given as its signature, with the names of their files."""

    message: str
    signature: str
    signed: bytes
    encoded: bytes

    def why_none(self, suite: Ciphersuite) -> str | None:
        """Say why the second is no signature at all, None if it is one: good or bad."""
        wanted, size = suite.signature_length, len(self.encoded)
        if size == wanted:
            return None
        said = f"{self.signature} is no signature: it has {size} bytes, and one of {suite.name} has {wanted}"
        if size == wanted + 1 and self.encoded.endswith(b"\n"):
            return f"{said}; a line feed was added at its end"
        if len(self.signed) == wanted:
            return f"{said}; {self.message} has {wanted}: is it the other way round?"
        seen = look(self.encoded)
        return said if seen is None else f"{said}; it looks like {seen.what}"

    def item(self, key: VerifyingKey) -> batch.Item | None:
        """Return what is to be verified; None for what nobody can have made with a key."""
        try:
            return batch.Item(key, self.signed, Signature.deserialize(key.ciphersuite, self.encoded))
        except DeserializationError:
            return None


def _require_good(verifying_key: VerifyingKey, key: str, pairs: list[_Pair]) -> None:
    """Raise `InvalidSignature` unless all are good, or `MalformedMessage` if nothing is wrong but what is none."""
    reasons = {pair: why for pair in pairs if (why := pair.why_none(verifying_key.ciphersuite)) is not None}
    items = {pair: pair.item(verifying_key) for pair in pairs if pair not in reasons}
    sound = [(pair, item) for pair, item in items.items() if item is not None]
    invalid = {sound[number][0] for number in batch.find_invalid([item for _, item in sound])}
    bad = [pair for pair, item in items.items() if item is None or pair in invalid]
    said = [f"{pair.signature} is not a signature by {key} on {pair.message}" for pair in bad]
    hint = "give each signature as it was written"
    _require_none(said, [MalformedMessage(why, hint=hint) for why in reasons.values()], len(pairs))
