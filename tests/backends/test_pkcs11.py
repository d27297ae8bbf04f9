"""Objects in the token, as we make them and as others see them."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pkcs11
import pytest
from conftest import TokenFixture
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from frost_hsm import errors
from frost_hsm.backends import KeyAttributes, KeyKind, Token
from frost_hsm.backends.pkcs11.calls import attributes, native
from frost_hsm.backends.pkcs11.modules import softhsm
from frost_hsm.testing.judge import new_certificate


@pytest.fixture
def raw(softhsm_module: str, fixture: TokenFixture, token: Token) -> Iterator[pkcs11.Session]:
    """Another session, past our code, that shares the login."""
    found = pkcs11.lib(softhsm_module).get_token(token_serial=fixture.serial.encode())
    session = found.open(rw=True, attribute_mapper=attributes.attribute_mapper())
    yield session
    session.close()


def pkcs11_tool(softhsm_module: str, fixture: TokenFixture, *arguments: str) -> str:
    command = ["pkcs11-tool", "--module", softhsm_module, "--token-label", fixture.label, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def claims(key: pkcs11.Object, use: Attribute) -> bool:
    try:
        return bool(key[use])
    except (pkcs11.PKCS11Error, NotImplementedError):
        return False


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
        assert [use for use in pkcs11.attributes.ALL_CAPABILITIES if claims(key, use)] == [
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
    monkeypatch.setattr(native.Functions, "read_value", short)
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


def test_what_was_destroyed_is_gone_from_the_disk_before_anybody_is_told(
    fixture: TokenFixture, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SoftHSM2 removes a file and leaves it to the system when that gets to the disk."""
    token.write_record("nonces", b"their value")
    tokens = softhsm.token_directory()
    assert tokens is not None
    [folder] = [each for each in tokens.iterdir() if each.name.replace("-", "").endswith(fixture.serial)]
    before = {*folder.iterdir()}
    synced: dict[Path, set[Path]] = {}
    fsync = os.fsync

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced[path] = {*path.iterdir()}
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    token.delete_record("nonces")
    assert len(before - synced.pop(folder)) >= 1
    assert synced == {}  # of this token alone
