"""An open software token. Each operation reads the file as it is then, and unseals only what it needs."""

from __future__ import annotations

import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.x509 import InvalidVersion, load_der_x509_certificate

from frost_hsm.backends import Capability, KeyAttributes, KeyKind, StoredCertificate, TokenInfo, TokenKey
from frost_hsm.backends.arguments import (
    check_digest,
    check_key_id,
    check_name,
    check_new_key_id,
    check_point,
    check_record,
)
from frost_hsm.backends.software.file import Contents, SealedKey, TokenFile
from frost_hsm.backends.software.sealing import Unsealable, seal, unseal
from frost_hsm.errors import KeyExists, KeyNotFound, NotPossible, PinUnusable, SealBroken
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.secret import Secret

_RSA_BITS = 3072
_INSIDE = KeyAttributes(sensitive=True, extractable=False, always_sensitive=True, never_extractable=True, local=True)

_PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class SoftwareToken:
    """One open file; see `frost_hsm.backends.Token`, whose every word holds for the methods here.

    key: what the passphrase gave, wiped by `close`; None without a login.
    """

    def __init__(self, file: TokenFile, info: TokenInfo, key: Secret | None) -> None:
        self._file = file
        self._info = info
        self._key = key
        self._closed = False
        self._mutex = threading.RLock()  # so that `close` wipes the key between operations, not within one

    @property
    def info(self) -> TokenInfo:
        """The token as it was when it was opened."""
        return self._info

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Everything."""
        return frozenset(Capability)

    def generate(self, kind: KeyKind, key_id: bytes, label: str) -> bytes:
        """Make a key pair; returns its SubjectPublicKeyInfo."""
        check_new_key_id(key_id)
        check_name("a key label", label)
        with self._logged_in() as key:
            self._refuse_taken_id(self._file.read(), key_id)
            private: _PrivateKey
            if kind is KeyKind.DECRYPT:
                private = rsa.generate_private_key(65537, _RSA_BITS)
            else:
                private = ec.generate_private_key(ec.SECP256R1())
            public_key = private.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            # cryptography gives the PKCS #8 form as bytes only: one copy that cannot be wiped
            plain = private.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            sealed = seal(key, self._info.serial, _key_place(key_id, kind), plain)
            with self._changing() as contents:
                self._refuse_taken_id(contents, key_id)
                new = SealedKey(key_id, label, kind, public_key, sealed)
                self._file.replace(replace(contents, keys=(*contents.keys, new)))
        return public_key

    def keys(self) -> list[TokenKey]:
        """List the private keys."""
        with self._logged_in():
            keys = self._file.read().keys
        return [TokenKey(key.id, key.label, key.kind, key.public_key, _INSIDE) for key in keys]

    def sign(self, key_id: bytes, digest: bytes) -> bytes:
        """Sign a digest; returns r ‖ s."""
        check_digest(digest)
        private = self._curve_key(key_id, KeyKind.SIGN)
        r, s = decode_dss_signature(private.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def agree(self, key_id: bytes, peer_point: bytes) -> Secret:
        """Multiply with a peer's point; returns the x coordinate."""
        check_point(peer_point)
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), peer_point)
        private = self._curve_key(key_id, KeyKind.AGREE)
        return Secret(private.exchange(ec.ECDH(), peer))  # bytes of cryptography's: one copy not wiped

    def decrypt(self, key_id: bytes, ciphertext: bytes, oaep_hash: OaepHash) -> Secret:
        """Decrypt RSA-OAEP."""
        algorithm = hashes.SHA256() if oaep_hash is OaepHash.SHA256 else hashes.SHA1()  # noqa: S303 - OAEP
        private = self._private_key(key_id, KeyKind.DECRYPT)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise self._altered_key(key_id)
        try:
            scheme = padding.OAEP(padding.MGF1(algorithm), algorithm, None)
            return Secret(private.decrypt(ciphertext, scheme))  # bytes of cryptography's: one copy not wiped
        except ValueError:
            raise SealBroken("RSA decryption failed") from None

    def oaep_hashes(self) -> frozenset[OaepHash]:
        """Both."""
        return frozenset(OaepHash)

    def store_certificate(self, key_id: bytes, label: str, der: bytes) -> None:
        """Keep a certificate."""
        check_key_id(key_id)
        check_name("a certificate label", label)
        try:
            load_der_x509_certificate(der)
        except (ValueError, InvalidVersion):
            raise NotPossible("what is to be stored is not an X.509 certificate in DER") from None
        with self._logged_in(), self._changing() as contents:
            for stored in contents.certificates:
                if stored.id == key_id:
                    if stored.der == der:
                        return
                    raise KeyExists(f"token {self._info.label} has another certificate for key {key_id.hex()}")
            new = StoredCertificate(key_id, label, der)
            self._file.replace(replace(contents, certificates=(*contents.certificates, new)))

    def certificates(self) -> list[StoredCertificate]:
        """List the certificates."""
        with self._open():
            return list(self._file.read().certificates)

    def delete_key(self, key_id: bytes) -> None:
        """Destroy a key pair and its certificate."""
        check_key_id(key_id)
        with self._logged_in(), self._changing() as contents:
            keys = tuple(key for key in contents.keys if key.id != key_id)
            certificates = tuple(stored for stored in contents.certificates if stored.id != key_id)
            self._file.replace(replace(contents, keys=keys, certificates=certificates))

    def record_names(self, beginning: str = "") -> list[str]:
        """List the names of the records."""
        with self._logged_in():
            return [name for name, _ in self._file.read().records if name.startswith(beginning)]

    def write_record(self, name: str, value: bytes) -> None:
        """Create a record."""
        check_record(name, value)
        with self._logged_in() as key, self._changing() as contents:
            if name in dict(contents.records):
                raise KeyExists(f'token {self._info.label} has a record "{name}" already')
            sealed = b64encode(seal(key, self._info.serial, ("record", name), value)).decode()
            self._file.replace(replace(contents, records=(*contents.records, (name, sealed))))

    def read_record(self, name: str) -> bytes:
        """Read a record. Raises `SealBroken` if the file was altered."""
        check_name("a record name", name)
        with self._logged_in() as key:
            sealed = dict(self._file.read().records).get(name)
            if sealed is None:
                raise self._no_record(name)
            try:
                plain = unseal(key, self._info.serial, ("record", name), b64decode(sealed))
            except Unsealable:
                raise SealBroken(f'record "{name}" of token {self._info.label} was altered') from None
        with plain, plain.reveal() as view:
            return bytes(view)

    def delete_record(self, name: str) -> None:
        """Destroy a record."""
        check_name("a record name", name)
        with self._logged_in(), self._changing() as contents:
            left = tuple(record for record in contents.records if record[0] != name)
            if left == contents.records:
                raise self._no_record(name)
            self._file.replace(replace(contents, records=left))

    def close(self) -> None:
        """Wipe the key. Closing twice is fine."""
        with self._mutex:
            self._closed = True
            if self._key is not None:
                self._key.wipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self._mutex:
            if self._closed:
                raise NotPossible(f"token {self._info.label} is closed", hint="open it again")
            yield

    @contextmanager
    def _logged_in(self) -> Iterator[Secret]:
        with self._open():
            if self._key is None:
                raise PinUnusable(f"token {self._info.label} was opened without a passphrase")
            yield self._key

    @contextmanager
    def _changing(self) -> Iterator[Contents]:
        with self._file.lock():
            yield self._file.read()

    def _private_key(self, key_id: bytes, kind: KeyKind) -> object:
        check_key_id(key_id)
        with self._logged_in() as key:
            found = [entry for entry in self._file.read().keys if entry.id == key_id and entry.kind is kind]
            if not found:
                raise KeyNotFound(f"token {self._info.label} holds no {kind} key {key_id.hex()}")
            place = _key_place(key_id, kind)
            try:
                with unseal(key, self._info.serial, place, found[0].sealed) as plain, plain.reveal() as view:
                    return serialization.load_der_private_key(view, None)
            except (Unsealable, ValueError):
                raise self._altered_key(key_id) from None

    def _curve_key(self, key_id: bytes, kind: KeyKind) -> ec.EllipticCurvePrivateKey:
        private = self._private_key(key_id, kind)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise self._altered_key(key_id)
        return private

    def _refuse_taken_id(self, contents: Contents, key_id: bytes) -> None:
        if any(key.id == key_id for key in contents.keys):
            raise KeyExists(f"token {self._info.label} has a key {key_id.hex()} already")

    def _altered_key(self, key_id: bytes) -> SealBroken:
        return SealBroken(f"key {key_id.hex()} of token {self._info.label} was altered")

    def _no_record(self, name: str) -> KeyNotFound:
        return KeyNotFound(f'token {self._info.label} has no record "{name}"')


def _key_place(key_id: bytes, kind: KeyKind) -> tuple[str, ...]:
    return ("key", key_id.hex(), kind.value)
