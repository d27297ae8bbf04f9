"""``frost-hsm sign``: nonces made ahead, signatures under a key of their own, one share, and who is looked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli.judging import changes, refused, snapshot
from conftest import TokenFixture
from stage import parties, staging
from stage.parties import KEY, Party, Ran
from stage.staging import Stage

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.using import Response

MESSAGE = b"pay 5 to dave"
BOX = "../inbox"


@pytest.fixture(scope="module", params=["p256", "secp256k1-tr"])
def suite(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, suite: str) -> Stage:
    return staging.with_key(tmp_path_factory.mktemp("ahead"), suite)


@pytest.fixture
def group(stage: Stage, tmp_path: Path) -> list[Party]:
    """Alice, Bob and Carol, any two of whom sign, and a folder through which they send files."""
    people = stage.people(tmp_path / "people")
    (people[0].directory.parent / "inbox").mkdir()
    (people[0].directory.parent / "message").write_bytes(MESSAGE)
    return people


def step(party: Party, *arguments: str) -> Ran:
    """Run a command that has to succeed, and send what it wrote to all."""
    before = set(party.directory.iterdir())
    ran = party.run(*arguments)
    assert ran.status == 0, ran.stderr
    for written in set(party.directory.iterdir()) - before:
        (party.directory.parent / "inbox" / written.name).write_bytes(written.read_bytes())
    return ran


def told(party: Party, *arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(step(party, *arguments, "--json").stdout)
    return document


def prepared(party: Party) -> int:
    shown = told(party, "keys", "show", KEY, "--check-token", "--pin-source", "file:pin")
    return int(shown["prepared"])


# ── Nonces made ahead ──


def prepare(party: Party, count: int) -> str:
    """Make pairs; returns the file that they are in."""
    made = told(party, "sign", "preprocess", KEY, "--count", str(count))
    assert (made["schema"], made["count"]) == ("frost-hsm/sign-preprocess/1", count)
    return f"{BOX}/{made['file']}"


def sign_ahead(group: Sequence[Party], files: Sequence[str], line: int) -> None:
    alice, bob, carol = group
    given = [
        word for who, file in zip(group, files, strict=False) for word in ("--prepared", f"{who.name}:{line}={file}")
    ]
    step(carol, "sign", "request", KEY, "../message", *given, "-o", f"pay{line}.request.pem")
    request = f"{BOX}/pay{line}.request.pem"
    for party in (alice, bob):
        shown = step(party, "sign", "respond", request).stderr
        assert f"| {MESSAGE.decode()}" in shown
        assert MESSAGE.decode() not in step(party, "sign", "respond", request).stderr, (
            "the stored answer is not asked for"
        )
    step(carol, "sign", "aggregate", request, "--in", BOX, "-o", f"pay{line}.sig")
    step(carol, "verify", "--key", KEY, "../message", f"pay{line}.sig")


def test_signing_in_one_round(group: list[Party]) -> None:
    alice, bob, carol = group
    files = [prepare(party, 2) for party in (alice, bob)]
    assert [prepared(party) for party in (alice, bob)] == [2, 2]
    for line in (1, 2):
        sign_ahead(group, files, line)
        assert [prepared(party) for party in (alice, bob)] == [2 - line] * 2
    assert "signed" in carol.run("sign", "status").stdout


def test_what_was_made_ahead_serves_once(group: list[Party]) -> None:
    alice, bob, carol = group
    files = [prepare(party, 2) for party in (alice, bob)]
    sign_ahead(group, files, 1)
    given = [word for who, file in zip(group, files, strict=False) for word in ("--prepared", f"{who.name}:1={file}")]
    step(carol, "sign", "request", KEY, "../message", *given, "-o", "again.request.pem")
    refused(alice, "sign", "respond", f"{BOX}/again.request.pem", status=76, code="nonce-used", says="nonces")
    state = json.loads(alice.run("sign", "status", f"{BOX}/again.request.pem", "--json").stdout)
    assert (state["state"], state["next"]) == ("respond", f"frost-hsm sign respond {BOX}/again.request.pem")


def test_what_was_made_ahead_is_plain_json_too(group: list[Party]) -> None:
    """One line of each makes a plain signing package; a file with one pair needs no line."""
    alice, bob, carol = group
    several = prepare(alice, 3)
    step(bob, "sign", "commit", "--key", KEY, "--pin-source", "file:pin")
    given = ("--commitments", f"alice:2={several}", "--commitments", f"bob={BOX}/{KEY}.bob.commitments.json")
    step(carol, "sign", "request", KEY, "../message", *given, "-o", "pay.package.json")
    package = f"{BOX}/pay.package.json"
    line = Path(alice.directory, several).read_text().splitlines()[1]
    first = next(iter(json.loads(Path(carol.directory, package).read_text())["signing_commitments"].values()))
    assert first == json.loads(line)
    for party in (alice, bob):
        step(party, "sign", "respond", package, "--key", KEY)
    shares = [f"{who}={BOX}/{KEY}.{who}.share.json" for who in ("alice", "bob")]
    checked = told(carol, "sign", "check", package, "--key", KEY, shares[1])
    assert (checked["have"], checked["missing"]) == (["bob"], ["alice"])
    step(carol, "sign", "aggregate", package, "--key", KEY, *shares, "-o", "pay.sig")
    step(carol, "verify", "--key", KEY, "../message", "pay.sig")


def test_discarding(group: list[Party]) -> None:
    alice, bob, carol = group
    files = [prepare(party, 1) for party in (alice, bob)]
    given = [word for who, file in zip(group, files, strict=False) for word in ("--prepared", f"{who.name}={file}")]
    step(carol, "sign", "request", KEY, "../message", *given, "-o", "pay.request.pem")
    assert told(alice, "sign", "discard", KEY)["count"] == 1
    assert prepared(alice) == 0
    refused(alice, "sign", "respond", f"{BOX}/pay.request.pem", status=76, code="nonce-used", says="not in this token")
    assert "Destroyed 0 pairs" in step(alice, "sign", "discard", KEY).stdout


@pytest.mark.parametrize(
    ("given", "status", "says"),
    [
        (["--prepared", "alice:4=P"], 2, "P has no line 4: it holds 3 commitments"),
        (["--prepared", "alice:0=P"], 2, "P has no line 0"),
        (["--prepared", "alice=P"], 2, "P holds 3 commitments"),
        (["--prepared", "alice:x=P"], 2, "is not NAME=FILE or NAME:LINE=FILE"),
        (["--prepared", "alice:1"], 2, "is not NAME=FILE or NAME:LINE=FILE"),
        (["--prepared", "alice:1=P", "--prepared", "alice:2=P"], 2, "2 or more different signers"),
        (["--prepared", "dave:1=P"], 66, '"dave" is not a participant'),
        (["--prepared", "alice=pin"], 65, "pin: signing commitments: "),
        (["--prepared", "alice:1=P"], 2, "needs 2 or more different signers"),
        (["--prepared", "alice:1=P", "--signers", "alice,bob"], 2, "exclude each other"),
        (["--prepared", "alice:1=P", "--commitments", "alice:1=P"], 2, "exclude each other"),
    ],
)
def test_mistakes_with_what_was_made_ahead(group: list[Party], given: list[str], status: int, says: str) -> None:
    alice = group[0]
    ran = alice.run("sign", "preprocess", KEY, "--count", "3", "-o", "P")
    assert ran.status == 0, ran.stderr
    before = snapshot(alice)
    ran = alice.run("sign", "request", KEY, "P", *given)
    assert ran.status == status, ran.stderr
    assert says in ran.stderr
    assert changes(before, snapshot(alice)) == []


@pytest.mark.parametrize("count", ["0", "256", "many"])
def test_how_many_can_be_made(group: list[Party], count: str) -> None:
    refused(group[0], "sign", "preprocess", KEY, "--count", count, status=2, code="usage", says="--count")


def test_a_request_that_holds_commitments_asks_for_none(group: list[Party]) -> None:
    alice, bob, carol = group
    files = [prepare(party, 1) for party in (alice, bob)]
    given = [word for who, file in zip(group, files, strict=False) for word in ("--prepared", f"{who.name}={file}")]
    step(carol, "sign", "request", KEY, "../message", *given, "-o", "pay.request.pem")
    refused(alice, "sign", "commit", f"{BOX}/pay.request.pem", status=2, code="not-possible", says="made ahead")


# ── Under a key of its own ──


def test_a_rerandomized_signature(group: list[Party], suite: str) -> None:
    alice, bob, carol = group
    step(
        alice, "sign", "request", KEY, "../message", "--signers", "alice,bob", "--rerandomized", "-o", "pay.request.pem"
    )
    request = f"{BOX}/pay.request.pem"
    for verb, more in (("commit", []), ("respond", ["--in", BOX])):
        for party in (alice, bob):
            step(party, "sign", verb, request, *more)
    assert told(carol, "sign", "check", request, "--in", BOX)["have"] == ["alice", "bob"]
    made = told(carol, "sign", "aggregate", request, "--in", BOX)
    assert made["rerandomized"] is True
    shown = json.loads(bob.run("inspect", request, "--json").stdout)["files"][0]
    assert (shown["rerandomized"], shown["prepared"]) == (True, False)
    assert made["key_file"] == "pay.public.hex"
    assert made["next"] == f"frost-hsm verify --key pay.public.hex --suite {suite} MESSAGE pay.sig"
    assert made["verifying_key"] != carol.key().verifying_key.hex()
    step(carol, "verify", "--key", "pay.public.hex", "--suite", suite, "../message", "pay.sig")
    step(carol, "verify", "--key", made["verifying_key"], "--suite", suite, "../message", "pay.sig")
    assert carol.run("verify", "--key", KEY, "../message", "pay.sig").status == 10
    step(carol, "sign", "aggregate", request, "--in", BOX)
    assert "a key of its own" in step(bob, "sign", "aggregate", request, "--in", BOX).stdout
    refused(
        carol, "sign", "check", request, "--randomizer-seed", "pin", status=2, code="usage", says="holds its randomizer"
    )


def test_a_rerandomized_signature_in_plain_json(group: list[Party], suite: str) -> None:
    alice, bob, carol = group
    for party in (alice, bob):
        step(party, "sign", "commit", "--key", KEY, "--pin-source", "file:pin")
    given = [f"--commitments={who}={BOX}/{KEY}.{who}.commitments.json" for who in ("alice", "bob")]
    wanted = ("sign", "request", KEY, "../message", *given, "--rerandomized", "-o", "pay.package.json")
    made = told(carol, *wanted)
    seed_before = (carol.directory / made["seed_file"]).read_bytes()
    assert told(carol, *wanted) == made
    assert (carol.directory / made["seed_file"]).read_bytes() == seed_before
    package, seed = f"{BOX}/pay.package.json", ("--randomizer-seed", f"{BOX}/{made['seed_file']}")
    for party in (alice, bob):
        assert "a key of its own" in step(party, "sign", "respond", package, "--key", KEY, *seed).stderr
    shares = [f"{who}={BOX}/{KEY}.{who}.share.json" for who in ("alice", "bob")]
    assert told(carol, "sign", "check", package, "--key", KEY, *shares, *seed)["have"] == ["alice", "bob"]
    wrong = carol.run("sign", "check", package, "--key", KEY, *shares)
    assert "the signature share given for alice and bob does not verify" in wrong.stderr
    found = told(carol, "sign", "aggregate", package, "--key", KEY, *shares, *seed, "-o", "pay.sig")
    step(carol, "verify", "--key", found["key_file"], "--suite", suite, "../message", "pay.sig")
    (carol.directory / "short").write_text("00")
    short = carol.run("sign", "check", package, "--key", KEY, *shares, "--randomizer-seed", "short")
    assert short.status == 65
    assert "a randomizer seed has 32 bytes" in short.stderr


# ── One share, and who is looked for ──


def spoil(liar: Party, error: int) -> None:
    """Put a bad share, which its author has signed, in place of the one that was sent."""
    path = liar.directory.parent / f"inbox/pay.{liar.name}.response.pem"
    said = signed.read(path.read_bytes(), liar.key().roster).expect(Response).message
    share = bytearray(said.shares[0])
    share[-1] ^= error
    with liar.holder() as holder:
        path.write_bytes(signed.write(replace(said, shares=(bytes(share),)), holder))


def test_bad_shares_are_looked_for_as_told(group: list[Party]) -> None:
    alice, bob, carol = group
    step(alice, "sign", "request", KEY, "../message", "--signers", "alice,bob,carol", "-o", "pay.request.pem")
    request = f"{BOX}/pay.request.pem"
    for verb, more in (("commit", []), ("respond", ["--in", BOX])):
        for party in group:
            step(party, "sign", verb, request, *more)
    spoil(alice, 1)
    spoil(carol, 2)
    aggregate = ("sign", "aggregate", request, "--in", BOX, "--cheater-detection")
    error = refused(bob, *aggregate, "disabled", status=10, code="signature-invalid", says="do not add up")
    assert "cheater detection" in error["hint"]
    for mode, culprits in (("first", ["alice"]), ("all", ["alice", "carol"])):
        ran = bob.run(*aggregate, mode, "--json")
        assert ran.status == 76
        assert json.loads(ran.stdout)["error"]["culprits"] == culprits
    ran = bob.run("sign", "check", request, "--in", BOX, "--json")
    assert (ran.status, json.loads(ran.stdout)["error"]["culprits"]) == (76, ["alice", "carol"])
    checked = told(bob, "sign", "check", request)
    assert (checked["have"], checked["missing"]) == (["bob"], ["alice", "carol"]), "his own is kept here"
    refused(bob, *aggregate, "sometimes", status=2, code="usage", says="sometimes")


# ── Many signatures at once ──


def test_many_signatures_at_once(group: list[Party]) -> None:
    alice = group[0]
    pairs = []
    for number in range(3):
        (alice.directory / f"message{number}").write_bytes(b"message %d" % number)
        made = parties.sign(group[:2], b"message %d" % number)
        (alice.directory / f"signature{number}").write_bytes(made)
        pairs += [f"message{number}", f"signature{number}"]
    pairs *= 7  # enough for them to be added up
    ran = alice.run("verify", "--key", KEY, *pairs)
    assert (ran.status, ran.stdout) == (0, f"21 good signatures by {KEY} ({alice.key().verifying_key[:17].hex()})\n")
    assert json.loads(alice.run("verify", "--key", KEY, *pairs, "--json").stdout)["signatures"] == 21
    pairs[0], pairs[2] = pairs[2], pairs[0]
    (alice.directory / "no signature").write_bytes(b"x")
    pairs[5] = "no signature"
    error = refused(alice, "verify", "--key", KEY, *pairs, status=10, code="signature-invalid", says=", 2 of 21: ")
    for signature, message in (("signature0", "message1"), ("signature1", "message0")):
        assert f"{signature} is not a signature by {KEY} on {message}" in error["message"]
    assert "\n  no signature is no signature: it has 1 bytes, and one of " in error["message"]
    refused(alice, "verify", "--key", KEY, *pairs[:3], status=2, code="usage", says="stands alone")
    refused(alice, "verify", "--key", KEY, "message0", "nowhere", status=66, code="file-missing", says="nowhere")


@pytest.mark.slow
def test_nonces_made_ahead_with_softhsm(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    group = parties.gather(tmp_path, new_token=lambda name, folder: new_token(name).uri, settings=backend_settings)
    parties.generate(group)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "message").write_bytes(MESSAGE)
    files = [prepare(party, 2) for party in group[:2]]
    assert len([name for name in group[0].records() if name.startswith("signing-nonces")]) == 2
    sign_ahead(group, files, 2)
    given = [word for who, file in zip(group, files, strict=False) for word in ("--prepared", f"{who.name}:1={file}")]
    step(group[2], "sign", "request", KEY, "../message", *given, "--rerandomized", "-o", "own.request.pem")
    step(group[0], "sign", "respond", f"{BOX}/own.request.pem")
    assert told(group[2], "sign", "check", f"{BOX}/own.request.pem", "--in", BOX)["have"] == ["alice"]
    step(group[0], "sign", "preprocess", KEY, "--count", "1", "-o", "more.json")
    assert told(group[0], "sign", "discard", KEY)["count"] == 1
    assert not any("nonces" in name for name in group[0].records())
