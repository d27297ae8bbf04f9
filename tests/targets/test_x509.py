"""Root, intermediate and end certificates: taken by OpenSSL and by cryptography's verifier, refused once changed."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from stage.authority import EC_KEY, NOW, RSA_KEY, TOP, issue, public_pem, request, root
from stage.dealing import few
from stage.memory_group import altered, group, run
from stage.signing_things import make, sign, verify

from frost_hsm import targets
from frost_hsm.errors import InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.forms import pem
from frost_hsm.targets.programs.group_private_key import record
from frost_hsm.targets.x509 import words as x509_words
from frost_hsm.targets.x509.cert import X509Certificate
from frost_hsm.targets.x509.profiles import key_usage

BELOW = group("ed25519", 1)  # another group, an authority below the first
TIME = datetime.datetime.fromtimestamp(NOW, datetime.UTC)


def chain(suite: str = "ed25519") -> tuple[bytes, bytes, bytes]:
    """A root, an authority below it, and a server."""
    top = root(group(suite))
    middle = issue("x509-intermediate", public_pem(BELOW), top, by=group(suite), subject="CN=Team Servers,O=Team")
    return top, middle, issue("x509-end", request(), middle, by=BELOW)


def openssl(top: bytes, middle: bytes, end: bytes, directory: Path, *words: str) -> bool:
    for name, data in (("root.pem", top), ("middle.pem", middle), ("end.pem", end)):
        (directory / name).write_bytes(data)
    at = ("-attime", str(NOW + 86400), "-x509_strict")
    files = ("-CAfile", "root.pem", "-untrusted", "middle.pem", "end.pem")
    return run("openssl", "verify", *at, *words, *files, cwd=directory).returncode == 0


@pytest.mark.parametrize("suite", ["ed25519", "ed448"])
def test_openssl_takes_a_chain(suite: str, tmp_path: Path) -> None:
    top, middle, end = chain(suite)
    assert openssl(top, middle, end, tmp_path, "-purpose", "sslserver", "-verify_hostname", "www.example.org")
    assert not openssl(top, middle, end, tmp_path, "-verify_hostname", "www.example.com")
    assert not openssl(root(group("ed25519", 2)), middle, end, tmp_path)
    for target, made, by in (
        ("x509-root", top, group(suite)),
        ("x509-intermediate", middle, group(suite)),
        ("x509-end", end, BELOW),
    ):
        assert verify(target, made, by=by).to_sign(by.key) in x509.load_pem_x509_certificate(made).public_bytes(
            Encoding.DER
        )


def test_cryptography_takes_a_chain() -> None:
    """Issuer by issuer: its verifier of whole chains keeps to the Web's rules, which know no Ed25519."""
    top, middle, end = map(x509.load_pem_x509_certificate, chain())
    top.verify_directly_issued_by(top)
    middle.verify_directly_issued_by(top)
    end.verify_directly_issued_by(middle)
    with pytest.raises((ValueError, WrongSignature)):
        end.verify_directly_issued_by(top)


def test_a_lint_finds_nothing(tmp_path: Path) -> None:
    for name, made in zip(("root", "middle", "end"), chain(), strict=True):
        (tmp_path / f"{name}.pem").write_bytes(made)
        program = (sys.executable, "-m", "pkilint.bin.lint_pkix_cert")
        done = run(*program, "lint", "-s", "NOTICE", f"{name}.pem", cwd=tmp_path)
        assert (done.returncode, done.stdout.strip()) == (0, b""), done


def test_any_other_byte_is_refused(tmp_path: Path) -> None:
    top, middle, end = chain()
    der = x509.load_pem_x509_certificate(end).public_bytes(Encoding.DER)
    for other in altered(der, 12):
        wrong = pem.encode("CERTIFICATE", other)
        assert not openssl(top, middle, wrong, tmp_path)
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("x509-end", wrong, by=BELOW)
    with pytest.raises((InvalidSignature, MalformedMessage)):
        verify("x509-end", end, by=group())


