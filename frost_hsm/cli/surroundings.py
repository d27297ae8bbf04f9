"""What the libraries of this machine, as they are configured, do not let us do."""

from __future__ import annotations

import hashlib
import os

HINT = "OPENSSL_CONF names its configuration: unset it, or have it activate the default provider"


def lacking() -> str | None:
    """Say what OpenSSL, in the hands of Python or of cryptography, cannot do here; None if it can do what is needed.

    A configuration that asks for FIPS, and activates no provider that has it, leaves no hash at all.
    """
    from cryptography.hazmat.primitives import hashes

    try:
        hashlib.sha256(b"", usedforsecurity=True)
        hashes.Hash(hashes.SHA256()).finalize()
    except Exception:
        where = os.environ.get("OPENSSL_CONF")
        configured = f" (OPENSSL_CONF={where})" if where is not None else ""
        return f"OpenSSL as it is configured here{configured} has no SHA-256"
    return None
