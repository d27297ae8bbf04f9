"""Five people, any one or two of whom cheat, in every way that the messages of a ceremony allow.

Whatever they do, and once the honest have shown each other all that they were sent: either all honest have the same
key, or none has one; and no honest one is ever named. All ways of one cheat are tried; of two at once a sample, always
the same one. FROST_HSM_EVERY=cheats tries all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path

import pytest
from attacks.cheating import EVERY_WAY, EVERYTHING, FATAL, NAMES, Way, harmless
from attacks.gathering import Gathering, Person, Refreshing, gather
from stage import parties, upkeep
from stage.parties import KEY

from frost_hsm.ceremony.history.keys import KeyStatus
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.sharing import keygen

Case = Mapping[str, Way]


def alone(ways: Sequence[Way]) -> Iterator[Case]:
    """One cheat at a time, everybody in turn."""
    for number, way in enumerate(ways):
        for name in NAMES if EVERYTHING else [NAMES[number % len(NAMES)]]:
            yield {name: way}


def in_pairs() -> Iterator[Case]:
    """Every two cheats, each pair in one way of its own."""
    for pair in combinations(NAMES, 2):
        ways = list(product(EVERY_WAY, repeat=2))
        for chosen in ways if EVERYTHING else random.Random("".join(pair)).sample(ways, 1):
            yield dict(zip(pair, chosen, strict=True))


def at_the_end() -> Iterator[Case]:
    """One cheat, when all else is done: of this a refresh makes more than key generation."""
    for case in alone([way for way in EVERY_WAY if EVERYTHING or way[0] == "confirm"]):
        if EVERYTHING or not {("confirm", f"wrong {number}") for number in range(3)} & set(case.values()):
            yield case


def title(case: Case) -> str:
    return " and ".join(f"{name} {way} in {step}" for name, (step, way) in case.items())


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> list[Person]:
    """Five people without a key, as they are kept."""
    people = gather(tmp_path_factory.mktemp("strangers"))
    for person in people:
        person.keep()
    return people


@pytest.fixture(scope="module")
def owners(tmp_path_factory: pytest.TempPathFactory) -> list[Person]:
    """Five people with a key, of whom three sign."""
    people = gather(tmp_path_factory.mktemp("owners"))
    parties.generate(people, 3)
    for person in people:
        person.keep()
    return people


@pytest.fixture
def people(strangers: list[Person]) -> list[Person]:
    for person in strangers:
        person.put_back()
    return strangers


@pytest.fixture
def group(owners: list[Person]) -> list[Person]:
    for person in owners:
        person.put_back()
    return owners


def propose(people: Sequence[Person], min_signers: int = 3, order: Callable[[list[str]], list[str]] = list) -> bytes:
    by_name = {person.name: person.public for person in people[1:]}
    with people[0].holder() as holder:
        peers = [by_name[name] for name in order(list(by_name))]
        return keygen.propose(holder, KEY, peers, min_signers=min_signers, suite="p256")


def to_everybody(proposal: bytes) -> dict[str, bytes]:
    return dict.fromkeys(NAMES, proposal)


def test_nobody_cheats(people: list[Person]) -> None:
    assert Gathering(people, {}, to_everybody(propose(people))).run()
    assert [person.key().status for person in people] == [KeyStatus.ACTIVE] * 5
    assert len(parties.sign(people[2:], b"message")) == 65


@pytest.mark.parametrize("case", [*alone(EVERY_WAY), *in_pairs()], ids=title)
def test_a_key_is_made(people: list[Person], case: Case) -> None:
    is_key = Gathering(people, case, to_everybody(propose(people))).run()
    if all(map(harmless, case.values())) or (len(case) == 1 and ("confirm", "to some") in case.values()):
        assert is_key
    if len(case) == 1 and any(how in FATAL for _, how in case.values()):
        assert not is_key


def proposals(people: list[Person], directory: Path, way: str) -> dict[str, bytes]:
    """What Ann, who proposes, and Ben, who is with her, show the others."""
    good = propose(people)
    if way == "repeated":  # two signatures under one proposal
        with people[0].holder() as holder:
            again = signed.write(signed.read(good).message, holder)
        return {**to_everybody(good), "cid": again}
    if way == "missing":
        return {name: good for name in NAMES if name != "eve"}
    if way == "wrong":
        impostor = next(person for person in gather(directory) if person.name == "dot")
        return to_everybody(propose([*people[:3], impostor, people[4]]))
    if way == "swapped":
        return {**to_everybody(good), "eve": propose(people, order=lambda names: names[::-1])}
    assert way == "equivocating"
    return {**to_everybody(good), "dot": propose(people, 2), "eve": propose(people, 2)}


@pytest.mark.parametrize("way", ["repeated", "missing", "wrong", "swapped", "equivocating"])
def test_a_key_is_proposed(people: list[Person], tmp_path: Path, way: str) -> None:
    cheats = {"ann": ("proposal", way), "ben": ("proposal", way)}
    assert Gathering(people, cheats, proposals(people, tmp_path, way)).run() == (way == "repeated")


@pytest.mark.slow
@pytest.mark.parametrize("case", [*at_the_end(), *(in_pairs() if EVERYTHING else ())], ids=title)
def test_shares_are_made_anew(group: list[Person], case: Case) -> None:
    is_done = Refreshing(group, case, to_everybody(upkeep.propose(group[0]))).run()
    if all(map(harmless, case.values())):
        assert is_done
