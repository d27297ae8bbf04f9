"""What would take this process down, or its tokens away: each in a process, and mostly a SoftHSM2, of its own."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import NoInteraction, TokenFixture
from stage import softhsm

from frost_hsm import errors
from frost_hsm.backends import Backend
from frost_hsm.backends.pkcs11 import Pkcs11Backend

PIN = "1234"

SETUP = """
import os, shutil, subprocess, sys
from pathlib import Path
from frost_hsm import errors
from frost_hsm.backends import KeyKind
from frost_hsm.backends.pkcs11 import Pkcs11Backend
from frost_hsm.testing import SilentInteraction

MODULE, TOKENS = sys.argv[1], Path(sys.argv[2])
backend = Pkcs11Backend({"softhsm": MODULE}, SilentInteraction())
key_id = bytes(16)

def open_token():
    return backend.open("pkcs11:token=alice", lambda info: "1234")

def outcome(operation):
    try:
        return operation()
    except errors.FrostHsmError as error:
        return f"{type(error).__name__}: {error}"
"""


@pytest.fixture
def run(softhsm_module: str, tmp_path: Path) -> Callable[[str], list[str]]:
    """Run a script in a process with a SoftHSM2 that holds one token, alice; gives the lines that it prints."""
    environment = {**os.environ, "SOFTHSM2_CONF": str(softhsm.configure(tmp_path))}
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "alice", "--pin", PIN, "--so-pin", softhsm.SO_PIN],
        env=environment,
        check=True,
        capture_output=True,
    )

    def run(script: str) -> list[str]:
        ran = subprocess.run(
            [sys.executable, "-c", SETUP + script, softhsm_module, str(tmp_path / "tokens")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.splitlines()

    return run


def test_a_forked_child_is_refused(run: Callable[[str], list[str]]) -> None:
    lines = run("""
token = open_token()
token.generate(KeyKind.SIGN, key_id, "key")
sys.stdout.flush()
child = os.fork()
if child == 0:
    print(outcome(token.keys))
    print(outcome(open_token))
    token.close()
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
print(len(token.sign(key_id, bytes(32))))
token.close()
""")
    assert [line.partition(":")[0] for line in lines] == ["TokenLost", "TokenLost", "64"]
    assert "forked" in lines[0]


def test_a_fork_before_the_first_use_is_fine(run: Callable[[str], list[str]]) -> None:
    lines = run("""
child = os.fork()
if child == 0:
    print(open_token().keys(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(open_token().keys())
""")
    assert lines == ["[]", "[]"]


@pytest.mark.parametrize(
    "operation",
    [
        "token.keys()",
        "token.certificates()",
        "token.record_names()",
        "token.sign(key_id, bytes(32))",
        "token.sign(bytes(15) + b'1', bytes(32))",
        "token.agree(agree_id, point)",
        "token.read_record('name')",
        "token.delete_record('name')",
        "token.write_record('other', b'value')",
        "token.generate(KeyKind.SIGN, bytes(15) + b'2', 'key')",
    ],
)
def test_a_token_taken_away_is_lost(run: Callable[[str], list[str]], operation: str) -> None:
    """It never looks like an empty token, and afterwards it stays lost."""
    first, second, third = run(f"""
token = open_token()
token.generate(KeyKind.SIGN, key_id, "key")
agree_id = bytes(15) + b'3'
point = token.generate(KeyKind.AGREE, agree_id, "key")[-65:]
token.write_record("name", b"value")
shutil.rmtree(next(TOKENS.iterdir()))
print(outcome(lambda: {operation}))
print(outcome(lambda: token.keys()))
print(outcome(open_token))
token.close()
""")
    assert first.startswith('TokenLost: token "alice"')
    assert second.startswith('TokenLost: token "alice"')
    assert third.partition(":")[0] in ("TokenLost", "TokenNotFound")


def test_a_token_initialised_again_holds_nothing_old(run: Callable[[str], list[str]]) -> None:
    """SoftHSM2 keeps the serial of a token that is initialised again, so it is the same token, emptied."""
    lines = run("""
token = open_token()
token.generate(KeyKind.SIGN, key_id, "key")
token.write_record("name", b"value")
serial = token.info.serial
subprocess.run(["softhsm2-util", "--init-token", "--serial", serial, "--label", "alice", "--pin", "1234",
                "--so-pin", "87654321"], check=True, capture_output=True)
for operation in (token.keys, lambda: token.read_record("name"), lambda: token.sign(key_id, bytes(32))):
    print(outcome(operation))
token.close()
""")
    assert [line.partition(":")[0] for line in lines] == ["[]", "KeyNotFound", "KeyNotFound"]


def test_a_token_made_since_is_found(run: Callable[[str], list[str]]) -> None:
    """Also while nothing else is open; SoftHSM2 alone would not look again."""
    lines = run("""
with open_token() as token:
    print(token.keys())
subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "bob", "--pin", "1234",
                "--so-pin", "87654321"], check=True, capture_output=True)
with open_token():
    print(outcome(lambda: backend.open("pkcs11:token=bob", None)))  # starting again would close alice's session
with backend.open("pkcs11:token=bob", lambda info: "1234") as token:
    print(token.info.label)
""")
    assert lines[0] == "[]"
    assert lines[1].startswith("TokenNotFound")
    assert lines[2] == "bob"


def test_no_configuration(softhsm_module: str, tmp_path: Path) -> None:
    script = (
        SETUP
        + """
try:
    open_token()
except errors.ModuleUnavailable as error:
    print(error, error.hint)
