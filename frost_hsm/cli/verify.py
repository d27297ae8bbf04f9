"""``frost-hsm verify``: check a signature. Needs no token, no identity, nothing but the key."""

from __future__ import annotations

import click

from frost_hsm.cli import completing, files
from frost_hsm.cli.options import command
from frost_hsm.cli.output import Result
from frost_hsm.cli.public_keys import find
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import DeserializationError, InvalidSignature
from frost_hsm.frost.values import Signature


@command(None, "verify")
@click.option(
    "--key",
    metavar="KEY",
    required=True,
    shell_complete=completing.keys,
    help="The name of a key here, a public key package file, or the key in hex.",
)
@click.option("--suite", default="p256", show_default=True, help="The ciphersuite, for a key in hex.")
@click.argument("message")
@click.argument("signature")
def verify(place: Workplace, key: str, suite: str, message: str, signature: str) -> Result:
    """Check a signature.

    MESSAGE and SIGNATURE are files, one of them may be - for stdin. The exit status is 0 if the signature is
    good and 10 if it is not. Needs no token and no PIN.

    Signatures of ed25519 and ed448 are those of RFC 8032, of secp256k1-tr those of BIP-340 (key: x alone). All
    others are Schnorr signatures, R and z; ECDSA verifiers do not take them.
    """
    verifying_key = find(place, key, suite)
    signed, encoded = files.read(message), files.read(signature)
    try:
        verifying_key.verify(signed, Signature.deserialize(verifying_key.ciphersuite, encoded))
    except (InvalidSignature, DeserializationError) as error:
        raise InvalidSignature(f"BAD signature: {signature} is not a signature by {key} on {message}") from error
    fields = {"key": verifying_key.serialize().hex(), "suite": verifying_key.ciphersuite.id}
    return Result("verify", [f"good signature by {key} ({verifying_key.serialize()[:8].hex()})"], fields)
