"""Making key pairs in a token: templates are offered until it takes one, since tokens refuse some extras."""

from __future__ import annotations

from pkcs11 import Attribute, Mechanism

from frost_hsm.backends import KeyKind
from frost_hsm.backends.pkcs11.calls import attributes
from frost_hsm.backends.pkcs11.calls.answers import Answer
from frost_hsm.backends.pkcs11.session import SharedSession
from frost_hsm.errors import MechanismUnsupported

_MECHANISM = {
    KeyKind.SIGN: Mechanism.EC_KEY_PAIR_GEN,
    KeyKind.AGREE: Mechanism.EC_KEY_PAIR_GEN,
    KeyKind.DECRYPT: Mechanism.RSA_PKCS_KEY_PAIR_GEN,
}

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

_ADOPT = "make one with the token's own tool and adopt it: frost-hsm doctor --login lists what can be adopted"


def make(session: SharedSession, kind: KeyKind, key_id: bytes, label: str) -> tuple[int, int]:
    """Make a key pair by the first template that the token takes; returns the public and the private key.

    Raises `MechanismUnsupported` if it takes none.
    """
    named = {Attribute.TOKEN: True, Attribute.ID: key_id, Attribute.LABEL: label}
    for public, private in attributes.key_pair_templates(kind):
        try:
            return session.module.functions.generate_key_pair(
                session.handle, _MECHANISM[kind], {**public, **named}, {**private, **named}
            )
        except Answer as answer:
            if answer.name not in _TEMPLATE_REFUSED | _MAKES_NO_KEYS:
                raise
            refusal = answer
            if answer.name not in _TEMPLATE_REFUSED:
                break
    session.check_serial()
    raise MechanismUnsupported(f"{session.name} makes no {kind} key for us ({refusal.name})", hint=_ADOPT)
