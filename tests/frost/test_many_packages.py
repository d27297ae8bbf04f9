"""Reading many round 1 packages at once, for every suite: none with a point outside the group gets through."""

from __future__ import annotations

import pytest
from stage import plain_curves
from stage.plain_curves import Edwards
from stage.suites import SUITES

from frost_hsm.errors import InvalidNonPrimeOrderElement, InvalidSecretShare, MalformedElement
from frost_hsm.frost import polynomial
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys import dkg, many_commitments, refresh, round1, round2
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage
from frost_hsm.frost.values import Identifier, SigningShare


def encoded(suite: Ciphersuite, max_signers: int, min_signers: int) -> dict[Identifier, bytes]:
    """Run part1 for two, whose packages stand for everybody's."""
    ids = [Identifier(suite, k) for k in range(1, max_signers + 1)]
    made = [dkg.part1(suite, own, max_signers=max_signers, min_signers=min_signers)[1].serialize() for own in ids[:2]]
    return {own: made[own.value % 2] for own in ids}


@pytest.mark.parametrize(("max_signers", "min_signers"), [(3, 2), (10, 7), (40, 15)])
def test_reading_all_is_reading_each(suite: Ciphersuite, max_signers: int, min_signers: int) -> None:
    packages = encoded(suite, max_signers, min_signers)
    found = round1.deserialize_all(suite, packages)
    assert list(found) == list(packages)
    assert all(package.serialize() == packages[own] for own, package in found.items())


