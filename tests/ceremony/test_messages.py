from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import core
from ceremony.memory_token import MemoryToken
from ceremony.people import (
    alice,
    bob,
    flips,
    golden_alice,
    holder,
    openssl,
    roster,
    rsa_holder,
    truncations,
)
from hypothesis import given
from hypothesis import strategies as st

from frost_hsm.ceremony.messages.changing import (
    Abandonment,
    GivenUp,
    RepairDelta,
    RepairDone,
    RepairRequest,
    RepairSigma,
    Standing,
)
from frost_hsm.ceremony.messages.complaints import Complaint, Opening
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, Proposal, RefreshProposal, Round1, Round2
from frost_hsm.ceremony.messages.message import HASH_LENGTH, Enclosure, Envelopes, Message
from frost_hsm.ceremony.messages.signed import Signed, parse, read, transcript_hash, write
from frost_hsm.ceremony.messages.using import (
    MAX_THINGS,
    Abort,
    Attempt,
    Commitment,
    Item,
    Prepared,
    Response,
    SecondResponse,
    SigningRequest,
)
from frost_hsm.ceremony.people import identity
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.people.roster import MAX_PARTICIPANTS, Roster
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.envelope import decrypt
from frost_hsm.errors import (
    BadMessageSignature,
    DuplicatedIdentifier,
    ForeignMessage,
    InputProblem,
    InvalidContents,
    InvalidMaxSigners,
    InvalidMinSigners,
    MalformedMessage,
    NotKnown,
    NotPossible,
    ProtocolViolation,
    UnknownSender,
    UsageProblem,
)
from frost_hsm.forms import cms, der, oids, pem
from frost_hsm.forms.certificate import Certificate
from frost_hsm.forms.oaep import OaepHash

H1, H2, H3, H4 = (bytes((number,)) * 32 for number in range(1, 5))
SEALED = der.sequence(der.octet_string(b"sealed"))
ENVELOPE = Enclosure.of(SEALED)


def proposal() -> Proposal:
    return Proposal(H1, "treasury", "to sign releases", "FROST-P256-SHA256-v1", 2, 2, roster())


def repair_request() -> RepairRequest:
    return RepairRequest(H1, H2, H3, 2, bob().public, (1, 3))


ROUND1 = Round1(H1, b"package")
ITEMS = (Item("raw", "a.txt", b"m"), Item("ssh", "", b""))
SMALL: list[Message] = [
    ROUND1,
    Round1(H1, b"package", b"y"),
    Round1(H1, b"", b""),
    Round2(H1, H2, Envelopes.of([ENVELOPE] * 3)),
    Round1(H1, b"package", b"y", b"proofs"),
    Confirmation(H1, (H2, H3), H4),
    Confirmation(H1, (), H4),
    SigningRequest(H1, H2, 2, H3, ITEMS[:1], (1, 3)),
    SigningRequest(H1, H2, 2, H3, ITEMS, (1, 2, 1024)),
    SigningRequest(H1, H2, 2, H3, ITEMS[:1], (1, 3), b"seed"),
    SigningRequest(H1, H2, 2, H3, ITEMS[:1], (1, 3), b"", (b"alice's", b"carol's")),
    Commitment(H1, (b"commitments",)),
    Commitment(H1, (b"commitments", b"others"), (b"y", b"")),
    Response(H1, H2, (b"share", b"another")),
    SecondResponse(H1, H2, (b"share", b"another")),
    Abort(H1),
    SigningRequest(H1, H2, 2, H3, ITEMS[:1], (1, 2, 3), needed=2),
    Attempt(H1, (1, 3), (b"alice's", b"carol's")),
    Prepared(H1, H2, (b"one", b"another")),
    RefreshProposal(H1, H2, 2, H3),
    Abandonment(H1, H2, 2, H3, (H4,)),
    Standing(H1, H2),
    Standing(H1, H2, H3),
    GivenUp(H1),
    Dealing(H1, Envelopes.of([ENVELOPE] * 3)),
    RepairDelta(H1, Envelopes.of([ENVELOPE] * 3)),
    RepairSigma(H1, H2, SEALED),
    RepairDone(H1, H2),
    Complaint(H1, 300, H2, H3 * 300),
    Opening(H1, 1, H2),
]


