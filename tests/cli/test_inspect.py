"""What ``inspect`` says of files of every kind, with and without knowing who made them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli.judging import refused
from cli.malice import sealed
from stage import parties
from stage.documents import COMMITMENTS, E1, HEADER, ID, S
from stage.parties import KEY, Party

from frost_hsm.ceremony.messages import signed


def inspected(party: Party, *arguments: str) -> list[dict[str, Any]]:
    ran = party.run("inspect", *arguments, "--json")
    assert ran.status == 0, ran.stderr
    files: list[dict[str, Any]] = json.loads(ran.stdout)["files"]
    return files


def test_every_message_of_a_ceremony(group: list[Party], tmp_path: Path) -> None:
    alice, bob, carol = group
    wanted = parties.request([alice, carol], b"hello")
    commitments = parties.commit([alice, carol], wanted)
    responses = parties.respond([alice, carol], wanted, commitments)
    transcript = alice.directory / "home" / alice.folder()
    files = {
        "proposal": (transcript / "beginning.pem").read_bytes(),
        "round-1 message": (transcript / "round1/carol.pem").read_bytes(),
        "round-2 message": (transcript / "round2/carol.pem").read_bytes(),
        "confirmation": (transcript / "confirm/carol.pem").read_bytes(),
        "signing request": wanted,
        "commitment": commitments["carol"],
        "response": responses["carol"],
    }
    for number, (title, data) in enumerate(files.items()):
        path = tmp_path / f"{number}.pem"
        path.write_bytes(data)
        [entry] = inspected(bob, str(path))
        assert entry["kind"] == title
        assert entry["sender"] == ("alice" if title in ("proposal", "signing request") else "carol")
        assert entry["signature"] == "good"
        assert f"{path}: {title}" in bob.run("inspect", str(path)).stdout
        [unknown] = inspected(bob, str(path), "--home", str(tmp_path / "nothing"))
        if title != "proposal":  # which brings its own roster
            assert unknown["sender"] is None
            assert unknown["signature"] == "not checked, its maker is not known here"


def test_a_signature_that_is_not_good(group: list[Party], tmp_path: Path) -> None:
    parsed = signed.parse((group[0].directory / "home" / group[0].folder() / "confirm/carol.pem").read_bytes())
    altered = bytearray(parsed.der)
    altered[altered.index(parsed.content) + len(parsed.content) - 1] ^= 1  # in the last hash
    path = tmp_path / "altered"
    path.write_bytes(altered)
    refused(group[0], "inspect", str(path), status=65, code="package-signature", says=f"{path}: ")


def test_an_identity(people: list[Party]) -> None:
    alice = people[0]
    alice.run("identity", "export")
    [entry] = inspected(alice, "alice.identity.pem")
    assert entry["kind"] == "identity"
    assert entry["fingerprint"] == alice.public.fingerprint.replace(" ", "")
    assert alice.public.fingerprint in alice.run("inspect", "alice.identity.pem").stdout


PUBLIC = {
    "signing commitments": COMMITMENTS,
    "signature share": {"header": HEADER, "share": S},
    "signing package": {"header": HEADER, "signing_commitments": {ID: COMMITMENTS}, "message": "68656c6c6f"},
    "public key package": {"header": HEADER, "verifying_shares": {ID: E1}, "verifying_key": E1, "min_signers": 2},
}
SECRET = {
    "key package": {
        "header": HEADER,
        "identifier": ID,
        "signing_share": S,
        "verifying_share": E1,
        "verifying_key": E1,
        "min_signers": 2,
    },
    "round-2 package": {"header": HEADER, "signing_share": S},
    "signing nonces": {"header": HEADER, "hiding": S, "binding": S, "commitments": COMMITMENTS},
}


@pytest.mark.parametrize("title", PUBLIC)
def test_packages_in_json(people: list[Party], title: str, tmp_path: Path) -> None:
    path = tmp_path / "package.json"
    path.write_text(json.dumps(PUBLIC[title]))
    [entry] = inspected(people[0], str(path))
    assert (entry["kind"], entry["suite"]) == (title, HEADER["ciphersuite"])
    path.write_text(json.dumps(PUBLIC[title]).replace(E1[:8], "zz" * 4).replace(S[:8], "zz" * 4))
    refused(people[0], "inspect", str(path), status=65, code="package-malformed", says=f"{path}: {title}: ")


@pytest.mark.parametrize("title", SECRET)
def test_secret_packages_are_told_of_and_not_shown(people: list[Party], title: str, tmp_path: Path) -> None:
    path = tmp_path / "package.json"
    path.write_text(json.dumps(SECRET[title]))
    ran = people[0].run("inspect", str(path))
    assert f"{path}: {title}" in ran.stdout
    assert "SECRET: whoever has it" in ran.stdout
    assert S not in ran.stdout + ran.stderr


def test_public_key_packages_in_every_form(group: list[Party]) -> None:
    alice = group[0]
    for form in ("json", "json-v2", "postcard"):
        assert alice.run("keys", "export", KEY, "--format", form, "-o", form).status == 0
        [entry] = inspected(alice, form)
        assert entry["kind"] == "public key package"
        assert entry["key"] == alice.key().verifying_key.hex()
        assert entry["min_signers"] == (None if form == "json-v2" else 2)


def test_a_sealed_record_stays_closed(group: list[Party], tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(sealed(group[2]))
    [entry] = inspected(group[0], str(path))
    assert entry["kind"] == "sealed record, which only its owner's token opens"
    assert (entry["sender"], entry["signature"]) == ("carol", "good")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"notes",
        b"\x30\x80" + bytes(50),
        b"\x30" * 100,
        b"{}",
        b'{"header":{"version":0,"ciphersuite":"FROST-P257-SHA256-v1"},"share":"00"}',
        b'{"header":{"version":0,"ciphersuite":"FROST-P256-SHA256-v1"},"other":"00"}',
        b"{" * 100000,
        b'{"a":' * 100000,
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CMS-----\nAAAA\n-----END CMS-----\n",
        b"-----BEGIN CMS-----\nAAAA\n-----END CMS-----\n" * 2,
        bytes.fromhex("00") + b"postcard",
    ],
)
def test_garbage(people: list[Party], data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "garbage"
    path.write_bytes(data)
    refused(people[0], "inspect", str(path), status=65, code="package-malformed", says=f"{path}: ")


def test_digests_of_many_files(group: list[Party]) -> None:
    folder = group[0].directory / "home" / group[0].folder() / "confirm"
    paths = [str(path) for path in sorted(folder.iterdir())]
    ran = group[1].run("inspect", "--digest", *paths)
    lines = [line.split("  ") for line in ran.stdout.splitlines()]
    assert [path for _, path in lines] == paths
    assert len({digest for digest, _ in lines}) == 1, "all confirm the same"
    assert all(len(digest) == 64 for digest, _ in lines)


def test_the_message_of_a_request(group: list[Party]) -> None:
    alice = group[0]
    (alice.directory / "request.pem").write_bytes(parties.request(group[:2], b"pay\0bob\xff"))
    (alice.directory / "out").write_bytes(b"")
    assert alice.launch("inspect", "--message", "request.pem", program=_to("out")).status == 0
    assert (alice.directory / "out").read_bytes() == b"pay\0bob\xff"
    (alice.directory / "package.json").write_text(json.dumps(PUBLIC["signing package"]))
    assert alice.run("inspect", "--message", "package.json").stdout == "hello"
    alice.run("identity", "export")
    refused(
        alice, "inspect", "--message", "alice.identity.pem", status=65, code="package-malformed", says="alice.identity"
    )
    proposal = str(alice.directory / "home" / alice.folder() / "beginning.pem")
    refused(
        alice, "inspect", "--message", proposal, status=2, code="not-possible", says="--message takes a signing request"
    )


def _to(path: str) -> tuple[str, ...]:
    python, option, program = parties.PROGRAM
    return python, option, f"import os; os.dup2(os.open({path!r}, os.O_WRONLY), 1); {program}"