print(backend.describe())
"""
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, softhsm_module, str(tmp_path)],
        env={**os.environ, "SOFTHSM2_CONF": str(tmp_path / "missing.conf")},
        capture_output=True,
        text=True,
        check=True,
    )
    explained, described = ran.stdout.splitlines()
    assert "CKR_GENERAL_ERROR" in explained
    assert "SOFTHSM2_CONF" in explained
    assert described.startswith("[(False,")


def test_doctor_gives_a_command_that_makes_a_token(softhsm_module: str, tmp_path: Path) -> None:
    environment = {**os.environ, "SOFTHSM2_CONF": str(softhsm.configure(tmp_path))}
    script = SETUP + "print(*(line for _, line in backend.describe()), sep='\\n')"

    def describe() -> list[str]:
        command = [sys.executable, "-c", script, softhsm_module, str(tmp_path)]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return ran.stdout.splitlines()

    before = describe()
    assert "SoftHSM" in before[0]
    command = before[1].partition("SoftHSM2: ")[2].split()
    assert command[0] == "softhsm2-util"
    subprocess.run([*command, "--pin", PIN, "--so-pin", PIN], env=environment, check=True, capture_output=True)
    after = describe()
    assert len(after) == 2
    assert "pkcs11:token=NAME;serial=" in after[1]


@pytest.mark.parametrize("order", ["theirs, ours", "ours, theirs by its real path"])
def test_a_program_may_use_the_module_too(run: Callable[[str], list[str]], tmp_path: Path, order: str) -> None:
    """With python-pkcs11, as the manual says: it loads the module first, by any path, or names it by its real path."""
    lines = run(f"""
import pkcs11
link = Path({str(tmp_path / "linked.so")!r})
link.symlink_to(MODULE)

def theirs(path):
    print([token.label for token in pkcs11.lib(str(path)).get_tokens() if token.label])

if {order == "theirs, ours"}:
    theirs(link)
with open_token() as token:
    print(token.info.label)
if {order != "theirs, ours"}:
    theirs(Path(MODULE).resolve())
""")
    assert sorted(lines) == ["['alice']", "alice"]


def test_fifty_processes_open_one_token_at_once(run: Callable[[str], list[str]]) -> None:
    """Each login rewrites a file of SoftHSM2 in place, which the others misread; all come through, one PIN each."""
    lines = run("""
begun, go = os.pipe()
children = []
for _ in range(50):
    child = os.fork()  # before the module is loaded
    if child == 0:
        os.close(go)
        os.read(begun, 1)  # until all are there
        try:
            asked = []
            with backend.open("pkcs11:token=alice", lambda info: asked.append(info) or "1234") as token:
                token.write_record(f"of {os.getpid()}", b"value")
                token.delete_record(f"of {os.getpid()}")
            os._exit(len(asked) != 1)
        except BaseException as error:
            print(type(error).__name__, error, flush=True)
            os._exit(2)
    children.append(child)
os.close(go)
print([os.waitpid(child, 0)[1] for child in children] == [0] * 50)
with open_token() as token:
    print(token.record_names())
""")
    assert lines == ["True", "[]"]


def test_a_full_disk_takes_no_token_away(run: Callable[[str], list[str]]) -> None:
    """SoftHSM2 would empty the file of the token, and then find no space to write it again."""
    first, second = run("""
from frost_hsm.backends.pkcs11.modules import softhsm
truly = os.statvfs
os.statvfs = lambda path: type("Disk", (), {"f_bavail": 0, "f_frsize": 4096})()
print(outcome(open_token))
os.statvfs = truly
print(outcome(lambda: open_token().keys()))
""")
    assert first.startswith("TokenProblem: no space is left on the disk of ")
    assert second == "[]"


# ── Several processes, one token ─────────────────────────────────────────────────────────────────────────────


def _race(module: str, uri: str, start: Any, results: Any, names: list[str], value: bytes) -> None:
    with Pkcs11Backend({"softhsm": module}, NoInteraction()).open(uri, lambda _: "frost-1234") as token:
        for name in names:
            start.wait()
            try:
                token.write_record(name, value)
                results.put((name, "done"))
            except errors.FrostHsmError as error:
                results.put((name, type(error).__name__))


@pytest.fixture
def race(softhsm_module: str) -> Callable[..., dict[str, Counter[str]]]:
    def race(uri: str, names: list[str], value: bytes) -> dict[str, Counter[str]]:
        context = multiprocessing.get_context("spawn")
        start, results = context.Barrier(3), context.Queue()
        arguments = (softhsm_module, uri, start, results, names, value)
        processes = [context.Process(target=_race, args=arguments) for _ in range(3)]
        for process in processes:
            process.start()
        outcomes: dict[str, Counter[str]] = {name: Counter() for name in names}
        for _ in range(3 * len(names)):
            name, outcome = results.get(timeout=20)
            outcomes[name][outcome] += 1
        for process in processes:
            process.join(60)
        return outcomes

    return race


def test_a_record_that_two_processes_wrote_is_not_chosen_from(
    new_token: Callable[..., TokenFixture],
    load_backend: Callable[[str], Backend],
    race: Callable[..., dict[str, Counter[str]]],
) -> None:
    """SoftHSM2 may let both write; whoever reads then gets the value, or an error, and never a guess."""
    fixture = new_token("race")
    names = [f"record {number}" for number in range(15)]
    outcomes = race(fixture.uri, names, b"value")
    assert {outcome for counts in outcomes.values() for outcome in counts} <= {"done", "KeyExists"}
    with load_backend("pkcs11").open(fixture.uri, fixture.pin_source) as token:
        stored = Counter(token.record_names())
        for name in names:
            assert stored[name] == outcomes[name]["done"]
            if stored[name] == 1:
                assert token.read_record(name) == b"value"
            elif stored[name] > 1:
                with pytest.raises(errors.TokenProblem):
                    token.read_record(name)
