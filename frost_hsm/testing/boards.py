"""What every board must pass: tests to subclass.

```python
class TestMyBoard(BoardConformance):
    @pytest.fixture
    def uri(self): ...           # of a new, empty board, for each test

    @pytest.fixture
    def litter(self, uri): ...   # puts things there that are no messages; returns how many
```
"""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from frost_hsm import boards
from frost_hsm.boards import Board
from frost_hsm.errors import NotPossible, UsageProblem

Connect = Callable[..., Board]
_PEOPLE = 4
_PATIENCE = 30.0  # seconds


def _digest(data: bytes) -> str:
    """What is compared in place of long messages, whose differences pytest would look for a minute for."""
    return hashlib.sha256(data).hexdigest()


class BoardConformance:
    """All tests of the `Board` contract. Subclass it and override the two fixtures."""

    @pytest.fixture
    def uri(self) -> str:
        """The URI of a new, empty board, for this test alone."""
        raise NotImplementedError("override the fixture uri")

    @pytest.fixture
    def litter(self) -> Callable[[], int]:
        """Puts things on the board that are no messages, and returns how many."""
        raise NotImplementedError("override the fixture litter")

    @pytest.fixture
    def connect(self, uri: str, tmp_path: Path) -> Iterator[Connect]:
        """Open the board as one of several people, each with a cache of their own, and with a label if one is given."""
        with ExitStack() as stack:
            yield lambda person, label="": stack.enter_context(boards.connect(uri, tmp_path / "caches" / person, label))

    @pytest.fixture
    def board(self, connect: Connect) -> Board:
        """The board, open."""
        return connect("me")

    def test_it_is_a_board(self, board: Board) -> None:
        """It has the methods of `Board`, and takes messages as large as they usually are."""
        assert isinstance(board, Board)
        assert 1 << 19 <= board.max_size <= boards.MAX_SIZE

    def test_an_empty_board(self, board: Board) -> None:
        """It has no messages, and nothing to pass over."""
        assert list(board.messages()) == []
        assert list(board.passed_over) == []
        assert board.wait(0) is False

    def test_what_is_posted_is_there_for_everybody(self, board: Board, connect: Connect) -> None:
        """`Board.post` returns when others can read the message, byte for byte."""
        posted = {
            b"\0",
            b"one\r\ntwo\n\n",
            bytes(range(256)),
            b"-----BEGIN CMS-----\n",
            "Zoë \u202e".encode(),
            os.urandom(1 << 17),
        }
        for data in posted:
            board.post(data)
        for reader in (connect("other"), board):
            given = [data for _, data in reader.messages()]
            assert sorted(map(_digest, given)) == sorted(map(_digest, posted))
            assert list(reader.passed_over) == []

    def test_the_same_again_is_one_message(self, board: Board, connect: Connect) -> None:
        """A message is known by its contents, whoever posts it."""
        other = connect("other")
        for each in (board, board, other):
            each.post(b"a message")
        for each in (board, other, connect("third")):
            assert [data for _, data in each.messages()] == [b"a message"]

    def test_sizes(self, board: Board) -> None:
        """From 1 to `Board.max_size` bytes; anything else raises `NotPossible` and puts nothing there."""
        largest = os.urandom(board.max_size)
        for bad in (b"", largest + b"\0"):
            with pytest.raises(NotPossible):
                board.post(bad)
        assert list(board.messages()) == []
        board.post(largest)
        assert [_digest(data) for _, data in board.messages()] == [_digest(largest)]

    def test_what_is_for_one_reader_is_for_nobody_else(self, board: Board, connect: Connect) -> None:
        """It is there for the one with its label, byte for byte; others neither get it nor are told of it."""
        for _ in range(2):
            board.post(b"all", {"alice1": b"\r\nAlice", "bob2": b"Bob", "b" * 64: b"Bea", "b": b"B"})
        expected = {"alice1": b"\r\nAlice", "bob2": b"Bob", "b" * 64: b"Bea", "b": b"B", "bob": b"", "": b""}
        for label, data in expected.items():
            reader = connect(f"person-{label}", label)
            assert sorted(data for _, data in reader.messages()) == sorted(filter(None, (b"all", data))), label
            assert list(reader.passed_over) == []

    def test_what_is_for_one_and_for_all_is_one_message(self, board: Board, connect: Connect) -> None:
        """A message is known by its contents, whomever it is for."""
        board.post(b"the same", {"alice": b"the same", "bob": b"the same"})
        for label in ("", "alice"):
            assert [data for _, data in connect(f"person-{label}", label).messages()] == [b"the same"]

    def test_much_lies_beside_a_message(self, board: Board, connect: Connect) -> None:
        """Of what is for many, each reads theirs; what comes after is not hidden by it."""
        board.post(b"first", {f"reader{number}": b"for %d" % number for number in range(150)})
        board.post(b"second", {f"reader{number}": b"again for %d" % number for number in (149, 3)})
        for number in (0, 3, 77, 149):
            reader = connect(f"person{number}", f"reader{number}")
            again = {b"again for %d" % number} if number in (3, 149) else set()
            given = list(reader.messages())
            assert {data for _, data in given} == {b"first", b"second", b"for %d" % number, *again}
            assert list(reader.messages(given[-1][0])) == []

    def test_what_is_for_one_reader_is_news_to_them(self, connect: Connect) -> None:
        """Both ways of looking for it find it: waiting, and reading on from a cursor."""
        alice, bob = connect("a", "alice"), connect("b", "bob")
        bob.post(b"all")
        cursor = [cursor for cursor, _ in alice.messages()][-1]
        bob.post(b"all", {"carol": b"for carol"})
        assert list(alice.messages(cursor)) == []
        bob.post(b"all", {"alice": b"for alice"})
        assert alice.wait(_PATIENCE) is True
        assert [data for _, data in alice.messages(cursor)] == [b"for alice"]

    @pytest.mark.parametrize("label", ["", "A", "a b", "a.b", "../a", "a*", "é", "a\n", "a" * 65])
    def test_labels_that_are_none(self, board: Board, label: str, uri: str, tmp_path: Path) -> None:
        """They raise `NotPossible`, and nothing is put there."""
        with pytest.raises(NotPossible):
            board.post(b"all", {"good": b"1", label: b"2"})
        assert list(board.messages()) == []
        if label:
            with pytest.raises(NotPossible):
                boards.connect(uri, tmp_path / "caches" / "other", label)

    def test_a_cursor_leads_to_what_is_new(self, board: Board, connect: Connect) -> None:
        """`Board.messages` gives what was not given before the cursor, wherever reading was left."""
        other = connect("other")
        sent = {b"%d" % number for number in range(5)}
        for data in sent:
            other.post(data)
        first = list(itertools.islice(board.messages(), 2))
        cursor = first[-1][0]
        assert board.wait(0) is True
        assert len(cursor) <= 256
        assert cursor.isprintable()
        rest = list(board.messages(cursor))
        assert {data for _, data in [*first, *rest]} == sent
        assert len(first) + len(rest) == len(sent)
        cursor = rest[-1][0]
        assert list(board.messages(cursor)) == []
        other.post(b"new")
        assert [data for _, data in board.messages(cursor)] == [b"new"]
        assert {data for _, data in board.messages()} == {*sent, b"new"}

    @pytest.mark.parametrize("cursor", ["nonsense", ":", "0", "99999999999999999999", "-1", "a:9", "\0", "é" * 256])
    def test_a_cursor_of_elsewhere_is_the_beginning(self, board: Board, cursor: str) -> None:
        """What the board does not know makes nobody miss a message."""
        board.post(b"a message")
        assert [data for _, data in board.messages(cursor)] == [b"a message"]

    def test_a_cursor_of_an_earlier_run_misses_nothing(self, board: Board, connect: Connect) -> None:
        """It may lead to the beginning; it never leads past what is new."""
        board.post(b"old")
        cursor = next(iter(board.messages()))[0]
        board.post(b"new")
        later = connect("later")
        given = [data for _, data in later.messages(cursor)]
        assert b"new" in given
        assert set(given) <= {b"old", b"new"}

    def test_litter_is_passed_over_and_listed(self, board: Board, litter: Callable[[], int]) -> None:
        """What is no message is no message, and is said to be there."""
        board.post(b"before")
        number = litter()
        board.post(b"after")
        assert sorted(data for _, data in board.messages()) == [b"after", b"before"]
        assert len(board.passed_over) == number
        assert sorted(data for _, data in board.messages()) == [b"after", b"before"]
        assert len(board.passed_over) == number
        assert all(len(line) < 500 for line in board.passed_over)

    def test_waiting_for_nothing(self, board: Board) -> None:
        """`Board.wait` returns when the time is over; what is known already is not new."""
        board.post(b"a message")
        list(board.messages())
        started = time.monotonic()
        assert board.wait(1.0) is False
        assert 0.9 <= time.monotonic() - started < _PATIENCE

    def test_waiting_for_somebody(self, board: Board, connect: Connect) -> None:
        """`Board.wait` returns soon after somebody else has posted, and at once if that was before."""
        other = connect("other")
        list(board.messages())
        timer = threading.Timer(0.5, other.post, [b"at last"])
        timer.start()
        started = time.monotonic()
        assert board.wait(_PATIENCE) is True
        assert time.monotonic() - started < _PATIENCE / 2
        timer.join()
        assert board.wait(_PATIENCE) is True
        assert [data for _, data in board.messages()] == [b"at last"]

    def test_what_came_while_one_posted_is_news(self, board: Board, connect: Connect) -> None:
        """`Board.wait` is about what was read, not about what was posted."""
        list(board.messages())
        connect("other").post(b"theirs")
        board.post(b"mine")
        started = time.monotonic()
        assert board.wait(_PATIENCE) is True
        assert time.monotonic() - started < _PATIENCE / 2
        assert {data for _, data in board.messages()} == {b"mine", b"theirs"}

    def test_many_post_at_once(self, connect: Connect) -> None:
        """Nothing of anybody is lost."""
        people = [connect(f"person{number}") for number in range(_PEOPLE)]
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for step in range(4):
                    people[number].post(b"%d: %d" % (number, step))
                    people[number].post(b"all say %d" % step)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=[number]) for number in range(_PEOPLE)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert failures == []
        expected = {b"%d: %d" % (number, step) for number in range(_PEOPLE) for step in range(4)}
        expected |= {b"all say %d" % step for step in range(4)}
        for reader in (people[0], connect("reader")):
            given = [data for _, data in reader.messages()]
            assert len(given) == len(set(given))
            assert set(given) == expected

    def test_closed(self, board: Board) -> None:
        """Closing twice is fine; after it every method raises `NotPossible`."""
        board.close()
        board.close()
        for operation in (lambda: board.post(b"a"), lambda: list(board.messages()), lambda: board.wait(0)):
            with pytest.raises(NotPossible):
                operation()

    def test_uris_that_name_no_board(self, uri: str, tmp_path: Path) -> None:
        """They raise `UsageProblem`."""
        for bad in (f"{boards.scheme(uri)}:", f"{uri}\n", f"{uri}\0"):
            with pytest.raises(UsageProblem):
                boards.connect(bad, tmp_path)
