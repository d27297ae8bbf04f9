"""An identity that names a second token: what its file may hold, and what the second token may do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ceremony.memory_token import MemoryToken
from ceremony.people import alice, bob, flips, openssl

from frost_hsm.backends import KeyKind
from frost_hsm.ceremony.history import backup
from frost_hsm.ceremony.people import identity
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.errors import (
    DuplicatedIdentifier,
    InputProblem,
    KeyExists,
    MalformedMessage,
    NotPossible,
    UnknownSender,
)
from frost_hsm.forms import der, pem, public_key
from frost_hsm.forms.certificate import Certificate

GOLDEN = Path(__file__).parent / "golden"


def made(name: str = "dana", recovery: PublicIdentity | None = None) -> Holder:
    token = MemoryToken()
    return Holder(identity.create(token, name, recovery=recovery), token)


@pytest.fixture(scope="module")
def second() -> Holder:
    return made()


@pytest.fixture(scope="module")
def first(second: Holder) -> Holder:
    return made(recovery=second.public)


def certified(by: Holder, wanted: Certificate) -> bytes:
    key_id = by.identity.sign_key_id
    return wanted.issue(
        lambda tbs: public_key.sign(lambda digest: by.token.sign(key_id, digest), by.public.sign_key, tbs)
    )


def test_it_names_the_keys_of_the_second(first: Holder, second: Holder) -> None:
    assert first.public.is_recovered_by(second.public)
    assert not second.public.is_recovered_by(first.public)
    assert [each.agree_key for each in first.public.addressees] == [first.public.agree_key, second.public.agree_key]
    assert [each.agree_key for each in second.public.addressees] == [second.public.agree_key]


def test_it_is_read_as_it_was_written(first: Holder) -> None:
    public = first.public
    assert PublicIdentity.from_pem(public.to_pem()) == public
    assert PublicIdentity.read(der.Reader(public.encode(), "an identity")) == public
    assert Roster.read(der.Reader(Roster((public, bob().public)).encode(), "a roster")).at(1) == public


def test_whoever_compares_the_fingerprint_compares_the_second_too(first: Holder) -> None:
    without = replace(first.public, recovery_certificates=())
    assert without != first.public
    assert without.fingerprint != first.public.fingerprint


def test_an_identity_without_a_second_is_what_it_was(second: Holder) -> None:
    public = second.public
    assert public.encode() == public.sign_certificate + public.agree_certificate
    assert public.to_pem().count(b"BEGIN") == 2


def test_it_is_found_on_the_token_again(first: Holder, second: Holder) -> None:
    assert [each.public for each in identity.find(first.token)] == [first.public]
    assert identity.create(first.token, "dana").public == first.public
    assert identity.create(first.token, "dana", recovery=second.public).public == first.public


def test_another_second_token_is_refused(first: Holder) -> None:
    with pytest.raises(KeyExists):
        identity.create(first.token, "dana", recovery=made().public)


def test_openssl_verifies_the_certificate_of_the_second(tmp_path: Path, first: Holder, second: Holder) -> None:
    named, agree = (pem.encode(identity.PEM_LABEL, each) for each in first.public.recovery_certificates)
    files = {"first": first.public.to_pem(), "second": second.public.to_pem(), "named": named, "agree": agree}
    assert openssl(tmp_path, "verify", "-CAfile", "first.pem", "named.pem", **files).stdout == b"named.pem: OK\n"
    assert openssl(tmp_path, "verify", "-CAfile", "second.pem", "agree.pem").stdout == b"agree.pem: OK\n"


@pytest.mark.parametrize("whose", ["another name", "one with a second itself", "the first itself"])
def test_what_cannot_be_a_second(whose: str, first: Holder, second: Holder) -> None:
    token = MemoryToken()
    own = identity.create(token, "dana").public
    wanted = {
        "another name": alice().public,
        "one with a second itself": first.public,
        "the first itself": own,
    }[whose]
    with pytest.raises(NotPossible):
        identity.create(token, "dana", recovery=wanted)
    assert [each.public for each in identity.find(token)] == [own]


def test_only_the_first_can_name_a_second(first: Holder, second: Holder) -> None:
    mallory = made()
    key = first.public.sign_key
    forged = certified(mallory, Certificate("dana", mallory.public.sign_key, bytes(16), key, is_recovery=True))
    with pytest.raises(InputProblem):
        replace(second.public, recovery_certificates=(forged, mallory.public.agree_certificate))


def test_the_agree_key_is_the_one_that_the_second_certifies(first: Holder) -> None:
    named = first.public.recovery_certificates[0]
    with pytest.raises(InputProblem):
        replace(first.public, recovery_certificates=(named, made().public.agree_certificate))


def test_a_certificate_for_another_use_does_not_name_a_second(first: Holder, second: Holder) -> None:
    wrong = certified(first, Certificate("dana", second.public.sign_key, bytes(16), first.public.sign_key))
    with pytest.raises(MalformedMessage):
        replace(first.public, recovery_certificates=(wrong, second.public.agree_certificate))
    with pytest.raises(MalformedMessage):
        PublicIdentity(first.public.sign_certificate, first.public.recovery_certificates[0])


@pytest.mark.parametrize("count", [1, 3])
def test_other_than_two_certificates_are_refused(count: int, first: Holder) -> None:
    blocks = (first.public.recovery_certificates * 2)[:count]
    with pytest.raises(MalformedMessage):
        replace(first.public, recovery_certificates=blocks)
    with pytest.raises(MalformedMessage):
        PublicIdentity.from_pem(
            b"".join(pem.encode(identity.PEM_LABEL, each) for each in (*first.public.certificates[:2], *blocks))
        )


def test_altered_certificates_are_refused(first: Holder) -> None:
    named, agree = first.public.recovery_certificates
    for place, original in enumerate((named, agree)):
        for changed in list(flips(original))[:: 3 * 7]:
            both = (changed, agree) if place == 0 else (named, changed)
            with pytest.raises(InputProblem):
                replace(first.public, recovery_certificates=both)


def test_an_rsa_second_token_says_how_to_encrypt_to_it() -> None:
    token = MemoryToken()
    second = identity.create(token, "dana", KeyKind.DECRYPT).public
    recovery = made(recovery=second).public.recovery
    assert recovery is not None
    assert recovery.oaep_hash is second.oaep_hash is not None


def test_a_roster_knows_the_second_and_lets_it_say_nothing(first: Holder, second: Holder) -> None:
    group = Roster((alice().public, first.public))
    with pytest.raises(UnknownSender, match="second token of dana") as caught:
        group.by_signer(second.public.sign_key.key_id)
    assert "repair confirm" in str(caught.value.hint)


def test_two_participants_do_not_share_a_second_token(first: Holder, second: Holder) -> None:
    keys = (second.identity.sign_key_id, second.identity.agree_key_id)
    erin = made("erin", identity.adopt(second.token, "erin", *keys).public)
    with pytest.raises(DuplicatedIdentifier):
        Roster((first.public, erin.public))


def test_the_golden_files_are_still_read() -> None:
    """An identity that names a second token, and a backup after that one has taken its place and all have refreshed."""
    first = PublicIdentity.from_pem((GOLDEN / "second.identity.pem").read_bytes())
    assert first.fingerprint == "3fb1 8ab0 c262 6337 d456 3b38 2674 6c6c"
    found = backup.read((GOLDEN / "backup.pem").read_bytes())
    [history] = found.keys
    [state] = history.latest()
    assert (found.backup.owner.name, state.epoch, state.digest.hex()[:16]) == ("bob", 1, "79f6729e1914f41d")
    assert (found.backup.peers, found.damaged) == ((first,), {})
    assert first.is_recovered_by(state.roster.at(1))
