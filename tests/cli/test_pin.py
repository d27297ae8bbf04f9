"""Where PINs come from, how often they are tried, and that nothing asks for one that needs none."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.at_terminal import Session
from cli.judging import changes, error_of, refused, snapshot
from stage import parties
from stage.parties import KEY, PIN, PROGRAM, Party

from frost_hsm import backends
from frost_hsm.cli.talk.pin import PinEntry
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.errors import PinIncorrect, StorageProblem

MAX_TRIES = 10  # of the software backend
_WITHOUT_TERMINAL = (sys.executable, "-c", "import os; os.setsid(); from frost_hsm.cli import main; main()")


@pytest.fixture
def bob(people: list[Party]) -> Party:
    """Bob, with a proposal by Alice before him."""
    (people[1].directory / "proposal.pem").write_bytes(parties.propose(people))
    return people[1]


def round1(party: Party, *options: str) -> list[str]:
    return ["dkg", "round1", "proposal.pem", "--yes", "--home", str(party.directory / "home"), *options]


def token_file(party: Party) -> Path:
    return Path(party.uri.removeprefix("software:"))


def failed_tries(party: Party) -> int:
    tries: int = json.loads(token_file(party).read_bytes())["failed_tries"]
    return tries


def try_wrong(party: Party, times: int) -> None:
    backend = backends.load("software", {}, parties.Silent())
    for _ in range(times):
        with pytest.raises(PinIncorrect):
            backend.open(party.uri, lambda info: "wrong", allow_final_try=True)


# ── Never on the command line ──


@pytest.mark.parametrize(
    "arguments",
    [
        ["dkg", "round1", "proposal.pem", "--pin", "1234"],
        ["dkg", "round1", "proposal.pem", "--pin=1234"],
        ["dkg", "round1", "--pin", "1234"],  # before it is noticed that an argument is missing
        ["dkg", "round1", "proposal.pem", "--pin"],
        ["keys", "list", "--pin", "1234"],
        ["verify", "--pin", "1234"],
    ],
)
def test_a_pin_on_the_command_line(bob: Party, arguments: list[str]) -> None:
    error = refused(
        bob, *arguments,
        status=2, code="pin-on-command-line",
        says="PINs are never taken from the command line: other users can read it and the shell keeps it in history",
    )  # fmt: skip
    assert "change this PIN, it may be recorded already" in error["hint"]
    assert "1234" not in str(error)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--token", "pkcs11:token=x?pin-value=12345678"],
        ["--token", "pkcs11:token=x?pin-source=file:/pin"],
        ["--pin-source", "12345678"],
        ["--pin-source", "pass:12345678"],
        ["--pin-source", "file:"],
    ],
)
def test_a_pin_in_a_uri_or_in_place_of_its_source(bob: Party, arguments: list[str]) -> None:
    error = refused(bob, "dkg", "round1", "proposal.pem", *arguments, status=2, code="usage", says="")
    assert "12345678" not in str(error)


# ── Files, descriptors, variables ──


def test_from_a_file_it_is_announced(bob: Party) -> None:
    ran = bob.run("dkg", "round1", "proposal.pem")
    assert ran.status == 0
    assert f'note: PIN for token "bob" (serial {json.loads(token_file(bob).read_bytes())["serial"]})' in ran.stderr
    assert f"taken from file {bob.directory / 'pin'}" in ran.stderr
    assert PIN not in ran.stdout + ran.stderr


def test_from_a_variable(bob: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOBS_PIN", PIN)
    ran = bob.run("dkg", "round1", "proposal.pem", "--pin-source", "env:BOBS_PIN")
    assert ran.status == 0
    assert "taken from variable BOBS_PIN" in ran.stderr


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_from_a_descriptor(bob: Party, ending: str) -> None:
    read, write = os.pipe()
    os.write(write, PIN.encode() + ending.encode())
    os.close(write)
    assert bob.run("dkg", "round1", "proposal.pem", "--pin-source", f"fd:{read}").status == 0
    os.close(read)


def test_a_pipe_is_read_once(bob: Party) -> None:
    pipe = bob.directory / "pipe"
    os.mkfifo(pipe, 0o600)
    # A writer who writes once: whoever read a second time would wait for ever.
    threading.Thread(target=pipe.write_text, args=[PIN], daemon=True).start()
    assert bob.run("dkg", "round1", "proposal.pem", "--pin-source", f"file:{pipe}").status == 0


def test_sources_that_give_no_pin(bob: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bob.directory.parent
    monkeypatch.setenv("EMPTY", "")
    closed = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1
    for name, contents in (("empty", b"\n"), ("binary", b"\xff"), ("long", b"1" * 1025), ("lines", b"1234\n5678\n")):
        (folder / name).write_bytes(contents)
        (folder / name).chmod(0o600)
    for source, says in (
        ("env:EMPTY", "variable EMPTY is empty"),
        ("env:UNSET", "variable UNSET is not set"),
        (f"fd:{closed}", f"cannot read the PIN from descriptor {closed}"),
        ("fd:x", "cannot read the PIN from descriptor x"),
        (f"file:{folder}/none", f"cannot read PIN file {folder}/none: No such file or directory"),
        (f"file:{folder}", f"cannot read PIN file {folder}: Is a directory"),
        (f"file:{folder}/empty", f"file {folder}/empty is empty"),
        (f"file:{folder}/binary", "the PIN is not UTF-8 text"),
        (f"file:{folder}/long", "the PIN is longer than 1024 bytes"),
        (f"file:{folder}/lines", f"file {folder}/lines has more than one line"),
    ):
        proposed = ("dkg", "round1", "proposal.pem", "--pin-source", source)
        error = refused_before_login(bob, *proposed)
        assert (error["code"], error["message"]) == ("pin-unusable", says)


def refused_before_login(party: Party, *arguments: str) -> dict[str, str]:
    before = snapshot(party), token_file(party).read_bytes()
    ran = party.run(*arguments, "--json")
    assert ran.status == 77
    assert (snapshot(party), token_file(party).read_bytes()) == before
    return error_of(ran)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can come to, as those of the tests are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("mode", [0o640, 0o444, 0o604])
def test_a_file_that_others_can_read(bob: Party, open_folder: Path, mode: int) -> None:
    pin = open_folder / "my pin"
    pin.write_text(PIN)
    pin.chmod(mode)
    ran = bob.run("dkg", "round1", "proposal.pem", "--json", "--pin-source", f"file:{pin}")
    assert ran.status == 74
    assert error_of(ran)["message"] == f"PIN file {pin} is open to other users"
    assert error_of(ran)["hint"] == f"chmod 600 '{pin}'; or hand it over open: --pin-source fd:3 3< '{pin}'"
    open_folder.chmod(0o700)  # as systemd has it around credentials: nobody else comes to the file
    assert bob.run("dkg", "round1", "proposal.pem", "--pin-source", f"file:{pin}").status == 0


def test_a_file_that_somebody_else_has_made(bob: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    with bob.open_token() as token:
        info = token.info
    if os.getuid() == 0:  # what root has made is taken: root can read everything
        os.chown(bob.directory / "pin", 54321, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(StorageProblem, match="belongs to another user"):
        PinEntry(f"file:{bob.directory / 'pin'}", Terminal())(info)


def test_a_secret_of_a_container(bob: Party, open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docker, podman: 0444; kubernetes: 0440 and a group; both on what nobody can write to."""
    pin, volume = open_folder / "..data", os.statvfs(open_folder)
    pin.write_text(PIN)
    (open_folder / "pin").symlink_to("..data")
    read_only = os.statvfs_result((*volume[:8], volume.f_flag | os.ST_RDONLY, volume.f_namemax))
    monkeypatch.setattr(os, "fstatvfs", lambda descriptor: read_only)
    for mode in (0o444, 0o440, 0o400):
        pin.chmod(mode)
        ran = bob.run("identity", "create", "--pin-source", f"file:{open_folder}/pin")
        assert ran.status == 0, ran.stderr
        assert ("is open to other users of this system, as it was handed out" in ran.stderr) == (mode != 0o400)


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        (b"\xef\xbb\xbf1234\n", "begins with a byte order mark (BOM), which an editor has put there"),
        (b"12\t34", "has a character that cannot be seen (arrow key, Tab?)"),
        (b"1234\xc2\xa0", "has a character that cannot be seen (arrow key, Tab?)"),
        (b"1234\x1b[D", "has a character that cannot be seen (arrow key, Tab?)"),
        (b"1234\xe2\x80\x8b", "has a character that cannot be seen (arrow key, Tab?)"),
        (b"1234\r\n\r\n", "has more than one line"),
    ],
)
def test_what_cannot_be_a_pin_is_not_tried(
    bob: Party, contents: bytes, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bob.directory / "pin").write_bytes(contents)
    read, write = os.pipe()
    os.write(write, contents)
    os.close(write)
    monkeypatch.setenv("BOBS_PIN", contents.decode())
    for source in (f"file:{bob.directory / 'pin'}", f"fd:{read}", "env:BOBS_PIN"):
        error = refused_before_login(bob, "dkg", "round1", "proposal.pem", "--pin-source", source)
        assert error["message"].endswith(says), error
        assert "it was not tried" in error["hint"]
    os.close(read)


