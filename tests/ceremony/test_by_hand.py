"""Somebody lays hands on any file or folder of a state directory, in each stage of a key's life.

Whatever is there stays there and reads as it was written, or is refused by name; nothing else comes to be there. That
every command sees it through the one door for state (`frost_hsm.ceremony.store`) is tested here too, so no command says
anything else than it would have said. Two of the manipulations are tried on each; FROST_HSM_EVERY=hands tries them all.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stage import parties, upkeep
from stage.parties import Party
from stage.samples import takes_every

import frost_hsm
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import StorageProblem

TAKES_ALL = takes_every("hands")
EDITED = ("config.toml", "lock")  # which people edit, and which holds nothing: a test of commands has it


def pending(people: list[Party]) -> Party:
    first = parties.round1(people, parties.propose(people))
    parties.finish(people, first, parties.round2(people, first))
    return people[0]


def in_use(people: list[Party]) -> Party:
    parties.generate(people)
    parties.sign(people, b"pay 5 to dave")
    parties.commit(people, parties.request(people, b"pay 6 to dave"))
    return people[0]


def refreshed(people: list[Party]) -> Party:
    """And then another one hangs."""
    in_use(people)
    upkeep.refresh(people)
    parties.sign(people, b"pay 7 to dave")
    first = upkeep.round1(people, upkeep.propose(people[0]))
    upkeep.finish(people[:1], first, upkeep.round2(people, first))
    upkeep.load(people[0]).abort(people[0].holder)
    return people[0]


def received(people: list[Party]) -> Party:
    """Somebody new, whose records lie in the state directory."""
    parties.generate(people)
    [carol] = parties.gather(people[0].directory.parent / "later", ["carol"])
    for party in people:
        party.home.put("peers/carol.pem", carol.public.to_pem())
    upkeep.repair(carol, 3, people, people)
    carol.home.put("sealed/signing-share.of.carol", b"sealed")
    return carol


def deleted(people: list[Party]) -> Party:
    in_use(people)
    with people[0].holder() as holder:
        people[0].key().delete(holder, people[0].home)
    return people[0]


STAGES = (pending, in_use, refreshed, received, deleted)


class Table:
    """A state directory as it is, as it was when its owner had only met the others, and what it says that it holds."""

    def __init__(self, directory: Path, stage: Callable[[list[Party]], Party]) -> None:
        people = parties.gather(directory / "people", ["alice", "bob"])
        earlier = {party.name: shutil.copytree(party.directory / "home", directory / party.name) for party in people}
        party = stage(people)
        self.path = party.directory / "home"
        self.older = earlier.get(party.name, earlier["alice"])
        self.expected = self.seen()
        self.files = [path for path in sorted(self.path.rglob("*")) if path.is_file() and path.name not in EDITED]
        self.folders = [path for path in sorted(self.path.rglob("*")) if path.is_dir()]

    def seen(self) -> dict[str, bytes | None]:
        """All that it says it holds; None for what is refused."""
        home = StateDirectory.open(self.path)
        return {name: _read(home, name) for folder in ("directory-id", *TOP) for name in _below(home, folder)}

    def older_of(self, path: Path) -> Path:
        return self.older / path.relative_to(self.path)

    @contextmanager
    def put_back(self, *paths: Path) -> Iterator[None]:
        """Have these as they were afterwards, wherever they are put meanwhile."""
        kept = self.path.with_name("kept")
        for number, path in enumerate(paths):
            _copy(path, kept / str(number))
        yield
        for number, path in enumerate(paths):
            _remove(path)
            _copy(kept / str(number), path)
        shutil.rmtree(kept)

    def require_same(self, what: str) -> bool:
        """See that nothing changed but for what is refused; returns whether anything was."""
        try:
            now = self.seen()
        except StorageProblem as problem:
            assert str(self.path) in str(problem), what
            assert problem.hint, what
            return True
        assert now.keys() == self.expected.keys(), what
        assert all(data is None or data == self.expected[name] for name, data in now.items()), what
        return None in now.values()


TOP = ("identity.pem", "peers", "keys", "requests", "given-up", "sealed", "served", "softhsm", "active", "z")


def _below(home: StateDirectory, folder: str) -> list[str]:
    return home.files(folder) or [folder] * home.exists(folder)


def _read(home: StateDirectory, name: str) -> bytes | None:
    try:
        return home.read(name)
    except StorageProblem as problem:
        assert str(home.path / name) in str(problem)
        assert problem.hint
        return None


def _copy(path: Path, place: Path) -> None:
    place.parent.mkdir(mode=0o700, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, place)
    elif path.exists():
        shutil.copy(path, place)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _exchange(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def _over(path: Path, other: Path) -> None:
    _remove(path)
    _copy(other, path)


OF_FILES: dict[str, Callable[[Path, Path, Path], object]] = {
    "exchanged with another": lambda path, other, older: _exchange(path, other),
    "another copied over it": lambda path, other, older: _over(path, other),
    "copied to another name": lambda path, other, older: _over(path.with_name("z"), path),
    "emptied": lambda path, other, older: path.write_bytes(b""),
    "cut short": lambda path, other, older: path.write_bytes(path.read_bytes()[:-1]),
    "added to": lambda path, other, older: path.write_bytes(path.read_bytes() + b"\n"),
    "one added beside it": lambda path, other, older: _over(path.with_name("active"), path),
    "deleted": lambda path, other, older: path.unlink(),
    "replaced by an older one": lambda path, other, older: _over(path, older) if older.exists() else path.unlink(),
}
OF_FOLDERS: dict[str, Callable[[Path, Path, Path], object]] = {
    "exchanged with another": lambda path, other, older: _exchange(path, other),
    "copied to another name": lambda path, other, older: _over(path.with_name("z"), path),
    "emptied": lambda path, other, older: [_remove(each) for each in path.iterdir()],
    "deleted": lambda path, other, older: _remove(path),
    "replaced by an older one": lambda path, other, older: _over(path, older),
}


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_done_by_hand_is_refused_or_has_no_effect(
    tmp_path: Path, stage: Callable[[list[Party]], Party]
) -> None:
    table = Table(tmp_path, stage)
    refused = 0
    for number, path in enumerate(table.files):
        other = table.files[number - 1]
        for place, (what, change) in enumerate(OF_FILES.items()):
            if TAKES_ALL or (number + place) % 5 == 0:
                with table.put_back(path, other, path.with_name("z"), path.with_name("active")):
                    change(path, other, table.older_of(path))
                    refused += table.require_same(f"{path}: {what}")
    for number, path in enumerate(table.folders):
        others = [each for each in table.folders if each.parent == path.parent and each != path]
        for place, (what, change) in enumerate(OF_FOLDERS.items()):
            if (others or "exchanged" not in what) and (TAKES_ALL or (number + place) % 2 == 0):
                other = others[-1] if others else path
                with table.put_back(path, *others[-1:], path.with_name("z")):
                    change(path, other, table.older_of(path))
                    refused += table.require_same(f"{path}: {what}")
    assert not table.require_same("put back")
    assert refused > len(table.files) // 2


def test_nobody_reads_a_state_directory_past_its_door() -> None:
    """Its path is for sentences, and for the configuration that people edit."""
    read = set()
    for path in Path(frost_hsm.__file__).parent.rglob("*.py"):
        if path.parent.name == "ceremony" and path.stem in ("store", "index"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            call = node.func if isinstance(node, ast.Call) else None
            if isinstance(call, ast.Attribute) and call.attr.startswith(("read_", "write_", "open", "iterdir", "glob")):
                if "home.path" in ast.unparse(call.value):
                    read.add(f"{path.name}: {ast.unparse(call)}")
    assert read == set()
