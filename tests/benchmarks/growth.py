"""Time commands beside few and many of what they may meet: tests/benchmarks/growth.py [--json | [KIND...] FEW MANY]

Beside 10 of them and 2000 unless told otherwise, of keys at most 1000 and of certificates 500: requests that wait,
signatures on a board, keys, peers, and certificates in the token that are nobody's here. What looks one up is compared
with itself, and what lists or reads all of them by the thing. Then, unless a kind is named, what costs most of a folder
and a file, beside reading them and doing nothing.

Every command reads the index of the state directory and what the token lists, so what looks one up grows by some
microseconds for each file that is there; a ratio as large as that of the sizes would be as bad as can be.

Keys take longest to make, most of it until what is written is synced.
"""

from __future__ import annotations

import base64
import os
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from stage import parties
from stage.certificates import Authority
from stage.parties import KEY, Party
from table import Table, show

from frost_hsm.boards import name_of
from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.history.transcript import BEGINNING
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.signing import session as signing
from frost_hsm.ceremony.store import request_folder
from frost_hsm.errors import FrostHsmError, NotYet

FEW, MANY = 10, 2000
COLUMNS = ("beside", "command", "few", "ms", "many", "ms", "ratio")
TIMES = 5
REQUEST = "message.request.pem"
BOARD = "dir:board"
ASK = ("sign", "request", KEY, "message", "--signers", "alice,bob", "--force")

Command = tuple[str, ...]


def one_more_request(trio: Sequence[Party], number: int) -> None:
    """Have Alice ask the two others, who have not answered."""
    alice = trio[0]
    with alice.holder() as holder:
        data = signing.request(holder, alice.key(), b"request %d" % number, ["bob", "carol"])
    alice.home.put(f"{request_folder(alice.session(data).id)}/{BEGINNING}", data)


def one_more_on_a_board(trio: Sequence[Party], number: int) -> None:
    """Sign once more over a board, on which everything stays."""
    alice, bob, _ = trio
    board = alice.directory / "board"
    board.mkdir(exist_ok=True)
    wanted = parties.request([bob, alice], b"request %d" % number)
    commitments = parties.commit([alice, bob], wanted)
    for said in (wanted, *commitments.values(), *parties.respond([alice, bob], wanted, commitments).values()):
        (board / f"{name_of(said)}.pem").write_bytes(said)


def one_more_key(trio: Sequence[Party], number: int) -> None:
    parties.generate(trio[:2], name=f"key-{number}")


def one_more_peer(trio: Sequence[Party], number: int) -> None:
    alice = trio[0]
    [peer] = parties.gather(alice.directory.parent / f"peers{number}", [f"peer-{number}"])
    alice.home.put(f"peers/{peer.name}.pem", peer.public.to_pem())


def one_more_certificate(trio: Sequence[Party], number: int) -> None:
    """Put what a certificate authority, of one name for all, issued to a server into Alice's token."""
    alice = trio[0]
    path, _ = Authority("ca", alice.directory).issue("localhost")
    with alice.open_token() as token:
        token.store_certificate(os.urandom(16), f"ca-{number}", ssl.PEM_cert_to_DER_cert(path.read_text()))


KINDS: dict[str, tuple[Callable[[Sequence[Party], int], None], tuple[Command, ...], tuple[Command, ...]]] = {
    "requests": (
        one_more_request,
        (("sign", "status"), ("status",), ("join", BOARD, "--once")),
        (ASK, ("sign", "commit", REQUEST, "--force"), ("sign", "status", REQUEST), ("keys", "list")),
    ),
    "signed on a board": (
        one_more_on_a_board,
        (("status", "--board", BOARD), ("join", BOARD, "--once")),
        (ASK, ("keys", "show", KEY)),
    ),
    "peers": (one_more_peer, (("peer", "list"),), (ASK, ("identity", "show"), ("keys", "show", KEY))),
    "keys": (
        one_more_key,
        (("keys", "list"), ("status",), ("join", BOARD, "--once")),
        (ASK, ("keys", "show", KEY), ("sign", "status")),
    ),
    "certificates": (
        one_more_certificate,
        (),
        (ASK, ("sign", "preprocess", KEY, "--count", "1", "--force"), ("status",), ("join", BOARD, "--once")),
    ),
}
"""How there comes to be more of a kind, what lists or reads all of it, and what looks up something else."""


