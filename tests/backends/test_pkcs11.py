"""What the conformance kit cannot ask of a backend in general: modules, sessions, PIN flags, foreign objects."""

from __future__ import annotations

import _ctypes
import dataclasses
import os
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pkcs11
import pytest
import softhsm
from conftest import NoInteraction, TokenFixture
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from frost_hsm import errors
from frost_hsm.backends import Backend, KeyAttributes, KeyKind, PinState, Token
from frost_hsm.backends.pkcs11 import Pkcs11Backend, answers, attributes, backend, module, native, session
from frost_hsm.testing import PinSourceSpy
from frost_hsm.testing.judge import new_certificate

NewToken = Callable[..., TokenFixture]


@pytest.fixture
def pkcs11_backend(load_backend: Callable[[str], Backend]) -> Backend:
    return load_backend("pkcs11")


@pytest.fixture
def fixture(new_token: NewToken) -> TokenFixture:
    return new_token(f"t-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def token(pkcs11_backend: Backend, fixture: TokenFixture) -> Iterator[Token]:
    with pkcs11_backend.open(fixture.uri, fixture.pin_source) as token:
        yield token


@pytest.fixture
def raw(softhsm_module: str, fixture: TokenFixture, token: Token) -> Iterator[pkcs11.Session]:
    """Another session, past our code, that shares the login."""
    found = pkcs11.lib(softhsm_module).get_token(token_serial=fixture.serial.encode())
    session = found.open(rw=True, attribute_mapper=attributes.attribute_mapper())
    yield session
    session.close()


# ── As others see the token ─────────────────────────────────────────────────────────────────────────────────


def pkcs11_tool(softhsm_module: str, fixture: TokenFixture, *arguments: str) -> str:
    command = ["pkcs11-tool", "--module", softhsm_module, "--token-label", fixture.label, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def objects(listing: str, kind: str) -> list[str]:
    parts = re.split(r"^(?=\S)", listing, flags=re.MULTILINE)
    return [part for part in parts if part.startswith(kind)]


def test_pkcs11_tool_sees_keys_that_stay_inside(softhsm_module: str, fixture: TokenFixture, token: Token) -> None:
    ids = {KeyKind.SIGN: os.urandom(16), KeyKind.AGREE: os.urandom(16)}
    for kind, key_id in ids.items():
        token.generate(kind, key_id, f"{kind}")
        token.store_certificate(key_id, f"{kind}", new_certificate())
    token.write_record("a record", b"its value")

    inside = pkcs11_tool(softhsm_module, fixture, "--login", "--pin", fixture.pin, "--list-objects")
    private = objects(inside, "Private Key Object")
    assert len(private) == 2
    for kind, usage in ((KeyKind.SIGN, "sign"), (KeyKind.AGREE, "derive")):
        (described,) = [each for each in private if ids[kind].hex() in each]
        assert re.search(rf"Usage: +{usage}$", described, re.MULTILINE)
        assert re.search(r"Access: +sensitive, always sensitive, never extractable, local$", described, re.MULTILINE)
        assert re.search(rf"label: +{kind}$", described, re.MULTILINE)
    certificates = objects(inside, "Certificate Object")
    assert len(certificates) == 2
    assert all(re.search(r"subject: +DN: CN=Zo", described) for described in certificates)
    (data,) = objects(inside, "Data object")
    assert re.search(r"application: +'?frost_hsm", data)
    assert re.search(r"label: +'?a record", data)

    outside = pkcs11_tool(softhsm_module, fixture, "--list-objects")
    assert objects(outside, "Private Key Object") == []
    assert objects(outside, "Data object") == []
    assert len(objects(outside, "Certificate Object")) == 2


def test_keys_are_bound_to_one_mechanism(token: Token, raw: pkcs11.Session) -> None:
    for kind, mechanism in ((KeyKind.SIGN, Mechanism.ECDSA), (KeyKind.AGREE, Mechanism.ECDH1_DERIVE)):
        key_id = os.urandom(16)
        token.generate(kind, key_id, "key")
        key = raw.get_key(object_class=ObjectClass.PRIVATE_KEY, id=key_id)
        assert key[Attribute.ALLOWED_MECHANISMS] == [mechanism]
        assert key[Attribute.MODIFIABLE] is False
        assert key[Attribute.COPYABLE] is False
        assert [use for use in pkcs11.attributes.ALL_CAPABILITIES if attributes.read(key, use)] == [
            Attribute.SIGN if kind is KeyKind.SIGN else Attribute.DERIVE
        ]
        with pytest.raises(pkcs11.AttributeSensitive):
            key[Attribute.VALUE]


def test_agreed_secrets_are_destroyed(token: Token, raw: pkcs11.Session) -> None:
    key_id = os.urandom(16)
    point = token.generate(KeyKind.AGREE, key_id, "key")[-65:]
    token.agree(key_id, point).wipe()
    assert list(raw.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY})) == []


