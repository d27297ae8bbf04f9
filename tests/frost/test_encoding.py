"""Both encodings of every package: ZcashFoundation's fixtures both ways, and what must be refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stage.documents import COMMITMENTS, DOCUMENTS, E1, HEADER, ID, Document, S
from stage.p256 import SUITES, G, identifiers, public_bytes

from frost_hsm.errors import (
    DeserializationError,
    InvalidIdentityElement,
    InvalidZeroScalar,
    MalformedElement,
    MalformedScalar,
)
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.encoding import package as encoding
from frost_hsm.frost.keys import round1
from frost_hsm.frost.packages import PublicKeyPackage, SigningCommitments, SigningPackage, VerifyingKey
from frost_hsm.secret import Secret

FAST = SUITES["libcrypto"]


@pytest.fixture(params=SUITES)
def suite(request: pytest.FixtureRequest) -> Ciphersuite:
    """P-256: the fixtures are its; `test_encoding_of_every_suite` has the others."""
    return SUITES[request.param]


ORDER = FAST.group.order


@pytest.fixture(params=DOCUMENTS)
def document(request: pytest.FixtureRequest) -> Document:
    return DOCUMENTS[request.param]


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def read(suite: Ciphersuite, document: Document, data: bytes) -> Any:
    return document.kind.deserialize(suite, document.given(data))


def read_json(suite: Ciphersuite, document: Document, value: Any) -> Any:
    text = value if isinstance(value, bytes) else compact(value)
    return document.kind.from_json(suite, document.given(text))


def as_text(package: Any) -> str:
    text = package.to_json()
    return text if isinstance(text, str) else public_bytes(text).decode()


# ── what is accepted ──


def test_postcard_snapshots_both_ways(suite: Ciphersuite, document: Document) -> None:
    package = read(suite, document, document.postcard)
    written = package.serialize()
    assert isinstance(written, Secret) == document.is_secret
    assert public_bytes(written) == document.postcard


def test_json_both_ways(suite: Ciphersuite, document: Document) -> None:
    package = read_json(suite, document, document.json)
    assert as_text(package).encode() == compact(document.json)
    assert isinstance(package.to_json(), Secret) == document.is_secret
    assert public_bytes(package.serialize()) == document.postcard


def test_json_in_other_layouts(document: Document) -> None:
    def reverse(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: reverse(value[name]) for name in reversed(value)}
        return value

    upper = compact(document.json).replace(S.encode(), S.upper().encode()).replace(E1.encode(), E1.upper().encode())
    layouts = (
        json.dumps(document.json, indent=4).encode(),
        b" \r\n\t" + compact(document.json) + b"\n",
        compact(reverse(document.json)),
        upper,
    )
    for text in layouts:
        assert public_bytes(read_json(FAST, document, text).serialize()) == document.postcard


def test_public_json_may_be_str_or_bytes() -> None:
    package = SigningCommitments.from_json(FAST, json.dumps(COMMITMENTS))
    assert package == SigningCommitments.from_json(FAST, json.dumps(COMMITMENTS).encode())
    assert package == SigningCommitments.deserialize(FAST, DOCUMENTS["signing_commitments"].postcard)


def test_version_2_of_the_public_key_package(suite: Ciphersuite) -> None:
    new = read(suite, DOCUMENTS["public_key_package_new"], DOCUMENTS["public_key_package_new"].postcard)
    old = read(suite, DOCUMENTS["public_key_package"], DOCUMENTS["public_key_package"].postcard)
    assert (new.min_signers, old.min_signers) == (2, None)
    assert new.as_v2() == old
    assert new.as_v2().to_json().encode() == compact(DOCUMENTS["public_key_package"].json)


def test_maps_are_written_in_numeric_order(suite: Ciphersuite) -> None:
    commitments = SigningCommitments.deserialize(suite, DOCUMENTS["signing_commitments"].postcard)
    ids = identifiers(suite, 256, 3, 2**200, 255)
    package = SigningPackage(suite, dict.fromkeys(ids, commitments), b"m")
    assert list(package.signing_commitments) == sorted(ids)
    assert list(json.loads(package.to_json())["signing_commitments"]) == [i.serialize().hex() for i in sorted(ids)]
    assert SigningPackage.deserialize(suite, package.serialize()) == package
    assert SigningPackage.from_json(suite, package.to_json()) == package


@pytest.mark.parametrize("length", [0, 1, 127, 128, 300, 20000])
def test_messages_of_any_length(length: int) -> None:
    package = SigningPackage(FAST, {}, bytes(length))
    assert SigningPackage.deserialize(FAST, package.serialize()) == package
    assert SigningPackage.from_json(FAST, package.to_json()) == package


def test_y_coordinates_travel_beside(suite: Ciphersuite) -> None:
    data = DOCUMENTS["signing_commitments"].postcard
    package = SigningCommitments.deserialize(suite, data)
    y = package.y_coordinates()
    assert len(y) == 64
    assert SigningCommitments.deserialize(suite, data, y) == package
    for wrong in (y[:-1], y + b"\0", y[32:] + y[:32], bytes(64), b"", y + y):
        with pytest.raises(DeserializationError):
            SigningCommitments.deserialize(suite, data, wrong)

    data = DOCUMENTS["round1_package"].postcard
    first = round1.Package.deserialize(suite, data)
    assert round1.Package.deserialize(suite, data, first.y_coordinates()) == first
    assert len(first.y_coordinates()) == 32
    for wrong in (first.y_coordinates()[1:], bytes(32), first.y_coordinates() + bytes(32)):
        with pytest.raises(DeserializationError):
            round1.Package.deserialize(suite, data, wrong)


@pytest.mark.parametrize("count", [0, 1, 3, 60])
def test_reading_many_round_1_packages(suite: Ciphersuite, count: int) -> None:
    data = DOCUMENTS["round1_package"].postcard
    ids = identifiers(suite, *range(count, 0, -1))
    packages = round1.deserialize_all(suite, dict.fromkeys(ids, data))
    assert list(packages) == ids
    assert all(package.serialize() == data for package in packages.values())
    if count:
        with pytest.raises(MalformedElement, match=f"of {count}: round 1 package: commitment: "):
            round1.deserialize_all(suite, {**dict.fromkeys(ids, data), ids[0]: data.replace(G, b"\2" + b"\xff" * 32)})


# ── what is refused in postcard ──


def test_truncation_at_every_length(document: Document) -> None:
    accepted = [k for k in range(len(document.postcard)) if reads(document, document.postcard[:k])]
    # without its optional last field, the newer public key package is the older one
    assert accepted == ([len(document.postcard) - 2] if document.snapshot == "public_key_package_new" else [])


def reads(document: Document, data: bytes) -> bool:
    try:
        read(FAST, document, data)
    except DeserializationError:
        return False
    return True


@pytest.mark.parametrize("tail", [b"\0", b"\1", b"\xff", b"\1\2"])
def test_trailing_bytes(document: Document, tail: bytes) -> None:
    if document.snapshot == "public_key_package" and tail == b"\1\2":
        assert read(FAST, document, document.postcard + tail).min_signers == 2
        return
    with pytest.raises(DeserializationError):
        read(FAST, document, document.postcard + tail)


def test_every_flipped_byte_gives_an_error_or_another_package(document: Document) -> None:
    for k in range(len(document.postcard)):
        data = bytearray(document.postcard)
        data[k] ^= 0x41
        try:
            package = read(FAST, document, bytes(data))
        except DeserializationError as error:
            assert str(error).startswith(document.kind.title + ": ")
        else:
            assert public_bytes(package.serialize()) == bytes(data)


@pytest.mark.parametrize("header", [b"\1\xa1\x32\xf0\xc9", b"\0\xb1\x69\xf0\xda", b"\0\xc9\xf0\x32\xa1"])
@pytest.mark.parametrize("name", [name for name, d in DOCUMENTS.items() if d.postcard[:5] == FAST.header])
def test_another_version_or_suite(name: str, header: bytes) -> None:
    document = DOCUMENTS[name]
    with pytest.raises(DeserializationError, match="version 0 and ciphersuite"):
        read(FAST, document, header + document.postcard[5:])


def test_integers_not_in_their_shortest_form() -> None:
    document = DOCUMENTS["round1_package"]
    assert document.postcard[5:6] == b"\1"
    for count in (b"\x81\0", b"\x81\x80\0", b"\x81\x80\x80\x80\x80\0", b"\xff" * 9):
        with pytest.raises(DeserializationError):
            read(FAST, document, document.postcard[:5] + count + document.postcard[6:])
    key_package = DOCUMENTS["key_package"]
    for minimum in (b"\x82\0", b"\x80\x80\x04", b"\xff\xff\xff\xff\x0f"):
        with pytest.raises(DeserializationError):
            read(FAST, key_package, key_package.postcard[:-1] + minimum)
    assert read(FAST, key_package, key_package.postcard[:-1] + b"\xff\xff\x03").min_signers == 65535


@pytest.mark.parametrize("count", [b"\x7f", b"\xff\xff\x03", b"\x80\x80\x04", b"\xff\xff\xff\xff\x0f"])
@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("round1_package", 5),
        ("round1_package", 5 + 1 + 33),  # the length of the proof
        ("round1_secret_package", 32),
        ("round1_secret_package", 32 + 1 + 64),
        ("round2_secret_package", 32),
        ("public_key_package", 5),
        ("secret_share", 5 + 64),
        ("signing_package", 5),
        ("signing_package", 5 + 1 + 32 + 71),  # the length of the message
    ],
)
def test_counts_that_promise_too_much(name: str, position: int, count: bytes) -> None:
    data = DOCUMENTS[name].postcard
    with pytest.raises(DeserializationError):
        read(FAST, DOCUMENTS[name], data[:position] + count + data[position + 1 :])


def test_maps_out_of_order_or_with_duplicates() -> None:
    one, two = ((k).to_bytes(32, "big") + G for k in (1, 2))

    def package(*entries: bytes) -> bytes:
        return FAST.header + bytes((len(entries),)) + b"".join(entries) + G

    assert len(PublicKeyPackage.deserialize(FAST, package(one, two)).verifying_shares) == 2
    for entries in ((two, one), (one, one), (one, two, one)):
        with pytest.raises(DeserializationError, match="ascending"):
            PublicKeyPackage.deserialize(FAST, package(*entries))


def test_optional_fields_have_one_form() -> None:
    data = DOCUMENTS["public_key_package"].postcard
    for tail in (b"\0", b"\2\2", b"\1", b"\1\x82\0"):
        with pytest.raises(DeserializationError):
            PublicKeyPackage.deserialize(FAST, data + tail)


def test_input_that_is_too_long(monkeypatch: pytest.MonkeyPatch, document: Document) -> None:
    monkeypatch.setattr(encoding, "MAX_LENGTH", len(document.postcard) - 1)
    with pytest.raises(DeserializationError, match="more than any package has"):
        read(FAST, document, document.postcard)
    with pytest.raises(DeserializationError, match="more than any package has"):
        read_json(FAST, document, document.json)


@given(data=st.binary(max_size=200))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_never_crash(document: Document, data: bytes) -> None:
    for attempt in (data, document.postcard[:5] + data, document.postcard[: len(data)] + data):
        try:
            package = read(FAST, document, attempt)
        except DeserializationError:
            continue
        assert public_bytes(package.serialize()) == attempt


# ── what is refused in JSON ──


def changes(document: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every document that differs from this one at one field: renamed, missing, extra, of another type."""

    def changed(change: Any) -> dict[str, Any]:
        other = copy.deepcopy(document)
        change(other)
        return other

    yield "extra field", {**document, "extra": 1}
    yield "extra field that is text", {**document, "extra": "00"}
    for name, value in document.items():
        if len(name) == 64:
            yield "zero identifier", {**document, "0" * 64: value}
            yield "identifier not below the order", {**document, f"{ORDER:064x}": value}
            yield "short identifier", {**document, name[2:]: value}
            yield "identifier that is no hex", {**document, "x" * 64: value}
        else:
            yield f"no {name}", changed(lambda d, name=name: d.pop(name))
            yield f"renamed {name}", changed(lambda d, name=name: d.update({name + "_": d.pop(name)}))
        wrong_values = [None, True, "", 1.5, -1, 99999, [], {}, "zz", "0", [[]], " " + E1]
        for wrong in wrong_values:
            if wrong == value or (wrong in ([], {}) and isinstance(value, type(wrong))):
                continue  # an empty list or map is one
            if name == "message" and wrong == "":
                continue
            yield f"{name} = {wrong!r}", {**document, name: wrong}
        if isinstance(value, dict):
            for what, inner in changes(value):
                if not ("extra" in what and name in ("verifying_shares", "signing_commitments")):
                    yield f"{name}: {what}", {**document, name: inner}
        if isinstance(value, str) and name not in ("message", "ciphersuite"):
            for wrong in (value[2:], value + "00", value[:-1] + "g", value[:-1] + " ", "ff" * (len(value) // 2)):
                yield f"{name} = {wrong}", {**document, name: wrong}


def test_json_changed_at_any_place(document: Document) -> None:
    what_was_tried = 0
    for what, changed in changes(document.json):
        if document.kind is PublicKeyPackage and what == "no min_signers":
            continue
        with pytest.raises(DeserializationError):
            read_json(FAST, document, changed)
            pytest.fail(f"accepted: {what}")
        what_was_tried += 1
    assert what_was_tried > 20


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"version": 1, "ciphersuite": HEADER["ciphersuite"]},
        {"version": 0, "ciphersuite": "FROST-ED25519-SHA512-v1"},
        {"version": 0, "ciphersuite": "FROST-P256-SHA256-v1 "},
        {"version": 0},
        {"ciphersuite": HEADER["ciphersuite"]},
        {**HEADER, "extra": 0},
        {"version": "0", "ciphersuite": HEADER["ciphersuite"]},
    ],
)
def test_json_headers(document: Document, header: dict[str, Any]) -> None:
    if "header" in document.json:
        with pytest.raises(DeserializationError):
            read_json(FAST, document, {**document.json, "header": header})
    else:
        with pytest.raises(DeserializationError, match="unknown field"):
            read_json(FAST, document, {"header": header, **document.json})


