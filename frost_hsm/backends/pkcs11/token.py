"""An open PKCS#11 token: keys, certificates and records as objects in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self, TypeVar

from pkcs11 import Attribute, Mechanism, ObjectClass, TokenFlag

from frost_hsm.backends import Capability, KeyKind, StoredCertificate, TokenInfo, TokenKey
from frost_hsm.backends.arguments import (
    check_digest,
    check_key_id,
    check_name,
    check_new_key_id,
    check_point,
    check_record,
)
from frost_hsm.backends.pkcs11 import attributes, oaep
from frost_hsm.backends.pkcs11.answers import Answer, Stale
from frost_hsm.backends.pkcs11.session import PrivateKey, SharedSession
from frost_hsm.errors import (
    KeyExists,
    KeyNotFound,
    KeyPolicy,
    MechanismUnsupported,
    NotPossible,
    PinUnusable,
    SealBroken,
    TokenLost,
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

_TEMPLATE_REFUSED = {
    "CKR_ARGUMENTS_BAD",
    "CKR_ATTRIBUTE_READ_ONLY",
    "CKR_ATTRIBUTE_TYPE_INVALID",
    "CKR_ATTRIBUTE_VALUE_INVALID",
    "CKR_FUNCTION_FAILED",
    "CKR_GENERAL_ERROR",
    "CKR_TEMPLATE_INCONSISTENT",
}
"""What tokens answer to an attribute of a new key that they do not want."""

_MAKES_NO_KEYS = {
    "CKR_ACTION_PROHIBITED",
    "CKR_CURVE_NOT_SUPPORTED",
    "CKR_DOMAIN_PARAMS_INVALID",
    "CKR_FUNCTION_NOT_SUPPORTED",
    "CKR_KEY_SIZE_RANGE",
    "CKR_MECHANISM_INVALID",
    "CKR_MECHANISM_PARAM_INVALID",
    "CKR_TEMPLATE_INCOMPLETE",
    "CKR_TOKEN_NOT_RECOGNIZED",  # OpenSC, of a card that cannot
    "CKR_USER_NOT_LOGGED_IN",  # ykcs11, which wants the security officer for it
    "CKR_USER_TYPE_INVALID",
}
"""What else tokens answer that make no such keys, at least not for us."""

_ADOPT = "make one with the token's own tool and adopt it: frost-hsm doctor lists what can be adopted"

_NOT_FOR_THIS = {"CKR_KEY_FUNCTION_NOT_PERMITTED", "CKR_KEY_TYPE_INCONSISTENT"}
"""What a token answers about a key that has other uses."""


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
                if self._takes_data():
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
            public, private = self._generate(kind, key_id, label)
            told = self._session.read(private, (*attributes.CLAIMS, Attribute.KEY_TYPE))
            claims = attributes.audit(told)
            encoded = attributes.public_key_info(self._session.read(public, attributes.public_attributes(told)))
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

    def _generate(self, kind: KeyKind, key_id: bytes, label: str) -> tuple[int, int]:
        """Make a key pair by the first template that the token takes."""
        named = {Attribute.TOKEN: True, Attribute.ID: key_id, Attribute.LABEL: label}
        for public, private in attributes.key_pair_templates(kind):
            try:
                return self._session.module.functions.generate_key_pair(
                    self._session.handle, attributes.generating(kind), {**public, **named}, {**private, **named}
                )
            except Answer as answer:
                if answer.name not in _TEMPLATE_REFUSED | _MAKES_NO_KEYS:
                    raise
                refusal = answer
                if answer.name not in _TEMPLATE_REFUSED:
                    break
        self._session.check_serial()
        raise MechanismUnsupported(f"{self._session.name} makes no {kind} key for us ({refusal.name})", hint=_ADOPT)

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

    def record_names(self) -> list[str]:
        """List the names of our records."""
        ours = {Attribute.CLASS: ObjectClass.DATA, Attribute.APPLICATION: attributes.APPLICATION}
        with self._login("listing records"):
            found = self._session.find(ours)
            if not found:
                self._session.check_serial()
            names = [self._session.read(handle, (Attribute.LABEL,)).get(Attribute.LABEL) for handle in found]
            return [name for name in names if name]

    def write_record(self, name: str, value: bytes) -> None:
        """Create a record, and read back what came of it.

        PKCS#11 keeps no names apart. Of two processes that create the same one at the same instant, both may be
        accepted; then `read_record` refuses to choose.
        """
        check_record(name, value)
        wanted = attributes.record_template(name)
        with self._login(f'writing record "{name}"') as session:
            if self._session.find(wanted):
                raise KeyExists(f'{self._session.name} has a record "{name}" already')
            kept = {Attribute.TOKEN: True, Attribute.PRIVATE: True, Attribute.VALUE: value}
            created = self._session.module.functions.create(session, {**wanted, **kept})
            if self._read_record(created, name) != value:
                raise TokenLost(f'{self._session.name} lost record "{name}" as soon as it was written')

    def read_record(self, name: str) -> bytes:
        """Read a record."""
        check_name("a record name", name)
        with self._login(f'reading record "{name}"'):
            found = self._session.find(attributes.record_template(name))
            if not found:
                raise self._session.not_found(f'no record "{name}"')
            if len(found) > 1:
                raise TokenProblem(f'{self._session.name} has {len(found)} records "{name}"')
            value = self._read_record(found[0], name)
            if value is None:
                raise self._session.not_found(f'no record "{name}"')
            return value

    def delete_record(self, name: str) -> None:
        """Destroy a record, and look whether it is gone."""
        check_name("a record name", name)
        wanted = attributes.record_template(name)
        with self._login(f'deleting record "{name}"'):
            destroyed = [self._destroy_record(handle, name) for handle in self._session.find(wanted)]
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
            if answer.name not in _NOT_FOR_THIS:
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

    def _takes_data(self) -> bool:
        """Whether the token holds data objects; what an answer says of this moment alone is raised."""
        if self._session.token.flags & TokenFlag.WRITE_PROTECTED:
            return False
        probe = {Attribute.TOKEN: False, Attribute.PRIVATE: self._logged_in, Attribute.VALUE: b"probe"}
        try:
            handle = self._session.module.functions.create(
                self._session.handle, {**attributes.record_template("probe"), **probe}
            )
        except Answer as answer:
            if answer.name in _NEVER_DATA:
                return False
            raise
        self._session.destroy(handle)
        return True

    def _read_record(self, handle: int, name: str) -> bytes | None:
        """Read a record that was found; None if it is gone again."""
        told = self._session.read(handle, (Attribute.LABEL, Attribute.APPLICATION, Attribute.VALUE))
        value: bytes | None = told.get(Attribute.VALUE) if self._is_told_of(told, name) else None
        return value

    def _destroy_record(self, handle: int, name: str) -> bool:
        """Destroy a record that was found; False if another process was quicker."""
        shown = (Attribute.LABEL, Attribute.APPLICATION)
        destroyed = self._is_told_of(self._session.read(handle, shown), name) and self._session.destroy(handle)
        left = self._session.read(handle, shown)
        if left.get(Attribute.LABEL) == name and left.get(Attribute.APPLICATION) == attributes.APPLICATION:
            raise TokenProblem(f'{self._session.name} still has record "{name}", though it was destroyed')
        return destroyed

    def _is_told_of(self, told: attributes.Told, name: str) -> bool:
        """Whether an object is this record still; False if it is gone.

        Raises `TokenProblem` if the handle is another object's now: tpm2-pkcs11 gives handles a second time.
        """
        if not told:
            return False
        if (told.get(Attribute.LABEL), told.get(Attribute.APPLICATION)) != (name, attributes.APPLICATION):
            raise TokenProblem(f'{self._session.name} shows another object in the place of record "{name}"')
        return True
