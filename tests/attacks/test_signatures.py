"""Signing with somebody who cheats, or with a machine that somebody put back in time."""

from __future__ import annotations

import ast
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
from attacks.table import refused
from stage import parties
from stage.p256 import ScriptedEntropy, number, scalar
from stage.parties import Messages, Party, inbox

import frost_hsm
from frost_hsm import P256
from frost_hsm.backends import Token
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.using import Commitment, Response, SigningRequest
from frost_hsm.ceremony.sealing.marks import Marks
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.signing import session as ceremony_signing
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.cli.program import frost_hsm as whole_program
from frost_hsm.errors import (
    Aborted,
    ForeignMessage,
    IncorrectCommitment,
    IncorrectNumberOfSigners,
    InvalidContents,
    InvalidSignatureShare,
    MissingCommitment,
    NonceUsed,
    NoTerminal,
    NotPossible,
    SecretForked,
    TokenLost,
    TokenOwnedElsewhere,
    UnknownIdentifier,
    UnknownSender,
)
from frost_hsm.forms import cms, pem
from frost_hsm.frost import signing
from frost_hsm.frost.packages import SigningCommitments, SigningPackage
from frost_hsm.frost.values import SigningShare
from frost_hsm.secret import Secret

MESSAGE = b"pay 5 to dave"
WORSE = b"pay 5000 to mallory"


class Full(Exception):
    """Where an answer should be stored there is no space left."""


def say(party: Party, message: Any) -> bytes:
    with party.holder() as holder:
        return signed.write(message, holder)


def commitments_of(party: Party, request: bytes = b"") -> SigningCommitments:
    with party.holder() as holder:
        return SealedSigner(party.key(), holder, party.home).commit(request)


def package_of(signers: list[Party], message: bytes = MESSAGE) -> SigningPackage:
    """What a program that is not ours hands to each signer."""
    key = signers[0].key()
    return SigningPackage(key.suite, {key.identifier(each.name): commitments_of(each) for each in signers}, message)


def other_message(package: SigningPackage) -> SigningPackage:
    return SigningPackage(package.ciphersuite, package.signing_commitments, WORSE)


def fresh(party: Party, wanted: bytes) -> bytes:
    """Commit once more to the same request, with other nonces."""
    other = commitments_of(party)
    return say(party, Commitment(party.session(wanted).id, (other.serialize(),), (other.y_coordinates() or b"",)))


def put_back(party: Party, copy: Path) -> None:
    shutil.rmtree(party.directory / "home")
    shutil.copytree(copy, party.directory / "home")


