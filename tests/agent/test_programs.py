"""Programs are handed a key whose group is behind an agent; people's own programs say yes, and no with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from stage import attending, joining, parties
from stage.libraries import LIBRARIES

from frost_hsm import GroupPrivateKey
from frost_hsm.agent.asking import Agent
from frost_hsm.errors import Aborted
from frost_hsm.targets.programs.group_private_key import PrivateKey

ALL_BUT_17_BYTES = """! grep -q '"size": 17}' "question.$$" """
ALL_BUT_18_BYTES = ALL_BUT_17_BYTES.replace("17", "18")


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateKey]:
    """The key of two whose agents ask programs."""
    folder = tmp_path_factory.mktemp("agents")
    people = alice, bob = parties.gather(folder / "people", ("alice", "bob"))
    verifying_key = parties.generate(people, suite="ed25519").public_key_package.verifying_key
    hooks = ((alice, ALL_BUT_17_BYTES), (bob, ALL_BUT_18_BYTES))
    asking = [(party, ["--ask", attending.hook(party, answer)]) for party, answer in hooks]
    with attending.running(joining.board(folder / "board"), asking):
        yield GroupPrivateKey.of(verifying_key, Agent(attending.socket_of(people[0]), verifying_key).sign)


def test_libraries_sign_at_once_each_in_a_thread(key: PrivateKey) -> None:
    with ThreadPoolExecutor(len(LIBRARIES)) as threads:
        for each in [threads.submit(use, key) for use in LIBRARIES]:
            each.result(attending.PATIENCE)


def test_a_request_that_is_denied_raises_in_the_caller_with_the_reason(key: PrivateKey) -> None:
    with pytest.raises(Aborted, match="the group has not signed: the hook said no"):
        key.sign(b"launch the rocket")  # of 17 bytes


def test_a_no_of_another_signer_is_told_to_the_caller(key: PrivateKey) -> None:
    with pytest.raises(Aborted, match="comes to nothing: bob will not sign"):
        key.sign(b"launch the rockets")
