"""No secret is seen outside a token: whole ceremonies with known secrets, and a search for them in every form."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from stage import mallory, parties, recording
from stage.mallory import Mallory
from stage.parties import KEY, Messages, Party, Ran, inbox
from stage.preloaded import Preloaded
from stage.recording import Recorder

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Proposal, Round1
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.messages.using import Commitment, Response, SigningRequest
from frost_hsm.errors import InvalidSecretShare, PinIncorrect
from frost_hsm.frost.keys import round1
from frost_hsm.frost.packages import SigningCommitments
from frost_hsm.groups import Group
from frost_hsm.secret import Secret

PIN = "unlikely-pin-7391"
WRONG_PIN = "unlikely-pin-7392"
SHORTEST = 8  # characters; no shorter form of a secret is looked for


# ── The search ──


def forms(secret: bytes) -> dict[str, bytes]:
    """Every way in which a secret could be written down."""
    found: dict[str, bytes] = {}
    for order, data in (("", secret), ("reversed ", secret[::-1])):
        found[f"{order}raw"] = data
        found[f"{order}hex"] = data.hex().encode()
        found[f"{order}HEX"] = data.hex().upper().encode()
        found[f"{order}decimal"] = str(int.from_bytes(data, "big")).encode()
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            for shift in range(3):
                # What stands before it shifts the alignment; the characters that it shares with neighbours are cut.
                encoded = encode(bytes(shift) + data).rstrip(b"=")
                first = (8 * shift + 5) // 6
                last = (8 * (shift + len(data))) // 6
                found[f"{order}{name} at {shift}"] = encoded[first:last]
    return found


def search(secrets: Iterable[bytes], places: Mapping[str, bytes]) -> list[str]:
    """Say which secret is where, and in which form."""
    written: dict[bytes, list[tuple[bytes, str, str]]] = {}  # by how it begins
    for secret in secrets:
        for form, needle in forms(secret).items():
            if len(needle) >= SHORTEST:
                written.setdefault(needle[:SHORTEST], []).append((needle, secret.hex()[:16], form))
    hits = []
    for place, contents in places.items():
        dense = b"".join(contents.split())  # base64 has line breaks, and hex may be in groups
        decoded = b"\0".join(_base64_blocks(contents))
        for haystack in {contents, dense, decoded}:
            parts = {haystack[at : at + SHORTEST] for at in range(len(haystack))}
            hits += [
                f"{secret}… in {place} as {form}"
                for beginning in written.keys() & parts
                for needle, secret, form in written[beginning]
                if needle in haystack
            ]
    return hits


def _base64_blocks(contents: bytes) -> list[bytes]:
    blocks = re.findall(rb"-----BEGIN [A-Z ]+-----\s([A-Za-z0-9+/=\s]+)-----END", contents)
    return [base64.b64decode(block) for block in blocks]


SECRET = bytes(range(7, 39))


@pytest.mark.parametrize("form", forms(SECRET))
def test_the_search_finds_every_form(form: str) -> None:
    planted = b"nothing " + forms(SECRET)[form] + b" nothing"
    assert any(form in hit for hit in search([SECRET], {"a file": planted}))


@pytest.mark.parametrize("before", range(3))
def test_the_search_finds_a_secret_amid_base64(before: int) -> None:
    text = base64.b64encode(b"x" * (30 + before) + SECRET + b"yyyy")
    lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    assert search([SECRET], {"a file": lines})
    assert search([SECRET], {"a file": b"-----BEGIN CMS-----\n" + lines + b"\n-----END CMS-----\n"})


def test_the_search_finds_nothing_where_nothing_is() -> None:
    assert search([SECRET], {"a file": bytes(range(8, 256)) + b"text", "another": SECRET[1:] + SECRET[:1]}) == []


# ── What is secret, and what is public though it was drawn or computed like a secret ──


def public_values(messages: Iterable[bytes], key: GroupKey) -> set[bytes]:
    """What messages are there to say: random ids, proofs of knowledge, signature shares, hashes of round 1."""
    values: set[bytes] = set()
    rosters = {key.ceremony: key.roster}
    first: dict[bytes, list[Signed[Round1]]] = {}
    for said in _read(messages, key):
        message = said.message
        if isinstance(message, Proposal):
            rosters[said.content_digest] = message.roster
        if isinstance(message, Proposal | SigningRequest):
            values.add(message.random)
        elif isinstance(message, Round1):
            first.setdefault(message.ceremony, []).append(said)
            values |= {message.package[-65:], message.package[-32:]}
        elif isinstance(message, Response):
            values |= {part for share in message.shares for part in (share, share[-32:])}
    for ceremony, round1_messages in first.items():
        positions = rosters[ceremony].position
        in_order = sorted(round1_messages, key=lambda said: positions(said.sender.name))
        values.add(transcript_hash(in_order))
    return values


def _read(messages: Iterable[bytes], key: GroupKey) -> Iterator[Signed[Any]]:
    for data in messages:
        if data.startswith(b"-----BEGIN CMS-----") and data.count(b"BEGIN") == 1:  # not the evidence, which repeats
            yield signed.read(data, key.roster)


def require_recorded(secrets: set[bytes], messages: Iterable[bytes], key: GroupKey) -> None:
    """Make sure that the secrets behind every public value were recorded: so it is they that are searched for.

    Coefficients and nonces by what others were told of them; round-2 shares and signing shares by the commitments.
    """
    group = key.suite.group
    points = {_point(group, secret) for secret in secrets if len(secret) == 32}
    summed = [key.public_key_package.verifying_shares[key.identifier(each.name)] for each in key.roster]
    assert points.issuperset(share.serialize() for share in summed), "a signing share"
    kinds = set()
    for said in _read(messages, key):
        message = said.message
        kinds.add(type(message))
        if isinstance(message, Round1) and message.ceremony == key.ceremony:
            commitment = round1.Package.deserialize(key.suite, message.package).commitment
            assert points.issuperset(group.encode(element) for element in commitment.elements), "a coefficient"
            for position in range(1, len(key.roster) + 1):
                powers = [position**power for power in range(len(commitment.elements))]
                share = group.sum_products(powers, commitment.elements)
                assert group.encode(share) in points, "a round-2 share"
        elif isinstance(message, Commitment):
            for encoded in message.commitments:
                commitments = SigningCommitments.deserialize(key.suite, encoded)
                for nonce in (commitments.hiding, commitments.binding):
                    assert nonce.serialize() in points, "a nonce"
    assert {Round1, Commitment} <= kinds


def _point(group: Group, secret: bytes) -> bytes | None:
    try:
        scalar = group.decode_scalar(Secret(secret))
        return group.encode(group.multiply_base(scalar))
    except Exception:
        return None


def files(directory: Path) -> dict[str, bytes]:
    """Every file but the tokens, and the PIN's own."""
    paths = [path for path in directory.rglob("*") if path.is_file() and path.name != "pin"]
    return {str(path): path.read_bytes() for path in paths if ".token" not in path.name}


