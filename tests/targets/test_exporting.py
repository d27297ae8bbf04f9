"""The key in every format is read by the tool that it is for: see also the tests of each target."""

from __future__ import annotations

import json
from pathlib import Path

import jwt
import pytest
from stage.memory_group import group, run
from stage.signing_things import make, sign

from frost_hsm.errors import NotPossible
from frost_hsm.frost.ciphersuites import ALL
from frost_hsm.targets.exporting import FORMATS, export


def test_minisign_and_signify_read_theirs(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"release")
    for form, tool, signature in (
        ("minisign", "minisign", sign("minisign", make("minisign", b"release")).finished),
        ("signify", "signify-openbsd", sign("signify", make("signify", b"release")).finished),
    ):
        (tmp_path / "key.pub").write_bytes(export(form, group().key, "team"))
        (tmp_path / "file.sig").write_bytes(signature)
        done = run(tool, "-V", "-p", "key.pub", "-x", "file.sig", "-m", "file", cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_ssh_keygen_reads_both_of_its_formats(tmp_path: Path) -> None:
    (tmp_path / "team.pub").write_bytes(export("ssh", group().key, "team"))
    (tmp_path / "allowed").write_bytes(export("allowed-signers", group().key, "team"))
    (tmp_path / "file.sig").write_bytes(sign("ssh", make("ssh", b"release")).finished)
    assert b"team (ED25519)" in run("ssh-keygen", "-l", "-f", "team.pub", cwd=tmp_path).stdout
    words = ("-Y", "verify", "-f", "allowed", "-I", "team", "-n", "file", "-s", "file.sig")
    assert run("ssh-keygen", *words, cwd=tmp_path, stdin=b"release").returncode == 0


@pytest.mark.parametrize("suite", ["ed25519", "ed448"])
def test_jwk(suite: str) -> None:
    written = export("jwk", group(suite).key, "team")
    assert jwt.PyJWK.from_json(written.decode()).key.public_bytes_raw() == group(suite).key.serialize()
    assert json.loads(written)["kid"] == "team"


@pytest.mark.parametrize("form", FORMATS)
def test_suites_without_such_a_form(form: str) -> None:
    for suite in ALL:
        if suite.name in FORMATS[form].suites:
            assert export(form, group(suite.name).key, "team")
        else:
            with pytest.raises(NotPossible, match=suite.name):
                export(form, group(suite.name).key, "team")
