"""The functions of a module that python-pkcs11 does not offer, or offers in a way that we cannot use.

- C_Login on a session that is open: `pkcs11.Token.open` opens one for the login, and loses it, open, if the
  login fails. A token has few sessions.
- C_Logout without closing a session.
- C_GetAttributeValue into a buffer of ours: the binding's ``bytes`` cannot be wiped.

They are called through the very function list that python-pkcs11 holds: p11-kit makes a new, uninitialised one for
everybody who asks with C_GetFunctionList.
"""

from __future__ import annotations

import ctypes
from typing import Any

from frost_hsm.backends.pkcs11.answers import Answer
from frost_hsm.errors import ModuleUnavailable

CKU_USER = 1
CKA_VALUE = 0x11

# positions in CK_FUNCTION_LIST, PKCS#11 v2.40 to v3.2
_GET_INFO, _LOGIN, _LOGOUT, _GET_ATTRIBUTE_VALUE = 2, 18, 19, 24


class _FunctionList(ctypes.Structure):
    _fields_ = [("version", ctypes.c_ubyte * 2), ("functions", ctypes.c_void_p * 68)]


class _Attribute(ctypes.Structure):
    _fields_ = [("type", ctypes.c_ulong), ("value", ctypes.c_void_p), ("length", ctypes.c_ulong)]


class _Info(ctypes.Structure):
    _fields_ = [
        ("cryptoki_version", ctypes.c_ubyte * 2),
        ("manufacturer", ctypes.c_char * 32),
        ("flags", ctypes.c_ulong),
        ("description", ctypes.c_char * 32),
        ("library_version", ctypes.c_ubyte * 2),
    ]


_HANDLE = ctypes.c_ulong
_GetInfo = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.POINTER(_Info))
_Login = ctypes.CFUNCTYPE(ctypes.c_ulong, _HANDLE, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong)
_Logout = ctypes.CFUNCTYPE(ctypes.c_ulong, _HANDLE)
_GetAttributeValue = ctypes.CFUNCTYPE(ctypes.c_ulong, _HANDLE, _HANDLE, ctypes.POINTER(_Attribute), ctypes.c_ulong)


class NativeFunctions:
    """Three functions of a loaded module. Raise `Answer` for every return value but CKR_OK."""

    def __init__(self, library: Any) -> None:
        """library: what ``pkcs11.lib`` gave. Raises `ModuleUnavailable` if its function list is not where it was."""
        functions = _function_list(library).functions
        self._login = _Login(functions[_LOGIN])
        self._logout = _Logout(functions[_LOGOUT])
        self._get_attribute_value = _GetAttributeValue(functions[_GET_ATTRIBUTE_VALUE])

    def login(self, session: int, pin: str | None) -> None:
        """Log the user in, with a PIN, or on the token's own pad if it is None."""
        encoded = None if pin is None else pin.encode()
        _check(self._login(session, CKU_USER, encoded, len(encoded or b"")))

    def logout(self, session: int) -> None:
        """Log out, in every session that this process has with the token."""
        _check(self._logout(session))

    def read_value(self, session: int, handle: int, target: memoryview) -> int:
        """Read an object's CKA_VALUE into ``target``; returns its length, which is at most that of target."""
        buffer = (ctypes.c_ubyte * len(target)).from_buffer(target)
        attribute = _Attribute(CKA_VALUE, ctypes.addressof(buffer), len(target))
        value = self._get_attribute_value(session, handle, ctypes.byref(attribute), 1)
        del buffer  # or a traceback would keep the view from being released
        _check(value)
        return int(attribute.length)


def _function_list(library: Any) -> _FunctionList:
    """Return the function list of a library object: the first member of its C class, whose size says if it is so."""
    holder = type(library).__base__
    size = getattr(holder, "__basicsize__", 0) - object.__basicsize__
    if getattr(holder, "__name__", "") != "HasFuncList" or size != 3 * ctypes.sizeof(ctypes.c_void_p):
        raise _UNKNOWN_BINDING
    address = ctypes.c_void_p.from_address(id(library) + object.__basicsize__).value
    if not address:
        raise _UNKNOWN_BINDING
    functions = _FunctionList.from_address(address)
    info = _Info()
    _check(_GetInfo(functions.functions[_GET_INFO])(ctypes.byref(info)))
    if bytes(info.manufacturer).rstrip(b" \0").decode("utf-8", "replace") != library.manufacturer_id.rstrip(" \0"):
        raise _UNKNOWN_BINDING
    return functions


_UNKNOWN_BINDING = ModuleUnavailable(
    "this version of python-pkcs11 keeps its functions in another way", hint="install python-pkcs11 0.10"
)


def _check(value: int) -> None:
    if value != 0:
        raise Answer(value)
