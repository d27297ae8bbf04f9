"""Whatever somebody signs and puts into a file, nobody else is named."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stage import parties, upkeep
from stage.parties import Party

from frost_hsm.ceremony.history import dossier
from frost_hsm.ceremony.history.evidence import judge
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import (
    Abandonment,
    RepairDelta,
    RepairDone,
    RepairRequest,
    RepairSigma,
    Standing,
)
from frost_hsm.ceremony.messages.complaints import Complaint, Opening
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, RefreshProposal, Round1, Round2
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes
from frost_hsm.ceremony.messages.using import RAW, Commitment, Item, Response, SigningRequest
from frost_hsm.errors import InputProblem, InvalidContents
from frost_hsm.forms import pem


def test_whatever_mallory_signs_names_mallory_alone(tmp_path: Path) -> None:
    """Messages of every kind with contents that fit or do not, among honest ones: a verdict, or a typed refusal."""
    check_what_mallory_signs(tmp_path, count=250, seed=5)


def check_what_mallory_signs(directory: Path, count: int, seed: int) -> None:
    people = parties.gather(directory, ["alice", "bob", "mallory"])
    parties.generate(people)
    alice, bob, third = people
    key = alice.key()
    wanted = parties.request([alice, bob], b"message")
    commitments = parties.commit([alice, bob], wanted)
    lineage = [said.to_pem() for said in key.history.lineage(key.state)]
    honest = list(lineage)
    honest += [wanted, *commitments.values(), *parties.respond([alice, bob], wanted, commitments).values()]
    folder = alice.directory / f"home/{alice.folder()}"
    honest += [path.read_bytes() for step in ("round1", "round2") for path in (folder / step).iterdir()]
    refresh = upkeep.propose(alice)
    honest += [refresh, *upkeep.round1([alice, bob], refresh).values()]
    draw = random.Random(seed)
    ids = [key.ceremony, signed.parse(wanted).content_digest, signed.parse(refresh).content_digest, bytes(32)]
    envelopes = [each for data in honest for each in signed.parse(data).enclosed]
    package = key.public_key_package.serialize()
    with third.holder() as holder:
        lies = [signed.write(made(draw, ids, key, third, envelopes), holder) for _ in range(150)]
    named: dict[tuple[object, ...], int] = {}
    for _ in range(count):
        chosen = [draw.choice(honest) for _ in range(draw.randrange(5))]
        chosen += [draw.choice(lies) for _ in range(draw.randrange(1, 4))]
        draw.shuffle(chosen)
        beginning = draw.choice(
            [lineage[:1], *([*lineage, *more] for more in ([], [refresh], [wanted], [refresh, wanted]))]
        )
        end = draw.choice([b"", pem.encode(dossier.PACKAGE_LABEL, draw.choice([package, package[:-1], b""]))])
        try:
            names: tuple[object, ...] = judge(b"".join([*beginning, *chosen]) + end).names
        except InvalidContents as error:
            names = error.culprits
        except InputProblem:
            names = ("refused",)
        named[names] = named.get(names, 0) + 1
    assert set(named) <= {(), ("mallory",), ("refused",)}
    assert min(named.get((), 0), named.get(("mallory",), 0)) > count // 100


def made(draw: random.Random, ids: Sequence[bytes], key: GroupKey, third: Party, envelopes: Sequence[bytes]) -> Any:
    """A message that Mallory can sign, some of it right."""

    def some(*right: bytes) -> bytes:
        data = draw.choice([*right, bytes(32), b"", draw.randbytes(33)])
        if data and draw.random() < 0.3:
            data = data[: draw.randrange(len(data))] + draw.randbytes(draw.randrange(3))
        return data

    def envelope() -> bytes:
        data = bytearray(draw.choice(envelopes))
        if draw.random() < 0.5:
            data[draw.randrange(4, len(data))] ^= 1 << draw.randrange(8)
        return bytes(data)

    def random() -> bytes:
        return draw.randbytes(32)

    def hashed() -> bytes:
        return draw.choice([bytes(32), key.state.package_hash])

    about, other, number = draw.choice(ids), draw.choice(ids), draw.choice([1, 2, 3, 4, 1024])
    state = (key.ceremony, draw.choice([key.state.digest, key.state.digest, bytes(32)]))
    author = draw.choice([3, 3, 1, 1024])
    item = Item(RAW, "", b"m")
    point = key.public_key_package.verifying_key.serialize()
    some_of = lambda number: Envelopes.of(Enclosure.of(envelope()) for _ in range(number))  # noqa: E731
    return draw.choice(
        [
            lambda: Round1(about, some(point * 3), draw.choice([None, b"", some()])),
            lambda: Round2(about, other, some_of(draw.choice([2, 3, 3, 4]))),
            lambda: Confirmation(about, tuple(hashed() for _ in range(draw.randrange(3))), hashed()),
            lambda: Complaint(about, number, draw.choice(ids), draw.choice([other * 3, other * 2])),
            lambda: Opening(about, number, draw.randbytes(32)),
            lambda: Dealing(about, some_of(draw.choice([2, 3]))),
            lambda: SigningRequest(*state, author, random(), (item,), draw.choice([(1, 3), (1, 1024), (2, 3)])),
            lambda: SigningRequest(*state, author, random(), (item,), (1, 3), some(b"r" * 32), (some(point * 2),) * 2),
            lambda: Commitment(about, (some(point * 2),), draw.choice([(), (b"y",)])),
            lambda: Response(about, other, (some(b"s" * 32),)),
            lambda: RefreshProposal(*state, author, random()),
            lambda: RepairRequest(*state, random(), max(number, 3), third.public, draw.choice([(), (1, 2)])),
            lambda: Abandonment(*state, author, random(), tuple(sorted({about, other}))),
            lambda: Standing(*state, draw.choice([b"", about])),
            lambda: RepairDelta(about, Envelopes.of([Enclosure.of(envelope())] * 2)),
            lambda: RepairSigma(about, other, envelope()),
            lambda: RepairDone(about, other),
        ]
    )()
