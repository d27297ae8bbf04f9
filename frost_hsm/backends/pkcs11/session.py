"""The one session that this process has with a token: shared, counted, logged in once.

A login belongs to the process and the token, not to a session, and closing a session of python-pkcs11's that
logged in logs all the others out. So everybody who opens a token shares one session, and the last who needs
the login logs out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pkcs11
from pkcs11 import Attribute, TokenFlag

from frost_hsm.backends import KeyKind
from frost_hsm.backends.pkcs11.answers import BINDING_ERRORS, Answer, explain, explained, name_of
from frost_hsm.backends.pkcs11.attributes import attribute_mapper, private_key_template
from frost_hsm.backends.pkcs11.module import PAUSES, Module, locked
from frost_hsm.errors import KeyNotFound, TokenLost

_SEARCHES = 5
_Key = tuple[str, int, bytes, str]
_sessions: dict[_Key, SharedSession] = {}

STALE = (pkcs11.ObjectHandleInvalid, pkcs11.KeyHandleInvalid)
"""What a module answers about an object that was destroyed since it was found, or with its token."""


class SharedSession:
    """A session, and how many use it. `acquire` makes or finds it; `use` is the way to everything in it."""

    def __init__(self, key: _Key, module: Module, token: pkcs11.Token) -> None:
        self._key = key
        self._users = 0
        self._logins = 0
        self._owns_login = False
        self._lost: str | None = None
        self._keys: dict[tuple[bytes, KeyKind], Any] = {}
        self.module = module
        self.token = token
        self.name = f'token "{token.label}"'
        writable = not token.flags & TokenFlag.WRITE_PROTECTED
        self._raw = token.open(rw=writable, attribute_mapper=attribute_mapper())
        module.open_sessions += 1
        self._handle: int = self._raw.handle  # type: ignore[attr-defined]  # not among the binding's stubs

    @classmethod
    def acquire(cls, module: Module, token: pkcs11.Token) -> SharedSession:
        """Return the session with ``token``, opened if there is none; undone by `release`."""
        key = (module.path, token.slot.slot_id, token.serial, token.label)
        with locked(), explained(f'opening token "{token.label}"'):
            session = _sessions.get(key)
            if session is None:
                session = _sessions[key] = cls(key, module, token)
            session._users += 1
            return session

    def release(self, *, logged_in: bool) -> None:
        """Count one user less: the last login logs out, the last user closes. Never raises."""
        with suppress(TokenLost), locked():
            self._users -= 1
            self._logins -= logged_in
            if self._lost is not None:
                return
            if self._logins == 0 and self._owns_login:
                self._owns_login = False
                with suppress(Answer):
                    self.module.native.logout(self._handle)
            if self._users == 0:
                self._close()

    def log_in(self, ask: Callable[[], str | None]) -> None:
        """Count a login; the first one is made with the PIN that ``ask`` returns, once.

        The lock is not held while ``ask`` waits for a person. Raises what `explain` makes of a refusal.
        """
        with locked():
            if self._logins or not self.token.flags & TokenFlag.LOGIN_REQUIRED:
                self._logins += 1
                return
        pin = ask()
        with self.use("login"):
            if not self._logins:  # nobody else was quicker
                self._log_in_first(pin)
            self._logins += 1

    def _log_in_first(self, pin: str | None) -> None:
        self.check_serial()
        try:
            self.module.native.login(self._handle, pin)
            self._owns_login = True
        except Answer as answer:
            if name_of(answer) != "CKR_USER_ALREADY_LOGGED_IN":  # by another library in this process: fine
                raise explain(answer, f"login to {self.name}") from None

    @contextmanager
    def use(self, doing: str) -> Iterator[pkcs11.Session]:
        """Lend the session, to one thread at a time; after an error that nobody expects it is given up."""
        with locked():
            if self._lost is not None:
                raise TokenLost(self._lost)
            try:
                with explained(f"{self.name}, {doing}"):
                    try:
                        yield self._raw
                    except STALE as error:
                        raise self.not_found("lost an object to another process") from error
            except TokenLost as error:
                self._give_up(str(error))
                raise

    def private_key(self, key_id: bytes, kind: KeyKind) -> Any:
        """Find a private key by its CKA_ID and use; remembered until `forget_keys`. Raises `KeyNotFound`."""
        remembered = self._keys.get((key_id, kind))
        if remembered is not None:
            return remembered
        found = self.find(private_key_template(key_id, kind))
        if not found:
            raise self.not_found(f"no {kind} key {key_id.hex()}")
        self._keys[key_id, kind] = found[0]
        return found[0]

    def forget_keys(self) -> None:
        """Search for private keys afresh."""
        self._keys.clear()

    def read_value(self, item: Any, target: memoryview) -> int:
        """Read CKA_VALUE into memory that the caller wipes; returns its length."""
        return self.module.native.read_value(self._handle, item.handle, target)

    def find(self, template: dict[Attribute, Any]) -> list[Any]:
        """Find objects. The search is over when this returns: the module allows no other call within one.

        An object that another process destroys meanwhile fails the search, so it is made again.
        """
        for _ in range(_SEARCHES - 1):
            with suppress(*STALE):
                return list(self._raw.get_objects(template))
        return list(self._raw.get_objects(template))

    def not_found(self, what: str) -> KeyNotFound:
        """Make the error for something missing; a token that was exchanged or emptied raises `TokenLost`."""
        self.check_serial()
        return KeyNotFound(f"{self.name} has {what}")

    def check_serial(self) -> None:
        """Raise `TokenLost` if the slot does not hold the token that was opened any more."""
        for pause in PAUSES:
            time.sleep(pause)
            reason = self._what_is_else()
            if reason is None:
                return
        raise TokenLost(f"{self.name} {reason}")

    def _what_is_else(self) -> str | None:
        try:
            now = self.token.slot.get_token()
        except pkcs11.PKCS11Error as error:
            return f"is gone ({name_of(error)})"
        if (now.serial, now.label) != (self.token.serial, self.token.label):
            return "was exchanged or initialised again; its serial is another one"
        return None

    def _give_up(self, reason: str) -> None:
        if self._lost is None:
            self._lost = reason
            self._close()

    def _close(self) -> None:
        self._keys.clear()
        del _sessions[self._key]
        self.module.open_sessions -= 1
        with suppress(*BINDING_ERRORS):
            self._raw.close()
