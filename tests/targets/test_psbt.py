"""Spends of Bitcoin: taken by the consensus code of Bitcoin Core, refused by it once changed, and shown in full."""

from __future__ import annotations

import pytest
from embit.psbt import PSBT
from embit.script import Script
from hypothesis import given
from hypothesis import strategies as st
from stage import bitcoin
from stage.bitcoin import COIN, PAYEE, spend, takes
from stage.dealing import few
from stage.memory_group import MemoryGroup, altered, group
from stage.signing_things import make, sign, verify

from frost_hsm import targets
from frost_hsm.errors import InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.forms import der
from frost_hsm.forms.asn1 import VERSION
from frost_hsm.targets.psbt import descriptor, script_of

BY = group("secp256k1-tr")


def psbt(by: MemoryGroup = BY, pays: tuple[int, ...] = (60_000_000,), script: Script = PAYEE, inputs: int = 2) -> PSBT:
    return spend(by.key, pays, script, inputs)


@pytest.mark.parametrize("by", [group("secp256k1-tr", number) for number in range(3)], ids=["0", "1", "2"])
def test_it_is_taken(by: MemoryGroup) -> None:
    """Two inputs one after the other; by several groups, half of which have a y that BIP-340 leaves out."""
    start = psbt(by).serialize()
    first = sign("psbt", make("psbt", start, by=by), by=by)
    assert takes(first.finished, 0)
    assert not takes(first.finished, 1)
    second = sign("psbt", make("psbt", first.finished, by=by, input="1"), by=by)
    assert takes(second.finished, 0)
    assert takes(second.finished, 1)
    assert verify("psbt", first.finished, start, by=by).to_sign(by.key) == first.message
    assert verify("psbt", second.finished, first.finished, by=by).to_sign(by.key) == second.message


def test_it_is_refused_once_changed() -> None:
    start = psbt(inputs=1).serialize()
    made = sign("psbt", make("psbt", start, by=BY), by=BY)
    transaction = PSBT.parse(start).tx.serialize()
    for other in altered(transaction, 12):
        try:
            wrong = PSBT.parse(made.finished.replace(transaction, other)).serialize()
        except Exception:  # not even a transaction
            continue
        assert not takes(wrong, 0)
    for other in altered(made.signature, 6):
        assert not takes(made.finished.replace(made.signature, other), 0)
    for other in altered(made.finished, 16):
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("psbt", other, start, by=BY)


def test_everything_is_shown() -> None:
    said = sign("psbt", make("psbt", psbt(pays=(60_000_000, 7)).serialize(), by=BY), by=BY).words
    for wanted in (
        "input 0, of 2, on main",
        "spends   1.00000000 BTC of this key",
        f"{'01' * 32}:0, sequence fffffffd",
        "pays     0.60000000 BTC to bc1q4w46h2at4w46h2at4w46h2at4w46h2at25y74s",
        "pays     0.00000007 BTC to bc1q",
        "pays     1.39998759 BTC back to this key",
        "fee      0.00001234 BTC",
        "locktime 0, version 2",
    ):
        assert wanted in said
    burnt = sign("psbt", make("psbt", psbt(script=Script(b"\x6a\x03abc")).serialize(), by=BY), by=BY).words
    assert "nobody, with data 6a03616263" in burnt
    test = sign("psbt", make("psbt", psbt().serialize(), by=BY, network="test"), by=BY).words
    assert "to tb1q" in test


def test_it_is_said_that_the_network_is_not_signed() -> None:
    """Who asks says it, and the signature is the same: coins that are called worthless are spent."""
    main, test = (
        sign("psbt", make("psbt", psbt().serialize(), by=BY, network=name), by=BY) for name in ("main", "test")
    )
    assert main.message == test.message
    assert takes(test.finished, 0)
    assert "CAREFUL" in test.words
    assert "CAREFUL" not in main.words


def test_spends_that_are_refused() -> None:
    nameless = psbt()
    nameless.inputs[1].witness_utxo = None
    for data, texts in (
        (psbt(script=Script(b"\x51")).serialize(), {}),  # an output that no address says
        (nameless.serialize(), {}),
        (psbt().serialize(), {"input": "2"}),
        (psbt().serialize(), {"network": "moon"}),
        (psbt().serialize()[:-1], {}),
        (b"", {}),
    ):
        with pytest.raises(NotPossible):
            make("psbt", data, by=BY, **texts)
    with pytest.raises(NotPossible, match="this key"):
        targets.load("psbt").read(make("psbt", psbt().serialize(), by=BY)).to_sign(group("secp256k1-tr", 1).key)


def test_a_psbt_with_more_in_it_is_not_what_signers_read() -> None:
    more = psbt()
    more.inputs[0].unknown = {b"\xfcmore": b"hidden"}
    assert make("psbt", more.serialize(), by=BY) == make("psbt", psbt().serialize(), by=BY)
    for data in (more.serialize(), psbt().serialize() + b"\0"):
        thing = der.sequence(der.integer(VERSION), der.octet_string(data), der.integer(0), der.utf8_string("main"))
        with pytest.raises(MalformedMessage):
            targets.load("psbt").read(thing)


def test_a_descriptor_is_of_the_output() -> None:
    assert descriptor(BY.key) == f"rawtr({script_of(BY.key)[2:].hex()})\n".encode()


@few
@given(st.lists(st.integers(546, COIN // 4), min_size=1, max_size=4))
def test_what_is_shown_is_what_the_kernel_parses(pays: list[int]) -> None:
    made = sign("psbt", make("psbt", psbt(pays=tuple(pays), inputs=1).serialize(), by=BY), by=BY)
    transaction = bitcoin.pbk.Transaction(PSBT.parse(made.finished).tx.serialize())
    amounts = [output.amount for output in transaction.outputs]
    shown = [line.split()[1] for line in made.words.splitlines() if line.startswith("  pays")]
    assert shown == [f"{amount // COIN}.{amount % COIN:08}" for amount in amounts]
