"""Files that were cut short or altered on their way: never a culprit, never a traceback, nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli.judging import changes, error_of, refused, snapshot
from cli.malice import signed_nonsense
from stage import parties
from stage.parties import KEY, Party

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Confirmation, Round1, Round2
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.using import Commitment, Response
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.errors import BadMessageSignature, ForeignMessage, MalformedMessage, UnknownSender

DAMAGE = (MalformedMessage, BadMessageSignature, ForeignMessage, UnknownSender)


def collect_all(people: list[Party]) -> dict[type[Message], bytes]:
    """Run a ceremony and a signature; returns one message of each kind, all but the proposal and request by Carol."""
    alice, _, carol = people
    first = parties.round1(people, parties.propose(people))
    second = parties.round2(people, first)
    third = parties.finish(people, first, second)
    parties.confirm(people, third)
    wanted = parties.request([alice, carol], b"hello")
    commitments = parties.commit([alice, carol], wanted)
    responses = parties.respond([alice, carol], wanted, commitments)
    by_carol = (first, second, third, commitments, responses)
    kinds = (Round1, Round2, Confirmation, Commitment, Response)
    return {kind: messages["carol"] for kind, messages in zip(kinds, by_carol, strict=True)}


@pytest.mark.parametrize("kind", [Round1, Round2, Confirmation, Commitment, Response])
def test_no_byte_can_be_changed(people: list[Party], kind: type[Message]) -> None:
    message = collect_all(people)[kind]
    bob = people[1]
    roster = bob.key().roster
    assert signed.read(message, roster).sender.name == "carol"
    require_refused(message, lambda data: signed.read(data, roster))


def test_no_byte_of_a_proposal_can_be_changed(people: list[Party]) -> None:
    require_refused(parties.propose(people), signed.read)


def test_no_byte_of_a_request_can_be_changed(group: list[Party]) -> None:
    bob = group[1]
    wanted = parties.request([group[0], group[2]], b"hello")
    require_refused(wanted, lambda data: SigningSession.read(bob.home, data, bob.public))


def require_refused(message: bytes, read: Callable[[bytes], object]) -> None:
    read(message)
    for position in range(len(message)):
        changed = bytearray(message)
        changed[position] ^= 1 << position % 8
        with pytest.raises(DAMAGE) as caught:
            read(bytes(changed))
        assert caught.value.culprits == ()
        assert caught.value.exit == 65


@pytest.fixture
def waiting(people: list[Party], tmp_path: Path) -> tuple[Party, bytes, Path]:
    """Alice, who waits for Carol's round-1 message; that message; and where it will lie."""
    first = parties.round1(people, parties.propose(people))
    bob = tmp_path / "in/bob.pem"
    bob.parent.mkdir()
    bob.write_bytes(first["bob"])
    return people[0], first["carol"], tmp_path / "in/carol.pem"


def test_truncated_at_every_length(waiting: tuple[Party, bytes, Path]) -> None:
    alice, message, path = waiting
    before = snapshot(alice)
    for length in range(len(message) - 1):  # the last line feed may be lost
        path.write_bytes(message[:length])
        ran = alice.run("dkg", "round2", KEY, str(path), "--json")
        error = error_of(ran)
        assert (ran.status, error["code"], error["culprits"]) == (65, "package-malformed", []), length
        assert error["message"].startswith(f"{path}: ")
        assert "Traceback" not in ran.stderr
    assert changes(before, snapshot(alice)) == []


def test_damage_in_a_directory_is_told_of_where_the_file_was_a_message(waiting: tuple[Party, bytes, Path]) -> None:
    alice, message, path = waiting
    there = str(path.parent)
    for damaged, status, code in (
        (message[:300], 65, "package-malformed"),
        (message.replace(b"A", b"B"), 65, "package-malformed"),
        (b"", 75, "waiting"),
        (b"notes of mine", 75, "waiting"),
    ):
        path.write_bytes(damaged)
        refused(alice, "dkg", "round2", KEY, "--in", there, status=status, code=code, says="")


def test_a_bad_signature_names_nobody(waiting: tuple[Party, bytes, Path]) -> None:
    alice, message, path = waiting
    parsed = signed.parse(message)
    der = bytearray(parsed.der)
    der[der.index(parsed.content) + 60] ^= 1  # somewhere in the commitment, away from every length
    path.write_bytes(der)
    error = refused(
        alice, "dkg", "round2", KEY, str(path), status=65, code="package-signature", says=f"{path}: "
    )  # fmt: skip
    assert "does not show that its sender did anything wrong" in error["hint"]


def test_signed_nonsense_names_its_sender(people: list[Party], waiting: tuple[Party, bytes, Path]) -> None:
    alice, _, path = waiting
    path.write_bytes(signed_nonsense(people[2]))
    refused(
        alice, "dkg", "round2", KEY, str(path),
        status=76, code="invalid-contents", culprits=("carol",), says=f"{path}: carol signed what is not a message",
    )  # fmt: skip


def test_a_file_that_is_too_large_is_not_read(waiting: tuple[Party, bytes, Path]) -> None:
    alice, _, path = waiting
    with path.open("wb") as file:
        file.truncate((16 << 20) + 1)
    refused(alice, "dkg", "round2", KEY, str(path), status=65, code="package-malformed", says="larger than 16 MiB")


def test_a_file_that_is_not_there(waiting: tuple[Party, bytes, Path]) -> None:
    alice, _, path = waiting
    refused(alice, "dkg", "round2", KEY, str(path), status=66, code="file-missing", says=f"cannot read {path}")
    refused(alice, "dkg", "round2", KEY, "--in", "none", status=66, code="file-missing", says="directory none")


def test_names_of_files_cannot_steer_the_terminal(people: list[Party], waiting: tuple[Party, bytes, Path]) -> None:
    alice, message, path = waiting
    evil = path.with_name("a\x1b[2J\u202eb.pem")
    evil.write_bytes(message[:100])
    ran = alice.run("dkg", "round2", KEY, "--in", str(path.parent))
    assert ran.status == 65
    assert r"a\x1b[2J\u202eb.pem" in ran.stderr
    assert "\x1b" not in ran.stderr


def test_a_damaged_key_hides_no_other(group: list[Party]) -> None:
    alice = group[0]
    for name in alice.home.files(alice.key().folder):
        alice.home.put(name.replace(KEY, "another"), alice.home.read(name) or b"")
    alice.home.replace(f"{alice.folder().replace(KEY, 'another')}/beginning.pem", b"-----BEGIN CMS-----\n")
    listed = alice.run("keys", "list")
    assert listed.status == 0
    assert f"{KEY} " in listed.stdout
    assert "another" not in listed.stdout
    assert "note: key another is passed over: " in listed.stderr
    assert "does not fit together" in listed.stderr


def test_a_damaged_request_hides_no_other(group: list[Party]) -> None:
    alice = group[0]
    for message in (b"one", b"other"):
        parties.commit(group[:2], parties.request(group[:2], message))
    first, second = SigningSession.names(alice.home)
    (alice.directory / f"home/requests/{first}/beginning.pem").write_bytes(b"damaged")
    ran = alice.run("sign", "status")
    assert ran.status == 0
    assert ran.stdout.startswith(second[:16])
    assert f"request {first[:16]} is passed over" in ran.stderr
