"""secp256k1-tr: even y, signatures of BIP-340, tweaks of BIP-341."""

from __future__ import annotations

import contextlib

import pytest
from stage import bip340
from stage.group_run import Run, Signing
from stage.p256 import public_bytes
from stage.suites import draws, vectors

from frost_hsm.errors import InvalidProofOfKnowledge, InvalidSignature, InvalidSignatureShare
from frost_hsm.frost import ciphersuites, signing, taproot
from frost_hsm.frost.keys import dkg
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SignatureResponse, SignatureShare
from frost_hsm.frost.values import Identifier, Signature, VerifyingKey

SUITE = ciphersuites.SECP256K1_TR
MESSAGE = b"message"

# BIP-340, test-vectors.csv: number, public key, message, signature, whether it verifies
BIP340 = """
0 F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9 0000000000000000000000000000000000000000000000000000000000000000 E907831F80848D1069A5371B402410364BDF1C5F8307B0084C55F1CE2DCA821525F66A4A85EA8B71E482A74F382D2CE5EBEEE8FDB2172F477DF4900D310536C0 TRUE
1 DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659 243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89 6896BD60EEAE296DB48A229FF71DFE071BDE413E6D43F917DC8DCF8C78DE33418906D11AC976ABCCB20B091292BFF4EA897EFCB639EA871CFA95F6DE339E4B0A TRUE
6 DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659 243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89 FFF97BD5755EEEA420453A14355235D382F6472F8568A18B2F057A14602975563CC27944640AC607CD107AE10923D9EF7A73C643E166BE5EBEAFA34B1AC553E2 FALSE
""".split("\n")[1:-1]  # noqa: E501


def keys(numbers: tuple[int, ...] = (1, 2, 3), min_signers: int = 2) -> tuple[list[KeyPackage], PublicKeyPackage]:
    key_packages, public = Run(SUITE, numbers, min_signers).finish()
    return list(key_packages.values()), public


def is_odd(key: VerifyingKey) -> bool:
    return key.encoded[0] == 3


def keys_with_y(odd: bool) -> tuple[list[KeyPackage], PublicKeyPackage]:
    while True:
        found = keys()
        if is_odd(found[1].verifying_key) == odd:
            return found


@pytest.mark.parametrize("line", BIP340)
def test_vectors_of_bip340(line: str) -> None:
    _, *fields, verdict = line.split()
    key, message, data = map(bytes.fromhex, fields)
    assert bip340.verify(key, message, data) == (verdict == "TRUE")
    for prefix in (b"\2", b"\3"):
        verifying_key = VerifyingKey.deserialize(SUITE, prefix + key)
        with contextlib.nullcontext() if verdict == "TRUE" else pytest.raises(InvalidSignature):
            verifying_key.verify(message, Signature.deserialize(SUITE, data))


@pytest.mark.parametrize("odd", [False, True])
def test_signatures_are_those_of_bip340(odd: bool) -> None:
    """Whatever the sign of the key, of the commitments and of R."""
    signers, public = keys_with_y(odd)
    x_only = public.verifying_key.encoded[1:]
    signs = set()
    for _ in range(12):
        session = Signing(signers[:2], MESSAGE)
        signs.add(signing._Session.open(session.package, public.verifying_key).sign)
        shares = session.shares()
        for own, share in shares.items():
            signing.verify_signature_share(
                own, public.verifying_shares[own], share, session.package, public.verifying_key
            )
        data = signing.aggregate(session.package, shares, public).serialize()
        assert len(data) == 64
        assert bip340.verify(x_only, MESSAGE, data)
        assert not bip340.verify(x_only, MESSAGE + b"!", data)
        public.verifying_key.verify(MESSAGE, Signature.deserialize(SUITE, data))
    assert signs == {1, -1}


@pytest.mark.parametrize("odd", [False, True])
def test_cheaters_are_named_whatever_the_signs(odd: bool) -> None:
    signers, public = keys_with_y(odd)
    for _ in range(6):
        session = Signing(signers[:2], MESSAGE)
        shares = session.shares()
        culprit = signers[1].identifier
        value = (shares[culprit].share.value + 1) % SUITE.group.order
        shares[culprit] = SignatureShare(SUITE, SignatureResponse(SUITE, value))
        with pytest.raises(InvalidSignatureShare) as caught:
            signing.aggregate(session.package, shares, public)
        assert caught.value.culprits == (culprit,)


