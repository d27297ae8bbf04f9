"""``dealer split``: the private keys that people have, as OpenSSL writes them; the public key stays."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from cli.judging import refused
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from stage import parties
from stage.parties import KEY, Party

from frost_hsm.ceremony.sharing import private_key
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.errors import DeserializationError, NotPossible
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.ciphersuites import Ciphersuite

ALGORITHMS = {
    "p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "secp256k1": ["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
    "secp256k1-tr": ["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
    "ed25519": ["ED25519"],
    "ed448": ["ED448"],
}
FORMS = {
    "PKCS#8 PEM": ["pkey"],
    "PKCS#8 DER": ["pkey", "-outform", "DER"],
    "SEC1 PEM": ["ec"],
    "SEC1 DER": ["ec", "-outform", "DER"],
}


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


@pytest.fixture(scope="module", params=ALGORITHMS)
def suite(request: pytest.FixtureRequest) -> Ciphersuite:
    return ciphersuites.by_name(request.param)


@pytest.fixture(scope="module")
def pem(suite: Ciphersuite) -> bytes:
    return openssl("genpkey", "-algorithm", *ALGORITHMS[suite.name])


def public_of(pem: bytes) -> bytes:
    """The public key, as suites encode it, by somebody else's word."""
    public = serialization.load_pem_private_key(pem, None).public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        return public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    assert isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)
    return public.public_bytes_raw()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_key_of_its_public_key(suite: Ciphersuite, pem: bytes, form: str) -> None:
    if form.startswith("SEC1") and suite.name.startswith("ed"):
        with pytest.raises(subprocess.CalledProcessError):
            openssl(*FORMS[form], data=pem)
        return
    key = private_key.read(openssl(*FORMS[form], data=pem), suite)
    assert key.verifying_key().serialize() == public_of(pem)
    key.wipe()


def test_an_ed25519_seed_becomes_the_scalar_of_rfc_8032() -> None:
    """Of the first test vector of RFC 8032, section 7.1, computed here once more."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    pkcs8 = bytes.fromhex("302e020100300506032b657004220420") + seed
    suite = ciphersuites.by_name("ed25519")
    key = private_key.read(pkcs8, suite)
    low = bytearray(hashlib.sha512(seed).digest()[:32])
    low[0] &= 248
    low[31] = low[31] & 127 | 64
    expected = int.from_bytes(low, "little") % suite.group.order
    with key.serialize() as encoded, encoded.reveal() as view:
        assert int.from_bytes(view, "little") == expected
    assert key.verifying_key().serialize() == public


def deal(people: list[Party], suite: str) -> tuple[str, ...]:
    ran = people[0].run("dkg", "propose", KEY, "-t", "2", "--with", "bob,carol", "--suite", suite)
    assert ran.status == 0, ran.stderr
    return "dealer", "split", KEY, "--key-file", "key"


@pytest.mark.parametrize("name", ["p256", "ed25519", "ed448"])
def test_a_key_in_a_file_is_dealt_and_its_verifiers_take_the_signatures(people: list[Party], name: str) -> None:
    alice = people[0]
    pem = openssl("genpkey", "-algorithm", *ALGORITHMS[name])
    command = deal(people, name)
    (alice.directory / "key").write_bytes(pem)
    ran = alice.run(*command)
    assert ran.status == 0, ran.stderr
    files = [str(alice.directory / f"{KEY}.{each}.pem") for each in ("proposal", "dealing")]
    box = alice.directory.parent / "inbox"
    box.mkdir()
    for party in people:
        ran = party.run("dealer", "accept", *files)
        assert ran.status == 0, ran.stderr
        (box / f"{party.name}.pem").write_bytes((party.directory / f"{KEY}.{party.name}.confirm.pem").read_bytes())
    for party in people:
        ran = party.run("dkg", "confirm", KEY, "--in", str(box))
        assert ran.status == 0, ran.stderr
    assert alice.key().verifying_key == public_of(pem)
    signature = parties.sign(people[1:], b"message")
    public = serialization.load_pem_private_key(pem, None).public_key()
    if isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        public.verify(signature, b"message")


def test_a_passphrase_is_asked_for_and_tried_once(people: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    alice = people[0]
    pem = openssl("genpkey", "-algorithm", "ED25519")
    command = deal(people, "ed25519")
    (alice.directory / "key").write_bytes(openssl("pkey", "-aes256", "-passout", "pass:seven words", data=pem))
    answers = ["wrong", "seven words"]
    asked: list[str] = []

    def answer(self: Terminal, prompt: str) -> str:
        asked.append(prompt)
        return answers[len(asked) - 1]

    monkeypatch.setattr(Terminal, "request_secret", answer)
    ran = alice.run(*command)
    assert ran.status == 65
    assert "key: this is no private key in PKCS#8 or SEC1, or not with this passphrase" in ran.stderr
    ran = alice.run(*command)
    assert ran.status == 0, ran.stderr
    assert asked == ["Passphrase of key"] * 2
    assert public_of(pem).hex() in ran.stdout


def test_without_a_terminal_no_passphrase_is_asked_for(people: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    alice = people[0]
    command = deal(people, "ed25519")
    pem = openssl("genpkey", "-algorithm", "ED25519")
    (alice.directory / "key").write_bytes(openssl("pkey", "-aes256", "-passout", "pass:x", data=pem))
    ran = subprocess.run(
        [*parties.PROGRAM, *command, "--home", "home", "--pin-source", "file:pin"],
        cwd=alice.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert ran.returncode == 69
    assert "openssl pkey" in ran.stderr


@pytest.mark.parametrize(
    ("algorithm", "suite"),
    [
        (["RSA"], "p256"),
        (["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "p256"),
        (["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "p256"),
        (["X25519"], "ed25519"),
        (["ED25519"], "ristretto255"),
        (["ED25519"], "ed448"),
        (["ED448"], "ed25519"),
    ],
)
def test_a_key_of_another_kind_has_no_place_in_a_suite(algorithm: list[str], suite: str) -> None:
    pem = openssl("genpkey", "-algorithm", *algorithm)
    with pytest.raises(NotPossible, match=f"does not go with {suite}"):
        private_key.read(pem, ciphersuites.by_name(suite))


def test_a_private_key_with_another_public_key_is_refused() -> None:
    """SEC1 holds both; whoever deals one key must not find another one made."""
    one, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    form = serialization.PrivateFormat.TraditionalOpenSSL
    first, second = (
        each.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption()) for each in (one, other)
    )
    with pytest.raises(DeserializationError):
        private_key.read(first[:-64] + second[-64:], ciphersuites.by_name("p256"))


@pytest.mark.parametrize(
    "data",
    [
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"0\x03\2\1\1",
        b"x",
        bytes.fromhex("302e020100300506032b657104220420") + bytes(32),  # Ed448, with a seed as short as Ed25519's
    ],
    ids=["PEM", "DER", "text", "short"],
)
def test_what_is_no_private_key_is_refused_and_not_quoted(people: list[Party], data: bytes) -> None:
    command = deal(people, "p256")
    (people[0].directory / "key").write_bytes(data)
    error = refused(
        people[0], *command, status=65, code="package-malformed", says="key: this is no private key in PKCS#8 or SEC1"
    )
    assert "AAAA" not in str(error)


def test_a_certificate_is_no_private_key(people: list[Party], tmp_path: Path) -> None:
    command = deal(people, "p256")
    (people[0].directory / "key").write_bytes((people[0].directory / "home/identity.pem").read_bytes())
    refused(people[0], *command, status=65, code="package-malformed", says="no private key")