def judge(secrets: set[bytes], messages: list[bytes], key: GroupKey, places: Mapping[str, bytes]) -> None:
    require_recorded(secrets, messages, key)
    searched = (secrets - public_values(messages, key)) | {PIN.encode(), WRONG_PIN.encode()}
    assert len(searched) > 100
    assert sum(map(len, places.values())) > 10_000
    assert search(searched, places) == []


# ── Through the library ──


def test_no_secret_leaves_the_library(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder()
    with recorder.recording():
        people = parties.gather(tmp_path, pin=PIN)
        proposal = parties.propose(people)
        first = parties.round1(people, proposal)
        second = parties.round2(people, first)
        third = parties.finish(people, first, second)
        parties.confirm(people, third)
        wanted = parties.request(people[:2], b"message")
        commitments = parties.commit(people[:2], wanted)
        responses = parties.respond(people[:2], wanted, commitments)
        people[2].session(wanted).aggregate(inbox(commitments.values(), responses.values()))
        messages = [proposal, wanted, *_go_wrong(people)]
    for step in (first, second, third, commitments, responses):
        messages += step.values()
    places = files(tmp_path) | {f"message {number}": data for number, data in enumerate(messages)}
    places["stdout"], places["stderr"] = (text.encode() for text in capfd.readouterr())
    places["exceptions and logs"] = "\n".join(recorder.seen).encode()
    assert "wrong passphrase" in places["exceptions and logs"].decode()
    judge(recorder.secrets, messages, people[0].key(), places)


def _go_wrong(people: list[Party]) -> list[bytes]:
    """A wrong PIN, and a bad share; returns the messages."""
    alice, bob, _ = people
    alice.pin = WRONG_PIN
    with pytest.raises(PinIncorrect):
        alice.records()
    alice.pin = PIN
    proposal = parties.propose([alice, bob], name="other")
    first = parties.round1([alice], proposal)
    liar = Mallory(bob, proposal)
    first["bob"] = liar.round1()
    second = parties.round2([alice], first, "other")
    second["bob"] = liar.round2(first, lambda name, package: mallory.plus_one(package))
    with pytest.raises(InvalidSecretShare):
        parties.finish([alice], first, second, "other")
    return [proposal, *first.values(), *second.values()]


# ── Through the command line ──


class Desk:
    """The command line in child processes that record."""

    def __init__(self, directory: Path, program: Preloaded) -> None:
        self._program = program
        self.record = directory / "record"
        self.people = parties.gather(directory / "people", pin=PIN)
        self.box = directory / "people/inbox"
        self.box.mkdir()
        self.outputs: list[str] = []

    def run(self, party: Party, *command: str, status: int = 0) -> Ran:
        ran = self._program.run(party.directory, party.arguments(command), self.record)
        assert ran.status == status, ran.stderr
        self.outputs += [ran.stdout, ran.stderr]
        for path in party.directory.glob("*.pem"):
            (self.box / path.name).write_bytes(path.read_bytes())
        return ran


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Preloaded() as program:
        yield Desk(tmp_path, program)


@pytest.mark.slow
def test_no_secret_leaves_the_command_line(desk: Desk, tmp_path: Path) -> None:
    alice, bob, carol = desk.people
    (alice.directory / "wrong").write_text(WRONG_PIN)
    (alice.directory / "wrong").chmod(0o600)
    desk.run(alice, "dkg", "propose", KEY, "-t", "2", "--with", "bob,carol")
    desk.run(alice, "dkg", "round1", f"{KEY}.proposal.pem", "--pin-source", "file:wrong", status=PinIncorrect.exit)
    (alice.directory / "wrong").unlink()
    for party in desk.people:
        desk.run(party, "dkg", "round1", f"../inbox/{KEY}.proposal.pem")
    for step in ("round2", "finish", "confirm"):
        for party in desk.people:
            desk.run(party, "dkg", step, KEY, "--in", "../inbox")
    (bob.directory / "message").write_bytes(b"a message")
    desk.run(bob, "sign", "request", KEY, "message", "--signers", "bob,carol")
    for party in (bob, carol):
        desk.run(party, "sign", "commit", "../inbox/message.request.pem")
    for party in (bob, carol):
        desk.run(party, "sign", "respond", "../inbox/message.request.pem", "--in", "../inbox", "--json")
    desk.run(alice, "sign", "aggregate", "../inbox/message.request.pem", "--in", "../inbox", "-o", "signature")
    _bad_share(desk, alice, bob)
    for command in (("keys", "list"), ("keys", "show", KEY), ("doctor",), ("dkg", "status"), ("sign", "status")):
        desk.run(bob, *command, "--json")

    secrets, seen = recording.load(desk.record)
    messages = [path.read_bytes() for path in desk.box.iterdir() if "identity" not in path.name]
    places = files(tmp_path / "people")
    places["stdout and stderr"] = "\n".join(desk.outputs).encode()
    places["exceptions, logs, arguments and environments"] = "\n".join(seen).encode()
    judge(secrets, messages, alice.key(), places)


def _bad_share(desk: Desk, alice: Party, bob: Party) -> None:
    proposal = parties.propose([bob, alice], name="other")
    (desk.box / "other.proposal.pem").write_bytes(proposal)
    desk.run(alice, "dkg", "round1", "../inbox/other.proposal.pem")
    first: Messages = {"alice": (desk.box / "other.alice.round1.pem").read_bytes()}
    liar = Mallory(bob, proposal)
    first["bob"] = liar.round1()
    (desk.box / "other.bob.round1.pem").write_bytes(first["bob"])
    desk.run(alice, "dkg", "round2", "other", "--in", "../inbox")
    second = liar.round2(first, lambda name, package: mallory.plus_one(package))
    (desk.box / "other.bob.round2.pem").write_bytes(second)
    desk.run(alice, "dkg", "finish", "other", "--in", "../inbox", status=InvalidSecretShare.exit)
