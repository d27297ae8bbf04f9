"""Programs of SSH and git ask the agent, the group signs, and stock verifiers take it; two people say yes each time."""

from __future__ import annotations

import getpass
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from stage import attending, joining, parties
from stage.parties import Party
from stage.ssh_server import ssh_server

from frost_hsm.targets.ssh import wire as ssh_wire

KEY = "release"


@dataclass
class Team:
    """Alice's agent answers by rules, Bob's by a hook; Carol is away, and two of the three are enough."""

    alice: Party
    bob: Party
    folder: Path
    uri: str

    def run(self, *command: str, cwd: Path | None = None, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command,
            cwd=cwd or self.folder,
            input=stdin,
            capture_output=True,
            timeout=attending.PATIENCE,
            check=False,
            env=attending.environment(self.alice),
        )

    def require_two_said_yes(self) -> dict[str, object]:
        """Both logs say of the last request that it was allowed, by a rule and by the hook; returns what Bob saw."""
        [*_, by_alice], [*_, by_bob] = (attending.logged(party, "allowed") for party in (self.alice, self.bob))
        assert by_alice.fields["request"] == by_bob.fields["request"]
        assert by_alice.fields["rule"] in ("files", "others")
        assert by_bob.fields["why"] == ["the hook said yes"]
        [*_, question] = attending.questions(self.bob)
        assert question["request"] == by_bob.fields["request"]
        return question


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("agents")
    people = parties.gather(folder / "people")
    key = parties.generate(people, suite="ed25519", name=KEY)
    alice, bob, _ = people
    uri = joining.board(folder / "board")
    files = 'target = ["ssh", "ssh-digest"]\nwhere.path = "?*"'
    attending.write_policy(alice, files=files, others='target = ["git", "ssh-login"]')
    rules = ["--policy", "policy.toml"]
    hook = ["--ask", attending.hook(bob, "while [ -e wait ]; do sleep 0.1; done")]
    verifying_key = key.public_key_package.verifying_key
    (folder / "team.pub").write_bytes(ssh_wire.key_line(verifying_key, "team"))
    (folder / "allowed").write_bytes(ssh_wire.allowed_signers(verifying_key, "team@example.org"))
    with attending.running(uri, [(alice, rules), (bob, hook)]):
        yield Team(alice, bob, folder, uri)
    for party in (alice, bob):
        done = party.run("agent", "log", "verify")
        assert done.status == 0, done.stderr
        assert f"closed by the token of {party.name}" in done.stdout


def test_the_keys_of_the_group_are_listed(team: Team) -> None:
    listed = team.run("ssh-add", "-L").stdout.split()
    assert listed[:2] == (team.folder / "team.pub").read_bytes().split()[:2]
    assert listed[2:] == [KEY.encode()]


def verifies(team: Team, data: bytes, signature: Path, namespace: str) -> bool:
    words = ("-Y", "verify", "-f", "allowed", "-I", "team@example.org", "-n", namespace, "-s", str(signature))
    return team.run("ssh-keygen", *words, stdin=data).returncode == 0


def test_ssh_keygen_signs_a_file_that_everybody_sees(team: Team) -> None:
    path = team.folder / "notes.txt"
    path.write_bytes(b"release notes\n")
    done = team.run("ssh-keygen", "-Y", "sign", "-f", "team.pub", "-n", "file", path.name)
    assert done.returncode == 0, done.stderr
    assert verifies(team, b"release notes\n", path.with_suffix(".txt.sig"), "file")
    assert not verifies(team, b"release note\n", path.with_suffix(".txt.sig"), "file")
    question = team.require_two_said_yes()
    [item] = question["items"]  # type: ignore[misc]
    assert (item["target"], item["namespace"], item["path"], item["size"]) == ("ssh", "file", "notes.txt", 14)
    assert any('begins   "release notes"' in line for line in question["text"])  # type: ignore[union-attr]


def test_what_is_piped_is_asked_for_as_a_digest_and_denied_by_the_rules_of_who_asks(team: Team) -> None:
    done = team.run("ssh-keygen", "-Y", "sign", "-f", "team.pub", "-n", "mail@example.org", stdin=b"letter\n")
    assert done.returncode != 0
    [*_, denied] = attending.logged(team.alice, "denied")
    assert denied.fields["why"][:2] == ["denied", 'rule "files": it has no path']  # type: ignore[index]
    [*_, item] = denied.fields["items"]  # type: ignore[misc]
    assert (item["target"], item["size"]) == ("ssh-digest", None)


