"""A signer for securesystemslib, and so for TUF and in-toto: a key URI that stands for a group.

``frost-hsm:FOLDER`` names the folder in which messages wait for the group (`MessageFolder`), and
``frost-hsm:FOLDER?wait=3600`` one in which a program waits for them, in seconds. securesystemslib looks signers up in a
table that programs add to: importing this module does it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote

from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Key, SecretsHandler, SSlibKey

from frost_hsm.errors import DeserializationError
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets.programs.group_private_key import GroupPrivateKey
from frost_hsm.targets.programs.message_folder import MessageFolder

KEY_TYPE: Final = "ed25519"
"""What securesystemslib calls keys of this kind, and their one scheme."""


class GroupSigner(CryptoSigner):
    """Signs by a group with a key of ed25519. Made as `CryptoSigner` is, of a `GroupPrivateKey`; or by its URI."""

    SCHEME = "frost-hsm"

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> GroupSigner:
        """Take the folder that a URI names. No secret is asked for: there is none here.

        Raises ``ValueError`` for another URI, and for a public key that no group has, as securesystemslib wants it.
        """
        scheme, _, rest = priv_key_uri.partition(":")
        folder, _, query = rest.partition("?")
        options = parse_qs(query, keep_blank_values=True)
        if scheme != cls.SCHEME or not folder or not options.keys() <= {"wait"}:
            raise ValueError(f"{priv_key_uri} is not {cls.SCHEME}:FOLDER or {cls.SCHEME}:FOLDER?wait=SECONDS")
        known, key = public_key_of(public_key)
        messages = MessageFolder(Path(unquote(folder)), key, patience=float(options.get("wait", ["0"])[-1]))
        return cls(GroupPrivateKey.of(key, messages.sign), known)


def public_key_of(public_key: Key) -> tuple[SSlibKey, VerifyingKey]:
    """Return a key in securesystemslib's type, and the group's key that it is; raises ``ValueError`` for another."""
    if not isinstance(public_key, SSlibKey) or public_key.keytype != KEY_TYPE:
        raise ValueError(f"a group signs for TUF and in-toto with a key of {KEY_TYPE} alone")
    try:
        return public_key, VerifyingKey.deserialize(ciphersuites.ED25519, bytes.fromhex(public_key.keyval["public"]))
    except DeserializationError as error:
        raise ValueError(f"this is not the key of a group: {error}") from error


SIGNER_FOR_URI_SCHEME[GroupSigner.SCHEME] = GroupSigner
