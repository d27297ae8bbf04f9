"""A participant who breaks the protocol: the same keys and the same library, and messages made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stage.parties import Messages, Party

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Proposal, Round1, Round2
from frost_hsm.ceremony.messages.message import Envelopes, Message
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.sealing import seeds, shares
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.ceremony.sharing.refresh import Refresh
from frost_hsm.frost.keys import dkg, round1, round2
from frost_hsm.frost.values import SigningShare
from frost_hsm.secret import Secret, system_entropy

Alter = Callable[[str, round2.Package], round2.Package]


def unaltered(name: str, package: round2.Package) -> round2.Package:
    return package


class Mallory:
    """Takes part in one key generation as ``party``, keeping everything in memory."""

    def __init__(self, party: Party, proposal: bytes) -> None:
        self.party = party
        self.seat = Seat.take(signed.read(proposal).expect(Proposal), party.public)
        self.secret, self.package = self.draw()

    def draw(self, min_signers: int | None = None) -> tuple[round1.SecretPackage, round1.Package]:
        return dkg.part1(
            self.seat.suite,
            self.seat.identifier(self.party.name),
            max_signers=max(len(self.seat.roster), min_signers or 0),
            min_signers=min_signers or self.seat.min_signers,
        )

    def say(self, message: Message) -> bytes:
        """Sign any message."""
        with self.party.holder() as holder:
            return signed.write(message, holder)

    def repeat(self, message: bytes) -> bytes:
        """Sign what somebody else has said."""
        return self.say(signed.read(message, self.seat.roster).message)

    proofs = b""
    """Of a refresh: that every coefficient is known."""

    def round1(self, package: round1.Package | None = None) -> bytes:
        package = package or self.package
        return self.say(Round1(self.seat.ceremony, package.serialize(), package.y_coordinates(), self.proofs))

    def round2(self, first: Messages, alter: Alter = unaltered) -> bytes:
        """Send round 2, with the share for each recipient as ``alter`` makes it."""
        return self.say(Round2(self.seat.ceremony, self.hash(first), self.envelopes(first, alter)))

    def envelopes(self, first: Messages, alter: Alter = unaltered) -> Envelopes:
        packages = {
            self.seat.identifier(each.name): alter(each.name, self.share(position))
            for position, each in enumerate(self.seat.roster, start=1)
        }
        self.root = seeds.draw(system_entropy)
        return shares.encrypt(self.seat, packages, self.hash(first), self.root)

    def share(self, position: int) -> round2.Package:
        """Evaluate the polynomial for a position in the roster."""
        suite, polynomial = self.seat.suite, [coefficient.scalar for coefficient in self.secret.coefficients]
        return round2.Package(suite, SigningShare(suite, suite.group.evaluate(polynomial, [position])[0]))

    def hash(self, first: Messages) -> bytes:
        said = read_all(first, self.seat.roster)
        return transcript_hash(said[each.name] for each in self.seat.roster)

    def digests(self, first: Messages) -> bytes:
        """List what `hash` is of, as a complaint does."""
        said = read_all(first, self.seat.roster)
        return b"".join(said[each.name].content_digest for each in self.seat.roster)


class Saboteur(Mallory):
    """Takes part in a refresh, with any polynomial."""

    def __init__(self, party: Party, ceremony: Refresh) -> None:
        self.party = party
        self.seat = ceremony.seat
        self.secret, self.package, self.proofs = ceremony._part1(system_entropy)


def read_all(messages: Mapping[str, bytes], roster: Roster) -> dict[str, Signed[Round1]]:
    return {name: signed.read(data, roster).expect(Round1) for name, data in messages.items()}


def plus_one(package: round2.Package) -> round2.Package:
    """Return a share that is one too large."""
    suite = package.ciphersuite
    one = suite.group.decode_scalar(Secret(suite.encode_scalar(1)))
    total = suite.group.add_scalars([package.signing_share.scalar, one])
    return round2.Package(suite, SigningShare(suite, total))


def plus_one_for(name: str) -> Alter:
    """Return what spoils the share of one recipient."""
    return lambda to, package: plus_one(package) if to == name else package
