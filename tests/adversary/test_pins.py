"""PINs go to the one token that was meant, and to no child of the process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from stage import parties
from stage.parties import PIN, Party

from frost_hsm.backends import TokenInfo
from frost_hsm.cli.talk.pin import PinEntry
from frost_hsm.cli.talk.terminal import Terminal


@pytest.fixture
def alice(tmp_path: Path) -> Party:
    return parties.gather(tmp_path)[0]


def test_a_key_is_not_made_in_another_token_than_the_one_named(alice: Party) -> None:
    other = parties.software_token(alice.directory / "other.token", "another PIN")
    before = alice.files()
    ran = alice.run("identity", "create", "--token", other)
    assert ran.status == 77
    assert "the token of alice is software:" in ran.stderr
    assert alice.files() == before
    assert alice.open_token().info.pin_state == "ok"


def test_a_variable_is_read_once_and_not_handed_on(alice: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_PIN", PIN)
    info: TokenInfo = alice.open_token().info
    source = PinEntry("env:TOKEN_PIN", Terminal())
    assert source(info) == source(info) == PIN
    assert "TOKEN_PIN" not in os.environ