def test_git_signs_a_tag_that_everybody_sees(team: Team) -> None:
    clone = team.folder / "clone"
    clone.mkdir()
    config = ("-c", "gpg.format=ssh", "-c", "user.name=A", "-c", "user.email=a@b.example")
    allowed = ("-c", f"gpg.ssh.allowedSignersFile={team.folder / 'allowed'}")
    assert team.run("git", "init", "-q", cwd=clone).returncode == 0
    assert team.run("git", *config, "commit", "-q", "--allow-empty", "-m", "one", cwd=clone).returncode == 0
    signing = ("-c", f"user.signingkey={team.folder / 'team.pub'}", "tag", "-s", "-m", "Release 1.0", "v1.0")
    done = team.run("git", *config, *signing, cwd=clone)
    assert done.returncode == 0, done.stderr
    verified = team.run("git", *config, *allowed, "verify-tag", "v1.0", cwd=clone)
    assert verified.returncode == 0
    assert b'Good "git" signature for team@example.org' in verified.stderr
    question = team.require_two_said_yes()
    [item] = question["items"]  # type: ignore[misc]
    assert (item["target"], item["ref"]) == ("git", "refs/tags/v1.0")
    assert any("| Release 1.0" in line for line in question["text"])  # type: ignore[union-attr]


def test_a_server_lets_the_group_in(team: Team, tmp_path: Path) -> None:
    user = getpass.getuser()
    known = ("-o", f"UserKnownHostsFile={tmp_path / 'known'}", "-o", "StrictHostKeyChecking=accept-new")
    shutil.copy(team.folder / "team.pub", tmp_path / "authorized_keys")
    with ssh_server(tmp_path, AuthorizedKeysFile=tmp_path / "authorized_keys") as port:
        words = ("ssh", "-F", "none", "-o", "BatchMode=yes", *known, "-p", str(port))
        done = team.run(*words, f"{user}@127.0.0.1", "echo", "let in")
    assert done.stdout == b"let in\n", done.stderr + (tmp_path / "sshd.log").read_bytes()
    question = team.require_two_said_yes()
    [item] = question["items"]  # type: ignore[misc]
    shown = subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "host.pub"], capture_output=True, check=True).stdout
    assert (item["target"], item["user"]) == ("ssh-login", user)
    assert item["server"] == shown.decode().split()[1]
    assert any(f'login    to an SSH server, as user "{user}"' in line for line in question["text"])  # type: ignore[union-attr]


def test_a_program_that_goes_away_takes_its_request_back(team: Team) -> None:
    number = len(attending.questions(team.bob))
    (team.bob.directory / "wait").touch()
    (team.folder / "late").write_bytes(b"late\n")
    words = ("ssh-keygen", "-Y", "sign", "-f", "team.pub", "-n", "file", "late")
    environment = attending.environment(team.alice)
    process = subprocess.Popen(words, cwd=team.folder, env=environment, stderr=subprocess.DEVNULL)
    attending.wait_until(lambda: len(attending.questions(team.bob)) > number)
    process.kill()
    process.wait()
    request = str(attending.questions(team.bob)[-1]["request"])
    ended = f'signature {request[:8]} with "{KEY}": it comes to nothing: alice has ended it'
    attending.wait_until(lambda: ended in attending.said(team.bob))
    (team.bob.directory / "wait").unlink()
    assert request in [each.fields["request"] for each in attending.logged(team.alice, "withdrawn")]
    assert request not in [each.fields["request"] for each in attending.logged(team.bob, "allowed")]
    assert not (team.folder / "late.sig").exists()


def test_what_its_owner_asks_by_hand_is_signed_by_agents_and_written_by_join(team: Team) -> None:
    alice = team.alice
    (alice.directory / "by-hand").write_bytes(b"by hand\n")
    asked = alice.run("sign", "request", KEY, "by-hand", "--as", "ssh", "--board", team.uri, "--json")
    assert asked.status == 0, asked.stderr
    request = json.loads(asked.stdout)["request"]
    attending.wait_until(lambda: f'signature {request[:8]} with "{KEY}": signed by alice, bob' in attending.said(alice))
    ran = alice.run("join", team.uri, "--once", "--yes", "--pin-source", f"file:{alice.directory / 'pin'}")
    assert "wrote by-hand.sig" in ran.stderr
    assert verifies(team, b"by hand\n", alice.directory / "by-hand.sig", "file")
