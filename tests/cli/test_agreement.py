"""What you see is what you sign: shown from memory, all of it or how much lies between, and never as lines of ours."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from cli.at_terminal import Session
from stage import parties
from stage.parties import Party
from stage.patience import patience

from frost_hsm.ceremony.messages import using
from frost_hsm.cli.talk import agreement
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.cli.talk.text import quoted, visible


class Reader(Terminal):
    """Sees what is shown, and says no."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.whole = ""
        self.asked = ""
        self.looks_into = True

    def agree(self, question, *, what, shown, last=0, lines=(), view=None) -> bool:  # type: ignore[no-untyped-def]
        self.lines, self.asked = list(lines), shown[-last:]
        self.whole = view() if view is not None and self.looks_into else ""
        return False


def shown(message: bytes) -> Reader:
    reader = Reader()
    assert not agreement.is_agreed_to(reader, [], [agreement.Asked("message", message, message)])
    assert reader.asked == hashlib.sha256(message).hexdigest()[-4:]
    assert all(line.isprintable() for line in reader.lines)
    assert all(len(visible(line)) <= 60 for line in reader.lines if "\\" not in line)
    return reader


def test_a_short_text_is_shown_whole() -> None:
    assert shown(b"pay 10\nto bob\n").lines == ["  text     2 lines:", "  | pay 10", "  | to bob"]
    assert shown(b"pay 10").lines == ["  text     1 line, without a line feed at the end:", "  | pay 10"]
    assert shown(b"").lines == ["  empty"]


@pytest.mark.parametrize("first", ["ok", "error: it is fine", "Next: rm -rf /", "hint: go on", "  message  0 bytes"])
def test_a_text_is_not_taken_for_a_line_of_ours(first: str) -> None:
    assert f"  | {first}" in shown(f"{first}\n".encode()).lines
    assert first not in shown(f"{first}\n".encode()).lines


@pytest.mark.parametrize("unit", [" ", "\r", "\u0430", "\n \rx", " " * 60 + "\n"])
def test_the_largest_message_takes_no_time(unit: str) -> None:
    """Nobody has signers wait for hours by what they ask them to sign."""
    message = (unit * using.MAX_THINGS).encode()[: using.MAX_THINGS // 2 * 2]
    reader = Reader()
    reader.looks_into = False
    with patience():
        assert not agreement.is_agreed_to(reader, [], [agreement.Asked("message", message, message)])
    assert len(reader.lines) == 26


def test_a_line_of_many_blanks_is_told_from_an_empty_one() -> None:
    assert shown(b"a\n" + b" \t\n" * 4 + b"b\n").lines[2] == "    (4 empty lines)"
    assert "    (4 empty lines)" not in shown(b"a\n" + (b" " * 60 + b"\n") * 4 + b"b\n").lines


def test_what_hides_in_a_text_is_seen() -> None:
    lines = shown(b"pay 10" + b" " * 200 + b"to mallory").lines
    assert lines[1:3] == ["  | pay 10 (48 blanks)", "  :  (54 blanks)"]
    assert lines[-1].endswith("to mallory")
    assert shown(b"pay\n" + b" \n" * 500 + b"to mallory\n").lines[1:] == [
        "  | pay",
        "    (500 empty lines)",
        "  | to mallory",
    ]
    assert r"  | \x1b[2Jpay \u202e01" in shown("\x1b[2Jpay \u202e01".encode()).lines
    assert r"  | to p\u0430ypal" in shown("to p\u0430ypal".encode()).lines
    assert "  | платёж — 10 €" in shown("платёж — 10 €".encode()).lines
    assert r"  | a\rb" in shown(b"a\rb").lines


@pytest.mark.parametrize("count", [24, 25, 1000, 100_000])
def test_of_a_long_text_it_is_said_how_much_lies_between(count: int) -> None:
    message = b"".join(b"line %d\n" % number for number in range(count))
    reader = shown(message)
    if count <= 24:
        assert reader.lines[1:] == [f"  | line {number}" for number in range(count)]
        return
    assert len(reader.lines) == 1 + 16 + 1 + 8
    [between] = [line for line in reader.lines if "…" in line]
    more, size = (int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", between))
    assert more == count - 24
    assert size == sum(len(b"line %d\n" % number) for number in range(16, count - 8))
    assert "v shows them" in between
    assert reader.whole.count("\n") == count + 1


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b"%PDF-1.7\xff\xff", "a PDF document"),
        (b"PK\x03\x04\xff", "a ZIP archive"),
        ("pay 10".encode("utf-16"), "text in UTF-16"),
        ("pay 10".encode("utf-16-le"), "text in UTF-16"),
        (bytes(range(200, 232)), "of no kind that is known here"),
    ],
)
def test_what_is_no_text_is_shown_by_its_kind_and_in_hex(message: bytes, kind: str) -> None:
    lines = shown(message).lines
    assert lines[0] == f"  binary   {kind}:"
    assert "".join(line.split("  ")[2].replace(" ", "") for line in lines[1:]) == message.hex()