def title(message: Message) -> str:
    return message.title


# ── The contents ──

# Written out by hand from the ASN.1 in the docstrings. These bytes are what is signed: they never change.
GOLDEN = [
    (ROUND1, "302e 020102 0420" + H1.hex() + "0407" + b"package".hex()),
    (Round1(H1, b"p", b"y"), "302b 020102 0420" + H1.hex() + "0401 70 8001 79"),
    (Round1(H1, b"p", b"y", b"c"), "302e 020102 0420" + H1.hex() + "0401 70 8001 79 8101 63"),
    (
        Round2(H1, H2, Envelopes.of([ENVELOPE] * 2)),
        "308189 020104 0420" + H1.hex() + "0420" + H2.hex() + "0440" + ENVELOPE.digest.hex() * 2,
    ),
    (
        Confirmation(H1, (H2, H3), H4),
        "30818d 020102 0420" + H1.hex() + "3044 0420" + H2.hex() + "0420" + H3.hex() + "0420" + H4.hex(),
    ),
    (
        SigningRequest(H1, H2, 1, H3, ITEMS[:1], (1, 3)),
        "308187 020102 0420"
        + H1.hex()
        + "0420"
        + H2.hex()
        + "020101 0420"
        + H3.hex()
        + "3011 300f 0c03"
        + b"raw".hex()
        + "0c05"
        + b"a.txt".hex()
        + "0401 6d 3006 020101 020103",
    ),
    (
        SigningRequest(H1, H2, 1, H3, ITEMS[:1], (1, 3), b"s", (b"a", b"c")),
        "308192 020102 0420"
        + H1.hex()
        + "0420"
        + H2.hex()
        + "020101 0420"
        + H3.hex()
        + "3011 300f 0c03"
        + b"raw".hex()
        + "0c05"
        + b"a.txt".hex()
        + "0401 6d 3006 020101 020103"
        "8001 73 a106 0401 61 0401 63",
    ),
    (
        Complaint(H1, 2, H2, H3 + H4),
        "30818c 020103 0420" + H1.hex() + "020102 0420" + H2.hex() + "0440" + H3.hex() + H4.hex(),
    ),
    (Opening(H1, 300, H2), "304b 020102 0420" + H1.hex() + "0202 012c 0420" + H2.hex()),
    (
        Attempt(H1, (1, 3), (b"a", b"c")),
        "3035 020102 0420" + H1.hex() + "3006 020101 020103 3006 0401 61 0401 63",
    ),
    (Prepared(H1, H2, (b"c",)), "304c 020102 0420" + H1.hex() + "0420" + H2.hex() + "3003 0401 63"),
    (Abort(H1), "3025 020102 0420" + H1.hex()),
    (Commitment(H1, (b"c",)), "302a 020102 0420" + H1.hex() + "3003 0401 63"),
    (Commitment(H1, (b"c",), (b"y",)), "302f 020102 0420" + H1.hex() + "3003 0401 63 a003 0401 79"),
    (
        RefreshProposal(H1, H2, 1, H3),
        "306c 020102 0420" + H1.hex() + "0420" + H2.hex() + "020101 0420" + H3.hex(),
    ),
    (
        Abandonment(H1, H2, 1, H3, (H4,)),
        "308190 020102 0420" + H1.hex() + "0420" + H2.hex() + "020101 0420" + H3.hex() + "3022 0420" + H4.hex(),
    ),
    (Standing(H1, H2), "3049 020102 0420" + H1.hex() + "0420" + H2.hex() + "0400"),
    (GivenUp(H1), "3025 020102 0420" + H1.hex()),
    (
        RepairDelta(H1, Envelopes.of([ENVELOPE] * 2)),
        "3067 020104 0420" + H1.hex() + "0440" + ENVELOPE.digest.hex() * 2,
    ),
    (RepairSigma(H1, H2, SEALED), "3051 020102 0420" + H1.hex() + "0420" + H2.hex() + "3008 0406" + b"sealed".hex()),
    (RepairDone(H1, H2), "3047 020102 0420" + H1.hex() + "0420" + H2.hex()),
    (Response(H1, H2, (b"s",)), "304c 020102 0420" + H1.hex() + "0420" + H2.hex() + "3003 0401 73"),
    (SecondResponse(H1, H2, (b"s",)), "304c 020102 0420" + H1.hex() + "0420" + H2.hex() + "3003 0401 73"),
]