def test_a_secret_that_lost_its_leading_zeros_is_filled_up(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(self: object, session: int, handle: int, target: memoryview) -> int:
        target[:30] = bytes(range(1, 31))
        return 30

    key_id = os.urandom(16)
    point = token.generate(KeyKind.AGREE, key_id, "key")[-65:]
    monkeypatch.setattr(native.NativeFunctions, "read_value", short)
    with token.agree(key_id, point) as agreed, agreed.reveal() as view:
        assert bytes(view) == bytes(2) + bytes(range(1, 31))


def test_foreign_objects_are_passed_over(
    softhsm_module: str, fixture: TokenFixture, token: Token, raw: pkcs11.Session
) -> None:
    for key_type in ("EC:secp384r1", "EC:secp256k1", "EC:edwards25519"):
        arguments = ("--keypairgen", "--key-type", key_type, "--id", "aa", "--label", "foreign")
        pkcs11_tool(softhsm_module, fixture, "--login", "--pin", fixture.pin, *arguments)
    assert len(list(raw.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}))) == 3
    raw.generate_key(KeyType.AES, 256, store=True, label="foreign")
    data = {Attribute.CLASS: ObjectClass.DATA, Attribute.TOKEN: True, Attribute.PRIVATE: True}
    raw.create_object({**data, Attribute.APPLICATION: "another", Attribute.LABEL: "name", Attribute.VALUE: b"x"})
    assert token.keys() == []
    assert token.record_names() == []
    with pytest.raises(errors.KeyNotFound):
        token.read_record("name")
    with pytest.raises(errors.KeyNotFound):
        token.delete_record("name")
    token.write_record("name", b"ours")
    assert token.read_record("name") == b"ours"
    key_id = os.urandom(16)
    token.generate(KeyKind.SIGN, key_id, "foreign")
    assert [key.id for key in token.keys()] == [key_id]


def test_two_records_of_one_name_are_not_guessed_between(token: Token, raw: pkcs11.Session) -> None:
    template = {**attributes.record_template("name"), Attribute.TOKEN: True, Attribute.PRIVATE: True}
    for value in (b"one", b"two"):
        raw.create_object({**template, Attribute.VALUE: value})
    with pytest.raises(errors.TokenProblem, match="2 records"):
        token.read_record("name")
    token.delete_record("name")
    assert token.record_names() == []


def test_a_key_replaced_behind_our_back_is_found_again(token: Token, raw: pkcs11.Session) -> None:
    key_id = os.urandom(16)
    token.generate(KeyKind.SIGN, key_id, "first")
    token.sign(key_id, bytes(32))
    raw.get_key(object_class=ObjectClass.PRIVATE_KEY, id=key_id).destroy()
    with pytest.raises(errors.KeyNotFound):
        token.sign(key_id, bytes(32))
    token.generate(KeyKind.SIGN, key_id, "second")
    assert len(token.sign(key_id, bytes(32))) == 64