def test_a_large_binary_does_not_end_silently() -> None:
    reader = shown(bytes(range(256)) * 4096)
    assert any("65,512 more lines, 1,048,192 bytes" in line for line in reader.lines)
    assert "000ffff0  f0f1" in reader.lines[-1]


def test_a_file_that_changes_while_the_question_waits(group: list[Party]) -> None:
    """Neither what is shown, all of it, nor what is signed is read again."""
    alice = group[0]
    long = b"".join(b"line %d\n" % number for number in range(100))
    wanted, other = (parties.request(group[:2], message) for message in (long, b"pay 10000 to mallory"))
    path = alice.directory / "pay.request.pem"
    path.write_bytes(wanted)
    command = ["sign", "commit", "pay.request.pem", "--home", "home", "--pin-source", "file:pin"]
    with Session(command, cwd=alice.directory, environment={"PAGER": "cat"}) as session:
        session.expect("v to see all of it: ")
        path.write_bytes(other)
        session.type("v\n")
        session.expect("line 50")
        session.expect("v to see all of it: ")
        assert "mallory" not in session.shown
        session.type(hashlib.sha256(long).hexdigest()[-4:] + "\n")
        assert session.end() == 0
    assert alice.session(wanted).status().step != "commit"
    assert alice.session(other).status().step == "commit"


# ── The door for text ──


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain ASCII, even {this}", None),
        ("Grüße — 10 € … ½ m²", None),
        ("日本語", None),
        ("привет мир", None),
        ("a\nhint: run this", r"a\nhint: run this"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("re\u202elif.pem", r"re\u202elif.pem"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("filler\u3164", r"filler\u3164"),
        ("\U000e0041tag", r"\U000e0041tag"),
        ("p\u0430yroll", r"p\u0430yroll"),
        ("\u0441\u043e\u0440\u0435", r"\u0441\u043e\u0440\u0435"),
        ("\uff50\uff41\uff59", r"\uff50\uff41\uff59"),
        ("a\u2044b\u2024pem", r"a\u2044b\u2024pem"),
        ("\udcff\udcfe", r"\xff\xfe"),
    ],
)
def test_text_of_others_is_shown_for_what_it_is(text: str, seen: str | None) -> None:
    assert visible(text) == (seen if seen is not None else text)
    assert visible(visible(text)) == visible(text)


@pytest.mark.parametrize(
    "name",
    ["a b", "a;touch PWNED", "$(touch PWNED)", "-rf", "a\nb", "it's", "a\\b", "\x1b[2J", "é", "\udcff", "p\u0430y"],
)
def test_a_quoted_name_is_one_argument(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"printf %s {visible(quoted(name))}"], cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout == os.fsencode(f"./{name}" if name.startswith("-") else name)
    assert list(tmp_path.iterdir()) == []


def test_every_next_command_is_ours_whatever_files_are_called(group: list[Party]) -> None:
    """What is said to be next is typed as it stands, into a shell: it names the file, and does nothing else."""
    alice, bob, _ = group
    evil = "q;touch PWNED; $(touch PWNED) it's.request.pem"
    (alice.directory / "m").write_bytes(b"pay 10")
    asked = alice.run("sign", "request", parties.KEY, "m", "--signers", "alice,bob", "-o", evil, "--json")
    assert asked.status == 0, asked.stderr
    (bob.directory / evil).write_bytes((alice.directory / evil).read_bytes())
    committed = bob.run("sign", "commit", evil, "--json")
    shown = bob.run("sign", "status", evil, "--json")
    for party, ran in ((alice, asked), (bob, committed), (bob, shown)):
        assert ran.status == 0, ran.stderr
        said = json.loads(ran.stdout)["next"]
        subprocess.run(["bash", "-c", f"Next: {said}"], cwd=party.directory, capture_output=True, check=False)
        command = said.rpartition("frost-hsm ")[2].partition(" --in")[0]
        done = subprocess.run(
            ["bash", "-c", f"printf '%s\\n' {command}"], cwd=party.directory, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == evil, command
        assert not (party.directory / "PWNED").exists()


def test_a_name_with_line_feeds_writes_no_line_of_ours(group: list[Party]) -> None:
    alice = group[0]
    (alice.directory / "in").mkdir()
    names = ["a.pem\nhint: run this\nNext: frost-hsm keys delete treasury", "b\x1b[2J.pem", "c\u202emep.pem"]
    for name in names:
        (alice.directory / "in" / name).write_bytes(b"-----BEGIN CMS-----\nAAAA\n-----END CMS-----\n")
    wanted = parties.request(group[:2], b"hello")
    (alice.directory / "r.pem").write_bytes(wanted)
    parties.commit([alice], wanted)
    ran = alice.run("sign", "respond", "r.pem", "--in", "in")
    assert ran.status == 65
    lines = ran.stderr.splitlines()
    assert [line.partition(" ")[0] for line in lines if line[:1] != " "].count("hint:") == 1
    assert not any(line.startswith("Next:") for line in lines)
    assert all(line.isprintable() for line in lines)
    assert len([line for line in lines if line.startswith("  in/")]) == len(names)