def test_a_wrong_pin_from_a_file_is_tried_once(bob: Party) -> None:
    (bob.directory / "pin").write_text("wrong")
    before = snapshot(bob)
    ran = bob.run("dkg", "round1", "proposal.pem", "--json")
    error = error_of(ran)
    assert (ran.status, error["code"]) == (77, "pin-incorrect")
    assert error["message"].endswith("; not trying again because the PIN did not come from a terminal")
    assert error["hint"] == f"check file {bob.directory / 'pin'}; each wrong attempt counts against the token"
    assert failed_tries(bob) == 1
    assert changes(before, snapshot(bob)) == []


# ── Few tries left ──


def test_the_last_try_is_left_alone(bob: Party) -> None:
    try_wrong(bob, MAX_TRIES - 1)
    error = refused_before_login(bob, "dkg", "round1", "proposal.pem")
    assert (error["code"], error["message"]) == ("pin-final-try", "one try is left before token bob locks")
    assert "--allow-final-pin-try" in error["hint"]
    assert bob.run("dkg", "round1", "proposal.pem", "--allow-final-pin-try").status == 0


def test_a_locked_token_is_not_tried(bob: Party) -> None:
    try_wrong(bob, MAX_TRIES)
    for options in ((), ("--allow-final-pin-try",)):
        error = refused_before_login(bob, "dkg", "round1", "proposal.pem", *options)
        assert (error["code"], error["message"]) == ("pin-locked", "token bob is locked after 10 wrong passphrases")


