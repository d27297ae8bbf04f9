"""One rule for tokens, boards and targets: ours are ours, and nobody guesses between two of one name."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import NoReturn

import pytest
from stage.parties import Silent

from frost_hsm import backends, boards, plugins, targets
from frost_hsm.errors import BackendUnavailable, BoardProblem, FrostHsmError, NotPossible

KINDS = pytest.mark.parametrize(
    ("load", "ours", "problem"),
    [
        (lambda name: backends.load(name, {}, Silent()), "software", BackendUnavailable),
        (lambda name: boards.connect(f"{name}:.", Path("cache")), "dir", BoardProblem),
        (targets.load, "ssh", NotPossible),
    ],
)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def brings(monkeypatch: pytest.MonkeyPatch, name: str, *values: str) -> None:
    monkeypatch.setattr(plugins, "entries", lambda group: [EntryPoint(name, value, group) for value in values])


@KINDS
def test_nothing_is_looked_through_for_ours(
    monkeypatch: pytest.MonkeyPatch, load: Callable[[str], object], ours: str, problem: type[FrostHsmError]
) -> None:
    def look(group: str) -> NoReturn:
        raise AssertionError(group)

    monkeypatch.setattr(plugins, "entries", look)
    load(ours)


@KINDS
def test_nobody_brings_another_of_our_names(
    monkeypatch: pytest.MonkeyPatch, load: Callable[[str], object], ours: str, problem: type[FrostHsmError]
) -> None:
    brings(monkeypatch, ours, "evil:Evil")
    assert type(load(ours)).__module__.startswith("frost_hsm.")
    with pytest.raises(problem, match=r"two distributions.*frost_hsm.*evil:Evil"):
        load("another")


@KINDS
def test_two_of_one_name_are_not_guessed_between(
    monkeypatch: pytest.MonkeyPatch, load: Callable[[str], object], ours: str, problem: type[FrostHsmError]
) -> None:
    brings(monkeypatch, "vault", "vault:Vault", "evil:Evil")
    with pytest.raises(problem, match=r"two distributions.*vault:Vault and evil:Evil"):
        load("vault")


@KINDS
def test_one_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, load: Callable[[str], object], ours: str, problem: type[FrostHsmError]
) -> None:
    brings(monkeypatch, "vault", "vault:Vault")
    with pytest.raises(problem, match=r'no .* "tinbox" is installed') as caught:
        load("tinbox")
    assert caught.value.hint is not None
    assert {ours, "vault"} <= {*caught.value.hint.removeprefix("installed: ").split(", ")}
