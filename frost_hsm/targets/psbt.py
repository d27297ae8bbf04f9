"""A spend of Bitcoin by a key of secp256k1-tr: one input of a transaction, signed along the key path of Taproot.

The output that is spent is the key itself, ``rawtr(KEY)`` in a descriptor, without a tweak. The request carries the
transaction as a PSBT with nothing in it but what is signed; of many inputs each is an item of its own, and PSBTs are
combined as ever. Source: BIP-174, BIP-341, BIP-386.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from embit.networks import NETWORKS
from embit.psbt import PSBT
from embit.script import Script, Witness

from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.forms.asn1 import NUMBER, OCTETS, TEXT, Structure
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Option, Target, Thing, asked, words

SUITES: Final = frozenset({"secp256k1-tr"})
MAX_SIZE: Final = 1 << 18

_WHAT: Final = "a spend of Bitcoin"
_MAIN: Final = "main"
_UNSIGNED_NETWORK: Final = "  CAREFUL  the network is not signed: this spends such coins of the main network as well"
_COIN: Final = 100_000_000  # satoshi
_FINAL: Final = 0xFFFFFFFF  # of a sequence number
_OP_RETURN: Final = 0x6A
_TAPROOT: Final = b"\x51\x20"


def script_of(key: VerifyingKey) -> bytes:
    """Return the script of an output that is the group's key itself."""
    return _TAPROOT + key.serialize()[1:]


def descriptor(key: VerifyingKey) -> bytes:
    """Write a descriptor by which wallets watch that output."""
    return f"rawtr({key.serialize()[1:].hex()})\n".encode()


