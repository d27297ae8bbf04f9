"""Every return value, and every slip of the binding, becomes a sentence of the right class."""

from __future__ import annotations

import re
from pathlib import Path

import pkcs11
import pytest

from frost_hsm import errors
from frost_hsm.backends.pkcs11.calls import answers
from frost_hsm.backends.pkcs11.calls.return_values import NAMES
from frost_hsm.backends.pkcs11.modules import p11kit


def every_answer() -> list[Exception]:
    named = [
        each()
        for each in vars(pkcs11.exceptions).values()
        if isinstance(each, type) and issubclass(each, pkcs11.PKCS11Error)
    ]
    numbered = [pkcs11.PKCS11Error(f"Unmapped error code {value:#x}") for value in (0x1B, 0x68, 0x140, 0x80000001)]
    native_ones: list[Exception] = [answers.Answer(value) for value in (*NAMES, 0xDEAD)]
    return [*named, *numbered, *native_ones, OverflowError(), ValueError(), TypeError(), AttributeError()]


@pytest.mark.parametrize("answer", every_answer(), ids=lambda answer: f"{type(answer).__name__} {answer}")
def test_every_answer_is_a_sentence(answer: Exception) -> None:
    with pytest.raises(errors.TokenProblem) as caught, answers.explained("doing something"):
        raise answer
    text = str(caught.value)
    assert re.fullmatch(r"doing something: [^()]{10,} \([^()]+\)", text)
    assert caught.value.__cause__ is answer
    assert caught.value.hint or type(caught.value).default_hint is None


@pytest.mark.parametrize(
    ("answer", "error", "name"),
    [
        (pkcs11.PinIncorrect(), errors.PinIncorrect, "CKR_PIN_INCORRECT"),
        (pkcs11.PinLocked(), errors.PinLocked, "CKR_PIN_LOCKED"),
        (pkcs11.UserPinNotInitialized(), errors.PinUnusable, "CKR_USER_PIN_NOT_INITIALIZED"),
        (pkcs11.TokenNotRecognised(), errors.PinUnusable, "CKR_TOKEN_NOT_RECOGNIZED"),
        (pkcs11.FunctionCancelled(), errors.PinUnusable, "CKR_FUNCTION_CANCELED"),
        (pkcs11.RandomNoRNG(), errors.TokenProblem, "CKR_RANDOM_NO_RNG"),
        (pkcs11.SessionReadWriteSOExists(), errors.TokenProblem, "CKR_SESSION_READ_WRITE_SO_EXISTS"),
        (pkcs11.DeviceRemoved(), errors.TokenLost, "CKR_DEVICE_REMOVED"),
        (pkcs11.MechanismInvalid(), errors.MechanismUnsupported, "CKR_MECHANISM_INVALID"),
        (pkcs11.AttributeSensitive(), errors.KeyPolicy, "CKR_ATTRIBUTE_SENSITIVE"),
        (pkcs11.PKCS11Error("Unmapped error code 0x1b"), errors.KeyPolicy, "CKR_ACTION_PROHIBITED"),
        (pkcs11.PKCS11Error("Unmapped error code 0x80000001"), errors.TokenProblem, "return value 0x80000001"),
        (answers.Answer(0xA4), errors.PinLocked, "CKR_PIN_LOCKED"),
        (answers.Answer(0xDEAD), errors.TokenProblem, "return value 0xdead"),
    ],
)
def test_what_answers_mean(answer: Exception, error: type[errors.TokenProblem], name: str) -> None:
    explained = answers.explain(answer, "doing something")
    assert type(explained) is error
    assert f"({name})" in str(explained)


def test_find_proxy_finds_a_file_or_nothing() -> None:
    found = p11kit.find_proxy()
    assert found is None or Path(found).is_file()
