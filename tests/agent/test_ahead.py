"""Agents make nonces ahead and keep them filled up: a signature takes one round then, and no pair serves twice."""

from __future__ import annotations

import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from stage import attending, joining, parties
from stage.parties import Party

from frost_hsm import boards
from frost_hsm.agent.asking import Agent
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.using import Attempt, Commitment, Prepared, Response, SigningRequest
from frost_hsm.ceremony.signing.ahead import Offered
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.errors import FrostHsmError

AHEAD, KILLS = 3, 4
OPTIONS = ["--policy", "policy.toml", "--ahead", str(AHEAD)]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ahead")  # sockets have short names


@pytest.fixture
def people(folder: Path) -> list[Party]:
    people = parties.gather(folder / "people", ("alice", "bob", "carol"))
    parties.generate(people, suite="ed25519")
    for party in people:
        attending.write_policy(party, all='target = "*"')
    return people


class Seen:
    """What lies on a board about the group's key."""

    def __init__(self, uri: str, people: list[Party], cache: Path) -> None:
        self.key = people[0].key()
        self.said: list[Signed[object]] = []
        with boards.connect(uri, cache) as there:
            for _, data in there.messages():
                with suppress(FrostHsmError):  # identities
                    self.said.append(signed.read(data, self.key.roster))

    def of(self, kind: type) -> list[Signed[object]]:
        return [each for each in self.said if isinstance(each.message, kind)]

    def left(self, name: str) -> int:
        """How many pairs of somebody's nobody has taken up."""
        offered = Offered()
        for said in self.said:
            if isinstance(said.message, Attempt | SigningRequest):
                offered.take(said.message.commitments, b"", said.sender)
            elif isinstance(said.message, Prepared):
                offered.offer(said.message, said.sender)
        return max((count for count in range(1, 100) if offered.left(self.key, [name], count)), default=0)


def is_full(uri: str, people: list[Party], cache: Path) -> bool:
    """Whether of everybody's pairs as many as wanted wait on the board, and in the token."""
    seen = Seen(uri, people, cache)
    return all(seen.left(party.name) == AHEAD and waiting(party) == AHEAD for party in people)


def waiting(party: Party) -> int:
    with party.holder() as holder:
        return len(SealedSigner(party.key(), holder, party.home).prepared())


def agent_of(party: Party, patience: float = attending.PATIENCE) -> Agent:
    key = party.key().public_key_package.verifying_key
    return Agent(attending.socket_of(party), key, patience=patience)


@pytest.mark.slow
def test_after_signatures_the_stock_is_full_again_and_the_next_take_one_round(
    people: list[Party], folder: Path
) -> None:
    uri, cache = joining.board(folder / "board"), folder / "cache"
    alice, bob, _ = people
    with attending.running(uri, [(party, OPTIONS) for party in people]):
        agent_of(alice).sign(b"the first says which key is signed with")
        attending.wait_until(lambda: is_full(uri, people, cache))
        before = Seen(uri, people, cache)
        with ThreadPoolExecutor(AHEAD) as threads:
            assert len(list(threads.map(agent_of(alice).sign, [b"1", b"2", b"3"]))) == AHEAD
        attending.wait_until(lambda: is_full(uri, people, cache))
        after = Seen(uri, people, cache)
    assert len(after.of(Attempt)) - len(before.of(Attempt)) == AHEAD
    committed = {said.sender.name for said in after.of(Commitment) if said not in before.of(Commitment)}
    answered = {said.sender.name for said in after.of(Response) if said not in before.of(Response)}
    assert not answered.intersection(committed), "who answers has not committed before"
    assert [each.fields["ahead"] for each in attending.logged(bob, "started")] == [AHEAD]
    assert "pairs of nonces made ahead" in attending.said(bob)


@pytest.mark.slow
def test_nobody_fills_a_token_with_pairs_that_wait_for_nothing(people: list[Party], folder: Path) -> None:
    """Carol says that an attempt at a request that is none takes up all that Alice has handed out."""
    uri, cache = joining.board(folder / "board"), folder / "cache"
    alice, bob, carol = people
    with attending.running(uri, [(party, OPTIONS) for party in (alice, bob)]):
        agent_of(alice).sign(b"the first says which key is signed with")
        attending.wait_until(lambda: is_full(uri, people[:2], cache))
        seen = Seen(uri, people, cache)
        handed_out = [
            each for said in seen.of(Prepared) if said.sender == alice.public for each in said.message.commitments
        ]
        with boards.connect(uri, cache) as there, carol.holder() as holder:
            there.post(signed.write(Attempt(bytes(32), (1, 3), (*handed_out, *handed_out)), holder))
        agent_of(alice).sign(b"after which pairs are made")
        attending.wait_until(lambda: is_full(uri, people[:2], cache))


@pytest.mark.slow
def test_agents_that_are_killed_lose_pairs_and_use_none_twice(people: list[Party], folder: Path) -> None:
    uri, cache, rng = joining.board(folder / "board"), folder / "cache", random.Random(1)
    running = {party.name: start(party, uri) for party in people}
    try:
        agent_of(people[0]).sign(b"the first says which key is signed with")
        with ThreadPoolExecutor(2 * KILLS) as threads:
            for number in range(KILLS):
                victim = people[number % len(people)]
                asked = people[(number + 1) % len(people)]
                threads.submit(agent_of(asked).sign, b"%d" % number)
                time.sleep(rng.uniform(0.1, 0.8))
                running[victim.name].kill()
                running[victim.name].wait()
                attending.socket_of(victim).unlink(missing_ok=True)
                running[victim.name] = start(victim, uri)
        attending.wait_until(lambda: is_full(uri, people, cache))
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    seen = Seen(uri, people, cache)
    attempts = {said.content_digest: said.message for said in seen.of(Attempt)}
    answers = seen.of(Response)
    served = set()
    for said in answers:
        assert isinstance(said.message, Response)
        attempt = attempts[said.message.request]
        assert isinstance(attempt, Attempt)
        served.add(attempt.commitments[attempt.signers.index(seen.key.roster.position(said.sender.name))])
    assert len(answers) > 2
    assert len(served) == len({(said.sender.name, said.content_digest) for said in answers})


def start(party: Party, uri: str) -> subprocess.Popen[bytes]:
    process = attending.start(party, uri, *OPTIONS)
    attending.wait_until(lambda: "the agent is ready" in attending.said(party), process, party)
    return process
