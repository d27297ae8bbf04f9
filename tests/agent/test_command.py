"""``frost-hsm agent`` by hand: what it refuses, what it asks on a terminal, what it explains, what its log says."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from contextlib import nullcontext
from pathlib import Path

import pytest
from cli.at_terminal import Session
from stage import attending, joining, parties
from stage.parties import KEY, Party

from frost_hsm.cli.commands.agent import read_policy
from frost_hsm.errors import ConfigProblem, FileMissing, UsageProblem


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Party, Party]:
    alice, bob = parties.gather(tmp_path_factory.mktemp("people"), ("alice", "bob"))
    parties.generate([alice, bob])
    return alice, bob


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return joining.board(tmp_path / "board")


def ask(alice: Party, uri: str, text: str = "pay\n") -> str:
    """Ask for a signature on a board; returns the id."""
    (alice.directory / "pay.txt").write_text(text)
    asked = alice.run("sign", "request", KEY, "pay.txt", "--board", uri, "--force", "--json")
    assert asked.status == 0, asked.stderr
    return str(json.loads(asked.stdout)["request"])


def has_committed(party: Party, request: str) -> bool:
    return party.home.exists(f"requests/{request}/commit/{party.name}.pem")


def test_what_no_rule_allows_it_asks_on_its_terminal_and_does_what_was_said(
    pair: tuple[Party, Party], uri: str
) -> None:
    alice, bob = pair
    attending.write_policy(bob, tags='target = "git"')
    started = attending.arguments(bob, uri, "--policy", "policy.toml", "--ask", "-")
    with Session(started, cwd=bob.directory, columns=80) as session:
        session.expect("the agent is ready")
        yes = ask(alice, uri, "yes\n")
        session.expect("| yes")
        digest = re.search(r"sha256 ([0-9a-f]{64})", session.shown)
        assert digest is not None
        session.expect("Agree to sign this message?")
        session.type(digest[1][-4:] + "\n")
        session.expect("bob said yes")
        session.expect("your commitment is sent")
        no = ask(alice, uri, "no\n")
        session.expect("| no")
        session.expect("Agree to sign this message?")
        session.type("\n")
        session.expect("bob said no")
        session.expect("you said no, and the others are told")
        session.interrupt()
        session.expect("requests allowed: 1, denied: 1")
        assert session.end() == 0
    assert (has_committed(bob, yes), has_committed(bob, no)) == (True, False)
    assert [entry.what for entry in attending.logged(bob)][-2:] == ["ended", "closed"]


def test_while_a_question_waits_what_is_allowed_goes_on(pair: tuple[Party, Party], uri: str) -> None:
    alice, bob = pair
    attending.write_policy(bob, tiny='target = "raw"\nmax-size = 6')
    started = attending.arguments(bob, uri, "--policy", "policy.toml", "--ask", "-")
    with Session(started, cwd=bob.directory, columns=80) as session:
        session.expect("the agent is ready")
        long = ask(alice, uri, "longer than that\n")
        session.expect("Agree to sign this message?")
        before = len(session.shown)
        allowed = [ask(alice, uri, f"{number}\n") for number in range(3)]
        attending.wait_until(lambda: all(has_committed(bob, each) for each in allowed))
        assert not has_committed(bob, long)
        session.read()
        assert allowed[0][:8] not in session.shown[before:], "the question stays the last on the terminal"
        digest = re.findall(r"sha256 ([0-9a-f]{64})", session.shown)[-1]
        session.type(digest[-4:] + "\n")
        session.expect(f"request {allowed[0][:8]}: allowed by")
        session.expect("bob said yes")
        attending.wait_until(lambda: has_committed(bob, long))
        ask(alice, uri, "another that is long\n")
        session.expect("Agree to sign this message?")
        session.interrupt()
        session.expect("requests allowed: 4, denied: 0")
        assert session.end() == 0


def test_a_question_that_nobody_waits_for_is_withdrawn(pair: tuple[Party, Party], uri: str) -> None:
    alice, bob = pair
    with Session(attending.arguments(bob, uri), cwd=bob.directory, columns=80) as session:
        session.expect("the agent is ready")
        request = ask(alice, uri, "to be taken back\n")
        session.expect("Agree to sign this message?")
        assert alice.run("sign", "abort", request, "--board", uri).status == 0
        ask(alice, uri, "something else\n")
        session.expect("| something else")
        session.expect("Agree to sign this message?")
        session.type("\n")
        session.expect("bob said no")
        session.interrupt()
        assert session.end() == 0


def test_without_anybody_who_answers_it_does_not_start(pair: tuple[Party, Party], uri: str) -> None:
    _, bob = pair
    start = ["agent", "run", uri, "--pin-source", f"file:{bob.directory / 'pin'}"]
    ran = bob.run(*start, "--yes")
    assert (ran.status, "--yes would sign whatever is asked" in ran.stderr) == (UsageProblem.exit, True)
    ran = bob.run(*start, "--ask", "/nowhere/program")
    assert (ran.status, "there is no program /nowhere/program" in ran.stderr) == (ConfigProblem.exit, True)
    ran = bob.run("agent", "run")
    assert (ran.status, "no board is named" in ran.stderr) == (UsageProblem.exit, True)
    policy = attending.write_policy(bob, all='target = "*"')
    policy.chmod(0o620)
    ran = bob.run(*start, "--policy", str(policy))
    assert (ran.status, "other users can change" in ran.stderr) == (ConfigProblem.exit, True)
    policy.write_text("")
    policy.chmod(0o600)
    ran = bob.run(*start, "--policy", str(policy))
    assert (ran.status, "does not begin with schema" in ran.stderr) == (ConfigProblem.exit, True)
    ran = bob.run(*start, "--policy", "none.toml")
    assert ran.status == FileMissing.exit
    assert not attending.socket_of(bob).exists()


def test_a_policy_that_another_user_owns_is_one_that_they_can_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('schema = "frost-hsm/policy/1"\n')
    path.chmod(0o644)
    fields = list(path.stat())
    for owner, is_taken in ((os.geteuid(), True), (0, True), (os.geteuid() + 1, False)):
        fields[stat.ST_UID] = owner
        found = os.stat_result(fields)
        monkeypatch.setattr(Path, "stat", lambda self, found=found: found)
        with nullcontext() if is_taken else pytest.raises(ConfigProblem, match="other users can change"):
            read_policy(str(path))


def test_without_a_terminal_it_does_not_start_to_ask_on_one(pair: tuple[Party, Party], uri: str) -> None:
    _, bob = pair
    ran = bob.launch(*attending.arguments(bob, uri)[:3], program=("setsid", "--wait", *parties.PROGRAM))
    assert ran.status == 69, ran.stderr
    assert "error:" in ran.stderr


def test_rules_are_explained(pair: tuple[Party, Party], uri: str) -> None:
    alice, bob = pair
    request = ask(alice, uri)
    policy = attending.write_policy(bob, small='target = "raw"\nmax-size = 2', git='target = "git"')
    ran = bob.run("agent", "explain", request[:8], "--policy", str(policy), "--board", uri)
    assert ran.status == 0, ran.stderr
    assert ran.stdout.splitlines()[-3:] == [
        "denied",
        'rule "small": it has 4 bytes, and may have 2',
        'rule "git": the target is raw, and not git',
    ]
    policy = attending.write_policy(
        bob, small='target = "raw"\nmax-size = 2', pay='target = "raw"\nwhere.path = "pay*"'
    )
    asked = str(alice.directory / "pay.txt.request.pem")
    ran = bob.run("agent", "explain", asked, "--policy", str(policy), "--json")
    assert ran.status == 0, ran.stderr
    document = json.loads(ran.stdout)
    assert (document["allowed"], document["rule"], document["missed"]) == (True, "pay", {})
    ran = bob.run("agent", "explain", "0000", "--policy", str(policy), "--board", uri)
    assert (ran.status, 'no one request "0000"' in ran.stderr) == (66, True)
    assert not has_committed(bob, request)


def test_a_policy_denies_and_waits_and_the_log_says_so(pair: tuple[Party, Party], uri: str) -> None:
    alice, bob = pair
    allowed, denied = ask(alice, uri, "short\n"), ask(alice, uri, "long enough to be denied\n")
    attending.write_policy(bob, short='target = "raw"\nmax-size = 10\nper-day = 1')
    with attending.running(uri, [(bob, ["--policy", "policy.toml"])]):
        attending.wait_until(
            lambda: {each.fields.get("request") for each in attending.logged(bob)} >= {allowed, denied}
        )
        waiting = ask(alice, uri, "more\n")
        attending.wait_until(lambda: waiting in [each.fields.get("request") for each in attending.logged(bob)])
    said = {each.fields["request"]: each.what for each in attending.logged(bob) if "why" in each.fields}
    assert [said[each] for each in (allowed, denied, waiting)] == ["allowed", "denied", "waiting"]
    assert [has_committed(bob, each) for each in (allowed, denied, waiting)] == [True, False, False]


def test_the_log_is_verified_by_whoever_has_the_identity(pair: tuple[Party, Party], uri: str) -> None:
    alice, bob = pair
    attending.write_policy(bob, all='target = "*"')
    with attending.running(uri, [(bob, ["--policy", "policy.toml"])]):
        ran = bob.run("agent", "log", "verify")
        assert (ran.status, "lines since the last signature" in ran.stdout) == (0, True)
    log = bob.directory / "home/agent/log"
    copy = alice.directory / "bob.log"
    copy.write_bytes(log.read_bytes())
    identity = alice.directory / "home/peers/bob.pem"
    ran = alice.run("agent", "log", "verify", str(copy), "--identity", str(identity))
    assert (ran.status, "closed by the token of bob" in ran.stdout) == (0, True), ran.stderr
    copy.write_bytes(copy.read_bytes().replace(b'"started"', b'"stopped"'))
    ran = alice.run("agent", "log", "verify", str(copy), "--identity", str(identity))
    assert (ran.status, "was changed" in ran.stderr) == (65, True)
    ran = alice.run("agent", "log", "verify", str(log))
    assert (ran.status, "or it is no log of alice" in ran.stderr) == (65, True)


def test_an_agent_that_was_killed_goes_on_and_vouches_for_all(pair: tuple[Party, Party], uri: str) -> None:
    _, bob = pair
    attending.write_policy(bob, all='target = "*"')
    process = attending.start(bob, uri, "--policy", "policy.toml")
    attending.wait_until(lambda: "the agent is ready" in attending.said(bob), process, bob)
    second = bob.launch(*attending.arguments(bob, uri, "--policy", "policy.toml"))
    assert (second.status, "running already" in second.stderr) == (UsageProblem.exit, True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with attending.running(uri, [(bob, ["--policy", "policy.toml"])]):
        pass
    assert [entry.what for entry in attending.logged(bob)][-4:] == ["started", "started", "ended", "closed"]
    ran = bob.run("agent", "log", "verify")
    assert (ran.status, "closed by the token of bob" in ran.stdout) == (0, True)
