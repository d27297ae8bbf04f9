"""What serves twice because a process was copied, and what somebody could foretell or undo."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from frost_hsm.errors import InvalidProofOfKnowledge, SecretForked, UnchangedShare
from frost_hsm.frost import batch, signing
from frost_hsm.frost.batch import Item
from frost_hsm.frost.ciphersuites import P256
from frost_hsm.frost.keys import dealer, proof_of_knowledge, refresh
from frost_hsm.frost.packages import KeyPackage, SigningKey, SigningPackage
from frost_hsm.frost.values import Identifier
from frost_hsm.groups.weights import Weights
from frost_hsm.secret import system_entropy


def test_s18_nonces_in_forked_children() -> None:
    """Three children of one server sign three messages with the same pair: that would give the share away."""
    shares, _ = dealer.generate_with_dealer(P256, max_signers=2, min_signers=2)
    (own, key), (other, others_key) = ((i, KeyPackage.from_secret_share(share)) for i, share in shares.items())
    nonces, commitments = signing.commit(key)
    _, others = signing.commit(others_key)
    answers = []
    for number in range(3):
        request = SigningPackage(P256, {own: commitments, other: others}, b"message %d" % number)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(write, signing.sign(request, nonces, key).serialize())
            except SecretForked:
                os.write(write, b"refused")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        answers.append(os.read(read, 100))
        os.close(read)
        os.close(write)
    assert answers == [b"refused"] * 3


def test_s19_errors_made_to_fit_the_weights_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has read the generator's next bytes, and sends two wrong signatures whose errors cancel out."""
    drawn: list[list[int]] = []

    class Read(Weights):
        def draw(self, count: int) -> list[int]:
            drawn.append(super().draw(count))
            return drawn[-1]

    monkeypatch.setattr(batch, "Weights", Read)

    def known(buffer: memoryview) -> None:
        buffer[:] = bytes(len(buffer))

    key = SigningKey.generate(P256)
    honest = [Item(key.verifying_key(), b"%d" % k, key.sign(b"%d" % k)) for k in range(20)]
    batch.verify(honest, known)
    first, second, *_ = drawn[0]
    forged = [
        replace(item, signature=replace(item.signature, response=(item.signature.response + error) % P256.group.order))
        for item, error in zip(honest, (second, -first), strict=False)
    ]
    assert batch.find_invalid([*forged, *honest[2:]], known) == [0, 1]


def test_k35_a_refresh_that_undoes_itself() -> None:
    """Whoever speaks last commits to minus what the others did: a polynomial that they cannot know."""
    honest = refresh.refresh_dkg_part1(P256, Identifier(P256, 1), max_signers=2, min_signers=2)[1].commitment
    element = P256.group.copy(honest.elements[0])
    P256.group.negate(element)
    opposite = type(honest).from_elements(P256, [element])
    cheat = Identifier(P256, 2)
    made_up = [P256.group.random_scalar()]
    proof = proof_of_knowledge.prove_all(cheat, made_up, opposite, b"this refresh", system_entropy)
    with pytest.raises(InvalidProofOfKnowledge) as convicted:
        refresh.verify_coefficients(cheat, opposite, proof, b"this refresh")
    assert convicted.value.culprits == (cheat,)


def test_k36_a_proof_from_another_refresh() -> None:
    """A proof that was good once goes beside the same commitment again."""
    own = Identifier(P256, 1)
    secret, package = refresh.refresh_dkg_part1(P256, own, max_signers=2, min_signers=2)
    proof = refresh.prove_coefficients(secret, b"one refresh")
    refresh.verify_coefficients(own, package.commitment, proof, b"one refresh")
    with pytest.raises(InvalidProofOfKnowledge):
        refresh.verify_coefficients(own, package.commitment, proof, b"another")


def test_k37_a_dealer_who_leaves_a_share_as_it_was() -> None:
    """A polynomial that is zero at somebody's number: a share that was stolen stays good."""
    _, before = dealer.generate_with_dealer(P256, max_signers=3, min_signers=3)
    drawn = [(-2 % P256.group.order).to_bytes(32, "big"), (1).to_bytes(32, "big")]  # x·(x - 2)

    def entropy(buffer: memoryview) -> None:
        buffer[:] = drawn.pop(0)

    _, after = refresh.compute_refreshing_shares(before, list(before.verifying_shares), entropy)
    with pytest.raises(UnchangedShare):
        refresh.check_every_share_changed(before, after)
