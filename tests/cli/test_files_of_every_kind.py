"""Each kind of file that a command reads, in each state that mail programs and editors leave files in.

What is around it does not matter; what happened to it is said with its name, and what it looks like now.
"""

from __future__ import annotations

import ast
import quopri
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cli.judging import changes, error_of, snapshot
from cli.test_blame import Case
from cli.test_ceremony import PLAN
from cli.test_files import READ, REFUSED, Mangle
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from stage import parties, upkeep
from stage.parties import KEY, Party, Ran

import frost_hsm
from frost_hsm.agent.log import Log
from frost_hsm.ceremony.history import backup, bundle
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import Standing
from frost_hsm.ceremony.sharing import abandonment, dealing
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.cli.files import door
from frost_hsm.frost.packages import SigningPackage

HOUSE = Path(frost_hsm.__file__).parent
T = TypeVar("T")


@dataclass
class Desk:
    """Folders with a file of each kind, and for each whose it is and the command that reads it; FILE is its name."""

    alice: Party
    commands: dict[str, tuple[Party, tuple[str, ...]]] = field(default_factory=dict)

    def add(self, name: str, data: bytes, *command: str, of: Party | None = None) -> None:
        party = of or self.alice
        self.commands[name] = party, command
        self.path(name).write_bytes(data)
        self.path(name).chmod(0o600)

    def path(self, name: str) -> Path:
        return self.commands[name][0].directory / name

    def run(self, name: str, *options: str) -> Ran:
        party, words = self.commands[name]
        return party.run(*(word.replace("FILE", name) for word in words), *options)