@pytest.mark.parametrize(("message", "expected"), GOLDEN, ids=title)
def test_the_encoding_is_the_documented_one(message: Message, expected: str) -> None:
    assert message.encode().hex() == expected.replace(" ", "")


def test_the_encoding_of_a_proposal_is_the_documented_one() -> None:
    encoded = core.Sequence.load(proposal().encode())
    kinds = [core.Integer, core.OctetString, *[core.UTF8String] * 3, core.Integer, core.Integer, core.Sequence]
    assert [type(encoded[index]) for index in range(8)] == kinds
    values = [encoded[index].native for index in range(7)]
    assert values == [2, H1, "treasury", "to sign releases", "FROST-P256-SHA256-v1", 2, 2]
    for pair, member in zip((encoded[7][index] for index in range(3)), roster(), strict=True):
        assert pair.contents == member.sign_certificate + member.agree_certificate


def test_the_encoding_of_a_context_is_the_documented_one() -> None:
    one = Context(H1, Kind.SIGNING_SHARE, "S", H2, H3, b"k", 1, b"b")
    expected = "3081 85 020102 0420" + H1.hex() + "0c0d" + b"signing-share".hex() + "0c01 53 0420" + H2.hex()
    expected += "0420" + H3.hex() + "0401 6b 020101 0401 62"
    expected = expected.replace("3081 85", f"3081{len(bytes.fromhex(expected.replace(' ', ''))) - 3:02x}")
    assert one.encode().hex() == expected.replace(" ", "")
    assert Context.decode(one.encode()) == one


def test_only_a_proposal_that_takes_identifiers_from_names_says_so() -> None:
    from_names = replace(proposal(), numbering=Numbering.NAMES)
    plain = der.Reader(proposal().encode(), "it").contents(der.SEQUENCE)
    assert from_names.encode() == der.sequence(plain, b"\x80\0")
    assert Proposal.decode(from_names.encode()) == from_names
    for other in (b"\x80\1\0", b"\x05\0", b"\x81\0", b"\x80\0\x80\0"):
        with pytest.raises(MalformedMessage):
            Proposal.decode(der.sequence(plain, other))


@pytest.mark.parametrize("message", [*SMALL, proposal(), repair_request()], ids=title)
def test_a_message_is_read_back(message: Message) -> None:
    assert type(message).decode(message.encode()) == message


@pytest.mark.parametrize("message", SMALL, ids=title)
def test_changed_contents_are_malformed_or_another_message(message: Message) -> None:
    encoded = message.encode()
    for changed in flips(encoded):
        try:
            other = type(message).decode(changed)
        except (MalformedMessage, ForeignMessage):
            continue
        assert other != message and other.encode() == changed


@pytest.mark.parametrize("message", [*SMALL, proposal(), repair_request()], ids=title)
def test_truncated_contents_are_malformed(message: Message) -> None:
    for cut in truncations(message.encode()):
        with pytest.raises(MalformedMessage):
            type(message).decode(cut)


@pytest.mark.parametrize("message", [*SMALL, proposal(), repair_request()], ids=title)
def test_extra_fields_trailing_bytes_and_other_lengths_are_malformed(message: Message) -> None:
    encoded = message.encode()
    inner = der.Reader(encoded, "it").contents(der.SEQUENCE)
    long = len(inner).to_bytes(4, "big")
    for changed in (
        encoded + b"\0",
        der.sequence(inner, der.octet_string(b"more")),
        der.sequence(inner, b"\x05\x00"),
        b"\x30\x84" + long + inner,
        b"\x30\x80" + inner + b"\0\0",
        b"\x31" + encoded[1:],
        b"",
    ):
        with pytest.raises(MalformedMessage):
            type(message).decode(changed)