MOST = {"keys": 1000, "certificates": 500}


def main() -> None:
    """Print the table."""
    few, many = [int(word) for word in sys.argv[1:] if word.isdecimal()] or (FEW, MANY)
    kinds = [word for word in sys.argv[1:] if word in KINDS]
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            row
            for number, kind in enumerate(kinds or KINDS)
            for row in _grow(Path(folder) / str(number), kind, (few, min(many, MOST.get(kind, many))))
        ]
        show(Table("Growth", COLUMNS, rows))
        if not sys.argv[1:]:
            _costs(Path(folder))


def _grow(folder: Path, kind: str, sizes: Sequence[int]) -> list[list[str]]:
    more, listings, looking = KINDS[kind]
    trio = parties.gather(folder, ["alice", "bob", "carol"])
    parties.generate(trio)
    (trio[0].directory / "message").write_bytes(b"a message")
    (trio[0].directory / "board").mkdir()
    _run(trio[0], ASK)
    times: dict[Command, list[float]] = {command: [] for command in (*listings, *looking)}
    there = 0
    for size in sizes:
        while there < size:
            more(trio, there)
            there += 1
        for command, seen in times.items():
            seen.append(_time(lambda command=command: _run(trio[0], command)))  # type: ignore[misc]
    few, many = sizes
    return [
        [
            kind,
            f"`{' '.join(command[:2])}`" + (", each" if command in listings else ""),
            *(str(few), f"{before:.1f}", str(many), f"{after:.1f}"),
            f"{after / before / (many / few if command in listings else 1):.2f}",
        ]
        for command, (before, after) in times.items()
    ]


def _costs(folder: Path) -> None:
    """What somebody may put before a command, beside reading it all and doing nothing."""
    junk, large = folder / "junk", folder / "large"
    junk.mkdir()
    large.mkdir()
    for number in range(10_000):
        (junk / f"{number}.txt").write_bytes(b"hello")
    text = base64.encodebytes(bytes(12_000_000))
    (large / "0.pem").write_bytes(b"-----BEGIN CMS-----\n" + text[: (16 << 20) - 100] + b"-----END CMS-----\n")
    for number in range(1, 40):
        (large / f"{number}.pem").hardlink_to(large / "0.pem")
    [alice] = parties.gather(folder / "costs", ["alice"])
    print(f"\n{'milliseconds':<34}{'ours':>9}{'reading':>9}{'ratio':>9}")
    for name, ours, bare in (
        ("10,000 files of junk", lambda: _gather(junk), lambda: _read(junk)),
        ("40 files of 16 MB", lambda: _gather(large), lambda: _read(large)),
        ("a backup of 16 MB that is none", lambda: alice.run("backup", "verify", str(large / "0.pem")), _decode(large)),
    ):
        measured = _time(ours), _time(bare)
        print(f"{name:<34}{measured[0]:>9.1f}{measured[1]:>9.1f}{measured[0] / measured[1]:>9.2f}")


def _gather(folder: Path) -> None:
    from frost_hsm.cli.files.incoming import gather

    try:
        gather((), str(folder))
    except FrostHsmError:
        return


def _read(folder: Path) -> None:
    for entry in os.scandir(folder):
        Path(entry.path).read_bytes()


def _decode(folder: Path) -> Callable[[], object]:
    return lambda: base64.b64decode(b"".join((folder / "0.pem").read_bytes().splitlines()[1:-1]))


def _run(party: Party, command: Command) -> None:
    ran = party.run(*command, *(("--pin-source", "file:pin") if command[0] == "join" else ()))
    if ran.status not in (0, NotYet.exit if command[0] == "join" else 0):
        raise SystemExit(ran.stderr)


def _time(operation: Callable[[], object]) -> float:
    """The median of some runs, in milliseconds of a processor: what else the machine does counts less then."""
    seen = []
    for _ in range(TIMES):
        for remembered in (signed._PARSED, signed._DECODED, kept._HISTORIES, kept._PACKAGES):  # as in a new process
            remembered._values.clear()
            remembered._size = 0
        begun = time.process_time()
        operation()
        seen.append(time.process_time() - begun)
    return 1000 * statistics.median(seen)


if __name__ == "__main__":
    main()
