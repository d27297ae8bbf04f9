"""The group's key as JSON, for whoever verifies web tokens (RFC 8037 §2)."""

from __future__ import annotations

import base64
import json
from typing import Final

from frost_hsm.frost.values import VerifyingKey

_CURVES: Final = {"ed25519": "Ed25519", "ed448": "Ed448"}


def write(key: VerifyingKey, name: str) -> bytes:
    """Write a key. name: its key id."""
    x = base64.urlsafe_b64encode(key.serialize()).rstrip(b"=").decode()
    fields = {"alg": "EdDSA", "crv": _CURVES[key.ciphersuite.name], "kid": name, "kty": "OKP", "use": "sig", "x": x}
    return json.dumps(fields, indent=1).encode() + b"\n"
