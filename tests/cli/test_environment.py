"""What is around a command: variables, options of Python, containers. It works, or says what it lacks: no bug."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import TokenFixture
from stage import parties
from stage.parties import KEY, PIN, PROGRAM, Party, Ran

from frost_hsm import boards
from frost_hsm.errors import BoardUnreachable

Environment = Mapping[str, str | None]
ODD = "a b\n'$(id)' é\\"
PREPARE = ("sign", "preprocess", KEY, "--count", "1", "--pin-source", "file:pin")
"""Reads and writes a state directory, opens a token with a PIN from a file, and writes a file."""


def surround(monkeypatch: pytest.MonkeyPatch, environment: Environment) -> None:
    for name in [name for name in os.environ if name.startswith(("XDG_", "FROST_HSM_HOME"))]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


def run(folder: Path, *arguments: str) -> Ran:
    ran = parties.run(folder, *arguments)
    assert "internal error" not in ran.stderr
    return ran


# ── Where things are ──

OF_HOME = "home/.local/state/frost-hsm"
LOOKED_FOR: list[tuple[Environment, str]] = [
    ({"HOME": "{}/home"}, OF_HOME),
    *(({"HOME": "{}/home", "XDG_STATE_HOME": value}, OF_HOME) for value in ("", "relative", "~/state", "./.", ".")),
    ({"HOME": f"{{}}/{ODD}"}, f"{ODD}/.local/state/frost-hsm"),
    *(({"HOME": value, "XDG_STATE_HOME": "{}/state"}, "state/frost-hsm") for value in ("/nowhere", "", "rel", None)),
    ({"XDG_STATE_HOME": f"{{}}/{ODD}"}, f"{ODD}/frost-hsm"),
    ({"XDG_STATE_HOME": "{}/\udcff"}, "\udcff/frost-hsm"),
    ({"XDG_STATE_HOME": "{}/state//x/../"}, "state/frost-hsm"),
    ({"FROST_HSM_HOME": "{}/here", "XDG_STATE_HOME": "{}/state"}, "here"),
    ({"FROST_HSM_HOME": "", "XDG_STATE_HOME": "{}/state"}, "state/frost-hsm"),
    ({"FROST_HSM_HOME": f"{{}}/{ODD}"}, ODD),
    *(
        ({"HOME": "{}/home", **dict.fromkeys(("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"), value)}, OF_HOME)
        for value in ("", "relative", "/nowhere", ODD)
    ),
]


@pytest.mark.parametrize(("environment", "place"), LOOKED_FOR)
def test_where_the_state_is_found(
    group: list[Party], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: Environment, place: str
) -> None:
    """There is everything, and nothing elsewhere."""
    folder, home = group[0].directory, tmp_path / place
    (tmp_path / "state/x").mkdir(parents=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    (folder / "home").rename(home)
    surround(monkeypatch, {name: value and value.replace("{}", str(tmp_path)) for name, value in environment.items()})
    before = {*tmp_path.rglob("*")}
    for arguments in (PREPARE, ("keys", "show", KEY), ("sign", "discard", KEY, "--yes", "--pin-source", "file:pin")):
        ran = run(folder, *arguments)
        assert ran.status == 0, ran.stderr
    elsewhere = {path for path in {*tmp_path.rglob("*")} - before if not path.is_relative_to(home)}
    assert elsewhere == {folder / f"{KEY}.alice.prepared.json"}


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"HOME": ""}, 'HOME is "", which is no folder\nhint: name one with --home'),
        ({"HOME": "rel"}, 'HOME is "rel", which is no folder\nhint: name one with --home'),
        ({"HOME": None}, "this user has no home directory\nhint: name one with --home"),
        ({"HOME": "/nowhere"}, "there is no state directory /nowhere/.local/state/frost-hsm\nhint: make one"),
        (
            {"FROST_HSM_HOME": "", "HOME": "/nowhere"},
            "there is no state directory /nowhere/.local/state/frost-hsm\nhint: make one",
        ),
    ],
)
def test_where_it_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: Environment, says: str) -> None:
    """As where a container runs as a user whom its system does not know."""
    surround(monkeypatch, environment)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])
    ran = run(tmp_path, "keys", "list")
    assert ran.status in (66, 78)
    assert ran.stderr.startswith(f"error: {says}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "list", "--home", "~/state"),
        ("inspect", "~/file"),
        ("backup", "create", "--home", "home", "--pin-source", "file:~/pin"),
        ("identity", "show", "--token", "software:~/token", "--home", "home"),
        ("init", "--me", "alice", "--token", "software:~/token", "--home", "new"),
        *(("board", "check", uri) for uri in ("dir:~/board", "dir:~nobody-has-this-name/board", "git:~/board#main")),
        ("board", "check", "nats://localhost/stream?creds=~/creds"),
    ],
)
def test_a_path_in_a_home_directory_where_there_is_none(
    people: list[Party], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    surround(monkeypatch, {"HOME": None})
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])
    ran = run(people[0].directory, *arguments)
    assert ran.status in (2, 77, 78), ran.stderr
    assert not (people[0].directory / "~").exists()
    assert "no home directory" in ran.stderr


@pytest.mark.parametrize("value", ["", "relative", "{}/cache", f"{{}}/{ODD}"])
def test_where_boards_keep_what_they_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    base = value.replace("{}", str(tmp_path))
    surround(monkeypatch, {"HOME": f"{tmp_path}/home", "XDG_CACHE_HOME": base})
    asked: list[Path] = []

    def connect(uri: str, cache: Path, *reader: str) -> Any:
        asked.append(cache)
        raise BoardUnreachable("it is not there")

    monkeypatch.setattr(boards, "connect", connect)
    run(tmp_path, "board", "check", "git:elsewhere#main")
    assert asked == [Path(base if "{}" in value else tmp_path / "home/.cache") / "frost-hsm/boards"]


# ── What Python and OpenSSL are told ──

TOLD: dict[str, Environment] = {
    "-OO": {"PYTHONOPTIMIZE": "2"},
    "-W error": {"PYTHONWARNINGS": "error"},
    "-X dev": {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"},
    "another alphabet": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a locale that is not there": {"LC_ALL": "xx_XX.UTF-8", "TZ": "nowhere", "TERM": "none", "COLUMNS": "x"},
    "next to nothing": {"PATH": None, "HOME": None, "USER": None, "TMPDIR": "/nowhere", "TERM": None, "PAGER": ""},
}


def launch(party: Party, told: Environment, *arguments: str) -> None:
    """Run a command in a process that is told this; it works, and says nothing that it does not say otherwise."""
    environment = {name: value for name, value in {**os.environ, **told}.items() if value is not None}
    line = [sys.executable, *PROGRAM[1:], *arguments, "--home", "home", "--pin-source", "file:pin"]
    done = subprocess.run(line, cwd=party.directory, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(each.startswith(("note: ", "Next: ")) for each in done.stderr.splitlines()), done.stderr


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
def test_whatever_the_interpreter_is_told(group: list[Party], told: Environment) -> None:
    launch(group[0], told, "sign", "preprocess", KEY, "--count", "1")


@pytest.mark.parametrize("told", ["-OO", "-X dev"])
def test_with_a_module_of_pkcs11(
    people: list[Party], told: str, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    alice = people[0]
    shutil.rmtree(alice.directory / "home")
    module = f"softhsm={backend_settings['pkcs11']['softhsm']}"
    ran = alice.run("init", "--me", "alice", "--token", new_token("told", PIN).uri, "--module", module)
    assert ran.status == 0, ran.stderr
    launch(alice, TOLD[told], "identity", "create")


@pytest.mark.parametrize("words", [("sign", "respond"), ("verify",), ("peer",)])
def test_help_is_not_lost(words: tuple[str, ...]) -> None:
    """-OO takes away what functions say of themselves."""
    shown = [
        subprocess.run([sys.executable, *given, *PROGRAM[1:], *words, "--help"], capture_output=True, text=True)
        for given in (["-OO"], [])
    ]
    assert (shown[0].returncode, shown[0].stdout) == (0, shown[1].stdout)


FIPS = """openssl_conf = o
[o]
providers = p
alg_section = a
[p]
base = b
[b]
activate = 1
[a]
default_properties = fips=yes
"""


@pytest.mark.parametrize(
    "command",
    [("peer", "list"), ("identity", "show"), ("identity", "create", "--pin-source", "file:pin"), PREPARE, ("doctor",)],
    ids=" ".join,
)
def test_a_configuration_of_openssl_that_leaves_nothing(people: list[Party], command: tuple[str, ...]) -> None:
    """What needs it says so; nothing calls it a bug of ours."""
    folder = people[0].directory
    (folder / "fips.cnf").write_text(FIPS)
    environment = {**os.environ, "OPENSSL_CONF": str(folder / "fips.cnf")}
    line = [*PROGRAM, *command, "--home", "home", "--json"]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert "nternal" not in done.stdout + done.stderr  # nor cryptography's InternalError
    assert done.returncode == (0 if command == ("doctor",) else 78), done.stdout
    assert ('"ready":false' in done.stdout) == (command == ("doctor",))
    assert f"OpenSSL as it is configured here (OPENSSL_CONF={folder}/fips.cnf) has no SHA-256" in done.stdout


# ── In a container ──

CONTAINER = """
mount -t tmpfs -o mode=755 secrets /mnt
mkdir /mnt/docker /mnt/kubernetes /mnt/kubernetes/..2026_11 /mnt/systemd
for file in docker/pin kubernetes/..2026_11/pin systemd/pin; do printf %s "$1" >/mnt/$file; done
ln -s ..2026_11 /mnt/kubernetes/..data
ln -s ..data/pin /mnt/kubernetes/pin
chmod 444 /mnt/docker/pin
chmod 440 /mnt/kubernetes/..2026_11/pin
chmod 400 /mnt/systemd/pin
chmod 500 /mnt/systemd
mount -o remount,ro /mnt
mount --bind "$PWD" "$PWD"
mount --bind /dev/null /dev/tty
mount -o remount,ro,bind /
cd "$PWD"
user=$2 writing=$3 reading=$4
shift 4
inside() {
    if [ "$user" = 0 ]; then as=; else as="unshare --user --map-user=$user"; fi
    $as setsid --wait sh -euc "$@"
}
inside "$writing" sh "$@"
mount -o remount,ro,bind "$PWD"
inside "$reading" sh "$@"
"""
"""A root directory that is read-only, no terminal, and a PIN as each of three systems hands it out; in it one thing is
done in a folder that can be written to, another where nothing can. A user other than 0 has no rights of root's."""