def test_every_part_is_shown() -> None:
    texts = {"names": "www.example.org,192.0.2.1,ops@example.org", "use": "server,client", "days": "30"}
    places = {
        "crl_url": "http://a.example/crl",
        "ocsp_url": "http://a.example/ocsp",
        "issuer_url": "http://a.example/ca",
    }
    thing = make("x509-end", request(key=RSA_KEY), files={"issuer": root()}, now=NOW, **texts, **places)
    said = sign("x509-end", thing).words
    for wanted in (
        'subject  CN="www.example.org"',
        'issuer   C="DE", O="Team", CN="Team Root"',
        "RSA of 2048 bits",
        "from 2025-06-15 15:06:40 UTC",
        "until 2025-07-15 15:06:40 UTC",
        "no authority itself (critical)",
        "key for  digital signature, key encipherment (critical)",
        "use      server, client",
        'for      dns www.example.org, address 192.0.2.1, e-mail "ops@example.org"',
        '"http://a.example/crl"',
        'OCSP uri "http://a.example/ocsp"',
        '"http://a.example/ca"',
        x509_words.key_identifier(group().key).digest.hex(),
    ):
        assert wanted in said


def test_domains_bind_an_authority_below(tmp_path: Path) -> None:
    top = root()
    texts = {"subject": "CN=Team Servers,O=Team", "only_dns": "example.org"}
    thing = make("x509-intermediate", public_pem(BELOW), files={"issuer": top}, now=NOW, **texts)
    made = sign("x509-intermediate", thing)
    assert "only for dns example.org (critical)" in made.words
    assert "an authority, with 0 authorities below it (critical)" in made.words
    inside = issue("x509-end", request(), made.finished, by=BELOW)
    outside = issue("x509-end", request(("www.example.com",)), made.finished, by=BELOW)
    assert openssl(top, made.finished, inside, tmp_path)
    assert not openssl(top, made.finished, outside, tmp_path)


EC_PUBLIC = EC_KEY.public_key()
Extensions = list[tuple[x509.ExtensionType, bool]]


