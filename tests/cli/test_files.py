"""One door for files: what reaches a command through mail and editors, folders of junk, and where outputs go."""

from __future__ import annotations

import base64
import errno
import gzip
import os
import quopri
import re
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from cli.judging import changes, error_of, snapshot
from stage import parties
from stage.parties import KEY, Party

from frost_hsm.cli.files import door
from frost_hsm.errors import MalformedMessage, OutputExists, StorageProblem
from frost_hsm.forms import pem

Mangle = Callable[[bytes], bytes]


def lines(change: Callable[[bytes], bytes]) -> Mangle:
    return lambda data: b"".join(change(line) + b"\n" for line in data.splitlines())


def rewrapped(data: bytes) -> bytes:
    """With lines of 76, in every block."""

    def wrapped(body: re.Match[bytes]) -> bytes:
        text = body[0].replace(b"\n", b"")
        return b"".join(text[at : at + 76] + b"\n" for at in range(0, len(text), 76))

    return re.sub(rb"^([A-Za-z0-9+/=]+\n)+", wrapped, data, flags=re.MULTILINE)


def quoted_printable(data: bytes) -> bytes:
    """As a mail program writes it that has lines of its own: some go on after an equals sign at their end."""
    line = data.splitlines()[1]
    return quopri.encodestring(data).replace(line, line[:40] + b"=\n" + line[40:])


def of_one_block(data: bytes) -> bytes:
    return base64.b64decode(b"".join(data.partition(b"-----END")[0].splitlines()[1:]))


READ: dict[str, Mangle] = {
    "as it is": lambda data: data,
    "a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "CRLF and a byte order mark": lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"),
    "no line feed at the end": lambda data: data.rstrip(b"\n"),
    "empty lines around it": lambda data: b"\n\n" + data + b"\n \n",
    "a greeting before it": lambda data: b"Hi Alice,\n\n" + data,
    "a greeting in another script": lambda data: "Привет — 你好\n".encode() + data,
    "a signature after it": lambda data: data + b"-- \nBob, +1 555 0100\n",
    "headers of a mail before it": lambda data: b"From: bob\nSubject: round 1\n\n" + data,
    "blanks after its last line": lambda data: data.rstrip(b"\n") + b"  \n",
}
"""Ways in which a file of one PEM block may come: it is read."""

