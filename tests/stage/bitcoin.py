"""Spends of Bitcoin by a key of secp256k1-tr, and the consensus code of Bitcoin Core as their judge."""

from __future__ import annotations

import pytest
from embit.psbt import PSBT
from embit.script import Script, Witness
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets.psbt import script_of

pbk = pytest.importorskip("pbk")

PAYEE = Script(b"\0\x14" + b"\xab" * 20)
COIN = 100_000_000


def spend(key: VerifyingKey, pays: tuple[int, ...] = (60_000_000,), script: Script = PAYEE, inputs: int = 2) -> PSBT:
    """A transaction that spends a coin an input of the key's, and gives a little to the miner."""
    spent = [TransactionOutput(COIN, Script(script_of(key))) for _ in range(inputs)]
    back = inputs * COIN - sum(pays) - 1234
    outputs = [TransactionOutput(amount, script) for amount in pays]
    outputs.append(TransactionOutput(back, Script(script_of(key))))
    entries = [TransactionInput(bytes((number + 1,)) * 32, number, sequence=0xFFFFFFFD) for number in range(inputs)]
    made = PSBT(Transaction(2, entries, outputs))
    for own, output in zip(made.inputs, spent, strict=True):
        own.witness_utxo = output
    return made


def takes(signed: bytes, number: int) -> bool:
    """Let Bitcoin's consensus code run an input of the transaction."""
    found = PSBT.parse(signed)
    transaction = Transaction.parse(found.tx.serialize())
    for own, each in zip(transaction.vin, found.inputs, strict=True):
        own.witness = each.final_scriptwitness or Witness([])
    outputs = [each.witness_utxo for each in found.inputs]
    spent = [pbk.TransactionOutput(pbk.ScriptPubkey(each.script_pubkey.data), each.value) for each in outputs]
    whole = pbk.Transaction(transaction.serialize())
    known = pbk.script.PrecomputedTransactionData(whole, spent)
    script = pbk.ScriptPubkey(outputs[number].script_pubkey.data)
    flags = pbk.ScriptVerificationFlags.ALL
    try:
        return bool(script.verify(outputs[number].value, whole, known, number, flags))
    except pbk.ScriptVerifyException:
        return False
