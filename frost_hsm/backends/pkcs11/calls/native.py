"""The functions of a module, called as they are: everything that happens in a session.

python-pkcs11 loads modules, and says what slots and tokens there are. In a session it asks for most things twice, reads
ten attributes of every object it meets, gives secrets out as ``bytes`` that cannot be wiped, and cannot log in to a
session that is open. So from `Functions.open_session` on the module is called here: once for each thing.

The functions are those of the very list that python-pkcs11 holds: p11-kit makes a new, uninitialised one for everybody
who asks with C_GetFunctionList.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pkcs11 import MGF, Attribute, Mechanism
from pkcs11.attributes import AttributeMapper

from frost_hsm.backends.pkcs11.calls.answers import Answer, Stale
from frost_hsm.errors import ModuleUnavailable
from frost_hsm.secret import Secret

Template = Mapping[Attribute, Any]
"""What an object is made with, or found by."""

PinAgain = Callable[[], Secret | None]
"""Gives the PIN for one use of a key that wants it each time (CKA_ALWAYS_AUTHENTICATE); None: on the token's pad."""

_RW_SESSION, _SERIAL_SESSION = 2, 4
_OS_LOCKING_OK = 2
_USER, _CONTEXT_SPECIFIC = 1, 2
_KDF_NULL = 1
_DATA_SPECIFIED = 1
_UNAVAILABLE = ctypes.c_ulong(-1).value
_AT_ONCE = 64  # objects of a search
_LONGEST_SIGNATURE = 256
_ROOM = 16384  # bytes for an attribute, before its length is asked

# positions in CK_FUNCTION_LIST, PKCS#11 v2.40 to v3.2
_POSITIONS = {
    "C_Initialize": 0,
    "C_Finalize": 1,
    "C_GetInfo": 2,
    "C_OpenSession": 12,
    "C_CloseSession": 13,
    "C_Login": 18,
    "C_Logout": 19,
    "C_CreateObject": 20,
    "C_DestroyObject": 22,
    "C_GetAttributeValue": 24,
    "C_FindObjectsInit": 26,
    "C_FindObjects": 27,
    "C_FindObjectsFinal": 28,
    "C_DecryptInit": 33,
    "C_Decrypt": 34,
    "C_DecryptFinal": 36,
    "C_SignInit": 42,
    "C_Sign": 43,
    "C_GenerateKeyPair": 59,
    "C_DeriveKey": 62,
}

_TOLD_APART = {"CKR_ATTRIBUTE_SENSITIVE", "CKR_ATTRIBUTE_TYPE_INVALID", "CKR_BUFFER_TOO_SMALL"}
"""What answers about some attributes of several; the others were given."""

_NOT_TOLD = {
    "CKR_ATTRIBUTE_SENSITIVE",
    "CKR_ATTRIBUTE_TYPE_INVALID",
    "CKR_ATTRIBUTE_VALUE_INVALID",
    "CKR_FUNCTION_FAILED",
    "CKR_OBJECT_HANDLE_INVALID",
}
"""What modules answer to the question for an attribute that they do not tell."""


class _FunctionList(ctypes.Structure):
    _fields_ = [("version", ctypes.c_ubyte * 2), ("functions", ctypes.c_void_p * 68)]


class _Info(ctypes.Structure):
    _fields_ = [
        ("cryptoki_version", ctypes.c_ubyte * 2),
        ("manufacturer", ctypes.c_ubyte * 32),
        ("flags", ctypes.c_ulong),
        ("description", ctypes.c_ubyte * 32),
        ("library_version", ctypes.c_ubyte * 2),
    ]


class _InitializeArguments(ctypes.Structure):
    _fields_ = [("mutexes", ctypes.c_void_p * 4), ("flags", ctypes.c_ulong), ("reserved", ctypes.c_char_p)]


class _Attribute(ctypes.Structure):  # bytes that are put into it live as long as it does
    _fields_ = [("type", ctypes.c_ulong), ("value", ctypes.c_char_p), ("length", ctypes.c_ulong)]


class _Mechanism(ctypes.Structure):
    _fields_ = [("type", ctypes.c_ulong), ("parameter", ctypes.c_void_p), ("length", ctypes.c_ulong)]


