"""Make the corpus: real messages of a ceremony of software tokens, and packages of every suite.

    python tests/fuzz/make_corpus.py

Writes ``corpus/TARGET/NAME``; files named ``found-…``, which a fuzzer once failed a reader with, stay as they are.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from ceremony.people import rsa_holder
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from fuzz import targets
from fuzz.targets import MESSAGES, PACKAGES, PAPER, SEALED, SUITES, THINGS, UPKEEP, VALUES, WITH_Y, alice, public
from stage import every_thing, parties, upkeep, walkthrough

from frost_hsm import manual
from frost_hsm.ceremony.history import backup, bundle, dossier
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.complaints import Complaint, Opening
from frost_hsm.ceremony.messages.making import Proposal, Round1, Round2
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.using import SecondResponse, SigningRequest
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sharing import dealing
from frost_hsm.forms import der, oids
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.frost import packages, signing
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys import dealer, dkg
from frost_hsm.frost.packages import Identifier, KeyPackage, SigningPackage
from frost_hsm.frost.values import SigningKey
from frost_hsm.plans import signature
from frost_hsm.plans.record import PARTICIPANT
from frost_hsm.plans.statement import Agreed, Machine, SignedFile, Statement
from frost_hsm.secret import Secret

H = bytes(32)

Seeds = Iterator[tuple[str, str, bytes]]
"""Target, name, contents."""


def prefixed(kinds: tuple[Any, ...], kind: Any, data: bytes) -> bytes:
    return bytes((kinds.index(kind),)) + data


def of_things() -> Seeds:
    """Things to be signed for other tools."""
    for name, made in every_thing.things().items():
        if name in THINGS:
            for number, (thing, _) in enumerate(made):
                yield "things", f"{name}{number or ''}", prefixed(THINGS, name, thing)


def ceremony(directory: Path) -> Seeds:
    """Make a key, sign, refresh and repair it, and share out another."""
    people = parties.gather(directory, ("alice", "bob", "carol", "dora"))
    three = people[:3]
    proposal = parties.propose(three)
    first = parties.round1(three, proposal)
    second = parties.round2(three, first)
    confirmations = parties.finish(three, first, second)
    parties.confirm(three, confirmations)
    wanted = parties.request(three[:2], b"a message to sign")
    commitments = parties.commit(three[:2], wanted)
    responses = parties.respond(three[:2], wanted, commitments)
    refreshing = upkeep.propose(three[0])
    again = upkeep.round1(three, refreshing)
    upkeep.confirm(three, upkeep.finish(three, again, upkeep.round2(three, again)))
    upkeep.hand_over(three[0], people[3], people)
    asked = upkeep.ask(people[3], 4, three[:2])
    deltas = upkeep.deltas(three[:2], asked)
    sigmas = upkeep.sigmas(three[:2], asked, deltas)
    done = upkeep.repairing(people[3], asked).finish(people[3].holder, parties.inbox(sigmas.values()))
    confirmed = upkeep.confirm_repair(people, asked, *sigmas.values(), done)
    said = (proposal, first["bob"], second["bob"], confirmations["bob"], wanted, commitments["bob"], responses["bob"])
    kept = (refreshing, asked, deltas["bob"], sigmas["bob"], done, confirmed["bob"])
    for data in (*said, *kept, dealt(people)):
        yield from of_message(data)
    yield "messages", "request-twice", prefixed(MESSAGES, SigningRequest, twice(signed.decode(signed.parse(wanted))))
    yield "messages", "second-response", prefixed(MESSAGES, SecondResponse, SecondResponse(H, H, (b"share",)).encode())
    yield "upkeep", "complaint", prefixed(UPKEEP, Complaint, Complaint(bytes(32), 2, bytes(32), bytes(96)).encode())
    yield "upkeep", "opening", prefixed(UPKEEP, Opening, Opening(bytes(32), 1, bytes(32)).encode())
    yield "pem", "message", b"\0" + confirmations["bob"]
    yield "pem", "evidence", b"\1" + confirmations["bob"] + confirmations["carol"]
    yield "bundle", "refreshed-repaired", bundle.write(three[0].home, three[0].key())
    opened = signed.read(proposal)
    followed = [signed.read(each, opened.message.roster) for each in (*first.values(), second["bob"])]
    of_nothing = dossier.write([opened, *followed])
    yield "evidence", "of-nothing", of_nothing
    yield "inspect", "evidence", of_nothing
    for party in people:
        yield "identity", f"{party.name}.pem", party.public.to_pem()
    yield from of_identity(people[0].public)
    yield "token-file", "alice", Path(people[0].uri.removeprefix("software:")).read_bytes()
    yield "config", "alice.toml", (people[0].directory / "home/config.toml").read_bytes()


def twice(request: Message) -> bytes:
    """Return a request whose items take two signatures."""
    assert isinstance(request, SigningRequest)
    return replace(request, items=tuple(replace(item, is_twice=True) for item in request.items)).encode()


def of_backup(directory: Path) -> Seeds:
    """Lose a token, have the second one take its place, refresh, and keep a backup."""
    people = alice, bob = parties.gather(directory / "first", ("alice", "bob"))
    [second] = parties.gather(directory / "second", ("alice",))
    upkeep.name_second(alice, second, [bob])
    yield "identity", "with-second", alice.public.to_pem()
    parties.generate(people)
    known = {"bob": bob.public}
    bundle.read(second.home, bundle.write(bob.home, bob.key(), with_rounds=True), second.public, known)
    upkeep.take_over(second, [bob])
    upkeep.refresh([bob, second])
    with bob.holder() as holder:
        data = backup.create(bob.home, holder, [alice.public]).data
    yield "backup", "file", b"\0" + data
    yield "backup", "content", b"\1" + signed.parse(data).content


def dealt(people: list[parties.Party]) -> bytes:
    ceremony = people[0].join(parties.propose(people[:2], name="dealt"))
    return dealing.deal(ceremony, people[0].holder, SigningKey.generate(ceremony.suite))


def of_message(data: bytes) -> Seeds:
    parsed = signed.parse(data)
    message: Message = signed.decode(parsed)
    kind, name = type(message), message.title.replace(" ", "-")
    target, kinds = ("messages", MESSAGES) if kind in MESSAGES else ("upkeep", UPKEEP)
    yield target, name, prefixed(kinds, kind, message.encode())
    if kind in (Proposal, Round1, Round2):
        yield "cms", f"{name}.der", parsed.der
        yield "inspect", f"{name}.pem", data
    if isinstance(message, Round1):
        yield "cms", f"{name}.pem", data
    if isinstance(message, Proposal):
        yield "roster", "three", message.roster.encode()
        yield "der", "proposal", der.sequence(der.integer(1), der.utf8_string(message.name), der.oid(oids.DATA))
    if isinstance(message, Round2):
        yield "envelope", "for-alice", message.envelopes[0].opened


def of_identity(public_identity: Any) -> Seeds:
    own = alice().public
    yield "certificate", "self-signed", b"\0" + own.sign_certificate
    yield "certificate", "issued", b"\1" + own.agree_certificate
    yield "public-key", "p256", public_identity.agree_key.spki
    for place, held in enumerate(
        (own.agree_certificate, own.sign_certificate, own.sign_certificate, own.agree_certificate, own.sign_key.bits)
    ):
        yield "adoption", str(place), bytes((place,)) + held
    yield "adoption", "wrapped-point", b"\4" + der.octet_string(own.sign_key.bits)


def of_rsa() -> Seeds:
    holder = rsa_holder(OaepHash.SHA256)
    with Secret(bytes(range(32))) as plaintext:
        context = targets.own_context(holder.public, bytes(32), SEALED.kind, SEALED.suite)
        yield "envelope", "to-rsa", envelope.encrypt(context, plaintext, [holder.public])
    yield "public-key", "rsa", holder.public.agree_key.spki
    yield "adoption", "modulus", b"\5" + holder.public.agree_key.handle.public_numbers().n.to_bytes(384, "big")  # type: ignore[union-attr]
    yield "inspect", "rsa-identity.pem", holder.public.to_pem()


def of_sealed() -> Seeds:
    with Secret(bytes(range(64))) as plaintext:
        yield "sealed", "envelope", b"\0" + envelope.encrypt(SEALED, plaintext, [alice().public])
        record = envelope.seal(SEALED, plaintext, alice())
        yield "sealed", "record", b"\1" + record
        yield "cms", "sealed-record", record
    yield "context", "nonces", SEALED.encode()


def of_suite(suite: Ciphersuite) -> Seeds:
    """Every package and value of a suite, of a dealer's key and a key generation of two."""
    ids = [Identifier.from_u16(suite, number) for number in (1, 2)]
    made = {each: dkg.part1(suite, each, max_signers=2, min_signers=2) for each in ids}
    secret, package = made[ids[0]]
    others = {ids[1]: made[ids[1]][1]}
    found: list[Any] = [package, public_parts(secret)]
    shares, public_key_package = dealer.generate_with_dealer(suite, max_signers=2, min_signers=2)
    keys = {each: KeyPackage.from_secret_share(share) for each, share in shares.items()}
    committed = {each: signing.commit(key) for each, key in keys.items()}
    wanted = SigningPackage(suite, {each: commitments for each, (_, commitments) in committed.items()}, b"message")
    nonces, commitments = committed[ids[0]]
    found += [*map(public_parts, (shares[ids[0]], keys[ids[0]], nonces)), public_key_package, commitments, wanted]
    second, sending = dkg.part2(secret, others)
    found += [public_parts(second), public_parts(sending[ids[1]]), signing.sign(wanted, nonces, keys[ids[0]])]
    chosen = bytes((SUITES.index(suite),))
    kinds = {part[0] if isinstance(part, tuple) else type(part) for part in found}
    assert kinds == set(PACKAGES)
    for part in found:
        kind, postcard, text = part if isinstance(part, tuple) else (type(part), part.serialize(), part.to_json())
        name = f"{suite.name}-{PACKAGES.index(kind):02}"
        yield "postcard", name, chosen + prefixed(PACKAGES, kind, public(postcard))
        yield "json", name, chosen + prefixed(PACKAGES, kind, public(text))
        if kind in (packages.PublicKeyPackage, SigningPackage):
            yield "inspect", f"{name}.json", public(text)
    yield from of_values(suite, package, keys[ids[0]])


