"""Libraries that sign are handed a key that is none, and what they build verifies."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from stage.libraries import LIBRARIES, OF_ED448, certificate
from stage.memory_group import group
from tuf.api.exceptions import UnsignedMetadataError

from frost_hsm import GroupPrivateKey
from frost_hsm.errors import InvalidSignature, NotPossible, NotYet
from frost_hsm.targets.programs.group_private_key import PrivateKey, record, replay
from frost_hsm.targets.programs.message_folder import MessageFolder

each = pytest.mark.parametrize(
    ("suite", "use"),
    [*(("ed25519", use) for use in LIBRARIES), *(("ed448", use) for use in OF_ED448)],
    ids=lambda value: getattr(value, "__name__", value),
)


@each
def test_libraries_take_it(suite: str, use: Callable[[Any], None]) -> None:
    asked = []

    def sign_by(message: bytes) -> bytes:
        asked.append(message)
        return group(suite).sign(message)

    use(GroupPrivateKey.of(group(suite).key, sign_by))
    assert asked


@each
def test_a_session_without_a_signature_raises_in_the_caller(suite: str, use: Callable[[Any], None]) -> None:
    def sign_by(message: bytes) -> bytes:
        raise NotYet("bob has not answered")

    with pytest.raises((NotYet, UnsignedMetadataError), match="bob has not answered") as raised:
        use(GroupPrivateKey.of(group(suite).key, sign_by))
    assert isinstance(raised.value, NotYet) or isinstance(raised.value.__cause__, NotYet)  # tuf puts its own around it


@pytest.mark.parametrize("suite", ["ed25519", "ed448"])
def test_two_passes(suite: str) -> None:
    """First what is to be signed, then, whenever the group has signed it, the thing."""

    def build(key: PrivateKey) -> list[x509.Certificate]:
        return [certificate(key), certificate(key)]

    one, again = record(group(suite).key, build)
    assert one == again
    signatures = {one: group(suite).sign(one)}
    for made in replay(group(suite).key, build, signatures):
        assert made.tbs_certificate_bytes == one
        made.verify_directly_issued_by(made)


@each
def test_libraries_take_it_in_two_passes(
    suite: str, use: Callable[[Any], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is run, has what it asks for signed, and is run again, with the same nonce in a certificate."""
    monkeypatch.setattr("os.urandom", bytes)
    folder = MessageFolder(tmp_path, group(suite).key)
    key = GroupPrivateKey.of(group(suite).key, folder.sign)
    with pytest.raises((NotYet, UnsignedMetadataError), match="to-sign"):
        use(key)
    for path in tmp_path.glob("*.to-sign"):
        path.with_name(f"{path.name}.sig").write_bytes(group(suite).sign(path.read_bytes()))
    use(key)


def test_the_second_pass_asks_for_what_the_first_asked_for() -> None:
    serials = iter(range(1, 9))

    def build(key: PrivateKey) -> bytes:
        return key.sign(b"certificate %d" % next(serials))

    (message,) = record(group().key, build)
    with pytest.raises(NotPossible, match="was not signed"):
        replay(group().key, build, {message: group().sign(message)})


def test_signatures_that_do_not_verify_are_not_passed_on() -> None:
    for wrong in (group().sign(b"another message"), group("ed25519", 1).sign(b"message"), b"", bytes(64), bytes(65)):
        with pytest.raises(InvalidSignature):
            GroupPrivateKey.of(group().key, lambda _, wrong=wrong: wrong).sign(b"message")
        with pytest.raises(InvalidSignature):
            replay(group().key, lambda key: key.sign(b"message"), {b"message": wrong})


def test_threads_sign_at_once() -> None:
    key = GroupPrivateKey.of(group().key, group().sign)
    messages = [b"message %d" % number for number in range(16)]
    with ThreadPoolExecutor(4) as threads:
        for message, signature in zip(messages, threads.map(key.sign, messages), strict=True):
            key.public_key().verify(signature, message)


@pytest.mark.parametrize("suite", ["ed25519", "ed448"])
def test_it_cannot_be_serialised(suite: str) -> None:
    key = GroupPrivateKey.of(group(suite).key, group(suite).sign)
    ways: list[Callable[[], object]] = [
        key.private_bytes_raw,
        lambda: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        lambda: pickle.dumps(key),
        lambda: json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key)),
    ]
    for write in ways:
        with pytest.raises(NotPossible, match="exists nowhere"):
            write()
    assert copy.copy(key) is copy.deepcopy(key) is key


@pytest.mark.parametrize("suite", ["p256", "ristretto255", "secp256k1", "secp256k1-tr"])
def test_suites_that_no_type_stands_for(suite: str) -> None:
    with pytest.raises(NotPossible, match=suite):
        GroupPrivateKey.of(group(suite).key, bytes)
    with pytest.raises(NotPossible, match=suite):
        record(group(suite).key, lambda key: key.sign(b"message"))
