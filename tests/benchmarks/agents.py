"""Time agents that sign for each other over a board: python tests/benchmarks/agents.py [--json | BOARD [IN_FLIGHT...]]

A group in which all sign, of two and of three, each with an agent and a SoftHSM2 token of their own. A program asks the
first agent for many signatures at once, and waits for all of them: each row says how many a second there are and how
long one takes; how many milliseconds of a processor a signature takes of all the agents together; and how many of these
the bare token calls take, committing and signing, made one after the other by each. What is above 1 in the ratio is
messages: signing, sending, reading and keeping them. Then the same with nonces made ahead.

BOARD: nats (if nothing is said) or dir.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import sealed
from stage import attending, joining, nats_server, parties, softhsm
from stage.parties import Party
from table import Table, show

from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.frost.packages import SigningPackage
from frost_hsm.targets.ssh import wire as ssh_wire
from frost_hsm.targets.ssh.wire import string

KEY = "release"
ROUNDS = 10
COLUMNS = ("agents", "in flight", "made ahead", "a second", "median, s", "processor, ms", "token calls, ms", "ratio")
MOST_AHEAD = 110
PAUSE = 10.0  # seconds


def main() -> None:
    """Print the table."""
    kind, *numbers = [word for word in sys.argv[1:] if word != "--json"] or ["nats"]
    in_flight = [int(number) for number in numbers] or [1, 10, 100]
    module = softhsm.module_path()
    if module is None:
        raise SystemExit("SoftHSM2 is not installed")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SOFTHSM2_CONF"] = str(softhsm.configure(Path(folder)))
        for names in (("alice", "bob"), ("alice", "bob", "carol")):
            people = _group(Path(folder) / str(len(names)), names, module)
            bare = 1000 * len(names) * _token_seconds(people)
            for ahead in (0, MOST_AHEAD):
                place = Path(folder) / f"board{len(names)}{ahead}"
                with board(kind, place) as uri, agents(uri, people, ahead) as processes:
                    for number in in_flight:
                        rows.append([str(len(names)), str(number), "yes" if ahead else "no"])
                        rows[-1] += _row(people, processes, number, ahead, bare)
    show(Table("Agents", COLUMNS, rows))


def _row(
    people: list[Party], processes: list[subprocess.Popen[bytes]], number: int, ahead: int, bare: float
) -> list[str]:
    ask(people[0], 1)  # which loads what has to be loaded
    if ahead:
        time.sleep(PAUSE)  # in which nonces are made
    before = sum(map(processor_seconds, processes))
    rate, median = ask(people[0], number)
    cpu = 1000 * (sum(map(processor_seconds, processes)) - before) / number
    return [f"{rate:.1f}", f"{median:.2f}", f"{cpu:.0f}", f"{bare:.0f}", f"{cpu / bare:.1f}"]


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """Read how long a process has been at work."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _group(folder: Path, names: tuple[str, ...], module: str) -> list[Party]:
    people = sealed.gather(folder, module, names, mark=str(len(names)))
    parties.generate(people, len(people), KEY, "ed25519")
    return people


def _token_seconds(people: list[Party]) -> float:
    """Time what one signer's token has to do for a signature: committing and signing, without any message."""
    taken = []
    with people[0].holder() as holder, people[1].holder() as other:
        mine, theirs = (
            SealedSigner(party.key(KEY), each, party.home) for party, each in zip(people, (holder, other), strict=False)
        )
        rest = {}
        for party in people[2:]:
            with party.holder() as third:
                rest[party.name] = [SealedSigner(party.key(KEY), third, party.home).commit() for _ in range(ROUNDS)]
        key = people[0].key(KEY)
        for number in range(ROUNDS):
            others = {"bob": theirs.commit(), **{name: made[number] for name, made in rest.items()}}
            start = time.process_time()
            commitments = {"alice": mine.commit(), **others}
            by_identifier = {key.identifier(name): each for name, each in commitments.items()}
            mine.sign(SigningPackage(key.suite, by_identifier, b"message"))
            taken.append(time.process_time() - start)
    return statistics.median(taken)


@contextmanager
def board(kind: str, folder: Path) -> Iterator[str]:
    """Lend a board in a folder that is made; gives its URI."""
    if kind == "dir":
        yield joining.board(folder)
    else:
        folder.mkdir()
        with nats_server.running(folder) as server:
            yield f"nats://{server.host}/FROST"


@contextmanager
def agents(uri: str, people: list[Party], ahead: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Let everybody's agent run, with so many pairs of nonces made ahead; gives their processes."""
    for party in people:
        attending.write_policy(party, all='target = "*"')
    options = ["--policy", "policy.toml", "--ahead", str(ahead)]
    with attending.running(uri, [(party, options) for party in people]) as processes:
        yield processes


def ask(party: Party, number: int) -> tuple[float, float]:
    """Ask for signatures all at once; returns how many a second there were, and the median of the seconds they took."""
    key = ssh_wire.public_key(party.key(KEY).public_key_package.verifying_key)
    limit = 60  # of programs that wait at one agent

    def ask(_: int) -> float:
        started = time.perf_counter()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(attending.socket_of(party)))
            asked = ssh_wire.to_sign("file", os.urandom(64))
            connection.sendall(string(b"\x0d" + string(key) + string(asked) + bytes(4)))
            answer = connection.recv(4096)
            if answer[4:5] != b"\x0e":
                raise SystemExit(f"no signature: {attending.said(party)}")
        return time.perf_counter() - started

    start = time.perf_counter()
    with ThreadPoolExecutor(min(number, limit)) as pool:
        taken = list(pool.map(ask, range(number)))
    return number / (time.perf_counter() - start), statistics.median(taken)


if __name__ == "__main__":
    main()
