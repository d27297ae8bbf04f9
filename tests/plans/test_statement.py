"""Statements have one form, and a record is made of those that say the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stage.patience import patience

from frost_hsm.errors import ForeignMessage, MalformedMessage, NotPossible
from frost_hsm.plans import plan as plans
from frost_hsm.plans import record, statement
from frost_hsm.plans.statement import Agreed, Machine, SignedFile, Statement

AGREED = Agreed(
    *("00" * 32, "FROST-ED25519-SHA512-v1", "01" * 32, "02" * 32, "0303 0303", "03" * 32, "04" * 32),
    ("alice", "bob"),
    (SignedFile("root.pem", 505, "05" * 32),),
)
MACHINE = Machine(
    "frost-hsm 0.1.0", "3.11", "Linux", "pkcs11 softhsm", "my token", "0123", "SoftHSM project", "v2", True
)
ALICE = Statement("alice", "aaaa", AGREED, MACHINE, "10:00", "kurz nach elf")
BOB = replace(ALICE, name="bob", fingerprint="bbbb", machine=replace(MACHINE, serial="0124"), began="ten")
PLAN = plans.read(b'title = "t"\nkey = "k"\nfor = "ca"\nthreshold = 2\npeople = ["alice", "bob"]\n')
KNOWN = {"alice": "aaaa", "bob": "bbbb"}


def test_reads_what_it_wrote() -> None:
    assert statement.read(ALICE.encode()) == ALICE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"began": "10:00"', b'"began": 10'),
        (b'"size": 505', b'"size": "505"'),
        (b'"size": 505', b'"size": true'),
        (b'"is_software": true', b'"is_software": 1'),
        (b'"name": "alice"', b'"name": "alice", "name": "alice"'),
        (b'"name": "alice"', b'"name": "Alice"'),
        (b'"file": "root.pem"', b'"file": "../root.pem"'),
        (b'"label": "my token"', b'"label": "\\u001b[2K"'),
        (b'"label": "my token"', b'"lable": "my token"'),
        (b'"label": "my token"', b'"label": "my token", "more": ""'),
        (b'frost-hsm/ceremony-statement/1"', b'frost-hsm/ceremony-statement/2"'),
        (b'"confirmed": [', b'"confirmed": [[],'),
        (b" ", b"  "),
        (b"}\n", b"}"),
        (b"{", b"["),
    ],
)
def test_what_is_no_statement(old: bytes, new: bytes) -> None:
    data = ALICE.encode()
    assert old in data
    with pytest.raises(MalformedMessage):
        statement.read(data.replace(old, new, 1))


def test_a_statement_is_not_large() -> None:
    with pytest.raises(MalformedMessage, match="larger"):
        statement.read(b" " * (statement.MAX_SIZE + 1))


def test_times_are_one_line() -> None:
    for time in ("10:00\n11:00", "x" * 61, "\x1b[2K"):
        with pytest.raises(NotPossible):
            replace(ALICE, ended=time)


def test_a_record_has_the_statements_in_the_order_of_the_people() -> None:
    made = record.make(PLAN, {"bob": BOB, "alice": ALICE}, replace(ALICE, began="", ended=""), KNOWN)
    assert made.statements == (ALICE, BOB)
    assert made.agreed == AGREED


@pytest.mark.parametrize("field", ["plan", "suite", "key", "ceremony", "check_code", "transcript", "package"])
def test_a_statement_that_says_something_else_is_refused(field: str) -> None:
    other = replace(BOB, agreed=replace(AGREED, **{field: "other"}))
    with pytest.raises(ForeignMessage, match="the statement of bob has another") as caught:
        record.make(PLAN, {"alice": ALICE, "bob": other}, ALICE, KNOWN)
    assert caught.value.culprits == ()  # anybody could have written it


def test_a_statement_of_other_files_or_people_is_refused() -> None:
    for agreed in (replace(AGREED, confirmed=("alice",)), replace(AGREED, signed=())):
        with pytest.raises(ForeignMessage, match="the statement of bob has another"):
            record.make(PLAN, {"alice": ALICE, "bob": replace(BOB, agreed=agreed)}, ALICE, KNOWN)
    with pytest.raises(ForeignMessage, match="of another identity"):
        record.make(PLAN, {"alice": ALICE, "bob": replace(BOB, fingerprint="cccc")}, ALICE, KNOWN)
    with pytest.raises(ForeignMessage, match="your own statement is of another program or token"):
        record.make(PLAN, {"alice": ALICE, "bob": BOB}, replace(ALICE, machine=BOB.machine), KNOWN)


@pytest.mark.parametrize("data", [b"", b"<html>", b'<meta name="frost-hsm-participant" content="Not a name">'])
def test_what_is_no_record(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        record.participants(data)


@pytest.mark.parametrize("unit", [b"<!--", b"<![CDATA[", b'<meta name="frost-hsm-participant" content="'])
def test_the_largest_record_takes_no_time(unit: bytes) -> None:
    with patience(), pytest.raises(MalformedMessage):
        record.participants(unit * (record.MAX_SIZE // len(unit)))
