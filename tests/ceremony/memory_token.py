"""A token in memory, made with `cryptography` alone: its keys can be taken out, given to OpenSSL, spoilt."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from frost_hsm.backends import Capability, KeyAttributes, KeyKind, PinState, StoredCertificate, TokenInfo, TokenKey
from frost_hsm.errors import KeyExists, KeyNotFound, SealBroken
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.secret import Secret

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
CONFINED = KeyAttributes(True, False, True, True, True)
IMPORTED = KeyAttributes(True, False, False, False, False)


class MemoryToken:
    """As much of a `Token` as identities and envelopes need. ``calls`` counts the private operations."""

    capabilities = frozenset({Capability.SIGN, Capability.AGREE, Capability.DECRYPT, Capability.GENERATE})

    def __init__(self, hashes_known: Iterable[OaepHash] = OaepHash, rsa_key: rsa.RSAPrivateKey | None = None):
        self.private: dict[bytes, PrivateKey] = {}
        self._keys: dict[bytes, TokenKey] = {}
        self._certificates: list[StoredCertificate] = []
        self._hashes = frozenset(hashes_known)
        self._rsa_key = rsa_key
        self.calls = 0
        self.info = TokenInfo("memory:", "memory", "1", "", "", "memory", True, PinState.OK, False, True)

    def generate(self, kind: KeyKind, key_id: bytes, label: str) -> bytes:
        if kind is not KeyKind.DECRYPT:
            return self.put(ec.generate_private_key(ec.SECP256R1()), kind, key_id, label)
        return self.put(self._rsa_key or rsa.generate_private_key(65537, 3072), kind, key_id, label)

    def put(
        self, key: PrivateKey, kind: KeyKind, key_id: bytes, label: str, attributes: KeyAttributes = CONFINED
    ) -> bytes:
        if key_id in self._keys:
            raise KeyExists("taken")
        spki = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.private[key_id] = key
        self._keys[key_id] = TokenKey(key_id, label, kind, spki, attributes)
        return spki

    def keys(self) -> list[TokenKey]:
        return list(self._keys.values())

    def sign(self, key_id: bytes, digest: bytes) -> bytes:
        self.calls += 1
        algorithm = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
        r, s = utils.decode_dss_signature(self.private[key_id].sign(digest, algorithm))  # type: ignore[call-arg,arg-type]
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def agree(self, key_id: bytes, peer_point: bytes) -> Secret:
        self.calls += 1
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), peer_point)
        key = self.private[key_id]
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return Secret(key.exchange(ec.ECDH(), peer))

    def decrypt(self, key_id: bytes, ciphertext: bytes, oaep_hash: OaepHash) -> Secret:
        self.calls += 1
        assert oaep_hash in self._hashes
        algorithm = hashes.SHA256() if oaep_hash is OaepHash.SHA256 else hashes.SHA1()
        key = self.private[key_id]
        assert isinstance(key, rsa.RSAPrivateKey)
        try:
            return Secret(key.decrypt(ciphertext, padding.OAEP(padding.MGF1(algorithm), algorithm, None)))
        except ValueError:
            raise SealBroken("does not decrypt") from None

    def oaep_hashes(self) -> frozenset[OaepHash]:
        return self._hashes

    def store_certificate(self, key_id: bytes, label: str, der: bytes) -> None:
        certificate = StoredCertificate(key_id, label, der)
        if certificate not in self._certificates:
            self._certificates.append(certificate)

    def certificates(self) -> list[StoredCertificate]:
        return list(self._certificates)

    def delete_key(self, key_id: bytes) -> None:
        raise AssertionError("identities never destroy a key")

    def record_names(self, beginning: str = "") -> list[str]:
        return []

    def write_record(self, name: str, value: bytes) -> None:
        raise AssertionError("no records here")

    def read_record(self, name: str) -> bytes:
        raise KeyNotFound(name)

    def delete_record(self, name: str) -> None:
        raise KeyNotFound(name)

    def close(self) -> None:
        pass

    def __enter__(self) -> MemoryToken:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def pem(self, key_id: bytes) -> bytes:
        """Return the private key for OpenSSL."""
        return self.private[key_id].private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