def draft(
    change: Callable[[Extensions], Any] = lambda _: None,
    subject: x509.Name | None = None,
    public_key: CertificatePublicKeyTypes = EC_PUBLIC,
) -> bytes:
    """The part that is signed of a certificate that a cheat makes with the library."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Team Root")])
    subject = subject or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "www.example.org")])
    key_id = x509_words.key_identifier(group().key)
    extensions: Extensions = [
        (x509.BasicConstraints(False, None), True),
        (key_usage("digital_signature"), True),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), False),
    ]
    change(extensions)
    builder = x509.CertificateBuilder(name, subject, public_key, 7, TIME, TIME + datetime.timedelta(days=9))
    for value, is_critical in extensions:
        builder = builder.add_extension(value, is_critical)
    (tbs,) = record(group().key, lambda key: builder.sign(key, None))
    return tbs


def test_a_draft_without_tricks_is_signed() -> None:
    made = sign("x509-end", draft())
    assert made.message == draft()
    x509.load_pem_x509_certificate(made.finished).verify_directly_issued_by(
        x509.load_pem_x509_certificate(root(subject="CN=Team Root"))
    )


def name(*pairs: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])


NAMES = [*name((NameOID.COMMON_NAME, "a"), (NameOID.ORGANIZATION_NAME, "b"))]


def places(*points: list[str]) -> tuple[x509.ExtensionType, bool]:
    """Where revocation lists are found, by several names each."""
    named = [[x509.UniformResourceIdentifier(f"http://{each}.example/") for each in names] for names in points]
    return x509.CRLDistributionPoints([x509.DistributionPoint(each, None, None, None) for each in named]), False


OID = x509.ObjectIdentifier("1.2.3.4")  # of nothing
ACCESS = x509.AccessDescription(OID, x509.UniformResourceIdentifier("http://a.example/"))
HIDDEN: list[bytes] = [
    draft(lambda e: e.append((x509.UnrecognizedExtension(OID, b"\4\0"), False))),
    draft(lambda e: e.append((x509.IssuerAlternativeName([x509.DNSName("other.example")]), False))),
    draft(lambda e: e.append((x509.ExtendedKeyUsage([OID]), False))),
    draft(lambda e: e.append((x509.AuthorityInformationAccess([ACCESS]), False))),
    draft(lambda e: e.append((x509.SubjectAlternativeName([x509.RegisteredID(OID)]), False))),
    draft(lambda e: e.append((x509.SubjectAlternativeName([x509.DNSName("a.example\0.b.example")]), False))),
    draft(lambda e: e.append((x509.SubjectAlternativeName([x509.DNSName("WWW.example.org")]), False))),
    draft(lambda e: e.append((x509.NameConstraints(None, [x509.DNSName("a.example")]), True))),
    draft(lambda e: e.append((x509.PolicyConstraints(0, None), True))),
    draft(subject=name((OID, "hidden"))),
    *(draft().replace(b"\x0c\x0fwww.", bytes((kind,)) + b"\x0fwww.") for kind in (0x03, 0x04, 0x14)),
    draft(subject=name((NameOID.COMMON_NAME, "good\0evil"))),
    draft(subject=name((NameOID.COMMON_NAME, "turned\N{RIGHT-TO-LEFT OVERRIDE}"))),
    draft(public_key=rsa.generate_private_key(65537, 1024).public_key()),
    draft(lambda e: e.__setitem__(0, (x509.BasicConstraints(True, None), True))),  # of another profile
    draft(lambda e: e.pop(0)),
    draft() + b"\0",
    draft()[:-1],
    b"",
]


@pytest.mark.parametrize("year", [1900, 1949])
def test_times_that_the_library_breaks_at_are_refused(year: int) -> None:
    """It reads them, and panics when it is to write them: no exception, so that any program ends that asks it to."""
    tbs = asn1.TbsCertificate.load(draft())
    tbs["validity"]["not_before"] = asn1.Time("general_time", datetime.datetime(year, 1, 1, tzinfo=datetime.UTC))
    with pytest.raises(MalformedMessage):
        targets.load("x509-end").read(tbs.dump(force=True))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            draft(subject=x509.Name([x509.RelativeDistinguishedName(NAMES)])),
            draft(subject=x509.Name([x509.RelativeDistinguishedName([each]) for each in NAMES])),
        ),
        (draft(lambda e: e.append(places(["a"], ["b"]))), draft(lambda e: e.append(places(["a", "b"])))),
    ],
)
def test_what_differs_looks_different(one: bytes, other: bytes) -> None:
    assert sign("x509-end", one).words != sign("x509-end", other).words


@pytest.mark.parametrize("tbs", HIDDEN)
def test_what_is_hidden_is_refused(tbs: bytes) -> None:
    with pytest.raises(MalformedMessage):
        targets.load("x509-end").read(tbs)


def test_a_name_in_another_kind_of_text_is_shown_as_that() -> None:
    printable = draft().replace(b"\x0c\x0fwww.", b"\x13\x0fwww.")
    assert 'subject  CN="www.example.org" (PrintableString)' in sign("x509-end", printable).words


def test_a_subject_of_two_is_shown_twice() -> None:
    two = name((NameOID.COMMON_NAME, "www.example.org"), (NameOID.COMMON_NAME, "evil.example"))
    assert 'subject  CN="www.example.org", CN="evil.example"' in sign("x509-end", draft(subject=two)).words


def test_a_certificate_for_another_key_to_sign() -> None:
    thing = X509Certificate.read(draft())
    for other in (group("ed25519", 1), group("ed448")):
        with pytest.raises(NotPossible):
            thing.to_sign(other.key)
    with pytest.raises(NotPossible, match="does not name the key"):
        targets.load("x509-end").read(draft(lambda e: e.pop())).to_sign(group().key)
    top = make("x509-root", subject="CN=Team", now=NOW)
    with pytest.raises(NotPossible, match="another key"):
        targets.load("x509-root").read(top).to_sign(group("ed25519", 1).key)


@pytest.mark.parametrize(
    ("target", "data", "texts"),
    [
        ("x509-end", request(), {"days": "99999"}),
        ("x509-end", request(), {"days": "99999999999"}),
        ("x509-end", request(), {"names": "bücher.example"}),
        ("x509-end", request(), {"names": "ü@example.org"}),
        ("x509-end", request(), {"crl_url": "http://bücher.example/"}),
        ("x509-intermediate", request(), {"only_dns": "bücher.example"}),
        ("x509-crl", b"", {"days": "99999999999"}),
        ("x509-crl", b"5a0b 0001-01-31", {}),
        ("x509-end", request(()), {}),
        ("x509-end", request(), {"use": "everything"}),
        ("x509-end", request(), {"names": "UPPER.example"}),
        ("x509-end", request().replace(b"M", b"N", 1), {}),
        ("x509-end", b"", {}),
        ("x509-intermediate", public_pem(BELOW), {}),
        ("x509-intermediate", public_pem(BELOW), {"subject": "nonsense"}),
        ("x509-intermediate", request(), {"days": "0x10"}),
    ],
)
def test_requests_that_are_refused(target: str, data: bytes, texts: dict[str, str]) -> None:
    with pytest.raises(NotPossible):
        issue(target, data, root(), **texts)


def test_the_issuer_is_the_group_itself() -> None:
    with pytest.raises(NotPossible, match="not of the key"):
        issue("x509-end", request(), root(BELOW))
    with pytest.raises(WrongSignature):
        end = x509.load_pem_x509_certificate(issue("x509-end", request(), root()))
        end.verify_directly_issued_by(x509.load_pem_x509_certificate(root(BELOW)))


LABEL = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
TEXT = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)


@few
@given(st.lists(LABEL, min_size=1, max_size=3, unique=True), TEXT, st.integers(1, 3000))
def test_what_is_shown_is_what_others_parse(labels: list[str], organisation: str, days: int) -> None:
    names = [f"{label}.example" for label in labels]
    thing = make(
        "x509-end",
        request(),
        files={"issuer": root()},
        now=NOW,
        names=",".join(names),
        subject=f"CN={names[0]},O={organisation}",
        days=str(days),
    )
    made = sign("x509-end", thing)
    read = x509.load_pem_x509_certificate(made.finished)
    others = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert f"for      {', '.join(f'dns {each}' for each in others.get_values_for_type(x509.DNSName))}" in made.words
    attributes = [
        read.subject.get_attributes_for_oid(oid)[0].value for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    ]
    assert all(f'"{value}"' in made.words for value in attributes)
    assert f"until {read.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC" in made.words
    assert f"serial   {read.serial_number:x}" in made.words
    assert len(read.extensions) == 6


@few
@given(TEXT, st.integers(0, 9), st.lists(LABEL, max_size=3, unique=True), st.integers(1, 3000))
def test_what_is_shown_of_an_authority_is_what_others_parse(
    name: str, path_length: int, domains: list[str], days: int
) -> None:
    texts = {"subject": f"CN={name}", "path_length": str(path_length), "days": str(days), "only_dns": ",".join(domains)}
    made = sign(
        "x509-intermediate", make("x509-intermediate", public_pem(BELOW), files={"issuer": TOP}, now=NOW, **texts)
    )
    read = x509.load_pem_x509_certificate(made.finished)
    constraints = read.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, path_length)
    assert f"an authority, with {path_length} authorities below it (critical)" in made.words
    assert f'subject  CN="{read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value}"' in made.words
    assert f"until {read.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC" in made.words
    try:
        only = read.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    except x509.ExtensionNotFound:
        only = []
    assert [each.value for each in only] == domains
    assert ("only for" in made.words) == bool(domains)
    assert all(f"dns {each}" in made.words for each in domains)


@few
@given(TEXT, st.integers(1, 20000))
def test_what_is_shown_of_a_root_is_what_others_parse(name: str, days: int) -> None:
    made = sign("x509-root", make("x509-root", subject=f"O={name},CN={name}", days=str(days), now=NOW))
    read = x509.load_pem_x509_certificate(made.finished)
    shown = ", ".join(f'{each.rfc4514_attribute_name}="{each.value}"' for each in read.subject)
    assert f"subject  {shown}" in made.words
    assert f"issuer   {shown}" in made.words
    assert f"from {read.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC" in made.words
    assert f"until {read.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC" in made.words
