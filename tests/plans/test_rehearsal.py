"""A release as a ceremony: things of several files, with a clone, with two signatures; the tools take what is made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stage import parties, rehearsed
from stage.memory_group import run

from frost_hsm.frost import ciphersuites
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets.exporting import export

PLAN = """\
title = "Version 1.0"
key = "release"
for = "release"
threshold = 2
people = ["alice", "bob", "carol"]

[[sign]]
as = "git"
file = "v1.0"
clone = "app"
signers = ["alice", "carol"]
output = "v1.0.tag"

[[sign]]
as = "minisign"
file = "app.tar"
with = { comment = "2 of 3" }
signers = ["bob", "carol"]
output = "app.tar.minisig"

[[sign]]
as = "x509-root"
file = "root"
with = { subject = "CN=Team" }
signers = ["alice", "bob"]
output = "root.pem"

[[sign]]
as = "cms"
file = "app.tar"
with = { certificate = "root.pem" }
signers = ["alice", "bob"]
output = "app.tar.p7s"
"""


def git(folder: Path, *words: str, stdin: bytes = b"") -> bytes:
    done = run("git", *words, cwd=folder, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The plan, and what it needs: a clone with a tag, the tag's object, a file."""
    clone = tmp_path / "app"
    clone.mkdir()
    git(clone, "init", "-q", ".")
    for name, value in (("user.name", "Team"), ("user.email", "team@example.org"), ("gpg.format", "ssh")):
        git(clone, "config", name, value)
    git(clone, "commit", "-q", "--allow-empty", "-m", "first")
    git(clone, "tag", "-a", "v1.0", "-m", "Version 1.0")
    (tmp_path / "v1.0").write_bytes(git(clone, "cat-file", "tag", "v1.0"))
    (tmp_path / "app.tar").write_bytes(b"release 1.0\n")
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


def rehearse(folder: Path) -> parties.Ran:
    return parties.run(folder, "ceremony", "rehearse", "plan.toml", "--software")


@pytest.mark.slow
def test_what_a_release_signs_can_be_planned(folder: Path) -> None:
    def follow() -> None:
        ran = rehearse(folder)
        assert ran.status == 0, ran.stderr

    done = rehearsed.during(folder, follow)
    made, clone = done.folder, done.folder / "app"
    assert [line for line in done.typed if "--clone app" in line] == [
        f"{who}$ frost-hsm sign commit v1.0.tag.request.pem --clone app" for who in ("alice", "carol")
    ]
    assert sum("sign respond app.tar.minisig" in line for line in done.typed) == 4
    said = json.loads((made / "release.alice.statement.json").read_bytes())
    key = VerifyingKey.deserialize(ciphersuites.by_name("ed25519"), bytes.fromhex(said["agreed"]["key"]))
    (made / "key.pub").write_bytes(export("minisign", key, "release"))
    assert run("minisign", "-V", "-p", "key.pub", "-m", "app.tar", cwd=made).returncode == 0
    words = ("--p7-verify", "--inder", "--load-ca-certificate", "root.pem", "--load-data", "app.tar")
    assert run("certtool", *words, "--infile", "app.tar.p7s", cwd=made).returncode == 0
    (clone / "allowed").write_bytes(export("allowed-signers", key, "release"))
    git(clone, "config", "gpg.ssh.allowedSignersFile", "allowed")
    oid = git(clone, "hash-object", "-t", "tag", "-w", "--stdin", stdin=(made / "v1.0.tag").read_bytes())
    git(clone, "verify-tag", oid.decode().strip())


@pytest.mark.slow
def test_a_tag_that_the_clone_does_not_have_stops_it(folder: Path) -> None:
    tag = folder / "v1.0"
    tag.write_bytes(tag.read_bytes().replace(tag.read_bytes()[7:47], b"12" * 20))
    asked = []

    def follow() -> None:
        asked.append(rehearse(folder))

    rehearsed.during(folder, follow)
    assert asked[0].status != 0
    typed = [line for line in asked[0].stderr.splitlines() if "$ frost-hsm" in line]
    assert typed[-1] == "alice$ frost-hsm sign commit v1.0.tag.request.pem --clone app"


def test_a_clone_that_is_not_there_is_missed(folder: Path) -> None:
    (folder / "app").rename(folder / "elsewhere")
    ran = parties.run(folder, "ceremony", "plan", "plan.toml")
    assert ran.status == 66
    assert "there is no folder app beside plan.toml" in ran.stderr
