"""Loading modules, and selecting the one token that is meant."""

from __future__ import annotations

import _ctypes
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pkcs11
import pytest
from conftest import NoInteraction, TokenFixture
from pkcs11 import TokenFlag

from frost_hsm import errors
from frost_hsm.backends import Backend, Token
from frost_hsm.backends.pkcs11 import Pkcs11Backend, backend
from frost_hsm.backends.uri import Pkcs11Uri
from frost_hsm.testing import PinSourceSpy

NewToken = Callable[..., TokenFixture]


def test_two_tokens_that_match_are_not_guessed_between(pkcs11_backend: Backend, new_token: NewToken) -> None:
    label = f"twins-{uuid.uuid4().hex[:8]}"
    serials = {new_token(label).serial, new_token(label).serial}
    asked = PinSourceSpy("never asked")
    with pytest.raises(errors.TokenAmbiguous) as caught:
        pkcs11_backend.open(f"pkcs11:token={label}", asked)
    assert asked.calls == []
    assert str(caught.value) == "2 tokens match"
    opened = set()
    for uri in caught.value.details:
        with pkcs11_backend.open(uri, None) as token:
            opened.add(token.info.serial)
    assert opened == serials


def test_every_attribute_selects(
    softhsm_module: str, pkcs11_backend: Backend, fixture: TokenFixture, token: Token
) -> None:
    """``token`` is open meanwhile, so that no miss starts SoftHSM2 again and renumbers its slots."""
    found = pkcs11.lib(softhsm_module).get_token(token_serial=fixture.serial.encode())
    library = pkcs11.lib(softhsm_module)
    exact = {
        "token": fixture.label,
        "manufacturer": found.manufacturer_id,
        "model": found.model,
        "slot-manufacturer": found.slot.manufacturer_id,
        "slot-description": found.slot.slot_description,
        "library-manufacturer": library.manufacturer_id,
        "library-description": library.library_description,
        "library-version": ".".join(map(str, library.library_version)),
    }
    for name, value in exact.items():
        quoted = "".join(f"%{byte:02X}" for byte in value.encode())
        uri = f"pkcs11:serial={fixture.serial};{name}={quoted}"
        with pkcs11_backend.open(uri, None) as found_again:
            assert found_again.info.serial == token.info.serial
        if name != "token":  # which may have been labelled anew
            with pytest.raises(errors.TokenNotFound):
                pkcs11_backend.open(f"{uri}X", None)


def test_a_token_that_was_labelled_anew_is_known_by_its_serial(
    pkcs11_backend: Backend, interaction: NoInteraction, fixture: TokenFixture
) -> None:
    with pkcs11_backend.open(f"pkcs11:token=formerly;serial={fixture.serial}", fixture.pin_source) as token:
        assert token.info.label == fixture.label
    (message,) = interaction.messages
    assert message == f'note: the token with serial {fixture.serial} is "{fixture.label}" now, not "formerly"'


def test_a_label_with_another_serial_is_another_token(pkcs11_backend: Backend, fixture: TokenFixture) -> None:
    asked = PinSourceSpy("never asked")
    with pytest.raises(errors.TokenNotFound) as caught:
        pkcs11_backend.open(f"pkcs11:token={fixture.label};serial=0123456789abcdef", asked)
    assert str(caught.value) == f'no token has the serial 0123456789abcdef; "{fixture.label}" has now {fixture.serial}'
    assert "initialised again" in str(caught.value.hint)
    assert asked.calls == []


@pytest.mark.parametrize("serial", ["", "0000000000000000"])
def test_a_serial_that_tells_nothing_is_not_gone_by(serial: str) -> None:
    """opencryptoki gives none, NSS and TPMs give zeros: to all tokens."""
    shown = SimpleNamespace(
        label="frost", serial=serial.encode(), manufacturer_id="IBM", model="Soft", flags=TokenFlag.TOKEN_INITIALIZED
    )
    info = backend._Source("it", "/module.so", Pkcs11Uri(module_name="it")).info(cast(Any, shown))
    assert info.uri.startswith("pkcs11:token=frost;")
    parsed = Pkcs11Uri.parse(info.uri)
    assert (parsed.manufacturer, parsed.model) == ("IBM", "Soft")


