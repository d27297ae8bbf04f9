"""``frost-hsm refresh``: from a proposal to the next epoch, and what a person is told on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.judging import refused
from conftest import TokenFixture
from stage import by_command, parties
from stage.by_command import step
from stage.parties import Party

IN = ("treasury", "--in", "../../inbox")
PROPOSAL = "../../inbox/treasury.refresh1.proposal.pem"


def test_a_refresh_from_proposal_to_signature(group: list[Party]) -> None:
    alice, bob, _ = group
    by_command.refresh(group, until="finish")
    assert "confirm" in json.loads(bob.run("refresh", "status", "treasury", "--json").stdout)["state"]
    for party in group:
        ran = step(party, "refresh", "confirm", *IN)
        assert 'Key "treasury" is in epoch 1\n' in ran.stdout
    shown = json.loads(alice.run("keys", "show", "treasury", "--json").stdout)
    assert (shown["epoch"], shown["state"]) == (1, "active")
    status = json.loads(alice.run("refresh", "status", "--json").stdout)
    assert [(each["epoch"], each["state"]) for each in status["refreshes"]] == [(1, "active")]
    assert len(parties.sign(group[:2], b"message")) == 65


def test_a_proposal_can_be_written_again_and_inspected(group: list[Party]) -> None:
    alice, bob, _ = group
    step(alice, "refresh", "propose", "treasury")
    first = (alice.directory / "treasury.refresh1.proposal.pem").read_bytes()
    step(alice, "refresh", "propose", "treasury")
    assert (alice.directory / "treasury.refresh1.proposal.pem").read_bytes() == first
    ran = bob.run("inspect", PROPOSAL)
    assert "refresh proposal" in ran.stdout
    assert "good" in ran.stdout


def test_whoever_has_not_confirmed_is_told_about_the_other_epoch(group: list[Party]) -> None:
    alice, bob, _ = group
    by_command.refresh(group, until="finish")
    step(alice, "refresh", "confirm", *IN)
    (alice.directory.parent / "message").write_bytes(b"pay 5 to dave")
    ran = alice.run("sign", "request", "treasury", "../message", "--signers", "alice,bob")
    assert ran.status == 0, ran.stderr
    request = "../alice/message.request.pem"
    refused(
        bob, "sign", "commit", request, status=65, code="package-foreign", says="a state of treasury that is not known"
    )
    step(bob, "refresh", "confirm", *IN)
    assert bob.run("sign", "commit", request).status == 0


def test_old_requests_stay_listed_after_a_refresh(group: list[Party]) -> None:
    alice, bob, _ = group
    wanted = parties.request([alice, bob], b"message")
    parties.commit([alice], wanted)
    by_command.refresh(group, until="finish")
    for party in group:
        step(party, "refresh", "confirm", *IN)
    ran = alice.run("sign", "status")
    assert ran.status == 0, ran.stderr
    assert "your commitment is sent" in ran.stdout


def test_giving_a_refresh_up_takes_its_name(group: list[Party]) -> None:
    alice = group[0]
    step(alice, "refresh", "propose", "treasury")
    refused(
        alice,
        "refresh",
        "abort",
        "treasury",
        "--confirm-name",
        "other",
        status=130,
        code="aborted",
        says="not treasury",
    )
    ran = step(alice, "refresh", "abort", "treasury", "--confirm-name", "treasury")
    assert "The present shares go on" in ran.stdout
    refused(alice, "refresh", "status", "treasury", status=66, code="not-known", says="no refresh of treasury")


def test_a_missing_participant_is_named_and_nothing_changes(group: list[Party]) -> None:
    alice, bob, _ = group
    step(alice, "refresh", "propose", "treasury")
    for party in (alice, bob):
        step(party, "refresh", "round1", PROPOSAL)
    refused(alice, "refresh", "round2", *IN, status=75, code="waiting", says="no round-1 message from carol")


@pytest.mark.slow
def test_a_refresh_with_softhsm(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    group = parties.gather(
        tmp_path / "people",
        ["alice", "bob"],
        new_token=lambda name, folder: new_token(name).uri,
        settings=backend_settings,
    )
    parties.generate(group)
    before = [set(party.records()) for party in group]
    by_command.refresh(group, until="finish")
    for party in group:
        step(party, "refresh", "confirm", *IN)
    for party, old in zip(group, before, strict=True):
        assert old <= set(party.records())
    assert len(parties.sign(group, b"message")) == 65
    for party, old in zip(group, before, strict=True):
        assert not old & set(party.records()), "as many as sign are seen to be in the new epoch"