USERS = {"root": 0, "a user": 1000, "a user whom nobody knows": 54321}

WORKING = """
for system in docker kubernetes systemd; do
    "$@" sign preprocess treasury --count 1 --home home -o $system.json --pin-source file:/mnt/$system/pin
done
"$@" verify --help
"""
ASKING = """
! "$@" sign preprocess treasury --count 1 --home home
! "$@" dkg abort other --home home
"""
READING = """
"$@" keys list --home home
! "$@" sign preprocess treasury --count 1 --home home --pin-source file:/mnt/systemd/pin
"""


def in_container(party: Party, user: int, writing: str, reading: str) -> subprocess.CompletedProcess[str]:
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    enter = ["unshare", "--mount", *as_root, "sh", "-euc"]
    trial = "mount -t tmpfs none /mnt; exec unshare --user --map-user=1000 true"
    if subprocess.run([*enter, trial], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount anything, not even for themselves")
    command = [*enter, CONTAINER, "sh", PIN, str(user), writing, reading, *PROGRAM]
    return subprocess.run(command, cwd=party.directory, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_a_container_with_a_read_only_root(group: list[Party], user: int) -> None:
    done = in_container(group[0], user, WORKING, ":")
    assert done.returncode == 0, done.stderr
    open_to_others = [line for line in done.stderr.splitlines() if "is open to other users of this system" in line]
    assert [line.split("/")[2] for line in open_to_others] == ["docker", "kubernetes"]
    assert {path.name for path in group[0].directory.glob("*.json")} == {
        "docker.json",
        "kubernetes.json",
        "systemd.json",
    }


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_what_a_container_lacks_is_said(group: list[Party], user: int) -> None:
    done = in_container(group[0], user, ASKING, READING)
    assert done.returncode == 0, done.stderr
    assert "internal" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3, errors
    assert "there is no terminal to ask on" in errors[0]
    assert "Read-only file system" in errors[2]
    assert shlex.quote(KEY) in done.stdout
