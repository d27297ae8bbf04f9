"""What is in a state directory, after crashes and power cuts, and when somebody has laid hands on its files."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from stage.disk import Disk, Stopped

from frost_hsm.ceremony import index
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import NotKnown, StorageProblem

Seen = dict[str, bytes]
Change = Callable[[StateDirectory], object]


CHANGES: dict[str, Change] = {
    "put": lambda home: home.put("file", b"contents"),
    "put an empty file": lambda home: home.put("file", b""),
    "put below": lambda home: home.put("a/new/folder/file", b"contents"),
    "put many": lambda home: home.put_all({f"a/new/folder/{name}": b"1" for name in "abc"}),
    "put many beside others": lambda home: home.put_all(
        {"ceremonies/x/round1/zoe.pem": b"zoe", "a/file": b"a", "file": b""}
    ),
    "replace many": lambda home: home.replace_all({"ceremonies/x/round1/bob.pem": b"b", "a/file": b"a"}),
    "replace": lambda home: home.replace("ceremonies/x/proposal.pem", b"other contents"),
    "remove": lambda home: home.remove("ceremonies/x/round1/alice.pem"),
    "remove a folder": lambda home: home.remove("ceremonies/x/round1"),
    "move": lambda home: home.move("ceremonies/x", "given-up/1"),
    "move over": lambda home: home.move("ceremonies/x", "ceremonies/y"),
}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    home = StateDirectory.create(tmp_path / "kept")
    home.put("ceremonies/x/proposal.pem", b"x")
    for name in ("alice", "bob"):
        home.put(f"ceremonies/x/round1/{name}.pem", name.encode())
    home.put("ceremonies/y/proposal.pem", b"y")
    return home.path


def seen(path: Path) -> Seen:
    """Everything that a state directory says it holds, the id apart."""
    home = StateDirectory.open(path)
    found: Seen = {}
    for folder in ("ceremonies", "given-up", "a", "file"):
        for name in [folder, *home.files(folder)]:
            contents = home.read(name)
            if contents is not None:
                found[name] = contents
    assert len(home.id) == 32
    return found


def fresh(kept: Path) -> Path:
    path = kept.with_name("home")
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(kept, path)
    return path


def ends(kept: Path, change: Change) -> tuple[Seen, Seen, int]:
    """How it is before and after a change, and how many calls the change takes."""
    path = fresh(kept)
    before = seen(path)
    with Disk(path) as disk:
        change(StateDirectory.open(path))
    after = seen(path)
    assert after != before
    return before, after, disk.calls


ENDS = ("killed", "power cut", "power cut, names kept")


@pytest.mark.parametrize("end", ENDS)
def test_an_index_is_written_anew_or_not_wherever_that_is_stopped(
    kept: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "COMPACT_ABOVE", -100)
    test_a_change_is_made_or_not_wherever_it_is_stopped(kept, "put", end)
    assert [path.name for path in kept.with_name("home").glob("index.*")] != ["index.0"]


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("end", ENDS)
def test_a_change_is_made_or_not_wherever_it_is_stopped(kept: Path, name: str, end: str) -> None:
    before, after, calls = ends(kept, CHANGES[name])
    left = set()
    for stop in range(1, calls + 1):
        path = fresh(kept)
        with Disk(path, stop=stop) as disk:
            with suppress(Stopped):
                CHANGES[name](StateDirectory.open(path))
            disk.leave()
            if end != "killed":
                disk.cut_power(is_listed="names" in end)
        found = seen(path)
        assert found in (before, after), (stop, end)
        left.add(found == after)
        with suppress(StorageProblem):  # a folder that was moved already is gone
            CHANGES[name](StateDirectory.open(path))
        assert seen(path) == after
    assert left == {False, True}


@pytest.mark.parametrize("name", CHANGES)
def test_whoever_clears_up_may_be_killed_as_well(kept: Path, name: str) -> None:
    before, after, calls = ends(kept, CHANGES[name])
    for stop in range(1, calls + 1):
        path = fresh(kept)
        with Disk(path, stop=stop), suppress(Stopped):
            CHANGES[name](StateDirectory.open(path))
        broken = shutil.copytree(path, kept.with_name(f"broken {stop}"))
        for second in range(1, 20):
            shutil.rmtree(path)
            shutil.copytree(broken, path)
            with Disk(path, stop=second) as disk, suppress(Stopped):
                seen(path)
            assert seen(path) in (before, after), (stop, second)
            if disk.calls < second:
                break


@pytest.mark.parametrize("once", [False, True], ids=["for good", "once"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_made_or_not_whatever_fails(kept: Path, name: str, once: bool) -> None:
    before, after, calls = ends(kept, CHANGES[name])
    failed = 0
    for stop in range(1, calls + 1):
        path = fresh(kept)
        home = StateDirectory.open(path)
        with Disk(path, stop=stop, error=errno.ENOSPC, once=once):
            try:
                CHANGES[name](home)
            except StorageProblem:
                failed += 1
        assert seen(path) in (before, after), stop
        with suppress(StorageProblem):
            CHANGES[name](home)
        assert seen(path) == after
        assert not (path / "partial").exists()
    assert failed > calls // 2


def test_making_a_directory_may_be_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "home"
    with Disk(tmp_path) as disk:
        StateDirectory.create(path)
    for stop in range(1, disk.calls + 1):
        shutil.rmtree(path, ignore_errors=True)
        with Disk(tmp_path, stop=stop), suppress(Stopped):
            StateDirectory.create(path)
        home = StateDirectory.create(path)
        home.put("file", b"contents")
        assert StateDirectory.create(path).id == home.id
        assert seen(path) == {"file": b"contents"}


# ── Hands ──


def _files(path: Path) -> list[Path]:
    return sorted(each for each in path.rglob("*") if each.is_file() and each.name != "lock")


def _exchange(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def _by_hand(path: Path, older: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Everything that somebody might do with one file or folder, or two. older: the directory as it was earlier."""
    files = [each.relative_to(path) for each in _files(path)]
    folders = [each.relative_to(path) for each in path.rglob("*") if each.is_dir()]
    for one in files:
        here, earlier = path / one, older / one
        yield f"{one} deleted", here.unlink
        yield f"{one} emptied", lambda here=here: here.write_bytes(b"")
        yield f"{one} cut short", lambda here=here: here.write_bytes(here.read_bytes()[:-1])
        yield f"{one} lengthened", lambda here=here: here.write_bytes(here.read_bytes() + b"\n")
        yield f"{one} altered", lambda here=here: here.write_bytes(here.read_bytes()[:-1] + b"?")
        if earlier.exists():
            yield f"{one} of earlier", lambda here=here, earlier=earlier: shutil.copy(earlier, here)
        for other in files:
            if other != one:
                yield f"{other} copied over {one}", lambda here=here, o=other: shutil.copy(path / o, here)
                yield f"{one} and {other} exchanged", lambda here=here, o=other: _exchange(here, path / o)
    for one in folders:
        here = path / one
        yield f"{one} deleted", lambda here=here: shutil.rmtree(here)
        yield f"{one} copied", lambda here=here: shutil.copytree(here, here.with_name("z"))
        yield f"{one} copied to the top", lambda here=here: shutil.copytree(here, path / "requests")
        if (older / one).exists():
            yield (
                f"{one} of earlier",
                lambda here=here, e=older / one: (shutil.rmtree(here), shutil.copytree(e, here)),
            )
        for other in folders:
            if one.parent == other.parent and one != other:
                yield f"{one} and {other} exchanged", lambda here=here, o=other: _exchange(here, path / o)
    for name in ("active", "ceremonies/x/active", "ceremonies/z/proposal.pem", "requests/1/request.pem"):
        yield f"{name} added", lambda name=name: _add(path / name)


