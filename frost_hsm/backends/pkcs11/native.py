"""The functions of a module that python-pkcs11 does not offer, or offers in a way that we cannot use.

- C_Login on a session that is open: `pkcs11.Token.open` opens one for the login, and loses it, open, if the
  login fails. A token has few sessions.
- C_Logout without closing a session.
- C_GetAttributeValue into a buffer of ours: the binding's ``bytes`` cannot be wiped.

The module is the one that python-pkcs11 has loaded and initialised: the system loads a library once.
"""

from __future__ import annotations

import ctypes

from frost_hsm.backends.pkcs11.answers import Answer

CKU_USER = 1
CKA_VALUE = 0x11

# positions in CK_FUNCTION_LIST, PKCS#11 v2.40 to v3.2
_LOGIN, _LOGOUT, _GET_ATTRIBUTE_VALUE = 18, 19, 24


class _FunctionList(ctypes.Structure):
    _fields_ = [("version", ctypes.c_ubyte * 2), ("functions", ctypes.c_void_p * 68)]


class _Attribute(ctypes.Structure):
    _fields_ = [("type", ctypes.c_ulong), ("value", ctypes.c_void_p), ("length", ctypes.c_ulong)]


_HANDLE = ctypes.c_ulong
_Login = ctypes.CFUNCTYPE(ctypes.c_ulong, _HANDLE, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong)
_Logout = ctypes.CFUNCTYPE(ctypes.c_ulong, _HANDLE)
_GetAttributeValue = ctypes.CFUNCTYPE(ctypes.c_ulong, _HANDLE, _HANDLE, ctypes.POINTER(_Attribute), ctypes.c_ulong)


class NativeFunctions:
    """Three functions of a loaded module. Raise `Answer` for every return value but CKR_OK."""

    def __init__(self, path: str) -> None:
        pointer = ctypes.POINTER(_FunctionList)()
        _check(ctypes.CDLL(path).C_GetFunctionList(ctypes.byref(pointer)))
        functions = pointer.contents.functions
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


def _check(value: int) -> None:
    if value != 0:
        raise Answer(value)