def make(directory: Path) -> Desk:
    people = parties.gather(directory / "people", ["alice", "bob"])
    parties.generate(people)
    alice, bob = people
    desk, key = Desk(alice), alice.key()
    with bob.holder() as holder:
        standing = signed.write(Standing(key.ceremony, key.state.digest), holder)
        [hers] = SealedSigner(bob.key(), holder, bob.home).preprocess(1)
    with alice.holder() as holder:
        kept = backup.create(alice.home, holder, [bob.public]).data
        [own] = SealedSigner(key, holder, alice.home).preprocess(1)
    [carol] = parties.gather(directory / "later", ["carol"])
    upkeep.hand_over(bob, carol, people)
    for party in people:
        party.home.put("peers/carol.pem", carol.public.to_pem())
    package = SigningPackage(key.suite, {key.identifier("alice"): own, key.identifier("bob"): hers}, b"message")
    (alice.directory / "message").write_bytes(b"message")
    (alice.directory / "message.sig").write_bytes(parties.sign(people, b"message"))
    (alice.directory / "own.json").write_bytes(own.to_json().encode())
    proposal = upkeep.propose(alice)
    dealt = dealing.deal_refresh(upkeep.join(alice, proposal), alice.holder)
    (alice.directory / "refresh.pem").write_bytes(proposal)
    asked = upkeep.ask(carol, 3, people)
    with alice.holder() as holder:
        abandoned = abandonment.propose(holder, alice.key(), [upkeep.load(alice).id])

    desk.add("identity.pem", bob.public.to_pem(), "peer", "add", "FILE")
    desk.add("recovery.pem", carol.public.to_pem(), "identity", "create", "--recovery", "FILE", "-o", "again.pem")
    desk.add("request.pem", parties.request(people, b"message"), "sign", "check", "FILE")
    desk.add("repair.pem", asked, "repair", "status", "FILE")
    desk.add("abandonment.pem", abandoned, "history", "abandon", "FILE")
    desk.add("standing.pem", standing, "history", "take", "FILE")
    desk.add("bundle.pem", bundle.write(bob.home, bob.key()), "keys", "import", "FILE")
    desk.add("transcript.pem", bundle.write(bob.home, bob.key(), with_rounds=True), "keys", "import", "FILE")
    desk.add("backup.pem", kept, "backup", "verify", "FILE")
    desk.add("restored.pem", kept, "backup", "restore", "FILE")
    desk.add("dealing.pem", dealt, "dealer", "accept", "refresh.pem", "FILE")
    desk.add("message.pem", parties.request(people, b"message"), "inspect", "--message", "FILE")
    desk.add("whatever.pem", parties.propose(people, name="other"), "inspect", "FILE")
    desk.add(
        "public.json", key.public_key_package.to_json().encode(), "verify", "--key", "FILE", "message", "message.sig"
    )
    desk.add(
        *("commitments.json", hers.to_json().encode()),
        *("sign", "request", KEY, "message", "--commitments", "bob=FILE", "--commitments", "alice=own.json"),
        *("-o", "again.package.json"),
    )
    desk.add("package.json", package.to_json().encode(), "sign", "check", "FILE", "--key", KEY)
    check = ("sign", "check", "package.json", "--key", KEY)
    with alice.holder() as holder:
        share = SealedSigner(alice.key(), holder, alice.home).sign(package)
    desk.add("share.json", share.to_json().encode(), *check, "alice=FILE")
    desk.add("seed.hex", f"{bytes(range(32)).hex()}\n".encode(), *check, "--randomizer-seed", "FILE")
    desk.add("proposal.pem", parties.propose(people, name="third"), "dkg", "round1", "FILE")
    desk.add("refresh2.pem", proposal, "refresh", "round1", "FILE")
    desk.add("dealt.pem", proposal, "dealer", "accept", "FILE", "dealing.pem")
    for name in ("fourth", "fifth"):
        assert alice.run("dkg", "propose", name, "-t", "2", "--with", "bob").status == 0
    desk.add("key.hex", f"{7:064x}\n".encode(), "dealer", "split", "fourth", "--key-file", "FILE")
    desk.add("key.pem", pem_key(), "dealer", "split", "fifth", "--key-file", "FILE")
    adopt = ("--adopt-sign", "01", "--adopt-agree", "02", "-o", "again.pem")
    desk.add("earlier.pem", bob.public.to_pem(), "identity", "create", *adopt, "--earlier", "FILE")
    policy = b'schema = "frost-hsm/policy/1"\n[[rule]]\nname = "all"\nkey = "*"\nasked-by = "*"\ntarget = "*"\n'
    desk.add("policy.toml", policy, "agent", "explain", "request.pem", "--policy", "FILE")
    with Log(alice.directory / "log", alice.public) as log, alice.holder() as holder:
        log.add("started")
        log.sign(holder.sign)
    desk.add("agent.log", (alice.directory / "log").read_bytes(), "agent", "log", "verify", "FILE")
    desk.add("whose.pem", alice.public.to_pem(), "agent", "log", "verify", "log", "--identity", "FILE")
    case = Case(parties.gather(directory / "case"))
    case.spoil()
    complaint = case.complain().read_bytes()
    desk.add("complaint.pem", complaint, "dispute", "settle", "FILE", of=case.bob)
    desk.add("answered.pem", complaint, "dispute", "answer", "FILE", of=case.carol)
    desk.add("plan.toml", PLAN.encode(), "ceremony", "plan", "FILE", "-o", "again.html", "--force", of=case.bob)
    (case.bob.directory / "text").write_bytes(b"what is signed")
    return desk


def pem_key() -> bytes:
    encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ec.derive_private_key(7, ec.SECP256R1()).private_bytes(*encoding)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = make(tmp_path_factory.mktemp("desk"))
    for name in desk.commands:
        desk.run(name)  # what is done a second time changes nothing
    return desk


NAMES = (
    *("identity.pem", "recovery.pem", "request.pem", "repair.pem", "standing.pem", "bundle.pem", "transcript.pem"),
    *("abandonment.pem", "backup.pem", "restored.pem", "dealing.pem", "whatever.pem", "proposal.pem", "refresh2.pem"),
    *("message.pem", "dealt.pem", "key.pem", "earlier.pem", "whose.pem", "complaint.pem", "answered.pem"),
    *("public.json", "commitments.json", "package.json", "share.json"),
    *("seed.hex", "key.hex", "policy.toml", "plan.toml", "agent.log"),
)


AROUND_JSON = ("as it is", "a byte order mark", "CRLF", "CRLF and a byte order mark", "no line feed at the end")
AROUND_JSON += ("empty lines around it", "blanks after its last line")
"""Of JSON, which has no first and last line, a text around it cannot be told from it."""

OF_JSON: dict[str, tuple[Mangle, str]] = {
    "cut off": (REFUSED["cut off"][0], "JSON that was cut off, or changed on its way"),
    "a signature after it": (READ["a signature after it"], "JSON that was cut off, or changed on its way"),
    "quoted-printable": (quopri.encodestring, "JSON that was cut off, or changed on its way"),
    "a greeting before it": (READ["a greeting before it"], "text, without a PEM block"),
    "headers of a mail before it": (READ["headers of a mail before it"], "the source of a mail"),
}
AS_ANY = ("empty", "UTF-16", "UTF-16 without a mark", "a quotation", "gzip", "a web page", "a PDF", "of PGP")