# ── Another token ──


def test_another_token_is_not_tried(people: list[Party], bob: Party) -> None:
    asked = refused(
        bob, "dkg", "round1", "proposal.pem", "--token", people[0].uri,
        status=77, code="token-mismatch", says='the identity of bob is not in token "alice" (serial ',
    )  # fmt: skip
    assert "no PIN was tried" in asked["hint"]
    assert failed_tries(people[0]) == 0


def test_another_token_in_the_same_place_is_not_tried(people: list[Party], bob: Party) -> None:
    token_file(bob).write_bytes(token_file(people[0]).read_bytes())
    error = refused_before_login(bob, "dkg", "round1", "proposal.pem")
    assert error["code"] == "token-mismatch"
    assert error["message"].startswith('the identity of bob is not in token "alice" (serial ')


def test_no_token(bob: Party) -> None:
    token_file(bob).unlink()
    ran = bob.run("dkg", "round1", "proposal.pem", "--json")
    assert ran.status == 69
    assert error_of(ran)["code"] == "token-missing"


# ── A person ──


def test_a_person_has_three_attempts(bob: Party) -> None:
    with Session(round1(bob), cwd=bob.directory) as session:
        session.expect('PIN for token "bob" (serial ')
        session.type("wrong\n")
        session.expect("Attempt 2 of 3")
        session.expect("PIN for token")
        session.type("wrong again\n")
        session.expect("Attempt 3 of 3")
        session.expect("PIN for token")
        session.type(f"{PIN}\n")
        assert session.end() == 0
    assert "Wrote treasury.bob.round1.pem" in session.shown
    assert "wrong passphrase for token bob; tries left: 9. Attempt 2 of 3" in session.shown
    assert "few tries may be left" in session.shown
    assert PIN not in session.shown
    assert "wrong again" not in session.shown


