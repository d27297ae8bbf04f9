"""A file for each, in place of one for all: `dkg round2 --each`, `refresh round2 --each` and `repair delta --each`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from stage import by_command, parties
from stage.parties import KEY, Party

from frost_hsm.ceremony.messages import signed


def by_parts(people: Sequence[Party], ceremony: str, stem: str) -> None:
    """Run the rounds after the proposal; in round 2 everybody is given the folder that has their name, and no more."""
    inbox = by_command.inbox(people[0])
    parts = inbox / f"{stem}.parts"
    by_command.rounds(people, ceremony, f"{stem}.proposal.pem", ["round1"])
    for party in people:
        by_command.step(party, ceremony, "round2", KEY, "--in", str(inbox), "--each", str(parts))
        assert not (party.directory / f"{stem}.{party.name}.round2.pem").exists()
    for party in people:
        given = {path.name for path in (parts / party.name).iterdir()}
        assert given == {f"{stem}.{other.name}.round2.pem" for other in people if other is not party}
        by_command.step(party, ceremony, "finish", KEY, "--in", str(parts / party.name))
    by_command.rounds(people, ceremony, "", ["confirm"])


def test_a_key_and_its_refresh_by_parts(people: list[Party]) -> None:
    by_command.step(people[0], "dkg", "propose", KEY, "-t", "2", "--with", "bob,carol")
    by_parts(people, "dkg", KEY)
    by_command.step(people[0], "refresh", "propose", KEY)
    by_parts(people, "refresh", f"{KEY}.refresh1")
    assert {party.key().epoch for party in people} == {1}
    assert len(parties.sign(people[:2], b"message")) == 65


def test_a_repair_by_parts(group: list[Party], tmp_path: Path) -> None:
    """Each helper is given what is for them alone; what they all say is what they would have said to all."""
    [dave] = parties.gather(tmp_path / "later", ["dave"])
    by_command.meet(dave, group)
    inbox = by_command.inbox(dave)
    by_command.step(group[0], "keys", "export", KEY, "--format", "bundle")
    by_command.step(dave, "keys", "import", str(inbox / f"{KEY}.public.bundle.pem"))
    by_command.step(dave, "repair", "request", KEY, "--new", "--helpers", "alice,bob,carol")
    request, stem = str(inbox / f"{KEY}.repair4.request.pem"), f"{KEY}.repair4"
    for party in group:
        said = by_command.step(party, "repair", "delta", request, "--each", str(inbox / "parts"))
        assert f"send each their own {inbox}/parts/WHO/{stem}.{party.name}.delta.pem" in said.stderr
    for party in group:
        given = inbox / "parts" / party.name
        assert {path.name for path in given.iterdir()} == {
            f"{stem}.{other.name}.delta.pem" for other in group if other is not party
        }
        assert {len(signed.parse(path.read_bytes()).enclosed) for path in given.iterdir()} == {2}
        by_command.step(party, "repair", "sigma", request, "--in", str(given))
    by_command.step(dave, "repair", "finish", request, "--in", str(inbox))
    by_command.confirm_repair(group, dave, request, "--in", str(inbox))
    assert len(parties.sign([dave, group[0]], b"message")) == 65


def test_a_part_is_made_again_for_whoever_asks(people: list[Party]) -> None:
    """Bob gave Carol the part for Alice; once it is there for her too, she goes on."""
    alice, bob, carol = people
    inbox = by_command.inbox(alice)
    by_command.step(alice, "dkg", "propose", KEY, "-t", "2", "--with", "bob,carol")
    by_command.rounds(people, "dkg", f"{KEY}.proposal.pem", ["round1"])
    for party in people:
        by_command.step(party, "dkg", "round2", KEY, "--in", str(inbox), "--each", "parts")
    mine = carol.directory / "mine"
    mine.mkdir()
    shutil.copy(alice.directory / f"parts/carol/{KEY}.alice.round2.pem", mine)
    shutil.copy(bob.directory / f"parts/alice/{KEY}.bob.round2.pem", mine)
    ran = carol.run("dkg", "finish", KEY, "--in", "mine")
    assert ran.status == 75
    assert "error: the round-2 message of bob came without the envelope for you\n" in ran.stderr
    assert f"ask for {KEY}.bob.round2.pem as it is for you" in ran.stderr
    shutil.rmtree(bob.directory / "parts")
    by_command.step(bob, "dkg", "round2", KEY, "--each", "parts")  # needs no token any more, nor the files of others
    shutil.copy(bob.directory / f"parts/carol/{KEY}.bob.round2.pem", mine)
    assert carol.run("dkg", "finish", KEY, "--in", "mine").status == 0


def test_a_part_is_a_message_like_any_other(people: list[Party]) -> None:
    alice, bob, carol = people
    by_command.step(alice, "dkg", "propose", KEY, "-t", "2", "--with", "bob,carol")
    by_command.rounds(people, "dkg", f"{KEY}.proposal.pem", ["round1"])
    inbox = str(by_command.inbox(alice))
    by_command.step(bob, "dkg", "round2", KEY, "--in", inbox, "--each", "parts")
    by_command.step(bob, "dkg", "round2", KEY)
    whole, part = f"{KEY}.bob.round2.pem", f"parts/carol/{KEY}.bob.round2.pem"
    read = [signed.parse((bob.directory / path).read_bytes()) for path in (whole, part)]
    assert read[0].content_digest == read[1].content_digest
    said = [bob.run("inspect", path).stdout for path in (whole, part)]
    assert [("enclosed" in each, each.split("enclosed", 1)[1].split()[0]) for each in said] == [
        (True, "3"),
        (True, "2"),
    ]
    refused = bob.run("dkg", "round2", KEY, "--each", "parts", "-o", "one.pem")
    assert (refused.status, refused.stderr.splitlines()[0]) == (2, "error: --each writes many files, and -o one")
    (carol.directory / "file").write_bytes(b"")
    assert bob.run("dkg", "round2", KEY, "--each", str(carol.directory / "file")).status != 0
