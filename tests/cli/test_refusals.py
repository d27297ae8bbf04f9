"""What goes wrong in a ceremony: each thing ends with its own status and sentence, and leaves all as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.judging import changes, refused, snapshot
from cli.malice import bad_commitment, bad_proof, bad_shares, bad_signature_share, otherwise
from stage import parties
from stage.parties import KEY, Party


def folder(party: Party, name: str, messages: dict[str, bytes], step: str = "step") -> str:
    """Put messages into a folder beside the party's own, so that it does not count as left behind."""
    directory = party.directory.parent / f"{party.name}-{name}"
    directory.mkdir()
    for sender, data in messages.items():
        (directory / f"{sender}.{step}.pem").write_bytes(data)
    return str(directory)


@pytest.fixture
def first(people: list[Party]) -> dict[str, bytes]:
    return parties.round1(people, parties.propose(people))


# ── Key generation ──


def test_a_missing_participant(people: list[Party], first: dict[str, bytes]) -> None:
    del first["carol"]
    error = refused(
        people[0], "dkg", "round2", KEY, "--in", folder(people[0], "in", first),
        status=75, code="waiting", says="no round-1 message from carol",
    )  # fmt: skip
    assert "here: alice, bob; ask for treasury.carol.round1.pem" in error["hint"]


def test_a_step_before_its_turn(people: list[Party]) -> None:
    refused(people[0], "dkg", "round2", KEY, status=66, code="not-known", says=f'there is no ceremony "{KEY}" here')
    people[0].join(parties.propose(people))
    refused(people[0], "dkg", "round2", KEY, status=66, code="not-known", says="your own round-1 message")


def test_a_message_of_another_ceremony(people: list[Party], first: dict[str, bytes]) -> None:
    foreign = parties.round1(people, parties.propose(people, name="other"))
    alice = people[0]
    mixed = folder(alice, "in", {**first, "bob": foreign["bob"]})
    refused(
        alice, "dkg", "round2", KEY, f"{mixed}/bob.step.pem",
        status=65, code="package-foreign", says=f"{mixed}/bob.step.pem: it does not belong to ceremony {KEY}",
    )  # fmt: skip
    refused(alice, "dkg", "round2", KEY, "--in", mixed, status=75, code="waiting", says="no round-1 message from bob")


def test_a_message_of_an_unknown_sender(people: list[Party], first: dict[str, bytes], tmp_path: Path) -> None:
    strangers = parties.gather(tmp_path / "strangers", ("mallory", "trudy"))
    said = parties.round1(strangers, parties.propose(strangers))["mallory"]
    alice = people[0]
    there = folder(alice, "in", {"mallory": said})
    refused(
        alice, "dkg", "round2", KEY, f"{there}/mallory.step.pem",
        status=65, code="sender-unknown", says=f"{there}/mallory.step.pem: the signer",
    )  # fmt: skip
    refused(alice, "dkg", "round2", KEY, "--in", there, status=75, code="waiting", says="from bob, carol")


def test_a_proposal_with_people_one_has_not_met(people: list[Party]) -> None:
    proposal = people[0].directory.parent / "proposal.pem"
    proposal.write_bytes(parties.propose(people))
    bob = people[1]
    bob.home.remove("peers/carol.pem")
    refused(
        bob, "dkg", "round1", str(proposal),
        status=65, code="sender-unknown", says="carol in the proposal is not among your peers",
    )  # fmt: skip


def test_two_messages_of_one_sender(people: list[Party], first: dict[str, bytes]) -> None:
    alice, _, carol = people
    again = otherwise(carol, first["carol"])
    both = folder(alice, "in", {**first, "carol-again": again})
    error = refused(
        alice, "dkg", "round2", KEY, "--in", both,
        status=76, code="equivocation", culprits=("carol",),
        says="carol signed two different round-1 messages",
        leaves=("treasury.evidence.pem", f"home/{alice.folder()}/evidence.pem"),
    )  # fmt: skip
    assert "evidence in treasury.evidence.pem" in error["hint"]
    inspected = alice.run("inspect", "treasury.evidence.pem")
    assert inspected.status == 0
    assert inspected.stdout.count("treasury.evidence.pem: round-1 message") == 2
    assert inspected.stdout.count("signature       good") == 3, "the proposal, too"
    refused(
        alice, "dkg", "round2", KEY, "--in", both,
        status=76, code="ceremony-stopped", says="ceremony treasury was stopped here",
    )  # fmt: skip


