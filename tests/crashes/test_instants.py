"""Something goes wrong before a system call that changes something, or after a PKCS#11 call, of any command.

The process is killed; the disk is full from then on, or can only be read; the token goes away. Afterwards nothing is
half there, the same command completes and leaves what it would have left, and the story goes on to its end, where a
signature verifies. There are thousands of such instants; a story is told with one of each step, always the same ones,
FROST_HSM_CRASH_SEED=NUMBER takes others, and FROST_HSM_EVERY=instants takes them all, one at a time.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import pytest
from crashes.stage import TAKES_ALL, Stage, Told
from crashes.stories import STORIES, Step, steps

from frost_hsm.cli.program import frost_hsm
from frost_hsm.errors import NonceUsed, StorageProblem, TokenNotFound, TokenProblem, WrongToken

SEED = os.environ.get("FROST_HSM_CRASH_SEED", "0")
WRONG = ("kill", "full", "kill", "read-only", "kill", "token")
"""What goes wrong, in turn; ``token`` goes away."""

SHARE_IS_THERE = Step("alice", ("keys", "show", "treasury", "--check-token", "--pin-source", "file:pin"))

FAILED = {0, TokenProblem.exit, StorageProblem.exit}
"""How a command ends whose disk or token fails; where the end was near, it does not notice.

SoftHSM2 forgets an object whose file it cannot remove. Whether another destroyed these nonces cannot be told then, so
they count as used.
"""


Strikes = Mapping[int, tuple[str, int]]
"""What goes wrong at which instant of a step, by the step's number."""


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_whatever_goes_wrong_the_story_goes_on(stage: Stage, name: str) -> None:
    told = stage.tell(name)
    rng = random.Random(f"{SEED} {stage.kind} {name}")
    wrong = []
    for strikes in _every_strike(told) if TAKES_ALL else [_sample(told, rng)]:
        try:
            _tell_again(stage, told, strikes, to_the_end=not TAKES_ALL or rng.random() < 0.2)
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, "\n".join([f"FROST_HSM_CRASH_SEED={SEED}", *wrong])


def _sample(told: Sequence[Told], rng: random.Random) -> Strikes:
    """Choose one instant of every step that is struck."""
    struck = [number for number, one in enumerate(told) if one.step.is_struck]
    turn = rng.randrange(len(WRONG))
    return {
        number: (WRONG[place % len(WRONG)], rng.randint(1, len(told[number].calls)))
        for place, number in enumerate(struck, turn)
    }


def _every_strike(told: Sequence[Told]) -> Iterator[Strikes]:
    for number, one in enumerate(told):
        if one.step.is_struck:
            yield from ({number: (what, at)} for what in sorted(set(WRONG)) for at in range(1, len(one.calls) + 1))


def _tell_again(stage: Stage, told: Sequence[Told], strikes: Strikes, *, to_the_end: bool) -> None:
    """Tell a story from the first strike on.

    What is there after each has the shape that it should have; that it is right as well shows at the story's end.
    """
    orphans: Counter[str] = Counter()
    stage.put_back(told[min(strikes)].before)
    for number, one in enumerate(told):
        if number in strikes:
            what, instant = strikes[number]
            try:
                _strike(stage, one, instant, what)
                if one.step.command.startswith("refresh"):
                    stage.take(SHARE_IS_THERE)  # of this epoch or of the next, at every instant
                if not _is_same(stage, one, orphans) and number + 1 < len(told):
                    stage.put_back(told[number + 1].before)
                    orphans.clear()
            except AssertionError as error:
                where = f"{one.step.command} at {instant}, {one.calls[instant - 1]}"
                raise AssertionError(f"{what}, {where}: {error}") from error
        elif number > min(strikes) and to_the_end:
            stage.take(one.step)


def _strike(stage: Stage, one: Told, instant: int, what: str) -> None:
    token = stage.token(one.step.who)
    ended = stage.run(one.step, instant=instant, action=str(token) if what == "token" else what)
    if what == "token":
        Path(f"{token}.away").rename(token)
    if what == "kill" or (what == "token" and stage.has_module_aborted(ended)):
        assert ended.status is None
    elif what == "token" and stage.has_shown_nothing(ended):
        assert ended.status == WrongToken.exit
    else:
        allowed = FAILED | ({NonceUsed.exit} if one.step.command == "sign respond" else set())
        assert ended.status in allowed, ended.stderr
        assert ended.status == 0 or ended.stderr.splitlines()[-2].startswith("error: "), ended.stderr
    stage.require_whole()
    if stage.kind == "softhsm" and stage.has_lost_token:
        assert stage.run(one.step).status == TokenNotFound.exit
        stage.restore_token(one.before)


def _is_same(stage: Stage, one: Told, orphans: Counter[str]) -> bool:
    """Run a command again; it leaves what it would have left, and at most more orphans. Whether the story goes on."""
    ended = stage.take(one.step, again=True)
    found = stage.shape(one.step.who) - orphans
    if one.step.command == "sign respond" and ended.status == NonceUsed.exit:
        assert found - one.after == Counter(), "too much is left"
        return False  # no share has left: the people ask anew
    assert one.after - found == Counter(), "something is missing"
    assert [name for name in found - one.after if not _is_orphan(one.step, name)] == [], "too much is left"
    orphans += found - one.after
    return True


def _is_orphan(step: Step, name: str) -> bool:
    """Whether it is of no use and does no harm.

    That is nonces whose commitments were never written, which sign discard destroys; a vote on what follows a state
    that has ended, which goes with the next; and the public half of a key pair, which SoftHSM2 makes first.
    """
    if step.command == "refresh confirm":
        return name.startswith("vote.")
    is_plain = step.command == "sign commit" and "--key" in step.arguments
    if is_plain or step.command == "sign preprocess":
        return "signing-nonces" in name
    return step.command == "identity create" and name.startswith("frost-hsm alice ")


def test_every_command_is_struck() -> None:
    places = {"new": "token:", "alice": "token:", "bob": "token:", "module": "", "list": "token list"}
    told = {step.command for _, text in STORIES.values() for step in steps(text, **places) if step.is_struck}
    cheated = {"dispute answer", "dispute settle", "history leave"}  # take somebody who cheats
    boards = {"board check", "join", "status", "agent run"}  # struck where there are boards
    made_of_others = {"setup", "token restore"}  # init and identity create; one file that is renamed into its place
    reading = {"help", "agent explain", "agent log verify", "ceremony rehearse"}  # changes nothing
    assert cheated | boards | made_of_others | reading | told == set(_commands(frost_hsm, "", click.Context(frost_hsm)))


def _commands(group: click.Group, before: str, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{before}{name} ", context)
        else:
            yield before + name
