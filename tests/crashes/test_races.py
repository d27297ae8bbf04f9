"""Two processes take the same step at the same instant: of one identity, one ceremony, one request, one key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from crashes.stage import Stage, Told
from crashes.stories import AGAIN
from stage.killing import Ended

RACES = {
    "an identity": {"identity create"},
    "a key is made": {"dkg round1", "dkg round2", "dkg finish", "dkg confirm"},
    "a signature": {"sign commit", "sign respond"},
    "a refresh": {"refresh confirm"},
    "giving up": {"dkg abort", "refresh abort", "keys delete"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RACES)
def test_two_processes_take_one_step(stage: Stage, name: str) -> None:
    """Both end well, or the second finds it done; there is one result, and the story goes on with it."""
    story = stage.tell(name)
    stage.put_back(story[0].before)
    for told in story:
        if not told.step.is_struck or told.step.command not in RACES[name]:
            stage.take(told.step)
            continue
        ended = _race(stage, told)
        statuses = {each.status for each in ended}
        assert 0 in statuses, ended
        assert statuses <= {0, AGAIN.get(told.step.command, 0)}, [each.stderr for each in ended]
        stage.send(told.step.who)
        assert stage.shape(told.step.who) == told.after


def _race(stage: Stage, told: Told) -> list[Ended]:
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda rival: stage.run(told.step, rival=rival), range(2)))
    return [stage.run(told.step) if stage.has_misread(each) else each for each in ended]
