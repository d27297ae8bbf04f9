"""Signatures for other tools, by command: signers see what they sign, and the tools take what aggregate writes."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from cli.at_terminal import Session
from conftest import TokenFixture
from stage import joining, parties
from stage.authority import REQUEST
from stage.by_command import inbox, step
from stage.memory_group import run
from stage.parties import KEY, Party

from frost_hsm.ceremony.messages.using import Item
from frost_hsm.ceremony.signing import session as signing
from frost_hsm.targets import CARRIED

RELEASE = b"release 1.0\n"


@pytest.fixture
def group(tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings) -> list[Party]:
    """Three with SoftHSM2 tokens and an active key of Ed25519, of whom two sign."""
    return with_softhsm(tmp_path, new_token, backend_settings, "ed25519")


def with_softhsm(
    folder: Path, new_token: Callable[..., TokenFixture], settings: parties.Settings, suite: str
) -> list[Party]:
    def token(name: str, own: Path) -> str:
        return new_token(name).uri

    people = parties.gather(folder / "people", new_token=token, settings=settings)
    parties.generate(people, suite=suite)
    return people


def ask(people: list[Party], *arguments: str, name: str = "it") -> tuple[str, str]:
    """Have alice ask her and carol; returns the request, and what she was told."""
    asked = step(people[0], "sign", "request", KEY, *arguments, "--signers", "alice,carol", "-o", f"{name}.request.pem")
    return str(inbox(people[0]) / f"{name}.request.pem"), asked.stdout


def answer(people: list[Party], request: str, *own: str) -> str:
    """Have both sign and carol put together; returns what she was shown before she agreed."""
    alice, _, carol = people
    given = ["--in", str(inbox(alice))]
    step(alice, "sign", "commit", request, *own)
    shown = step(carol, "sign", "commit", request, *own).stderr
    for _ in range(2 if "minisign" in shown else 1):
        for party in (alice, carol):
            step(party, "sign", "respond", request, *given)
    step(carol, "sign", "aggregate", request, *given)
    return shown


def export(party: Party, form: str, path: Path) -> None:
    assert party.run("keys", "export", KEY, "--format", form, "-o", str(path)).status == 0


@pytest.fixture
def clone(group: list[Party]) -> Path:
    """A repository with a commit and an unsigned tag; alice has the tag in a file."""
    alice = group[0]
    clone = alice.directory / "clone"
    clone.mkdir()
    export(alice, "allowed-signers", clone / "allowed")
    for words in (
        ["init", "-q", "."],
        ["config", "user.name", "Team"],
        ["config", "user.email", "team@example.org"],
        ["config", "gpg.format", "ssh"],
        ["config", "gpg.ssh.allowedSignersFile", str(clone / "allowed")],
        ["commit", "-q", "--allow-empty", "-m", "first"],
        ["tag", "-a", "v1.0", "-m", "Version 1.0"],
    ):
        assert run("git", *words, cwd=clone).returncode == 0
    (alice.directory / "v1.0").write_bytes(run("git", "cat-file", "tag", "v1.0", cwd=clone).stdout)
    return clone


def test_a_release_in_one_request(group: list[Party], clone: Path) -> None:
    """A tarball, its digests, a tag and a list for apt: one question each, and every tool takes its own."""
    alice, _, carol = group
    (alice.directory / "app.tar").write_bytes(RELEASE)
    digests = f"{hashlib.sha256(RELEASE).hexdigest()}  app.tar\n".encode()
    (alice.directory / "SHA256SUMS").write_bytes(digests)
    (alice.directory / "Release").write_bytes(b"Origin: Team\n")
    things = ["ssh=app.tar", "openpgp=SHA256SUMS", "openpgp-cleartext=Release", "git=v1.0", "minisign=app.tar"]
    things.append("openpgp-certificate=team")
    request, told = ask(group, *things, "--with", "user-id=Team <team@example.org>", "--with", "comment=2 of 3")
    shown = answer(group, request, "--clone", str(clone))
    for wanted in (
        'for      the SSH namespace "file"',
        'tag      "v1.0"',
        "| Version 1.0",
        "compared: the clone",
        'user id  "Team <team@example.org>"',
        'comment  "2 of 3"',
        "Origin: Team",
    ):
        assert wanted in shown
        assert wanted in told or wanted in ("compared: the clone", "Origin: Team")
    made = carol.directory
    (made / "app.tar").write_bytes(RELEASE)
    (made / "SHA256SUMS").write_bytes(digests)

    export(carol, "allowed-signers", made / "allowed")
    names = sorted(path.name for path in made.iterdir() if path.suffix in (".sig", ".asc", ".tag", ".minisig", ".pgp"))
    assert names == ["Release.asc", "SHA256SUMS.asc", "app.tar.minisig", "app.tar.sig", "team.pgp", "v1.0.tag"]
    words = ("-Y", "verify", "-f", "allowed", "-I", KEY, "-n", "file", "-s", "app.tar.sig")
    assert run("ssh-keygen", *words, cwd=made, stdin=RELEASE).returncode == 0
    for signed in (("SHA256SUMS.asc", "SHA256SUMS"), ("Release.asc",)):
        done = run("gpgv", "--keyring", str(made / "team.pgp"), *signed, cwd=made)
        assert done.returncode == 0, done.stderr
    tag = (made / "v1.0.tag").read_bytes()
    oid = run("git", "hash-object", "-t", "tag", "-w", "--stdin", cwd=clone, stdin=tag).stdout.decode().strip()
    assert run("git", "verify-tag", oid, cwd=clone).returncode == 0

    export(carol, "minisign", made / "key.pub")
    done = run("minisign", "-V", "-p", "key.pub", "-x", "app.tar.minisig", "-m", "app.tar", cwd=made)
    assert done.returncode == 0, done.stderr

    for target, *files in (
        ("ssh", "app.tar", "app.tar.sig"),
        ("openpgp", "SHA256SUMS", "SHA256SUMS.asc"),
        ("openpgp-cleartext", "Release.asc"),
        ("git", "v1.0.tag"),
        ("minisign", "app.tar", "app.tar.minisig"),
    ):
        assert carol.run("verify", "--key", KEY, "--as", target, *files).status == 0


def test_on_a_board(group: list[Party], clone: Path, tmp_path: Path) -> None:
    """Nobody carries a file, and who asked has the files that the tools take."""
    alice, _, carol = group
    board = joining.board(tmp_path / "board")
    (alice.directory / "app.tar").write_bytes(RELEASE)
    asked = alice.run(
        *("sign", "request", KEY, "ssh=app.tar", "git=v1.0", "x509-root=root", "--with", "subject=CN=Team Root"),
        *("--signers", "alice,carol", "--board", board),
    )
    assert asked.status == 0, asked.stderr
    joining.join([alice, carol], board)
    assert "| Version 1.0" in joining.said(carol)
    made = alice.directory
    export(alice, "allowed-signers", made / "allowed")
    words = ("-Y", "verify", "-f", "allowed", "-I", KEY, "-n", "file", "-s", "app.tar.sig")
    assert run("ssh-keygen", *words, cwd=made, stdin=RELEASE).returncode == 0
    tag = (made / "v1.0.tag").read_bytes()
    oid = run("git", "hash-object", "-t", "tag", "-w", "--stdin", cwd=clone, stdin=tag).stdout.decode().strip()
    assert run("git", "verify-tag", oid, cwd=clone).returncode == 0
    assert run("openssl", "verify", "-CAfile", "root.pem", "root.pem", cwd=made).returncode == 0


def test_inspect_says_what_is_to_be_signed(group: list[Party], clone: Path) -> None:
    request, _ = ask(group, "git=v1.0", "x509-root=root", "--with", "subject=CN=Team Root")
    said = group[1].run("inspect", request).stdout
    for wanted in ('tag      "v1.0"', "| Version 1.0", 'subject  CN="Team Root"'):
        assert wanted in said


def test_what_hides_something_is_refused_before_the_token_is_used(group: list[Party]) -> None:
    """Alice, who cheats, asks with the library; carol's program does not make of it what it would have to."""
    alice, _, carol = group
    tag = f"object {'ab' * 20}\ntype commit\ntag v1.0\ntagger A <a@b> 1 +0000\n\nshown\0hidden\n".encode()
    for number, (target, thing, status, says) in enumerate(
        (
            ("git", tag, 65, "hides something"),
            ("ssh", b"no structure", 65, "malformed"),
            ("x509-root", b"0\0", 65, "certificate"),
            ("nostr", b"[]", 2, "no tool takes"),
            ("smoke", b"", 2, "no target"),
        )
    ):
        with alice.holder() as holder:
            asked = signing.request(holder, alice.key(), [Item(target, "it", thing)], ["alice", "carol"])
        path = carol.directory / f"{number}.request.pem"
        path.write_bytes(asked)
        refused = carol.run("sign", "commit", str(path))
        assert (refused.status, says in refused.stderr) == (status, True), refused.stderr
        assert not list(carol.directory.glob(f"{number}.carol.*"))