@pytest.mark.parametrize("message", [*SMALL, proposal(), repair_request()], ids=title)
def test_another_version_is_foreign_and_nobodys_fault(message: Message) -> None:
    inner = der.Reader(message.encode(), "it").contents(der.SEQUENCE)
    with pytest.raises(ForeignMessage, match="version 1"):
        type(message).decode(der.sequence(der.integer(1), inner[3:]))
    with pytest.raises(MalformedMessage):
        type(message).decode(der.sequence(der.element(der.INTEGER, b"\1" * 5000), inner[3:]))


@given(st.binary(max_size=200))
def test_noise_is_refused_with_a_typed_error(noise: bytes) -> None:
    for message in (ROUND1, *SMALL):
        with pytest.raises((MalformedMessage, ForeignMessage)):
            type(message).decode(noise)
    with pytest.raises(InputProblem):
        read(noise, roster())


# ── What cannot be said ──


@pytest.mark.parametrize("message", SMALL, ids=title)
def test_hashes_have_32_bytes(message: Message) -> None:
    names = [each.name for each in fields(message) if getattr(message, each.name) in (H1, H2, H3, H4)]  # type: ignore[arg-type]
    assert names
    for name in names:
        for wrong in (b"", bytes(31), bytes(33)) if (name, message.title) != ("shown", "standing") else (bytes(31),):
            with pytest.raises(NotPossible):
                replace(message, **{name: wrong})  # type: ignore[type-var]
            encoded = message.encode().replace(der.octet_string(getattr(message, name)), der.octet_string(wrong), 1)
            inner = encoded[2:] if encoded[1] < 0x80 else encoded[3:]
            with pytest.raises(MalformedMessage):
                type(message).decode(der.sequence(inner))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"min_signers": 1}, InvalidMinSigners),
        ({"min_signers": 4}, InvalidMinSigners),
        ({"name": "../treasury"}, NotPossible),
        ({"name": ""}, NotPossible),
        ({"random": bytes(31)}, NotPossible),
        ({"purpose": "two\nlines"}, NotPossible),
        ({"purpose": "\x1b[31mred"}, NotPossible),
        ({"purpose": "\u202ereversed"}, NotPossible),
        ({"purpose": "\udcff"}, NotPossible),
        ({"purpose": "x" * 1025}, NotPossible),
        ({"suite": "\x1b[31m"}, NotPossible),
        ({"suite": "x" * 65}, NotPossible),
    ],
)
def test_a_proposal_that_cannot_be_made(change: dict[str, Any], error: type[UsageProblem]) -> None:
    with pytest.raises(error):
        replace(proposal(), **change)


@pytest.mark.parametrize("threshold", [0, 1, 4, 255])
def test_a_proposal_with_an_impossible_threshold_is_malformed(threshold: int) -> None:
    encoded = proposal().encode()
    before = der.utf8_string("FROST-P256-SHA256-v1") + der.integer(2)
    after = der.utf8_string("FROST-P256-SHA256-v1") + der.integer(threshold)
    contents = der.Reader(encoded, "it").contents(der.SEQUENCE).replace(before, after)
    with pytest.raises(MalformedMessage, match="threshold"):
        Proposal.decode(der.sequence(contents))


@pytest.mark.parametrize("signers", [(), (1,), (2, 1), (1, 1), (0, 1), (1, MAX_PARTICIPANTS + 1)])
def test_signers_are_two_or_more_positions_in_ascending_order(signers: tuple[int, ...]) -> None:
    good = SigningRequest(H1, H2, 1, H3, ITEMS[:1], (1, 2))
    with pytest.raises(NotPossible):
        replace(good, signers=signers)
    contents = der.Reader(good.encode(), "it").contents(der.SEQUENCE)
    contents = contents[:-8] + der.sequence(*map(der.integer, signers))
    with pytest.raises(MalformedMessage, match="signers"):
        SigningRequest.decode(der.sequence(contents))


@pytest.mark.parametrize("number", [1, 3])
def test_commitments_made_ahead_are_as_many_as_signers(number: int) -> None:
    good = SigningRequest(H1, H2, 1, H3, ITEMS[:1], (1, 2), b"", (b"a", b"b"))
    with pytest.raises(NotPossible):
        replace(good, commitments=(b"a",) * number)
    contents = der.Reader(good.encode(), "it").contents(der.SEQUENCE)[:-8]
    with pytest.raises(MalformedMessage, match="commitments"):
        SigningRequest.decode(der.sequence(contents, der.element(0xA1, *[der.octet_string(b"a")] * number)))


