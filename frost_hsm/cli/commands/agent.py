"""``frost-hsm agent``: a program that stays, and answers for its owner what is asked on a board."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from frost_hsm.agent.hook import Hook
from frost_hsm.agent.judge import Judge, allowed
from frost_hsm.agent.log import Chain, Entry, Log
from frost_hsm.agent.policy import MAX_SIZE, Policy
from frost_hsm.agent.question import Question
from frost_hsm.agent.ssh_socket import SshSocket, make_private
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.cli import completing
from frost_hsm.cli.ending import Ended
from frost_hsm.cli.files import door
from frost_hsm.cli.options import command, own_copies, split_names
from frost_hsm.cli.parsing import group
from frost_hsm.cli.sittings.attending import Attending
from frost_hsm.cli.sittings.heard import Heard
from frost_hsm.cli.sittings.owner import Owner
from frost_hsm.cli.sittings.signing_matter import SigningMatter
from frost_hsm.cli.steps import requests
from frost_hsm.cli.talk import keyboard
from frost_hsm.cli.talk.looks import look
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.text import quoted
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import ConfigProblem, FileMissing, MalformedMessage, NotKnown, TokenProblem, UsageProblem


@group
def agent() -> None:
    """Stay, and answer for you what is asked on a board.

    Your share is not kept: it is opened for each answer, and wiped. What is kept is the login to the token. Nothing is
    signed unless a rule of yours, a program of yours, or you have said yes to it.
    """


AHEAD, MOST_AHEAD = 8, 255
"""Pairs of nonces made ahead: each is a record in the token, and few tokens hold many."""

YOU = "-"
"""Instead of a program that is asked."""

# ── Running ──────────────────────────────────────────────────────────────────────────────────────────────────


@command(agent, "run", token=True)
@click.argument("board", metavar="[BOARD]", required=False)
@click.option("--policy", metavar="FILE", help="Rules: what one of them allows is signed without asking.")
@click.option(
    "--ask",
    "hook",
    metavar="COMMAND",
    help="Ask this program what no rule allows: the request is on its stdin, status 0 is yes. - asks you.",
)
@click.option(
    "--signers", metavar="NAMES", help="Who signs what programs of SSH want, all of them; else who is there first."
)
@click.option(
    "--socket", "socket", metavar="FILE", help="Where programs of SSH find it; else agent/ssh.sock in --home."
)
@click.option(
    "--ahead",
    metavar="COUNT",
    type=click.IntRange(0, MOST_AHEAD),
    default=AHEAD,
    show_default=True,
    help="How many pairs of nonces to keep made ahead for each key that is signed with there.",
)
@own_copies
def run(
    place: Workplace,
    board: str | None,
    policy: str | None,
    hook: str | None,
    signers: str | None,
    socket: str | None,
    ahead: int,
    files: str | None,
    clone: str | None,
) -> Result:
    """Watch BOARD and answer what is asked there, until Ctrl-C.

    The PIN is asked once, at the start. Without --policy and --ask you are asked on the terminal. With --policy alone,
    what no rule allows is not signed; you can still do that by hand. With --ask as well, the program, or you, are asked
    that, and a no is told to all. While a question waits for you, what needs no answer of yours goes on. What was
    decided, and why, is in the log: frost-hsm agent log verify.

    Programs of SSH find the group's Ed25519 keys at the socket, and wait there until enough have signed:
    ssh-keygen -Y sign, git tag -s, ssh. What they want is a request like any other, for you too.

    In the pauses nonces are made ahead, for who asks next: a signature takes one round then. Each pair waits sealed in
    the token and serves once.
    """
    if place.terminal.assumes_yes:
        raise UsageProblem("--yes would sign whatever is asked", hint="write a policy: frost-hsm help agent")
    uri = board or place.config.board_of("")
    if uri is None:
        raise UsageProblem("no board is named", hint='name one, or put it into config.toml: [boards] "*" = "dir:PATH"')
    rules = read_policy(policy) if policy is not None else None
    program = Hook(hook) if hook not in (None, YOU) else None
    asks_you = hook == YOU or (rules is None and hook is None)
    if asks_you:
        with keyboard.opened():  # or nobody could answer
            pass
    folder = _folder(place)
    make_private(folder)
    names = split_names(signers) if signers is not None else None
    with ExitStack() as stack:
        if asks_you:
            stack.enter_context(keyboard.staying_asked())
        log = stack.enter_context(Log(folder / "log", place.me))
        judge = Judge(log, rules)
        attending = stack.enter_context(
            Attending(
                place,
                uri,
                log,
                judge,
                asked=Owner() if asks_you else program,
                signers=names,
                ahead=ahead,
                files=files,
                clone=clone,
            )
        )
        with attending.holder():  # asks for the PIN
            pass
        path = Path(socket) if socket is not None else folder / "ssh.sock"
        log.add("started", board=uri, policy=policy, ask=hook, ahead=ahead)
        stack.callback(_close, attending, log)
        stack.enter_context(SshSocket(path.absolute(), attending.keys))
        place.terminal.message(f"the agent is ready; for programs of SSH: export SSH_AUTH_SOCK={quoted(str(path))}")
        with suppress(KeyboardInterrupt, Ended):
            attending.run(is_staying=True)
    yes, no = judge.numbers
    lines = [f"The agent has ended; requests allowed: {yes}, denied: {no}", f"Closed {folder / 'log'}"]
    return Result("agent-run", lines, {"board": uri, "allowed": yes, "denied": no, "log": str(folder / "log")})


def _close(attending: Attending, log: Log) -> None:
    """Have the token sign the log; a token that is gone cannot, and the log stays open."""
    attending.take_back()
    with suppress(TokenProblem), attending.holder() as holder:
        log.add("ended")
        log.sign(holder.sign)


def _folder(place: Workplace) -> Path:
    return place.home.path / "agent"


def read_policy(path: str) -> Policy:
    """Read a policy. Raises `ConfigProblem`, also for a file that others can change."""
    try:
        status = Path(path).stat()
    except OSError as error:
        raise FileMissing(f"cannot read {path}: {error.strerror}") from error
    if status.st_uid not in (os.geteuid(), 0) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        hint = f"chown it to yourself and: chmod go-w {quoted(path)}"
        raise ConfigProblem(f"other users can change {path}", hint=hint)
    if status.st_size > MAX_SIZE:
        raise ConfigProblem(f"{path} is larger than {MAX_SIZE} bytes")
    data = door.read(path)
    try:
        return Policy.parse(door.inside(data), path)
    except ConfigProblem as error:
        seen = look(data)
        if seen is None:
            raise
        raise ConfigProblem(f"{error}; it looks like {seen.what}", hint=seen.advice) from error


# ── Explaining ───────────────────────────────────────────────────────────────────────────────────────────────


@command(agent, "explain")
@click.argument("request", shell_complete=completing.requests)
@click.option("--policy", metavar="FILE", required=True, help="The rules.")
@click.option("--board", metavar="URI", help="Where to look for REQUEST if it is an id that is not known here.")
def explain(place: Workplace, request: str, policy: str, board: str | None) -> Result:
    """Say which rule allows REQUEST now, or what it misses for each.

    REQUEST is a file or the first digits of an id. What the rules allowed today is counted as the log has it. Needs no
    token and changes nothing.
    """
    rules = read_policy(policy)
    session = _find(place, request, board or place.config.board_of(""))
    question = Question.of(session, requests.lines(session))
    counted = allowed(_logged(_folder(place) / "log", place.me), rules)
    verdict = rules.judge(question, datetime.now(UTC), lambda rule, day: counted[rule, day])
    missed = {name: [miss.text for miss in misses] for name, misses in verdict.missed.items()}
    fields = {"allowed": verdict.rule is not None, "rule": verdict.rule, "missed": missed, **question.document}
    return Result("agent-explain", [*question.lines, *verdict.lines], fields)


def _find(place: Workplace, request: str, uri: str | None) -> SigningSession:
    try:
        return requests.take(place, request)
    except NotKnown:
        if uri is None:
            raise
    with place.board(uri) as board:
        heard = Heard(place, board)
        heard.read()
        found = [
            matter.session
            for matter in heard.matters.values()
            if isinstance(matter, SigningMatter) and matter.id.hex().startswith(request)
        ]
    if len(found) != 1:
        raise NotKnown(f'there is no one request "{request}", here or on {uri}')
    return found[0]


def _logged(path: Path, identity: PublicIdentity) -> tuple[Entry, ...]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    return Chain.read(data[: data.rfind(b"\n") + 1], identity).entries  # a line may be on its way


# ── The log ──────────────────────────────────────────────────────────────────────────────────────────────────


@group
def log() -> None:
    """Look after what the agent noted."""


agent.add_command(log)


@command(log, "verify")
@click.argument("file", required=False)
@click.option("--identity", metavar="FILE", help="Whose agent it was: their identity file; else you.")
def verify(place: Workplace, file: str | None, identity: str | None) -> Result:
    """Check that a log is whole, and signed by the token of its owner.

    FILE is a copy of the log; without it, your own is read. A line that was changed, taken out or put in is an error.
    What was added since the last signature is open: the agent signs when it ends. How often it was signed, and when for
    the last time, is said: that lines behind a signature were all taken away does not show. Needs no token.
    """
    public = door.parse(identity, PublicIdentity.from_pem) if identity is not None else place.me
    path = file or str(_folder(place) / "log")
    data = door.read(path)
    with door.naming(path, data, is_text=True):
        chain = Chain.read(_log_in(data), public)
    last = chain.closings[-1] if chain.closings else None
    fields = {"file": path, "of": public.name, "lines": len(chain.entries), "closed": chain.is_closed}
    fields |= {"closings": len(chain.closings), "last_closed": last.isoformat() if last is not None else None}
    lines = [f"{path}: {len(chain.entries)} lines, unbroken"]
    if not chain.is_closed:
        lines.append(f"open: {len(chain.entries) - chain.closed} lines since the last signature")
    if last is not None:
        times = "once" if len(chain.closings) == 1 else f"{len(chain.closings)} times, last"
        lines.append(f"closed by the token of {public.name} {times} on {last:%Y-%m-%d at %H:%M:%S} UTC")
        lines.append("whether it went on after its last line, no log can show: ask its owner when the agent last ran")
    return Result("agent-log-verify", lines, fields)


def _log_in(data: bytes) -> bytes:
    """Return the log in a file that mail programs and editors may have been at; that it is whole, its lines show."""
    lines = door.inside(data).replace(b"\r\n", b"\n").strip()
    if not lines:
        raise MalformedMessage("this is no log")
    return lines + b"\n"
