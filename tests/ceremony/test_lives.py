"""What honest people sign in a long life of a key, in any selection and order, convicts nobody.

Shares are made anew, by all and by a dealer, in part and to the end; people come, are replaced and lose what they had;
requests are answered, and answered again after a loss. Everything that anybody signed is recorded, whether it was sent
or not. Then files are put together of it at random. A second judgement has what one participant makes at will among it.

FROST_HSM_LIVES=20000 has so many files judged of each sort, of lives of three to five people with any suite.
"""

from __future__ import annotations

import functools
import itertools
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from ceremony.test_blame_anything import made
from stage import parties, upkeep
from stage.parties import Party, inbox

from frost_hsm.ceremony.history import backup, dossier
from frost_hsm.ceremony.history.evidence import judge
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import Abandonment as Abandoning
from frost_hsm.ceremony.messages.changing import RepairRequest
from frost_hsm.ceremony.messages.making import Confirmation, Proposal, RefreshProposal
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.using import SigningRequest
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.sharing import abandonment, dealing
from frost_hsm.ceremony.sharing import repair as ceremony_repair
from frost_hsm.ceremony.sharing.abandonment import Abandonment
from frost_hsm.errors import FrostHsmError, InputProblem, InvalidContents
from frost_hsm.forms import pem
from frost_hsm.frost import ciphersuites

FILES = int(os.environ.get("FROST_HSM_LIVES", "60"))
OF_ONE_LIFE = 400
NAMES = ("alice", "bob", "mallory", "carol", "dave")
MALLORY = 2
LIES = 8
BEGINNINGS = (Proposal, RefreshProposal, RepairRequest, Abandoning, SigningRequest)


