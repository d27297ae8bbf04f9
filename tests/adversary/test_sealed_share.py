"""A record that is sealed as it should be and holds another share, or says anything else than was confirmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from stage import parties
from stage.parties import Party

from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.errors import SealBroken
from frost_hsm.frost.packages import KeyPackage
from frost_hsm.frost.values import Identifier, SigningShare, VerifyingKey
from frost_hsm.secret import Secret


def another_share(package: KeyPackage) -> KeyPackage:
    share = SigningShare.deserialize(package.ciphersuite, Secret(bytes(31) + b"\5"))
    return replace(package, signing_share=share)


def another_identifier(package: KeyPackage) -> KeyPackage:
    return replace(package, identifier=Identifier.from_u16(package.ciphersuite, 2))


def another_verifying_share(package: KeyPackage) -> KeyPackage:
    share = SigningShare.deserialize(package.ciphersuite, Secret(bytes(31) + b"\5"))
    return replace(package, verifying_share=share.verifying_share())


def another_key(package: KeyPackage) -> KeyPackage:
    key = VerifyingKey.deserialize(package.ciphersuite, package.verifying_share.serialize())
    return replace(package, verifying_key=key)


def a_lower_threshold(package: KeyPackage) -> KeyPackage:
    return replace(package, min_signers=package.min_signers - 1)


@pytest.fixture
def alice(tmp_path: Path) -> Party:
    people = parties.gather(tmp_path)
    parties.generate(people)
    return people[0]


@pytest.mark.parametrize(
    "alter", [another_share, another_identifier, another_verifying_share, another_key, a_lower_threshold]
)
def test_nothing_is_signed_with_it(alice: Party, alter: Callable[[KeyPackage], KeyPackage]) -> None:
    key = alice.key()
    name, context = key.record_name(Kind.SIGNING_SHARE), key.context(Kind.SIGNING_SHARE, key.transcript)
    with alice.holder() as holder:
        records = SealedRecords(holder, alice.home)
        package = key.unseal(records)
        records.destroy(name)
        with alter(package).serialize() as altered:
            records.put(name, context, altered)
        with pytest.raises(SealBroken, match="is not the one of alice"):
            key.unseal(records)