class Between:
    """A token that does something around the destruction of nonces."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __getattr__(self, name: str) -> Any:
        return getattr(self._token, name)


class Failing(Between):
    """It fails before or after it destroys them."""

    def __init__(self, token: Token, fails: str) -> None:
        super().__init__(token)
        self.fails = fails

    def delete_record(self, name: str) -> None:
        if self.fails != "before" or "nonces" not in name:
            self._token.delete_record(name)
        if self.fails and "nonces" in name:
            raise TokenLost("the token does not answer")


class Stalled(Between):
    """Much happens before it destroys them."""

    def __init__(self, token: Token, meanwhile: Callable[[], None]) -> None:
        super().__init__(token)
        self.meanwhile = meanwhile

    def delete_record(self, name: str) -> None:
        if "nonces" in name:
            self.meanwhile()
        self._token.delete_record(name)


def test_s01_nonce_reuse(group: list[Party]) -> None:
    """A program asks Alice for a second signature share with the nonces of the first, on another message."""
    alice, bob, _ = group
    good = package_of([alice, bob])
    with alice.holder() as holder:
        assert SealedSigner(alice.key(), holder, alice.home).sign(good)
    for package in (good, other_message(good)):
        with alice.holder() as holder:
            signer = SealedSigner(alice.key(), holder, alice.home)
            refused(alice, NonceUsed, lambda package=package, signer=signer: signer.sign(package))  # type: ignore[misc]


def test_s01_other_commitments_afterwards(group: list[Party]) -> None:
    """Bob commits anew once Alice has answered, and has her forget what he said before."""
    alice, bob, _ = group
    wanted = parties.request([alice, bob], MESSAGE)
    commitments = parties.commit([alice, bob], wanted)
    parties.respond([alice], wanted, commitments)
    other = fresh(bob, wanted)
    for path in alice.home.files("requests"):
        if path.endswith("/commit/bob.pem"):
            alice.home.remove(path)
    refused(alice, NonceUsed, lambda: alice.session(wanted).respond(alice.holder, inbox(commitments["alice"], other)))


def test_s01_nonces_made_ahead(group: list[Party]) -> None:
    """Bob requests two messages with the same commitments, which Alice made ahead of any request."""
    alice, bob, _ = group
    ahead = {party.name: [commitments_of(party)] for party in (alice, bob)}
    with bob.holder() as holder:
        one, other = (
            ceremony_signing.request(holder, bob.key(), message, list(ahead), commitments=ahead)
            for message in (MESSAGE, WORSE)
        )
    assert alice.session(one).respond(alice.holder, inbox())
    refused(alice, NonceUsed, lambda: alice.session(other).respond(alice.holder, inbox()))


def test_s02_deterministic_nonces(group: list[Party]) -> None:
    """Bob has the same message requested again, hoping for the same nonces with another challenge."""
    alice, bob, _ = group
    drawn = []
    for _ in range(2):
        wanted = parties.request([alice, bob], MESSAGE)
        said = signed.read(parties.commit([alice], wanted)["alice"], alice.key().roster).expect(Commitment)
        drawn.append(said.message.commitments)
    assert drawn[0] != drawn[1]


def test_s02_a_generator_that_repeats_itself() -> None:
    """Two participants' generators give the same bytes, as those of two clones of one machine do."""
    one, other = (SigningShare(P256, scalar(P256.group, value)) for value in (5, 6))
    weak = ScriptedEntropy(*([bytes(32)] * 4))
    first, second = (signing.commit(share, weak)[1] for share in (one, other))
    assert first.hiding != second.hiding


def test_s03_nonces_that_depend_on_each_other() -> None:
    """A coordinator that knows how one nonce follows from another solves for the share with few answers."""
    share, order = SigningShare(P256, scalar(P256.group, 5)), P256.group.order
    pairs = [signing.commit(share)[0] for _ in range(4)]
    values = [(number(P256.group, each.hiding.scalar), number(P256.group, each.binding.scalar)) for each in pairs]
    between = [(binding - hiding) % order for hiding, binding in values]
    steps = [(later[0] - earlier[0]) % order for earlier, later in pairwise(values)]
    assert len({*between, *steps, *(value for pair in values for value in pair)}) == 4 + 3 + 8


@pytest.mark.parametrize("put_back_to", ["before the commitment", "before the response"])
def test_s04_rollback(group: list[Party], put_back_to: str) -> None:
    """Alice's state directory is put back to before she answered, and she is asked again, with other commitments."""
    alice, bob, _ = group
    wanted = parties.request([alice, bob], MESSAGE)
    shutil.copytree(alice.directory / "home", alice.directory / "before the commitment")
    commitments = parties.commit([alice, bob], wanted)
    shutil.copytree(alice.directory / "home", alice.directory / "before the response")
    parties.respond([alice], wanted, commitments)
    put_back(alice, alice.directory / put_back_to)
    for taken in (inbox(commitments.values()), inbox(commitments["alice"], fresh(bob, wanted))):
        refused(alice, NonceUsed, lambda taken=taken: alice.session(wanted).respond(alice.holder, taken))  # type: ignore[misc]
    if put_back_to == "before the commitment":
        assert signed.read(alice.session(wanted).commit(alice.holder), alice.key().roster) != signed.read(
            commitments["alice"], alice.key().roster
        ), "new nonces, never the old ones"


def test_s04_a_cloned_host(group: list[Party]) -> None:
    """A copy of Alice's machine uses the same token, for another message."""
    alice, bob, _ = group
    good = package_of([alice, bob])
    shutil.copytree(alice.directory / "home", alice.directory / "clone")
    clone = StateDirectory.open(alice.directory / "clone")
    with alice.holder() as holder:
        assert SealedSigner(alice.key(), holder, alice.home).sign(good)
        with pytest.raises(NonceUsed):
            SealedSigner(alice.key(), holder, clone).sign(other_message(good))


