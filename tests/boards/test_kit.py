"""The conformance kit finds what is wrong with a board: each sabotage fails the test that is there to see it."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from frost_hsm import boards
from frost_hsm.boards import Board
from frost_hsm.boards.directory import DirectoryBoard
from frost_hsm.errors import FrostHsmError
from frost_hsm.testing import BoardConformance

FOUND_OUT = (AssertionError, FrostHsmError, pytest.fail.Exception, StopIteration, IndexError)


def twice(real: Callable[..., Iterator[tuple[str, bytes]]], since: str = "") -> Iterator[tuple[str, bytes]]:
    for each in real(since):
        yield from (each, each)


def altered(real: Callable[..., Iterator[tuple[str, bytes]]], since: str = "") -> Iterator[tuple[str, bytes]]:
    return ((cursor, data.replace(b"\r\n", b"\n")) for cursor, data in real(since))


SABOTAGE: dict[str, tuple[str, dict[str, Callable[..., Any]]]] = {
    "loses": ("test_what_is_posted_is_there_for_everybody", {"post": lambda real, data: None}),
    "changes line ends": ("test_what_is_posted_is_there_for_everybody", {"messages": altered}),
    "repeats": ("test_the_same_again_is_one_message", {"messages": twice}),
    "takes anything": ("test_sizes", {"post": lambda real, data: real(data) if data else None}),
    "forgets where it was": ("test_a_cursor_leads_to_what_is_new", {"messages": lambda real, since="": real("")}),
    "believes every cursor": (
        "test_a_cursor_of_an_earlier_run_misses_nothing",
        {"messages": lambda real, since="": iter(()) if since else real("")},
    ),
    "always has news": ("test_waiting_for_nothing", {"wait": lambda real, timeout: True}),
    "never has news": ("test_waiting_for_somebody", {"wait": lambda real, timeout: False}),
    "tells everybody": (
        "test_what_is_for_one_reader_is_for_nobody_else",
        {"post": lambda real, data, beside: [real(each) for each in (data, *beside.values())]},
    ),
    "loses what is for one": (
        "test_what_is_for_one_reader_is_for_nobody_else",
        {"post": lambda real, data, beside: real(data)},
    ),
    "stops at what is for many": (
        "test_much_lies_beside_a_message",
        {"messages": lambda real, since="": itertools.islice(real(since), 2)},
    ),
    "does not close": ("test_closed", {"close": lambda real: None}),
}


class Sabotaged:
    """A board with some methods replaced; each is handed the real method first."""

    def __init__(self, real: Board, replaced: dict[str, Callable[..., Any]]) -> None:
        self._real = real
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if name not in self._replaced:
            return value
        return lambda *arguments: self._replaced[name](value, *arguments)


@pytest.mark.parametrize("what", SABOTAGE)
def test_sabotage_is_found(what: str, tmp_path: Path) -> None:
    test, replaced = SABOTAGE[what]
    folder = tmp_path / "board"
    folder.mkdir()
    uri = f"dir:{folder}"
    people = itertools.count()

    def connect(person: str, label: str = "") -> Any:
        return Sabotaged(boards.connect(uri, tmp_path / person, label), replaced)

    given = {"board": connect(f"me{next(people)}"), "connect": connect, "uri": uri, "tmp_path": tmp_path}
    method = getattr(BoardConformance(), test)
    with pytest.raises(FOUND_OUT):
        method(**{name: given[name] for name in inspect.signature(method).parameters})


def test_nothing_is_found_where_nothing_is_wrong(tmp_path: Path) -> None:
    for number, (test, _) in enumerate(SABOTAGE.values()):
        folder = tmp_path / str(number)
        folder.mkdir()

        def connect(person: str, label: str = "", folder: Path = folder) -> Board:
            return DirectoryBoard(f"dir:{folder}", tmp_path / person, label)

        given = {"board": connect("me"), "connect": connect, "uri": f"dir:{folder}", "tmp_path": tmp_path}
        method = getattr(BoardConformance(), test)
        method(**{name: given[name] for name in inspect.signature(method).parameters})
