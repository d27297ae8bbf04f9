"""What people do for a 3-of-5 key and a signature with it, from five blank tokens to the verification, counted."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from stage import softhsm, walkthrough
from stage.parties import PROGRAM

NAMES = ("alice", "bob", "carol", "dave", "erin")
PATIENCE = 90.0  # seconds
QUESTIONS = re.compile(
    r"^(?P<what>Identity of|Key \".*\", proposed by|key \".*\": all \d+ have finished|Request )", re.MULTILINE
)


class Person:
    """Somebody with a home, a token of SoftHSM2 and an archive of what was said to them."""

    def __init__(self, name: str, base: Path, module: str, counts: Counter[str]) -> None:
        self.name, self.home, self._counts = name, base / name, counts
        self.home.mkdir(parents=True)
        (self.home / "pin").write_text("123456")
        (self.home / "pin").chmod(0o600)
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "SOFTHSM2_CONF": str(softhsm.configure(self.home)),
            "SOFTHSM2_MODULE": module,
            "PYTHONPATH": ":".join(filter(None, sys.path)),
        }
        self.run(
            "token",
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            name,
            "--so-pin",
            "12345678",
            "--pin",
            "123456",
        )

    def start(self, kind: str, *line: str) -> subprocess.Popen[bytes]:
        """Run a command; what is said goes to the log of its kind."""
        self._counts["commands"] += 1
        with (self.home / f"{kind}.log").open("ab") as log:
            return subprocess.Popen(line, cwd=self.home, env=self._environment, stdout=log, stderr=log)

    def run(self, kind: str, *line: str) -> None:
        assert self.start(kind, *line).wait(PATIENCE) == 0, self.said(kind)

    def frost(self, *arguments: str, asks: bool = True, needs_token: bool = True) -> tuple[str, ...]:
        options = ("--pin-source", f"file:{self.home / 'pin'}") if needs_token else ()
        return (*PROGRAM, *arguments, *options, *(("--yes",) if asks else ()))

    def said(self, kind: str) -> str:
        log = self.home / f"{kind}.log"
        return log.read_text() if log.exists() else ""

    def wait_to_hear(self, what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while what not in self.said("join"):
            assert time.monotonic() < deadline, self.said("join")
            time.sleep(0.1)


@pytest.mark.slow
def test_a_key_of_five_and_a_signature(tmp_path: Path, softhsm_module: str) -> None:
    """As the manual has it: every command is counted, every PIN that was taken, every question that was answered."""
    counts: Counter[str] = Counter()
    (tmp_path / "board").mkdir()
    board = f"dir:{tmp_path / 'board'}"
    people = [Person(name, tmp_path / "people", softhsm_module, counts) for name in NAMES]
    alice = people[0]
    for person in people:
        person.run("setup", *person.frost("setup", "--me", person.name, asks=False))
    sittings = [person.start("join", *person.frost("join", board, "--stay")) for person in people]
    try:
        for person in people:
            person.wait_to_hear("waiting: something for you")
        names = ",".join(NAMES[1:])
        alice.run("propose", *alice.frost("dkg", "propose", "k", "-t", "3", "--with", names, "--board", board))
        for person in people:
            person.wait_to_hear("is active")
        (alice.home / "m").write_text("message\n")
        asked = ("sign", "request", "k", "m", "--signers", ",".join(NAMES[:3]), "--board", board)
        alice.run("request", *alice.frost(*asked, asks=False))
        alice.wait_to_hear("signed; wrote m.sig")
        files = [f"f{number}" for number in range(50)]
        for name in files:
            (alice.home / name).write_text(f"contents of {name}\n")
        asked = ("sign", "request", "k", *files, "--signers", ",".join(NAMES[:3]), "--board", board)
        alice.run("requests", *alice.frost(*asked, asks=False))
        alice.wait_to_hear("signed; wrote f0.sig")
    finally:
        for sitting in sittings:
            sitting.send_signal(signal.SIGINT)
    for name in files:
        assert (alice.home / f"{name}.sig").exists()
    assert {sitting.wait(PATIENCE) for sitting in sittings} == {130}
    alice.run("verify", *alice.frost("verify", "--key", "k", "m", "m.sig", asks=False, needs_token=False))
    for person in people:
        said = "".join(map(person.said, ("setup", "join", "propose", "request", "requests")))
        counts["PINs"] += said.count("note: PIN for token")
        counts["questions"] += len(QUESTIONS.findall(person.said("join"))) + person.said("propose").count("Identity of")
    many = Counter({"commands": 1, "PINs": 1, "questions": 3})
    assert counts - many == Counter({"commands": 18, "PINs": 12, "questions": 32})
    said = " ".join(walkthrough.README.read_text().split())
    assert (
        "verified signature, this takes 18 commands and 12 PINs in all, and no file is carried; 50 signatures more"
        in said
    )
    for row in (counts - many, many):
        assert (
            f"| {row['commands']} | {row['PINs']} | {row['questions']} | 0 |" in walkthrough.PAGES["boards"].read_text()
        )


@pytest.mark.slow
def test_the_same_by_hand(tmp_path: Path, softhsm_module: str) -> None:
    """Command by command as the page `by-hand` has it: each is typed once, and each file goes to whoever needs it."""
    counts: Counter[str] = Counter()
    people = {name: Person(name, tmp_path / "people", softhsm_module, counts) for name in NAMES}

    def types(name: str, *arguments: str, asks: bool = False) -> None:
        person = people[name]
        needs_token = arguments[0] not in ("init", "peer", "keys", "verify") and arguments[1] not in (
            "confirm",
            "aggregate",
        )
        person.run(" ".join(arguments[:2]), *person.frost(*arguments, asks=asks, needs_token=needs_token))
        counts["questions"] += asks

    def carry(file: str, sender: str, *others: str) -> None:
        for name in others:
            (people[name].home / file).write_bytes((people[sender].home / file).read_bytes())
            counts["files"] += 1

    def others(name: str, among: Sequence[str] = NAMES) -> list[str]:
        return [each for each in among if each != name]

    first, signers = NAMES[0], NAMES[:3]
    for name in NAMES:
        types(name, "init", "--me", name, "--module", softhsm_module)
        types(name, "identity", "create")
        carry(f"{name}.identity.pem", name, *others(name))
    for name in NAMES:
        for other in others(name):
            types(name, "peer", "add", f"{other}.identity.pem", asks=True)
    types(first, "dkg", "propose", "k", "-t", "3", "--with", ",".join(others(first)))
    carry("k.proposal.pem", first, *others(first))
    for name in NAMES:
        types(name, "dkg", "round1", "k.proposal.pem", asks=name != first)
        carry(f"k.{name}.round1.pem", name, *others(name))
    for step, made in (("round2", "round2"), ("finish", "confirm")):
        for name in NAMES:
            types(name, "dkg", step, "k", "--in", ".")
            carry(f"k.{name}.{made}.pem", name, *others(name))
    for name in NAMES:
        types(name, "dkg", "confirm", "k", "--in", ".", asks=True)
    (people[first].home / "m").write_text("message\n")
    types(first, "sign", "request", "k", "m", "--signers", ",".join(signers))
    carry("m.request.pem", first, *others(first, signers))
    for name in signers:
        types(name, "sign", "commit", "m.request.pem", asks=True)
        carry(f"m.{name}.commit.pem", name, *others(name, signers))
    for name in signers:
        types(name, "sign", "respond", "m.request.pem", "--in", ".")
        carry(f"m.{name}.response.pem", name, *({first} - {name}))
    types(first, "sign", "aggregate", "m.request.pem", "--in", ".")
    types(first, "keys", "export", "k")
    types(first, "verify", "--key", "k.public.json", "m", "m.sig")
    for person in people.values():
        counts["PINs"] += sum(log.read_text().count("note: PIN for token") for log in person.home.glob("*.log"))
    row = f"| {counts['commands']} | {counts['PINs']} | {counts['questions']} | {counts['files']} |"
    assert f"\n| by hand {row}\n" in walkthrough.PAGES["boards"].read_text()
    said = " ".join(walkthrough.README.read_text().split())
    assert f"By hand it is {counts['commands']} commands, {counts['PINs']} PINs and {counts['files']} files" in said
