"""Files, texts, certificates and revocations of OpenPGP: taken by gpg, gpgv and sq, and refused once changed."""

from __future__ import annotations

import datetime
import hashlib
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage.dealing import few
from stage.memory_group import altered, group, run
from stage.signing_things import NOW, make, sign, verify

from frost_hsm.errors import InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.targets.openpgp import packets as openpgp_packets

SIGNED = 1_750_000_000  # in June 2025: not in the future of the machine that runs this
WHO = "Team (2 of 3) <team@example.org>"
RELEASE = b"Origin: Team\n-dashed\nFrom here\n\n  indented\n"
FINGERPRINT = openpgp_packets.fingerprint(group().key).hex().upper()


@pytest.fixture
def certificate() -> bytes:
    return sign("openpgp-certificate", make("openpgp-certificate", user_id=WHO, now=SIGNED)).finished


@pytest.fixture
def gpg(tmp_path: Path, certificate: bytes) -> Callable[..., bytes]:
    """GnuPG with the certificate imported: returns what it says of it all, for machines."""
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)

    def call(*words: str, stdin: bytes = b"") -> bytes:
        options = ("--homedir", str(home), "--batch", "--no-autostart", "--status-fd", "1", "--trust-model", "always")
        return run("gpg", *options, *words, cwd=tmp_path, stdin=stdin).stdout

    assert b"IMPORT_OK" in call("--import", stdin=certificate)
    return call


Tool = Callable[[bytes, bytes], bool]


@pytest.fixture(params=["gpg", "gpgv", "sq"])
def detached(request: pytest.FixtureRequest, gpg: Callable[..., bytes], certificate: bytes, tmp_path: Path) -> Tool:
    """Whether a tool takes a detached signature on a file."""
    (tmp_path / "team.pgp").write_bytes(certificate)
    commands = {
        "gpgv": ("gpgv", "--keyring", str(tmp_path / "team.pgp"), "file.asc", "file"),
        "sq": ("sq", "verify", "--signer-cert", "team.pgp", "--detached", "file.asc", "file"),
    }

    def takes(signature: bytes, data: bytes) -> bool:
        (tmp_path / "file").write_bytes(data)
        (tmp_path / "file.asc").write_bytes(signature)
        if request.param == "gpg":
            return b"VALIDSIG " + FINGERPRINT.encode() in gpg("--verify", "file.asc", "file")
        return run(*commands[request.param], cwd=tmp_path).returncode == 0

    return takes


@pytest.fixture(params=["gpg", "gpgv", "sq"])
def clear(request: pytest.FixtureRequest, gpg: Callable[..., bytes], certificate: bytes, tmp_path: Path) -> Tool:
    """Whether a tool takes a signed text, and finds this text in it."""
    (tmp_path / "team.pgp").write_bytes(certificate)
    commands = {
        "gpg": ("gpg", "--homedir", "gnupg", "--batch", "--no-autostart", "--trust-model", "always", "-o", "-", "-d"),
        "gpgv": ("gpgv", "--keyring", str(tmp_path / "team.pgp"), "-o", "-"),
        "sq": ("sq", "verify", "--signer-cert", "team.pgp"),
    }

    def takes(text: bytes, expected: bytes) -> bool:
        (tmp_path / "text.asc").write_bytes(text)
        done = run(*commands[request.param], "text.asc", cwd=tmp_path)
        return done.returncode == 0 and done.stdout.removesuffix(b"\n") == expected.removesuffix(b"\n")

    return takes


