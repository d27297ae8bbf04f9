"""What is encrypted on its way: who can open it, where, and whether two of them are ever alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from attacks.table import Table, convicted
from stage.p256 import public_bytes
from test_no_secrets import search

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Round2
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.sealing import envelope, shares
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.envelope import Envelope
from frost_hsm.ceremony.sealing.recipients import KeyAgreement
from frost_hsm.errors import InvalidContents, MalformedMessage, NotYet, SealBroken
from frost_hsm.secret import Secret


def mallorys(table: Table) -> Signed[Round2]:
    return signed.read(table.mallory.round2(table.first), table.mallory.seat.roster).expect(Round2)


def ephemerals(message: Round2) -> list[bytes]:
    decoded = [Envelope.decode(each.opened).recipients[0] for each in message.envelopes]
    return [each.ephemeral for each in decoded if isinstance(each, KeyAgreement)]


def test_k19_shares_in_clear(table: Table, capfd: pytest.CaptureFixture[str]) -> None:
    """Somebody reads everything that is sent, written or printed, looking for a share."""
    searched = [public_bytes(table.mallory.share(position).signing_share.serialize()) for position in (1, 2, 3)]
    second = {**table.honest_round2(), "mallory": table.mallory.round2(table.first)}
    assert search(searched, second) == []
    table.finish(table.alice, *second.values())
    printed = capfd.readouterr()
    places = {**table.alice.files(), **table.alice.records(), "printed": (printed.out + printed.err).encode()}
    assert search(searched, places) == []


def test_k20_all_others_together(table: Table) -> None:
    """Everybody but Alice tries to open what is for Alice, with all the keys that they have."""
    said = mallorys(table)
    seats = {party.name: replace(table.mallory.seat, me=party.public) for party in table.people}
    for reader in table.people:
        for place in table.people:
            with reader.holder() as holder:
                if place is reader:
                    assert shares.decrypt(seats[place.name], said, holder).signing_share is not None
                else:
                    with pytest.raises(SealBroken):
                        shares.decrypt(seats[place.name], said, holder)


def test_k21_the_envelope_of_another_sender(table: Table) -> None:
    """Mallory sends Bob's envelope for Alice as her own: when Alice complains, she would tell what is in Bob's."""
    second = table.honest_round2()
    bobs = signed.read(second["bob"], table.mallory.seat.roster).expect(Round2).message
    second["mallory"] = table.mallory.say(bobs)
    step = lambda: table.finish(table.alice, *second.values())  # noqa: E731
    convicted(table.alice, InvalidContents, step)


def test_k21_envelopes_in_another_order(table: Table) -> None:
    """Mallory puts the envelope that is for Bob where Alice's should be."""
    second = table.honest_round2()
    honest = mallorys(table).message
    one, two, three = honest.envelopes
    for envelopes in ((two, one, three), (one, two)):
        second["mallory"] = table.mallory.say(replace(honest, envelopes=Envelopes.of(envelopes)))
        party = table.alice if len(envelopes) == 3 else table.bob
        step = lambda party=party: table.finish(party, *second.values())  # noqa: E731
        convicted(party, InvalidContents, step)


def test_k40_an_envelope_that_is_withheld(table: Table) -> None:
    """Mallory sends Alice all that is signed, and not the envelope for her: as if she had sent nothing."""
    whole = mallorys(table)
    second = {**table.honest_round2(), "mallory": whole.part([whole.message.envelopes[1].digest]).to_pem()}
    before = table.alice.files()
    with pytest.raises(NotYet) as caught:
        table.finish(table.alice, *second.values())
    assert caught.value.culprits == ()
    assert table.alice.files() == before
    assert table.finish(table.bob, *second.values()), "Bob has what he needs"
    assert table.finish(table.alice, *second.values(), whole.to_pem())


def test_k40_an_envelope_that_is_exchanged_on_its_way(table: Table) -> None:
    """Somebody puts another envelope beside what Mallory signed, to have her blamed."""
    whole, second = mallorys(table), table.honest_round2()
    bobs = signed.read(second["bob"], table.mallory.seat.roster).expect(Round2)
    exchanged = signed.parse(whole.der).enclosing(bobs.enclosed.values())
    before = table.alice.files()
    with pytest.raises(MalformedMessage) as caught:
        table.finish(table.alice, *second.values(), exchanged)
    assert caught.value.culprits == ()
    assert table.alice.files() == before
    assert table.finish(table.alice, *second.values(), whole.to_pem())


def test_k22_no_key_is_used_twice(table: Table) -> None:
    """Somebody compares envelopes, of two recipients and of two tries with the same contents, for a repeated pad."""
    one, other = mallorys(table).message, mallorys(table).message
    assert len(set(ephemerals(one) + ephemerals(other))) == 6
    assert len({*one.envelopes, *other.envelopes}) == 6


@pytest.mark.parametrize(
    "change", [{"ceremony": bytes(32)}, {"epoch": 1}, {"binding": b""}, {"key": b"k"}, {"suite": "other"}]
)
def test_k23_an_envelope_elsewhere(table: Table, change: dict[str, object]) -> None:
    """Mallory has an envelope opened in another ceremony, epoch or place than it was made for."""
    sender, recipient = table.mallory.party.public.sign_key.digest, table.alice.public.agree_key.digest
    context = Context(b"c" * 32, Kind.ROUND2_SHARE, table.mallory.seat.suite.id, sender, recipient, binding=b"b" * 32)
    sealed = envelope.encrypt(context, Secret(b"plaintext"), [table.alice.public])
    with table.alice.holder() as holder:
        assert len(envelope.decrypt(sealed, context, holder)) == len(b"plaintext")
        with pytest.raises(SealBroken):
            envelope.decrypt(sealed, replace(context, **change), holder)  # type: ignore[arg-type]


def test_k23_altered_envelopes(table: Table) -> None:
    """Somebody flips bits of what is encrypted."""
    seat = replace(table.mallory.seat, me=table.alice.public)
    said = mallorys(table)
    own = said.message.envelopes[0].opened
    with table.alice.holder() as holder:
        for position in range(len(own) - 60, len(own), 7):
            altered = own[:position] + bytes([own[position] ^ 1]) + own[position + 1 :]
            changed = replace(said.message, envelopes=Envelopes.of([Enclosure.of(altered)] * 2))
            with pytest.raises(SealBroken):
                shares.decrypt(seat, replace(said, message=changed), holder)
