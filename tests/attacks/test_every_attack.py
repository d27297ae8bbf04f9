"""No attack of the list is left out."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent

LISTED = [f"K{n}" for n in range(1, 42)] + ["K1b"] + [f"P{n}" for n in range(1, 11)] + [f"S{n}" for n in range(1, 20)]


@functools.cache
def mounted() -> dict[str, list[ast.FunctionDef]]:
    """The tests of each attack, by its number."""
    found: dict[str, list[ast.FunctionDef]] = {}
    for path in FOLDER.glob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            named = re.match(r"test_([kps])0*(\d+b?)_", node.name) if isinstance(node, ast.FunctionDef) else None
            if named is not None and isinstance(node, ast.FunctionDef):
                found.setdefault(named[1].upper() + named[2], []).append(node)
    return found


@functools.cache
def reasons() -> set[str]:
    """The attacks that the README gives a reason for."""
    return set(re.findall(r"^\| ([KPS]\d+b?) \|", (FOLDER / "README.md").read_text(), re.MULTILINE))


@pytest.mark.parametrize("attack", LISTED)
def test_it_has_a_test_or_a_reason(attack: str) -> None:
    assert attack in mounted() or attack in reasons()


def test_no_other_attack_is_named() -> None:
    assert set(mounted()) | reasons() <= set(LISTED)


def test_every_test_says_what_the_attacker_does() -> None:
    for nodes in mounted().values():
        for node in nodes:
            docstring = ast.get_docstring(node)
            assert docstring, node.name
            assert docstring.endswith("."), node.name


def test_whatever_went_wrong_once_has_tests() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", (FOLDER / "README.md").read_text())
    assert len(named) > 20
    there = {
        (path.name, node.name)
        for path in FOLDER.parent.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert set(named) <= there, set(named) - there
