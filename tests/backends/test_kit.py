"""The conformance kit finds what is wrong: each sabotage fails the test that is there to see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from conftest import TokenFixture
from cryptography.exceptions import InvalidSignature
from stage.forgiving_backend import ForgivingBackend

from frost_hsm.backends import Backend, KeyAttributes, PinSource
from frost_hsm.errors import FrostHsmError, KeyExists
from frost_hsm.secret import Secret
from frost_hsm.testing import BackendConformance, PinSourceSpy, SilentInteraction

FOUND_OUT = (AssertionError, InvalidSignature, FrostHsmError, pytest.fail.Exception)


class Sabotaged:
    """A token, or a backend, with some methods replaced; each is handed the real method first."""

    def __init__(self, real: Any, **replaced: Callable[..., Any]) -> None:
        self._real = real
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if name not in self._replaced:
            return value
        return lambda *arguments, **named: self._replaced[name](value, *arguments, **named)

    def __enter__(self) -> Sabotaged:
        return self

    def __exit__(self, *exc: object) -> None:
        self._real.close()


def overwrite(real: Callable[..., None], name: str, value: bytes) -> None:
    try:
        real(name, value)
    except KeyExists:
        return


def shorten(real: Callable[..., Secret], *arguments: Any) -> Secret:
    with real(*arguments) as agreed, agreed.reveal() as view:
        return Secret(bytes(view).lstrip(b"\0"))


def leak(real: Callable[[], list[Any]]) -> list[Any]:
    claims = KeyAttributes(sensitive=True, extractable=None, always_sensitive=True, never_extractable=True, local=True)
    return [type(key)(key.id, key.label, key.kind, key.public_key, claims) for key in real()]


TOKEN_SABOTAGE: dict[str, tuple[str, dict[str, Callable[..., Any]]]] = {
    "signs something else": ("test_signatures_verify", {"sign": lambda real, key_id, _: real(key_id, b"x" * 32)}),
    "signs the same each time": ("test_signatures_verify", {"sign": lambda real, key_id, _: b"\1" * 64}),
    "strips zeros": ("test_agreement_is_ecdh", {"agree": shorten}),
    "takes any point": ("test_points_off_the_curve_are_refused", {"agree": lambda *_: Secret(bytes(32))}),
    "takes an id twice": ("test_key_ids_are_taken_once", {"generate": lambda real, kind, _, label: b""}),
    "keeps keys": ("test_deleted_keys_are_gone", {"delete_key": lambda real, key_id: None}),
    "opens altered ciphertexts": ("test_decryption", {"decrypt": lambda *_: Secret(b"secret")}),
    "overwrites": ("test_records_are_never_overwritten", {"write_record": overwrite}),
    "keeps records": ("test_deleted_records_are_gone", {"delete_record": lambda real, name: None}),
    "lets many delete": ("test_one_of_many_deletes_a_record", {"delete_record": lambda real, name: None}),
    "lets many write": ("test_one_of_many_writes_a_record", {"write_record": overwrite}),
    "takes anything": ("test_arguments_out_of_bounds", {"write_record": lambda real, name, value: None}),
}


@pytest.mark.parametrize("sabotage", TOKEN_SABOTAGE)
def test_a_bad_token_is_found_out(
    software_token: Callable[..., TokenFixture], open_token: Callable[[TokenFixture], Any], sabotage: str
) -> None:
    test, replaced = TOKEN_SABOTAGE[sabotage]
    with open_token(software_token("good")) as good:
        getattr(BackendConformance(), test)(good)
    with open_token(software_token("bad")) as bad, pytest.raises(FOUND_OUT):
        getattr(BackendConformance(), test)(Sabotaged(bad, **replaced))


def ask_twice(real: Callable[..., Any], uri: str, pin_source: PinSource | None, **options: Any) -> Any:
    token = real(uri, pin_source, **options)
    if pin_source is not None:
        pin_source(token.info)
    return token


def try_again(real: Callable[..., Any], uri: str, pin_source: PinSource | None, **options: Any) -> Any:
    try:
        return real(uri, pin_source, **options)
    except FrostHsmError:
        return real(uri, pin_source, **options)


def tell_claims(real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    return Sabotaged(real(*arguments, **options), keys=leak)


def show_nothing(real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    return Sabotaged(real(*arguments, **options), certificates=lambda _: [])


BACKEND_SABOTAGE: dict[str, tuple[str, Callable[..., Any]]] = {
    "asks twice": ("test_pin_is_asked_once", ask_twice),
    "tries again": ("test_wrong_pin_is_tried_once", try_again),
    "lets keys out": ("test_keys_are_made_inside_and_stay", tell_claims),
    "hides certificates": ("test_certificates_are_public", show_nothing),
}


def test_a_backend_that_lets_every_process_delete_is_found_out(
    software_token: Callable[..., TokenFixture], backend_settings: Mapping[str, Mapping[str, str]]
) -> None:
    settings, fixture = backend_settings["software"], software_token("token")
    forgiving = ForgivingBackend(settings, SilentInteraction())
    with forgiving.open(fixture.uri, PinSourceSpy(fixture.pin)) as token, pytest.raises(AssertionError):
        BackendConformance().test_one_of_many_processes_deletes_a_record(
            forgiving, settings, fixture.uri, fixture.pin, token
        )


@pytest.mark.parametrize("sabotage", BACKEND_SABOTAGE)
def test_a_bad_backend_is_found_out(
    software_token: Callable[..., TokenFixture], load_backend: Callable[[str], Backend], sabotage: str
) -> None:
    test, opened = BACKEND_SABOTAGE[sabotage]
    good = load_backend("software")
    for backend in (good, Sabotaged(good, open=opened)):
        fixture = software_token("token")
        given = {"backend": backend, "uri": fixture.uri, "pin": fixture.pin, "wrong_pin": "wrong-9876"}
        wanted = getattr(BackendConformance, test)
        names = wanted.__code__.co_varnames[1 : wanted.__code__.co_argcount]
        with good.open(fixture.uri, PinSourceSpy(fixture.pin)) as token:
            arguments = {name: token if name == "token" else given[name] for name in names}
            if backend is good:
                wanted(BackendConformance(), **arguments)
            else:
                with pytest.raises(FOUND_OUT):
                    wanted(BackendConformance(), **arguments)
