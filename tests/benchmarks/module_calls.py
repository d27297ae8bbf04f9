"""Count the PKCS#11 calls of each step of a signature, and time the steps where a call takes 5 ms.

python tests/benchmarks/module_calls.py. Each step is a command of Alice's, a process. Her token is SoftHSM2's: first
behind OpenSC's spy, which counts; then behind the shim in tests/backends/shims, which waits at each call or does not.
The ratio is of the time over the module that waits to what its calls alone take: 1 is a program that does nothing else.
"""

# ruff: noqa: E402  (the path comes first)

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])

from modules import starting
from modules.owner import Owner
from modules.starting import Started
from stage import by_command, parties, shim
from stage.parties import KEY

DELAY = 5  # milliseconds a call
REQUEST = "message.request.pem"
STEPS = (
    ("sign", "request", KEY, "message", "--signers", "alice,bob"),
    ("sign", "commit", REQUEST),
    ("sign", "respond", REQUEST, "--in", "../../inbox"),
    ("sign", "preprocess", KEY, "--count", "10"),
)


def main() -> None:
    """Print the table."""
    columns = f"{'calls':>6}{'seconds':>9}{f'{DELAY} ms a call':>14}{'its calls':>11}{'ratio':>7}"
    print(f"{'':<26}{columns}  most of them")
    with ExitStack() as stack:
        spied, quick, slow = (_signer(stack, delay) for delay in (None, 0, DELAY))
        for step in STEPS:
            _take(spied, step)
            names = Counter(name.removeprefix("C_") for name in spied.calls[" ".join(step[:2])])
            often = ", ".join(f"{count} {name}" for name, count in names.most_common(4))
            times, bare = (_take(quick, step), _take(slow, step)), names.total() * DELAY / 1000
            measured = f"{names.total():>6}{times[0]:>9.2f}{times[1]:>14.2f}{bare:>11.2f}{times[1] / bare:>7.2f}"
            print(f"{' '.join(step[:2]):<26}{measured}  {often}")


def _signer(stack: ExitStack, delay: int | None) -> Owner:
    """Somebody who has a key with Bob, over the spy (None) or over the shim, with a delay in milliseconds."""
    behind = stack.enter_context(starting.start("softhsm2"))
    module = starting.spied(behind) if delay is None else _delayed(behind, delay)
    alice = Owner.of(module, behind.directory / "people/alice")
    [bob] = parties.gather(behind.directory / "people", ["bob"])
    alice.begin()
    by_command.meet(alice, [bob])
    by_command.generate([alice, bob], 2)
    (alice.directory / "message").write_bytes(b"a message")
    return alice


def _delayed(behind: Started, delay: int) -> Started:
    path = shim.compiled(behind.directory)
    if path is None:
        raise SystemExit("there is no C compiler")
    told = {"SHIM_MODULE": str(behind.path), "SHIM_DELAY": str(1000 * delay)}
    return replace(behind, path=path, environment={**behind.environment, **told})


def _take(alice: Owner, step: tuple[str, ...]) -> float:
    """Take a step, and let Bob commit after her; returns its seconds."""
    begun = time.perf_counter()
    by_command.step(alice, *step)
    seconds = time.perf_counter() - begun
    if step[1] == "commit":
        folder = alice.directory.parent / "bob"
        bob = parties.Party("bob", folder, f"software:{folder}/bob.token")
        by_command.step(bob, "sign", "commit", str(by_command.inbox(alice) / REQUEST))
    return seconds


if __name__ == "__main__":
    main()
