"""An open PKCS#11 token: keys, certificates and records as objects in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, TokenFlag
from pkcs11.mechanisms import KDF

from frost_hsm.backends import Capability, KeyKind, StoredCertificate, TokenInfo, TokenKey
from frost_hsm.backends.arguments import check_digest, check_key_id, check_name, check_point, check_record
from frost_hsm.backends.pkcs11 import attributes, oaep
from frost_hsm.backends.pkcs11.answers import BINDING_ERRORS, name_of
from frost_hsm.backends.pkcs11.attributes import read
from frost_hsm.backends.pkcs11.session import STALE, SharedSession
from frost_hsm.errors import (
    KeyExists,
    KeyPolicy,
    NotPossible,
    PinUnusable,
    SealBroken,
    TokenLost,
    TokenProblem,
)
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.secret import Secret

_MECHANISMS = {
    Mechanism.ECDSA: Capability.SIGN,
    Mechanism.ECDH1_DERIVE: Capability.AGREE,
    Mechanism.RSA_PKCS_OAEP: Capability.DECRYPT,
    Mechanism.EC_KEY_PAIR_GEN: Capability.GENERATE,
}
_NEVER_DATA = {
    "CKR_ATTRIBUTE_TYPE_INVALID",
    "CKR_ATTRIBUTE_VALUE_INVALID",
    "CKR_FUNCTION_NOT_SUPPORTED",
    "CKR_SESSION_READ_ONLY",
    "CKR_TEMPLATE_INCOMPLETE",
    "CKR_TEMPLATE_INCONSISTENT",
    "CKR_TOKEN_WRITE_PROTECTED",
}
"""What a token answers to a data object that it will never take."""

_NOT_DECRYPTED = {
    "CKR_DATA_INVALID",
    "CKR_DATA_LEN_RANGE",
    "CKR_ENCRYPTED_DATA_INVALID",
    "CKR_ENCRYPTED_DATA_LEN_RANGE",
    "CKR_FUNCTION_FAILED",
    "CKR_GENERAL_ERROR",
}


class Pkcs11Token:
    """One open token; see `frost_hsm.backends.Token`, whose every word holds for the methods here."""

    def __init__(self, session: SharedSession, info: TokenInfo, *, logged_in: bool) -> None:
        self._session = session
        self._info = info
        self._logged_in = logged_in
        self._closed = False
        self._closing = threading.Lock()
        self._capabilities: frozenset[Capability] | None = None
        self._oaep_hashes: frozenset[OaepHash] = frozenset()

    @property
    def info(self) -> TokenInfo:
        """The token as it was when it was opened."""
        return self._info

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the token lists among its mechanisms, and whether it takes a data object."""
        if self._capabilities is None:
            with self._use("looking for mechanisms") as raw:
                known = self._session.token.slot.get_mechanisms()
                found = {capability for mechanism, capability in _MECHANISMS.items() if mechanism in known}
                if self._takes_data(raw):
                    found.add(Capability.DATA)
                self._capabilities = frozenset(found)
        return self._capabilities

    # ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────

    def generate(self, kind: KeyKind, key_id: bytes, label: str) -> bytes:
        """Make a key pair inside; returns its SubjectPublicKeyInfo."""
        check_key_id(key_id)
        check_name("a key label", label)
        with self._login(f"making a {kind} key") as raw:
            if self._session.find({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key_id}):
                raise KeyExists(f"{self._session.name} has a key {key_id.hex()} already")
            public, private = attributes.generate_key_pair(raw, kind, key_id, label)
            claims = attributes.audit(private)
            encoded = attributes.public_key_info(kind, public)
            if claims.stays_inside and encoded is not None:
                return encoded
            public.destroy()
            private.destroy()
            if encoded is None:
                raise TokenProblem(f"{self._session.name} does not give the public key of the key it made")
            raise KeyPolicy(
                f"the key that {self._session.name} made does not stay inside, and is destroyed: {claims}",
                hint="use another token",
            )

    def keys(self) -> list[TokenKey]:
        """List the private keys of the three kinds; others on the token are passed over."""
        with self._login("listing keys"):
            found = [self._describe_key(private) for private in self._find(ObjectClass.PRIVATE_KEY)]
            self._session.check_serial()
            return [key for key in found if key is not None]

    def sign(self, key_id: bytes, digest: bytes) -> bytes:
        """Sign a digest; returns r ‖ s."""
        check_digest(digest)
        with self._login("signing"):
            signature: bytes = self._with_key(
                key_id, KeyKind.SIGN, lambda key: key.sign(digest, mechanism=Mechanism.ECDSA)
            )
        if len(signature) != 64:
            raise TokenProblem(f"{self._session.name} made a signature of {len(signature)} bytes, not 64")
        return signature

    def agree(self, key_id: bytes, peer_point: bytes) -> Secret:
        """Multiply with a peer's point; returns the x coordinate, read straight into memory that is wiped."""
        check_point(peer_point)
        parameters = (KDF.NULL, None, peer_point)
        with self._login("agreeing on a secret"):
            agreed = self._with_key(
                key_id,
                KeyKind.AGREE,
                lambda key: key.derive_key(
                    KeyType.GENERIC_SECRET,
                    256,
                    mechanism=Mechanism.ECDH1_DERIVE,
                    mechanism_param=parameters,
                    capabilities=attributes.NO_DEFAULT_USE,
                    template=attributes.AGREED_SECRET,
                ),
            )
            secret = Secret.zeros(32)
            try:
                with secret.reveal() as view:
                    length = self._session.read_value(agreed, view)
                    if 0 < length < 32:  # a token that leaves leading zeros away
                        view[32 - length :] = bytes(view[:length])
                        view[: 32 - length] = bytes(32 - length)
            finally:
                agreed.destroy()
            if length == 0:
                raise TokenProblem(f"{self._session.name} gave an empty secret")
            return secret

    def decrypt(self, key_id: bytes, ciphertext: bytes, oaep_hash: OaepHash) -> Secret:
        """Decrypt RSA-OAEP."""
        with self._login("decrypting"):
            try:
                # the binding gives bytes, and takes the ciphertext as bytes only: one copy is not wiped
                return Secret(
                    self._with_key(key_id, KeyKind.DECRYPT, lambda key: oaep.decrypt(key, ciphertext, oaep_hash))
                )
            except BINDING_ERRORS as error:
                if isinstance(error, pkcs11.PKCS11Error) and name_of(error) not in _NOT_DECRYPTED:
                    raise
                self._session.check_serial()
                raise SealBroken(f"decryption by {self._session.name} failed") from None

    def oaep_hashes(self) -> frozenset[OaepHash]:
        """The hashes that a decryption with a key of the token, or one made for the test, succeeds with."""
        if Capability.DECRYPT not in self.capabilities or self._oaep_hashes:
            return self._oaep_hashes
        with self._login("trying RSA-OAEP") as raw:
            self._oaep_hashes = oaep.known_hashes(raw, self._find(ObjectClass.PRIVATE_KEY))
        return self._oaep_hashes

    def delete_key(self, key_id: bytes) -> None:
        """Destroy a key pair and its certificate."""
        check_key_id(key_id)
        with self._login("deleting a key"):
            for object_class in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY, ObjectClass.CERTIFICATE):
                for item in self._find(object_class, key_id):
                    with suppress(*STALE):  # another process was quicker
                        item.destroy()
            self._session.forget_keys()

    # ── Certificates ─────────────────────────────────────────────────────────────────────────────────────

    def store_certificate(self, key_id: bytes, label: str, der: bytes) -> None:
        """Put a certificate beside the key."""
        check_key_id(key_id)
        check_name("a certificate label", label)
        template = attributes.certificate_template(key_id, label, der)
        with self._login("storing a certificate") as raw:
            stored = [read(item, Attribute.VALUE) for item in self._find(ObjectClass.CERTIFICATE, key_id)]
            if not stored:
                raw.create_object(template)
            elif stored != [der]:
                raise KeyExists(f"{self._session.name} has another certificate for key {key_id.hex()}")

    def certificates(self) -> list[StoredCertificate]:
        """List the certificates."""
        with self._use("listing certificates"):
            found = [
                StoredCertificate(
                    read(item, Attribute.ID) or b"",
                    read(item, Attribute.LABEL) or "",
                    read(item, Attribute.VALUE),
                )
                for item in self._find(ObjectClass.CERTIFICATE)
            ]
            self._session.check_serial()
            return [certificate for certificate in found if certificate.der]

    # ── Records ──────────────────────────────────────────────────────────────────────────────────────────

    def record_names(self) -> list[str]:
        """List the names of our records."""
        ours = {Attribute.CLASS: ObjectClass.DATA, Attribute.APPLICATION: attributes.APPLICATION}
        with self._login("listing records"):
            names = [read(item, Attribute.LABEL) for item in self._session.find(ours)]
            self._session.check_serial()
            return [name for name in names if name]

    def write_record(self, name: str, value: bytes) -> None:
        """Create a record.

        PKCS#11 keeps no names apart. Two processes that create the same one at the same instant are both
        refused, or, where the token shows objects of others late (SoftHSM2), both accepted; then `read_record`
        refuses to choose.
        """
        check_record(name, value)
        wanted = attributes.record_template(name)
        with self._login(f'writing record "{name}"') as raw:
            if not self._session.find(wanted):
                private = {Attribute.TOKEN: True, Attribute.PRIVATE: True, Attribute.VALUE: value}
                created = raw.create_object({**wanted, **private})
                found = self._session.find(wanted)
                if len(found) == 1:
                    return
                if not found:
                    raise TokenLost(f'{self._session.name} lost record "{name}" as soon as it was written')
                _destroy_first(created)
            raise KeyExists(f'{self._session.name} has a record "{name}" already')

    def read_record(self, name: str) -> bytes:
        """Read a record."""
        check_name("a record name", name)
        with self._login(f'reading record "{name}"'):
            found = self._session.find(attributes.record_template(name))
            if not found:
                raise self._session.not_found(f'no record "{name}"')
            if len(found) > 1:
                raise TokenProblem(f'{self._session.name} has {len(found)} records "{name}"')
            value: bytes = found[0][Attribute.VALUE]
            return value

    def delete_record(self, name: str) -> None:
        """Destroy a record, and search again."""
        check_name("a record name", name)
        wanted = attributes.record_template(name)
        with self._login(f'deleting record "{name}"'):
            destroyed = [_destroy_first(item) for item in self._session.find(wanted)]
            if self._session.find(wanted):
                raise TokenProblem(f'{self._session.name} still has record "{name}", though it was destroyed')
            if not any(destroyed):
                raise self._session.not_found(f'no record "{name}"')

    # ── Being open ───────────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Log out if nobody else in this process needs the login. Closing twice is fine."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._session.release(logged_in=self._logged_in)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def _use(self, doing: str) -> Iterator[pkcs11.Session]:
        with self._session.use(doing) as raw:
            if self._closed:
                raise NotPossible(f"{self._session.name} is closed", hint="open it again")
            yield raw

    @contextmanager
    def _login(self, doing: str) -> Iterator[pkcs11.Session]:
        with self._use(doing) as raw:
            if not self._logged_in:
                raise PinUnusable(f"{self._session.name} was opened without a PIN, which {doing} needs")
            yield raw

    def _find(self, object_class: ObjectClass, key_id: bytes | None = None) -> list[Any]:
        wanted: dict[Attribute, Any] = {Attribute.CLASS: object_class}
        if key_id is not None:
            wanted[Attribute.ID] = key_id
        return self._session.find(wanted)

    def _with_key(self, key_id: bytes, kind: KeyKind, operation: Callable[[Any], Any]) -> Any:
        """Do something with a private key; its handle is searched again if another process replaced it."""
        try:
            return operation(self._session.private_key(key_id, kind))
        except STALE:
            self._session.forget_keys()
            return operation(self._session.private_key(key_id, kind))

    def _describe_key(self, private: Any) -> TokenKey | None:
        kind, key_id = attributes.kind_of(private), read(private, Attribute.ID)
        if kind is None or not key_id:
            return None
        holders = [*self._find(ObjectClass.PUBLIC_KEY, key_id), private]
        encoded = next(filter(None, (attributes.public_key_info(kind, holder) for holder in holders)), None)
        if encoded is None:
            return None
        return TokenKey(key_id, read(private, Attribute.LABEL) or "", kind, encoded, attributes.audit(private))

    def _takes_data(self, raw: pkcs11.Session) -> bool:
        """Whether the token holds data objects; what an answer says of this moment alone is raised."""
        if self._session.token.flags & TokenFlag.WRITE_PROTECTED:
            return False
        template = attributes.record_template("probe")
        probe = {Attribute.TOKEN: False, Attribute.PRIVATE: self._logged_in, Attribute.VALUE: b"probe"}
        try:
            raw.create_object({**template, **probe}).destroy()
        except pkcs11.PKCS11Error as error:
            if name_of(error) in _NEVER_DATA:
                return False
            raise
        return True


def _destroy_first(item: Any) -> bool:
    """Destroy an object; False if it is gone already, because another process was quicker."""
    try:
        item.destroy()
    except (*STALE, pkcs11.FunctionFailed, pkcs11.GeneralError):
        return False
    return True
