"""OpenSSL, which knows nothing of us, as the judge of everything that is said in a whole ceremony and signature."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from stage import parties

from frost_hsm.ceremony.messages import signed
from frost_hsm.forms import pem
from frost_hsm.frost.ciphersuites import P256
from frost_hsm.frost.packages import Signature


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, bytes, bytes]]:
    """Every message of a 2-of-3 key generation and a signature: by a title, who signed it, the file, the identity."""
    people = parties.gather(tmp_path_factory.mktemp("people"))
    proposal = parties.propose(people)
    first = parties.round1(people, proposal)
    second = parties.round2(people, first)
    third = parties.finish(people, first, second)
    parties.confirm(people, third)
    signers = [people[0], people[2]]
    request = parties.request(signers, b"pay nobody\r\n\0")
    commitments = parties.commit(signers, request)
    responses = parties.respond(signers, request, commitments)
    signature = people[1].session(request).aggregate(parties.inbox(commitments.values(), responses.values()))[0]
    people[1].key().public_key_package.verifying_key.verify(b"pay nobody\r\n\0", Signature.deserialize(P256, signature))
    identities = {party.name: party.public.to_pem() for party in people}
    steps = {"round 1": first, "round 2": second, "confirmation": third, "commit": commitments, "respond": responses}
    all_said = {"proposal": ("alice", proposal), "request": ("alice", request)}
    all_said |= {f"{step} of {who}": (who, data) for step, messages in steps.items() for who, data in messages.items()}
    return {title: (who, data, identities[who]) for title, (who, data) in all_said.items()}


def verified(data: bytes, identity: bytes, directory: Path) -> bytes | None:
    """Return what ``openssl cms -verify`` takes from a message, or None if it refuses."""
    (directory / "identity.pem").write_bytes(identity)
    (directory / "message.pem").write_bytes(data)
    command = "openssl cms -verify -binary -inform PEM -in message.pem -certfile identity.pem -CAfile identity.pem"
    ran = subprocess.run(command.split(), cwd=directory, capture_output=True, check=False)
    return ran.stdout if ran.returncode == 0 else None


def test_accepts_every_message(said: dict[str, tuple[str, bytes, bytes]], tmp_path: Path) -> None:
    assert len(said) == 2 + 3 * 3 + 2 * 2
    for title, (_, data, identity) in said.items():
        content = verified(data, identity, tmp_path)
        assert content is not None, title
        assert hashlib.sha256(content).digest() == signed.parse(data).content_digest, title


def test_refuses_every_message_with_a_byte_of_its_content_changed(
    said: dict[str, tuple[str, bytes, bytes]], tmp_path: Path
) -> None:
    for title, (_, data, identity) in said.items():
        parsed = signed.parse(data)
        start = parsed.der.index(parsed.content)
        for offset in (0, len(parsed.content) // 2, len(parsed.content) - 1):
            altered = bytearray(parsed.der)
            altered[start + offset] ^= 0x01
            armoured = pem.encode("CMS", bytes(altered))
            assert verified(armoured, identity, tmp_path) is None, f"{title}, byte {offset}"


def test_refuses_every_message_as_somebody_elses(said: dict[str, tuple[str, bytes, bytes]], tmp_path: Path) -> None:
    identities = {who: identity for who, _, identity in said.values()}
    for title, (who, data, _) in said.items():
        other = next(identity for name, identity in identities.items() if name != who)
        assert verified(data, other, tmp_path) is None, title