@pytest.mark.parametrize("empty", [b"\x80\0", b"\xa1\0"])
def test_what_is_not_in_a_request_is_left_out(empty: bytes) -> None:
    contents = der.Reader(SigningRequest(H1, H2, 1, H3, ITEMS[:1], (1, 2)).encode(), "it").contents(der.SEQUENCE)
    with pytest.raises(MalformedMessage, match="canonical"):
        SigningRequest.decode(der.sequence(contents, empty))


def test_a_message_to_sign_has_a_largest_size() -> None:
    with pytest.raises(NotPossible):
        SigningRequest(H1, H2, 1, H3, (Item("raw", "", bytes(MAX_THINGS + 1)),), (1, 2))
    largest = SigningRequest(H1, H2, 1, H3, (Item("raw", "", bytes(MAX_THINGS)),), (1, 2))
    assert read(write(largest, alice()), roster()).message == largest


@pytest.mark.parametrize("number", [0, 1, MAX_PARTICIPANTS + 1])
def test_envelopes_are_as_many_as_participants_can_be(number: int) -> None:
    with pytest.raises(NotPossible):
        Round2(H1, H2, Envelopes.of([ENVELOPE] * number))
    head = der.integer(4) + der.octet_string(H1) + der.octet_string(H2)
    with pytest.raises(MalformedMessage):
        Round2.decode(der.sequence(head, der.octet_string(H3 * number)))


def test_every_hash_of_an_envelope_is_whole() -> None:
    head = der.integer(4) + der.octet_string(H1) + der.octet_string(H2)
    assert Round2.decode(der.sequence(head, der.octet_string(H3 * 2))).envelopes.hashes == H3 * 2
    for hashes in (H3 * 2 + b"h", H3 * 3 + H4[1:]):
        with pytest.raises(MalformedMessage, match="32 bytes each"):
            Round2.decode(der.sequence(head, der.octet_string(hashes)))


def test_what_stands_across_two_hashes_is_the_hash_of_no_envelope() -> None:
    data = der.sequence(b"beside")
    digest = hashlib.sha256(data).digest()
    for shift in (1, 16, 31):
        across = Envelopes(bytes(shift) + digest + bytes(HASH_LENGTH - shift))
        assert across.given({digest: data}).here == {}
        assert Envelopes(across.hashes + digest).given({digest: data})[2].data == data
    assert Envelopes(bytes(32) + digest).given({digest: data}).here == {digest: data}


@pytest.mark.parametrize(
    "change",
    [
        {"helpers": (1,)},
        {"helpers": (3, 1)},
        {"helpers": (1, 2)},
        {"helpers": (0, 1)},
        {"position": 0},
    ],
)
def test_a_repair_request_that_cannot_be_made(change: dict[str, Any]) -> None:
    with pytest.raises(NotPossible):
        replace(repair_request(), **change)


def test_a_repair_request_is_signed_by_the_one_who_receives() -> None:
    assert read(write(repair_request(), bob())).sender == bob().public
    with pytest.raises(UnknownSender):
        read(write(repair_request(), alice()))


def test_the_check_code_is_128_bits_of_the_contents() -> None:
    one = Confirmation(H1, (H2, H3), H4)
    assert one.check_code.replace(" ", "") == hashlib.sha256(one.encode()).hexdigest()[:32]
    assert one.check_code.count(" ") == 7
    for name, other in (("ceremony", H4), ("messages", (H2,)), ("public_key_package_hash", H1)):
        assert replace(one, **{name: other}).check_code != one.check_code


# ── Rosters ──


def test_a_roster_knows_positions_names_and_signers() -> None:
    three = roster()
    assert [three.position(member.name) for member in three] == [1, 2, 3]
    assert [three.at(position).name for position in (1, 2, 3)] == ["alice", "bob", "carol"]
    assert three.by_signer(bob().public.sign_key.key_id) == bob().public
    for position in (0, 4, -1):
        with pytest.raises(NotKnown):
            three.at(position)
    with pytest.raises(NotKnown):
        three.position("mallory")
    for stranger in (holder("mallory").public.sign_key.key_id, bob().public.agree_key.key_id, b""):
        with pytest.raises(UnknownSender):
            three.by_signer(stranger)