def test_a_key_that_would_not_stay_inside_is_destroyed(
    token: Token, raw: pkcs11.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = KeyAttributes(sensitive=True, extractable=True, always_sensitive=True, never_extractable=False, local=True)
    with monkeypatch.context() as patched:
        patched.setattr(attributes, "audit", lambda _: claims)
        with pytest.raises(errors.KeyPolicy, match="does not stay inside"):
            token.generate(KeyKind.SIGN, bytes(16), "key")
    assert token.keys() == []
    assert list(raw.get_objects({Attribute.ID: bytes(16)})) == []


@pytest.mark.parametrize("claim", ["sensitive", "extractable", "always_sensitive", "never_extractable", "local"])
def test_every_claim_is_needed(claim: str) -> None:
    good = KeyAttributes(sensitive=True, extractable=False, always_sensitive=True, never_extractable=True, local=True)
    assert good.stays_inside
    for value in (None, not getattr(good, claim)):
        assert not dataclasses.replace(good, **{claim: value}).stays_inside


# ── Sessions and logins ──────────────────────────────────────────────────────────────────────────────────────


def test_wrong_pins_leave_no_session_open(softhsm_module: str, pkcs11_backend: Backend, fixture: TokenFixture) -> None:
    assert not softhsm.has_open_session(softhsm_module, fixture.serial)
    for _ in range(5):
        with pytest.raises(errors.PinIncorrect, match="CKR_PIN_INCORRECT"):
            pkcs11_backend.open(fixture.uri, PinSourceSpy("wrong"))
    assert not softhsm.has_open_session(softhsm_module, fixture.serial)


def test_all_opens_share_one_session(softhsm_module: str, pkcs11_backend: Backend, fixture: TokenFixture) -> None:
    asked = PinSourceSpy(fixture.pin)
    public = pkcs11_backend.open(fixture.uri, None)
    tokens = [pkcs11_backend.open(fixture.uri, asked) for _ in range(3)]
    assert softhsm.has_open_session(softhsm_module, fixture.serial)
    assert len(asked.calls) == 1
    with pytest.raises(errors.PinUnusable):
        public.keys()
    for each in tokens:
        each.close()
    assert public.certificates() == []
    with pkcs11_backend.open(fixture.uri, asked) as again:
        assert again.keys() == []
    assert len(asked.calls) == 2  # the last login had logged out
    public.close()
    assert not softhsm.has_open_session(softhsm_module, fixture.serial)


def test_the_last_close_logs_out(softhsm_module: str, pkcs11_backend: Backend, fixture: TokenFixture) -> None:
    with pkcs11_backend.open(fixture.uri, fixture.pin_source) as token:
        token.write_record("name", b"value")
    found = pkcs11.lib(softhsm_module).get_token(token_serial=fixture.serial.encode())
    with found.open() as public:
        assert list(public.get_objects({Attribute.CLASS: ObjectClass.DATA})) == []


def test_a_login_by_another_library_is_used_and_left(
    softhsm_module: str, pkcs11_backend: Backend, fixture: TokenFixture
) -> None:
    found = pkcs11.lib(softhsm_module).get_token(token_serial=fixture.serial.encode())
    with found.open(rw=True, user_pin=fixture.pin) as other:
        with pkcs11_backend.open(fixture.uri, fixture.pin_source) as token:
            token.write_record("name", b"value")
        assert len(list(other.get_objects({Attribute.CLASS: ObjectClass.DATA}))) == 1


@pytest.mark.parametrize(
    "failure",
    [
        pkcs11.GeneralError(),
        pkcs11.OperationActive(),
        pkcs11.PKCS11Error("Unmapped error code 0x80000001"),
        OverflowError("x"),
        ValueError("x"),
        NotImplementedError("x"),
    ],
)
def test_an_unexpected_failure_gives_the_session_up(
    softhsm_module: str,
    pkcs11_backend: Backend,
    fixture: TokenFixture,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
) -> None:
    def fail(*_: object) -> None:
        raise failure

    token = pkcs11_backend.open(fixture.uri, fixture.pin_source)
    with monkeypatch.context() as patched:
        patched.setattr(session.SharedSession, "find", fail)
        with pytest.raises(errors.TokenLost) as caught:
            token.keys()
    assert fixture.label in str(caught.value)
    assert not softhsm.has_open_session(softhsm_module, fixture.serial)
    with pytest.raises(errors.TokenLost):
        token.keys()
    with pkcs11_backend.open(fixture.uri, fixture.pin_source) as again:
        assert again.keys() == []
        token.close()  # the one that was given up takes nothing from the new one
        assert again.keys() == []


# ── PINs ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make tokens present themselves otherwise: SoftHSM2 never locks, and has no PIN pad."""
    truly = backend._Source.info

    def pretend(**changes: Any) -> None:
        monkeypatch.setattr(
            backend._Source, "info", lambda self, token: dataclasses.replace(truly(self, token), **changes)
        )

    return pretend


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (PinState.LOCKED, errors.PinLocked),
        (PinState.NOT_SET, errors.PinUnusable),
        (PinState.FINAL_TRY, errors.PinFinalTry),
    ],
)
def test_no_pin_is_asked_in_vain(
    pkcs11_backend: Backend,
    fixture: TokenFixture,
    pretend: Callable[..., None],
    state: PinState,
    error: type[Exception],
) -> None:
    pretend(pin_state=state)
    asked = PinSourceSpy(fixture.pin)
    with pytest.raises(error, match=fixture.label):
        pkcs11_backend.open(fixture.uri, asked)
    assert asked.calls == []


def test_the_last_try_can_be_allowed(
    pkcs11_backend: Backend, fixture: TokenFixture, pretend: Callable[..., None]
) -> None:
    pretend(pin_state=PinState.FINAL_TRY)
    asked = PinSourceSpy(fixture.pin)
    with pkcs11_backend.open(fixture.uri, asked, allow_final_try=True) as token:
        assert token.keys() == []
    assert [info.pin_state for info in asked.calls] == [PinState.FINAL_TRY]


def test_a_low_count_is_told_to_the_pin_source(pkcs11_backend: Backend, fixture: TokenFixture) -> None:
    with pytest.raises(errors.PinIncorrect):
        pkcs11_backend.open(fixture.uri, PinSourceSpy("wrong"))
    asked = PinSourceSpy(fixture.pin)
    pkcs11_backend.open(fixture.uri, asked).close()
    assert [info.pin_state for info in asked.calls] == [PinState.LOW]