def test_the_same_message_twice_is_fine(people: list[Party], first: dict[str, bytes]) -> None:
    twice = folder(people[0], "in", {**first, "carol-again": first["carol"]})
    assert people[0].run("dkg", "round2", KEY, "--in", twice).status == 0


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_commitment_of_another_length(people: list[Party], first: dict[str, bytes], length: int) -> None:
    alice, _, carol = people
    there = folder(alice, "in", {**first, "carol": bad_commitment(carol, first["carol"], length)})
    refused(
        alice, "dkg", "round2", KEY, "--in", there,
        status=76, code="dkg-commitment-length", culprits=("carol",),
        says="carol signed a round 1",
        leaves=("treasury.evidence.pem", f"home/{alice.folder()}/evidence.pem"),
    )  # fmt: skip


def test_a_bad_proof(people: list[Party], first: dict[str, bytes]) -> None:
    alice, _, carol = people
    there = folder(alice, "in", {**first, "carol": bad_proof(carol, first["carol"])})
    refused(
        alice, "dkg", "round2", KEY, "--in", there,
        status=76, code="dkg-bad-proof", culprits=("carol",),
        says="carol signed a round 1 proof of knowledge that does not verify",
        leaves=("treasury.evidence.pem", f"home/{alice.folder()}/evidence.pem"),
    )  # fmt: skip


def test_a_bad_share(people: list[Party], first: dict[str, bytes]) -> None:
    alice, _, carol = people
    second = parties.round2(people, first)
    second["carol"] = bad_shares(carol, people, second["carol"])
    there = folder(alice, "in", second)
    refused(
        alice, "dkg", "finish", KEY, "--in", there,
        status=76, code="dkg-bad-share", culprits=("carol",),
        says="carol sent you a share that does not match the round 1 commitment",
        leaves=("treasury.alice.complaint.pem", f"home/{alice.folder()}/evidence.pem"),
    )  # fmt: skip


def test_evidence_is_kept_even_where_it_cannot_be_written(people: list[Party], first: dict[str, bytes]) -> None:
    alice, _, carol = people
    there = folder(alice, "in", {**first, "carol": bad_proof(carol, first["carol"])})
    (alice.directory / "treasury.evidence.pem").mkdir()
    refused(
        alice, "dkg", "round2", KEY, "--in", there,
        status=76, code="dkg-bad-proof", culprits=("carol",), says="carol signed",
        leaves=(f"home/{alice.folder()}/evidence.pem",),
    )  # fmt: skip


def test_confirmations_that_differ(people: list[Party], first: dict[str, bytes]) -> None:
    alice, _, carol = people
    second = parties.round2(people, first)
    said = parties.finish(people, first, second)
    said["carol"] = otherwise(carol, said["carol"])
    refused(
        alice, "dkg", "confirm", KEY, "--in", folder(alice, "in", said),
        status=76, code="equivocation",
        says="carol confirms another transcript: theirs",
        leaves=("treasury.evidence.pem", f"home/{alice.folder()}/evidence.pem"),
    )  # fmt: skip
    assert alice.run("keys", "list").stdout.split()[-1] == "stopped"


def test_the_same_step_with_other_input(people: list[Party], first: dict[str, bytes]) -> None:
    alice, _, carol = people
    parties.round2(people, first)
    said = alice.run("dkg", "round2", KEY, "-o", "-")
    assert said.status == 0
    again = alice.run("dkg", "round2", KEY, "--in", folder(alice, "in", first), "-o", "-")
    assert again.stdout == said.stdout
    error = refused(
        alice, "dkg", "round2", KEY, "--in", folder(alice, "other", {"carol": otherwise(carol, first["carol"])}),
        status=76, code="equivocation", culprits=("carol",),
        says="carol signed two different round-1 messages: what was received before",
        leaves=("treasury.evidence.pem", f"home/{alice.folder()}/evidence.pem"),
    )  # fmt: skip
    assert error["hint"]