def _add(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(b"")
    path.chmod(0o600)


def test_what_is_done_by_hand_is_refused_or_has_no_effect(kept: Path) -> None:
    """What is there never changes; each file reads as it was written, or is refused by name."""
    older = shutil.copytree(kept, kept.with_name("older"))
    StateDirectory.open(kept).replace("ceremonies/x/round1/bob.pem", b"robert")
    StateDirectory.open(kept).put("given-up/1/given-up", b"")
    StateDirectory.open(kept).remove("given-up/1/given-up")
    expected, files = seen(kept), StateDirectory.open(kept).files("ceremonies")
    refused = 0
    for what, _ in _by_hand(kept, older):
        path = fresh(kept)
        done = dict(_by_hand(path, older))[what]
        done()
        try:
            home = StateDirectory.open(path)
            assert home.files("ceremonies") == files, what
            assert home.names("ceremonies") == ["x", "y"]
            assert [home.exists(name) for name in ("active", "requests", "given-up")] == [False] * 3
        except StorageProblem as problem:
            assert str(path) in str(problem)
            assert problem.hint
            refused += 1
            continue
        for name in files:
            try:
                assert home.read(name) == expected[name], what
            except StorageProblem as problem:
                assert str(path / name) in str(problem)
                assert problem.hint
                refused += 1
    assert refused > 100


def test_a_directory_of_an_older_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    (path / "config.toml").write_bytes(b"")
    with pytest.raises(NotKnown, match="no state directory"):
        _ = StateDirectory.open(path).id
    _add(path / "ceremonies/treasury/proposal.pem")
    for use in (StateDirectory.open, StateDirectory.create):
        with pytest.raises(StorageProblem, match="was made by an older version"):
            use(path)
    (path / "head").write_bytes(b"frost-hsm %d 0 0 0\n" % (index.VERSION + 1))
    (path / "head").chmod(0o600)
    with pytest.raises(StorageProblem, match="another version"):
        StateDirectory.open(path).names("ceremonies")


def test_a_write_costs_the_same_in_a_large_directory(tmp_path: Path) -> None:
    """Counted in system calls; where the index is written anew, over all of the writes."""
    home = StateDirectory.create(tmp_path / "home")
    for number in range(2):
        home.put(f"requests/{number}/request.pem", b"")
    with Disk(home.path) as small:
        home.put("requests/2/request.pem", b"")
    with Disk(home.path) as disk:
        for number in range(3, 200):
            home.put(f"requests/{number}/request.pem", b"")
    assert disk.calls == 197 * small.calls
    largest = 0
    with Disk(home.path) as disk:
        for number in range(1000):
            home.replace("file", b"%d" % number)
            largest = max(largest, *(path.stat().st_size for path in home.path.glob("index.*")))
    assert disk.calls < 1000 * small.calls
    assert largest < 2 * (200 * 120 + index.COMPACT_ABOVE), "of the 1,200 changes that it would tell"
    assert StateDirectory.open(home.path).read("file") == b"999"


def test_a_file_put_with_others_is_made_written_synced_and_put_in_its_place(tmp_path: Path) -> None:
    """And everything else is done once, however many they are."""
    home = StateDirectory.create(tmp_path / "home")
    calls = []
    for count in (2, 100):
        with Disk(home.path) as disk:
            home.put_all({f"{count}/{number}": b"contents" for number in range(count)})
        calls.append(disk.calls)
    assert calls[1] - calls[0] == 98 * len(("open", "write", "fsync", "replace"))


def test_an_index_is_read_that_tells_of_many_in_one_folder(tmp_path: Path) -> None:
    """As an earlier version wrote it: with those that were in the folder before."""
    home = StateDirectory.create(tmp_path / "home")
    home.put("folder/a", b"A")
    home.put("folder/b", b"B")
    digests = {name: hashlib.sha256(name.upper().encode()).hexdigest() for name in "ab"}
    told = index.Index(home.path)
    told.load()
    with home.lock():
        told.begin(index.Change("folder", digests, index.BATCH))
    assert StateDirectory.open(home.path).files("folder") == ["folder/a", "folder/b"]
    assert StateDirectory.open(home.path).read("folder/b") == b"B"