@pytest.mark.parametrize("name", ["ed25519", "ed448"])
@pytest.mark.parametrize(("max_signers", "min_signers"), [(3, 2), (30, 20)])
def test_a_point_outside_the_subgroup_names_its_sender(name: str, max_signers: int, min_signers: int) -> None:
    """Known attack K27, in each part of a package."""
    suite = SUITES[name]
    curve = plain_curves.CURVES[suite.group.name]
    assert isinstance(curve, Edwards)
    bad = curve.encode(curve.add(curve.generator, curve.small_order_point()))
    packages = encoded(suite, max_signers, min_signers)
    length = suite.group.element_length
    culprit = list(packages)[max_signers // 2]
    y = round1.Package.deserialize(suite, packages[culprit]).y_coordinates()
    for entry in (0, min_signers - 1):
        start = 6 + entry * length
        data = packages[culprit][:start] + bad + packages[culprit][start + length :]
        with pytest.raises(InvalidNonPrimeOrderElement, match=f"of {culprit}: "):
            round1.deserialize_all(suite, {**packages, culprit: data})
        with pytest.raises(InvalidNonPrimeOrderElement):
            round1.Package.deserialize(suite, data)
        with pytest.raises(MalformedElement):
            round1.Package.deserialize(suite, data, y)


# ── of very many, only the sum is kept ──

SIZE, THRESHOLD = 14, 3


class Group:
    """People in the first round, whose packages somebody reads in lots of five."""

    def __init__(self, suite: Ciphersuite, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(round1, "_AT_ONCE", 5 * THRESHOLD * suite.group.element_length)
        self.suite = suite
        self.ids = [Identifier(suite, number) for number in range(1, SIZE + 1)]
        made = {own: dkg.part1(suite, own, max_signers=SIZE, min_signers=THRESHOLD) for own in self.ids}
        self.secrets = {own: secret for own, (secret, _) in made.items()}
        self.encoded = {own: package.serialize() for own, (_, package) in made.items()}
        self.packages = {own: package for own, (_, package) in made.items()}

    def read(self, *, reader: int = 0) -> dict[Identifier, round1.Package]:
        """Read the packages of all others."""
        own = self.ids[reader]
        return round1.deserialize_all(self.suite, {who: data for who, data in self.encoded.items() if who != own})

    def finish(
        self, packages: dict[Identifier, round1.Package], *, wrong: Identifier | None = None, strict: bool = False
    ) -> tuple[KeyPackage, PublicKeyPackage]:
        """End as the first, with the shares that all others made, of one of them a wrong one."""
        own = self.ids[0]
        sent = {}
        for who in self.ids[1:]:
            coefficients = [each.scalar for each in self.secrets[who].coefficients]
            [share] = self.suite.group.evaluate(coefficients, [own.value + (who == wrong)])
            sent[who] = round2.Package(self.suite, SigningShare(self.suite, share))
        kept, _ = dkg.part2(self.secrets[own], packages)
        return dkg.part3(kept, packages, sent, strict=strict)


def kept_apart(packages: dict[Identifier, round1.Package]) -> int:
    """Count those whose elements are all there."""
    return sum(isinstance(package.commitment.elements, tuple) for package in packages.values())


def test_reading_in_lots_changes_nothing(suite: Ciphersuite, monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(suite, monkeypatch)
    found = group.read()
    assert kept_apart(found) == (SIZE - 1) % 5
    for who, package in found.items():
        plain, read = group.packages[who].commitment, package.commitment
        assert package == group.packages[who]
        assert package.serialize() == group.encoded[who]
        assert len(read) == THRESHOLD
        encode = suite.group.encode
        assert (
            [encode(each) for each in read.elements] == [encode(each) for each in plain.elements] == plain.encodings()
        )
        assert encode(read.elements[0]) == plain.constant_term
        assert encode(read.elements[-1]) == plain.encodings()[-1]
        assert list(map(encode, read.elements[1:])) == plain.encodings()[1:]
    key_package, public = group.finish(found)
    total = polynomial.add_commitments(suite.group, [each.commitment.elements for each in group.packages.values()])
    if not suite.hooks.tweaks_new_keys:
        assert public.verifying_key.encoded == suite.group.encode(total[0])
    assert key_package.verifying_share == public.verifying_shares[group.ids[0]]


@pytest.mark.parametrize("strict", [True, False])
def test_a_wrong_share_names_its_sender(suite: Ciphersuite, monkeypatch: pytest.MonkeyPatch, strict: bool) -> None:
    group = Group(suite, monkeypatch)
    for wrong in (group.ids[1], group.ids[7], group.ids[-1]):
        again = Group(suite, monkeypatch)
        with pytest.raises(InvalidSecretShare) as caught:
            again.finish(again.read(), wrong=wrong, strict=strict)
        assert caught.value.culprits == (wrong,)


def test_the_sum_of_a_lot_is_taken_for_the_whole_lot_alone(suite: Ciphersuite, monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(suite, monkeypatch)
    lots = [[package.commitment.elements for package in group.read().values()] for _ in range(2)]
    plain = [group.packages[who].commitment.elements for who in group.ids[1:]]
    of_each: list[tuple[list[int], list[int]]] = [  # which of the first reading, and of the second
        (list(range(13)), []),
        ([12, 3, 7, 1, 0, 2, 4, 11], []),
        ([0, 1, 2, 3], []),
        ([0, 1, 2, 3, 3], []),
        ([0, 1, 2, 3, 4, 4], []),
        ([0, 1, 2], [3, 4]),
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
    ]
    for one, other in of_each:
        found = many_commitments.add(suite.group, [*(lots[0][k] for k in one), *(lots[1][k] for k in other)])
        expected = polynomial.add_commitments(suite.group, [plain[k] for k in (*one, *other)])
        assert all(suite.group.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_commitments_of_other_lengths_are_kept_as_they_are(suite: Ciphersuite, monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(suite, monkeypatch)
    longer = dkg.part1(suite, group.ids[2], max_signers=SIZE, min_signers=THRESHOLD + 1)[1]
    group.encoded[group.ids[2]] = longer.serialize()
    found = group.read()
    assert found[group.ids[2]] == longer
    assert kept_apart(found) > (SIZE - 1) % 5
    assert all(package.serialize() == group.encoded[who] for who, package in found.items())


def test_a_refresh_of_what_was_read_in_lots(suite: Ciphersuite, monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(suite, monkeypatch)
    own = group.ids[0]
    key_package, public = group.finish(group.read())
    made = {who: refresh.refresh_dkg_part1(suite, who, max_signers=SIZE, min_signers=THRESHOLD) for who in group.ids}
    others = {who: package.serialize() for who, (_, package) in made.items() if who != own}
    results = []
    for packages in (
        round1.deserialize_all(suite, others),
        {who: round1.Package.deserialize(suite, data) for who, data in others.items()},
    ):
        secret = round1.SecretPackage.deserialize(suite, made[own][0].serialize())
        kept, _ = refresh.refresh_dkg_part2(secret, packages)
        sent = {}
        for who in group.ids[1:]:
            [share] = suite.group.evaluate([each.scalar for each in made[who][0].coefficients], [own.value])
            sent[who] = round2.Package(suite, SigningShare(suite, share))
        results.append(refresh.refresh_dkg_shares(kept, packages, sent, public, key_package, strict=False)[1])
    assert results[0] == results[1]
    assert results[0].verifying_key == public.verifying_key