def test_s04_a_clone_that_was_stalled(group: list[Party]) -> None:
    """A copy of Alice's machine has read the nonces, and goes on once she has answered; it may have made others."""
    alice, bob, _ = group
    request = bytes(32)
    commitments = {alice.key().identifier(each.name): commitments_of(each, request) for each in (alice, bob)}
    good = SigningPackage(alice.key().suite, commitments, MESSAGE)
    shutil.copytree(alice.directory / "home", alice.directory / "clone")
    clone = StateDirectory.open(alice.directory / "clone")
    with alice.holder() as holder:

        def meanwhile() -> None:
            assert SealedSigner(alice.key(), holder, alice.home).sign(good, request)
            SealedSigner(alice.key(), holder, clone).commit(request)

        stalled = replace(holder, token=Stalled(holder.token, meanwhile))  # type: ignore[arg-type]
        with pytest.raises(NonceUsed):
            SealedSigner(alice.key(), stalled, clone).sign(other_message(good), request)


def test_s04_another_state_directory(group: list[Party]) -> None:
    """Somebody with Alice's token and PIN works with a state directory of their own."""
    alice, bob, _ = group
    good, wanted = package_of([alice, bob]), parties.request([alice, bob], MESSAGE)
    shutil.copytree(alice.directory / "home", alice.directory / "other")
    other = StateDirectory.open(alice.directory / "other")
    other.replace("directory-id", bytes(32))
    with alice.holder() as holder:
        signer = SealedSigner(alice.key(), holder, other)
        steps = (
            signer.commit,
            lambda: signer.preprocess(1),
            lambda: signer.sign(good),
            lambda: alice.key().unseal(SealedRecords(holder, other)),
            lambda: SealedRecords(holder, other).destroy_all(alice.key().sharing, 1),
            lambda: SigningSession.read(other, wanted, alice.public).commit(alice.holder),
        )
        for step in steps:
            refused(alice, TokenOwnedElsewhere, step)
        first = SealedSigner(alice.key(), holder, alice.home)
        first.commit()
        Marks(holder, other).take_over()
        refused(alice, NonceUsed, lambda: signer.sign(good))
        assert signer.commit()
        for step in (first.commit, lambda: SealedSigner(alice.key(), holder, alice.home).commit()):
            refused(alice, TokenOwnedElsewhere, step)


def test_s04_a_forked_process(group: list[Party]) -> None:
    """A program forks while it waits to sign, and each of the two is asked for another message."""
    alice, bob, _ = group
    good = package_of([alice, bob])
    with alice.holder() as holder:
        signer = SealedSigner(alice.key(), holder, alice.home)
        child = os.fork()
        if child == 0:
            try:
                signer.sign(other_message(good))
            except SecretForked:
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert signer.sign(good)


def test_s05_nonces_in_a_copy_of_the_state(group: list[Party]) -> None:
    """Whoever has a backup of the state directory looks for nonces that wait."""
    alice, bob, _ = group
    parties.commit([alice, bob], parties.request([alice, bob], MESSAGE))
    nonces = [value for name, value in alice.records().items() if name.startswith("signing-nonces")]
    assert len(nonces) == 1
    assert not any(nonces[0] in contents for contents in alice.files().values())
    assert not (alice.directory / "home/sealed").exists()


def test_s05_nonces_in_a_backup(group: list[Party]) -> None:
    """Alice's backup is restored after she has answered, and she is asked again, with other commitments."""
    alice, bob, _ = group
    wanted = parties.request([alice, bob], MESSAGE)
    commitments = parties.commit([alice, bob], wanted)
    [nonces] = [value for name, value in alice.records().items() if name.startswith("signing-nonces")]
    assert (
        alice.run("backup", "create", "-o", "backup.pem", "--pin-source", f"file:{alice.directory / 'pin'}").status == 0
    )
    assert nonces not in pem.decode(cms.PEM_LABEL, (alice.directory / "backup.pem").read_bytes(), "it")[0]
    parties.respond([alice], wanted, commitments)
    configuration = (alice.directory / "home/config.toml").read_bytes()
    shutil.rmtree(alice.directory / "home")
    StateDirectory.create(alice.directory / "home").put("config.toml", configuration)
    assert alice.run("init", "--take-over", "--yes").status == 0
    ran = alice.run("backup", "restore", "backup.pem", "--pin-source", f"file:{alice.directory / 'pin'}")
    assert ran.status == 0, ran.stderr
    assert not any("nonces" in name for name in (*alice.records(), *alice.files()))
    for taken in (inbox(commitments.values()), inbox(commitments["alice"], fresh(bob, wanted))):
        refused(alice, NonceUsed, lambda taken=taken: alice.session(wanted).respond(alice.holder, taken))  # type: ignore[misc]


