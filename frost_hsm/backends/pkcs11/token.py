"""An open PKCS#11 token: keys, certificates and records as objects in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self, TypeVar

from pkcs11 import Attribute, Mechanism, ObjectClass

from frost_hsm.backends import Capability, KeyKind, StoredCertificate, TokenInfo, TokenKey
from frost_hsm.backends.arguments import (
    check_digest,
    check_key_id,
    check_name,
    check_new_key_id,
    check_point,
    check_record,
)
from frost_hsm.backends.pkcs11 import generating, oaep, records
from frost_hsm.backends.pkcs11.calls import attributes
from frost_hsm.backends.pkcs11.calls.answers import Answer, Stale
from frost_hsm.backends.pkcs11.session import PrivateKey, SharedSession
from frost_hsm.errors import (
    KeyExists,
    KeyNotFound,
    KeyPolicy,
    NotPossible,
    PinUnusable,
    SealBroken,
    TokenProblem,
)
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.secret import Secret

_Done = TypeVar("_Done")

_MECHANISMS = {
    Mechanism.ECDSA: Capability.SIGN,
    Mechanism.ECDH1_DERIVE: Capability.AGREE,
    Mechanism.RSA_PKCS_OAEP: Capability.DECRYPT,
    Mechanism.EC_KEY_PAIR_GEN: Capability.GENERATE,
}

_NOT_FOR_THIS = {"CKR_KEY_FUNCTION_NOT_PERMITTED", "CKR_KEY_TYPE_INCONSISTENT"}
"""What a token answers about a key that has other uses; kryoptic also that it does not know a mechanism it has."""

_AGAIN = "run it again: a module that mixes up its objects does so no longer once it has started anew"


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
            with self._use("looking for mechanisms"):
                known = self._session.token.slot.get_mechanisms()
                found = {capability for mechanism, capability in _MECHANISMS.items() if mechanism in known}
                if records.are_taken(self._session, private=self._logged_in):
                    found.add(Capability.DATA)
                self._capabilities = frozenset(found)
        return self._capabilities

    # ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────

    def generate(self, kind: KeyKind, key_id: bytes, label: str) -> bytes:
        """Make a key pair inside; returns its SubjectPublicKeyInfo."""
        check_new_key_id(key_id)
        check_name("a key label", label)
        with self._login(f"making a {kind} key"):
            if self._find(ObjectClass.PRIVATE_KEY, key_id):
                raise KeyExists(f"{self._session.name} has a key {key_id.hex()} already")
            public, private = generating.make(self._session, kind, key_id, label)
            told = self._session.read(private, (*attributes.CLAIMS, Attribute.KEY_TYPE, Attribute.ID))
            published = self._session.read(public, (*attributes.public_attributes(told), Attribute.ID))
            if any(each.get(Attribute.ID, key_id) != key_id for each in (told, published)):  # so does tpm2-pkcs11
                raise TokenProblem(
                    f"{self._session.name} shows another object in the place of the key it made", hint=_AGAIN
                )
            claims = attributes.audit(told)
            encoded = attributes.public_key_info(published)
            if claims.is_confined and encoded is not None:
                return encoded
            self._session.destroy(public)
            self._session.destroy(private)
            if encoded is None:
                raise TokenProblem(f"{self._session.name} does not give the public key of the key it made")
            raise KeyPolicy(
                f"the key that {self._session.name} made does not stay inside, and is destroyed: {claims}",
                hint="use another token",
            )

    def keys(self) -> list[TokenKey]:
        """List the private keys of the three kinds, once for each use; others on the token are passed over."""
        with self._login("listing keys"):
            found = self._find(ObjectClass.PRIVATE_KEY)
            if not found:
                self._session.check_serial()
            return [key for handle in found for key in self._describe_key(handle)]

    def sign(self, key_id: bytes, digest: bytes) -> bytes:
        """Sign a digest; returns r ‖ s."""
        check_key_id(key_id)
        check_digest(digest)
        with self._login("signing") as session:
            signature = self._with_key(
                key_id,
                KeyKind.SIGN,
                lambda key: self._session.module.functions.sign(
                    session, key.handle, digest, self._session.pin_again(key)
                ),
            )
        if len(signature) != 64:
            raise TokenProblem(f"{self._session.name} made a signature of {len(signature)} bytes, not 64")
        return signature

    def agree(self, key_id: bytes, peer_point: bytes) -> Secret:
        """Multiply with a peer's point; returns the x coordinate, read straight into memory that is wiped."""
        check_key_id(key_id)
        check_point(peer_point)
        with self._login("agreeing on a secret"):
            agreed = self._with_key(key_id, KeyKind.AGREE, lambda key: self._derive(key, peer_point))
            secret = Secret.zeros(32)
            try:
                with secret.reveal() as view:
                    length = self._session.read_value(agreed, view)
                    if 0 < length < 32:  # a token that leaves leading zeros away
                        view[32 - length :] = bytes(view[:length])
                        view[: 32 - length] = bytes(32 - length)
            finally:
                self._session.destroy(agreed)
            if length == 0:
                raise TokenProblem(f"{self._session.name} gave an empty secret")
            return secret

    def _derive(self, key: PrivateKey, point: bytes) -> int:
        try:
            return self._session.module.functions.derive(
                self._session.handle, key.handle, point, attributes.AGREED_SECRET
            )
        except Answer as answer:
            if answer.name == "CKR_USER_NOT_LOGGED_IN" and self._session.pin_again(key) is not None:
                raise KeyPolicy(
                    f"this key of {self._session.name} wants the PIN for each use, and cannot be given it to agree",
                    hint="make a key to agree whose PIN is asked once a session, as slot 9d of a YubiKey has it",
                ) from answer
            raise

    def decrypt(self, key_id: bytes, ciphertext: bytes, oaep_hash: OaepHash) -> Secret:
        """Decrypt RSA-OAEP. What does not open is told from a token that fails by a ciphertext made on the spot."""
        check_key_id(key_id)
        with self._login("decrypting"):
            return self._with_key(key_id, KeyKind.DECRYPT, lambda key: self._decrypt(key, ciphertext, oaep_hash))

    def _decrypt(self, key: PrivateKey, ciphertext: bytes, oaep_hash: OaepHash) -> Secret:
        broken = SealBroken(f"decryption by {self._session.name} failed")
        public = oaep.public_numbers(self._session, key)
        if not oaep.can_open(public, ciphertext):
            raise broken
        try:
            return oaep.decrypt(self._session, key, public, ciphertext, oaep_hash)
        except Stale:
            raise
        except Answer as answer:
            if answer.name in _NOT_FOR_THIS or not oaep.opens(self._session, key, public, oaep_hash):
                raise
            raise broken from None

    def oaep_hashes(self) -> frozenset[OaepHash]:
        """The hashes that a decryption with a key of the token, or one made for the test, succeeds with."""
        if Capability.DECRYPT not in self.capabilities or self._oaep_hashes:
            return self._oaep_hashes
        with self._login("trying RSA-OAEP"):
            held = (self._read_key(handle) for handle in self._find(ObjectClass.PRIVATE_KEY))
            rsa = (key for key in held if attributes.is_for(key.told, KeyKind.DECRYPT))
            self._oaep_hashes = oaep.known_hashes(self._session, next(rsa, None))
        return self._oaep_hashes

    def delete_key(self, key_id: bytes) -> None:
        """Destroy a key pair and its certificate."""
        check_key_id(key_id)
        with self._login("deleting a key"):
            for object_class in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY, ObjectClass.CERTIFICATE):
                for handle in self._find(object_class, key_id):
                    if self._session.read(handle, (Attribute.ID,)).get(Attribute.ID) == key_id:
                        self._session.destroy(handle)
            self._session.forget_keys()

    # ── Certificates ─────────────────────────────────────────────────────────────────────────────────────

    def store_certificate(self, key_id: bytes, label: str, der: bytes) -> None:
        """Put a certificate beside the key."""
        check_key_id(key_id)
        check_name("a certificate label", label)
        template = attributes.certificate_template(key_id, label, der)
        with self._login("storing a certificate") as session:
            held = self._find(ObjectClass.CERTIFICATE, key_id)
            stored = [self._session.read(handle, (Attribute.VALUE,)).get(Attribute.VALUE) for handle in held]
            if not stored:
                self._session.module.functions.create(session, template)
            elif stored != [der]:
                raise KeyExists(f"{self._session.name} has another certificate for key {key_id.hex()}")

    def certificates(self) -> list[StoredCertificate]:
        """List the certificates."""
        with self._use("listing certificates"):
            found = self._find(ObjectClass.CERTIFICATE)
            if not found:
                self._session.check_serial()
            wanted = (Attribute.ID, Attribute.LABEL, Attribute.VALUE)
            told = [self._session.read(handle, wanted) for handle in found]
            return [
                StoredCertificate(each.get(Attribute.ID, b""), each.get(Attribute.LABEL, ""), each[Attribute.VALUE])
                for each in told
                if each.get(Attribute.VALUE)
            ]

    # ── Records ──────────────────────────────────────────────────────────────────────────────────────────

    def record_names(self, beginning: str = "") -> list[str]:
        """List the names of our records."""
        with self._login("listing records"):
            return records.names(self._session, beginning)

    def write_record(self, name: str, value: bytes) -> None:
        """Create a record."""
        check_record(name, value)
        with self._login(f'writing record "{name}"'):
            records.write(self._session, name, value)

    def read_record(self, name: str) -> bytes:
        """Read a record."""
        check_name("a record name", name)
        with self._login(f'reading record "{name}"'):
            return records.read(self._session, name)

    def delete_record(self, name: str) -> None:
        """Destroy a record, and look whether it is gone."""
        check_name("a record name", name)
        with self._login(f'deleting record "{name}"'), self._session.module.alone():
            records.delete(self._session, name)

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
    def _use(self, doing: str) -> Iterator[int]:
        with self._session.use(doing) as session:
            if self._closed:
                raise NotPossible(f"{self._session.name} is closed", hint="open it again")
            yield session

    @contextmanager
    def _login(self, doing: str) -> Iterator[int]:
        with self._use(doing) as session:
            if not self._logged_in:
                raise PinUnusable(f"{self._session.name} was opened without a PIN, which {doing} needs")
            yield session

    def _find(self, object_class: ObjectClass, key_id: bytes | None = None) -> list[int]:
        wanted: attributes.Template = {Attribute.CLASS: object_class}
        if key_id is not None:
            wanted[Attribute.ID] = key_id
        return self._session.find(wanted)

    def _with_key(self, key_id: bytes, kind: KeyKind, operation: Callable[[PrivateKey], _Done]) -> _Done:
        """Do something with a private key; its handle is searched again if another process replaced it.

        Whether the key is for this is left to the token: what it says of a key's uses is not always so.
        """
        try:
            try:
                return operation(self._session.private_key(key_id, kind))
            except Stale:
                self._session.forget_keys()
                return operation(self._session.private_key(key_id, kind))
        except Answer as answer:
            is_known = Capability(kind.value) in self.capabilities
            if answer.name not in _NOT_FOR_THIS and not (answer.name == "CKR_MECHANISM_INVALID" and is_known):
                raise
            raise KeyNotFound(
                f"{self._session.name}: key {key_id.hex()} is not one for {kind} ({answer.name})"
            ) from answer

    def _read_key(self, handle: int) -> PrivateKey:
        return PrivateKey(handle, self._session.read(handle, attributes.PRIVATE_KEY))

    def _describe_key(self, handle: int) -> Iterator[TokenKey]:
        told = self._session.read(handle, (*attributes.PRIVATE_KEY, *attributes.CLAIMS))
        key_id = told.get(Attribute.ID)
        kinds = attributes.kinds_of(told)
        encoded = self._public_key(handle, told, key_id) if key_id and kinds else None
        if key_id and encoded is not None:
            for kind in kinds:
                label = told.get(Attribute.LABEL) or ""
                yield TokenKey(key_id, label, kind, encoded, attributes.audit(told))

    def _public_key(self, private: int, told: attributes.Told, key_id: bytes) -> bytes | None:
        """Put a public key together: of what the private key tells, its public one, or a certificate."""
        wanted = attributes.public_attributes(told)
        known = self._session.read(private, wanted)
        encoded = attributes.public_key_info(known)
        if encoded is None:
            for handle in self._find(ObjectClass.PUBLIC_KEY, key_id):
                encoded = encoded or attributes.public_key_info({**known, **self._session.read(handle, wanted)})
        return encoded