def test_duplicate_json_fields(document: Document) -> None:
    text = compact(document.json)
    for name, value in document.json.items():
        again = b"{" + compact({name: value})[1:-1] + b"," + text[1:]
        with pytest.raises(DeserializationError, match="twice"):
            read_json(FAST, document, again)


def test_duplicate_identifiers_in_json() -> None:
    a = "0" * 62 + "0a"
    text = compact({**DOCUMENTS["public_key_package"].json, "verifying_shares": {a: E1, a.upper(): E1}})
    with pytest.raises(DeserializationError, match="twice"):
        PublicKeyPackage.from_json(FAST, text)


NOT_JSON = [
    b"",
    b" ",
    b"{}",
    b"[]",
    b"1",
    b'""',
    b"null",
    b"{",
    b'{"header"',
    b'{"header":}',
    b"{,}",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"[" * 10000,
    b'{"a":' * 10000,
]


@pytest.mark.parametrize("text", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_is_no_package_in_json(document: Document, text: bytes) -> None:
    with pytest.raises(DeserializationError, match=document.kind.title):
        read_json(FAST, document, text)


def test_json_with_something_around_or_inside(document: Document) -> None:
    text = compact(document.json)
    escaped = text.replace(b"a", b"\\u0061")
    for wrong in (text + b"}", text + b"x", b"x" + text, text[:-1] + b",}", text.replace(b":", b"=", 1), escaped):
        with pytest.raises(DeserializationError):
            read_json(FAST, document, wrong)


def test_truncated_json(document: Document) -> None:
    text = compact(document.json)
    for k in range(len(text)):
        with pytest.raises(DeserializationError):
            read_json(FAST, document, text[:k])


def test_json_text_that_is_no_ascii() -> None:
    for text in ('{"ü":1}', "\ud800", '{"header":"\u2028"}'):
        with pytest.raises(DeserializationError):
            SigningPackage.from_json(FAST, text)


# ── which error ──


def test_errors_say_what_is_wrong(suite: Ciphersuite) -> None:
    commitments = DOCUMENTS["signing_commitments"]
    for hiding, error in (
        (bytes(33), InvalidIdentityElement),
        (b"\2" + b"\xff" * 32, MalformedElement),
        (b"\4" + G[1:], MalformedElement),
    ):
        data = FAST.header + hiding + G
        with pytest.raises(error, match="signing commitments: hiding: "):
            read(suite, commitments, data)
        with pytest.raises(error, match="signing commitments: hiding: "):
            read_json(suite, commitments, {**COMMITMENTS, "hiding": hiding.hex()})
    key_package = DOCUMENTS["key_package"].json
    with pytest.raises(InvalidZeroScalar, match="key package: identifier: "):
        read_json(suite, DOCUMENTS["key_package"], {**key_package, "identifier": "00" * 32})
    with pytest.raises(MalformedScalar, match="key package: signing_share: "):
        read_json(suite, DOCUMENTS["key_package"], {**key_package, "signing_share": "ff" * 32})
    nested = {**DOCUMENTS["signing_package"].json, "signing_commitments": {ID: {**COMMITMENTS, "hiding": "00" * 33}}}
    with pytest.raises(InvalidIdentityElement, match="signing package: signing_commitments: hiding: "):
        read_json(suite, DOCUMENTS["signing_package"], nested)


@pytest.mark.parametrize("name", [name for name, d in DOCUMENTS.items() if d.is_secret])
def test_an_error_about_a_secret_does_not_show_it(name: str) -> None:
    document = DOCUMENTS[name]
    for data in (document.postcard[:-1], document.postcard + b"x"):
        with pytest.raises(DeserializationError) as caught:
            read(FAST, document, data)
        assert S[:16] not in str(caught.value)
    text = compact(document.json).replace(S.encode(), S.encode() + b"00")
    with pytest.raises(DeserializationError) as caught:
        read_json(FAST, document, text)
    assert S[:16] not in str(caught.value)


def test_commitments_must_belong_to_the_nonces(suite: Ciphersuite) -> None:
    document = DOCUMENTS["signing_nonces"]
    swapped = {**document.json, "commitments": COMMITMENTS}
    with pytest.raises(DeserializationError, match="not those of the nonces"):
        read_json(suite, document, swapped)


def test_bare_values_have_no_header(suite: Ciphersuite) -> None:
    assert VerifyingKey.deserialize(suite, G).serialize() == G
    assert DOCUMENTS["signature_share"].postcard == bytes.fromhex(S)
