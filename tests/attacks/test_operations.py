"""Reading, keeping and running: what a hostile file, a swapped record or a careless option could do."""

from __future__ import annotations

import os
import random
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attacks.table import Table, refused
from attacks.test_signatures import option_names
from stage import parties
from stage.p256 import public_bytes
from stage.parties import KEY, PIN, Party, inbox

from frost_hsm import P256
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Confirmation, Proposal, Round1, Round2
from frost_hsm.ceremony.messages.message import Message, require_hashes
from frost_hsm.ceremony.messages.using import RAW, Item, SigningRequest
from frost_hsm.ceremony.sealing import envelope, records
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.envelope import Envelope
from frost_hsm.cli.program import frost_hsm as whole_program
from frost_hsm.errors import (
    DeserializationError,
    ForeignMessage,
    FrostHsmError,
    InvalidContents,
    MalformedMessage,
    NotPossible,
    PinOnCommandLine,
    SealBroken,
    StorageProblem,
    UsageProblem,
)
from frost_hsm.forms import cms, der, oids
from frost_hsm.frost import signing
from frost_hsm.frost.keys import round2
from frost_hsm.frost.keys.dkg import part1
from frost_hsm.frost.packages import Identifier, SigningPackage
from frost_hsm.frost.values import SigningShare
from frost_hsm.secret import Redacted, Secret

VERSION = der.integer(2)
HASH = der.octet_string(bytes(32))
LARGE = 1 << 20


