"""Where messages lie while people are apart: what a board must do, and how one is found.

A *board* is a plug-in: an entry point of the group ``frost_hsm.boards``, loaded only when it is named, by the scheme of
a board URI (``dir:…``, ``git:…``, ``nats://…``), and never guessed. It carries bytes and knows nothing of what they
say: messages are signed, and encrypted where they must be, before they are posted.

Most messages are for everybody. What is for one reader alone carries that reader's *label*, so that nobody else has to
take it in: in a large group that is nearly all. A label keeps no secret.

So a board is trusted with nothing but delivery. It may lose, repeat, reorder, withhold, invent and mislabel; whoever
reads it verifies signatures. What a `Board` owes is that nothing harms its reader: `MAX_SIZE` and `MAX_MESSAGES` hold
for whatever lies there, and what is damaged or is no message is passed over, and listed. `frost_hsm.testing` has the
kit that every board passes.

Ours: ``directory`` ``git`` ``nats``; the first two stand on ``shelf``, all on ``seen``. ``reading`` is what a reader
uses: it holds every sender to a limit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol, Self, cast, runtime_checkable

from frost_hsm import plugins
from frost_hsm.errors import BoardProblem, FrostHsmError, NotPossible, UsageProblem

ENTRY_POINT_GROUP = "frost_hsm.boards"

_PLUGINS: Final = plugins.Kind(
    ENTRY_POINT_GROUP,
    "board",
    BoardProblem,
    {
        "dir": "frost_hsm.boards.directory:DirectoryBoard",
        "git": "frost_hsm.boards.git:GitBoard",
        "nats": "frost_hsm.boards.nats:NatsBoard",
        "tls": "frost_hsm.boards.nats:NatsBoard",
    },
)

MAX_SIZE: Final = 16 << 20
"""Bytes of one message, at most: as large as a file that is sent may be."""

MAX_MESSAGES: Final = 100_000
"""Things on one board that are not for others, at most, foreign ones included; with more of them it is not read."""


NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})
"""What lies beside most messages."""

_LABEL: Final = re.compile(r"[a-z0-9]{1,64}")


@runtime_checkable
class Board(Protocol):
    """One board, open. Used as a context manager; closed at the end of the block.

    Every method may raise `BoardUnreachable`, after which the same call may work again, and `BoardProblem` for what
    somebody has to mend. After `close`, every method raises `NotPossible`. One process uses it from one thread;
    many processes, on many machines, use one board at once, and `post` may be killed at any instant.
    """

    @property
    def max_size(self) -> int:
        """Bytes of the largest message that this board takes: `MAX_SIZE`, or less where a server says so."""

    @property
    def passed_over(self) -> Sequence[str]:
        """What was found there and is no message, one line each: its name there, and why. No name is trusted."""

    def post(self, data: bytes, beside: Mapping[str, bytes] = NOTHING) -> None:
        """Put a message for everybody there, and what is for one reader each; when this returns, all has arrived.

        data: 1 to `max_size` bytes, of any values; else `NotPossible`. beside: by label, the same; who sees the message
        sees that, too. A message is known by its SHA-256, so to post the same again is fine, and puts it there again if
        the board has lost it.
        """

    def messages(self, since: str = "") -> Iterator[tuple[str, bytes]]:
        """Give every message that is for everybody or for this reader, and was not given before ``since``.

        Each comes with the cursor after it. What is for others is not taken in, and not listed.

        since: "" is the beginning. A cursor is the board's own text of at most 256 characters. One that the board does
        not know, because it was made anew or is another one, is the beginning too: to read a message again is
        harmless, to miss one is not. Within one reading no message comes twice. The order means nothing.
        """

    def wait(self, timeout: float) -> bool:
        """Wait until there may be something that `messages` has not given yet, or until seconds have passed.

        Returns whether it is worth looking: it may be true for nothing, it is not false for something that arrived.
        """

    def close(self) -> None:
        """Let go. Closing twice is fine."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


Factory = Callable[[str, Path, str], Board]
"""What an entry point of `ENTRY_POINT_GROUP` is: called with the board's URI, a directory of its own to keep what it
wants in, which may be emptied at any time and need not exist yet, and the label of its reader, or ""."""


def name_of(data: bytes) -> str:
    """Return what a message is known by on every board: its SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def require_postable(data: bytes, beside: Mapping[str, bytes] = NOTHING, max_size: int = MAX_SIZE) -> None:
    """Refuse what is no message for a board, or no label. Raises `NotPossible`."""
    for each in (data, *beside.values()):
        if not 1 <= len(each) <= max_size:
            raise NotPossible(f"a message of {len(each)} bytes: this board takes 1 to {max_size}")
    for label in beside:
        require_label(label)


def require_label(label: str) -> None:
    """Refuse what is no label: 1 to 64 of a-z and 0-9. Raises `NotPossible`."""
    if _LABEL.fullmatch(label) is None:
        raise NotPossible(f"{label!r} is no label", hint="a label is 1 to 64 of a-z 0-9")


def installed() -> frozenset[str]:
    """Name the boards that are installed, by scheme, without loading any.

    Raises `BoardProblem` if two distributions bring the same scheme.
    """
    return frozenset(_PLUGINS.installed())


def connect(uri: str, cache: Path, reader: str = "") -> Board:
    """Open the board that a URI names. cache: a private directory in which each board gets a place of its own.

    reader: their label; "" reads what is for everybody alone. Raises `NotPossible` for what is no label, `UsageProblem`
    for what is no board URI, `BoardProblem` for a board that is not installed or cannot be used, `BoardUnreachable` for
    one that is away.
    """
    if reader:
        require_label(reader)
    name = scheme(uri)
    entry = _PLUGINS.find(name)
    try:
        factory = cast("Factory", entry.load())
    except FrostHsmError:  # what it lacks
        raise
    except Exception as error:  # a plug-in may fail in any way, and must break nothing else
        raise BoardProblem(f'board "{name}:" ({plugins.owner(entry)}): import failed: {error}') from error
    try:
        return factory(uri, cache / f"{name}-{name_of(uri.encode())[:16]}", reader)
    except FrostHsmError:
        raise
    except Exception as error:
        raise BoardProblem(f'board "{name}:" ({plugins.owner(entry)}) does not start: {error}') from error


def scheme(uri: str) -> str:
    """Return the scheme that a board URI begins with. Raises `UsageProblem`."""
    name, colon, _ = uri.partition(":")
    if not colon or not name.isidentifier() or not uri.isprintable():
        is_folder = uri.isprintable() and Path(uri).is_dir()
        form = f"dir:{uri}, as it is a folder" if is_folder else "dir:PATH, git:REPOSITORY#BRANCH or nats://HOST/STREAM"
        raise UsageProblem(f'"{uri}" is not a board URI', hint=f"it looks like {form}")
    return name