class Life:
    """People with a key, and everything that any of them signed."""

    def __init__(self, directory: Path, draw: random.Random, size: int, suite: str) -> None:
        self.draw = draw
        self.directory = directory
        self.people = parties.gather(directory / "first", NAMES[:size])
        self.mallory = self.people[MALLORY]
        self.copies: list[tuple[Party, Path]] = []
        self.done = 0
        parties.generate(self.people, draw.choice([2, size - 1]), suite=suite)

    @property
    def furthest(self) -> Party:
        """Who went furthest."""
        return max(self.people, key=lambda party: party.key().state.height)

    @property
    def key(self) -> parties.GroupKey:
        """The key as they have it."""
        return self.furthest.key()

    def live(self) -> None:
        """Do everything that people do, in any order."""
        ways = [
            *(self.refresh, self.give_up, self.hang_and_abandon, self.hang_and_replace, self.deal, self.take_in),
            *(self.sign, self.sign_again, self.keep, self.put_back, self.put_back, self.restore),
        ]
        self.draw.shuffle(ways)
        for way in ways:
            try:
                way()
                self.done += 1
            except FrostHsmError as error:  # people are refused what they cannot do; nobody is blamed for it
                assert getattr(error, "culprits", ()) == (), error

    def some(self, count: int) -> list[Party]:
        return sorted(self.draw.sample(self.people, count), key=lambda each: self.people.index(each))

    def signers(self) -> list[Party]:
        return self.some(self.key.min_signers)

    # ── What people do ──

    def refresh(self) -> None:
        upkeep.refresh(self.people)

    def give_up(self) -> None:
        first = upkeep.round1(self.people, upkeep.propose(self.some(1)[0]))
        upkeep.round2(self.some(2), first)
        for party in self.people:
            upkeep.load(party).abort(party.holder)

    def hang(self) -> None:
        first = upkeep.round1(self.people, upkeep.propose(self.people[0]))
        second = upkeep.round2(self.people, first)
        upkeep.finish(self.people[:-1], first, second)

    def hang_and_abandon(self) -> None:
        self.hang()
        author = self.people[0]
        with author.holder() as holder:
            asked = abandonment.propose(holder, author.key(), [upkeep.load(author).id])
        said: list[bytes] = []
        for _ in range(2):
            for party in self.people:
                said.append(Abandonment.read(party.home, asked, party.public).confirm(party.holder, inbox(set(said))))

    def hang_and_replace(self) -> None:
        """Somebody else takes the place of the last, who is blamed for nothing."""
        self.hang()
        self.receive(self.newcomer(), len(self.people), [upkeep.load(self.people[0]).id])

    def take_in(self) -> None:
        self.receive(self.newcomer(), len(self.people) + 1, [])

    def newcomer(self) -> Party:
        name = f"new{len(list(self.directory.iterdir()))}"
        [new] = parties.gather(self.directory / name, [name])
        for party in self.people:
            party.home.replace(f"peers/{name}.pem", new.public.to_pem())
        upkeep.hand_over(self.people[0], new, self.people)
        return new

    def receive(self, new: Party, position: int, displaces: Sequence[bytes]) -> None:
        helpers = self.people[: max(self.key.min_signers, 2)]
        with new.holder() as holder:
            names = [helper.name for helper in helpers]
            request = ceremony_repair.request(holder, new.key(), position, names, displaces=displaces)
        sigmas = upkeep.sigmas(helpers, request, upkeep.deltas(helpers, request))
        done = upkeep.repairing(new, request).finish(new.holder, inbox(sigmas.values()))
        people = [*self.people[: position - 1], new]
        upkeep.confirm_repair(people, request, *sigmas.values(), done)
        self.people = people

    def deal(self) -> None:
        [dealer] = self.some(1)
        proposal = upkeep.propose(dealer)
        dealt = dealing.deal_refresh(upkeep.join(dealer, proposal), dealer.holder)
        third = {
            party.name: dealing.accept(upkeep.join(party, proposal), party.holder, dealt).message
            for party in self.people
        }
        upkeep.confirm(self.people, third)

    def sign(self) -> None:
        parties.sign(self.signers(), b"pay 5 to dave")

    def sign_again(self) -> None:
        """One of the signers loses what they had between commitment and answer, and commits again."""
        signers = self.signers()
        kept = self.copy(signers[0])
        wanted = parties.request(signers, b"pay 6 to dave")
        commitments = parties.commit(signers, wanted)
        parties.respond(signers[:1], wanted, commitments)
        self.replace(signers[0], kept)
        commitments |= parties.commit(signers[:1], wanted)
        parties.respond(signers, wanted, commitments)

    def keep(self) -> None:
        self.copies += [(party, self.copy(party)) for party in self.some(2)]

    def put_back(self) -> None:
        """Somebody goes on with an older copy of their directory, and takes in what they missed."""
        if self.copies:
            party, kept = self.draw.choice(self.copies)
            self.replace(party, kept)
            upkeep.hand_over(self.people[0], party, self.people)

    def restore(self) -> None:
        [party] = self.some(1)
        with party.holder() as holder:
            data = backup.create(party.home, holder, []).data
        party.home.remove("keys")
        backup.restore(party.home, data, party.public)

    def copy(self, party: Party) -> Path:
        place = self.directory / "copies" / str(self.draw.getrandbits(64))
        return shutil.copytree(party.directory / "home", place)

    def replace(self, party: Party, kept: Path) -> None:
        shutil.rmtree(party.directory / "home")
        shutil.copytree(kept, party.directory / "home")

    # ── What is made of it ──

    def lies(self, said: Sequence[bytes]) -> Iterator[bytes]:
        """What Mallory signs of every kind, as far as it has a place in a file of what was said."""
        read = {each: signed.parse(each) for each in said}
        ids = [each.content_digest for each in read.values() if isinstance(signed.decode(each), BEGINNINGS)]
        envelopes = [each for one in read.values() for each in one.enclosed]
        key = self.key
        with self.mallory.holder() as holder:
            drawn = (made(self.draw, ids, key, self.mallory, envelopes) for _ in range(3 * LIES))
            lies = [signed.write(each, holder) for each in drawn]
        kinds = (*BEGINNINGS, Confirmation)
        places = [said[0], *(each for each in said if isinstance(signed.decode(read[each]), kinds))]
        fitting = (lie for lie in lies if names(b"".join([*places, lie])) != "refused")
        yield from itertools.islice(fitting, LIES)

    def files(self, said: Sequence[bytes], others: Sequence[bytes], count: int) -> Iterator[bytes]:
        """Put files together: the proposal, some of what was said, others in between, in any order."""
        proposal = next(each for each in said if isinstance(signed.decode(signed.parse(each)), Proposal))
        key = self.key
        encoded = {each.public_key_package.serialize() for each in (key, *key.earlier(self.furthest.home))}
        packages = b"".join(pem.encode(dossier.PACKAGE_LABEL, each) for each in sorted(encoded))
        for _ in range(count):
            share = self.draw.choice([0.3, 0.9, 0.98, 1])
            chosen = [each for each in said if self.draw.random() < share]
            chosen += [self.draw.choice(others) for _ in range(self.draw.randrange(1, 4)) if others]
            self.draw.shuffle(chosen)
            yield b"".join([proposal, *chosen, self.draw.choice([b"", packages, packages])])


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Everything that is signed from here on."""
    found: list[bytes] = []
    write = signed.write

    def recording(message: Message, holder: Holder) -> bytes:
        data = write(message, holder)
        found.append(data)
        return data

    monkeypatch.setattr(signed, "write", recording)
    for name in ("parse", "read", "decode"):  # each file holds much of what another holds
        monkeypatch.setattr(signed, name, functools.lru_cache(4096)(getattr(signed, name)))
    return found


@pytest.mark.slow
def test_what_honest_people_sign_convicts_nobody(tmp_path: Path, said: list[bytes]) -> None:
    verdicts: Counter[object] = Counter()
    of_a_cheat: Counter[object] = Counter()
    done, lives = 0, -(-FILES // OF_ONE_LIFE)
    for number in range(lives):
        draw = random.Random(f"{FILES} {number}")
        is_first = number == 0
        size, suite = (3, "p256") if is_first else (draw.randrange(3, 6), draw.choice(ciphersuites.ALL).name)
        said.clear()
        life = Life(tmp_path / str(number), draw, size, suite)
        life.live()
        done += life.done
        honest, count = list(said), min(FILES, OF_ONE_LIFE)
        lies = list(life.lies(honest))
        verdicts.update(map(names, life.files(honest, [], count)))
        of_a_cheat.update(map(names, life.files(honest, lies, count)))
    assert done > 8 * lives, "as a rule people are not refused"
    assert set(verdicts) <= {(), "refused"}
    assert verdicts[()] > FILES // 8
    assert set(of_a_cheat) <= {(), ("mallory",), "refused"}
    assert of_a_cheat["mallory",] > FILES // 20


def names(data: bytes) -> object:
    """Whom a file convicts."""
    try:
        return judge(data).names
    except InvalidContents as error:
        return error.culprits
    except InputProblem:
        return "refused"