def test_a_person_has_no_fourth_attempt(bob: Party) -> None:
    before = snapshot(bob)
    with Session(round1(bob), cwd=bob.directory) as session:
        for attempt in range(3):
            if attempt > 0:
                session.expect(f"Attempt {attempt + 1} of 3")
            session.expect("PIN for token")
            session.type("wrong\n")
        assert session.end() == 77
    assert "error: wrong passphrase for token bob; tries left: 7" in session.shown
    assert failed_tries(bob) == 3
    assert changes(before, snapshot(bob)) == []


def test_the_terminal_is_asked_when_everything_is_redirected(bob: Party) -> None:
    with Session([*round1(bob), "--json"], cwd=bob.directory, redirected=True) as session:
        session.expect('PIN for token "bob" (serial ')
        session.type(f"{PIN}\n")
        assert session.end() == 0
    assert json.loads(session.stdout)["schema"] == "frost-hsm/dkg-round1/1"
    assert b"PIN for" not in session.stdout + session.stderr


def test_without_a_terminal_nothing_is_waited_for(bob: Party) -> None:
    before = token_file(bob).read_bytes()
    ran = bob.launch("dkg", "round1", "proposal.pem", "--json", "--pin-source", "prompt", program=_WITHOUT_TERMINAL)
    error = error_of(ran)
    assert (ran.status, error["code"]) == (69, "no-terminal")
    assert error["message"].startswith('a PIN is needed for token "bob" (serial ')
    assert error["message"].endswith("and there is no terminal to ask on")
    assert error["hint"] == "use --pin-source file:PATH, fd:N or env:NAME"
    assert token_file(bob).read_bytes() == before


def test_without_a_terminal_nothing_is_agreed_to(bob: Party) -> None:
    before = snapshot(bob)
    command = ["dkg", "round1", "proposal.pem", "--home", "home", "--json"]
    done = subprocess.run(
        [*_WITHOUT_TERMINAL, *command], cwd=bob.directory, capture_output=True, input=b"y\n", check=False
    )
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (69, "no-terminal")
    assert error["message"] == "there is no terminal to ask on: Take part? To agree, type the name of the key:"
    assert error["hint"] == "look at what is asked, then add --yes"
    assert changes(before, snapshot(bob)) == []


@pytest.mark.parametrize(("answer", "status"), [("n\n", 130), ("\n", 130), ("\x04", 130), (f"{KEY}\n", 0)])
def test_a_question(bob: Party, answer: str, status: int) -> None:
    before = snapshot(bob)
    command = ["dkg", "round1", "proposal.pem", "--home", "home", "--pin-source", "file:pin"]
    with Session(command, cwd=bob.directory) as session:
        session.expect("Take part? To agree, type the name of the key: ")
        session.type(answer)
        assert session.end() == status
    assert bool(changes(before, snapshot(bob))) == (status == 0)


@pytest.mark.parametrize("moment", ["Take part?", "PIN for token"])
def test_an_interrupt(bob: Party, moment: str) -> None:
    command = ["dkg", "round1", "proposal.pem", "--home", "home"]
    with Session(command, cwd=bob.directory) as session:
        session.expect("Take part? To agree, type the name of the key: ")
        if moment != "Take part?":
            session.type(f"{KEY}\n")
            session.expect(moment)
        before = snapshot(bob)
        session.interrupt()
        assert session.end() == 130
    assert "error: interrupted" in session.shown
    assert "Traceback" not in session.shown
    assert changes(before, snapshot(bob)) == []