def test_another_proposal_of_the_same_name(people: list[Party], first: dict[str, bytes]) -> None:
    other = people[0].directory.parent / "other.pem"
    other.write_bytes(parties.propose(people))
    refused(
        people[1], "dkg", "round1", str(other),
        status=76, code="step-conflict", says='another ceremony or key has the name "treasury" here',
    )  # fmt: skip
    refused(
        people[0], "dkg", "propose", KEY, "-t", "3", "--with", "bob,carol",
        status=76, code="step-conflict", says='another ceremony or key has the name "treasury" here',
    )  # fmt: skip


def test_the_same_proposal_again_is_the_same(people: list[Party]) -> None:
    alice = people[0]
    arguments = ("dkg", "propose", KEY, "-t", "2", "--with", "bob,carol")
    assert alice.run(*arguments).status == 0
    before = snapshot(alice)
    assert alice.run(*arguments).status == 0
    assert changes(before, snapshot(alice)) == []


@pytest.mark.parametrize(
    ("arguments", "status", "code", "says"),
    [
        (["-t", "4", "--with", "bob,carol"], 2, "invalid-min-signers", "4 of 3 cannot be a threshold"),
        (["-t", "1", "--with", "bob,carol"], 2, "invalid-min-signers", "1 of 3 cannot be a threshold"),
        (["-t", "2", "--with", ","], 2, "invalid-max-signers", "2 to 1024 participants, not 1"),
        (["-t", "2", "--with", "bob,bob"], 2, "duplicated-identifier", '"bob" has the name or a key of another'),
        (["-t", "2", "--with", "bob,dave"], 66, "not-known", 'there is no peer "dave"'),
        (["-t", "2", "--with", "bob", "--suite", "p257"], 2, "not-possible", 'no ciphersuite "p257"'),
        (
            ["-t", "2", "--with", "bob", "--purpose", "a\x1b[2Jb"],
            2,
            "not-possible",
            "the purpose of a proposal is not one printable",
        ),
    ],
)
def test_impossible_proposals(people: list[Party], arguments: list[str], status: int, code: str, says: str) -> None:
    (people[0].directory / "pin").unlink()  # so that asking for the PIN would be another error
    refused(people[0], "dkg", "propose", "vault", *arguments, status=status, code=code, says=says)


# ── Signing ──


@pytest.fixture
def request_file(group: list[Party], tmp_path: Path) -> str:
    path = tmp_path / "pay.request.pem"
    path.write_bytes(parties.request([group[0], group[2]], b"pay bob"))
    return str(path)


def test_a_missing_commitment(group: list[Party], request_file: str) -> None:
    alice = group[0]
    own = parties.commit([alice], Path(request_file).read_bytes())
    error = refused(
        alice, "sign", "respond", request_file, "--in", folder(alice, "in", own),
        status=75, code="waiting", says="no commitment from carol",
    )  # fmt: skip
    assert "here: alice; ask for" in error["hint"]


def test_somebody_who_does_not_sign(group: list[Party], request_file: str) -> None:
    refused(
        group[1], "sign", "commit", request_file,
        status=2, code="not-possible", says="bob is not among the signers of this request: alice, carol",
    )  # fmt: skip


def test_a_response_asked_twice(group: list[Party], request_file: str) -> None:
    alice, _, carol = group
    wanted = Path(request_file).read_bytes()
    said = parties.commit([alice, carol], wanted)
    there = folder(alice, "in", said)
    once = alice.run("sign", "respond", request_file, "--in", there, "-o", "-")
    assert once.status == 0
    before = snapshot(alice)
    again = alice.run("sign", "respond", request_file, "--in", there, "-o", "-")
    assert (again.status, again.stdout) == (0, once.stdout)
    assert changes(before, snapshot(alice)) == []


def test_nonces_of_another_request(group: list[Party], request_file: str, tmp_path: Path) -> None:
    alice, _, carol = group
    wanted = Path(request_file).read_bytes()
    parties.commit([alice, carol], wanted)
    other = parties.request([alice, carol], b"pay mallory")
    of_other = parties.commit([alice, carol], other)
    there = folder(alice, "in", of_other)
    refused(
        alice, "sign", "respond", request_file, f"{there}/carol.step.pem",
        status=65, code="package-foreign", says="it does not belong to request",
    )  # fmt: skip