@pytest.mark.parametrize(
    ("manufacturer", "model", "is_software"),
    [
        ("SoftHSM project", "SoftHSM v2", True),
        ("Mozilla Foundation", "NSS 3", True),
        ("Kryoptic Project", "v1", True),
        ("IBM", "Soft", True),
        ("IBM Corp.", "IBM SoftTok", True),
        ("IBM", "SW   TPM", True),
        ("Infineon", "SLB9670", False),
        ("Yubico (www.yubico.com)", "YubiKey YK5", False),
    ],
)
def test_software_tokens_are_known_as_such(manufacturer: str, model: str, is_software: bool) -> None:
    assert backend._is_software(manufacturer, model) is is_software


def test_odd_labels_select(pkcs11_backend: Backend, new_token: NewToken) -> None:
    made = new_token("Zoë; & ?%41")
    (info,) = [info for info in pkcs11_backend.tokens() if info.serial == made.serial]
    assert info.label == "Zoë; & ?%41"
    with pkcs11_backend.open(info.uri, made.pin_source) as token:
        assert token.info.label == info.label


def test_the_module_can_stand_in_the_uri(softhsm_module: str, fixture: TokenFixture) -> None:
    bare = Pkcs11Backend({}, NoInteraction())
    for uri in (
        f"pkcs11:serial={fixture.serial}?module-path={softhsm_module}",
        f"pkcs11:module-path={softhsm_module};serial={fixture.serial}",
    ):
        with bare.open(uri, fixture.pin_source) as token:
            assert token.info.uri == f"{fixture.uri}?module-path={softhsm_module}"


def test_a_module_under_two_names_is_loaded_once(softhsm_module: str, fixture: TokenFixture, tmp_path: Path) -> None:
    link = tmp_path / "another.so"
    link.symlink_to(softhsm_module)
    both = Pkcs11Backend({"a": softhsm_module, "b": str(link)}, NoInteraction())
    for name in ("a", "b"):
        with both.open(f"pkcs11:serial={fixture.serial}?module-name={name}", fixture.pin_source) as token:
            assert token.keys() == []
            assert token.info.source == name


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/nowhere/module.so", "no such file"),
        ("/usr/lib", "no such file"),
        ("module.so", "absolute"),
        ("/etc/hostname", "not a PKCS#11 module"),
        ("LIBRARY", "not a PKCS#11 module"),
    ],
)
def test_what_is_no_module(path: str, named: str) -> None:
    if path == "LIBRARY":
        path = _ctypes.__file__  # a library, but no module
    broken = Pkcs11Backend({"broken": path}, NoInteraction())
    with pytest.raises(errors.ModuleUnavailable) as caught:
        broken.open("pkcs11:token=a", None)
    assert named in str(caught.value)
    assert caught.value.hint
    assert [fine for fine, _ in broken.describe()] == [False]


def test_a_broken_module_does_not_hide_a_good_one(softhsm_module: str, fixture: TokenFixture) -> None:
    interaction = NoInteraction()
    mixed = Pkcs11Backend({"bad": "/nowhere/module.so", "good": softhsm_module}, interaction)
    with mixed.open(fixture.uri, None) as token:
        assert token.info.source == "good"
    assert "/nowhere/module.so" in interaction.messages[0]
    assert fixture.serial in [info.serial for info in mixed.tokens()]
    assert [fine for fine, line in mixed.describe() if line.startswith("pkcs11: bad:")] == [False]


def test_no_module_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "find_proxy", lambda: None)
    nothing = Pkcs11Backend({}, NoInteraction())
    with pytest.raises(errors.ModuleUnavailable, match="no PKCS#11 module is configured"):
        nothing.open("pkcs11:token=a", None)
    assert [fine for fine, _ in nothing.describe()] == [False]
    with pytest.raises(errors.ModuleUnavailable, match='"unheard-of"'):
        nothing.open("pkcs11:token=a?module-name=unheard-of", None)


def test_the_proxy_is_the_default(softhsm_module: str, fixture: TokenFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "find_proxy", lambda: softhsm_module)
    with Pkcs11Backend({}, NoInteraction()).open(fixture.uri, None) as token:
        assert token.info.source == "p11-kit"
        assert token.info.uri == fixture.uri


def test_create_says_how(pkcs11_backend: Backend) -> None:
    with pytest.raises(errors.MechanismUnsupported) as caught:
        pkcs11_backend.create("pkcs11:token=new", lambda _: "1234")
    assert "softhsm2-util --init-token" in str(caught.value.hint)
