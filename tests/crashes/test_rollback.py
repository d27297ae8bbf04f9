"""The state directory is put back to an older copy, while the token and what was sent stay as they are.

What the token knows better is refused; all else comes to the same end, and nothing that was sent is sent again with
other contents but commitments, which are made of fresh nonces. The story goes on with the oldest copy, and with
FROST_HSM_EVERY=instants with every one. A token that is put back as well knows nothing better: see `test_nonces`.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest
from crashes.stage import TAKES_ALL, Stage, Told
from stage.killing import Ended

from frost_hsm.ceremony.messages import signed
from frost_hsm.errors import KeyNotFound, StateRolledBack, StorageProblem

REFUSED = {StateRolledBack.exit, KeyNotFound.exit, StorageProblem.exit}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "name", "stuck"),
    [("software", "a key is made", 0), ("softhsm", "a signature", 3), ("software", "a refresh", 3)],
    indirect=["stage"],
)
def test_a_state_directory_put_back(stage: Stage, name: str, stuck: int) -> None:
    """stuck: in how many ways the end cannot be reached: with nonces, or an old share, that are gone."""
    story = stage.tell(name)
    hers = [number for number, told in enumerate(story) if told.step.is_struck and len(told.calls) > 10]
    refused = 0
    for now in hers[1:]:
        for then in hers[1 : hers.index(now) + 1]:  # without the first, the later ones are of something else
            stage.put_back(story[now + 1].before)
            sent = _sent(stage)
            _put_back_home(stage, story[then])
            ended = _play(stage, [story[number] for number in hers if then <= number <= now])
            assert {each.status for each in ended} <= {0, *REFUSED}, ended
            again = _sent(stage)
            assert [path for path in sent if again[path] != sent[path] and ".commit." not in path] == []
            if ended[-1].status != 0:
                refused += 1
            elif then == hers[1] or TAKES_ALL:
                for later in story[now + 1 :]:
                    stage.take(later.step)
    assert refused == stuck


def _put_back_home(stage: Stage, told: Told) -> None:
    folder = stage.people["alice"].directory / "home"
    shutil.rmtree(folder)
    shutil.copytree(told.before / folder.relative_to(stage.directory), folder)


def _play(stage: Stage, told: Sequence[Told]) -> list[Ended]:
    """Take steps again, whatever comes of it. What was written the first time lies in the inbox alone."""
    for path in stage.people["alice"].directory.glob("*.*"):
        path.unlink()
    return [stage.run(each.step) for each in told]


def _sent(stage: Stage) -> dict[str, bytes]:
    """Read the contents of all messages, by file; those that Alice wrote last count."""
    paths = [*(stage.directory / "inbox").glob("*.pem"), *stage.people["alice"].directory.glob("*.pem")]
    messages = {path.name: path.read_bytes() for path in paths if ".evidence." not in path.name}
    return {name: signed.parse(data).content for name, data in messages.items() if b"BEGIN CMS" in data}
