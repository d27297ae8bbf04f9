"""What the manual says of tokens: its table is of what is run here, and its commands are typed as they stand."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from modules import page
from modules.conftest import Own, Start
from modules.owner import Owner
from modules.starting import MODULES, OF_DEBIAN_13, Started
from stage import by_command

[DEBIAN_13] = re.findall(r"^modules='(.*)'", Path(__file__).with_name("debian13.sh").read_text(), re.MULTILINE)
IN_DEBIAN_13 = os.environ.get("FROST_HSM_MODULES") == DEBIAN_13


# ── The table ──


def rows_of_tested() -> dict[tuple[str, bool], dict[str, str]]:
    """What is said to be tested, by the name that it has here, and whether in a Debian 13."""
    rows = page.rows("Tested with this program")
    return {(row["tested as"].split("`")[1], "[4]" in row["tested as"]): row for row in rows}


def test_what_is_said_to_be_tested_is_what_is_run() -> None:
    assert rows_of_tested().keys() == {
        *((name, False) for name in MODULES),
        *((name, True) for name in DEBIAN_13.split()),
    }
    assert {*OF_DEBIAN_13} <= {*DEBIAN_13.split()}


def test_the_rest_is_kept_apart() -> None:
    others = page.rows("Not tried")
    assert len(others) >= 10
    assert all(row["known from"] for row in others)
    ours = {row["module"].partition(",")[0] for row in rows_of_tested().values()}
    assert ours.isdisjoint(row["module"].partition(",")[0] for row in others)


def test_what_a_module_can_is_what_is_said(name: str, module: Started) -> None:
    """By what the kit skips, which is all that it may skip, and by how its identity is made."""
    row = rows_of_tested()[name, IN_DEBIAN_13]
    assert ("ECDH" in row["open envelopes"]) == ("agree" not in module.lacks)
    assert row["records in the token"].startswith("no" if "data" in module.lacks else "yes")
    assert all(f"`{option}`" in row["makes keys for us"] for option in module.identity)


# ── The page that leads through a token ──


def follow(word: str, module: Started, own: Own, **told: str) -> Owner:
    """Type what a block of the page says, with the module of the test in the place of the one that it names."""
    alice = own(module)
    for arguments in page.blocks(word):
        if "--module" in arguments:
            arguments[arguments.index("--module") + 1] = f"it={module.path}"
        source = ["--pin-source", "file:pin"] if "--login" in arguments else []
        by_command.step(alice, *(told.get(each, each) for each in arguments), *source)
    assert "Identity of alice" in by_command.step(alice, "identity", "show").stdout
    return alice


def test_a_yubikey(start: Start, own: Own) -> None:
    alice = follow("yubikey", start("ykcs11"), own)
    by_command.back_up(alice)
    shutil.rmtree(alice.directory / "home")
    by_command.step(alice, "init", "--me", "alice", "--module", f"it={alice.module.path}", "--token", alice.uri)
    adopted = ("--adopt-sign", "02", "--adopt-agree", "03", "--earlier", "alice.identity.pem", "--force")
    by_command.step(alice, "identity", "create", *adopted)
    by_command.step(alice, "backup", "restore", "alice.backup.pem")


def test_a_network_hsm(start: Start, own: Own) -> None:
    follow("network", start("network"), own, **{"SIGN-ID": "02", "OPEN-ID": "03"})


def test_a_tpm(start: Start) -> None:
    """A life of a key begins so (`test_life`); its key of RSA takes a TPM long to make."""
    module = start("tpm2-pkcs11")
    init, create = page.blocks("tpm")
    assert (init[:4], init[5:]) == (["init", "--me", "alice", "--module"], ["--token", module.uri])
    assert create == ["identity", "create", *module.identity]


def test_a_nitrokey(start: Start, own: Own) -> None:
    """SoftHSM2 stands in for it: like it, it makes its keys itself and has room for records."""
    follow("nitrokey", start("softhsm2"), own)
