"""``frost-hsm verify``: check a signature. Needs no token, no identity, nothing but the key."""

from __future__ import annotations

import click

from frost_hsm.cli import completing
from frost_hsm.cli.files import door
from frost_hsm.cli.files.public_keys import find
from frost_hsm.cli.options import command
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import DeserializationError, InvalidSignature, UsageProblem
from frost_hsm.frost import batch
from frost_hsm.frost.values import Signature, VerifyingKey


@command(None, "verify")
@click.option(
    "--key",
    metavar="KEY",
    required=True,
    shell_complete=completing.keys,
    help="The name of a key here, a public key package file, or the key in hex, as such or in a file.",
)
@click.option("--suite", default="p256", show_default=True, help="The ciphersuite, for a key in hex.")
@click.argument("pairs", nargs=-1, required=True, metavar="MESSAGE SIGNATURE [MESSAGE SIGNATURE]...")
def verify(place: Workplace, key: str, suite: str, pairs: tuple[str, ...]) -> Result:
    """Check signatures.

    MESSAGE and SIGNATURE are files, one of them may be - for stdin. The exit status is 0 if every signature is good
    and 10 if one is not; then it is said which. Many at once take a fraction of the time. Needs no token and no PIN.

    Signatures of ed25519 and ed448 are those of RFC 8032, of secp256k1-tr those of BIP-340 (key: x alone). All
    others are Schnorr signatures, R and z; ECDSA verifiers do not take them.
    """
    if len(pairs) % 2:
        raise UsageProblem(f"{pairs[-1]} is the message or the signature of no pair", hint="give MESSAGE SIGNATURE, …")
    verifying_key = find(place, key, suite)
    named = list(zip(pairs[::2], pairs[1::2], strict=True))
    found = [_read(verifying_key, message, signature) for message, signature in named]
    invalid = set(batch.find_invalid([item for item in found if item is not None]))
    numbers = iter(range(len(found)))
    bad = [
        f"{signature} is not a signature by {key} on {message}"
        for (message, signature), item in zip(named, found, strict=True)
        if item is None or next(numbers) in invalid
    ]
    if bad:
        many = "" if len(found) == 1 else f", {len(bad)} of {len(found)}"
        raise InvalidSignature(f"BAD signature{many}: {'; '.join(bad)}")
    good = "good signature" if len(found) == 1 else f"{len(found)} good signatures"
    fields = {"key": verifying_key.serialize().hex(), "suite": verifying_key.ciphersuite.id, "signatures": len(found)}
    return Result("verify", [f"{good} by {key} ({verifying_key.serialize()[:8].hex()})"], fields)


def _read(verifying_key: VerifyingKey, message: str, signature: str) -> batch.Item | None:
    """Read a pair of files; None if the second holds no signature."""
    signed, encoded = door.read(message), door.read(signature)
    try:
        return batch.Item(verifying_key, signed, Signature.deserialize(verifying_key.ciphersuite, encoded))
    except DeserializationError:
        return None