@pytest.mark.parametrize("with_seed", [False, True], ids=["plain", "rerandomized"])
def test_s06_crash_between_signing_and_sending(group: list[Party], with_seed: bool) -> None:
    """Alice's machine fails once her share exists, and she is asked for another one: message, or randomized key."""
    alice, bob, _ = group
    good, seeds = package_of([alice, bob]), [Secret(bytes([number]) * 32) for number in (1, 2)]

    def fail(share: object) -> None:
        raise Full

    with alice.holder() as holder:
        signer = SealedSigner(alice.key(), holder, alice.home)
        with pytest.raises(Full):
            signer.sign(good, randomizer_seed=seeds[0] if with_seed else None, keep=fail)
        for package, seed in ((other_message(good), None), (good, seeds[1]), (good, seeds[0]), (good, None)):
            refused(alice, NonceUsed, lambda package=package, seed=seed: signer.sign(package, randomizer_seed=seed))  # type: ignore[misc]


def test_s06_nonces_that_come_back(group: list[Party]) -> None:
    """The machine loses power once Alice has answered, and her token's disk knows the nonces again."""
    alice, bob, _ = group
    good = package_of([alice, bob])
    [(name, nonces)] = [each for each in alice.records().items() if each[0].startswith("signing-nonces")]
    with alice.holder() as holder:
        signer = SealedSigner(alice.key(), holder, alice.home)
        assert signer.sign(good)
        holder.token.write_record(name, nonces)
        for package in (other_message(good), good):
            refused(alice, NonceUsed, lambda package=package: signer.sign(package))  # type: ignore[misc]


@pytest.mark.parametrize("fails", ["before", "after"])
def test_s06_a_token_that_fails(group: list[Party], fails: str) -> None:
    """The token does not say that the nonces are destroyed, whether they are or not; then it works again."""
    alice, bob, _ = group
    good = package_of([alice, bob])
    shares: list[object] = []
    with alice.holder() as holder:
        token = Failing(holder.token, fails)
        signer = SealedSigner(alice.key(), replace(holder, token=token), alice.home)  # type: ignore[arg-type]
        with pytest.raises(TokenLost):
            signer.sign(good, keep=shares.append)
        assert shares == []
        token.fails = ""
        for package in (other_message(good), good):
            with suppress(NonceUsed):
                signer.sign(package, keep=shares.append)
    assert len(shares) == (fails == "before")


def test_s06_the_same_request_again(group: list[Party]) -> None:
    """Somebody asks again and again: the stored answer comes, and none is computed."""
    alice, bob, _ = group
    wanted = parties.request([alice, bob], MESSAGE)
    commitments = parties.commit([alice, bob], wanted)
    first = parties.respond([alice], wanted, commitments)
    before = alice.files(), alice.records(), alice.pins_asked
    assert parties.respond([alice], wanted, commitments) == first
    assert (alice.files(), alice.records()) == before[:2]
    assert alice.pins_asked == before[2] + 1, "by this test alone, to read the records"


def test_s07_parallel_sessions(group: list[Party]) -> None:
    """Bob keeps many requests open and mixes their commitments, to have the answers add up (Wagner, ROS)."""
    alice, bob, _ = group
    one, other = (parties.request([alice, bob], message) for message in (MESSAGE, WORSE))
    mine, theirs = parties.commit([alice, bob], one), parties.commit([bob], other)
    respond = alice.session(one).respond
    refused(alice, ForeignMessage, lambda: respond(alice.holder, inbox(mine["alice"], theirs["bob"])))


