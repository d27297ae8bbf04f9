"""What is kept sealed while shares are made: the polynomial, then a mark with the envelopes' root, then the share.

Each record is also the token's own word on how far the ceremony went, should the state directory be lost or
restored from a backup: what was drawn is never drawn again, and what was sent is never sent with other contents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.ceremony.messages.message import HASH_LENGTH
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.sealing import seeds
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.records import SealedRecords, own_context, record_name
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import SealBroken, StateRolledBack, StepConflict
from frost_hsm.frost.keys.round1 import Package, SecretPackage
from frost_hsm.frost.packages import KeyPackage
from frost_hsm.frost.values import Signature
from frost_hsm.secret import Entropy, Secret

_ORDER = (Kind.ROUND1_STATE, Kind.ROUND2_DONE, Kind.SIGNING_SHARE)


class SealedRounds:
    """The sealed records of one participant in one ceremony. The caller holds the state directory's lock."""

    def __init__(self, seat: Seat, holder: Holder, home: StateDirectory) -> None:
        self._seat = seat
        self._records = SealedRecords(holder, home)

    def draw(self, part1: Callable[[], tuple[SecretPackage, Package, bytes]]) -> tuple[Package, bytes]:
        """Draw the polynomial, by ``part1``, and seal it, unless that was done before.

        Returns its round-1 package, and what proves that we know every coefficient; empty for a new key. Raises
        `StateRolledBack` if the token shows that a later step was taken.
        """
        if not self._has(Kind.ROUND1_STATE):
            self._require_none_later()
            secret, package, proofs = part1()
            # What is proven is kept beside the polynomial, so that a second try says the same.
            proof = package.proof_of_knowledge.serialize()
            with secret.serialize() as state, Secret.join(state, proof, proofs) as plaintext:
                self._records.put(self._name(Kind.ROUND1_STATE), self._context(Kind.ROUND1_STATE), plaintext)
            secret.wipe()
        secret, package, proofs = self._recall()
        secret.wipe()
        return package, proofs

    def recall(self) -> SecretPackage:
        """Return the polynomial; the caller wipes it. Raises `StateRolledBack` as `draw` does, `KeyNotFound`."""
        if not self._has(Kind.ROUND1_STATE):
            self._require_none_later()
        return self._recall()[0]

    def mark_round2(self, round1_hash: bytes, entropy: Entropy) -> Secret:
        """Bind the polynomial to one set of round-1 messages, before any share of it leaves: once and for all.

        Without this, a state directory put back in time would evaluate it for other participants. Returns the root of
        what is random in the envelopes (`sealing.shares`), drawn at the first try; the caller wipes it.
        Raises `StepConflict` if it was done with other messages.
        """
        if not self._has(Kind.ROUND2_DONE):
            with seeds.draw(entropy) as root, Secret.join(round1_hash, root) as plaintext:
                self._records.put(self._name(Kind.ROUND2_DONE), self._context(Kind.ROUND2_DONE), plaintext)
        return self.root(round1_hash)

    def root(self, round1_hash: bytes) -> Secret:
        """Return what `mark_round2` returned. Raises `StepConflict` as it does; `KeyNotFound` once it is destroyed."""
        with self._records.get(self._name(Kind.ROUND2_DONE), self._context(Kind.ROUND2_DONE)) as mark:
            with mark.part(0, HASH_LENGTH) as bound, Secret(round1_hash) as wanted:
                if len(mark) != HASH_LENGTH + seeds.SEED_LENGTH or not bound.equals(wanted):
                    raise self._conflict()
            return mark.part(HASH_LENGTH, len(mark))

    def forget_polynomial(self) -> None:
        """Destroy the polynomial, whose shares are on their way; none is fine."""
        self._destroy(Kind.ROUND1_STATE)

    def seal_share(self, package: KeyPackage, confirmation: Confirmation) -> None:
        """Seal the key package, bound to what its owner confirms; wipes it."""
        key, binding = package.verifying_key.serialize(), hashlib.sha256(confirmation.encode()).digest()
        with package.serialize() as plaintext:
            self._put_same(self._context(Kind.SIGNING_SHARE, key, binding), plaintext)
        package.wipe()

    def forget_root(self) -> None:
        """Destroy the mark of round 2 with its root, once the shares are active and undisputed; none is fine."""
        self._destroy(Kind.ROUND2_DONE)

    def destroy_all(self) -> None:
        """Destroy every record of this ceremony; none is fine."""
        self._records.destroy_all(self._seat.ceremony, self._seat.position)

    def _recall(self) -> tuple[SecretPackage, Package, bytes]:
        suite = self._seat.suite
        proofs_length = suite.group.element_length + suite.group.scalar_length if self._seat.epoch else 0
        with self._records.get(self._name(Kind.ROUND1_STATE), self._context(Kind.ROUND1_STATE)) as plaintext:
            split = len(plaintext) - suite.signature_length - proofs_length
            with plaintext.part(0, split) as state, plaintext.part(split, len(plaintext)) as proven:
                secret = SecretPackage.deserialize(suite, state)
                with proven.reveal() as public:
                    signature = Signature.deserialize(suite, bytes(public[: suite.signature_length]))
                    proofs = bytes(public[suite.signature_length :])
        return secret, Package(suite, secret.commitment, signature), proofs

    def _put_same(self, context: Context, plaintext: Secret) -> None:
        """Seal a record, unless an earlier try that was cut short has sealed the same; else `StepConflict`."""
        name = self._name(context.kind)
        if not self._has(context.kind):
            self._records.put(name, context, plaintext)
            return
        try:
            with self._records.get(name, context) as present:
                is_same = present.equals(plaintext)
        except SealBroken:
            is_same = False
        if not is_same:
            raise self._conflict()

    def _conflict(self) -> StepConflict:
        return StepConflict(f"this step of {self._seat.title} was done before, with other messages")

    def _require_none_later(self) -> None:
        names = self._records.names()
        if any(self._name(kind) in names for kind in _ORDER):
            raise StateRolledBack(
                f"the token shows that round 2 of {self._seat.title} was done before",
                hint="put the files you sent beside those of the others and go on: "
                f"frost-hsm {self._seat.command} finish {self._seat.name} --in DIR",
            )

    def _has(self, kind: Kind) -> bool:
        return self._name(kind) in self._records.names(self._name(kind))

    def _destroy(self, kind: Kind) -> None:
        if self._has(kind):
            self._records.destroy(self._name(kind))

    def _name(self, kind: Kind) -> str:
        return record_name(kind, self._seat.ceremony, self._seat.position)

    def _context(self, kind: Kind, key: bytes = b"", binding: bytes = b"") -> Context:
        seat = self._seat
        return own_context(
            seat.me, seat.ceremony, kind, seat.suite.id, key=key or seat.key, epoch=seat.epoch, binding=binding
        )
