"""People whose agents run, each in a process of its own, and a board between them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stage.parties import PROGRAM, Party

from frost_hsm.agent.log import Chain, Entry

PATIENCE = 60.0  # seconds


def write_policy(party: Party, **rules: str) -> Path:
    """Write a policy which allows what Alice asks, in rules of these names that say this besides."""
    path = party.directory / "policy.toml"
    text = 'schema = "frost-hsm/policy/1"\n'
    for name, more in rules.items():
        text += f'[[rule]]\nname = "{name}"\nkey = "*"\nasked-by = "alice"\n{more}\n'
    path.write_text(text)
    path.chmod(0o600)
    return path


def socket_of(party: Party) -> Path:
    return party.directory / "home/agent/ssh.sock"


def arguments(party: Party, uri: str, *options: str) -> list[str]:
    return party.arguments(["agent", "run", uri, *options, "--pin-source", f"file:{party.directory / 'pin'}"])


def said(party: Party) -> str:
    return (party.directory / "agent.log").read_text()


def start(party: Party, uri: str, *options: str) -> subprocess.Popen[bytes]:
    """Let an agent run; what it says goes to ``agent.log`` in the party's folder."""
    (party.directory / "agent.log").unlink(missing_ok=True)
    with (party.directory / "agent.log").open("ab") as log:
        command = [*PROGRAM, *arguments(party, uri, *options)]
        return subprocess.Popen(command, cwd=party.directory, stdout=log, stderr=log)


@contextmanager
def running(uri: str, people: Sequence[tuple[Party, Sequence[str]]]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Let agents run with these options; they are ended as a service manager does, and close their logs.

    Gives their processes.
    """
    started = []
    try:
        for party, options in people:
            started.append((party, start(party, uri, *options)))
        for party, process in started:
            wait_until(lambda party=party: "the agent is ready" in said(party), process, party)  # type: ignore[misc]
        yield [process for _, process in started]
        for _, process in started:
            process.send_signal(signal.SIGTERM)
        for party, process in started:
            assert process.wait(PATIENCE) == 0, said(party)
    finally:
        for _, process in started:
            process.kill()
            process.wait()


def wait_until(
    what: Callable[[], object], process: subprocess.Popen[bytes] | None = None, party: Party | None = None
) -> None:
    """Wait until something is so, while an agent runs."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        has_ended = process is not None and process.poll() is not None
        assert not has_ended, said(party) if party is not None else ""
        assert time.monotonic() < deadline, said(party) if party is not None else "waited in vain"
        time.sleep(0.02)


def logged(party: Party, what: str = "") -> list[Entry]:
    """What the log of an agent says, of one kind or all."""
    data = (party.directory / "home/agent/log").read_bytes()
    entries = Chain.read(data[: data.rfind(b"\n") + 1], party.public).entries
    return [each for each in entries if what in ("", each.what)]


def environment(party: Party) -> dict[str, str]:
    """The variables with which programs of SSH find the agent, and nothing of whoever runs the tests."""
    return {
        "PATH": f"{os.environ['PATH']}:/usr/sbin",
        "HOME": str(party.directory),
        "LC_ALL": "C.UTF-8",
        "SSH_AUTH_SOCK": str(socket_of(party)),
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def hook(party: Party, answer: str = "exit 0") -> str:
    """Make a program that keeps each question in a file of its own, then answers; returns the command."""
    path = party.directory / "hook"
    path.write_text(f'#!/bin/sh\ncd "{party.directory}"\ncat > "asked.$$"\nmv "asked.$$" "question.$$"\n{answer}\n')
    path.chmod(0o700)
    return str(path)


def questions(party: Party) -> list[dict[str, object]]:
    """What the hook was asked, as it was handed over."""
    paths = sorted(party.directory.glob("question.*"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(path.read_text()) for path in paths]
