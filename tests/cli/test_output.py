"""Where output goes: data on stdout, talk on stderr, nothing binary on a terminal, whole files or none."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.at_terminal import Session
from cli.judging import changes, snapshot
from stage import parties
from stage.parties import KEY, PROGRAM, Party
from stage.staging import Stage

from frost_hsm import cli
from frost_hsm.cli.files import door

HOME = ("--home", "home")


def with_responses(folder: Path) -> list[Party]:
    """Three with a key, and Alice with everything that it takes to aggregate."""
    people = parties.gather(folder)
    parties.generate(people)
    alice, _, carol = people
    wanted = parties.request([alice, carol], b"\x1b[2Jhello")
    (alice.directory / "pay.request.pem").write_bytes(wanted)
    commitments = parties.commit([alice, carol], wanted)
    responses = parties.respond([alice, carol], wanted, commitments)
    (alice.directory / "in").mkdir()
    for name, data in responses.items():
        (alice.directory / f"in/{name}.pem").write_bytes(data)
    return people


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("signed"), with_responses)


@pytest.fixture
def signed(stage: Stage, tmp_path: Path) -> Party:
    """Alice, with everything that it takes to aggregate."""
    return stage.people(tmp_path / "signed")[0]


@pytest.mark.parametrize(
    "command",
    [
        ["sign", "aggregate", "pay.request.pem", "--in", "in", "-o", "-"],
        ["keys", "export", KEY, "--format", "postcard", "-o", "-"],
        ["inspect", "--message", "pay.request.pem"],
    ],
)
def test_nothing_binary_goes_to_a_terminal(signed: Party, command: list[str]) -> None:
    before = snapshot(signed)
    with Session([*command, *HOME], cwd=signed.directory) as session:
        assert session.end() == 2
    assert "error: this is not text, and stdout is a terminal" in session.shown
    assert "hint: write it to a file: -o FILE, or > FILE" in session.shown
    assert "\x1b" not in session.shown
    assert changes(before, snapshot(signed)) == []
    assert subprocess.run([*PROGRAM, *command, *HOME], cwd=signed.directory, capture_output=True, check=True).stdout


def test_text_may_go_to_a_terminal(signed: Party) -> None:
    with Session(["keys", "export", KEY, "-o", "-", *HOME], cwd=signed.directory) as session:
        assert session.end() == 0
    assert '"ciphersuite":"FROST-P256-SHA256-v1"' in session.shown


def test_a_message_is_shown_without_what_steers_a_terminal(group: list[Party]) -> None:
    signed = group[0]
    (signed.directory / "other.request.pem").write_bytes(parties.request(group[:2], b"\x1b[2Jhello"))
    with Session(["sign", "commit", "other.request.pem", *HOME], cwd=signed.directory) as session:
        session.expect("Agree to sign this message?")
        session.type("n\n")
        assert session.end() == 130
    assert r"| \x1b[2Jhello" in session.shown
    assert "\x1b[2J" not in session.shown


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({"NO_COLOR": ""}, True), ({}, False), ({"NO_COLOR": "", "TERM": "dumb"}, False)],
)
def test_colour(signed: Party, environment: dict[str, str], coloured: bool) -> None:
    with Session(["keys", "show", "none", *HOME], cwd=signed.directory, environment=environment) as session:
        assert session.end() == 66
    error, hint = ("\x1b[31merror:\x1b[0m", "\x1b[36mhint:\x1b[0m") if coloured else ("error:", "hint:")
    assert session.shown.startswith(f'{error} there is no key "none" here')
    assert f"\n{hint} see: " in session.shown
    assert ("\x1b" in session.shown) == coloured


def test_no_colour_in_a_pipe(signed: Party) -> None:
    ran = signed.launch("doctor", "--home", "home")
    assert "\x1b" not in ran.stdout + ran.stderr


def test_a_signature_on_stdout_is_alone_there(signed: Party) -> None:
    command = [*PROGRAM, "sign", "aggregate", "pay.request.pem", "--in", "in", "-o", "-", *HOME]
    done = subprocess.run(command, cwd=signed.directory, capture_output=True, check=True)
    assert len(done.stdout) == 65
    assert b"Signature verified under treasury" in done.stderr
    (signed.directory / "message").write_bytes(b"\x1b[2Jhello")
    verify = [*PROGRAM, "verify", "--key", KEY, "message", "-", *HOME]
    checked = subprocess.run(verify, cwd=signed.directory, input=done.stdout, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    again = [*verify[:-4], "-", "-", *HOME]
    twice = subprocess.run(again, cwd=signed.directory, input=done.stdout, capture_output=True, text=False, check=False)
    assert twice.returncode == 2
    assert b"stdin is closed, or was read already" in twice.stderr


def test_what_went_to_stdout_has_no_name_in_what_comes_next(signed: Party) -> None:
    ran = signed.run("sign", "abort", "pay.request.pem", "--yes", "-o", "-")
    assert ran.status == 0, ran.stderr
    assert "Wrote it to stdout\n" in ran.stderr
    assert "Next: send FILE to " in ran.stderr


@pytest.mark.parametrize(
    "command", [["--help"], ["peer", "--help"], ["keys", "list", *HOME], ["doctor", "--json", *HOME]]
)
def test_a_reader_that_has_gone(signed: Party, command: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*PROGRAM, *command], cwd=signed.directory, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.returncode == 74
    assert done.stderr.count(b"error: cannot write to stdout: Broken pipe\n") == 1
    assert b"Traceback" not in done.stderr


def test_a_stdout_that_is_full(signed: Party) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [*PROGRAM, "keys", "export", KEY, "-o", "-", *HOME]
        done = subprocess.run(command, cwd=signed.directory, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 74
    assert b"error: cannot write to stdout: No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_stdout_that_is_closed(signed: Party) -> None:
    shell = f'exec {PROGRAM[0]} -c "{PROGRAM[2]}" keys export {KEY} -o - --home home >&-'
    done = subprocess.run(["sh", "-c", shell], cwd=signed.directory, capture_output=True, check=False)
    assert done.returncode == 74
    assert b"error: cannot write to stdout" in done.stderr


def test_a_home_that_cannot_be_written(people: list[Party], tmp_path: Path) -> None:
    alice = people[0]
    peer = tmp_path / "bob.pem"
    peer.write_bytes(people[1].public.to_pem())
    alice.home.remove("peers/bob.pem")
    lock = alice.directory / "home/lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    before = snapshot(alice)
    ran = alice.run("peer", "add", str(peer))
    assert ran.status == 74
    assert f"error: cannot use {lock}: " in ran.stderr
    assert changes(before, snapshot(alice)) == []


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["peer", "remove", "bob", "--yes"], "error: cannot use home/lock: Permission denied"),
        (["identity", "export"], "error: cannot write alice.identity.pem: Permission denied"),
    ],
)
def test_folders_that_cannot_be_written(
    people: list[Party], command: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    alice = people[0]
    assert alice.run("peer", "list").status == 0  # what is loaded here need not be readable for somebody else
    (alice.directory / "home/lock").unlink(missing_ok=True)
    before = snapshot(alice)
    child = multiprocessing.get_context("fork").Process(target=run_without_rights, args=[alice, command])
    child.start()
    child.join()
    assert child.exitcode == 74
    assert says in capfd.readouterr().err
    (alice.directory / "home").chmod(0o700)
    alice.directory.chmod(0o700)
    assert changes(before, snapshot(alice)) == []


def run_without_rights(party: Party, command: list[str]) -> None:
    """Run a command as somebody whom the modes of files stop, even where the tests run as root."""
    os.chdir(party.directory)
    if os.geteuid() == 0:
        for path in (Path("home"), *Path("home").rglob("*")):
            os.chown(path, 65534, 65534)
    Path("home").chmod(0o500)
    Path().chmod(0o555)
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    sys.exit(cli.run([*command, "--home", "home"]))


def test_a_new_file_is_whole_or_not_there(signed: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    before = snapshot(signed)
    ran = signed.run("keys", "export", KEY)
    assert ran.status == 74
    assert "error: cannot write treasury.public.json: No space left on device" in ran.stderr
    assert changes(before, snapshot(signed)) == []


def test_runs_that_write_one_file(tmp_path: Path) -> None:
    """Each clears away what killed runs have left, and never what another is about to write."""
    target = tmp_path / "treasury.public.json"
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=write_often, args=[target, bytes([number])]) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert target.read_bytes() in [bytes([number]) * 1000 for number in range(4)]
    assert list(tmp_path.iterdir()) == [target]


def write_often(target: Path, content: bytes) -> None:
    for _ in range(500):
        door.write(str(target), content * 1000, force=True)


@pytest.mark.parametrize("arguments", [[], ["peer"]])
def test_without_a_command_there_is_help(people: list[Party], arguments: list[str]) -> None:
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: frost-hsm ")


def test_the_package_runs_as_a_program(people: list[Party]) -> None:
    done = subprocess.run([sys.executable, "-m", "frost_hsm", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("frost-hsm ")