class _OaepParameters(ctypes.Structure):
    _fields_ = [
        ("hash", ctypes.c_ulong),
        ("mgf", ctypes.c_ulong),
        ("source", ctypes.c_ulong),
        ("source_data", ctypes.c_void_p),
        ("source_length", ctypes.c_ulong),
    ]


class _EcdhParameters(ctypes.Structure):
    _fields_ = [
        ("kdf", ctypes.c_ulong),
        ("shared_length", ctypes.c_ulong),
        ("shared_data", ctypes.c_void_p),
        ("public_length", ctypes.c_ulong),
        ("public_data", ctypes.c_char_p),
    ]


class Functions:
    """The functions of a loaded module. Raise `Answer` for every return value but CKR_OK; `Stale` for lost handles.

    Sessions, objects and slots are numbers, as the module gives them. mapper: how attributes are written and read.
    """

    def __init__(self, library: Any, mapper: AttributeMapper) -> None:
        """library: what ``pkcs11.lib`` gave. Raises `ModuleUnavailable` if its function list is not where it was."""
        self._list = _function_list(library)
        self._mapper = mapper
        self._functions: dict[str, Callable[..., int]] = {}

    # ── The module ───────────────────────────────────────────────────────────────────────────────────────────

    def initialize(self, reserved: str | None) -> None:
        """Initialise the module, letting it lock; reserved: words of its own that it asks for, or None."""
        words = None if reserved is None else reserved.encode()
        self._call("C_Initialize", ctypes.byref(_InitializeArguments(flags=_OS_LOCKING_OK, reserved=words)))

    def finalize(self) -> None:
        """End what `initialize` began."""
        self._call("C_Finalize", None)

    def manufacturer(self) -> str:
        """Ask who made the module."""
        info = _Info()
        self._call("C_GetInfo", ctypes.byref(info))
        return bytes(info.manufacturer).rstrip(b" \0").decode("utf-8", "replace")

    # ── Sessions ─────────────────────────────────────────────────────────────────────────────────────────────

    def open_session(self, slot: int, *, writable: bool) -> int:
        """Open a session with the token in a slot."""
        session = ctypes.c_ulong()
        flags = _SERIAL_SESSION | (_RW_SESSION if writable else 0)
        self._call("C_OpenSession", _ulong(slot), _ulong(flags), None, None, ctypes.byref(session))
        return session.value

    def close_session(self, session: int) -> None:
        """Close a session."""
        self._call("C_CloseSession", _ulong(session))

    def login(self, session: int, pin: Secret | None) -> None:
        """Log the user in, with a PIN, or on the token's own pad if it is None."""
        self._login(session, _USER, pin)

    def logout(self, session: int) -> None:
        """Log out, in every session that this process has with the token."""
        self._call("C_Logout", _ulong(session))

    def _login(self, session: int, user: int, pin: Secret | None) -> None:
        if pin is None:
            self._call("C_Login", _ulong(session), _ulong(user), None, _ulong(0))
            return
        with pin.reveal() as view:
            self._call("C_Login", _ulong(session), _ulong(user), _address(view), _ulong(len(view)))

    # ── Objects ──────────────────────────────────────────────────────────────────────────────────────────────

    def find(self, session: int, template: Template) -> list[int]:
        """Find objects. The search is over when this returns: a module allows no other call within one."""
        wanted = self._pack(template)
        self._call("C_FindObjectsInit", _ulong(session), wanted, _ulong(len(wanted)))
        found: list[int] = []
        handles, count = (ctypes.c_ulong * _AT_ONCE)(), ctypes.c_ulong(_AT_ONCE)
        try:
            while count.value == _AT_ONCE:
                self._call("C_FindObjects", _ulong(session), handles, _ulong(_AT_ONCE), ctypes.byref(count))
                found += handles[: count.value]
        except Answer:
            with suppress(Answer):
                self._call("C_FindObjectsFinal", _ulong(session))
            raise
        self._call("C_FindObjectsFinal", _ulong(session))
        return found

    def read(self, session: int, handle: int, wanted: Sequence[Attribute]) -> dict[Attribute, Any]:
        """Read attributes, all in one call if the module can; those that it does not tell are left out."""
        told, answer = self._ask(session, handle, dict.fromkeys(wanted, _ROOM))
        if isinstance(answer, Stale):  # destroyed by another process since it was found
            return {}
        if answer is not None:
            if answer.name not in _TOLD_APART:  # some modules fail when they are asked for many
                told = {}
            for each in wanted:
                if each not in told:
                    told |= self._read_one(session, handle, each)
        values = {}
        for attribute, data in told.items():
            with suppress(ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError):
                values[attribute] = self._mapper.unpack_attributes(attribute, data)
        return values

    def read_value(self, session: int, handle: int, target: memoryview) -> int:
        """Read an object's CKA_VALUE into ``target``; returns its length, which is at most that of target."""
        attribute = _Attribute(Attribute.VALUE, _address(target).value, len(target))
        self._call("C_GetAttributeValue", _ulong(session), _ulong(handle), ctypes.byref(attribute), _ulong(1))
        return int(attribute.length)

    def create(self, session: int, template: Template) -> int:
        """Create an object."""
        attributes, handle = self._pack(template), ctypes.c_ulong()
        self._call("C_CreateObject", _ulong(session), attributes, _ulong(len(attributes)), ctypes.byref(handle))
        return handle.value

    def destroy(self, session: int, handle: int) -> None:
        """Destroy an object."""
        self._call("C_DestroyObject", _ulong(session), _ulong(handle))

    def _read_one(self, session: int, handle: int, attribute: Attribute) -> dict[Attribute, bytes]:
        length, answer = self._ask(session, handle, {attribute: 0})
        if answer is None and length.get(attribute):
            length, answer = self._ask(session, handle, {attribute: len(length[attribute])})
        if answer is not None and answer.name not in _NOT_TOLD:
            raise answer
        return {} if answer is not None else length

    def _ask(
        self, session: int, handle: int, rooms: Mapping[Attribute, int]
    ) -> tuple[dict[Attribute, bytes], Answer | None]:
        """Read attributes into so many bytes each; into none, give as many zeros as it has bytes."""
        buffers = [ctypes.create_string_buffer(room) if room else None for room in rooms.values()]
        asked = (_Attribute * len(rooms))(
            *(
                _Attribute(attribute, buffer and ctypes.addressof(buffer), room)
                for (attribute, room), buffer in zip(rooms.items(), buffers, strict=True)
            )
        )
        answer = None
        try:
            self._call("C_GetAttributeValue", _ulong(session), _ulong(handle), asked, _ulong(len(asked)))
        except Answer as given:
            answer = given
        told = {}
        for (attribute, room), each, buffer in zip(rooms.items(), asked, buffers, strict=True):
            untouched = answer is not None and each.length == room
            if each.length == _UNAVAILABLE or untouched or (room and each.length > room):
                continue
            told[attribute] = buffer.raw[: each.length] if buffer is not None else bytes(each.length)
        return told, answer

    # ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────

    def generate_key_pair(
        self, session: int, mechanism: Mechanism, public: Template, private: Template
    ) -> tuple[int, int]:
        """Make a key pair; returns the public and the private key."""
        wanted, kept = self._pack(public), self._pack(private)
        handles = ctypes.c_ulong(), ctypes.c_ulong()
        self._call(
            "C_GenerateKeyPair",
            _ulong(session),
            ctypes.byref(_Mechanism(mechanism)),
            wanted,
            _ulong(len(wanted)),
            kept,
            _ulong(len(kept)),
            *map(ctypes.byref, handles),
        )
        return handles[0].value, handles[1].value

    def sign(self, session: int, key: int, data: bytes, again: PinAgain | None) -> bytes:
        """Sign data as it is by CKM_ECDSA. again: gives the PIN for a key that wants it for each use."""
        self._call("C_SignInit", _ulong(session), ctypes.byref(_Mechanism(Mechanism.ECDSA)), _ulong(key))
        signature, length = ctypes.create_string_buffer(_LONGEST_SIGNATURE), ctypes.c_ulong(_LONGEST_SIGNATURE)
        self._finish(session, again, "C_Sign", data, _ulong(len(data)), signature, ctypes.byref(length))
        return signature.raw[: length.value]

    def decrypt(
        self,
        session: int,
        key: int,
        ciphertext: bytes,
        hashed: tuple[Mechanism, MGF],
        target: memoryview,
        again: PinAgain | None,
    ) -> int:
        """Decrypt RSA-OAEP with an empty label into ``target``, which is as long as the modulus; returns the length."""
        parameters = _OaepParameters(*hashed, _DATA_SPECIFIED)
        mechanism = _Mechanism(Mechanism.RSA_PKCS_OAEP, ctypes.addressof(parameters), ctypes.sizeof(parameters))
        self._call("C_DecryptInit", _ulong(session), ctypes.byref(mechanism), _ulong(key))
        length, count = ctypes.c_ulong(len(target)), _ulong(len(ciphertext))
        try:
            self._finish(session, again, "C_Decrypt", ciphertext, count, _address(target), ctypes.byref(length))
        except Answer:
            with suppress(Answer):  # to tpm2-pkcs11 an operation that failed goes on, and no other can begin
                self._call("C_DecryptFinal", _ulong(session), _address(target), ctypes.byref(length))
            raise
        return length.value

    def derive(self, session: int, key: int, point: bytes, template: Template) -> int:
        """Make the secret object of an ECDH with a point, without a KDF."""
        parameters = _EcdhParameters(kdf=_KDF_NULL, public_length=len(point), public_data=point)
        mechanism = _Mechanism(Mechanism.ECDH1_DERIVE, ctypes.addressof(parameters), ctypes.sizeof(parameters))
        attributes, derived = self._pack(template), ctypes.c_ulong()
        self._call(
            "C_DeriveKey",
            _ulong(session),
            ctypes.byref(mechanism),
            _ulong(key),
            attributes,
            _ulong(len(attributes)),
            ctypes.byref(derived),
        )
        return derived.value

    def _finish(self, session: int, again: PinAgain | None, name: str, *arguments: Any) -> None:
        """Finish the operation that was just begun; log in for it first, where its key wants that."""
        try:
            if again is not None:
                self._login(session, _CONTEXT_SPECIFIC, again())
        except BaseException:
            with suppress(Answer):  # or the operation would stay begun
                self._call(name, _ulong(session), *arguments)
            raise
        self._call(name, _ulong(session), *arguments)

    # ── Calling ──────────────────────────────────────────────────────────────────────────────────────────────

    def _pack(self, template: Template) -> ctypes.Array[_Attribute]:
        packed = (_Attribute * len(template))()
        for target, (attribute, value) in zip(packed, template.items(), strict=True):
            data = self._mapper.pack_attribute(attribute, value)
            target.type, target.value, target.length = attribute, data, len(data)
        return packed

    def _call(self, name: str, *arguments: Any) -> None:
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = _Function(self._list.functions[_POSITIONS[name]])
        value = function(*arguments) & _UNAVAILABLE
        if value != 0:
            raise (Stale if value in Stale.VALUES else Answer)(value)


_Function = ctypes.CFUNCTYPE(ctypes.c_ulong)
_ulong = ctypes.c_ulong


def _address(view: memoryview) -> ctypes.c_void_p:
    """Say where memory is that is lent to a call; a traceback then keeps no view that could not be released."""
    return ctypes.c_void_p(ctypes.addressof((ctypes.c_ubyte * len(view)).from_buffer(view)))


_UNKNOWN_BINDING = "this version of python-pkcs11 keeps its functions in another way"


def _function_list(library: Any) -> _FunctionList:
    """Return the function list of a library object: the first member of its C class, whose size says if it is so."""
    holder = next((each for each in type(library).__mro__ if each.__name__ == "HasFuncList"), object)
    address = None
    if holder.__basicsize__ - object.__basicsize__ == 3 * ctypes.sizeof(ctypes.c_void_p):
        address = ctypes.c_void_p.from_address(id(library) + object.__basicsize__).value
    if not address:
        raise ModuleUnavailable(_UNKNOWN_BINDING, hint="install python-pkcs11 0.10")
    return _FunctionList.from_address(address)
