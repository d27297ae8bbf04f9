"""Revocation lists and answers of OCSP: taken by OpenSSL, refused once changed; nothing in one goes unsaid."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given
from hypothesis import strategies as st
from stage.authority import END, NOW, TOP, issue, request, root
from stage.dealing import few
from stage.memory_group import altered, group, run
from stage.signing_things import make, sign, verify

from frost_hsm import targets
from frost_hsm.errors import InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.forms import der, pem
from frost_hsm.targets.programs.group_private_key import record
from frost_hsm.targets.x509 import words as x509_words

SERIAL = x509.load_pem_x509_certificate(END).serial_number
REVOKED = f"# what is revoked\n{SERIAL:x} 2025-06-14 keyCompromise\n5a0b 2025-01-31\n".encode()
TIME = datetime.datetime.fromtimestamp(NOW, datetime.UTC)


@pytest.mark.parametrize("suite", ["ed25519", "ed448"])
def test_openssl_takes_a_list(suite: str, tmp_path: Path) -> None:
    by = group(suite)
    top = root(by)
    end = issue("x509-end", request(), top, by=by)
    serial = x509.load_pem_x509_certificate(end).serial_number
    for name, data in (("root.pem", top), ("end.pem", end)):
        (tmp_path / name).write_bytes(data)

    def is_good(revoked: bytes) -> bool:
        made = sign("x509-crl", make("x509-crl", revoked, by=by, files={"issuer": top}, now=NOW), by=by)
        (tmp_path / "list.crl").write_bytes(made.finished)
        assert verify("x509-crl", made.finished, by=by).to_sign(by.key) == made.message
        done = run("openssl", "crl", "-noout", "-CAfile", "root.pem", "-in", "list.crl", cwd=tmp_path)
        assert b"verify OK" in done.stderr, done.stderr
        words = ("-attime", str(NOW + 60), "-crl_check", "-CRLfile", "list.crl", "-CAfile", "root.pem", "end.pem")
        done = run("openssl", "verify", *words, cwd=tmp_path)
        assert (b"certificate revoked" in done.stderr) == (done.returncode != 0), done.stderr
        return done.returncode == 0

    assert is_good(b"")
    assert is_good(b"5a0b 2025-01-31\n")
    assert not is_good(f"{serial:x} 2025-06-14 superseded\n".encode())


def test_a_list_is_shown_and_refused_once_changed(tmp_path: Path) -> None:
    made = sign("x509-crl", make("x509-crl", REVOKED, files={"issuer": TOP}, now=NOW, number="7"))
    for wanted in (
        'issuer   C="DE", O="Team", CN="Team Root"',
        f"serial   {SERIAL:x}, 2025-06-14 00:00:00 UTC",
        "reason   keyCompromise",
        "serial   5a0b, 2025-01-31 00:00:00 UTC",
        "revokes  2 certificates",
        "number   7",
        "until 2025-07-15",
    ):
        assert wanted in made.words
    (tmp_path / "root.pem").write_bytes(TOP)
    for other in altered(x509.load_pem_x509_crl(made.finished).public_bytes(Encoding.DER), 10):
        wrong = pem.encode("X509 CRL", other)
        (tmp_path / "list.crl").write_bytes(wrong)
        done = run("openssl", "crl", "-noout", "-CAfile", "root.pem", "-in", "list.crl", cwd=tmp_path)
        assert b"verify OK" not in done.stderr
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("x509-crl", wrong)


def crl(change: Callable[[Any], Any] = lambda builder: builder, key: bool = True) -> bytes:
    """The part that is signed of a list that a cheat makes with the library."""
    name = x509.Name.from_rfc4514_string("CN=Team Root")
    builder = x509.CertificateRevocationListBuilder(name, TIME, TIME + datetime.timedelta(days=9))
    key_id = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(x509_words.key_identifier(group().key))
    builder = builder.add_extension(key_id, critical=False) if key else builder
    (tbs,) = record(group().key, lambda signer: change(builder).sign(signer, None))
    return tbs


def test_an_entry_is_of_one_form_too() -> None:
    """Extensions that there are none of, and a time that is written in another way: nobody would see the difference."""
    reader = der.Reader(make("x509-crl", b"5a0b 2025-01-31\n", files={"issuer": TOP}, now=NOW), "a list").sequence()
    before = [reader.whole(der.INTEGER), *(reader.whole(der.SEQUENCE) for _ in range(2))]
    before += [reader.whole(der.UTC_TIME), reader.whole(der.UTC_TIME)]
    entry, after = reader.inside(der.SEQUENCE).whole(der.SEQUENCE), reader.whole(der.context(0))

    def with_entry(data: bytes) -> bytes:
        return der.sequence(*before, der.sequence(data), after)

    fields = der.Reader(entry, "an entry").sequence()
    number, day = fields.whole(der.INTEGER), fields.whole(der.UTC_TIME)
    targets.load("x509-crl").read(with_entry(entry))
    for other in ((number, day, der.sequence()), (number, der.element(der.GENERALIZED_TIME, b"20250131000000Z"))):
        with pytest.raises(MalformedMessage):
            targets.load("x509-crl").read(with_entry(der.sequence(*other)))


def test_lists_with_hidden_parts_are_refused() -> None:
    assert sign("x509-crl", crl()).message == crl()
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\4\0")
    point = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
    entry = x509.RevokedCertificateBuilder(7, TIME).add_extension(x509.InvalidityDate(TIME), critical=False).build()
    for hidden in (
        crl(lambda builder: builder.add_extension(unknown, critical=False)),
        crl(lambda builder: builder.add_extension(point, critical=True)),
        crl(lambda builder: builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)),
        crl(lambda builder: builder.add_revoked_certificate(entry)),
        crl() + b"\0",
        crl()[:-1],
        b"",
    ):
        with pytest.raises(MalformedMessage):
            targets.load("x509-crl").read(hidden)
    with pytest.raises(NotPossible):
        targets.load("x509-crl").read(crl(key=False)).to_sign(group().key)
    with pytest.raises(NotPossible):
        targets.load("x509-crl").read(crl()).to_sign(group("ed25519", 1).key)


@pytest.mark.parametrize("line", ["5a0b", "xyz 2025-01-31", "5a0b 2025-31-01", "5a0b 2025-01-31 boredom", "5a 1 2 3"])
def test_lines_that_are_refused(line: str) -> None:
    with pytest.raises(NotPossible, match=line.split()[0]):
        make("x509-crl", line.encode(), files={"issuer": TOP}, now=NOW)


DAYS = st.dates(datetime.date(2000, 1, 1), datetime.date(2025, 6, 1))


@few
@given(
    st.dictionaries(
        st.integers(1, 1 << 100), st.dates(datetime.date(2000, 1, 1), datetime.date(2025, 6, 1)), max_size=5
    )
)
def test_what_is_shown_is_what_others_parse(revoked: dict[int, datetime.date]) -> None:
    text = "".join(f"{serial:x} {day}\n" for serial, day in revoked.items()).encode()
    made = sign("x509-crl", make("x509-crl", text, files={"issuer": TOP}, now=NOW))
    read = x509.load_pem_x509_crl(made.finished)
    assert {each.serial_number: each.revocation_date_utc.date() for each in read} == revoked
    shown = [line for line in made.words.splitlines() if line.startswith("  serial")]
    assert shown == [
        f"  serial   {each.serial_number:x}, {each.revocation_date_utc:%Y-%m-%d %H:%M:%S} UTC" for each in read
    ]


def answer(**texts: str) -> Any:
    return sign("x509-ocsp", make("x509-ocsp", END, files={"issuer": TOP}, now=NOW, **texts))


@pytest.mark.parametrize("suite", ["ed25519", "ed448"])
def test_openssl_takes_an_answer(suite: str, tmp_path: Path) -> None:
    by = group(suite)
    top = root(by)
    end = issue("x509-end", request(), top, by=by)
    for name, data in (("root.pem", top), ("end.pem", end)):
        (tmp_path / name).write_bytes(data)

    def said(data: bytes) -> bytes | None:
        (tmp_path / "answer").write_bytes(data)
        files = ("-respin", "answer", "-issuer", "root.pem", "-cert", "end.pem", "-CAfile", "root.pem")
        at = ("-attime", str(NOW + 60), "-validity_period", "999999999", "-no_nonce", "-VAfile", "root.pem")
        done = run("openssl", "ocsp", *files, *at, cwd=tmp_path)
        return done.stdout if done.returncode == 0 and b"Response verify OK" in done.stderr else None

    for texts, word in (({}, b"good"), ({"status": "superseded", "revoked": "2025-06-14"}, b"revoked")):
        made = sign("x509-ocsp", make("x509-ocsp", end, by=by, files={"issuer": top}, now=NOW, **texts), by=by)
        found = said(made.finished)
        assert found is not None
        assert b"end.pem: " + word in found
        assert verify("x509-ocsp", made.finished, by=by).to_sign(by.key) == made.message
        for other in altered(made.message, 6):
            assert said(made.finished.replace(made.message, other)) is None
        for other in altered(made.finished, 10):
            with pytest.raises((InvalidSignature, MalformedMessage)):
                verify("x509-ocsp", other, by=by)


def test_an_answer_is_shown() -> None:
    made = answer(status="keyCompromise", revoked="2025-06-14")
    read = ocsp.load_der_ocsp_response(made.finished)
    assert read.serial_number == SERIAL
    assert f"serial   {read.serial_number:x}" in made.words
    assert "revoked 2025-06-14 00:00:00 UTC, keyCompromise" in made.words
    assert f"until {read.next_update_utc:%Y-%m-%d %H:%M:%S} UTC" in made.words
    assert read.issuer_key_hash.hex() in made.words
    assert "is       good" in answer().words


def test_answers_that_are_refused() -> None:
    for texts in (
        {"status": "lost"},
        {"status": "superseded"},
        {"revoked": "2025-06-14"},
        {"status": "superseded", "revoked": "2099-01-01"},
        {"status": "superseded", "revoked": "yesterday"},
        {"days": "0"},
    ):
        with pytest.raises(NotPossible):
            answer(**texts)
    with pytest.raises(NotPossible, match="not issued by the group"):
        make("x509-ocsp", root(group("ed25519", 1)), files={"issuer": TOP}, now=NOW)
    thing = make("x509-ocsp", END, files={"issuer": TOP}, now=NOW)
    with pytest.raises(NotPossible, match="another issuer"):
        targets.load("x509-ocsp").read(thing).to_sign(group("ed25519", 1).key)
    with pytest.raises(MalformedMessage):
        targets.load("x509-ocsp").read(thing + b"\0")
    number = SERIAL.to_bytes(SERIAL.bit_length() // 8 + 1)
    negative = answer().finished.replace(number, bytes((number[0] | 0x80,)) + number[1:])
    with pytest.raises(MalformedMessage):
        verify("x509-ocsp", negative)


@few
@given(
    st.sampled_from(["good", "unspecified", "keyCompromise", "superseded"]),
    st.dates(datetime.date(2000, 1, 1), datetime.date(2025, 6, 1)),
    st.integers(1, 400),
)
def test_what_is_shown_of_an_answer_is_what_others_parse(status: str, day: datetime.date, days: int) -> None:
    revoked = {} if status == "good" else {"revoked": str(day)}
    made = answer(status=status, days=str(days), **revoked)
    (read,) = ocsp.load_der_ocsp_response(made.finished).responses
    assert f"serial   {read.serial_number:x}" in made.words
    assert f"until {read.next_update_utc:%Y-%m-%d %H:%M:%S} UTC" in made.words
    if read.revocation_time_utc is None:
        assert "is       good" in made.words
    else:
        assert f"is       revoked {read.revocation_time_utc:%Y-%m-%d %H:%M:%S} UTC, {status}" in made.words
