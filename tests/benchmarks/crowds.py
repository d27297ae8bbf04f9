"""What a key takes that very many make, all in one process: python tests/benchmarks/crowds.py [--json | N...]

Two thirds of N sign. Participants have software tokens and state directories, which lie in memory, and take every step
of key generation through the library; in round 2 each is sent what is for them alone. Up to 200 all N are real. Of
larger groups ten are, to whom all others send real messages, with a real envelope for each of the ten, as in
`ceremonies.py`. Seconds are of the processor, of one participant on average; "all" is of everything.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from ceremonies import Other, three_digits
from stage import memory_peak, parties
from stage.parties import KEY, Messages, Party, inbox
from table import Table, show

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Proposal, Round2
from frost_hsm.ceremony.messages.signed import transcript_hash
from frost_hsm.ceremony.sharing import keygen

SIZES = (50, 100, 200, 1000)
MOST_REAL, SAMPLE = 200, 10
COLUMNS = (
    "n, t",
    "real",
    "round1, s",
    "round2, s",
    "finish, s",
    "confirm, s",
    "all, s",
    "peak, MB",
    "read, MB",
    "kept, MB",
)

T = TypeVar("T")


def main() -> None:
    """Print the table."""
    sizes = [int(word) for word in sys.argv[1:] if word.isdecimal()] or SIZES
    sys.argv[1:] = [word for word in sys.argv[1:] if not word.isdecimal()]
    rows = []
    for size in sizes:
        real = size if size <= MOST_REAL else SAMPLE
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            values = measure(Path(folder), size, real)
        rows.append([f"{size}, {size * 2 // 3}", str(real), *map(three_digits, values)])
    show(Table("Ceremonies in one process", COLUMNS, rows))


def measure(folder: Path, size: int, real: int) -> list[float]:
    """Have a key made by ``size`` people, of whom ``real`` are; returns the columns."""
    Path("/proc/self/clear_refs").write_text("5")  # of each size the peak of its own
    people = {f"p{number}": parties.gather(folder / str(number), [f"p{number}"])[0] for number in range(real)}
    others = {each.holder.public.name: each for each in (Other(f"other-{number}") for number in range(real, size))}
    began = time.process_time()
    first, *_ = people.values()
    peers = [*(party.public for party in people.values()), *(each.holder.public for each in others.values())][1:]
    with first.holder() as holder:
        written = keygen.propose(holder, KEY, peers, min_signers=size * 2 // 3, suite="p256")
    proposal = signed.read(written).expect(Proposal)

    steps: list[float] = []

    def step(work: Callable[[Party], T]) -> dict[str, T]:
        """Have everybody take a step, one after the other."""
        start = time.process_time()
        done = {name: work(party) for name, party in people.items()}
        steps.append((time.process_time() - start) / real)
        return done

    said = step(lambda party: party.join(written).round1(party.holder))
    round1 = {**said, **{name: each.round1(proposal) for name, each in others.items()}}
    step(lambda party: party.ceremony().round2(party.holder, inbox(round1.values())))
    roster = proposal.message.roster
    round1_hash = transcript_hash(signed.read(round1[each.name], roster) for each in roster)
    from_others = {name: each.round2(round1_hash, *people, is_whole=False) for name, each in others.items()}
    given: dict[str, Messages] = {name: dict(from_others) for name in people}
    for name, party in people.items():
        for to, data in party.ceremony().transcript.parts(Round2):
            if to in given:
                given[to][name] = data
    said = step(lambda party: party.ceremony().finish(party.holder, inbox(given[party.name].values())).message)
    own = signed.read(said[first.name], roster).message
    round3 = {**said, **{name: each.confirm(own) for name, each in others.items()}}
    step(lambda party: party.ceremony().confirm(inbox(round3.values())))
    assert len({party.key().state.digest for party in people.values()}) == 1
    if real == size:  # then they are enough to sign
        assert len(parties.sign([*people.values()][: size * 2 // 3], b"message")) == 65
    all_ = time.process_time() - began
    read = _size(round1.values()) + _size(round3.values()) + sum(_size(each.values()) for each in given.values()) / real
    kept = _size_of_files(folder) / real
    return [*steps, all_, memory_peak.megabytes(), read, kept]


def _size(messages: Iterable[bytes]) -> float:
    return sum(map(len, messages)) / 1e6


def _size_of_files(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("home/**/*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