def test_an_authority(group: list[Party]) -> None:
    """Root, a server's certificate, a revocation list; OpenSSL judges."""
    alice, _, carol = group
    request, _ = ask(group, "x509-root=root", "--with", "subject=CN=Team Root,O=Team", name="root")
    assert 'subject  O="Team", CN="Team Root"' in answer(group, request)
    made = carol.directory
    shutil.copy(made / "root.pem", alice.directory)
    (alice.directory / "www.csr").write_bytes(REQUEST)
    (alice.directory / "revoked").write_bytes(b"5a0b 2025-01-31\n")
    (alice.directory / "claims").write_bytes(b'{"iss":"team"}')
    things = ["x509-end=www.csr", "x509-crl=revoked", "cms=www.csr", "cms-attached=claims", "jws=claims"]
    options = ["issuer=root.pem", "days=30", "certificate=root.pem"]
    request, _ = ask(group, *things, *(word for option in options for word in ("--with", option)))
    shown = answer(group, request)
    for wanted in ("for      dns www.example.org", 'by       O="Team", CN="Team Root"', 'claim    "iss": "team"'):
        assert wanted in shown
    files = ("-crl_check", "-CRLfile", "revoked.crl", "-CAfile", "root.pem", "www.csr.pem")
    done = run("openssl", "verify", "-verify_hostname", "www.example.org", *files, cwd=made)
    assert done.returncode == 0, done.stderr
    (made / "www.csr").write_bytes(REQUEST)
    for detached in (("www.csr.p7s", "--load-data", "www.csr"), ("claims.p7m",)):
        words = ("certtool", "--p7-verify", "--inder", "--load-ca-certificate", "root.pem", "--infile", *detached)
        assert run(*words, cwd=made).returncode == 0
    token = (made / "claims.jws").read_text().strip()
    export(carol, "jwk", made / "key.jwk")
    key = jwt.PyJWK.from_json((made / "key.jwk").read_text())
    assert jwt.decode(token, key, algorithms=["EdDSA"]) == {"iss": "team"}
    for target, *files in (
        ("x509-root", "root.pem"),
        ("x509-end", "www.csr.pem"),
        ("x509-crl", "revoked.crl"),
        ("cms", "www.csr", "www.csr.p7s"),
        ("cms-attached", "claims.p7m"),
        ("jws", "claims.jws"),
    ):
        assert carol.run("verify", "--key", KEY, "--as", target, *files).status == 0


