"""How a command is judged: by its exit status, its one sentence, and what it left behind."""

from __future__ import annotations

import json
import re
from typing import Any

from stage.parties import Party, Ran

OF_ITSELF = ("home/lock", "home/head")
"""What a state directory keeps of itself: with the index of the files that are looked at anyway."""


def snapshot(party: Party) -> dict[str, bytes]:
    """Everything of a party that a command could change: files, and the token's objects without its PIN count."""
    kept = {}
    for path in sorted(party.directory.rglob("*")):
        name = str(path.relative_to(party.directory))
        if path.is_dir():
            kept[name] = b"a folder"
        elif path.suffix == ".token":
            token = json.loads(path.read_bytes())
            kept[name] = json.dumps([token["keys"], token["certificates"], token["records"]]).encode()
        elif path.is_file() and name not in OF_ITSELF and not name.endswith((".token.lock", "home/index.0")):
            kept[name] = path.read_bytes()
    return kept


def changes(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    """Name what is new, gone or different."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def error_of(ran: Ran) -> dict[str, Any]:
    """Return the error object that a failed ``--json`` command printed, alone, on stdout."""
    document = json.loads(ran.stdout)
    assert set(document) == {"schema", "ok", "error"}
    assert document["schema"] == "frost-hsm/error/1"
    assert document["ok"] is False
    assert set(document["error"]) == {"code", "culprits", "message", "hint"}
    error: dict[str, Any] = document["error"]
    return error


def refused(
    party: Party,
    *arguments: str,
    status: int,
    code: str,
    says: str,
    culprits: tuple[str, ...] = (),
    leaves: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Run a command that has to fail, in text and in JSON, and hold it to all that a failure promises.

    says: a part of its sentence; leaves: the only files that may appear.
    """
    before = snapshot(party)
    ran = party.run(*arguments, "--json")
    error = error_of(ran)
    assert (ran.status, error["code"]) == (status, code), error
    assert says in error["message"], error
    assert tuple(error["culprits"]) == culprits
    assert changes(before, snapshot(party)) == sorted(leaves)
    lines = ran.stderr.splitlines()
    assert f"error: {error['message']}".splitlines()[0] in lines
    assert "Traceback" not in ran.stderr
    message = error["message"]
    assert not re.match(r"[A-Z][a-z]", message), message
    assert not message.endswith(".")
    if error["hint"] is not None:
        assert f"hint: {error['hint']}" in lines
    return error