@dataclass(frozen=True, slots=True)
class BitcoinSpend(Structure, Thing):
    """A transaction of which one input is to be signed.

    psbt: version 0, for every input the output that it spends, for some the witness that makes them final, and no more.
    number: of the input, from 0. network: by which addresses are written. Raises `NotPossible`.

    SEQUENCE { version INTEGER (2), psbt OCTET STRING, number INTEGER, network UTF8String }
    """

    title = "spend of Bitcoin to sign"
    asn1 = (OCTETS, NUMBER, TEXT)
    ending = ".psbt"

    psbt: bytes = field(repr=False)
    number: int
    network: str

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise NotPossible(f"no network {words.quoted(self.network)} is known", hint=", ".join(NETWORKS))
        found = read(self.psbt)
        if bare(found).serialize() != self.psbt:
            raise NotPossible(f"{_WHAT} has parts that are not signed, or not in their one form")
        if self.number >= len(found.inputs):
            raise NotPossible(f"{_WHAT} has no input {self.number}", hint=f"it has {len(found.inputs)}, from 0")
        if found.inputs[self.number].final_scriptwitness is not None:
            raise NotPossible(f"input {self.number} is signed already")
        if sum(each.value for each in found.tx.vout) > sum(each.witness_utxo.value for each in found.inputs):
            raise NotPossible(f"{_WHAT} pays more than it spends")
        for output in found.tx.vout:
            self._payee(output.script_pubkey)

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the hash of BIP-341 that covers all inputs and outputs. Raises `NotPossible` for another's coin."""
        found = read(self.psbt)
        if found.inputs[self.number].witness_utxo.script_pubkey.data != script_of(key):
            raise NotPossible(f"input {self.number} does not spend an output of this key", hint="rawtr(KEY), untweaked")
        scripts = [each.witness_utxo.script_pubkey for each in found.inputs]
        values = [each.witness_utxo.value for each in found.inputs]
        message: bytes = found.tx.sighash_taproot(self.number, scripts, values)
        return message

    def lines(self) -> list[str]:
        """Say what is spent, who is paid, the fee, and when."""
        found = read(self.psbt)
        spent = [each.witness_utxo for each in found.inputs]
        own = spent[self.number].script_pubkey
        said = [f"  signs    input {self.number}, of {len(spent)}, on {self.network}"]
        for each, entry in zip(spent, found.tx.vin, strict=True):
            mark = "of this key" if each.script_pubkey == own else self._payee(each.script_pubkey)
            said.append(f"  spends   {_amount(each.value)} {mark}")
            said.append(f"           {entry.txid.hex()}:{entry.vout}, sequence {entry.sequence:08x}")
        for each in found.tx.vout:
            mark = "back to this key" if each.script_pubkey == own else f"to {self._payee(each.script_pubkey)}"
            said.append(f"  pays     {_amount(each.value)} {mark}")
        fee = sum(each.value for each in spent) - sum(each.value for each in found.tx.vout)
        said += [f"  fee      {_amount(fee)}", f"  locktime {found.tx.locktime}, version {found.tx.version}"]
        return said if self.network == _MAIN else [*said, _UNSIGNED_NETWORK]

    def _payee(self, script: Script) -> str:
        """Say whom an output is for. Raises `NotPossible` for a script that has no address."""
        if script.data[:1] == bytes((_OP_RETURN,)):
            return f"nobody, with data {script.data.hex()}"
        try:
            address: str = script.address(NETWORKS[self.network])
        except ValueError:
            raise NotPossible(f"{_WHAT} has an output without an address: {script.data.hex()[:80]}") from None
        return address

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the PSBT in which this input is final."""
        found = read(self.psbt)
        found.inputs[self.number].final_scriptwitness = Witness([signature])
        data: bytes = found.serialize()
        return data

    def use(self, file: str) -> str:
        """Make a transaction of it."""
        return f"bitcoin-cli finalizepsbt $(base64 -w0 {file})"


def read(data: bytes) -> Any:
    """Read a PSBT of version 0 that says which outputs are spent. Raises `NotPossible`."""
    try:
        found = PSBT.parse(data) if len(data) <= MAX_SIZE else None
    except Exception:  # whatever the library makes of it
        found = None
    if found is None or found.version is not None or not found.inputs:
        raise NotPossible(f"this is not {_WHAT}: a PSBT of version 0")
    if any(each.witness_utxo is None for each in found.inputs):
        raise NotPossible(f"{_WHAT} does not say of every input which output it spends", hint="utxoupdatepsbt")
    return found


def bare(found: Any) -> Any:
    """Return a PSBT with what is signed, and witnesses that are final, alone."""
    kept = PSBT(found.tx, {})
    for scope in (*kept.inputs, *kept.outputs):
        scope.unknown = {}  # the library's own is one for all
    for each, own in zip(found.inputs, kept.inputs, strict=True):
        own.witness_utxo, own.final_scriptwitness = each.witness_utxo, each.final_scriptwitness
    return kept


def _amount(satoshi: int) -> str:
    return f"{satoshi // _COIN}.{satoshi % _COIN:08} BTC"


class BitcoinPsbt(Target):
    """A spend of Bitcoin, of a PSBT in binary."""

    name = "psbt"
    suites = SUITES
    options = (
        Option("input", "the number of the input to sign, from 0", "0"),
        Option("network", f"for addresses: {', '.join(NETWORKS)}", _MAIN),
    )

    def make(self, given: Given) -> bytes:
        """Take of a PSBT what is signed."""
        found = bare(read(given.all(MAX_SIZE)))
        return BitcoinSpend(found.serialize(), asked.number(given.texts["input"]), given.texts["network"]).encode()

    def read(self, data: bytes) -> BitcoinSpend:
        """Read the structure."""
        return BitcoinSpend.decode(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[BitcoinSpend, bytes]:
        """Compare with the PSBT that was signed: one input more is final."""
        signed, before = read(finished), bare(read(file.read(MAX_SIZE + 1)))
        states = [
            (each.final_scriptwitness, own.final_scriptwitness)
            for each, own in zip(signed.inputs, before.inputs, strict=False)
        ]
        added = [number for number, (now, then) in enumerate(states) if now is not None and then is None]
        if len(added) != 1 or len(states[added[0]][0].items) != 1:
            raise MalformedMessage("this is not that PSBT with one signature more")
        return BitcoinSpend(before.serialize(), added[0], _MAIN), states[added[0]][0].items[0]
