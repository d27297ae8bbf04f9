from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frost_hsm.backends.uri import MAX_URI_LENGTH, Pkcs11Uri
from frost_hsm.errors import UsageProblem

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        # RFC 7512, section 3
        ("pkcs11:", Pkcs11Uri()),
        (
            "pkcs11:object=my-pubkey;type=public",
            Pkcs11Uri(object="my-pubkey", type="public"),
        ),
        (
            "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;"
            "manufacturer=Snake%20Oil,%20Inc.;model=1.0;object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;"
            "serial=",
            Pkcs11Uri(
                token="The Software PKCS#11 Softtoken",
                manufacturer="Snake Oil, Inc.",
                model="1.0",
                serial="",
                object="my-certificate",
                type="cert",
                id=bytes.fromhex("69953e5cf4bdec91"),
            ),
        ),
        (
            "pkcs11:slot-description=Sun%20Metaslot",
            Pkcs11Uri(slot_description="Sun Metaslot"),
        ),
        (
            "pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token%20Library;library-version=1.23",
            Pkcs11Uri(
                library_manufacturer="Snake Oil, Inc.",
                library_description="Soft Token Library",
                library_version="1.23",
            ),
        ),
        ("pkcs11:token=a;x-vendor=anything?x-more=1", Pkcs11Uri(token="a")),
        ("pkcs11:token=name%20with%20a%20small%20%C5%99", Pkcs11Uri(token="name with a small ř")),
        ("pkcs11:token=a?module-name=softhsm", Pkcs11Uri(token="a", module_name="softhsm")),
        # clevis writes the module into the path part
        (
            "pkcs11:module-path=/usr/lib/softhsm/libsofthsm2.so;token=a",
            Pkcs11Uri(token="a", module_path="/usr/lib/softhsm/libsofthsm2.so"),
        ),
        ("PKCS11:token=a", Pkcs11Uri(token="a")),
    ],
)
def test_reads(uri: str, expected: Pkcs11Uri) -> None:
    assert Pkcs11Uri.parse(uri) == expected
    assert Pkcs11Uri.parse(str(expected)) == expected


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("", "pkcs11:"),
        ("software:alice", "pkcs11:"),
        ("pkcs11:token=a;token=a", '"token" twice'),
        ("pkcs11:token=a;module-name=b?module-name=b", '"module-name" twice'),
        ("pkcs11:slot-id=3", "slot"),
        ("pkcs11:token=a?pin-source=file:/x", "source of the PIN"),
        ("pkcs11:token=a;colour=red", '"colour"'),
        ("pkcs11:token=a?colour=red", '"colour"'),
        ("pkcs11:token", '"token"'),
        ("pkcs11:token=a;", '""'),
        ("pkcs11:;token=a", '""'),
        ("pkcs11:token=a?", '""'),
        ("pkcs11:token=a b", '"token"'),
        ("pkcs11:token=ř", '"token"'),
        ("pkcs11:token=%2", '"token"'),
        ("pkcs11:token=%zz", '"token"'),
        ("pkcs11:token=%ff", '"token"'),
        ("pkcs11:token=a\n", '"token"'),
        ("pkcs11:token=a#b", '"token"'),
        ("pkcs11:type=banana", '"banana"'),
        ("pkcs11:token=a?module-path=softhsm.so", "absolute"),
        ("pkcs11:token=" + "a" * MAX_URI_LENGTH, str(MAX_URI_LENGTH)),
    ],
)
def test_refuses_and_names_what(uri: str, named: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        Pkcs11Uri.parse(uri)
    assert named in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("uri", ["pkcs11:token=a?pin-value=1234-secret", "pkcs11:pin-value=1234-secret;token=a"])
def test_never_repeats_a_pin(uri: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        Pkcs11Uri.parse(uri)
    assert "1234-secret" not in f"{caught.value!r} {caught.value.hint}"
    assert "--pin-source" in str(caught.value.hint)


@given(token=TEXT, serial=TEXT, module_name=TEXT, id=st.binary(max_size=20))
def test_what_is_written_reads_back(token: str, serial: str, module_name: str, id: bytes) -> None:
    uri = Pkcs11Uri(token=token, serial=serial, id=id, module_name=module_name)
    written = str(uri)
    assert Pkcs11Uri.parse(written) == uri
    assert written.isascii()
    assert written.isprintable()
