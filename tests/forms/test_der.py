from __future__ import annotations

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from frost_hsm.errors import MalformedMessage
from frost_hsm.forms import der, oids

OUR_OIDS = [value for name, value in vars(oids).items() if name.isupper() and name != "ARC"]


@pytest.mark.parametrize("dotted", [*OUR_OIDS, "0.39.1", "1.0", "2.999.3", "2.5.4.3"])
def test_object_identifiers_are_those_of_asn1crypto(dotted: str) -> None:
    assert der.oid(dotted) == core.ObjectIdentifier(dotted).dump()
    assert der.Reader(der.oid(dotted), "it").oid() == dotted


def test_object_identifiers_are_all_different() -> None:
    assert len(set(OUR_OIDS)) == len(OUR_OIDS)


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_integers_are_those_of_asn1crypto(value: int) -> None:
    assert der.integer(value) == core.Integer(value).dump()
    assert der.Reader(der.integer(value), "it").integer() == value


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_lengths_are_those_of_asn1crypto(length: int) -> None:
    value = bytes(length)
    assert der.octet_string(value) == core.OctetString(value).dump()
    assert der.Reader(der.octet_string(value), "it").octet_string() == value


def test_set_of_is_sorted() -> None:
    one, two, three = der.integer(1), der.integer(2), der.octet_string(b"")
    assert der.set_of(three, two, one) == der.element(der.SET, one, two, three)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "ends too early"),
        (b"\x04", "ends too early"),
        (b"\x04\x02a", "ends too early"),
        (b"\x02\x01\x00", "tag"),
        (b"\x04\x80a\x00\x00", "indefinite"),
        (b"\x04\x81\x01a", "not minimal"),
        (b"\x04\x82\x00\x80" + bytes(128), "not minimal"),
        (b"\x04\x82\x01", "indefinite or too large"),
        (b"\x04\x85\x01\x00\x00\x00\x00", "too large"),
        (b"\x04\x84\xff\xff\xff\xff", "ends too early"),
        (b"\x04\xff" + bytes(200), "too large"),
    ],
)
def test_refuses_an_element_that_is_not_der(data: bytes, why: str) -> None:
    with pytest.raises(MalformedMessage, match=f"the thing is malformed: .*{why}"):
        der.Reader(data, "the thing").octet_string()


@pytest.mark.parametrize("data", ["0200", "0201ff", "0201 80", "02020001", "0202007f", "0209010000000000000000"])
def test_refuses_an_integer_that_is_negative_long_or_not_minimal(data: str) -> None:
    with pytest.raises(MalformedMessage, match="a number is"):
        der.Reader(bytes.fromhex(data), "it").integer()


@pytest.mark.parametrize("data", ["0600", "060180", "06028001", "060281", "0641" + "81" * 64 + "01"])
def test_refuses_an_object_identifier_that_is_not_minimal(data: str) -> None:
    with pytest.raises(MalformedMessage):
        der.Reader(bytes.fromhex(data), "it").oid()


def test_refuses_text_that_is_not_utf8() -> None:
    with pytest.raises(MalformedMessage, match="UTF-8"):
        der.Reader(der.element(der.UTF8_STRING, b"\xff"), "it").utf8_string()


def test_an_inner_element_cannot_run_past_its_parent() -> None:
    inner = der.Reader(der.sequence(b"\x04\x03a") + b"bc", "it").sequence()
    with pytest.raises(MalformedMessage, match="ends too early"):
        inner.octet_string()


@given(st.binary(max_size=40))
def test_whatever_it_is_given_it_reads_canonically_or_refuses(data: bytes) -> None:
    reader = der.Reader(data, "it")
    read = b""
    try:
        while reader.more():
            read += reader.whole(data[len(read)])
    except MalformedMessage:
        return
    assert read == data
