"""What a module's answers mean: every return value, and every slip of the binding, as an error of ours.

python-pkcs11 raises one class a return value, mostly without text; for values that it does not know it raises
`PKCS11Error` with the number. Its conversions may also fail with plain Python errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pkcs11.exceptions import PKCS11Error

from frost_hsm import errors
from frost_hsm.backends.pkcs11.calls.return_values import NAMES
from frost_hsm.errors import FrostHsmError, TokenProblem

BINDING_ERRORS = (
    PKCS11Error,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    TypeError,
    ValueError,
)
"""What a call of python-pkcs11 is known to raise."""

_AGAIN = "run the same command again; if it fails again, frost-hsm doctor says what works"
_FAILED = "the token or its module failed"
_GONE = "the token does not answer, or is not the one it was"

_MEANINGS: dict[str, tuple[type[TokenProblem], str]] = {
    "CKR_PIN_INCORRECT": (errors.PinIncorrect, "the PIN is wrong"),
    "CKR_PIN_INVALID": (errors.PinIncorrect, "the PIN has characters that the token does not allow"),
    "CKR_PIN_LEN_RANGE": (errors.PinIncorrect, "the PIN is too short or too long for the token"),
    "CKR_PIN_LOCKED": (errors.PinLocked, "the PIN is locked"),
    "CKR_PIN_EXPIRED": (errors.PinUnusable, "the PIN has expired; set a new one with the vendor's tool"),
    "CKR_USER_PIN_NOT_INITIALIZED": (errors.PinUnusable, "no user PIN is set"),
    "CKR_FUNCTION_CANCELED": (errors.PinUnusable, "cancelled at the device"),
    "CKR_FUNCTION_REJECTED": (errors.PinUnusable, "refused at the device"),
    "CKR_TOKEN_NOT_RECOGNIZED": (errors.PinUnusable, "the token is not initialised"),
    "CKR_MECHANISM_INVALID": (errors.MechanismUnsupported, "the token does not know the mechanism"),
    "CKR_MECHANISM_PARAM_INVALID": (errors.MechanismUnsupported, "the token does not know this parameter"),
    "CKR_FUNCTION_NOT_SUPPORTED": (errors.MechanismUnsupported, "the module does not offer the function"),
    "CKR_ARGUMENTS_BAD": (errors.MechanismUnsupported, "the module does not take these arguments"),
    "CKR_CURVE_NOT_SUPPORTED": (errors.MechanismUnsupported, "the token does not know the curve"),
    "CKR_DOMAIN_PARAMS_INVALID": (errors.MechanismUnsupported, "the token does not know the curve"),
    "CKR_KEY_SIZE_RANGE": (errors.MechanismUnsupported, "the token does not take keys of this size"),
    "CKR_KEY_FUNCTION_NOT_PERMITTED": (errors.KeyPolicy, "the key may not be used for this"),
    "CKR_KEY_TYPE_INCONSISTENT": (errors.MechanismUnsupported, "the key is not of the type needed"),
    "CKR_ATTRIBUTE_TYPE_INVALID": (errors.MechanismUnsupported, "the token does not know an attribute"),
    "CKR_ATTRIBUTE_VALUE_INVALID": (errors.MechanismUnsupported, "the token refuses an attribute"),
    "CKR_TEMPLATE_INCOMPLETE": (errors.MechanismUnsupported, "the token wants more attributes"),
    "CKR_TEMPLATE_INCONSISTENT": (errors.MechanismUnsupported, "the token refuses these attributes together"),
    "CKR_ATTRIBUTE_SENSITIVE": (errors.KeyPolicy, "the token does not let the value out"),
    "CKR_ATTRIBUTE_READ_ONLY": (errors.KeyPolicy, "the token does not let the attribute change"),
    "CKR_ACTION_PROHIBITED": (errors.KeyPolicy, "the token does not allow it"),
    "CKR_DEVICE_MEMORY": (TokenProblem, "the token is full"),
    "CKR_TOKEN_RESOURCE_EXCEEDED": (TokenProblem, "the token has no room left for this"),
    "CKR_HOST_MEMORY": (TokenProblem, "the module finds no memory on this machine"),
    "CKR_CRYPTOKI_NOT_INITIALIZED": (TokenProblem, "another part of this process ended the module"),
    "CKR_USER_ANOTHER_ALREADY_LOGGED_IN": (TokenProblem, "another user of the token is logged in in this process"),
    "CKR_USER_TYPE_INVALID": (errors.TokenReadOnly, "the token leaves this to its security officer"),
    "CKR_SESSION_COUNT": (TokenProblem, "the token has no session left; close other programs that use it"),
    "CKR_SESSION_READ_ONLY": (errors.TokenReadOnly, "the token cannot be written to"),
    "CKR_TOKEN_WRITE_PROTECTED": (errors.TokenReadOnly, "the token is write-protected"),
    "CKR_USER_NOT_LOGGED_IN": (errors.TokenLost, "another part of this process logged out"),
    "CKR_DEVICE_ERROR": (TokenProblem, _FAILED),
    "CKR_DEVICE_REMOVED": (errors.TokenLost, "the token was removed"),
    "CKR_TOKEN_NOT_PRESENT": (errors.TokenLost, "the token was removed"),
    "CKR_SLOT_ID_INVALID": (errors.TokenLost, "the token was removed"),
    "CKR_SESSION_CLOSED": (errors.TokenLost, _GONE),
    "CKR_SESSION_HANDLE_INVALID": (errors.TokenLost, _GONE),
    "CKR_OBJECT_HANDLE_INVALID": (errors.TokenLost, "the object is gone"),
    "CKR_KEY_HANDLE_INVALID": (errors.TokenLost, "the key is gone"),
    "CKR_GENERAL_ERROR": (TokenProblem, _FAILED),
    "CKR_FUNCTION_FAILED": (TokenProblem, _FAILED),
}

_SPELT = {"TokenNotRecognised": "CKR_TOKEN_NOT_RECOGNIZED", "FunctionCancelled": "CKR_FUNCTION_CANCELED"}
_WORDED = {
    "already initialized": "CKR_CRYPTOKI_ALREADY_INITIALIZED",
    "not initialized": "CKR_CRYPTOKI_NOT_INITIALIZED",
}
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NUMBER = re.compile(r"Unmapped error code (0x[0-9a-f]+)", re.IGNORECASE)


class Answer(Exception):
    """A return value other than CKR_OK of a function that is called past python-pkcs11."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value

    @property
    def name(self) -> str:
        """The standard's name, or the number."""
        return _name(self.value)