REFUSED: dict[str, tuple[Mangle, str]] = {
    "empty": (lambda data: b"", "nothing: it is empty"),
    "UTF-16": (lambda data: data.decode().encode("utf-16"), "text in UTF-16"),
    "UTF-16 without a mark": (lambda data: data.decode().encode("utf-16-le"), "text in UTF-16"),
    "a quotation": (lines(lambda line: b"> " + line), "a quotation in a mail, with > before its lines"),
    "indented": (lines(lambda line: b"    " + line), "a block whose lines are indented"),
    "blanks at the ends of lines": (lines(lambda line: line + b" "), "a block with blanks at the ends of its lines"),
    "quoted-printable": (quoted_printable, "the source of a mail, in quoted-printable"),
    "76 columns": (rewrapped, "a block that a program has wrapped anew: our lines have 64 characters"),
    "cut off": (lambda data: data[: len(data) * 2 // 5], "the beginning of a file: it has no line -----END "),
    "one letter changed": (lambda data: data.replace(b"\nM", b"\n*", 1), "a block"),
    "base64 alone": (
        lambda data: b"".join(line for line in data.splitlines(keepends=True) if b"-----" not in line),
        "base64 with nothing around it",
    ),
    "hex": (lambda data: of_one_block(data).hex().encode(), "hex"),
    "gzip": (gzip.compress, "a gzip archive"),
    "a web page": (lambda data: b"<!DOCTYPE html><p>-- " + data[40:], "a web page"),
    "a PDF": (lambda data: b"%PDF-1.7\n" + data[40:], "a PDF document"),
    "of PGP": (lambda data: b"-----BEGIN PGP MESSAGE-----\n\nhQIMA", "something signed or encrypted with PGP"),
}
"""Ways in which it is no longer: the sentence names what it looks like."""

KINDS = {
    "identity": ("peer add", "bob.identity.pem"),
    "proposal": ("dkg round1", "proposal.pem"),
    "message": (f"dkg round2 {KEY}", "first.pem"),
}


@pytest.fixture
def alice(people: list[Party]) -> Party:
    """Alice, with a file of each kind that she reads next."""
    alice, bob, _ = people
    proposal = parties.propose(people)
    alice.join(proposal).round1(alice.holder)
    first = parties.round1(people[1:], proposal)
    (alice.directory / "bob.identity.pem").write_bytes(bob.public.to_pem())
    (alice.directory / "proposal.pem").write_bytes(proposal)
    (alice.directory / "first.pem").write_bytes(first["bob"])
    (alice.directory / "in").mkdir()
    (alice.directory / "in/carol.pem").write_bytes(first["carol"])
    alice.home.remove("peers/bob.pem")
    return alice


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_around_a_file_does_not_matter(alice: Party, kind: str) -> None:
    command, name = KINDS[kind]
    path = alice.directory / name
    good = path.read_bytes()
    for way, mangle in READ.items():
        path.write_bytes(mangle(good))
        ran = alice.run(*command.split(), name, *(("--in", "in") if kind == "message" else ()))
        assert ran.status == 0, (way, ran.stderr)


@pytest.mark.parametrize("kind", KINDS)
def test_what_happened_to_a_file_is_said(alice: Party, kind: str) -> None:
    command, name = KINDS[kind]
    path = alice.directory / name
    good = path.read_bytes()
    before = snapshot(alice)
    for way, (mangle, looks) in REFUSED.items():
        path.write_bytes(mangle(good))
        ran = alice.run(*command.split(), name, "--json")
        assert ran.status == 65, (way, ran.stderr)
        error = error_of(ran)
        assert error["message"].startswith(f"{name}: "), way
        assert f"; it looks like {looks}" in error["message"], (way, error["message"])
        assert error["hint"], way
    path.write_bytes(good)
    assert changes(before, snapshot(alice)) == []


def test_what_a_killed_run_left_is_cleared_away_by_one_that_is_refused(alice: Party) -> None:
    left = alice.directory / ".frost-hsm.0123456789abcdef.partial"
    left.write_bytes(b"half")
    (alice.directory / "alice.identity.pem").write_bytes(b"another")
    assert alice.run("identity", "export").status == OutputExists.exit
    assert not left.exists()


def test_what_was_meant_is_never_passed_over(alice: Party) -> None:
    """In a folder, too: what was a message once is reported, and all of it at once."""
    good = (alice.directory / "first.pem").read_bytes()
    binary = {"DER": of_one_block, "base64 alone": REFUSED["base64 alone"][0]}
    meant = {way: mangle for way, (mangle, _) in REFUSED.items() if b"BEGIN CMS" in mangle(good).replace(b"\0", b"")}
    assert len(meant) >= 9
    for number, mangle in enumerate({**meant, **binary}.values()):
        (alice.directory / f"in/{number:02}.pem").write_bytes(mangle(good))
    for number in range(3):
        (alice.directory / f"in/junk {number}").write_bytes(b"%PDF-1.7 and so on")
    ran = alice.run("dkg", "round2", KEY, "--in", "in", "--json")
    assert ran.status == 65
    message = error_of(ran)["message"]
    assert message.startswith(f"{len(meant) + 1} files cannot be read, or were damaged on their way\n  ")  # DER is fine
    assert all(f"in/{number:02}.pem: " in message for number in range(len(meant)))
    assert "junk" not in message


def test_text_between_blocks_does_not_matter(people: list[Party]) -> None:
    """As ``openssl x509 -text`` writes it."""
    sign, agree, rest = people[1].public.to_pem().partition(b"-----END CERTIFICATE-----\n")
    path = people[0].directory / "bob.pem"
    path.write_bytes(b"Certificate:\n    Data:\n" + sign + agree + b"Certificate:\n    Data:\n" + rest)
    assert people[0].run("peer", "add", str(path)).status == 0


@pytest.mark.parametrize("blocks", [2, 3])
def test_another_block_is_not_left_out(blocks: int) -> None:
    block = pem.encode("CMS", bytes(100))
    assert pem.without_surroundings(b"a\n" + block * blocks) == block * blocks
    hidden = b"see -----BEGIN CMS-----\n" + block
    assert pem.without_surroundings(hidden) == hidden
    with pytest.raises(MalformedMessage):
        pem.decode("CMS", pem.without_surroundings(hidden), "it")


# ── Folders of anything ──

JUDGE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from frost_hsm.cli.files.incoming import gather
from frost_hsm.errors import FrostHsmError
from stage import memory_peak
before = memory_peak.begin_again()
try:
    files, others = gather((), sys.argv[1])
    print(len(files), len(others), end=" ")
except FrostHsmError as error:
    print(len(error.details), "errors", end=" ")
print(memory_peak.megabytes() - before)
"""


def judge(folder: Path) -> tuple[str, float]:
    """What is found in a folder, and how many megabytes that takes; the time is in `tests/benchmarks/growth.py`."""
    done = subprocess.run([sys.executable, "-c", JUDGE, str(folder)], capture_output=True, text=True, check=True)
    first, second, memory = done.stdout.split()
    return f"{first} {second}", float(memory)


def test_ten_thousand_files_a_pipe_a_loop_and_three_gigabytes(tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"{number}.txt").write_bytes(b"hello")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("nothing")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(3 << 30)
    found, memory = judge(tmp_path)
    assert found == "0 10001"
    assert memory < 100


def test_forty_files_of_sixteen_megabytes(tmp_path: Path) -> None:
    whole = pem.encode("CMS", b"\x30\x83\xb0\x00\x00" + bytes(0xB00000))
    for number in range(40):
        path = tmp_path / f"{number:02}.pem"
        if number < 2:
            path.write_bytes(whole if number else b"-----BEGIN CMS-----\n" + b"A" * 16_000_000)
        else:
            path.hardlink_to(tmp_path / f"{number % 2:02}.pem")
    found, memory = judge(tmp_path)
    assert found == "21 errors"  # the first twenty, and how many more there are
    assert memory < 100


# ── Outputs ──


def write_together(barrier: threading.Barrier, target: Path, data: bytes) -> bool:
    barrier.wait()
    try:
        door.write(str(target), data)
    except OutputExists:
        return False
    return True


def test_two_that_write_something_new_at_once(tmp_path: Path) -> None:
    """One of them is refused: what exists is not overwritten, however short a time it has existed."""
    for number in range(50):
        barrier = threading.Barrier(2)
        with ThreadPoolExecutor(2) as pool:
            ends = list(pool.map(partial(write_together, barrier, tmp_path / str(number)), (b"one", b"other")))
        assert sorted(ends) == [False, True]
    assert {path.name for path in tmp_path.iterdir()} == {str(number) for number in range(50)}


@pytest.mark.parametrize("name", ["a" * 255, " ", "-x", "a\nb", "\udcff", "é", "$(id)", ".hidden"])
def test_any_name_that_the_file_system_allows(tmp_path: Path, name: str) -> None:
    target = str(tmp_path / name)
    door.check_output(target, force=False)
    door.write(target, b"one")
    door.write(target, b"one")
    door.write(target, b"two", force=True)
    assert Path(target).read_bytes() == b"two"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_name_that_it_does_not_allow(tmp_path: Path) -> None:
    for name in ("a" * 256, "a\0b", "none/x"):
        with pytest.raises(StorageProblem, match="cannot write"):
            door.check_output(str(tmp_path / name), force=False)


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the sticks that people carry."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    target = tmp_path / "out"
    door.write(str(target), b"one")
    assert target.read_bytes() == b"one"
    with pytest.raises(OutputExists):
        door.write(str(target), b"two")
    assert list(tmp_path.iterdir()) == [target]


def test_a_pipe_beside_an_output_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".frost-hsm.0123456789abcdef.partial")
    (tmp_path / ".frost-hsm.fedcba9876543210.partial").write_bytes(b"left by a run that was killed")
    door.write(str(tmp_path / "out"), b"one")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".frost-hsm.0123456789abcdef.partial", "out"]


def test_a_large_file_in_the_place_of_an_output_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OutputExists):
        door.write(str(tmp_path / "out"), b"one")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_who_may_read_an_output(tmp_path: Path, umask: int) -> None:
    earlier = os.umask(umask)
    try:
        door.write(str(tmp_path / "public"), b"one")
        door.write(str(tmp_path / "private"), b"one", is_private=True)
    finally:
        os.umask(earlier)
    assert (tmp_path / "public").stat().st_mode & 0o777 == 0o666 & ~umask
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


def test_a_folder_is_synced_with_the_file_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda it: synced.append(str(Path(f"/proc/self/fd/{it}").readlink())) or fsync(it))
    door.write(str(tmp_path / "out"), b"one")
    assert synced[1:] == [str(tmp_path)]
    assert synced[0].endswith(".partial")


def test_what_would_refuse_an_output_is_tried_before_the_token(alice: Party) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = snapshot(alice)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limit[1]))
    try:
        ran = alice.run("dkg", "propose", "other", "-t", "2", "--with", "carol", "-o", "out", "--pin-source", "fd:99")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert ran.status == 74
    assert "error: cannot write out: File too large" in ran.stderr
    assert changes(before, snapshot(alice)) == []
