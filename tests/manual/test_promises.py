"""What pages promise in numbers and names, where nothing else would notice that it is no longer so."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import walkthrough

import frost_hsm
from frost_hsm import boards
from frost_hsm.backends.arguments import check_key_id
from frost_hsm.boards import reading
from frost_hsm.ceremony.history.transcript import MOST_KEPT_WHOLE
from frost_hsm.ceremony.messages import using
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.cli.config import FILE, Config
from frost_hsm.errors import ConfigProblem, NotPossible

HOUSE = Path(frost_hsm.__file__).parent


def said(name: str) -> str:
    """Return a page on one line."""
    return " ".join(walkthrough.PAGES[name].read_text().split())


def trees(*parts: str) -> Iterator[ast.Module]:
    for path in sorted(HOUSE.rglob("*.py")):
        if not parts or path.relative_to(HOUSE).parts[0] in parts:
            yield ast.parse(path.read_text())


# ── Variables ──

_NONE = ("CKR_", "CARGO_", "FROST_HSM_BUILD_")  # what modules answer, and what is read when the native library is built
_OF_THE_SHELL = {"COMP_LINE", "COMP_POINT"}  # when it completes
_SET_FOR_OTHERS = {
    *("GIT_NO_LAZY_FETCH", "GIT_NO_REPLACE_OBJECTS", "GIT_TERMINAL_PROMPT", "LC_ALL"),
    *("LESS", "LESSHISTFILE", "LESSSECURE"),
}
_NO_VARIABLE = {"C", "FILE"}
_NAME = re.compile("[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")


def _variables(tree: ast.Module) -> Iterator[str]:
    """Whatever is asked of the environment by name, here or by way of a function or an option."""
    if not any(isinstance(node, ast.Attribute) and node.attr == "environ" for node in ast.walk(tree)):
        nodes = [each.value for each in ast.walk(tree) if isinstance(each, ast.keyword) and each.arg == "envvar"]
    else:
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAME.fullmatch(node.value):
            yield node.value


def test_every_variable_that_is_read_is_in_the_table() -> None:
    table = walkthrough.PAGES["configuration"].read_text().partition("## Variables")[2]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    listed = {name for row in rows for name in re.findall("`([A-Z0-9_]+)`", row)}
    read = {name for tree in trees() for name in _variables(tree) if not name.startswith(_NONE)}
    assert read - _OF_THE_SHELL - _SET_FOR_OTHERS - _NO_VARIABLE == listed


# ── The configuration ──


@pytest.fixture
def home(tmp_path: Path) -> StateDirectory:
    return StateDirectory.create(tmp_path / "home")


def test_the_example_of_a_configuration_is_one(home: StateDirectory) -> None:
    page = walkthrough.PAGES["configuration"].read_text()
    (example,) = [each.body for each in walkthrough.blocks(page) if each.head == "toml"]
    home.replace(FILE, example.encode())
    read = Config.load(home)
    assert read.me == tomllib.loads(example)["me"] == "alice"
    assert read.board_of("any") == "git:https://example.org/board.git#main"


@pytest.mark.parametrize(
    "addition",
    ['other = "x"', '[identity]\nrecords = "elsewhere"', "[boards]\nx = 1", "[backends.pkcs11]\nx = 1", "[more]"],
)
def test_anything_else_in_a_configuration_is_refused(home: StateDirectory, addition: str) -> None:
    text = 'schema = "frost-hsm/config/1"\nme = "alice"\ntoken = "software:t"\n'
    home.replace(FILE, text.encode())
    assert Config.load(home).me == "alice"
    home.replace(FILE, f"{text}{addition}\n".encode())
    with pytest.raises(ConfigProblem) as caught:
        Config.load(home)
    assert caught.value.exit == 78


# ── Files ──

_SUFFIX = re.compile(r"\.(?:[a-zA-Z0-9-]+\.)*(?:pem|json|html|p7s|sig|token-copy)")


def _written(tree: ast.Module) -> Iterator[str]:
    """How the names of files end that a command makes up."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and isinstance(node.values[-1], ast.Constant):
            end = str(node.values[-1].value)
            if _SUFFIX.fullmatch(end):
                yield end


def test_every_kind_of_file_is_in_the_table() -> None:
    table = walkthrough.PAGES["files"].read_text().partition("## Kinds of files")[2]
    for end in {end for tree in trees("cli") for end in _written(tree)}:
        assert end in table, end


# ── Numbers ──


def test_numbers_are_those_of_the_program() -> None:
    most = f"with up to {boards.MAX_MESSAGES:,} messages on it that are not for others, half of them by one person"
    assert f"A board is read {most}" in said("boards")
    assert reading.MAX_MESSAGES_OF_ONE * 2 == boards.MAX_MESSAGES
    assert f"In a group of more than {MOST_KEPT_WHOLE}, everybody keeps all envelopes" in said("message-formats")
    assert f"in a group of more than {MOST_KEPT_WHOLE}: that of each" in said("what-is-lost")
    assert using.MAX_THINGS == 8 << 20
    assert "is at most 8 MiB" in said("release")
    assert "A CKA_ID has 1 to 255 bytes" in said("your-token")
    check_key_id(bytes(1))
    check_key_id(bytes(255))
    for length in (0, 256):
        with pytest.raises(NotPossible):
            check_key_id(bytes(length))


def test_the_native_library_asks_for_no_randomness() -> None:
    sources = [path.read_text() for path in sorted((HOUSE / "groups/native/src").glob("*.rs"))]
    assert sources
    assert not [text for text in sources if re.search(r"\b(?:OsRng|getrandom|rand_core|rand::|thread_rng)", text)]
