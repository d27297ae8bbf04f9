"""What programs read: one JSON object a command, of a shape that stays.

``golden.json`` holds the shape of every object: its fields and the JSON types of their values. A field may be added
there; one that changes or goes needs another number in its schema.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.judging import error_of
from conftest import TokenFixture
from stage import by_command, parties
from stage.parties import KEY, Party, Ran

ELSEWHERE = {"peer-remove", "board-check", "join", "status"}
LATER = ("dealer-", "refresh-", "repair-", "keys-import")
"""How the schemas of commands for keys in use begin."""

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden.json").read_text())


def shape(value: object) -> object:
    """Describe a value by its JSON types; of a list, by its first entry."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return {str: "string", bool: "boolean", int: "number", type(None): "null"}[type(value)]


def said(party: Party, *arguments: str) -> dict[str, Any]:
    """Run a command with ``--json``, which has to succeed, and hold what it says to its golden shape."""
    return held(party.run(*arguments, "--json"))


def held(ran: Ran) -> dict[str, Any]:
    assert ran.status == 0, ran.stderr
    assert ran.stdout.endswith("}\n")
    assert ran.stdout.count("\n") == 1
    document: dict[str, Any] = json.loads(ran.stdout)
    assert document["ok"] is True
    name = document["schema"].removeprefix("frost-hsm/").removesuffix("/1")
    assert shape(document) == GOLDEN[name]
    if "next" in document:
        assert f"Next: {document['next']}" in ran.stderr.splitlines()
    return document


def test_every_command_of_a_ceremony(
    people: list[Party], tmp_path: Path, softhsm_module: str, new_token: Callable[..., TokenFixture]
) -> None:
    alice, bob, carol = people
    schemas = []

    def run(party: Party, *arguments: str) -> dict[str, Any]:
        document = said(party, *arguments)
        schemas.append(document["schema"].split("/")[1])
        return document

    inbox = tmp_path / "in"
    inbox.mkdir()
    new_token("json")
    run(alice, "token", "list", "--backend", "pkcs11", "--module", softhsm_module)
    run(alice, "doctor")
    identity = run(alice, "identity", "show")["identities"][0]
    assert run(alice, "identity", "show", "--from-token")["identities"] == [identity]
    run(alice, "identity", "create")
    run(alice, "identity", "export")
    assert run(alice, "peer", "list")["peers"][0]["name"] == "bob"
    run(bob, "peer", "add", str(alice.directory / "alice.identity.pem"))
    run(alice, "dkg", "propose", KEY, "-t", "2", "--with", "bob,carol")
    proposal = str(alice.directory / "treasury.proposal.pem")
    for step in ("round1", "round2", "finish"):
        for party in people:
            arguments = [proposal] if step == "round1" else [KEY, "--in", str(inbox)]
            made = run(party, "dkg", step, *arguments)
        for party in people:
            name = f"{KEY}.{party.name}.{step.replace('finish', 'confirm')}.pem"
            shutil.copy(party.directory / name, inbox)
        status = run(alice, "dkg", "status", KEY)
    assert status["state"] == "confirm"
    assert run(alice, "dkg", "round2", KEY, "--each", "parts")["files"][0] == f"parts/bob/{KEY}.alice.round2.pem"
    for party in people:
        confirmed = run(party, "dkg", "confirm", KEY, "--in", str(inbox))
    assert confirmed["check_code"] == made["check_code"]
    assert run(alice, "dkg", "status")["ceremonies"][0]["state"] == "active"
    assert run(alice, "keys", "list")["keys"][0]["key"] == confirmed["key"]
    assert run(alice, "keys", "show", KEY, "--check-token", "--pin-source", "file:pin")["checked"] is True
    run(alice, "keys", "export", KEY)
    run(alice, "backup", "create")
    assert run(bob, "backup", "verify", str(alice.directory / "alice.backup.pem"))["keys"][0]["share_can_be_made"]
    assert run(alice, "backup", "restore", "alice.backup.pem")["keys"] == [KEY]
    assert run(alice, "recover", KEY)["was_there"]

    (alice.directory / "pay.json").write_bytes(b'{"to":"bob"}')
    run(alice, "sign", "request", KEY, "pay.json", "--signers", "alice,carol", "-o", "pay.request.pem")
    request = str(alice.directory / "pay.request.pem")
    for step in ("commit", "respond"):
        for party in (alice, carol):
            run(party, "sign", step, request, *(["--in", str(inbox)] if step == "respond" else []))
            name = f"pay.{party.name}.{step.replace('respond', 'response')}.pem"
            shutil.copy(party.directory / name, inbox)
        run(carol, "sign", "status", request)
    assert run(carol, "sign", "check", request, "--in", str(inbox))["missing"] == []
    signed = run(carol, "sign", "aggregate", request, "--in", str(inbox), "-o", str(tmp_path / "pay.sig"))
    assert (tmp_path / "pay.sig").read_bytes().hex() == signed["signatures"][0]["signature"]
    assert run(carol, "sign", "status")["requests"][0]["state"] == "done"
    run(bob, "verify", "--key", KEY, str(alice.directory / "pay.json"), str(tmp_path / "pay.sig"))
    run(bob, "inspect", request)
    data = run(bob, "inspect", "--message", request)["data"]
    assert base64.b64decode(data) == b'{"to":"bob"}'
    run(bob, "completion", "fish")
    assert run(alice, "sign", "preprocess", KEY, "--count", "2")["count"] == 2
    assert run(alice, "sign", "discard", KEY)["count"] == 2
    run(alice, "sign", "request", KEY, "pay.json", "--signers", "alice,carol", "-o", "no.request.pem")
    assert run(alice, "sign", "abort", "no.request.pem")["file"] == "no.alice.abort.pem"
    assert len(run(alice, "sign", "archive")["requests"]) == 1

    assert bob.run("peer", "remove", "carol", "--json").stdout == (
        '{"schema":"frost-hsm/peer-remove/1","ok":true,"name":"carol"}\n'
    )
    abandoned = parties.propose(people, name="other")
    alice.join(abandoned)
    for command in (["dkg", "abort", "other"], ["keys", "delete", KEY]):
        document = json.loads(alice.run(*command, "--confirm-name", command[-1], "--json").stdout)
        schemas.append(document["schema"].split("/")[1])
        assert shape(document) == GOLDEN[schemas[-1]]
    home = str(tmp_path / "new")
    document = json.loads(alice.run("init", "--me", "alice", "--token", alice.uri, "--home", home, "--json").stdout)
    schemas.append(document["schema"].split("/")[1])
    assert shape(document) == GOLDEN["init"]
    assert {name for name in GOLDEN if not name.startswith((*LATER, "plain-", "ceremony-"))} - ELSEWHERE == set(schemas)


