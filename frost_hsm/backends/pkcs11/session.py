"""The one session that this process has with a token: shared, counted, logged in once.

A login belongs to the process and the token, not to a session, and closing a session of python-pkcs11's that
logged in logs all the others out. So everybody who opens a token shares one session, and the last who needs
the login logs out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self

import pkcs11
from pkcs11 import Attribute, TokenFlag

from frost_hsm.backends import KeyKind
from frost_hsm.backends.pkcs11.calls import attributes
from frost_hsm.backends.pkcs11.calls.answers import Answer, Stale, explain, explained, name_of, says_nothing
from frost_hsm.backends.pkcs11.calls.attributes import Template, Told
from frost_hsm.backends.pkcs11.calls.native import PinAgain
from frost_hsm.backends.pkcs11.modules.module import Module, locked, pauses
from frost_hsm.errors import KeyNotFound, TokenLost, TokenProblem
from frost_hsm.secret import Secret

_SEARCHES = 5
_Key = tuple[str, int, bytes, str]
_sessions: dict[_Key, SharedSession] = {}


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key that was found, and what the token told of it then."""

    handle: int
    told: Told


class SharedSession:
    """A session, and how many use it. `acquire` makes or finds it; `use` is the way to everything in it."""

    def __init__(self, key: _Key, module: Module, token: pkcs11.Token) -> None:
        self._key = key
        self._users = 0
        self._logins = 0
        self._owns_login = False
        self._ended: TokenProblem | None = None
        self._pin: Secret | None = None  # while logged in, for keys that want it at each use
        self._keys: dict[tuple[bytes, KeyKind], PrivateKey] = {}
        self.records: dict[str, int] = {}  # where those are that were read or written; looked at again before they go
        self.module = module
        self.token = token
        self.name = f'token "{token.label}"'
        writable = not token.flags & TokenFlag.WRITE_PROTECTED
        self.handle = module.functions.open_session(token.slot.slot_id, writable=writable)
        module.open_sessions += 1

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

    @classmethod
    def resume(cls, path: str, is_wanted: Callable[[Module, pkcs11.Token], bool]) -> tuple[pkcs11.Token, Self] | None:
        """Return a token as it is now, and the session that is open with it, if there is one; undone by `release`.

        path: of the module, as it was loaded. is_wanted: says of a module and a token whether it is the one.
        """
        with locked():
            for key, session in _sessions.items():
                if key[0] == path and isinstance(session, cls) and is_wanted(session.module, session.token):
                    with suppress(pkcs11.PKCS11Error):
                        now = session.token.slot.get_token()
                        if (now.serial, now.label) == (session.token.serial, session.token.label):
                            session._users += 1
                            return now, session
        return None

    def release(self, *, logged_in: bool) -> None:
        """Count one user less: the last login logs out, the last user closes. Never raises."""
        with suppress(TokenLost), locked():
            self._users -= 1
            self._logins -= logged_in
            if self._ended is not None:
                return
            if self._logins == 0 and self._owns_login:
                self._owns_login = False
                self._forget_pin()
                with suppress(Answer):
                    self.module.functions.logout(self.handle)
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
        self.module.require_space()
        secret = None if pin is None else Secret(pin.encode())
        try:
            self.module.functions.login(self.handle, secret)
            self._owns_login = True
        except Answer as answer:
            if answer.name != "CKR_USER_ALREADY_LOGGED_IN":  # by another library in this process: fine
                if secret is not None:
                    secret.wipe()
                raise explain(answer, f"login to {self.name}") from answer
        self._pin = secret

    @contextmanager
    def use(self, doing: str) -> Iterator[int]:
        """Lend the session, to one thread at a time; after an error that nobody expects it is given up.

        Only a token that is gone, or another, is lost; of one that is still there it is said that it failed.
        """
        with locked():
            if self._ended is not None:
                raise type(self._ended)(str(self._ended), hint=self._ended.hint)
            try:
                with explained(f"{self.name}, {doing}"):
                    try:
                        yield self.handle
                    except Stale as error:
                        raise self.not_found("lost an object to another process") from error
            except TokenProblem as error:
                cause, reason = error.__cause__, None
                if isinstance(cause, Exception) and says_nothing(cause):
                    reason = self._what_is_else()
                    self._give_up(error if reason is None else TokenLost(f"{self.name} {reason}"))
                elif isinstance(error, TokenLost):
                    self._give_up(error)
                if reason is not None:
                    raise TokenLost(f"{self.name}, {doing}: it {reason}") from cause
                raise

    def private_key(self, key_id: bytes, kind: KeyKind) -> PrivateKey:
        """Find a private key by its CKA_ID and type; remembered until `forget_keys`. Raises `KeyNotFound`.

        Of several keys that share the id, the one that claims the use is taken.
        """
        remembered = self._keys.get((key_id, kind))
        if remembered is not None:
            return remembered
        candidates = []
        for handle in self.find(attributes.private_key_template(key_id, kind)):
            told = self.read(handle, attributes.PRIVATE_KEY)
            if told.get(Attribute.ID) == key_id:  # the handle is still that of what was found
                candidates.append(PrivateKey(handle, told))
        candidates.sort(key=lambda key: attributes.is_for(key.told, kind), reverse=True)
        if not candidates:
            raise self.not_found(f"no {kind} key {key_id.hex()}")
        self._keys[key_id, kind] = candidates[0]
        return candidates[0]

    def forget_keys(self) -> None:
        """Search for private keys afresh."""
        self._keys.clear()

    def pin_again(self, key: PrivateKey) -> PinAgain | None:
        """Return what gives the PIN for one use of a key, if it wants that."""
        return (lambda: self._pin) if key.told.get(Attribute.ALWAYS_AUTHENTICATE) else None

    def read(self, handle: int, wanted: tuple[Attribute, ...]) -> Told:
        """Read attributes of an object; those that the token does not tell are left out."""
        return self.module.functions.read(self.handle, handle, wanted)

    def read_value(self, handle: int, target: memoryview) -> int:
        """Read CKA_VALUE into memory that the caller wipes; returns its length."""
        return self.module.functions.read_value(self.handle, handle, target)

    def find(self, template: Template) -> list[int]:
        """Find objects. An object that another process destroys meanwhile fails the search, so it is made again."""
        for _ in range(_SEARCHES - 1):
            with suppress(Stale):
                return self.module.functions.find(self.handle, template)
        return self.module.functions.find(self.handle, template)

    def create(self, template: Template) -> int:
        """Create an object."""
        return self.module.functions.create(self.handle, template)

    def destroy(self, handle: int) -> bool:
        """Destroy an object; False if it is gone already, because another process was quicker."""
        try:
            self.module.functions.destroy(self.handle, handle)
        except Stale:
            return False
        except Answer as answer:
            if answer.name not in ("CKR_FUNCTION_FAILED", "CKR_GENERAL_ERROR"):  # SoftHSM2 says so when a file is gone
                raise
            return False
        return True

    def not_found(self, what: str) -> KeyNotFound:
        """Make the error for something missing; a token that was exchanged or emptied raises `TokenLost`."""
        self.check_serial()
        return KeyNotFound(f"{self.name} has {what}")

    def check_serial(self) -> None:
        """Raise `TokenLost` if the slot does not hold the token that was opened any more."""
        for pause in pauses():
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

    def _give_up(self, error: TokenProblem) -> None:
        if self._ended is None:
            self._ended = error
            self._close()

    def _close(self) -> None:
        self._keys.clear()
        self.records.clear()
        self._forget_pin()
        del _sessions[self._key]
        self.module.open_sessions -= 1
        with suppress(Answer):
            self.module.functions.close_session(self.handle)

    def _forget_pin(self) -> None:
        if self._pin is not None:
            self._pin.wipe()
            self._pin = None
