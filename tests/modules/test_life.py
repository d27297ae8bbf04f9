"""One whole life of a key, by command, on every module; and a wrong PIN is one login, whatever is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TokenFixture
from modules import page, starting
from modules.conftest import Own
from modules.starting import Started
from stage import by_command, parties


@pytest.mark.slow
def test_a_whole_life(
    module: Started,
    own: Own,
    tmp_path: Path,
    new_token: Callable[..., TokenFixture],
    backend_settings: parties.Settings,
) -> None:
    """Alice has the module under test, Bob SoftHSM2, Carol and Dave the software backend."""
    people = tmp_path / "people"
    alice = own(module)
    [bob] = parties.gather(people, ["bob"], new_token=lambda name, _: new_token(name).uri, settings=backend_settings)
    carol, dave = parties.gather(people, ["carol", "dave"])
    group = [alice, bob, carol]
    by_command.step(alice, "init", "--me", "alice", "--token", alice.uri, *alice.settings_of_init)
    alice.mistype("identity", "create", *module.identity)
    by_command.step(alice, "identity", "create", *module.identity)
    by_command.meet(alice, [bob, carol])
    by_command.meet(bob, [carol])
    alice.mistype("dkg", "propose", "another", "-t", "2", "--with", "bob")
    by_command.generate(group, 2)
    by_command.sign([alice, bob], b"first", carol)
    alice.mistype("sign", "preprocess", parties.KEY, "--count", "1")
    by_command.sign_prepared([alice, carol], b"second")
    by_command.refresh(group)
    by_command.sign([carol, alice], b"third", alice)
    alice.mistype("backup", "create", "--force")
    by_command.back_up(alice)
    alice.lose_share()
    by_command.start_over(alice, *alice.settings_of_init)
    by_command.sign([alice, bob], b"fourth", bob)
    by_command.meet(dave, group)
    by_command.repair(dave, 4, [alice, bob], [carol], "--new")
    by_command.give_up(alice)
    by_command.repair(alice, 1, [bob, dave], [carol])
    by_command.sign([alice, dave], b"fifth", alice)
    by_command.give_up(alice)
    left = {path.name.partition(".")[0] for path in (alice.directory / "home/sealed").glob("*")}
    assert left <= {"owner", "vote", "gone"}  # marks, for a token that holds none; no share and no nonces
    counted = {row[""].strip("`"): int(row["calls"]) for row in page.rows("Calls")}
    assert counted.keys() >= {"sign request", "sign commit", "sign respond"}
    if starting.is_spied(module):
        assert counted.items() <= {command: len(calls) for command, calls in alice.calls.items()}.items()