def test_the_digest_of_a_roster_depends_on_the_order() -> None:
    three = roster()
    assert three.digest == hashlib.sha256(three.encode()).digest()
    assert Roster(three.members[::-1]).digest != three.digest
    assert Roster.read(der.Reader(three.encode(), "it")) == three


def test_a_roster_has_two_to_1024_members_all_different() -> None:
    for members in ((), (alice().public,), (alice().public,) * (MAX_PARTICIPANTS + 1)):
        with pytest.raises(InvalidMaxSigners):
            Roster(members)
    with pytest.raises(DuplicatedIdentifier, match="alice"):
        Roster((alice().public, bob().public, alice().public))


@pytest.mark.parametrize("name", ["alice", "shared"])
def test_nobody_has_the_name_or_the_key_of_another(name: str) -> None:
    """A second Alice with keys of her own, and a stranger who has certified Alice's agree key."""
    if name == "alice":
        other = identity.create(MemoryToken(), "alice").public
    else:
        stranger = holder("shared")
        certificate = Certificate("shared", alice().public.agree_key, H1[:16], stranger.public.sign_key)
        other = PublicIdentity(stranger.public.sign_certificate, certificate.issue(stranger.sign))
    with pytest.raises(DuplicatedIdentifier):
        Roster((alice().public, other))
    pairs = (der.sequence(each.sign_certificate, each.agree_certificate) for each in (alice().public, other))
    contents = der.Reader(proposal().encode(), "it").contents(der.SEQUENCE)
    contents = contents[: -len(roster().encode())] + der.sequence(*pairs)
    with pytest.raises(MalformedMessage, match="name or a key"):
        Proposal.decode(der.sequence(contents))


# ── Signed ──


@pytest.mark.parametrize("message", SMALL, ids=title)
def test_a_signed_message_is_read_with_its_sender(message: Message) -> None:
    file = write(message, bob())
    signed = read(file, roster())
    assert (signed.message, signed.sender) == (message, bob().public)
    assert signed.content_digest == hashlib.sha256(message.encode()).digest()
    assert signed.to_pem() == file
    assert read(signed.der, roster()) == signed
    assert signed.expect(type(message)) is signed
    with pytest.raises(ForeignMessage, match=f"the {message.title} of bob, not a proposal"):
        signed.expect(Proposal)


def test_a_proposal_brings_the_roster_of_its_author() -> None:
    signed = read(write(proposal(), bob()))
    assert signed.message == proposal()
    assert signed.sender == bob().public
    with pytest.raises(UnknownSender):
        read(write(proposal(), holder("mallory")))
    with pytest.raises(ForeignMessage, match="round-1 message, not a proposal"):
        read(write(ROUND1, bob()))


@pytest.mark.parametrize("author", [1, 3, 4])
def test_what_is_proposed_or_asked_says_who_does(author: int) -> None:
    """Its id covers who wrote it: nobody makes it theirs by signing it again."""
    asked = (RefreshProposal(H1, H2, author, H3), SigningRequest(H1, H2, author, H3, ITEMS, (1, 2)))
    for message in (*asked, Abandonment(H1, H2, author, H3, (H4,))):
        with pytest.raises(UnknownSender, match="somebody else"):
            read(write(message, bob()), roster())
    if author <= len(roster()):
        with pytest.raises(UnknownSender, match="somebody else"):
            read(write(replace(proposal(), author=author), bob()))


def test_a_proposal_that_its_author_did_not_sign_is_refused() -> None:
    forged = cms.sign(oids.PROPOSAL, proposal().encode(), holder("mallory"))
    forged = forged.replace(holder("mallory").public.sign_key.key_id, bob().public.sign_key.key_id)
    with pytest.raises(BadMessageSignature):
        read(forged)