def test_a_detached_signature(detached: Tool) -> None:
    made = sign("openpgp", make("openpgp", RELEASE, now=SIGNED))
    assert detached(made.finished, RELEASE)
    assert verify("openpgp", made.finished, RELEASE).to_sign(group().key) == made.message
    for other in altered(RELEASE, 3):
        assert not detached(made.finished, other)
        with pytest.raises(InvalidSignature):
            verify("openpgp", made.finished, other)
    body = openpgp_packets.read_armoured("SIGNATURE", made.finished)
    for other in altered(body, 8):
        armoured = openpgp_packets.armoured("SIGNATURE", other)
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("openpgp", armoured, RELEASE)
    hashed = 6 + int.from_bytes(body[6:8], "big")  # of the packet, whose head has two bytes
    for other in altered(body[:hashed], 5):
        assert not detached(openpgp_packets.armoured("SIGNATURE", other + body[hashed:]), RELEASE)
    for other in altered(made.signature, 5):
        assert not detached(made.thing.finish(group().key, other), RELEASE)


def test_a_signed_text(clear: Tool) -> None:
    made = sign("openpgp-cleartext", make("openpgp-cleartext", RELEASE, now=SIGNED))
    assert clear(made.finished, RELEASE)
    assert verify("openpgp-cleartext", made.finished).to_sign(group().key) == made.message
    begin = made.finished.index(b"Origin")
    end = made.finished.index(b"\n-----BEGIN PGP SIGNATURE")
    text, tail = made.finished[begin:end], made.finished[end:]
    for other in altered(text, 5):
        assert not clear(made.finished[:begin] + other + tail, RELEASE)
    for other in altered(made.finished, 12):
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("openpgp-cleartext", other)


@pytest.mark.parametrize("days", ["0", "9999"])
def test_a_certificate_is_imported_as_it_was_shown(days: str, tmp_path: Path) -> None:
    thing = make("openpgp-certificate", user_id=WHO, days=days, now=SIGNED)
    made = sign("openpgp-certificate", thing)
    assert f'user id  "{WHO}"' in made.words
    (tmp_path / "team.pgp").write_bytes(made.finished)
    done = run("gpg", "--homedir", str(tmp_path), "--batch", "--show-keys", "--with-colons", "team.pgp", cwd=tmp_path)
    public, _, user_id, *_ = [line.split(":") for line in done.stdout.decode().splitlines()]
    assert public[3] == "22"
    assert public[5] == str(openpgp_packets.KEY_CREATED)
    assert public[6] == (str(SIGNED + 9999 * 86400) if days != "0" else "")
    assert user_id[9] == WHO
    assert FINGERPRINT in done.stdout.decode()
    inspected = run("sq", "inspect", "team.pgp", cwd=tmp_path).stdout.decode()
    assert f"UserID: {WHO}" in inspected
    assert FINGERPRINT in inspected
    assert verify("openpgp-certificate", made.finished).to_sign(group().key) == made.message
    for other in altered(made.finished, 12):
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("openpgp-certificate", other)


def test_lines_are_as_long_as_gnupg_reads(clear: Tool) -> None:
    longest = b"-" * 19_990 + b"\nend\n"
    assert clear(sign("openpgp-cleartext", make("openpgp-cleartext", longest, now=SIGNED)).finished, longest)
    with pytest.raises(NotPossible, match="line"):
        make("openpgp-cleartext", b"-" + longest, now=SIGNED)


def test_a_changed_certificate_is_not_imported(tmp_path: Path, certificate: bytes) -> None:
    home = tmp_path / "other"
    home.mkdir(mode=0o700)
    end = certificate.index(b"example.org>") + len(b"example.org>")
    for other in (*altered(certificate[:end], 4), certificate[:-1] + b"?"):
        words = ("--homedir", str(home), "--batch", "--no-autostart", "--status-fd", "1", "--import")
        wrong = other + certificate[end:] if len(other) == end else other
        assert b"IMPORT_OK" not in run("gpg", *words, cwd=tmp_path, stdin=wrong).stdout


