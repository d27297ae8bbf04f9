"""What the program loads to start: no more than it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from stage import parties
from stage.parties import Party

HEAVY = ("Crypto", "asn1crypto", "cryptography", "pkcs11", "importlib.metadata", "email", "tomllib", "subprocess")


def loaded_by(party: Party, *arguments: str) -> set[str]:
    """Run a command in a process of its own; return the modules that were loaded at its end."""
    report = "import sys; from frost_hsm import cli; status = cli.run(sys.argv[1:]); print(*sys.modules, sep='\\n'); "
    command = [sys.executable, "-c", report + "sys.exit(status)", *arguments]
    done = subprocess.run(command, cwd=party.directory, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def test_help_loads_nothing(people: list[Party]) -> None:
    loaded = loaded_by(people[0], "--help")
    assert not loaded & {*HEAVY, "click", "json", "ctypes", "dataclasses"}
    assert {name for name in loaded if name.startswith("frost_hsm")} == {"frost_hsm", "frost_hsm.cli"}


def test_verify_loads_neither_token_nor_ceremony(group: list[Party]) -> None:
    alice = group[0]
    (alice.directory / "message").write_bytes(b"hello")
    (alice.directory / "signature").write_bytes(parties.sign(group[:2], b"hello"))
    loaded = loaded_by(alice, "verify", "--key", alice.key().verifying_key.hex(), "message", "signature")
    assert "frost_hsm.frost.values" in loaded
    assert not loaded & {*HEAVY, "concurrent.futures", "frost_hsm.frost.packages"}
    assert not {
        name for name in loaded if name.startswith(("frost_hsm.backends", "frost_hsm.ceremony.people.identity"))
    }


@pytest.mark.parametrize("command", ["keys list", "peer list", "status"])
def test_what_needs_no_token_loads_no_backend_and_no_target(people: list[Party], command: str) -> None:
    loaded = loaded_by(people[0], *command.split(), "--home", "home")
    assert not loaded & {"pkcs11", "Crypto", "importlib.metadata", "cryptography.x509", "jwt", "embit", "jinja2"}