def test_s07_binding_factors_cover_everything(group: list[Party]) -> None:
    """Bob changes one thing after he knows the others, key, message or list: every factor has to change with it."""
    alice, bob, carol = group
    key = alice.key().public_key_package.verifying_key
    good, more = package_of([alice, bob]), package_of([alice, bob, carol])
    me, him = good.signing_commitments
    another = replace(good, signing_commitments={**good.signing_commitments, him: commitments_of(bob)})
    wider = {**more.signing_commitments, **good.signing_commitments}
    variants = [
        (good, key),
        (other_message(good), key),
        (another, key),
        (replace(good, signing_commitments=wider), key),
        (good, type(key)(key.ciphersuite, *_share_as_key(alice))),
    ]
    factors = [signing._Session.open(*variant).binding_factors[me] for variant in variants]
    assert len(set(factors)) == len(variants)


def _share_as_key(party: Party) -> tuple[bytes, Any]:
    share = next(iter(party.key().public_key_package.verifying_shares.values()))
    return share.encoded, share.element


def test_s08_a_message_that_pretends_to_be_commitments(group: list[Party]) -> None:
    """Bob moves bytes between the message and the list of commitments, so that both hash alike."""
    package = package_of(group)
    key = group[0].key().public_key_package.verifying_key
    *some, last = package.signing_commitments.items()
    moved = last[0].serialize() + last[1].hiding.encoded + last[1].binding.encoded
    shorter = SigningPackage(P256, dict(some), moved + MESSAGE)
    one, other = (signing._Session.open(each, key).binding_factors[some[0][0]] for each in (package, shorter))
    assert one != other


def test_s09_a_nonce_of_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash gives zero, at one in 2²⁵⁶ draws: the answer would show the share."""
    share = SigningShare(P256, scalar(P256.group, 5))
    draws = [bytes([k]) * 32 for k in range(5)]
    expected, _ = signing.commit(share, ScriptedEntropy(draws[1], draws[4]))
    called_zero = [True, False, True, True, False]
    monkeypatch.setattr(P256.group, "is_zero", lambda nonce: called_zero.pop(0))
    nonces, _ = signing.commit(share, ScriptedEntropy(*draws))
    for drawn, wanted in ((nonces.hiding, expected.hiding), (nonces.binding, expected.binding)):
        assert number(P256.group, drawn.scalar) == number(P256.group, wanted.scalar)


def test_s09_a_commitment_to_zero(group: list[Party]) -> None:
    """Bob's commitment is the identity."""
    alice, bob, _ = group
    wanted = parties.request([alice, bob], MESSAGE)
    said = parties.commit([alice, bob], wanted)
    honest = signed.read(said["bob"], alice.key().roster).expect(Commitment).message
    nothing = (honest.commitments[0][:-33] + bytes(33),)
    said["bob"] = say(bob, replace(honest, commitments=nothing, y_coordinates=()))
    with pytest.raises(InvalidContents) as caught:
        alice.session(wanted).respond(alice.holder, inbox(said.values()))
    assert caught.value.culprits == ("bob",)


def test_s10_ones_own_commitment_changed(group: list[Party]) -> None:
    """A coordinator leaves Alice's commitments out of her package, or puts others in their place."""
    alice, bob, carol = group
    session = b"r" * 32
    commitments_of(alice, session)
    good, of_others = package_of([alice, bob]), package_of([bob, carol])
    with alice.holder() as holder:
        signer = SealedSigner(alice.key(), holder, alice.home)
        refused(alice, IncorrectCommitment, lambda: signer.sign(good, session))
        refused(alice, MissingCommitment, lambda: signer.sign(of_others))
        his = next(iter(of_others.signing_commitments.values()))
        me, him = good.signing_commitments
        copied = SigningPackage(P256, {me: his, him: his}, MESSAGE)
        refused(alice, NonceUsed, lambda: signer.sign(copied))


def test_s11_malleable_signing_packages(group: list[Party]) -> None:
    """A coordinator reorders, doubles, adds or leaves out signers."""
    alice, bob, _ = group
    good = package_of([alice, bob])
    me, him = good.signing_commitments
    mine, his = good.signing_commitments.values()
    backwards = SigningPackage(P256, {him: his, me: mine}, MESSAGE)
    assert backwards.serialize() == good.serialize()
    stranger = type(me).from_u16(P256, 4)
    with alice.holder() as holder:
        signer = SealedSigner(alice.key(), holder, alice.home)
        alone, with_stranger = {me: mine}, {me: mine, stranger: his}
        refused(alice, IncorrectNumberOfSigners, lambda: signer.sign(SigningPackage(P256, alone, MESSAGE)))
        refused(alice, UnknownIdentifier, lambda: signer.sign(SigningPackage(P256, with_stranger, MESSAGE)))
        assert signer.sign(backwards)


