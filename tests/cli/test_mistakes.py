"""Mistakes that people make: each answer says what is wrong, and what to do; a command in it works when it is typed."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli.judging import changes, snapshot
from stage import parties
from stage.parties import KEY, Party

import frost_hsm
from frost_hsm import cli
from frost_hsm.cli import COMMANDS, program

HOUSE = Path(frost_hsm.__file__).parent
PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b|…|\.pem\b")
COMMAND = re.compile(r"\bfrost-hsm((?: [^\s,;:]+)+)")

MISTAKES = {
    "sing request treasury m": "no such command 'sing'",
    "sign requst treasury m": "Did you mean 'request'?",
    "frobnicate": "no such command 'frobnicate'",
    "propose new -t 2 --with bob": "no such command 'propose'",
    "--verison": "Did you mean '--version'?",
    "sign request": "missing argument 'KEY'",
    "sign request treasury": "missing argument 'FILE...'",
    "sign request treasury m": "it has to be said who signs: 2 or more of alice, bob, carol",
    "sign request treasury m --signers alice": "treasury needs 2 or more different signers, not 1",
    "sign request treasury m --signers alice,dave": '"dave" is not a participant',
    "sign request treasury m --signers ''": "it is empty; a variable that is not set?",
    "sign request tresury m --signers alice,bob": 'there is no key "tresury" here',
    "sign request treasury mesage --signers alice,bob": "cannot read mesage: No such file or directory",
    "sign request treasury m --signers alice,bob -o nowhere/m": "cannot write nowhere/m: No such file or directory",
    "sign request treasury m --signers alice,bob -o in": "in exists and is not a file",
    "sign commit nothing.pem": "cannot read nothing.pem: No such file or directory",
    "sign commit message": "it looks like text, without a PEM block",
    "sign commit abcd1234": 'there is no one request "abcd1234" here',
    "sign commit": "it takes either REQUEST or --key",
    "sign respond treasury": "treasury is a key, and no request",
    "sign status treasury": "treasury is a key, and no request",
    "sign commit 'my file'": "my file: a message is not 1 PEM block",
    "sign commit my file": "got unexpected extra argument (file)",
    "sign request m treasury --signers alice,bob": "m is a file, and no key",
    "sign request treasury m --signers alice bob": "treasury needs 2 or more different signers, not 1",
    "peer add bob": "cannot read bob: No such file or directory",
    "message": "no such command 'message'",
    "ours.request.pem": "no such command 'ours.request.pem'",
    "version": "no such command 'version'",
    "id show": "no such command 'id'",
    "sign aggregate message": "it looks like text, without a PEM block",
    "sign commit theirs.request.pem": "alice is not among the signers of this request: bob, carol",
    "sign respond ours.request.pem": "your own commitment of request",
    "sign status nothing": "cannot read nothing: No such file or directory",
    "verify m sig": "missing option '--key'",
    "verify --key treasury message": "message stands alone: each message comes before its signature",
    "verify --key tresury message sig": 'there is no key "tresury" here',
    "verify --key treasury message sgi": "cannot read sgi: No such file or directory",
    "verify --key treasury sig message": "is it the other way round?",
    "verify --key message message sig": "message: this is not a public key package of a known suite",
    "verify --key treasury --suite p257 message sig": 'no ciphersuite "p257"',
    "verify --key treasury --suite ed25519 message sig": "treasury is a key of p256, not of ed25519",
    "verify --key 0011 message sig": 'there is no key "0011" here',
    "verify --key treasury --key other message sig": "--key was given 2 times, and counts once",
    "peer add": "missing argument 'FILES...'",
    "peer add bob.identity.pme": "cannot read bob.identity.pme: No such file or directory",
    "peer add in": "cannot read in: Is a directory",
    "peer add message": "it looks like text, without a PEM block",
    "peer add alice.identity.pem": "alice is your own name",
    "peer add bob.identity.pem --fingerprint 1234": "a fingerprint has 32 hexadecimal digits, not 4",
    "peer add bob.identity.pem --fingerprint 00000000000000000000000000000000": "the fingerprint of this identity",
    "peer remove dave": 'there is no peer "dave"',
    "peer list bob": "got unexpected extra argument (bob)",
    "dkg propose new -t 2": "missing option '--with'",
    "dkg propose new --with bob,carol": "missing option '-t' / '--threshold'",
    "dkg propose new -t two --with bob": "'two' is not a valid integer",
    "dkg propose new -t 4 --with bob,carol": "4 of 3 cannot be a threshold",
    "dkg propose New -t 2 --with bob": "is not a name",
    "dkg propose new -t 2 --with bob carol": "got unexpected extra argument (carol)",
    "dkg propose new -t 2 --with bob,alice": "alice is your own name, and who proposes takes part anyway",
    "join in": '"in" is not a board URI',
    "dkg propose new -t 2 --with dave": 'there is no peer "dave"',
    "dkg round1 message": "it looks like text, without a PEM block",
    "dkg round2 nothing --in in": 'there is no ceremony "nothing" here',
    "dkg round2 treasury --in nowhere": "cannot read directory nowhere: No such file or directory",
    "dkg round2 treasury --in in --in in": "--in was given 2 times, and counts once",
    "keys show": "missing argument 'NAME'",
    "keys show nothing": 'there is no key "nothing" here',
    "keys show treasury --from-token": "no such option '--from-token'",
    "keys export treasury --format pem": "would stand for another kind of signature",
    "keys list --homw x": "Did you mean '--home'?",
    "keys list --pin 1234": "PINs are never taken from the command line",
    "keys list --home nowhere": "there is no state directory nowhere",
    "identity create --adopt-sign 00": "--adopt-sign and --adopt-agree belong together",
    "identity show --token software:none": "none",
    "identity create --pin-source 1234": "unknown --pin-source",
    "identity create --pin-source file:nothing": "cannot read PIN file nothing: No such file or directory",
    "identity create --pin-source env:NOTHING": "variable NOTHING is not set",
    "init": "--me is missing",
    "init --me Alice": "is not a name",
    "backup verify message": "it looks like text, without a PEM block",
    "inspect": "missing argument 'FILES...'",
    "inspect sig": "this has 65 bytes, as a signature has",
    "inspect mesage": "cannot read mesage: No such file or directory",
    "completion": "missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish",
    "repair request treasury --helpers bob": "a share of treasury takes 2 or more different helpers, not 1",
    "completion tcsh": "'tcsh' is not one of 'bash', 'zsh', 'fish'",
    "doctor --fix": "no such option '--fix'",
}
"""What is typed, and a part of what is said then."""


def test_mistakes_of_all_kinds(group: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    alice = group[0]
    monkeypatch.chdir(alice.directory)
    monkeypatch.setenv("FROST_HSM_HOME", str(alice.directory / "home"))
    (alice.directory / "in").mkdir()
    (alice.directory / "message").write_bytes(b"hello")
    (alice.directory / "m").write_bytes(b"hello")
    (alice.directory / "my file").write_bytes(b"hello")
    (alice.directory / "sig").write_bytes(parties.sign(group[:2], b"hello"))
    for name, signers in (("ours", group[:2]), ("theirs", group[1:])):
        (alice.directory / f"{name}.request.pem").write_bytes(parties.request(signers, b"hello"))
    for party in group[:2]:
        (alice.directory / f"{party.name}.identity.pem").write_bytes(party.public.to_pem())
    before = snapshot(alice)
    hints: set[str] = set()
    for typed, says in MISTAKES.items():
        ran = alice.run(*shlex.split(typed))
        assert ran.status not in (0, 1), typed
        errors = [line for line in ran.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, (typed, ran.stderr)
        assert says in errors[0], (typed, ran.stderr)
        found = [line for line in ran.stderr.splitlines() if line.startswith("hint: ")]
        assert len(found) == 1, (typed, ran.stderr)
        hints.add(found[0])
    assert changes(before, snapshot(alice)) == []
    assert len(MISTAKES) >= 50
    meant = "see: frost-hsm dkg propose --help, frost-hsm refresh propose --help"
    assert f"hint: is it dkg propose or refresh propose? {meant}" in hints
    assert "hint: names are written with commas between them: --with alice,bob" in hints
    assert "hint: do that step first; what to type for it: frost-hsm sign status ours.request.pem" in hints
    assert "hint: is it sign? see: frost-hsm sign --help" in hints
    assert {
        "hint: is it bob.identity.pem or alice.identity.pem?",
        "hint: is it bob.identity.pem?",
        "hint: name the others: --with bob",
        "hint: it looks like dir:in, as it is a folder",
        "hint: is it treasury? see: frost-hsm keys list, frost-hsm dkg status",
        "hint: is it treasury? see: frost-hsm keys list; or name a public key package file",
        "hint: which requests there are: frost-hsm sign status",
        "hint: the name of a file with blanks in it is quoted: 'my file'",
        "hint: first the key: frost-hsm sign request KEY FILE",
        "hint: names are written with commas between them: --signers alice,bob",
        "hint: for example: frost-hsm verify --key treasury MESSAGE SIGNATURE",
        "hint: it is a file; to have it signed: frost-hsm sign request KEY message",
        "hint: it is a file; what it says: frost-hsm inspect ours.request.pem",
        "hint: it is an option: frost-hsm --version",
        "hint: is it identity? see: frost-hsm identity --help",
    } <= hints
    for hint in hints:
        for command in COMMAND.findall(hint):
            words = [word for word in shlex.split(command) if not PLACEHOLDER.search(word)]
            needs_more = PLACEHOLDER.search(command) is not None or words[0] in ("init", "setup")
            assert cli.run([*words, *(["--help"] if needs_more else [])]) == 0, hint


def _hints(path: Path) -> Iterator[str]:
    """Every command of ours that stands after a colon in a text of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r": frost-hsm ([a-z0-9-]+(?: [a-z0-9][a-z0-9-]*)?)", node.value)


@pytest.mark.parametrize("part", ["errors", "backends", "boards", "ceremony", "cli", "targets"])
def test_the_commands_in_hints_are_there(part: str) -> None:
    """Collected: in whatever a hint or a next step is made of."""
    found = {hint for path in (HOUSE / part).rglob("*.py") for hint in _hints(path)}
    for hint in found:
        name, _, verb = hint.partition(" ")
        if name == "help":  # a page of the manual
            continue
        assert name in COMMANDS, hint
        command = program.frost_hsm.get_command(click.Context(program.frost_hsm), name)
        assert not verb or not isinstance(command, click.Group) or verb in command.commands, hint
    assert KEY not in " ".join(found)