def public_parts(package: Any) -> tuple[type, bytes, bytes]:
    """Write a secret package while it is there: of a key that nobody uses."""
    return type(package), public(package.serialize()), public(package.to_json())


def of_values(suite: Ciphersuite, package: Any, key: KeyPackage) -> Seeds:
    scalar, element = public(key.signing_share.serialize()), key.verifying_key.serialize()
    written = (
        element,
        key.identifier.serialize(),
        scalar,
        package.proof_of_knowledge.serialize(),
        *(scalar, scalar, scalar),
        package.commitment.encoded,
        element + suite.group.y_coordinate(key.verifying_key.element),
    )
    for place, data in enumerate(written):
        yield "group", f"{suite.name}-{place}", bytes((SUITES.index(suite), place)) + data
    assert len(written) == len(VALUES) + 1 and written[WITH_Y] == data


def of_private_keys() -> Seeds:
    encoding, form = serialization.Encoding, serialization.PrivateFormat
    keys = {"p256": ec.generate_private_key(ec.SECP256R1()), "secp256k1": ec.generate_private_key(ec.SECP256K1())}
    keys |= {"ed25519": ed25519.Ed25519PrivateKey.generate(), "ed448": ed448.Ed448PrivateKey.generate()}
    for suite in SUITES:
        if suite.name not in keys:
            continue
        for kind, place in ((encoding.PEM, "pem"), (encoding.DER, "der")):
            written = keys[suite.name].private_bytes(kind, form.PKCS8, serialization.NoEncryption())
            yield "private-key", f"{suite.name}.{place}", bytes((SUITES.index(suite),)) + written
    sec1 = keys["p256"].private_bytes(encoding.PEM, form.TraditionalOpenSSL, serialization.NoEncryption())
    yield "private-key", "sec1.pem", b"\0" + sec1


