"""A backend written from the contract alone: boxes in a directory, ``tinbox:NAME``. It protects nothing.

It imports of frost-hsm only what the contract consists of: `frost_hsm.backends`, `.errors`, `.secret`. A box is a
directory; a record is a file in it, so that the file system keeps names apart.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

from frost_hsm import errors
from frost_hsm.backends import (
    Capability,
    Interaction,
    KeyAttributes,
    KeyKind,
    PinSource,
    PinState,
    StoredCertificate,
    TokenInfo,
    TokenKey,
)
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.secret import Secret

INSIDE = KeyAttributes(True, False, True, True, True)
LOCK = threading.RLock()


class TinboxBackend:
    """settings: ``directory``, where the boxes are."""

    def __init__(self, settings: Mapping[str, str], interaction: Interaction) -> None:
        self.directory = Path(settings.get("directory", "."))

    def describe(self) -> list[tuple[bool, str]]:
        return [(True, f"tinbox: boxes in {self.directory}")]

    def tokens(self) -> list[TokenInfo]:
        return [self._info(path) for path in sorted(self.directory.iterdir()) if (path / "pin").is_file()]

    def open(self, uri: str, pin_source: PinSource | None, *, allow_final_try: bool = False) -> TinboxToken:
        path = self.directory / uri.removeprefix("tinbox:")
        if not (path / "pin").is_file():
            raise errors.TokenNotFound(f"there is no box {path.name}")
        info = self._info(path)
        if pin_source is not None:
            pin = pin_source(info)
            if not pin:
                raise errors.PinUnusable(f"the PIN of box {path.name} is empty")
            if pin != (path / "pin").read_text():
                raise errors.PinIncorrect(f"the PIN of box {path.name} is wrong")
        return TinboxToken(path, info, logged_in=pin_source is not None)

    def create(self, uri: str, pin_source: PinSource) -> TokenInfo:
        path = self.directory / uri.removeprefix("tinbox:")
        path.mkdir()
        (path / "pin").write_text(pin_source(self._info(path)))
        for name in ("keys", "certificates", "records"):
            (path / name).mkdir()
        return self._info(path)

    def _info(self, path: Path) -> TokenInfo:
        return TokenInfo(
            uri=f"tinbox:{path.name}",
            label=path.name,
            serial=path.name,
            manufacturer="somebody else",
            model="tin",
            source="tinbox",
            initialised=True,
            pin_state=PinState.OK,
            has_own_pin_entry=False,
            is_software=True,
        )


class TinboxToken:
    def __init__(self, path: Path, info: TokenInfo, *, logged_in: bool) -> None:
        self.path = path
        self.info = info
        self.logged_in = logged_in
        self.closed = False

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.SIGN, Capability.AGREE, Capability.GENERATE, Capability.DATA})

    def generate(self, kind: KeyKind, key_id: bytes, label: str) -> bytes:
        with self._in_use():
            self._bounded(len(key_id) == 16 and 1 <= len(label.encode()) <= 255 and "\0" not in label)
            if kind is KeyKind.DECRYPT:
                raise errors.MechanismUnsupported("boxes hold no RSA keys")
            private = ec.generate_private_key(ec.SECP256R1())
            pem = private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode()
            self._create("keys", key_id.hex(), json.dumps({"kind": kind, "label": label, "pem": pem}).encode())
            return _encoded(private)

    def keys(self) -> list[TokenKey]:
        with self._in_use():
            found = []
            for path in (self.path / "keys").iterdir():
                key = json.loads(path.read_text())
                public_key = _encoded(_private(key))
                found.append(TokenKey(bytes.fromhex(path.name), key["label"], KeyKind(key["kind"]), public_key, INSIDE))
            return found

    def sign(self, key_id: bytes, digest: bytes) -> bytes:
        with self._in_use():
            self._bounded(len(digest) == 32 and 1 <= len(key_id) <= 255)
            r, s = decode_dss_signature(
                self._key(key_id, KeyKind.SIGN).sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
            )
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def agree(self, key_id: bytes, peer_point: bytes) -> Secret:
        with self._in_use():
            self._bounded(len(peer_point) == 65)
            try:
                peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), peer_point)
            except ValueError:
                raise errors.NotPossible("not a point") from None
            return Secret(self._key(key_id, KeyKind.AGREE).exchange(ec.ECDH(), peer))

    def decrypt(self, key_id: bytes, ciphertext: bytes, oaep_hash: OaepHash) -> Secret:
        with self._in_use():
            raise errors.KeyNotFound("boxes hold no RSA keys")

    def oaep_hashes(self) -> frozenset[OaepHash]:
        return frozenset()

    def store_certificate(self, key_id: bytes, label: str, der: bytes) -> None:
        with self._in_use():
            self._bounded(1 <= len(key_id) <= 255)
            try:
                x509.load_der_x509_certificate(der)
            except ValueError:
                raise errors.NotPossible("not a certificate") from None
            entry = json.dumps({"label": label, "der": der.hex()}).encode()
            path = self.path / "certificates" / key_id.hex()
            if not path.exists() or path.read_bytes() != entry:
                self._create("certificates", key_id.hex(), entry)

    def certificates(self) -> list[StoredCertificate]:
        with self._in_use(login=False):
            found = []
            for path in (self.path / "certificates").iterdir():
                entry = json.loads(path.read_text())
                found.append(StoredCertificate(bytes.fromhex(path.name), entry["label"], bytes.fromhex(entry["der"])))
            return found

    def delete_key(self, key_id: bytes) -> None:
        with self._in_use():
            self._bounded(1 <= len(key_id) <= 255)
            for folder in ("keys", "certificates"):
                (self.path / folder / key_id.hex()).unlink(missing_ok=True)

    def record_names(self, beginning: str = "") -> list[str]:
        with self._in_use():
            names = [json.loads(path.read_text())["name"] for path in (self.path / "records").iterdir()]
            return [name for name in names if name.startswith(beginning)]

    def write_record(self, name: str, value: bytes) -> None:
        with self._in_use():
            self._bounded("\0" not in name and 1 <= len(name.encode(errors="replace")) <= 255)
            self._bounded(1 <= len(value) <= 131072 and not any("\ud800" <= letter <= "\udfff" for letter in name))
            self._create("records", _file_name(name), json.dumps({"name": name, "value": value.hex()}).encode())

    def read_record(self, name: str) -> bytes:
        with self._in_use(), _reported(name):
            entry: dict[str, Any] = json.loads((self.path / "records" / _file_name(name)).read_text())
            return bytes.fromhex(entry["value"])

    def delete_record(self, name: str) -> None:
        with self._in_use(), _reported(name):
            (self.path / "records" / _file_name(name)).unlink()

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def _in_use(self, *, login: bool = True) -> Iterator[None]:
        if self.closed:
            raise errors.NotPossible(f"box {self.path.name} is closed")
        if login and not self.logged_in:
            raise errors.PinUnusable(f"box {self.path.name} was opened without a PIN")
        with LOCK:
            yield

    def _bounded(self, good: bool) -> None:
        if not good:
            raise errors.NotPossible("an argument is out of its bounds")

    def _key(self, key_id: bytes, kind: KeyKind) -> ec.EllipticCurvePrivateKey:
        path = self.path / "keys" / key_id.hex()
        key = json.loads(path.read_text()) if path.exists() else {}
        if key.get("kind") != kind:
            raise errors.KeyNotFound(f"box {self.path.name} has no {kind} key {key_id.hex()}")
        return _private(key)

    def _create(self, folder: str, name: str, data: bytes) -> None:
        try:
            with (self.path / folder / name).open("xb") as file:
                file.write(data)
                os.fsync(file.fileno())
        except FileExistsError:
            raise errors.KeyExists(f"box {self.path.name} has {folder}/{name} already") from None


def _private(key: Mapping[str, str]) -> ec.EllipticCurvePrivateKey:
    private = serialization.load_pem_private_key(key["pem"].encode(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise errors.SealBroken("not a key of ours")
    return private


def _encoded(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _file_name(name: str) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(name.encode())
    return digest.finalize().hex()


@contextmanager
def _reported(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise errors.KeyNotFound(f'there is no record "{name}"') from None