def test_a_revocation(gpg: Callable[..., bytes]) -> None:
    thing = make("openpgp-revocation", reason="superseded", comment="see the new key", now=SIGNED + 1)
    made = sign("openpgp-revocation", thing)
    assert "for ever" in made.words
    assert 'superseded, "see the new key"' in made.words
    assert verify("openpgp-revocation", made.finished).to_sign(group().key) == made.message
    assert b"\npub:r:" not in b"\n" + gpg("--list-keys", "--with-colons")
    wrong = openpgp_packets.read_armoured("PUBLIC KEY BLOCK", made.finished).replace(b"new key", b"old key")
    gpg("--import", stdin=openpgp_packets.armoured("PUBLIC KEY BLOCK", wrong))
    assert b"\npub:r:" not in b"\n" + gpg("--list-keys", "--with-colons")
    gpg("--import", stdin=made.finished)
    assert b"pub:r:" in gpg("--list-keys", "--with-colons")


@pytest.mark.parametrize(
    "text",
    [b"", b"no end", b"space \n", b"tab\t\nand more\n", b"carriage\r\nreturn\r\n", b"NUL\0\n", b"\x1b[2K\n", b"\xff\n"],
)
def test_texts_that_a_signature_would_not_cover(text: bytes) -> None:
    with pytest.raises(NotPossible):
        make("openpgp-cleartext", text)
    if text:
        with pytest.raises(MalformedMessage):
            sign("openpgp-cleartext", make("openpgp", text))


def test_a_revocation_for_no_reason_is_none() -> None:
    made = sign("openpgp-revocation", make("openpgp-revocation", comment="x", now=SIGNED)).finished
    body = openpgp_packets.read_armoured("PUBLIC KEY BLOCK", made)
    reason = openpgp_packets.subpacket(openpgp_packets.REASON, b"\0x")
    empty = body.replace(
        reason, openpgp_packets.subpacket(openpgp_packets.REASON, b"") + openpgp_packets.subpacket(99, b"")
    )
    with pytest.raises(MalformedMessage):
        verify("openpgp-revocation", openpgp_packets.armoured("PUBLIC KEY BLOCK", empty))


@pytest.mark.parametrize("user_id", ["", "two\nlines", "hidden\0text", "turned\N{RIGHT-TO-LEFT OVERRIDE}", "x" * 256])
def test_user_ids_that_are_refused(user_id: str) -> None:
    with pytest.raises(NotPossible):
        make("openpgp-certificate", user_id=user_id)


def test_a_thing_of_one_kind_is_none_of_another() -> None:
    key = make("openpgp-certificate", user_id="Team")
    revocation = make("openpgp-revocation", comment="Team")
    for target, thing in (("openpgp", key), ("openpgp-certificate", make("openpgp", b"x")), ("openpgp", revocation)):
        with pytest.raises(MalformedMessage):
            sign(target, thing)
    with pytest.raises(MalformedMessage):
        sign("openpgp-certificate", key + b"\0")


LINES = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12), min_size=1, max_size=4)


@few
@given(LINES)
def test_a_text_comes_out_as_it_went_in(lines: list[str]) -> None:
    """What GnuPG makes of a signed text by RFC 9580, §7: dashes undone; the rest is what was shown."""
    text = "".join(f"{line.rstrip(' ')}\n" for line in lines).encode()
    made = sign("openpgp-cleartext", make("openpgp-cleartext", text))
    body = made.finished.split(b"\n\n", 1)[1].rsplit(b"-----BEGIN PGP SIGNATURE-----", 1)[0]
    assert re.sub(rb"(?m)^- ", b"", body) == text
    assert not re.search(rb"(?m)^-(?! )", body)
    assert f"{len(text)} bytes" in made.words