@pytest.mark.parametrize("nonce", range(1, 13))
def test_proofs_of_knowledge_have_an_even_y(nonce: int) -> None:
    own, other = (Identifier(SUITE, k) for k in (1, 2))
    _, package = dkg.part1(SUITE, own, max_signers=2, min_signers=2, entropy=draws(SUITE, 5, 6, nonce))
    proof = package.proof_of_knowledge
    assert proof.commitment[0] == 2
    data = proof.serialize()
    assert len(data) == 64
    assert Signature.deserialize(SUITE, data) == proof
    secret, _ = dkg.part1(SUITE, other, max_signers=2, min_signers=2)
    wrong = Signature(SUITE, proof.commitment, -proof.response % SUITE.group.order)
    with pytest.raises(InvalidProofOfKnowledge):
        dkg.part2(secret, {own: type(package)(SUITE, package.commitment, wrong)})
    dkg.part2(secret, {own: package})


# ── the tweak after key generation ──


def test_nobody_can_hide_scripts_in_the_group_key() -> None:
    """Known attack K29: the last to commit aims the sum of constant terms at a key with a script path of his."""
    for _ in range(4):  # both signs of the sum
        run = Run(SUITE, (1, 2), 2)
        group = SUITE.group
        total = group.identity()
        for package in run.packages1.values():
            group.accumulate(total, package.commitment.elements[0])
        plain = group.encode(total)
        _, public = run.finish()
        assert public.verifying_key.encoded[1:] == bip340.output_key(plain[1:], b"")
        assert public.verifying_key.encoded != plain


def test_tweaked_key_packages_belong_together() -> None:
    signers, public = keys((1, 5, 70000))
    for root in (taproot.NO_SCRIPTS, bytes(range(32))):
        tweaked = taproot.tweak_public_key_package(public, root)
        assert tweaked.verifying_key.encoded[1:] == bip340.output_key(public.verifying_key.encoded[1:], root)
        for package in signers:
            own = taproot.tweak_key_package(package, root)
            assert own.verifying_key == tweaked.verifying_key
            assert own.verifying_share == tweaked.verifying_shares[own.identifier]
            assert own.signing_share.verifying_share() == own.verifying_share


def test_the_key_generation_of_zcashfoundation_is_tweaked() -> None:
    inputs = vectors(SUITE, "vectors_dkg.json")["inputs"]
    total = SUITE.group.identity()
    for k in "123":
        SUITE.group.accumulate(total, SUITE.group.decode(bytes.fromhex(inputs[k]["vss_commitments"][0])))
    plain = SUITE.group.encode(total)
    assert bip340.output_key(plain[1:], b"").hex() == inputs["verifying_key"][2:]


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("root", [taproot.NO_SCRIPTS, bytes(range(32))])
def test_signing_with_a_tweak(odd: bool, root: bytes) -> None:
    signers, public = keys_with_y(odd)
    x_only = public.verifying_key.encoded[1:]
    key = bip340.output_key(x_only, root)
    for _ in range(4):
        session = Signing(signers[1:], MESSAGE)
        shares = {
            package.identifier: taproot.sign_with_tweak(
                session.package, session.nonces[package.identifier], package, root
            )
            for package in session.signers
        }
        data = taproot.aggregate_with_tweak(session.package, shares, public, root).serialize()
        assert bip340.verify(key, MESSAGE, data)
        assert not bip340.verify(x_only, MESSAGE, data)
        with pytest.raises(InvalidSignatureShare):
            taproot.aggregate_with_tweak(session.package, shares, public, b"another root")


def test_tweaking_leaves_the_key_package_as_it_was() -> None:
    signers, _ = keys()
    before = public_bytes(signers[0].serialize())
    session = Signing(signers[:2], MESSAGE)
    taproot.sign_with_tweak(session.package, session.nonces[signers[0].identifier], signers[0], b"root")
    assert public_bytes(signers[0].serialize()) == before


def test_other_suites_are_not_tweaked() -> None:
    suite = ciphersuites.SECP256K1
    run = Run(suite, (1, 2), 2)
    total = suite.group.identity()
    for package in run.packages1.values():
        suite.group.accumulate(total, package.commitment.elements[0])
    _, public = run.finish()
    assert public.verifying_key.encoded == suite.group.encode(total)
