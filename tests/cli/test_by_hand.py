"""Somebody lays hands on the files of a state directory: each command refuses by name, or says what it said before.

One manipulation a file; `ceremony/test_by_hand.py` tries them all, on folders too, where commands read them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stage import parties
from stage.parties import KEY, Party

COMMANDS = (("keys", "list"), ("keys", "show", KEY), ("peer", "list"), ("sign", "status"), ("dkg", "status"))
OWN = ("lock",)  # which holds nothing


def pending(directory: Path) -> Party:
    people = parties.gather(directory)
    first = parties.round1(people, parties.propose(people))
    parties.finish(people, first, parties.round2(people, first))
    return people[0]


def used(directory: Path) -> Party:
    people = parties.gather(directory)
    parties.generate(people)
    parties.sign(people[:2], b"message")
    parties.commit(people[:2], parties.request(people[:2], b"another message"))
    return people[0]


def copy_over(one: Path, other: Path) -> None:
    other.write_bytes(one.read_bytes())


def exchange(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


HANDS: dict[str, Callable[[Path, Path], object]] = {
    "deleted": lambda one, other: one.unlink(),
    "emptied": lambda one, other: one.write_bytes(b""),
    "cut short": lambda one, other: one.write_bytes(one.read_bytes()[:-10]),
    "copied over another": copy_over,
    "exchanged with another": exchange,
    "copied to a name of its own": lambda one, other: shutil.copy(one, one.with_name("active")),
}


def said(party: Party) -> Iterator[tuple[int, str, str]]:
    for command in COMMANDS:
        ran = party.run(*command)
        assert "Traceback" not in ran.stderr, (command, ran.stderr)
        assert ran.status == 0 or ran.stderr.startswith(("error:", "note:")), ran.stderr
        yield ran.status, ran.stdout, ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("stage", [pending, used])
def test_files_that_somebody_changed_are_refused_or_have_no_effect(
    tmp_path: Path, stage: Callable[[Path], Party]
) -> None:
    alice = stage(tmp_path / "people")
    home, kept = alice.directory / "home", tmp_path / "kept"
    shutil.copytree(home, kept)
    before = list(said(alice))
    assert {status for status, *_ in before} <= {0}
    files = sorted(path.relative_to(home) for path in home.rglob("*") if path.is_file() and path.name not in OWN)
    refused = 0
    for number, name in enumerate(files):
        what, change = list(HANDS.items())[number % len(HANDS)]
        shutil.rmtree(home)
        shutil.copytree(kept, home)
        change(home / name, home / files[number - 1])
        for (status, text, notes), (_, earlier, _) in zip(said(alice), before, strict=True):
            if status != 0:
                refused += 1
            elif text != earlier:  # what is damaged is left out, with a note; nothing is said that was not said before
                assert notes.startswith("note:"), (name, what)
                assert set(text.splitlines()) <= {*earlier.splitlines(), *_NOTHING}, (name, what)
    assert refused > 10


def test_a_configuration_that_somebody_changed_is_refused_by_name(tmp_path: Path) -> None:
    alice = used(tmp_path / "people")
    path = alice.directory / "home/config.toml"
    good, before = path.read_bytes(), [each[:2] for each in said(alice)]
    for bad in (b"", good[:-10], good + b"x", good * 2, (alice.directory / "home/identity.pem").read_bytes()):
        path.write_bytes(bad)
        refused = [ran for ran in said(alice) if ran[0] != 0]
        assert all(str(path) in notes for _, _, notes in refused), bad
    path.unlink()
    assert all(status == 0 or "frost-hsm init" in notes for status, _, notes in said(alice))
    path.write_bytes(good)
    path.chmod(0o600)
    assert [each[:2] for each in said(alice)] == before


_NOTHING = ("no keys", "no peers", "no requests", "no ceremonies")