def test_other_commitments_after_the_response(group: list[Party], request_file: str) -> None:
    alice, _, carol = group
    wanted = Path(request_file).read_bytes()
    said = parties.commit([alice, carol], wanted)
    parties.respond([alice], wanted, said)
    changed = folder(alice, "in", {"carol": otherwise(carol, said["carol"])})
    refused(
        alice, "sign", "respond", request_file, "--in", changed,
        status=76, code="equivocation", says="carol signed two different commitments",
    )  # fmt: skip


def test_a_bad_signature_share(group: list[Party], request_file: str) -> None:
    alice, bob, carol = group
    wanted = Path(request_file).read_bytes()
    commitments = parties.commit([alice, carol], wanted)
    responses = parties.respond([alice, carol], wanted, commitments)
    responses["carol"] = bad_signature_share(carol, responses["carol"])
    one, two = folder(bob, "commitments", commitments), folder(bob, "responses", responses)
    refused(
        bob, "sign", "aggregate", request_file, "--in", two, f"{one}/alice.step.pem", f"{one}/carol.step.pem",
        status=76, code="sign-bad-share", culprits=("carol",),
        says="carol signed a signature share that does not verify",
        leaves=(
            "pay.evidence.pem",
            "home/requests",
            f"home/requests/{bob.session(wanted).id.hex()}",
            f"home/requests/{bob.session(wanted).id.hex()}/evidence.pem",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "status", "code", "says"),
    [
        (["--signers", "alice"], 2, "not-possible", "treasury needs 2 or more different signers"),
        (["--signers", "alice,alice"], 2, "not-possible", "treasury needs 2 or more different signers"),
        (["--signers", "alice,dave"], 66, "not-known", '"dave" is not a participant'),
        ([], 2, "usage", "it has to be said who signs: 2 or more of alice, bob, carol"),
    ],
)
def test_impossible_requests(group: list[Party], arguments: list[str], status: int, code: str, says: str) -> None:
    (group[0].directory / "message").write_bytes(b"hello")
    refused(group[0], "sign", "request", KEY, "message", *arguments, status=status, code=code, says=says)


def test_a_pending_key_does_not_sign(people: list[Party], first: dict[str, bytes]) -> None:
    parties.finish(people, first, parties.round2(people, first))
    refused(
        people[0], "sign", "request", KEY, "message",
        status=75, code="waiting", says="key treasury is pending: not all participants have confirmed it",
    )  # fmt: skip


# ── Places ──


def test_an_output_file_that_exists(people: list[Party], first: dict[str, bytes]) -> None:
    alice = people[0]
    (alice.directory / "treasury.alice.round2.pem").write_text("something else")
    there = folder(alice, "in", first)
    refused(
        alice, "dkg", "round2", KEY, "--in", there,
        status=73, code="output-exists", says="treasury.alice.round2.pem exists; not overwritten",
    )  # fmt: skip
    assert alice.run("dkg", "round2", KEY, "--in", there, "--force").status == 0


@pytest.mark.parametrize("target", ["/dev/null", "/dev/full", "home"])
def test_an_output_that_is_no_file(group: list[Party], target: str) -> None:
    refused(
        group[0], "keys", "export", KEY, "-o", target, "--force",
        status=73, code="output-exists", says=f"{target} exists and is not a file",
    )  # fmt: skip
    assert Path("/dev/null").is_char_device()


def test_an_output_in_no_folder(group: list[Party]) -> None:
    refused(
        group[0], "keys", "export", KEY, "-o", "nowhere/key.json",
        status=74, code="storage", says="cannot write nowhere/key.json: No such file or directory",
    )  # fmt: skip


def test_a_home_open_to_others(people: list[Party]) -> None:
    (people[0].directory / "home").chmod(0o755)
    refused(people[0], "keys", "list", status=74, code="storage", says="home is open to other users")


def test_a_home_that_is_none(people: list[Party], tmp_path: Path) -> None:
    alice = people[0]
    refused(alice, "keys", "list", "--home", "nothing", status=66, code="not-known", says="no state directory nothing")
    refused(alice, "keys", "list", "--home", "pin", status=74, code="storage", says="pin is not a directory")
    alice.home.remove("peers")
    (alice.directory / "home/config.toml").write_text("me = 1")
    refused(alice, "peer", "add", "pin", status=65, code="package-malformed", says="pin: an identity file is not 2 PEM")
    refused(alice, "dkg", "abort", KEY, "--confirm-name", KEY, status=66, code="not-known", says="there is no ceremony")
