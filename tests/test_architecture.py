"""The house: imports go down, names say what they mean, one place talks to people."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import frost_hsm
from frost_hsm import errors

HOUSE = Path(frost_hsm.__file__).parent
MODULES = sorted(HOUSE.rglob("*.py"))

GROUND = {"errors", "secret"}
MAY_IMPORT = {
    "__main__": {"cli"},
    "errors": set(),
    "file_lock": set(),
    "home_directory": {"errors"},
    "plugins": {"errors"},
    "secret": {"errors"},
    "groups": GROUND,
    "forms": GROUND,
    "frost": GROUND | {"groups"},
    "backends": GROUND | {"file_lock", "forms", "home_directory", "plugins"},
    "boards": {"errors", "file_lock", "home_directory", "plugins"},
    "ceremony": GROUND | {"file_lock", "forms", "frost", "backends"},
    "targets": GROUND | {"forms", "frost", "plugins"},
    "agent": GROUND | {"frost", "ceremony", "targets"},
    "plans": GROUND | {"forms", "frost", "ceremony", "targets"},
    "manual": {"errors"},
    "cli": GROUND
    | {"manual", "file_lock", "home_directory", "forms", "frost", "ceremony", "backends", "targets", "boards", "agent"}
    | {"plans"},
    "testing": GROUND | {"forms", "backends", "boards"},
}
"""Each part of the house and the parts below it that it may import."""

WINGS = {
    "groups": (
        *("secret_hash", "one_by_one", "weights", "libcrypto", "powers", "pycryptodome", "native", "self_test"),
        "foundations",
    ),
    "frost": (
        *("hashing", "hooks", "ciphersuites", "keeping", "values", "polynomial", "encoding", "packages", "signing"),
        *("taproot", "rerandomized", "batch", "keys"),
    ),
    "ceremony": ("people", "index", "store", "messages", "sealing", "history", "sharing", "signing"),
    "cli": (
        *(
            "config",
            "token_copy",
            "ending",
            "memory",
            "surroundings",
            "talk",
            "workplace",
            "completing",
            "parsing",
            "options",
        ),
        *("files", "steps", "sittings", "paper", "program", "commands"),
    ),
}
"""The rooms of a part that has some, each of which imports only those before it."""

DOORS = [HOUSE / "cli" / "__init__.py", HOUSE / "backends" / "pkcs11" / "__init__.py"]
"""What is imported from in its own folder, and imports from there itself only inside a function."""


def part_of(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


@functools.cache
def nodes(path: Path) -> list[ast.AST]:
    """Everything in the syntax tree of a file."""
    return list(ast.walk(ast.parse(path.read_text())))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports: at the top, inside a function, or for its types alone."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def calls(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def identify(path: Path) -> str:
    return str(path.relative_to(HOUSE))


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_imports_go_down(path: Path) -> None:
    part = part_of(path)
    ours = [name.split(".")[1:] for name in imports(path) if name.startswith("frost_hsm.")]
    for name in ours:
        if part != "__init__" and name[0] in MAY_IMPORT:
            assert name[0] == part or name[0] in MAY_IMPORT[part], f"imports {'.'.join(name)}"


def room_of(name: str) -> tuple[str, int] | None:
    """The part that a dotted name is in, below the package, and the place of its room there."""
    part, _, inside = name.partition(".")
    room = inside.partition(".")[0]
    return (part, WINGS[part].index(room)) if part in WINGS and room in WINGS[part] else None


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) in WINGS], ids=identify)
def test_imports_between_rooms_go_down(path: Path) -> None:
    here = room_of(".".join(path.relative_to(HOUSE).with_suffix("").parts))
    for name in imports(path):
        there = room_of(name.removeprefix("frost_hsm.")) if name.startswith("frost_hsm.") else None
        if here is not None and there is not None and here[0] == there[0]:
            assert there[1] <= here[1], f"imports {name}"


@pytest.mark.parametrize("part", WINGS)
def test_every_room_is_known(part: str) -> None:
    there = {path.stem for path in (HOUSE / part).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - {"__init__"} == set(WINGS[part])


def _files_imported(path: Path, files: Mapping[str, Path]) -> set[Path]:
    return {files[name] for name in imports(path) if name in files} - {path, *DOORS}


def test_no_files_import_each_other_in_a_circle() -> None:
    files = {".".join(("frost_hsm", *path.relative_to(HOUSE).with_suffix("").parts)): path for path in MODULES}
    files |= {name.removesuffix(".__init__"): path for name, path in files.items()}
    waiting = {path: _files_imported(path, files) for path in MODULES if path.parent != HOUSE}
    while ready := [path for path, needed in waiting.items() if not needed & waiting.keys()]:
        for path in ready:
            del waiting[path]
    assert not waiting, sorted(map(identify, waiting))


def test_every_part_of_the_house_is_known() -> None:
    assert {part_of(path) for path in MODULES} - {"__init__"} == set(MAY_IMPORT)


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES} - {HOUSE}), ids=identify)
def test_a_folder_says_what_is_in_it_and_in_which_order_to_read_it(folder: Path) -> None:
    package = importlib.import_module(".".join(("frost_hsm", *folder.relative_to(HOUSE).parts)))
    there = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    listed = [name for name in re.findall("``([a-z0-9_]+)``", package.__doc__ or "") if name in there]
    if folder == HOUSE / "cli" / "commands":  # a command is found by its name
        commands = set(importlib.import_module("frost_hsm.cli").COMMANDS)
        there, listed = there - commands, [name for name in listed if name not in commands]
    assert sorted(listed) == sorted(there - {"__init__"})


def test_what_tests_share_is_listed() -> None:
    stage = Path(__file__).parent / "stage"
    listed = re.findall(r"`([a-z0-9_]+)`", (stage / "README.md").read_text())
    assert sorted(listed) == sorted(path.stem for path in stage.glob("*.py"))


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) == "ceremony"], ids=identify)
def test_only_the_contract_of_backends_is_used(path: Path) -> None:
    contract = set(dir(__import__("frost_hsm.backends", fromlist=["backends"])))
    for name in imports(path):
        below = name.removeprefix("frost_hsm.backends.") if name.startswith("frost_hsm.backends.") else None
        if below is not None and "." not in below:
            assert below in contract
            assert not (HOUSE / "backends" / below).is_dir()
            assert not (HOUSE / "backends" / f"{below}.py").exists()


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) in ("frost", "groups")], ids=identify)
def test_the_protocol_is_pure(path: Path) -> None:
    """No file, clock, environment or terminal below the ceremony; groups find their libraries and time them.

    What builds one of these with cargo is no part of the program.
    """
    if path.parts[-2:] == ("native", "build.py"):
        return
    found = {name.split(".")[0] for name in imports(path)}
    assert {"pathlib", "datetime", "subprocess", "socket", "click", "tempfile", "logging"}.isdisjoint(found)
    if part_of(path) == "frost":
        assert {"os", "time"}.isdisjoint(found)
        assert "open" not in set(calls(path))


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) != "cli"], ids=identify)
def test_only_the_command_line_talks_to_people(path: Path) -> None:
    assert {"print", "input", "getpass.getpass", "click.echo", "click.prompt"}.isdisjoint(calls(path))
    assert {"click", "getpass"}.isdisjoint(name.split(".")[0] for name in imports(path))


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_modules_are_small_and_named_for_what_they_hold(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 450
    words = set(path.relative_to(HOUSE).with_suffix("").as_posix().replace("/", "_").split("_"))
    assert {"utils", "util", "common", "helpers", "helper", "manager", "misc"}.isdisjoint(words)


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=identify)
def test_a_folder_is_small(folder: Path) -> None:
    """Of commands, which are found by their names, there are as many as there are."""
    assert folder == HOUSE / "cli" / "commands" or len(list(folder.glob("*.py"))) <= 15


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_nothing_relies_on_assert(path: Path) -> None:
    """Python leaves assertions out with -O."""
    if part_of(path) != "testing":
        assert not any(isinstance(node, ast.Assert) for node in nodes(path))


def _error_classes() -> list[type[errors.FrostHsmError]]:
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass)]
    return [each for each in classes if issubclass(each, errors.FrostHsmError)]


@pytest.mark.parametrize("error", _error_classes(), ids=lambda error: error.__name__)
def test_every_error_has_a_code_a_status_and_a_hint_or_none_on_purpose(error: type[errors.FrostHsmError]) -> None:
    assert error.code
    assert error.code == error.code.lower()
    assert 1 <= error.exit <= 130
    assert error.__doc__
    without_hint = {errors.FrostHsmError, errors.Refused, errors.Aborted}  # said where they are raised, or plain
    if error not in without_hint:
        assert error.default_hint, "what should somebody do who sees this?"