def test_every_command_of_a_key_in_use(people: list[Party], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is dealt, refreshed, and repaired for a new token."""
    alice, bob, _ = people
    schemas = set()
    send = by_command.step

    def step(party: Party, *arguments: str) -> Ran:
        ran = send(party, *arguments, "--json")
        schemas.add(held(ran)["schema"].split("/")[1])
        return ran

    monkeypatch.setattr(by_command, "step", step)
    by_command.deal(people, bytes(range(1, 33)).hex())
    by_command.refresh(people, until="finish")
    inbox = ["--in", str(by_command.inbox(alice))]
    status = json.loads(step(alice, "refresh", "status", KEY).stdout)
    assert (status["state"], status["epoch"]) == ("confirm", 1)
    assert len(json.loads(step(alice, "refresh", "round2", KEY, "--each", "parts").stdout)["files"]) == len(people) - 1
    for party in people:
        step(party, "refresh", "confirm", KEY, *inbox)
    assert json.loads(step(bob, "refresh", "status").stdout)["refreshes"][0]["state"] == "active"

    [new] = parties.gather(tmp_path / "later", ["carol"])
    by_command.meet(new, [alice, bob])
    request = by_command.repair(new, 3, [alice, bob], [])
    step(bob, "repair", "delta", request, "--each", "parts")
    assert json.loads(step(bob, "repair", "status", request).stdout)["state"] == "done"

    step(alice, "refresh", "propose", KEY)
    assert json.loads(step(alice, "dealer", "refresh", KEY).stdout)["epoch"] == 2
    step(alice, "refresh", "round1", f"{KEY}.refresh2.proposal.pem")
    document = json.loads(alice.run("refresh", "abort", KEY, "--confirm-name", KEY, "--json").stdout)
    schemas.add("refresh-abort")
    assert shape(document) == GOLDEN["refresh-abort"]
    assert {name for name in GOLDEN if name.startswith(LATER)} == {name for name in schemas if name.startswith(LATER)}


def test_every_command_for_a_coordinator(group: list[Party]) -> None:
    alice, bob, carol = group
    (bob.directory / "message").write_bytes(b"pay carol")
    token = ("--pin-source", "file:pin")
    schemas = []

    def run(party: Party, *arguments: str) -> dict[str, Any]:
        document = said(party, "sign", *arguments, "--key", KEY)
        schemas.append(document["schema"].split("/")[1])
        return document

    def named(step: str) -> list[str]:
        return [
            f"{party.name}={party.directory}/{run(party, *step.split(), *token)['file']}" for party in (alice, carol)
        ]

    given = [word for commitments in named("commit") for word in ("--commitments", commitments)]
    document = said(bob, "sign", "request", KEY, "message", *given, "-o", "package.json")
    schemas.append(document["schema"].split("/")[1])
    package = str(bob.directory / "package.json")
    shares = named(f"respond {package} --yes")
    assert run(bob, "check", package, shares[0])["missing"] == ["carol"]
    assert len(run(bob, "aggregate", package, *shares, "-o", "signature")["signature"]) == 130
    assert {name for name in GOLDEN if name.startswith("plain-")} == set(schemas)


def test_output_that_is_asked_for_on_stdout(group: list[Party]) -> None:
    alice = group[0]
    alone = alice.run("keys", "export", KEY, "-o", "-")
    assert json.loads(alone.stdout)["header"]["ciphersuite"] == "FROST-P256-SHA256-v1"
    document = json.loads(alice.run("keys", "export", KEY, "-o", "-", "--json").stdout)
    assert base64.b64decode(document["data"]).decode() == alone.stdout
    assert "Wrote it to stdout\n" in alone.stderr
    assert " - " not in alone.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["keys", "show", "--json"], 2, "usage"),
        (["nonsense", "--json"], 2, "usage"),
        (["verify", "--json", "--nonsense"], 2, "usage"),
        (["keys", "show", "nothing", "--json"], 66, "not-known"),
        (["keys", "list", "--pin", "1234", "--json"], 2, "pin-on-command-line"),
    ],
)
def test_failures_are_objects_too(people: list[Party], arguments: list[str], status: int, code: str) -> None:
    ran = people[0].launch(*arguments) if arguments[0] == "nonsense" else people[0].run(*arguments)
    assert ran.status == status
    assert error_of(ran)["code"] == code
    assert ran.stderr.startswith("error: ")