def test_s12_blind_signing(group: list[Party]) -> None:
    """Bob has Alice sign for another key, another state of it, or a message that nobody has shown her."""
    alice, bob, carol = group
    wanted = parties.request([alice, bob], MESSAGE)
    asked = signed.read(wanted, alice.key().roster).expect(SigningRequest).message
    assert [item.thing for item in asked.items] == [MESSAGE], "all of it, not its hash"
    data = say(bob, replace(asked, state=bytes(32)))
    refused(alice, ForeignMessage, lambda: alice.session(data))
    with pytest.raises((UnknownSender, ForeignMessage)):
        alice.session(say(bob, replace(asked, ceremony=bytes(32))))
    not_asked = parties.request([bob, carol], MESSAGE)
    refused(alice, NotPossible, lambda: alice.session(not_asked).commit(alice.holder))


def test_s12_nobody_agrees_unseen(group: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bob's request comes to a machine at which nobody sits."""
    alice, bob, _ = group
    (alice.directory / "pay.request.pem").write_bytes(parties.request([alice, bob], MESSAGE))
    monkeypatch.setattr("stage.parties._ASKING", ())  # no --yes
    ran = alice.run("sign", "commit", "pay.request.pem")
    assert ran.status in (Aborted.exit, NoTerminal.exit), ran.stderr
    assert f"| {MESSAGE.decode()}" in ran.stderr
    assert not any(name.startswith("signing-nonces") for name in alice.records())


def answers(group: list[Party]) -> tuple[bytes, Messages, Messages]:
    wanted = parties.request(group, MESSAGE)
    commitments = parties.commit(group, wanted)
    return wanted, commitments, parties.respond(group, wanted, commitments)


def spoilt(party: Party, response: bytes, by: int) -> bytes:
    honest = signed.read(response, party.key().roster).expect(Response).message
    [share] = honest.shares
    return say(party, replace(honest, shares=(share[:-1] + bytes([share[-1] ^ by]),)))


def test_s13_bad_shares_are_named(group: list[Party]) -> None:
    """Bob and Carol both answer wrongly: each is named, and Alice is not."""
    alice, bob, carol = group
    wanted, commitments, responses = answers(group)
    responses |= {"bob": spoilt(bob, responses["bob"], 1), "carol": spoilt(carol, responses["carol"], 2)}
    with pytest.raises(InvalidSignatureShare) as caught:
        alice.session(wanted).aggregate(inbox(commitments.values(), responses.values()))
    assert caught.value.culprits == ("bob", "carol")
    evidence = alice.session(wanted).transcript.evidence()
    assert evidence is not None
    assert responses["bob"] in evidence
    assert responses["carol"] in evidence


def test_s14_unverified_aggregate(group: list[Party]) -> None:
    """Bob answers wrongly, and somebody publishes what comes out."""
    alice, bob, _ = group
    wanted, commitments, responses = answers(group)
    responses["bob"] = spoilt(bob, responses["bob"], 1)
    with pytest.raises(InvalidSignatureShare):
        alice.session(wanted).aggregate(inbox(commitments.values(), responses.values()))
    assert alice.session(wanted).status().step != "done"
    assert not list((alice.directory / "home/requests").glob("*/signatures/*"))


def option_names(command: click.Command) -> Iterator[str]:
    """Every option and argument of a command and of those in it."""
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from option_names(inner)


def test_s17_randomness_from_outside() -> None:
    """Somebody makes the program draw what they know: by an option, a variable, or a module meant for tests."""
    takes = {name for name in option_names(whole_program) if any(word in name for word in ("seed", "entropy", "rng"))}
    assert takes <= {"--randomizer-seed"}, "which changes the key of one signature, and no nonce"
    for path in sorted((Path(frost_hsm.__file__).parent / "cli").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert "entropy" not in {keyword.arg for keyword in node.keywords}, f"{path}: {ast.unparse(node)}"