def test_times_beyond_openpgp() -> None:
    for now in (0, openpgp_packets.KEY_CREATED, 1 << 32):
        with pytest.raises(NotPossible, match="2106"):
            make("openpgp", b"x", now=now)
    with pytest.raises(NotPossible, match="2106"):
        make("openpgp-certificate", user_id="Team", days=str((1 << 32) // 86400), now=NOW)


WORD = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)


@settings(few, max_examples=5)
@given(st.lists(st.tuples(WORD, st.integers(0, 9999)), min_size=1, max_size=8))
def test_what_is_shown_of_a_certificate_is_what_gpg_parses(told: list[tuple[str, int]]) -> None:
    """Several at once, for a process takes longer than they do."""
    made = [
        sign("openpgp-certificate", make("openpgp-certificate", user_id=name, days=str(days), now=SIGNED))
        for name, days in told
    ]
    with tempfile.TemporaryDirectory() as home:
        words = ("gpg", "--homedir", home, "--batch", "--no-autostart", "--list-packets")
        listed = run(*words, cwd=Path(home), stdin=b"".join(each.finished for each in made)).stdout.decode()
    packets = listed.split(":public key packet:")[1:]
    for packet, each in zip(packets, made, strict=True):
        (name,) = re.findall('^:user ID packet: "(.*)"$', packet, re.MULTILINE)
        read = name.encode().decode("unicode_escape").encode("latin-1").decode()  # gpg writes bytes in hex
        assert f'user id  "{read}"' in each.words
        assert f"version 4, created {SIGNED}, md5len 0, sigclass 0x13" in packet
        assert ("(key expires after" in packet) == ("expires  never" not in each.words)


@settings(few, max_examples=5)
@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 1 << 27)), min_size=1, max_size=8))
def test_what_is_shown_of_a_signature_is_what_gpg_parses(told: list[tuple[bytes, int]]) -> None:
    made = [sign("openpgp", make("openpgp", data, now=SIGNED + later)) for data, later in told]
    with tempfile.TemporaryDirectory() as home:
        words = ("gpg", "--homedir", home, "--batch", "--no-autostart", "--list-packets")
        listed = run(*words, cwd=Path(home), stdin=b"".join(each.finished for each in made)).stdout.decode()
    packets = listed.split(":signature packet:")[1:]
    for packet, each, (data, later) in zip(packets, made, told, strict=True):
        moment = datetime.datetime.fromtimestamp(SIGNED + later, datetime.UTC)
        assert f"signed   {moment:%Y-%m-%d %H:%M:%S} UTC" in each.words
        assert f"version 4, created {SIGNED + later}, md5len 0, sigclass 0x00" in packet
        assert f"{len(data)} bytes" in each.words
        assert hashlib.sha256(data).hexdigest() in each.words


UNSEEN = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a symbol that nobody sees: refused
REASONS = {"unspecified": 0, "superseded": 1, "compromised": 2, "retired": 3}
COMMENT = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters=UNSEEN), max_size=20)


def unescaped(escape: re.Match[str]) -> str:
    return escape[1] or chr(int(escape[2], 16))


@settings(few, max_examples=5)
@given(st.lists(st.tuples(st.sampled_from([*REASONS]), COMMENT, st.integers(0, 999)), min_size=1, max_size=8))
def test_what_is_shown_of_a_revocation_is_what_gpg_parses(told: list[tuple[str, str, int]]) -> None:
    made = [
        sign("openpgp-revocation", make("openpgp-revocation", reason=reason, comment=comment, now=SIGNED + later))
        for reason, comment, later in told
    ]
    with tempfile.TemporaryDirectory() as home:
        words = ("gpg", "--homedir", home, "--batch", "--no-autostart", "--display-charset", "utf-8", "--list-packets")
        listed = run(*words, cwd=Path(home), stdin=b"".join(each.finished for each in made)).stdout
    packets = listed.split(b":signature packet:")[1:]
    for packet, each, (_, _, later) in zip(packets, made, told, strict=True):
        assert f"version 4, created {SIGNED + later}, md5len 0, sigclass 0x20".encode() in packet
        ((number, written),) = re.findall(rb"\(revocation reason 0x(..) \((.*)\)\)$", packet, re.MULTILINE)
        read = re.sub(rb"\\x(..)", lambda code: bytes.fromhex(code[1].decode()), written).decode()
        (shown,) = re.findall("^  reason   (.*)$", each.words, re.MULTILINE)
        reason, comment = shown.split(", ", 1)
        assert REASONS[reason] == int(number, 16)
        assert re.sub(r'\\(["\\])|\\u{(\w+)}', unescaped, comment[1:-1]) == read