def test_the_end_of_input_at_the_pin(bob: Party) -> None:
    with Session(round1(bob), cwd=bob.directory) as session:
        session.expect("PIN for token")
        session.type("\x04")
        assert session.end() == 130
    assert "error: nothing was typed" in session.shown
    assert failed_tries(bob) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_pin_leaves_the_terminal_as_it_was(bob: Party, number: signal.Signals) -> None:
    """A shell lives on, and says what it finds; had the program been the leader of the session, all would be reset."""
    script = '"$@" & echo "process $!"; wait $!; echo "status $?"; stty -a'
    program = ("sh", "-c", script, "sh", *PROGRAM)
    with Session(round1(bob), cwd=bob.directory, program=program) as session:
        session.expect("PIN for")
        [process] = re.findall(r"process (\d+)", session.shown)
        os.kill(int(process), number)
        session.expect(f"status {128 + number}")
        assert session.end() == 0
        assert " echo " in session.shown


def test_a_name_is_typed_before_something_is_destroyed(bob: Party) -> None:
    bob.run("dkg", "round1", "proposal.pem")
    command = ["dkg", "abort", KEY, "--home", "home", "--pin-source", "file:pin"]
    before = snapshot(bob)
    with Session(command, cwd=bob.directory) as session:
        session.expect("Type its name to go on: ")
        session.type("treasure\n")
        assert session.end() == 130
    assert changes(before, snapshot(bob)) == []
    with Session(command, cwd=bob.directory) as session:
        session.expect("Type its name to go on: ")
        session.type(f"{KEY}\n")
        assert session.end() == 0
    assert bob.records() == {}


def test_a_new_pin_is_typed_twice(tmp_path: Path) -> None:
    command = ["init", "--home", "h", "--me", "dora", "--token", "software:dora.token", "--create"]
    for second, status in (("0001", 77), ("0000", 0)):
        with Session(command, cwd=tmp_path) as session:
            session.expect('New PIN for token "dora": ')
            session.type("0000\n")
            session.expect("The same again: ")
            session.type(f"{second}\n")
            assert session.end() == status
        assert (tmp_path / "dora.token").exists() == (status == 0)
        assert (tmp_path / "h").exists() == (status == 0)


# ── Nobody is asked in vain ──


def test_what_needs_no_pin_asks_for_none(group: list[Party], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, _, carol = group
    wanted = parties.request([alice, carol], b"hello")
    commitments = parties.commit([alice, carol], wanted)
    responses = parties.respond([alice, carol], wanted, commitments)
    (tmp_path / "in").mkdir()
    for step, messages in (("commit", commitments), ("response", responses)):
        for name, data in messages.items():
            (tmp_path / f"in/{name}.{step}.pem").write_bytes(data)
    (alice.directory / "request.pem").write_bytes(wanted)
    (alice.directory / "message").write_bytes(b"hello")

    def fail(*_: object) -> None:
        raise AssertionError("asked for a PIN")

    monkeypatch.setattr(PinEntry, "__call__", fail)
    monkeypatch.setattr(Terminal, "request_secret", fail)
    public_token = (["doctor"], ["identity", "show", "--from-token"])
    opened: list[str] = []
    load = backends.load
    monkeypatch.setattr(backends, "load", lambda *arguments: opened.append(arguments[0]) or load(*arguments))
    for command in (
        ["dkg", "round1", "--help"],
        ["keys", "list"],
        ["keys", "show", KEY],
        ["keys", "export", KEY],
        ["peer", "list"],
        ["identity", "show"],
        ["identity", "export"],
        ["dkg", "status"],
        ["dkg", "status", KEY],
        ["dkg", "confirm", KEY],
        ["sign", "status"],
        ["sign", "status", "request.pem"],
        ["sign", "aggregate", "request.pem", "--in", str(tmp_path / "in")],
        ["verify", "--key", KEY, "message", "request.sig"],
        ["inspect", "request.pem", "alice.identity.pem"],
        ["inspect", "--message", "request.pem"],
        ["completion", "bash"],
        *public_token,
    ):
        opened.clear()
        ran = alice.run(*command)
        assert ran.status == 0, (command, ran.stderr)
        assert bool(opened) == (command in public_token), command
