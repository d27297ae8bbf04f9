"""Key generation with somebody whose messages are none; every known attack on it is in `attacks`."""

from __future__ import annotations

from pathlib import Path

import pytest
from attacks.table import Table, convicted, refused

from frost_hsm.ceremony.messages.making import Round1
from frost_hsm.errors import InvalidContents, MalformedMessage


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def test_the_same_contents_signed_twice_are_no_equivocation(table: Table) -> None:
    again = table.mallory.round1()
    assert again != table.first["mallory"]
    table.round2(table.alice, *table.first.values(), again)


def test_garbage_signed_as_a_package_convicts(table: Table) -> None:
    said = table.mallory.say(Round1(table.mallory.seat.ceremony, b"nothing"))
    convicted(table.alice, InvalidContents, lambda: table.round2(table.alice, table.first["bob"], said))


@pytest.mark.parametrize("cut", [0, 1, 100, -2])
def test_a_truncated_message_blames_nobody(table: Table, cut: int) -> None:
    refused(
        table.alice,
        MalformedMessage,
        lambda: table.round2(table.alice, table.first["bob"], table.first["mallory"][:cut]),
    )


def test_signed_data_that_is_no_message_names_its_signer_and_stops_nothing(table: Table) -> None:
    """It cannot be told which ceremony it was meant for, so this one goes on without it."""
    broken = table.mallory.say(_Broken())
    before = table.alice.files()
    with pytest.raises(InvalidContents) as caught:
        table.round2(table.alice, table.first["bob"], broken)
    assert caught.value.culprits == ("mallory",)
    assert table.alice.files() == before
    table.round2(table.alice, *table.first.values())


class _Broken:
    content_type = Round1.content_type
    title = "broken message"

    def encode(self) -> bytes:
        return b"\x30\x03\x02\x01\x02"

    @classmethod
    def decode(cls, data: bytes) -> _Broken:
        raise NotImplementedError