class Stale(Answer):
    """The answer about an object that was destroyed since it was found, or with its token."""

    VALUES = (0x60, 0x82)  # CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID


def _name(value: int) -> str:
    return NAMES.get(value, f"return value 0x{value:x}")


def name_of(error: Exception) -> str:
    """Name an error as the standard does, ``CKR_…``, or by its number or the binding's own words."""
    if isinstance(error, Answer):
        return error.name
    if type(error) is PKCS11Error:
        match = _NUMBER.search(str(error))
        if match is not None:
            return _name(int(match[1], 16))
        worded = (name for words, name in _WORDED.items() if words in str(error))
        return next(worded, str(error) or "an unnamed error")
    if isinstance(error, PKCS11Error):
        name = type(error).__name__
        return _SPELT.get(name) or "CKR_" + _WORDS.sub("_", name).upper()
    return f"python-pkcs11 failed with {type(error).__name__}"


def says_nothing(error: Exception) -> bool:
    """Whether an error is one that modules answer for anything, a token that is gone among others."""
    name = name_of(error)
    return name not in _MEANINGS or _MEANINGS[name][1] is _FAILED


def explain(error: Exception, doing: str) -> TokenProblem:
    """Turn an error into the sentence "``doing``: what it means (its name)"."""
    name = name_of(error)
    kind, meaning = _MEANINGS.get(name, (TokenProblem, _FAILED))
    return kind(f"{doing}: {meaning} ({name})", hint=_AGAIN if meaning is _FAILED else None)


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Let nothing out of the block but our own errors."""
    try:
        yield
    except FrostHsmError:
        raise
    except (*BINDING_ERRORS, Answer) as error:
        raise explain(error, doing) from error