@pytest.mark.parametrize("message", [*SMALL, proposal(), repair_request()], ids=title)
def test_openssl_verifies_every_message(message: Message, tmp_path: Path) -> None:
    ran = openssl(
        tmp_path,
        *("cms", "-verify", "-inform", "PEM", "-binary", "-certfile", "bob.pem", "-CAfile", "bob.pem"),
        *("-in", "message.pem"),
        message=write(message, bob()),
        bob=bob().public.to_pem(),
    )
    assert (ran.returncode, ran.stdout) == (0, message.encode()), ran.stderr


def test_openssl_verifies_with_an_rsa_identity(tmp_path: Path) -> None:
    person = rsa_holder(OaepHash.SHA1)
    ran = openssl(
        tmp_path,
        *("cms", "-verify", "-inform", "PEM", "-binary", "-certfile", "rsa.pem", "-CAfile", "rsa.pem"),
        *("-in", "message.pem"),
        message=write(ROUND1, person),
        rsa=person.public.to_pem(),
    )
    assert ran.stdout == ROUND1.encode(), ran.stderr


def test_every_changed_byte_of_a_signed_message_is_refused_and_blames_nobody() -> None:
    signed = cms.sign(oids.ROUND1, ROUND1.encode(), bob())
    for changed in flips(signed):
        with pytest.raises(InputProblem) as caught:
            read(changed, roster())
        assert caught.value.culprits == ()


def test_a_changed_key_identifier_names_nobody_else() -> None:
    signed = cms.sign(oids.ROUND1, ROUND1.encode(), bob())
    changed = signed.replace(bob().public.sign_key.key_id, alice().public.sign_key.key_id)
    with pytest.raises(BadMessageSignature) as caught:
        read(changed, roster())
    assert caught.value.culprits == ()


def test_a_stranger_is_unknown() -> None:
    with pytest.raises(UnknownSender, match=holder("mallory").public.sign_key.key_id.hex()):
        read(write(ROUND1, holder("mallory")), roster())


def test_signed_nonsense_is_the_senders_fault() -> None:
    nonsense = cms.sign(oids.ROUND1, b"nonsense", bob())
    with pytest.raises(InvalidContents, match="bob signed what is not a message") as caught:
        read(nonsense, roster())
    assert caught.value.culprits == ("bob",)
    assert isinstance(caught.value, ProtocolViolation)


def test_a_signed_message_of_a_later_version_is_nobodys_fault() -> None:
    later = der.sequence(der.integer(3), der.octet_string(b"something new"))
    with pytest.raises(ForeignMessage) as caught:
        read(cms.sign(oids.ROUND1, later, bob()), roster())
    assert caught.value.culprits == ()


def test_a_message_under_another_type_is_not_itself() -> None:
    """The end of a repair and a short standing have much the same ASN.1; the signed type tells messages apart."""
    note = GivenUp(H1)
    assert read(cms.sign(oids.GIVEN_UP, note.encode(), bob()), roster()).message == note
    renamed = cms.sign(oids.GIVEN_UP, note.encode(), bob()).replace(der.oid(oids.GIVEN_UP), der.oid(oids.ROUND1))
    with pytest.raises(BadMessageSignature):
        read(renamed, roster())


@pytest.mark.parametrize("kind", [oids.SEALED_RECORD, oids.DATA, f"{oids.ARC}.99"])
def test_other_signed_data_is_not_a_message_and_blames_nobody(kind: str) -> None:
    """A sealed record is signed by its owner, but whoever sends it around need not be the owner."""
    for whose in (roster(), None):
        with pytest.raises(ForeignMessage, match="no message of a type") as caught:
            read(cms.sign(kind, ROUND1.encode(), bob()), whose)
        assert caught.value.culprits == ()


@pytest.mark.parametrize("number", [0, cms.MAX_PEM_SIZE + 1])
def test_a_file_of_no_possible_size_is_malformed(number: int) -> None:
    with pytest.raises(MalformedMessage):
        read(b"-" * number, roster())


def test_a_file_is_one_message() -> None:
    file = write(ROUND1, bob())
    for other in (file + file, b"\n" + file, file.replace(b"CMS", b"PKCS7"), file[:-30]):
        with pytest.raises(MalformedMessage):
            read(other, roster())


