"""Whatever has become of a thing, or of a file made of one, it is read or refused, and never breaks a program."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from stage.every_thing import GIVEN, by, things
from stage.signing_things import all_signed

from frost_hsm import targets
from frost_hsm.errors import FrostHsmError

THINGS = things()


def damaged(data: bytes, chance: random.Random, count: int) -> list[bytes]:
    """Copies of it with something changed, cut out, doubled or cut off."""
    found = []
    for _ in range(count):
        one, two = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        other = bytes((chance.choice((0, 1, 0x30, 0x7F, 0x80, 0xFF, chance.randrange(256))),))
        found.append(
            chance.choice(
                (
                    data[:one] + other + data[one + 1 :],
                    data[:one] + data[min(two, one + 4) :],
                    data[:one] + data[one : one + 8] + data[one:],
                    data[:one],
                )
            )
        )
    return found


def flipped(data: bytes, chance: random.Random) -> list[bytes]:
    """A copy for each byte of it, with one bit changed there."""
    return [
        data[:place] + bytes((byte ^ 1 << chance.randrange(8),)) + data[place + 1 :] for place, byte in enumerate(data)
    ]


def test_every_target_is_tried() -> None:
    ours = {name for name in targets.installed() if type(targets.load(name)).__module__.startswith("frost_hsm.")}
    assert ours == THINGS.keys()


# cryptography warns of what it will refuse one day
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@pytest.mark.parametrize("name", THINGS)
def test_a_damaged_thing_is_read_or_refused(name: str, tmp_path: Path) -> None:
    """And if it is read, whatever is signed in another way is said in other words."""
    target, key, chance = targets.load(name), by(name).key, random.Random(7)
    refused = 0
    for thing, signed in THINGS[name]:
        for data in [*damaged(thing, chance, 400), *flipped(thing, chance)]:
            try:
                read = target.read(data)
                assert all(line.isprintable() for line in read.lines())
                is_same = all_signed(read, key) == all_signed(signed.thing, key)
                assert is_same or "\n".join(read.lines()) != signed.words
                assert read.file_name("file")
                assert read.use("file")
            except FrostHsmError:
                refused += 1
    assert refused > 50 or name in ("raw", "signify")


@pytest.mark.parametrize("name", THINGS)
def test_a_damaged_file_is_verified_or_refused(name: str) -> None:
    target, key, chance = targets.load(name), by(name).key, random.Random(7)
    for _, signed in THINGS[name]:
        data = GIVEN[name][0]
        for finished in damaged(signed.finished, chance, 150):
            if finished != signed.finished:
                with pytest.raises(FrostHsmError):
                    targets.verify(target, key, finished, io.BytesIO(data))