def envelopes() -> object:
    return Round2.decode(der.sequence(der.integer(3), HASH, HASH, der.sequence(HASH * (LARGE // len(HASH)))))


def signers() -> object:
    items = der.sequence(Item(RAW, "", b"message").encode())
    many = der.sequence(b"\2\1\1" * (LARGE // 3))
    return SigningRequest.decode(der.sequence(VERSION, HASH, HASH, der.integer(1), HASH, items, many))


@pytest.mark.parametrize("read", [envelopes, signers])
def test_p01_a_list_without_end(read: Callable[[], object]) -> None:
    """Mallory signs a message with millions of entries."""
    tracemalloc.start()
    try:
        with pytest.raises(FrostHsmError):
            read()
        assert tracemalloc.get_traced_memory()[1] < 5 * LARGE
    finally:
        tracemalloc.stop()


def test_p01_lengths_that_nothing_has(group: list[Party]) -> None:
    """Mallory says how long something is, and it would be longer than any memory."""
    for length in (b"\x84\x7f\xff\xff\xff", b"\x88" + b"\x7f" * 8, b"\xff" + b"\x01" * 127, b"\x80"):
        with pytest.raises(MalformedMessage):
            signed.parse(b"\x30" + length + b"\x00" * 100)
    counts = (b"\xff" * 9 + b"\1", b"\x80" * 20, b"\xff\xff\xff\xff\x0f")
    header = SigningPackage(P256, {}, b"").serialize()[:5]
    for count in counts:
        with pytest.raises(DeserializationError):
            SigningPackage.deserialize(P256, header + count + bytes(64))


def test_p01_files_that_are_too_large(trio: list[Party]) -> None:
    """Somebody sends a file that is larger than any message."""
    alice = trio[0]
    (alice.directory / "inbox").mkdir()
    first = parties.round1(trio, parties.propose(trio))
    with (alice.directory / "inbox/huge").open("wb") as file:
        file.write(first["bob"])
        file.truncate(17 << 20)
    ran = alice.run("dkg", "round2", KEY, "--in", "inbox")
    assert ran.status == MalformedMessage.exit
    assert "inbox/huge is larger than 16 MiB" in ran.stderr


class Said:
    """Any bytes, signed as a message of a type."""

    title = "whatever"

    def __init__(self, content_type: str, content: bytes) -> None:
        self.content_type = content_type
        self._content = content

    def encode(self) -> bytes:
        return self._content

    @classmethod
    def decode(cls, data: bytes) -> Said:
        raise NotImplementedError


def spoilt(honest: bytes, count: int) -> Iterator[bytes]:
    """Change, cut and double bytes of a message, always in the same ways."""
    dice = random.Random(len(honest))
    for _ in range(count):
        position, length = dice.randrange(len(honest)), dice.randrange(4)
        yield honest[:position] + dice.randbytes(length) + honest[position + dice.randrange(4) :]
    yield from (b"", b"\x30", b"\x30\0", honest[:-1], honest + b"\0", honest * 2)


def test_p02_odd_contents(table: Table) -> None:
    """Mallory signs messages that are nearly right: whatever is in them, one of our errors says so."""
    parts: list[tuple[type[Message], bytes]] = []
    for data in (table.proposal, *table.first.values(), table.mallory.round2(table.first)):
        read = signed.parse(data)
        parts.append((type(signed.decode(read)), read.content))
    parts.append((Confirmation, Confirmation(bytes(32), (bytes(32), bytes(32)), bytes(32)).encode()))
    refusals = 0
    for kind, content in parts:
        for changed in spoilt(content, 60):
            try:
                kind.decode(changed)
            except Exception as error:
                assert isinstance(error, FrostHsmError), repr(error)
                refusals += 1
    assert refusals > 250


def test_p02_odd_packages(table: Table) -> None:
    """As before, one layer further in, and through the whole step."""
    package = table.mallory.package.serialize()
    said = [table.mallory.say(Round1(table.mallory.seat.ceremony, each)) for each in spoilt(package, 3)]
    for data in said:
        with pytest.raises(FrostHsmError) as caught:
            table.round2(table.alice, table.first["bob"], data)
        assert caught.value.culprits == ("mallory",)
        table.alice.home.remove(f"{table.alice.folder()}/evidence.pem")


def test_p03_another_version(table: Table) -> None:
    """Mallory sends a message of a later version, or of an earlier one that never was."""
    honest = Round1(table.mallory.seat.ceremony, table.mallory.package.serialize()).encode()
    for version in (0, 1, 1 << 40):
        body = honest[len(honest) - len(der.Reader(honest, "it").contents(der.SEQUENCE)) + 3 :]
        other = der.sequence(der.integer(version), body)
        data = table.mallory.say(Said(Round1.content_type, other))
        refused(table.alice, ForeignMessage, lambda data=data: table.round2(table.alice, data))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("was", "is_"),
    [
        ('"version":0', '"version":1'),
        ("FROST-P256-SHA256-v1", "FROST-ED25519-SHA512-v1"),
        ('"message":', '"note":"","message":'),
        ('"message":', '"message":"00","message":'),
        ('"message":"', '"massage":"'),
        ('"hiding":', '"hiding":"00","hiding":'),
    ],
)
def test_p03_fields_that_are_unknown_missing_or_doubled(was: str, is_: str) -> None:
    """Another program's package says something twice, or else than its header, for two readers to read two things."""
    share = SigningShare.deserialize(P256, Secret(bytes(31) + b"\5"))
    commitments = {Identifier.from_u16(P256, number): signing.commit(share)[1] for number in (1, 2)}
    text = SigningPackage(P256, commitments, b"pay 5 to dave").to_json()
    assert was in text
    with pytest.raises(DeserializationError):
        SigningPackage.from_json(P256, text.replace(was, is_, 1))


def test_p04_secrets_on_the_command_line(group: list[Party]) -> None:
    """Somebody else on the machine lists the processes, or reads the shell's history."""
    takes_a_pin = {name for name in option_names(whole_program) if "pin" in name.strip("-").split("-")}
    assert takes_a_pin == {"--pin", "--pin-source", "--allow-final-pin-try"}
    alice = group[0]
    for arguments in (("--pin", PIN), ("--pin-source", PIN)):
        (alice.directory / "message").write_bytes(b"message")
        ran = alice.run("sign", "request", KEY, "message", "--signers", "alice,bob", *arguments)
        assert ran.status in (PinOnCommandLine.exit, UsageProblem.exit)
        assert PIN not in ran.stdout + ran.stderr
        assert not (alice.directory / "message.request.pem").exists()


def sealed_shares(party: Party) -> dict[str, bytes]:
    """The records that are signing shares, by name."""
    return {name: sealed for name, sealed in party.records().items() if name.startswith(Kind.SIGNING_SHARE)}


def swap(party: Party, contents: dict[str, bytes]) -> None:
    with party.open_token() as token:
        for name, value in contents.items():
            token.delete_record(name)
            token.write_record(name, value)


def test_p05_swapped_records(trio: list[Party]) -> None:
    """Whoever can write to Alice's token puts her share of one key where that of another was."""
    for name in ("one", "two"):
        parties.generate(trio, name=name)
    alice = trio[0]
    (one, first), (two, second) = sealed_shares(alice).items()
    swap(alice, {one: second, two: first})
    for name in ("one", "two"):
        wanted = parties.request([trio[1], alice], b"message", name)
        with pytest.raises(SealBroken):
            parties.commit([alice], wanted)


def test_p05_a_share_that_somebody_else_sealed(group: list[Party]) -> None:
    """Bob writes his own sealed share into Alice's token."""
    alice, bob, _ = group
    [record], [bobs] = sealed_shares(alice), sealed_shares(bob).values()
    swap(alice, {record: bobs})
    wanted = parties.request([bob, alice], b"message")
    with pytest.raises(SealBroken):
        parties.commit([alice], wanted)


def test_p05_nonces_that_somebody_else_sealed(group: list[Party]) -> None:
    """Bob seals nonces that he knows to Alice's token, where she would look for her own: her answer tells her share."""
    alice, bob, _ = group
    wanted = parties.request([alice, bob], b"message")
    key, request = alice.key(), alice.session(wanted).id
    known, _ = signing.commit(SigningShare.deserialize(P256, Secret(bytes(31) + b"\5")))
    sealed = envelope.encrypt(key.context(Kind.SIGNING_NONCES, request), known.serialize(), [alice.public])
    with bob.holder() as holder:
        record = cms.sign(oids.SEALED_RECORD, sealed, holder)
    with alice.open_token() as token:
        token.write_record(f"{key.record_name(Kind.SIGNING_NONCES, request)}.{bytes(16).hex()}", record)
    with pytest.raises(SealBroken):
        parties.commit([alice], wanted)


def test_p06_one_key_for_many_records(group: list[Party]) -> None:
    """Somebody waits until AES-GCM under one key has drawn the same nonce twice: each record has a key of its own."""
    alice = group[0]
    context = records.own_context(alice.public, bytes(32), Kind.ROUND1_STATE, P256.id)
    keys = set()
    with alice.holder() as holder:
        for _ in range(3):
            sealed = envelope.encrypt(context, Secret(b"the same"), [alice.public])
            [recipient] = Envelope.decode(sealed).recipients
            keys.add(public_bytes(recipient.unwrap(holder)))
    assert len(keys) == 3


def secrets() -> Iterator[tuple[object, bytes]]:
    """One of every kind of secret object, and what it holds."""
    value = bytes(range(1, 33))
    yield Secret(value), value
    share = SigningShare.deserialize(P256, Secret(value))
    yield share, value
    yield round2.Package(P256, share), value
    nonces, _ = signing.commit(share)
    yield nonces, public_bytes(nonces.hiding.serialize())
    secret, _ = part1(P256, Identifier.from_u16(P256, 1), max_signers=2, min_signers=2)
    yield secret, public_bytes(secret.coefficients[0].serialize())


def test_p07_secrets_in_text() -> None:
    """A secret object is printed, formatted, logged or put into an exception."""
    for holder, value in secrets():
        shown = f"{holder!r} {holder} {[holder]} {ValueError(holder)!r} {holder:}"
        for form in (
            value.hex(),
            value.hex().upper(),
            repr(value),
            str(int.from_bytes(value, "big")),
            str(list(value)),
        ):
            assert form not in shown
        for attempt in (lambda held=holder: held == held, lambda held=holder: hash(held)):
            with pytest.raises(TypeError):
                attempt()


def test_p07_every_kind_of_secret_is_redacted() -> None:
    """Somebody adds a kind of secret and forgets this."""

    def kinds(of: type) -> Iterator[type]:
        for kind in of.__subclasses__():
            yield kind
            yield from kinds(kind)

    found = list(kinds(Redacted))
    assert len(found) > 8
    for kind in found:
        assert kind.__repr__ is Redacted.__repr__, kind


def test_p08_half_a_file(group: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine fails while a file is written."""
    alice = group[0]
    alice.home.replace("note", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _fail)
        patch.setattr(os, "replace", _fail)
        with pytest.raises(StorageProblem):
            alice.home.replace("note", b"new and longer")
    assert alice.home.read("note") == b"old"


def _fail(*_: object) -> None:
    raise OSError("the disk is gone")


def test_p08_damaged_and_exchanged_files(group: list[Party]) -> None:
    """Files of the state directory are cut short, or put in each other's place: nothing goes on with them."""
    alice = group[0]
    folder = alice.directory / f"home/{alice.folder()}"
    for name in ("beginning.pem", "confirm/alice.pem", "public-key-package.json"):
        whole = (folder / name).read_bytes()
        for damaged in (whole[: len(whole) // 2], b"", b"\xff" * 40):
            (folder / name).write_bytes(damaged)
            assert name in str(refused(alice, StorageProblem, alice.key))
        (folder / name).write_bytes(whole)
    (folder / "confirm/alice.pem").write_bytes((folder / "confirm/bob.pem").read_bytes())
    refused(alice, StorageProblem, alice.key)


def test_p08_kept_messages_in_each_others_place(trio: list[Party]) -> None:
    """Whoever can write to the state directory puts Carol's message where Bob's is."""
    alice = trio[0]
    first = parties.round1(trio, parties.propose(trio))
    parties.round2(trio, first)
    alice.home.replace(f"{alice.folder()}/round1/bob.pem", first["carol"])
    error = refused(alice, StorageProblem, lambda: alice.ceremony().finish(alice.holder, inbox()))
    assert "round1/bob.pem is not what its name says" in str(error)


@pytest.mark.parametrize("length", [8, 31, 33])
def test_p09_hashes_that_are_too_short(table: Table, length: int) -> None:
    """Mallory names the ceremony by so few bytes that others can be found with the same."""
    with pytest.raises(NotPossible):
        require_hashes("message", bytes(length))
    short = table.mallory.seat.ceremony[:length].ljust(length, b"\0")
    content = der.sequence(VERSION, der.octet_string(short), der.octet_string(table.mallory.package.serialize()))
    data = table.mallory.say(Said(Round1.content_type, content))
    with pytest.raises(InvalidContents) as caught:
        table.round2(table.alice, data)
    assert caught.value.culprits == ("mallory",)


def test_p10_a_key_for_another_purpose(trio: list[Party]) -> None:
    """Bob has a key that was made for releases sign a payment: everybody is shown what it is for, and asked."""
    alice, bob, _ = trio
    assert bob.run("dkg", "propose", KEY, "-t", "2", "--with", "alice,carol", "--purpose", "releases").status == 0
    proposal = (bob.directory / f"{KEY}.proposal.pem").read_bytes()
    assert signed.read(proposal).expect(Proposal).message.purpose == "releases"
    first = parties.round1(trio, proposal)
    parties.confirm(trio, parties.finish(trio, first, parties.round2(trio, first)))
    (alice.directory / "pay.request.pem").write_bytes(parties.request([alice, bob], b"pay 5000 to bob"))
    ran = alice.run("sign", "commit", "pay.request.pem")
    assert ran.status == 0, ran.stderr
    shown: dict[str, Any] = {word: word in ran.stderr for word in (", for: releases", "pay 5000 to bob")}
    assert all(shown.values()), ran.stderr
