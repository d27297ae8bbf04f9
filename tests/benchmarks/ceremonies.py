"""What one participant of a large group takes: python tests/benchmarks/ceremonies.py [--json | N...]

Two thirds of N sign. One participant takes every step of key generation by command, each in a process of its own, with
a software token and a state directory on the disk; seconds are of the processor. The others are played: what they send
is signed by keys in memory, and they check nothing of what is sent to them. In round 2 they send a file for each, and
of groups up to 200, for comparison, one file for all.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ceremony.memory_token import MemoryToken
from stage import memory_peak, parties
from stage.parties import KEY, Party
from table import Table, show

from frost_hsm import P256
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Confirmation, Proposal, Round1, Round2
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.people import identity
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.sealing import envelope, seeds, shares
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.forms import der
from frost_hsm.frost.keys import dkg, round2
from frost_hsm.frost.keys.round1 import SecretPackage
from frost_hsm.frost.values import SigningShare
from frost_hsm.secret import system_entropy

SIZES = (20, 50, 100, 200, 1000)
MOST_FOR_ALL = 200
COLUMNS = (
    "n, t",
    "in round 2",
    "round1, s",
    "round2, s",
    "finish, s",
    "confirm, s",
    "peak, MB",
    "read, MB",
    "of it round 2",
    "kept, MB",
)


class Other:
    """Somebody of whom there is only what they send."""

    def __init__(self, name: str) -> None:
        token = MemoryToken()
        self.holder = Holder(identity.create(token, name), token)
        self.secret: SecretPackage | None = None

    def round1(self, proposal: Signed[Proposal]) -> bytes:
        self.seat = Seat.take(proposal, self.holder.public)
        n, t = len(self.seat.roster), self.seat.min_signers
        own = self.seat.identifier(self.holder.public.name)
        self.secret, package = dkg.part1(P256, own, max_signers=n, min_signers=t)
        return signed.write(Round1(self.seat.ceremony, package.serialize(), package.y_coordinates()), self.holder)

    def round2(self, round1_hash: bytes, *real: str, is_whole: bool) -> bytes:
        """Send shares: real ones to those who are measured, to everybody else something of the same length."""
        roster, context = self.seat.roster, shares._context
        with seeds.draw(system_entropy) as root:
            sealed: dict[str, bytes] = {}
            for to in (each for each in roster if each.name in (*real, self.holder.public.name)):
                bound = context(self.seat, self.holder.public, to, round1_hash)
                with self._share(roster.position(to.name)).serialize() as plaintext, shares._seed(root, bound) as seed:
                    sealed[to.name] = envelope.encrypt(bound, plaintext, to.addressees, seed=seed)
        length = len(sealed[real[0]])
        envelopes = Envelopes.of(Enclosure.of(sealed.get(each.name) or _filler(length)) for each in roster)
        if not is_whole:
            envelopes = envelopes.given({Enclosure.of(data).digest: data for data in sealed.values()})
        return signed.write(Round2(self.seat.ceremony, round1_hash, envelopes), self.holder)

    def _share(self, position: int) -> round2.Package:
        assert self.secret is not None
        polynomial = [each.scalar for each in self.secret.coefficients]
        return round2.Package(P256, SigningShare(P256, P256.group.evaluate(polynomial, [position])[0]))

    def confirm(self, confirmation: Confirmation) -> bytes:
        return signed.write(confirmation, self.holder)


def _filler(length: int) -> bytes:
    content = secrets.token_bytes(length - 4)
    return der.sequence(content)


def main() -> None:
    """Print the table."""
    sizes = [int(word) for word in sys.argv[1:] if word.isdecimal()] or SIZES
    sys.argv[1:] = [word for word in sys.argv[1:] if not word.isdecimal()]
    rows = []
    for size in sizes:
        for is_whole in (False, True)[: 2 if size <= MOST_FOR_ALL else 1]:
            with tempfile.TemporaryDirectory() as folder:
                values = measure(Path(folder), size, is_whole=is_whole)
            sent = "one file for all" if is_whole else "a file for each"
            rows.append([f"{size}, {size * 2 // 3}", sent, *map(three_digits, values)])
    show(Table("Large groups", COLUMNS, rows))


def three_digits(value: float) -> str:
    """Write three digits that say something."""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def measure(folder: Path, size: int, *, is_whole: bool) -> list[float]:
    """Have a key made by ``size`` people; returns the columns of one of them."""
    [me] = parties.gather(folder, ["me"])
    others = [Other(f"other-{number}") for number in range(2, size + 1)]
    me.home.put_all({f"peers/{each.holder.public.name}.pem": each.holder.public.to_pem() for each in others})
    names = [other.holder.public.name for other in others]
    _run(me, "dkg", "propose", KEY, "-t", str(size * 2 // 3), "--with", ",".join(names))
    proposal = signed.read((me.directory / f"{KEY}.proposal.pem").read_bytes()).expect(Proposal)

    steps = [_run(me, "dkg", "round1", f"{KEY}.proposal.pem")]
    first = {other.holder.public.name: other.round1(proposal) for other in others}
    first["me"] = (me.directory / f"{KEY}.me.round1.pem").read_bytes()
    steps.append(_run(me, "dkg", "round2", KEY, "--in", _lay(me, "round1", first), "--each", "parts"))
    roster = proposal.message.roster
    round1_hash = transcript_hash(signed.read(first[each.name], roster) for each in roster)
    second = {other.holder.public.name: other.round2(round1_hash, "me", is_whole=is_whole) for other in others}
    steps.append(_run(me, "dkg", "finish", KEY, "--in", _lay(me, "round2", second)))
    own = signed.read((me.directory / f"{KEY}.me.confirm.pem").read_bytes(), roster).message
    third = {other.holder.public.name: other.confirm(own) for other in others}
    steps.append(_run(me, "dkg", "confirm", KEY, "--in", _lay(me, "confirm", third)))
    assert me.key().public_key_package.min_signers == size * 2 // 3
    kept = sum(path.stat().st_size for path in (me.directory / "home").rglob("*") if path.is_file())
    read = [sum(map(len, said.values())) / 1e6 for said in (first, second, third)]
    return [*(seconds for seconds, _ in steps), max(peak for _, peak in steps), sum(read), read[1], kept / 1e6]


def _lay(me: Party, step: str, said: Mapping[str, bytes]) -> str:
    """Put what was said in a step where a command finds it."""
    (me.directory / step).mkdir()
    for name, data in said.items():
        (me.directory / step / f"{KEY}.{name}.{step}.pem").write_bytes(data)
    return step


def _run(me: Party, *arguments: str) -> tuple[float, float]:
    """Run a command in a process of its own, which has to succeed; returns processor seconds, and MB at its peak."""
    command, peak, ended = [*parties.PROGRAM, *me.arguments(arguments)], 0.0, 0
    said = me.directory / "said"
    with said.open("wb") as file:
        process = subprocess.Popen(command, cwd=me.directory, stdout=file, stderr=file)
        while not ended:
            with suppress(ProcessLookupError):
                peak = memory_peak.megabytes(process.pid)
            time.sleep(0.005)
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
    assert os.waitstatus_to_exitcode(status) == 0, said.read_text()
    process.returncode = 0
    return used.ru_utime + used.ru_stime, peak


if __name__ == "__main__":
    main()
