"""Disputes and evidence by command: what everybody gets to see, and what nobody has to answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cli.judging import refused, snapshot
from cli.malice import bad_proof, bad_shares, resign, said
from stage import parties
from stage.killing import Traced
from stage.parties import KEY, Party

from frost_hsm.ceremony.history import dossier
from frost_hsm.ceremony.history.evidence import judge
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.complaints import Complaint
from frost_hsm.errors import CeremonyStopped

COMPLAINT = "treasury.alice.complaint.pem"
OPENING = "treasury.carol.opening.pem"


class Case:
    """Carol sends everybody shares that are none, and cannot take that back; the others have her messages."""

    def __init__(self, people: list[Party]) -> None:
        self.people = self.alice, self.bob, self.carol = people
        self.proposal = parties.propose(people)
        self.first = parties.round1(people, self.proposal)
        self.second = parties.round2(people, self.first)

    def spoil(self) -> None:
        self.second["carol"] = bad_shares(self.carol, self.people, self.second["carol"])
        kept = f"{self.carol.folder()}/round2/carol.pem"
        self.carol.home.replace(kept, self.second["carol"])

    def finish(self, party: Party) -> tuple[str, ...]:
        """Put everybody's round 2 before a party, and return the command."""
        return ("dkg", "finish", KEY, "--in", folder(party, "in", self.second))

    def complain(self) -> Path:
        """Alice finds no share; returns her complaint."""
        assert self.alice.run(*self.finish(self.alice)).status == 76
        return self.alice.directory / COMPLAINT

    def false_complaint(self, by: Party, about: Party) -> Path:
        """Somebody complains about a good share, by hand."""
        roster = signed.read(self.proposal).message.roster
        messages = [signed.read(self.first[about.name], roster), signed.read(self.second[about.name], roster)]
        digests = b"".join(signed.parse(self.first[each.name]).content_digest for each in roster)
        ceremony = said(self.first["alice"]).ceremony
        claim = Complaint(ceremony, roster.position(about.name), messages[1].content_digest, digests)
        path = by.directory / "false.complaint.pem"
        complaint = signed.read(resign(by, claim), roster)
        path.write_bytes(dossier.write([signed.read(self.proposal), *messages, complaint]))
        return path


def folder(party: Party, name: str, messages: Mapping[str, bytes]) -> str:
    directory = party.directory / name
    directory.mkdir(exist_ok=True)
    for sender, data in messages.items():
        (directory / f"{sender}.pem").write_bytes(data)
    return str(directory)


def answered(party: Party, *arguments: str) -> dict[str, Any]:
    ran = party.run(*arguments, "--json")
    assert ran.status == 0, ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


@pytest.fixture
def case(people: list[Party]) -> Case:
    return Case(people)


def test_a_sender_of_bad_shares_is_convicted_by_their_own_answer(case: Case, tmp_path: Path) -> None:
    """The whole dispute, file by file; somebody who has nothing else sees the same."""
    case.spoil()
    alice, bob, carol = case.people
    error = refused(
        alice, *case.finish(alice),
        status=76, code="dkg-bad-share", culprits=("carol",), says="carol sent you a share",
        leaves=(COMPLAINT, f"home/{alice.folder()}/evidence.pem"),
    )  # fmt: skip
    assert "nobody else can see it yet" in error["hint"]
    assert f"complaint in {COMPLAINT}" in error["hint"]
    complaint = str(alice.directory / COMPLAINT)
    status = alice.run("dkg", "status", KEY).stdout
    assert "alice claims that there is no good share for them in the message of carol; carol has not answered" in status

    assert answered(bob, "dispute", "settle", complaint)["awaiting"] == ["carol"]
    assert "carol has not answered" in bob.run("dkg", "status", KEY).stdout
    document = answered(carol, "dispute", "answer", complaint)
    assert (document["culprits"], document["file"], document["state"]) == (["carol"], OPENING, "stopped")
    opening = str(carol.directory / OPENING)
    for party in (alice, bob):
        document = answered(party, "dispute", "settle", opening)
        assert (document["culprits"], document["awaiting"]) == (["carol"], [])
        assert "carol cannot show a share for alice" in party.run("dkg", "status", KEY).stdout
    shown = bob.run("inspect", opening, "--home", str(tmp_path / "nobody")).stdout
    assert f"at fault        carol {carol.public.fingerprint}" in shown
    assert shown.count("signature       good") == 5


def test_a_false_complaint_convicts_whoever_made_it(case: Case, tmp_path: Path) -> None:
    """Alice finished, and answers: she loses nothing, because the run is over and Bob was told that share before."""
    alice, bob, _ = case.people
    assert alice.run(*case.finish(alice)).status == 0
    claim = str(case.false_complaint(bob, alice))
    first = alice.run("dispute", "answer", claim)
    assert first.status == 0, first.stderr
    assert f"  at fault  bob, fingerprint {bob.public.fingerprint}" in first.stdout
    assert first.stdout.endswith("Wrote treasury.alice.opening.pem\n")
    kept = snapshot(alice)
    assert alice.run("dispute", "answer", claim, "--pin-source", "file:/nowhere").status == 0, "the same, without a PIN"
    assert snapshot(alice) == kept
    opening = str(alice.directory / "treasury.alice.opening.pem")
    [entry, *_] = answered(alice, "inspect", opening, "--home", str(tmp_path / "nobody"))["files"]
    assert entry["shows"] == "bob complained about a good share from alice"
    assert entry["at_fault"] == [f"bob {bob.public.fingerprint}"]
    refused(
        alice, "dkg", "round2", KEY, "--in", folder(alice, "in", case.first),
        status=76, code="ceremony-stopped", says="bob complained about a good share from alice",
        leaves=("treasury.evidence.pem",),
    )  # fmt: skip


