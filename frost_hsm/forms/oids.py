"""Every object identifier that is written or read, by its standard name.

Ours hang under an arc that belongs to this project alone: 2.25 followed by a random UUID (ITU-T X.667), taken
once for good. Numbers are never used again for something else.
"""

from __future__ import annotations

from typing import Final

# ── Ours: UUID fb2a9eaf-22ad-431a-bd28-9fc63bc7c5b9 ──
ARC: Final = "2.25.333857521906450115211958996824624711097"
PROPOSAL: Final = f"{ARC}.1"
ROUND1: Final = f"{ARC}.2"
ROUND2: Final = f"{ARC}.3"
CONFIRMATION: Final = f"{ARC}.4"
SIGNING_REQUEST: Final = f"{ARC}.5"
COMMITMENT: Final = f"{ARC}.6"
RESPONSE: Final = f"{ARC}.7"
REFRESH_PROPOSAL: Final = f"{ARC}.8"
REPAIR_REQUEST: Final = f"{ARC}.9"
REPAIR_DELTA: Final = f"{ARC}.10"
REPAIR_SIGMA: Final = f"{ARC}.11"
REPAIR_DONE: Final = f"{ARC}.12"
DEALING: Final = f"{ARC}.13"
COMPLAINT: Final = f"{ARC}.14"
OPENING: Final = f"{ARC}.15"
SEALED_RECORD: Final = f"{ARC}.16"
BACKUP: Final = f"{ARC}.17"
ABANDONMENT: Final = f"{ARC}.18"
STANDING: Final = f"{ARC}.19"
GIVEN_UP: Final = f"{ARC}.20"
ABORT: Final = f"{ARC}.21"
ATTEMPT: Final = f"{ARC}.22"
PREPARED: Final = f"{ARC}.23"
ENCLOSURES: Final = f"{ARC}.24"  # an unsigned attribute
SECOND_RESPONSE: Final = f"{ARC}.25"

# ── CMS: RFC 5652, RFC 5083, RFC 5084 ──
DATA: Final = "1.2.840.113549.1.7.1"
SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
AUTH_ENVELOPED_DATA: Final = "1.2.840.113549.1.9.16.1.23"
CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
SIGNING_TIME: Final = "1.2.840.113549.1.9.5"
SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"  # RFC 5035
AES256_GCM: Final = "2.16.840.1.101.3.4.1.46"
AES256_WRAP: Final = "2.16.840.1.101.3.4.1.45"

# ── Keys and signatures: RFC 5480, RFC 5753, RFC 4055, RFC 8017 ──
EC_PUBLIC_KEY: Final = "1.2.840.10045.2.1"
PRIME256V1: Final = "1.2.840.10045.3.1.7"
ECDSA_WITH_SHA256: Final = "1.2.840.10045.4.3.2"
STD_DH_SHA256_KDF: Final = "1.3.132.1.11.1"  # dhSinglePass-stdDH-sha256kdf-scheme
RSA_ENCRYPTION: Final = "1.2.840.113549.1.1.1"
RSAES_OAEP: Final = "1.2.840.113549.1.1.7"
MGF1: Final = "1.2.840.113549.1.1.8"
SHA256: Final = "2.16.840.1.101.3.4.2.1"
SHA512: Final = "2.16.840.1.101.3.4.2.3"
ED25519: Final = "1.3.101.112"  # RFC 8410

# ── X.509: RFC 5280, RFC 4262 ──
COMMON_NAME: Final = "2.5.4.3"
SUBJECT_KEY_IDENTIFIER: Final = "2.5.29.14"
KEY_USAGE: Final = "2.5.29.15"
BASIC_CONSTRAINTS: Final = "2.5.29.19"
AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"
SMIME_CAPABILITIES: Final = "1.2.840.113549.1.9.15"