def test_coins_and_notes(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    """By a key for Bitcoin; the consensus code of Bitcoin Core and nostr-sdk judge."""
    nostr_sdk = pytest.importorskip("nostr_sdk")
    from stage import bitcoin

    group = with_softhsm(tmp_path, new_token, backend_settings, "secp256k1-tr")
    alice, _, carol = group
    spend = bitcoin.spend(alice.key().public_key_package.verifying_key, inputs=1).serialize()
    (alice.directory / "spend").write_bytes(spend)
    (alice.directory / "note").write_bytes(b"Version 1.0 is out")
    request, _ = ask(group, "psbt=spend", "nostr=note")
    shown = answer(group, request)
    for wanted in ("pays     0.60000000 BTC to bc1q", "fee      0.00001234 BTC", "| Version 1.0 is out"):
        assert wanted in shown
    made = carol.directory
    assert bitcoin.takes((made / "spend.psbt").read_bytes(), 0)
    assert nostr_sdk.Event.from_json((made / "note.json").read_text()).verify()
    (made / "spend").write_bytes(spend)
    assert carol.run("verify", "--key", KEY, "--as", "psbt", "spend", "spend.psbt").status == 0
    assert carol.run("verify", "--key", KEY, "--as", "nostr", "note.json").status == 0


def test_the_home_directory_is_known_after_an_equals_sign(group: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    alice = group[0]
    monkeypatch.setenv("HOME", str(alice.directory))
    (alice.directory / "app.tar").write_bytes(RELEASE)
    _, told = ask(group, "ssh=~/app.tar")
    assert "12 bytes" in told
    missing = alice.run(
        "sign", "request", KEY, "x509-crl=~/app.tar", "--with", "issuer=~/none", "--signers", "alice,bob"
    )
    assert f"cannot read {alice.directory}/none" in missing.stderr


def test_a_login(group: list[Party]) -> None:
    alice, _, carol = group
    assert run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "id", cwd=alice.directory).returncode == 0
    request, told = ask(group, "id.pub", "--as", "ssh-cert", "--with", "principals=alice")
    assert "Next:" not in told
    shown = answer(group, request)
    assert 'as       "alice"' in shown
    done = run("ssh-keygen", "-L", "-f", "id-cert.pub", cwd=carol.directory)
    assert done.returncode == 0
    said = re.search(r"SHA256:\S+", shown)
    assert said is not None
    assert said[0] in done.stdout.decode()


def test_a_large_file_is_compared_with_ones_own_copy(group: list[Party], tmp_path: Path) -> None:
    alice, _, carol = group
    large = bytes(CARRIED + 1)
    (alice.directory / "disk.img").write_bytes(large)
    request, _ = ask(group, "disk.img", "--as", "ssh")
    own = tmp_path / "own"
    own.mkdir()
    without = carol.run("sign", "commit", request)
    assert without.status == 2
    assert "--files DIR" in without.stderr
    (alice.directory / "small").write_bytes(b"small")
    both, _ = ask(group, "ssh=disk.img", "ssh=small", name="both")
    unasked = carol.run("sign", "commit", both, "--files", str(own))
    assert (unasked.status, "no copy of disk.img, small" in unasked.stderr) == (66, True)
    arguments = ["sign", "commit", both, "--files", str(own), "--home", str(carol.home.path)]
    with Session(arguments, cwd=carol.directory) as session:
        session.expect("no copy  of 2, not compared: disk.img, small")
        session.expect("UNSEEN   of 1 the digest alone is here: disk.img")
        session.expect("Agree to sign these 2 messages?")
        session.type("\n")
        assert session.end() == 130
    (own / "disk.img").write_bytes(large[1:])
    other = carol.run("sign", "commit", request, "--files", str(own))
    assert other.status == 65
    assert "is not what is to be signed" in other.stderr
    (own / "disk.img").write_bytes(large)
    assert "is the same" in answer(group, request, "--files", str(own))
    assert carol.run("verify", "--key", KEY, "--as", "ssh", str(own / "disk.img"), "disk.img.sig").status == 0


def test_raw_bytes_that_are_anothers_are_called_what_they_are(group: list[Party]) -> None:
    alice, _, carol = group
    (alice.directory / "innocent").write_bytes(b"SSHSIG\0\0\0\3git" + bytes(80))
    request, told = ask(group, "innocent")
    assert 'CAREFUL  to other programs this is what an SSH signature for "git"' in told
    assert "CAREFUL" in step(carol, "sign", "commit", request).stderr


def test_requests_that_cannot_be(group: list[Party]) -> None:
    alice = group[0]
    (alice.directory / "it").write_bytes(RELEASE)
    for arguments, says in (
        (["--as", "smoke"], 'no target "smoke"'),
        (["--as", "ssh", "--with", "colour=red"], "namespace: what the signature is for"),
        (["--as", "ssh", "--with", "namespace"], "NAME=VALUE"),
        (["--as", "ssh", "--with", "namespace=a", "--with", "namespace=b"], "twice"),
        (["--with", "namespace=a"], "--as TARGET"),
        (["--as", "x509-root"], "--with subject=…"),
        (["--as", "git"], "git cat-file"),
        (["--as", "ssh", "--rerandomized"], "no tool knows"),
        (["--as", "nostr"], "secp256k1-tr"),
    ):
        refused = alice.run("sign", "request", KEY, "it", *arguments, "--signers", "alice,carol")
        assert refused.status == 2, arguments
        assert says in refused.stderr
        assert not (alice.directory / "it.request.pem").exists()


def test_a_use_chooses_the_suite_and_everybody_is_told(people: list[Party]) -> None:
    alice, bob, _ = people
    said = step(alice, "dkg", "propose", KEY, "-t", "2", "--with", "bob,carol", "--for", "bitcoin").stdout
    assert "suite         FROST-secp256k1-SHA256-TR-v1" in said
    asked = bob.run("dkg", "round1", str(inbox(alice) / f"{KEY}.proposal.pem")).stderr
    for told in (said, asked):
        assert "verified by   Bitcoin (Taproot)" in told
        assert "not by        OpenSSH" in told
    refused = alice.run("dkg", "propose", "other", "-t", "2", "--with", "bob,carol", "--for", "git", "--suite", "p256")
    assert refused.status == 2
    assert "of ed25519, not of p256" in refused.stderr
    plain = step(alice, "dkg", "propose", "third", "-t", "2", "--with", "bob,carol").stdout
    assert "not by        OpenSSL, X.509" in plain
