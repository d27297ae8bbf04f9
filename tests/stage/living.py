"""A program that makes a key, signs with it, refreshes and repairs it through the library, and goes on living.

Arguments: a suite, "software" or "pkcs11", a directory, a descriptor; then "leaking", to keep one share, which whoever
searches must find. Each share, coefficient, nonce and seed is told to the descriptor when it comes into being, without
a copy of it here. After each step it says on stdout which that was, and waits for a line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stage import parties, softhsm, upkeep

from frost_hsm.ceremony.sealing import seeds
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sharing import recovery
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import SecretValue, SigningShare
from frost_hsm.groups import SecretScalar
from frost_hsm.secret import Secret

kept: list[bytes] = []


def tell(descriptor: int, *, leaking: bool) -> None:
    """Have every secret told when it comes into being."""
    init = SecretValue.__init__

    def telling(value: SecretValue, ciphersuite: Ciphersuite, scalar: SecretScalar) -> None:
        init(value, ciphersuite, scalar)
        with value.serialize() as secret:
            say(secret, type(value).__name__)
            if leaking and not kept and isinstance(value, SigningShare):
                with secret.reveal() as view:
                    kept.append(bytes(view))

    def say(secret: Secret, name: str) -> Secret:
        with secret.reveal() as view:
            if len(view) < seeds.SEED_LENGTH or "ephemeral" in name:
                return secret  # a nonce of AES-GCM, which is public; a private key, of which cryptography keeps copies
            os.writev(descriptor, [bytes((len(view),)), view, name.encode() + b"\n"])
        return secret

    draw, expand = seeds.draw, seeds.expand
    seeds.draw = lambda *arguments: say(draw(*arguments), "seed")
    seeds.expand = lambda *arguments: say(expand(*arguments), f"what a seed gave for {arguments[1][:10]!r}")
    SecretValue.__init__ = telling  # type: ignore[method-assign]


def pause(step: str) -> None:
    print(step, flush=True)
    sys.stdin.readline()


def make_token(name: str, _folder: Path) -> str:
    path = softhsm.module_path()
    assert path is not None
    return f"pkcs11:token={name};serial={softhsm.initialise(path, name, parties.PIN)}"


def main(suite: str, backend: str, directory: Path) -> None:
    new_token, settings = None, parties.QUICK
    if backend == "pkcs11":
        softhsm.configure_process()
        new_token, settings = make_token, {"pkcs11": {"softhsm": softhsm.module_path() or ""}}
    people = parties.gather(directory, ("alice", "bob", "carol"), new_token=new_token, settings=settings)
    two = people[:2]
    first = parties.round1(two, parties.propose(two, suite=suite))
    pause("round1")
    second = parties.round2(two, first)
    pause("round2")
    confirmations = parties.finish(two, first, second)
    pause("finish")
    parties.confirm(two, confirmations)
    wanted = parties.request(two, b"a message")
    commitments = parties.commit(two, wanted)
    pause("commit")
    parties.respond(two, wanted, commitments)
    pause("respond")
    upkeep.refresh(two)
    pause("refresh")
    with two[0].holder() as holder:
        SealedRecords(holder, two[0].home).destroy(two[0].key().record_name(Kind.SIGNING_SHARE))
    recovery.recover(two[0].home, parties.KEY, two[0].public, two[0].holder, [])
    pause("recover")
    upkeep.repair(people[2], 3, two, people)
    pause("repair")


if __name__ == "__main__":
    tell(int(sys.argv[4]), leaking="leaking" in sys.argv)
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