def test_what_is_not_answered(case: Case, tmp_path: Path) -> None:
    alice, bob, carol = case.people
    claim = str(case.false_complaint(bob, alice))
    for command in ("answer", "settle"):
        refused(
            carol, "dispute", command, str(write(tmp_path, "garbage", b"notes")),
            status=65, code="package-malformed", says="garbage: ",
        )  # fmt: skip
        [stranger] = parties.gather(tmp_path / command, ["dave"])
        refused(stranger, "dispute", command, claim, status=66, code="not-known", says="no ceremony that is known")
    refused(carol, "dispute", "answer", claim, status=65, code="package-foreign", says="nobody complains about carol")
    nothing = dossier.write([signed.read(case.proposal)])
    refused(
        carol, "dispute", "settle", str(write(tmp_path, "nothing", nothing)),
        status=66, code="not-known", says="no ceremony that is known",
    )  # fmt: skip
    (alice.directory / "taken").write_bytes(b"mine")
    refused(alice, "dispute", "answer", claim, "-o", "taken", status=73, code="output-exists", says="taken exists")


def test_an_active_key_is_not_disputed(case: Case) -> None:
    alice, bob, _ = case.people
    parties.confirm(case.people, parties.finish(case.people, case.first, case.second))
    claim = str(case.false_complaint(bob, alice))
    refused(alice, "dispute", "answer", claim, status=76, code="refused", says="nothing of it is opened any more")
    assert "is done, all have confirmed it, and stays" in alice.run("dispute", "settle", claim).stdout
    assert alice.key().status == "active"


def test_evidence_overwrites_nothing(case: Case) -> None:
    """What lies there may be the evidence of another run."""
    alice, _, carol = case.people
    Path(alice.directory / "treasury.evidence.pem").write_bytes(b"of an earlier run")
    there = folder(alice, "other", {**case.first, "carol": bad_proof(carol, case.first["carol"])})
    alice.home.remove(f"{alice.folder()}/round2")
    kept = f"home/{alice.folder()}/evidence.pem"
    error = refused(
        alice, "dkg", "round2", KEY, "--in", there,
        status=76, code="equivocation", culprits=("carol",), says="carol signed two different", leaves=(kept,),
    )  # fmt: skip
    assert f"evidence in {alice.directory / kept}" in error["hint"]
    assert (alice.directory / "treasury.evidence.pem").read_bytes() == b"of an earlier run"


def test_confirmations_by_command(group: list[Party], tmp_path: Path) -> None:
    alice = group[0]
    assert alice.run("keys", "export", KEY, "--format", "confirmations").stdout.startswith("Wrote treasury.public.conf")
    path = alice.directory / "treasury.public.confirmations.pem"
    nobody = str(tmp_path / "nobody")
    [entry, *messages] = answered(alice, "inspect", str(path), "--home", nobody)["files"]
    assert entry["kind"] == "confirmations of all participants"
    assert entry["key"] == alice.key().verifying_key.hex()
    assert entry["participants"] == [f"{each.name} {each.public.fingerprint}" for each in group]
    assert [each["kind"] for each in messages] == ["proposal", *["confirmation"] * 3]
    assert {each["check_code"] for each in messages[1:]} == {entry["check_code"]}
    blocks = path.read_bytes().split(b"-----END CMS-----\n")
    path.write_bytes(b"-----END CMS-----\n".join(blocks[:2] + blocks[3:]))
    refused(
        alice,
        "inspect",
        str(path),
        status=65,
        code="package-malformed",
        says="not everybody's confirmation of treasury is in it",
    )


def write(directory: Path, name: str, data: bytes) -> Path:
    path = directory / name
    path.write_bytes(data)
    return path


@pytest.mark.slow
def test_killed_at_any_instant_a_dispute_goes_on(case: Case, tmp_path: Path) -> None:
    """Before and after complaining, answering and settling: the same command again, and everybody sees the same."""
    case.spoil()
    alice, bob, carol = case.people
    steps = [
        (alice, case.finish(alice)),
        (carol, ("dispute", "answer", f"../alice/{COMPLAINT}")),
        (bob, ("dispute", "settle", f"../carol/{OPENING}")),
    ]
    everything, before = alice.directory.parent, tmp_path / "before"
    with Traced() as traced:
        for party, command in steps:
            shutil.copytree(everything, before)
            count = len(traced.run(party.directory, party.arguments(command)).calls)
            for instant in range(1, count + 1, max(1, count // 8)):
                shutil.rmtree(everything)
                shutil.copytree(before, everything)
                assert traced.run(party.directory, party.arguments(command), instant=instant).status is None
                again = party.run(*command)
                assert again.status == (CeremonyStopped.exit if party is alice else 0), again.stderr
                assert judge(evidence(party)).awaiting == (("carol",) if party is alice else ())
                assert (alice.directory / COMPLAINT).read_bytes() == evidence(alice)
            shutil.rmtree(before)
    assert judge(evidence(bob)) == judge(evidence(carol)) == judge((carol.directory / OPENING).read_bytes())
    assert judge(evidence(bob)).names == ("carol",)


def evidence(party: Party) -> bytes:
    return (party.directory / f"home/{party.folder()}/evidence.pem").read_bytes()