def test_the_transcript_hash_covers_every_message_and_their_order() -> None:
    signed = [read(write(Round1(H1, who.public.name.encode()), who), roster()) for who in (alice(), bob())]
    expected = hashlib.sha256(b"".join(hashlib.sha256(each.message.encode()).digest() for each in signed)).digest()
    assert transcript_hash(signed) == expected
    assert transcript_hash(signed[::-1]) != expected
    assert transcript_hash(signed[:1]) != expected
    again = read(write(signed[0].message, alice()), roster())
    assert again.der != signed[0].der, "another signature …"
    assert again == signed[0], "… of the same message"
    assert transcript_hash([again, signed[1]]) == expected


# ── Files of this version ──


GOLDEN_FILES = Path(__file__).parent / "golden"


def test_files_of_this_version_are_still_read() -> None:
    """Written once; every later version reads them, or says why not."""
    first = read((GOLDEN_FILES / "proposal.pem").read_bytes())
    assert first.message.name == "treasury"
    assert [member.name for member in first.message.roster] == ["alice", "rsa-sha1"]
    assert first.content_digest.hex() == (GOLDEN_FILES / "proposal.sha256").read_text().strip()
    for kind in (Round1, Round2, Confirmation, SigningRequest, Commitment, Response):
        name = kind.title.replace(" ", "-")
        signed = read((GOLDEN_FILES / f"{name}.pem").read_bytes(), first.message.roster)
        assert isinstance(signed.message, kind)
        assert signed.sender.name == "alice"


def test_a_file_of_an_older_version_is_refused_in_one_sentence() -> None:
    """Round 2 held a value for each hash: nobody reads that any more, and whoever sent it is not to blame."""
    roster = read((GOLDEN_FILES / "proposal.pem").read_bytes()).message.roster
    with pytest.raises(ForeignMessage, match="of version 3, and this program knows version 4") as caught:
        read((GOLDEN_FILES / "round-2-message-3.pem").read_bytes(), roster)
    assert caught.value.culprits == ()


# ── What lies beside a message ──

ENVELOPES = tuple(Enclosure.of(der.sequence(der.octet_string(bytes((number,))))) for number in range(3))


WHOLE = write(Round2(H1, H2, Envelopes.of(ENVELOPES)), alice())


def said_to(*numbers: int) -> Signed[Any]:
    """Alice's round 2, with the envelopes of these numbers alone beside it."""
    return read(WHOLE, roster()).part([ENVELOPES[number].digest for number in numbers])


def test_a_part_is_the_same_message_with_fewer_envelopes() -> None:
    for numbers in ((), (0,), (1, 2), (0, 1, 2)):
        part = read(said_to(*numbers).to_pem(), roster())
        assert part == said_to(0, 1, 2)
        assert [each.data is not None for each in part.message.envelopes] == [each in numbers for each in range(3)]
        assert part.der == said_to(*numbers).der


def test_parts_are_joined_to_what_they_were_cut_from() -> None:
    assert said_to(0).joined(said_to(2)).joined(said_to(1)).der == said_to(0, 1, 2).der
    assert said_to(0, 1, 2).joined(said_to(0)).der == said_to(0, 1, 2).der


def test_an_envelope_that_is_not_named_names_nobody() -> None:
    """Anybody on the way can put something beside a message: its sender did not sign that."""
    parsed, other = parse(said_to(0, 1, 2).der), Enclosure.of(der.sequence(der.octet_string(b"other")))
    swapped = parsed.enclosing([ENVELOPES[0].opened, other.opened])
    with pytest.raises(MalformedMessage, match="beside a round-2 message lies something that it does not name"):
        read(swapped, roster())
    beside_nothing = parse(write(ROUND1, alice())).enclosing([other.opened])
    with pytest.raises(MalformedMessage, match="beside a round-1 message"):
        read(beside_nothing, roster())


def test_the_golden_envelope_still_opens() -> None:
    person = golden_alice((GOLDEN_FILES / "alice.identity.pem").read_bytes())
    data = pem.decode("CMS", (GOLDEN_FILES / "envelope.pem").read_bytes(), "it")[0]
    expected = Context(H1, Kind.SIGNING_SHARE, "S", H2, person.public.agree_key.digest, b"k", 1, b"b")
    with decrypt(data, expected, person).reveal() as view:
        assert bytes(view) == b"golden"