def of_texts() -> Seeds:
    yield "uri", "token", b"pkcs11:token=frost-alice;serial=20d5fbed9585dbb1"
    yield (
        "uri",
        "all",
        (
            b"pkcs11:token=a%20b;manufacturer=m;serial=1;model=x;library-manufacturer=l;library-description=d;"
            b"library-version=2.6;slot-manufacturer=s;slot-description=t;object=o;type=cert;id=%01%ff;x-ours=y"
            b"?module-name=softhsm&module-path=/usr/lib/a.so"
        ),
    )
    yield (
        "config",
        "pkcs11.toml",
        (
            b'schema = "frost-hsm/config/1"\nme = "alice"\ntoken = "pkcs11:token=a;serial=1"\n\n'
            b'[backends.pkcs11]\n"softhsm" = "/usr/lib/softhsm/libsofthsm2.so"\n'
        ),
    )


def of_paper() -> Seeds:
    """A plan of the manual, what Alice states of it, and her signature on nothing."""
    plan = next(each for each in walkthrough.blocks(manual.page("ceremony-plan")) if each.head.endswith("plan.toml"))
    agreed = Agreed(*("" for _ in range(7)), ("alice", "bob"), (SignedFile("root.pem", 505, "00"),))
    stated = Statement(
        "alice", alice().public.fingerprint, agreed, Machine(*("" for _ in range(8)), True), "10:00", "11:00"
    )
    page = f'<meta name="{PARTICIPANT}" content="alice {alice().public.fingerprint}">'
    for kind, data in zip(
        PAPER, (plan.body.encode(), stated.encode(), signature.sign(b"", alice()), page.encode()), strict=True
    ):
        yield "paper", kind, prefixed(PAPER, kind, data)
        if kind in ("statement", "signature"):
            yield "inspect", f"paper-{kind}", data
    yield "inspect", "paper-record", b"<!doctype html>\n" + page.encode()


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        made = [*ceremony(Path(directory)), *of_backup(Path(directory) / "kept"), *of_rsa(), *of_sealed()]
        made += [*of_private_keys(), *of_texts(), *of_things(), *of_paper()]
    for suite in SUITES:
        made += of_suite(suite)
    for path in targets.CORPUS.glob("*/*"):
        if not path.name.startswith("found-"):
            path.unlink()
    for target, name, data in made:
        path = targets.CORPUS / target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()
