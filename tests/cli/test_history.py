"""``frost-hsm history``, and ``repair request --displace``: what a person sees of what hangs, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

from cli.judging import refused
from stage import by_command, parties
from stage.by_command import step
from stage.parties import Party

MESSAGE = b"pay 5 to dave"


def hang(group: list[Party]) -> str:
    """Everybody but Carol confirms a refresh; returns its id, as Alice sees it."""
    alice, *_ = group
    by_command.refresh(group, until="round2")
    for party in group[:2]:
        step(party, "refresh", "finish", "treasury", "--in", "../../inbox")
    [hanging] = _chapters(alice)[1:]
    assert not hanging["counts"]
    assert not hanging["complete"]
    return str(hanging["id"])


def _chapters(party: Party) -> list[dict[str, object]]:
    return json.loads(party.run("history", "show", "treasury", "--json").stdout)["chapters"]  # type: ignore[no-any-return]


def test_what_hangs_is_shown(group: list[Party]) -> None:
    hang(group)
    shown = group[0].run("history", "show", "treasury").stdout
    assert "hangs\n" in shown
    assert "  not by        bob, carol\n" in shown
    assert "treasury is active" in shown


def test_an_abandonment(group: list[Party]) -> None:
    alice, bob, carol = group
    refused(alice, "history", "abandon", "treasury", status=2, code="not-possible", says="there is nothing to abandon")
    hang(group)
    step(alice, "history", "abandon", "treasury")
    asked = "../../inbox/treasury.abandonment.pem"
    for party in group:
        ran = step(party, "history", "abandon", asked)
        assert "Not yet agreed to by" in ran.stdout
    for party in group:
        ran = step(party, "history", "abandon", asked, "--in", "../../inbox")
        assert "treasury goes on as it was" in ran.stdout
    assert len(parties.sign([bob, carol], MESSAGE)) == 65


def test_a_place_is_taken_and_a_standing_leads_on(group: list[Party], tmp_path: Path) -> None:
    """Alice has confirmed that Dave takes Carol's place; then it shows that all three had confirmed the refresh."""
    alice, bob, carol = group
    id_ = hang(group)
    [dave] = parties.gather(tmp_path / "people", ["dave"])
    by_command.meet(dave, group)
    folder = Path("../../inbox")
    step(alice, "keys", "export", "treasury", "--format", "bundle", "--force")
    step(dave, "keys", "import", str(folder / "treasury.public.bundle.pem"))
    request, given = str(folder / "treasury.repair3.request.pem"), ["--in", str(folder)]
    wanted = ("repair", "request", "treasury", "--helpers", "alice,bob", "--replace", "carol")
    refused(dave, *wanted, "--displace", "ffffffff", status=66, code="not-known", says="ffffffff")
    step(dave, *wanted, "--displace", id_[:8])
    for helper in (alice, bob):
        step(helper, "repair", "delta", request)
    for helper in (alice, bob):
        step(helper, "repair", "sigma", request, *given)
    step(dave, "repair", "finish", request, *given)
    ran = step(alice, "repair", "confirm", request, *given)
    assert "refresh" in ran.stderr

    step(carol, "refresh", "finish", "treasury", *given)
    for party in (bob, carol):
        assert "is in epoch 1" in step(party, "refresh", "confirm", "treasury", *given).stdout
    ran = step(alice, "refresh", "confirm", "treasury", *given)
    assert "stays in epoch 0 here: you have confirmed what displaces this refresh" in ran.stdout
    step(bob, "history", "standing", "treasury")
    ran = step(alice, "history", "take", str(folder / "treasury.bob.standing.pem"))
    assert "bob stands in treasury" in ran.stdout
    assert (alice.key().epoch, len(parties.sign([alice, carol], MESSAGE))) == (1, 65)
