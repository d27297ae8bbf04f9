"""The log of an agent: any byte that is changed breaks it, and the token of its owner vouches for the whole."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stage import parties
from stage.parties import Party

from frost_hsm.agent.log import Chain, Log
from frost_hsm.errors import BadMessageSignature, InputProblem, MalformedMessage, NotPossible, StorageProblem

NOW = datetime(2026, 9, 21, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[Party]:
    return parties.gather(tmp_path_factory.mktemp("people"), ("alice", "bob"))


@pytest.fixture(scope="module")
def closed(people: list[Party], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A log with two lines and a signature, and the same again."""
    path = tmp_path_factory.mktemp("log") / "log"
    for number in range(2):
        with Log(path, people[0].public, lambda: NOW) as log, people[0].holder() as holder:
            log.add("started", number=number)
            log.add("denied", why=["denied: there are no rules", "é"])
            log.sign(holder.sign)
    return path.read_bytes()


def test_it_is_read_as_it_was_written(people: list[Party], closed: bytes) -> None:
    chain = Chain.read(closed, people[0].public)
    assert [entry.what for entry in chain.entries] == ["started", "denied", "closed"] * 2
    assert chain.entries[3].fields == {"number": 1}
    assert {entry.time for entry in chain.entries} == {NOW}
    assert chain.is_closed


def test_any_changed_byte_breaks_it(people: list[Party], closed: bytes) -> None:
    once = b"".join(closed.splitlines(keepends=True)[:3])
    assert Chain.read(once, people[0].public).is_closed
    for place in range(len(once)):
        with pytest.raises(InputProblem):
            Chain.read(once[:place] + bytes((once[place] ^ 1,)) + once[place + 1 :], people[0].public)


def test_a_line_that_is_missing_added_or_moved_breaks_it(people: list[Party], closed: bytes) -> None:
    lines = closed.splitlines(keepends=True)
    for place in range(len(lines) - 1):
        changed = (lines[:place] + lines[place + 1 :], [*lines[: place + 1], *lines[place:]])
        for each in (*changed, [*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]]):
            with pytest.raises(MalformedMessage, match=r"line \d of the log was changed"):
                Chain.read(b"".join(each), people[0].public)


def test_what_comes_after_the_last_signature_is_open(people: list[Party], closed: bytes) -> None:
    lines = closed.splitlines(keepends=True)
    chain = Chain.read(b"".join(lines[:5]), people[0].public)
    assert (len(chain.entries), chain.closed, chain.is_closed) == (5, 3, False)


def test_what_was_cut_off_behind_a_signature_is_not_called_all_there_is(
    people: list[Party], closed: bytes, tmp_path: Path
) -> None:
    """Nothing in it shows that it went on; so what there is to know is said: how often it was signed, and when last."""
    lines = closed.splitlines(keepends=True)
    log = tmp_path / "log"
    for kept, closings in ((3, 1), (5, 1), (6, 2)):
        log.write_bytes(b"".join(lines[:kept]))
        said = people[0].run("agent", "log", "verify", str(log))
        times = "once" if closings == 1 else "2 times, last"
        assert f"closed by the token of alice {times} on 2026-09-21 at 12:00:00 UTC\n" in said.stdout
        assert "whether it went on after its last line, no log can show" in said.stdout
        document = json.loads(people[0].run("agent", "log", "verify", str(log), "--json").stdout)
        assert (document["closed"], document["closings"]) == (kept != 5, closings)
        assert document["last_closed"] == NOW.isoformat()
    log.write_bytes(b"".join(lines[:2]))
    document = json.loads(people[0].run("agent", "log", "verify", str(log), "--json").stdout)
    assert (document["closed"], document["closings"], document["last_closed"]) == (False, 0, None)


def test_a_new_chain_needs_a_signature_of_the_same_token(people: list[Party], tmp_path: Path) -> None:
    alice, bob = people
    with Log(tmp_path / "log", alice.public) as log, bob.holder() as holder:
        log.add("started")
        log.sign(holder.sign)
    with pytest.raises(BadMessageSignature, match="not signed by the token of alice"):
        Chain.read((tmp_path / "log").read_bytes(), alice.public)


def test_it_is_of_one_identity(people: list[Party], closed: bytes) -> None:
    with pytest.raises(MalformedMessage, match="or it is no log of bob"):
        Chain.read(closed, people[1].public)


def test_one_agent_at_a_time_writes_it(people: list[Party], tmp_path: Path) -> None:
    with Log(tmp_path / "log", people[0].public), pytest.raises(NotPossible, match="running already"):
        Log(tmp_path / "log", people[0].public)
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def cuts(closed: bytes) -> Iterator[bytes]:
    last = closed.rfind(b"\n", 0, -1) + 1
    yield from (closed[:place] for place in (last + 1, last + 70, len(closed) - 1))


def test_a_line_that_a_power_cut_left_goes_and_is_noted(people: list[Party], closed: bytes, tmp_path: Path) -> None:
    for cut in cuts(closed):
        path = tmp_path / "log"
        path.write_bytes(cut)
        with pytest.raises(MalformedMessage, match="cut short"):
            Chain.read(cut, people[0].public)
        with Log(path, people[0].public):
            pass
        [*before, noted] = Chain.read(path.read_bytes(), people[0].public).entries
        assert len(before) == 5
        assert (noted.what, noted.fields) == ("cut", {"bytes": len(cut) - closed.rfind(b"\n", 0, -1) - 1})


def test_a_line_of_which_a_full_disk_took_a_part_was_not_written(people: list[Party], tmp_path: Path) -> None:
    """Whoever wanted it noted hears of that, and once there is room the log goes on as if nothing had been."""
    path = tmp_path / "log"
    limits, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with Log(path, people[0].public) as log:
            log.add("first")
            for room in (0, 30):
                resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, limits[1]))
                for _ in range(2):
                    with pytest.raises(StorageProblem, match="cannot write"):
                        log.add("lost")
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
                log.add("next")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert [each.what for each in Chain.read(path.read_bytes(), people[0].public).entries] == ["first", "next", "next"]


def test_an_agent_does_not_go_on_with_a_log_that_was_changed(
    people: list[Party], closed: bytes, tmp_path: Path
) -> None:
    (tmp_path / "log").write_bytes(closed.replace(b"no rules", b"two rule"))
    with pytest.raises(MalformedMessage, match="line 2 of the log was changed") as caught:
        Log(tmp_path / "log", people[0].public)
    assert "put" in str(caught.value.hint)
    assert (tmp_path / "log").read_bytes() == closed.replace(b"no rules", b"two rule")
