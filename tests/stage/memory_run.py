"""A key generation, a signature and what is done with a dealer's shares, with known secrets, then a pause.

`test_memory` looks into this process.

Arguments: a suite's name; and "wiped", or "int" or "bytes" to keep a signing share in that form, which the search must
find.
"""

from __future__ import annotations

import gc
import hashlib
import sys

from frost_hsm.frost import signing
from frost_hsm.frost.ciphersuites import Ciphersuite, by_name
from frost_hsm.frost.keys import dealer, dkg, refresh, repair
from frost_hsm.frost.packages import Identifier, KeyPackage, SigningPackage

MESSAGE = b"message"


class KnownEntropy:
    """Draws that whoever knows the seed can compute too."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._drawn = 0

    def __call__(self, buffer: memoryview) -> None:
        buffer[:] = hashlib.sha256(self._seed + bytes((self._drawn,))).digest()[: len(buffer)]
        self._drawn += 1


def share_out(suite: Ciphersuite) -> None:
    """Deal, refresh, repair and reconstruct, as every participant at once."""
    shares, public = dealer.generate_with_dealer(suite, max_signers=3, min_signers=2, entropy=KnownEntropy(b"deal"))
    ids = list(shares)
    added, refreshed = refresh.compute_refreshing_shares(public, ids, KnownEntropy(b"refresh"))
    key_packages = []
    for i in ids:
        old = KeyPackage.from_secret_share(shares[i])
        key_packages.append(refresh.refresh_share(added[i], old))
        for secret in (shares[i], added[i], old):
            secret.wipe()
    helpers, lost = ids[:2], ids[2]
    deltas = {
        i: repair.repair_share_part1(helpers, key_package, lost, KnownEntropy(b"repair%d" % i.value))
        for i, key_package in zip(helpers, key_packages, strict=False)
    }
    sigmas = {i: repair.repair_share_part2(helpers, {j: deltas[j][i] for j in helpers}) for i in helpers}
    repaired = repair.repair_share_part3(sigmas, lost, refreshed)
    key = dealer.reconstruct(key_packages[:2])
    pieces = [delta for sent in deltas.values() for delta in sent.values()]
    for secret in (*pieces, *sigmas.values(), *key_packages, repaired, key):
        secret.wipe()


def main(name: str, mode: str) -> None:
    suite = by_name(name)
    assert "libcrypto" in suite.group.backend or "native" in suite.group.backend
    share_out(suite)
    ids = [Identifier(suite, k) for k in (1, 2, 3)]
    made = {i: dkg.part1(suite, i, max_signers=3, min_signers=2, entropy=KnownEntropy(b"dkg%d" % i.value)) for i in ids}
    packages = {i: package for i, (_, package) in made.items()}
    kept, sent = {}, {}
    for i in ids:
        made[i][0].to_json().wipe()
        kept[i], sent[i] = dkg.part2(made[i][0], {j: p for j, p in packages.items() if j != i})
    finished = {}
    for i in ids:
        received = {j: sent[j][i] for j in ids if j != i}
        finished[i], _ = dkg.part3(kept[i], {j: p for j, p in packages.items() if j != i}, received)
        for package in received.values():
            with package.serialize() as stored:
                type(package).deserialize(suite, stored).wipe()
            package.wipe()
    committed = {i: signing.commit(finished[i], KnownEntropy(b"sign%d" % i.value)) for i in ids[:2]}
    to_sign = SigningPackage(suite, {i: c for i, (_, c) in committed.items()}, MESSAGE)
    for i, (nonces, _) in committed.items():
        with nonces.serialize() as stored, nonces.to_json() as text:
            again = type(nonces).deserialize(suite, stored)
            type(nonces).from_json(suite, text).wipe()
        signing.sign(to_sign, again, finished[i])
        nonces.wipe()
    leak: object = None
    if mode != "wiped":
        with finished[ids[0]].signing_share.serialize().reveal() as view:
            leak = int.from_bytes(view, suite.group.byteorder) if mode == "int" else bytes(view)
    for key_package in finished.values():
        key_package.wipe()
    del made, kept, sent, finished, committed, received, nonces, again
    gc.collect()
    print("ready", flush=True)
    sys.stdin.readline()
    del leak


if __name__ == "__main__":
    main(*sys.argv[1:])