def read(name: str) -> dict[str, Mangle]:
    """Ways in which a file may come."""
    return READ if name.endswith(".pem") else {way: READ[way] for way in AROUND_JSON}


def refused(name: str) -> dict[str, tuple[Mangle, str]]:
    """Ways in which it is no longer what it was, and what it looks like then.

    What happened inside of other text, only whoever reads it can say; the PEM of other programs, a library reads.
    """
    any_text = {way: REFUSED[way] for way in AS_ANY}
    if name == "key.pem":
        return {**any_text, **{way: REFUSED[way] for way in ("cut off", "base64 alone")}}
    if name.endswith(".json"):
        return {**OF_JSON, **any_text}
    return REFUSED if name.endswith(".pem") else any_text


@pytest.mark.parametrize("name", NAMES)
def test_what_is_around_it_does_not_matter(desk: Desk, name: str) -> None:
    good = desk.path(name).read_bytes()
    expected = desk.run(name)
    assert not expected.stderr.startswith(f"error: {name}"), "what is wrong, if anything, is not wrong with the file"
    wrong = []
    for way, mangle in read(name).items():
        desk.path(name).write_bytes(mangle(good))
        ran = desk.run(name)
        if (ran.status, ran.stdout) != (expected.status, expected.stdout):
            wrong.append((way, ran.stdout, ran.stderr))
    desk.path(name).write_bytes(good)
    assert not wrong, (expected, wrong)


@pytest.mark.parametrize("name", NAMES)
def test_what_happened_to_it_is_said(desk: Desk, name: str) -> None:
    good, party = desk.path(name).read_bytes(), desk.commands[name][0]
    before = snapshot(party)
    wrong = []
    for way, (mangle, looks) in refused(name).items():
        desk.path(name).write_bytes(mangle(good))
        ran = desk.run(name, "--json")
        error = error_of(ran) if ran.status else {}
        said = error.get("message", "")
        if (
            ran.status not in (65, 78)
            or not said.startswith((f"{name}: ", f"{name} "))
            or f"; it looks like {looks}" not in said
        ):
            wrong.append((way, ran.status, said))
    desk.path(name).write_bytes(good)
    assert changes(before, snapshot(party)) == []
    assert not wrong, wrong


# ── All kinds ──

READERS = ("read", "parse", "opened", "beginning")
WHATEVER_IT_IS = (
    *("plain.py:package", "things.py:make", "things.py:_make"),
    *("finished.py:verify", "finished.py:opened", "verify.py:_verify_as"),
)
OF_OURS = ("plain.py:_answer", "ceremony.py:sign", "ceremony.py:_is_signed", "rehearsing.py:furnish")
OF_A_RECORD = ("stating.py:statements", "stating.py:_signed", "ceremony.py:verify")
IN_AN_INBOX = ("incoming.py:gather", "incoming.py:_read", "incoming.py:_wrong")
"""What else reads a file.

What is signed is taken as it is, and is of other programs. What we wrote is compared with what we would write; so is
what a record is made of, which lies beside its plan. What comes from others to a step is in `cli.test_files`.
"""


def test_these_are_all_kinds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collected: whoever reads a file in the program, through its one door, reads one of these."""
    met: set[tuple[str, int]] = set()
    for name in READERS:
        monkeypatch.setattr(door, name, _noting(met, getattr(door, name)))
    for name in NAMES:
        desk.run(name)
    left = {
        f"{path.name}:{function.name}"
        for path in HOUSE.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {f"door.{name}" for name in READERS}
        if met.isdisjoint((str(path), line) for line in range(call.lineno, (call.end_lineno or 0) + 1))
    }
    assert left <= {*WHATEVER_IT_IS, *OF_OURS, *OF_A_RECORD, *IN_AN_INBOX}


def _noting(met: set[tuple[str, int]], reader: Callable[..., T]) -> Callable[..., T]:
    def noting(*arguments: Any) -> T:
        caller = sys._getframe(1)
        met.add((caller.f_code.co_filename, caller.f_lineno))
        return reader(*arguments)

    return noting
