"""The hash of RSA-OAEP, which senders, certificates and tokens have to agree on."""

from __future__ import annotations

from enum import StrEnum


class OaepHash(StrEnum):
    """The hash of RSA-OAEP and of its MGF1; tokens differ in which they know."""

    SHA256 = "sha256"
    SHA1 = "sha1"
