"""A key that is not, or no more, to be used signs nothing, even with nonces that wait for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from stage import parties

from frost_hsm.ceremony.history.keys import KeyStatus
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.errors import CeremonyStopped, ForeignMessage, FrostHsmError, NotYet
from frost_hsm.frost.packages import SigningPackage


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (KeyStatus.PENDING, NotYet),
        (KeyStatus.GIVEN_UP, NotYet),
        (KeyStatus.STOPPED, CeremonyStopped),
        (KeyStatus.PARTED, CeremonyStopped),
        (KeyStatus.SUPERSEDED, ForeignMessage),
    ],
)
def test_it_neither_commits_nor_signs(tmp_path: Path, status: KeyStatus, expected: type[FrostHsmError]) -> None:
    alice, bob, _ = people = parties.gather(tmp_path)
    key = parties.generate(people)
    with alice.holder() as holder, bob.holder() as other:
        signer = SealedSigner(key, holder, alice.home)
        commitments = {
            key.identifier("alice"): signer.commit(),
            key.identifier("bob"): SealedSigner(bob.key(), other, bob.home).commit(),
        }
        package = SigningPackage(key.suite, commitments, b"message")
        inactive = SealedSigner(replace(key, status=status), holder, alice.home)
        before = set(holder.token.record_names())
        with pytest.raises(expected):
            inactive.commit()
        with pytest.raises(expected):
            inactive.sign(package)
        assert set(holder.token.record_names()) == before
        signer.sign(package)
