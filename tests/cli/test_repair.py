"""``frost-hsm repair``: a new token for a lost one, a new participant, and what a person is told on the way."""

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

REQUEST = "../../inbox/treasury.repair{}.request.pem"
IN = ("--in", "../../inbox")


@pytest.fixture
def newcomer(group: list[Party], tmp_path: Path) -> Callable[[str], Party]:
    def make(name: str) -> Party:
        [party] = parties.gather(tmp_path / "later", [name])
        by_command.meet(party, group)
        return party

    return make


def test_a_lost_token_is_replaced(group: list[Party], newcomer: Callable[[str], Party]) -> None:
    alice, bob, _ = group
    new = newcomer("carol")
    request = by_command.repair(new, 3, [alice, bob], [])
    checked = new.run("keys", "show", "treasury", "--check-token", "--pin-source", f"file:{new.directory / 'pin'}")
    assert "the sealed share opens" in checked.stdout
    assert json.loads(alice.run("repair", "status", request, "--json").stdout)["state"] == "done"
    assert len(parties.sign([new, alice], b"message")) == 65
    assert "no ceremonies" in new.run("dkg", "status").stdout
    confirmed = bob.run("repair", "confirm", request, *IN)
    assert "frost-hsm refresh propose treasury" in confirmed.stderr


def test_a_new_participant_joins(group: list[Party], newcomer: Callable[[str], Party]) -> None:
    alice, bob, carol = group
    dave = newcomer("dave")
    by_command.repair(dave, 4, [carol, bob], [alice], "--new")
    shown = json.loads(alice.run("keys", "show", "treasury", "--json").stdout)
    assert shown["participants"] == ["alice", "bob", "carol", "dave"]
    assert len(parties.sign([dave, alice], b"message")) == 65


def test_what_is_refused_on_the_way(group: list[Party], newcomer: Callable[[str], Party]) -> None:
    alice, bob, carol = group
    refused(carol, "repair", "request", "other", "--helpers", "alice,bob", status=66, code="not-known", says="other")
    [stranger] = parties.gather(alice.directory.parent.parent / "strangers", ["dave"])
    step(alice, "keys", "export", "treasury", "--format", "bundle")
    bundle = "../../inbox/treasury.public.bundle.pem"
    refused(stranger, "keys", "import", bundle, status=65, code="sender-unknown", says="not among your peers")
    dave = newcomer("dave")
    step(dave, "keys", "import", bundle)
    step(dave, "keys", "import", bundle)
    few = ("repair", "request", "treasury", "--new", "--helpers", "alice")
    refused(dave, *few, status=2, code="not-possible", says="helpers")
    step(dave, "repair", "request", "treasury", "--new", "--helpers", "alice,bob")
    request = REQUEST.format(4)
    alice.run("peer", "remove", "dave")
    refused(alice, "repair", "delta", request, status=65, code="sender-unknown", says="not among your peers")
    refused(carol, "repair", "delta", request, status=2, code="not-possible", says="not a helper")
    step(bob, "repair", "delta", request)
    refused(bob, "repair", "sigma", request, *IN, status=75, code="waiting", says="no repair delta from alice")
    refused(dave, "repair", "finish", request, *IN, status=75, code="waiting", says="no repair sigma from alice, bob")
    status = json.loads(bob.run("repair", "status", request, "--json").stdout)
    assert (status["state"], status["missing"]) == ("sigma", ["alice"])


def test_each_message_of_a_repair_can_be_inspected(group: list[Party], newcomer: Callable[[str], Party]) -> None:
    dave = newcomer("dave")
    by_command.repair(dave, 4, group[:2], group[2:], "--new")
    for ending in ("request", "alice.delta", "bob.sigma", "dave.done"):
        ran = group[0].run("inspect", f"../../inbox/treasury.repair4.{ending}.pem", "--json")
        assert ran.status == 0, ran.stderr
        [said] = json.loads(ran.stdout)["files"]
        assert said["signature"] == "good"
        assert "repair" in said["kind"]


@pytest.mark.slow
def test_a_repair_with_softhsm(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    def gather(folder: str, names: list[str]) -> list[Party]:
        return parties.gather(
            tmp_path / folder, names, new_token=lambda name, _: new_token(name).uri, settings=backend_settings
        )

    group = gather("people", ["alice", "bob"])
    parties.generate(group)
    [carol] = gather("later", ["carol"])
    by_command.meet(carol, group)
    by_command.repair(carol, 3, group, [], "--new")
    assert len(parties.sign([carol, group[0]], b"message")) == 65
