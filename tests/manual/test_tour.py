"""The tour of the code goes where the code goes."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

from stage import walkthrough

STOPS = re.findall(r"`(frost_hsm\.[\w.]+)`", walkthrough.PAGES["tour"].read_text())


def module_of(name: str) -> ModuleType:
    """The module that a dotted name is in. Raises what is raised if it is not there."""
    module, inside = name, []
    while True:
        try:
            found = import_module(module)
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            inside.insert(0, last)
        else:
            thing: object = found
            for each in inside:
                thing = getattr(thing, each)
            return found


def imported(module: ModuleType) -> set[str]:
    """What a module imports, at the top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_every_stop_is_imported_on_the_way_to_it() -> None:
    assert len(STOPS) > 25
    seen: list[ModuleType] = []
    for stop in STOPS:
        module = module_of(stop)
        by_name = module.__name__.startswith("frost_hsm.cli.commands.")  # by `program`, when they are typed
        if seen and module not in seen and not by_name:
            assert any(module.__name__ in imported(each) for each in seen), stop
        seen.append(module)
