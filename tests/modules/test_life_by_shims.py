"""One life of a key on what a YubiKey and a network HSM are like, by a shim in front of SoftHSM2: keys are adopted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from modules.owner import Owner
from modules.starting import Started
from stage import by_command, parties, shim

KEYS = {
    "ykcs11": (("EC:prime256v1", "02", "--usage-sign", "--always-auth"), ("EC:prime256v1", "03", "--usage-derive")),
    "network": (("EC:prime256v1", "02", "--usage-sign"), ("rsa:3072", "03", "--usage-decrypt")),
}


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", KEYS)
def test_a_life_with_adopted_keys(start: Callable[[str], Started], tmp_path: Path, behaviour: str) -> None:
    """Alice has such a token, Bob and Carol the software backend. Its records lie in the state directory."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler: apt-get install gcc libc6-dev")
    softhsm = start("softhsm2")
    tool = ("pkcs11-tool", "--module", str(softhsm.path), "--login", "--pin", softhsm.pin, "--keypairgen")
    for key_type, key_id, *uses in KEYS[behaviour]:
        softhsm.run(*tool, "--sensitive", "--key-type", key_type, "--id", key_id, *uses)
    environment = {**softhsm.environment, "SHIM": behaviour, "SHIM_MODULE": str(softhsm.path)}
    adopt = ("--adopt-sign", "02", "--adopt-agree", "03")
    module = replace(softhsm, path=shim.copy(tmp_path, tmp_path / "module.so"), environment=environment, identity=adopt)
    alice = Owner.of(module, tmp_path / "people/alice")
    bob, carol = parties.gather(tmp_path / "people", ["bob", "carol"])
    alice.begin()
    by_command.meet(alice, [bob, carol])
    by_command.meet(bob, [carol])
    group = [alice, bob, carol]
    by_command.generate(group, 2)
    by_command.sign([alice, bob], b"first", carol)
    by_command.sign_prepared([alice, carol], b"second")
    by_command.refresh(group)
    by_command.sign([carol, alice], b"third", alice)
    by_command.give_up(alice)
    assert list((alice.directory / "home/sealed").glob("signing-*")) == []
