"""Each kind of file that a command reads, in each state that mail programs and editors leave files in.

What is around it does not matter; what happened to it is said with its name, and what it looks like now.
"""

from __future__ import annotations

import quopri
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cli.judging import changes, error_of, snapshot
from cli.test_files import READ, REFUSED, Mangle
from stage import parties, upkeep
from stage.parties import KEY, Party, Ran

from frost_hsm.ceremony.history import backup, bundle
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import Standing
from frost_hsm.ceremony.sharing import abandonment, dealing
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.frost.packages import SigningPackage


@dataclass
class Desk:
    """Alice's folder, with a file of each kind, and the command that reads it. commands: FILE is its name."""

    alice: Party
    commands: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, name: str, data: bytes, *command: str) -> None:
        (self.alice.directory / name).write_bytes(data)
        self.commands[name] = command

    def run(self, name: str, *options: str) -> Ran:
        return self.alice.run(*(word.replace("FILE", name) for word in self.commands[name]), *options)


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
    return desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = make(tmp_path_factory.mktemp("desk"))
    for name in desk.commands:
        desk.run(name)  # what is done a second time changes nothing
    return desk


NAMES = (
    *("identity.pem", "recovery.pem", "request.pem", "repair.pem", "standing.pem", "bundle.pem", "transcript.pem"),
    *("abandonment.pem", "backup.pem", "restored.pem", "dealing.pem", "whatever.pem"),
    *("public.json", "commitments.json", "package.json"),
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
    """Ways in which it is no longer what it was, and what it looks like then."""
    return REFUSED if name.endswith(".pem") else {**OF_JSON, **{way: REFUSED[way] for way in AS_ANY}}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_around_it_does_not_matter(desk: Desk, name: str) -> None:
    good = (desk.alice.directory / name).read_bytes()
    expected = desk.run(name)
    assert not expected.stderr.startswith(f"error: {name}"), "what is wrong, if anything, is not wrong with the file"
    wrong = []
    for way, mangle in read(name).items():
        (desk.alice.directory / name).write_bytes(mangle(good))
        ran = desk.run(name)
        if (ran.status, ran.stdout) != (expected.status, expected.stdout):
            wrong.append((way, ran.stdout, ran.stderr))
    (desk.alice.directory / name).write_bytes(good)
    assert not wrong, (expected, wrong)


@pytest.mark.parametrize("name", NAMES)
def test_what_happened_to_it_is_said(desk: Desk, name: str) -> None:
    good = (desk.alice.directory / name).read_bytes()
    before = snapshot(desk.alice)
    wrong = []
    for way, (mangle, looks) in refused(name).items():
        (desk.alice.directory / name).write_bytes(mangle(good))
        ran = desk.run(name, "--json")
        error = error_of(ran) if ran.status else {}
        said = error.get("message", "")
        if ran.status != 65 or not said.startswith(f"{name}: ") or f"; it looks like {looks}" not in said:
            wrong.append((way, ran.status, said))
    (desk.alice.directory / name).write_bytes(good)
    assert changes(before, snapshot(desk.alice)) == []
    assert not wrong, wrong