def test_a_token_without_a_user_pin(softhsm_module: str, pkcs11_backend: Backend) -> None:
    serial = softhsm.initialise(softhsm_module, "no user pin", None)
    asked = PinSourceSpy("1234")
    with pytest.raises(errors.PinUnusable):
        pkcs11_backend.open(f"pkcs11:serial={serial}", asked)
    assert asked.calls == []


def test_a_pin_pad_is_left_to_ask(
    pkcs11_backend: Backend,
    interaction: NoInteraction,
    fixture: TokenFixture,
    pretend: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(has_own_pin_entry=True)
    given = []
    truly = native.NativeFunctions.login

    def login(self: native.NativeFunctions, session: int, pin: str | None) -> None:
        given.append(pin)
        truly(self, session, fixture.pin)

    monkeypatch.setattr(native.NativeFunctions, "login", login)
    asked = PinSourceSpy("never asked")
    with pkcs11_backend.open(fixture.uri, asked) as token:
        assert token.keys() == []
    assert (asked.calls, given) == ([], [None])
    assert [fixture.label in message for message in interaction.messages] == [True]


# ── Selecting modules and tokens ─────────────────────────────────────────────────────────────────────────────


def test_two_tokens_that_match_are_not_guessed_between(pkcs11_backend: Backend, new_token: NewToken) -> None:
    label = f"twins-{uuid.uuid4().hex[:8]}"
    serials = {new_token(label).serial, new_token(label).serial}
    asked = PinSourceSpy("never asked")
    with pytest.raises(errors.TokenAmbiguous) as caught:
        pkcs11_backend.open(f"pkcs11:token={label}", asked)
    assert asked.calls == []
    first, *lines = str(caught.value).splitlines()
    assert first == "2 tokens match"
    opened = set()
    for line in lines:
        with pkcs11_backend.open(line.strip(), None) as token:
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
        with pytest.raises(errors.TokenNotFound):
            pkcs11_backend.open(f"{uri}X", None)


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


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────────────────


def every_answer() -> list[Exception]:
    named = [
        each()
        for each in vars(pkcs11.exceptions).values()
        if isinstance(each, type) and issubclass(each, pkcs11.PKCS11Error)
    ]
    numbered = [pkcs11.PKCS11Error(f"Unmapped error code {value:#x}") for value in (0x1B, 0x68, 0x140, 0x80000001)]
    native_ones: list[Exception] = [answers.Answer(value) for value in (0x05, 0xA0, 0xA4, 0x102, 0xDEAD)]
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
        (pkcs11.RandomNoRNG(), errors.TokenLost, "CKR_RANDOM_NO_RNG"),
        (pkcs11.SessionReadWriteSOExists(), errors.TokenLost, "CKR_SESSION_READ_WRITE_SO_EXISTS"),
        (pkcs11.DeviceRemoved(), errors.TokenLost, "CKR_DEVICE_REMOVED"),
        (pkcs11.MechanismInvalid(), errors.MechanismUnsupported, "CKR_MECHANISM_INVALID"),
        (pkcs11.AttributeSensitive(), errors.KeyPolicy, "CKR_ATTRIBUTE_SENSITIVE"),
        (pkcs11.PKCS11Error("Unmapped error code 0x1b"), errors.KeyPolicy, "CKR_ACTION_PROHIBITED"),
        (pkcs11.PKCS11Error("Unmapped error code 0x80000001"), errors.TokenLost, "return value 0x80000001"),
        (answers.Answer(0xA4), errors.PinLocked, "CKR_PIN_LOCKED"),
        (answers.Answer(0xDEAD), errors.TokenLost, "return value 0xdead"),
    ],
)
def test_what_answers_mean(answer: Exception, error: type[errors.TokenProblem], name: str) -> None:
    explained = answers.explain(answer, "doing something")
    assert type(explained) is error
    assert f"({name})" in str(explained)


def test_find_proxy_finds_a_file_or_nothing() -> None:
    found = module.find_proxy()
    assert found is None or Path(found).is_file()


def test_an_exchanged_token_is_not_taken_for_the_one_that_was_opened(
    softhsm_module: str, new_token: NewToken, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one card is pulled and another pushed in: the slot is the same, and holds another serial."""
    other = new_token("other")
    (another,) = [each for each in module.load(softhsm_module).present_tokens() if each.serial == other.serial.encode()]
    shared = token._session  # type: ignore[attr-defined]
    monkeypatch.setattr(
        shared, "token", SimpleNamespace(slot=another.slot, serial=shared.token.serial, label=shared.token.label)
    )
    with pytest.raises(errors.TokenLost, match="another one"):
        token.keys()
    with pytest.raises(errors.TokenLost):
        token.read_record("name")
