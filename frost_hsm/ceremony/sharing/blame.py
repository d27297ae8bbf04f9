"""What a participant does about a message that is wrong: show it to everybody, or complain about what nobody else sees.

What is wrong in a signed message for all to see convicts its sender by itself. An envelope that holds no good share for
us is seen by us alone, and our word is no proof: so we complain, and its sender has to open that one envelope, as in
`frost_hsm.ceremony.sharing.dispute`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from frost_hsm.ceremony.history.transcript import Transcript
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.complaints import Complaint
from frost_hsm.ceremony.messages.making import Round1, Round2
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.sealing import shares
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.errors import DeserializationError, InvalidContents, ProtocolViolation, SealBroken
from frost_hsm.frost.keys.round2 import Package


class Blame:
    """One participant, in one run of the three rounds, about the messages of the others."""

    def __init__(self, seat: Seat, transcript: Transcript) -> None:
        self._seat = seat
        self._transcript = transcript

    def convict(self, *proof: Signed[Any], hint: str | None = None) -> ProtocolViolation:
        """Stop with messages that show what is wrong by themselves. Returns the error that says what they show."""
        return self._transcript.stop(proof).violation(hint)

    def open_share(
        self, holder: Holder, first: Iterable[Signed[Round1]], said: Signed[Round2], own: Signed[Round2]
    ) -> Package:
        """Open the share in a message; the caller wipes it.

        first: everybody's round 1, in roster order. own: our own message. If the token opens our own share before and
        after and this one never, it is not the token: raises what `complain` returns.
        """
        with suppress(SealBroken, DeserializationError):
            return shares.decrypt(self._seat, said, holder)
        shares.decrypt(self._seat, own, holder).wipe()  # raises without a culprit if it is the token that fails
        try:
            return shares.decrypt(self._seat, said, holder)
        except (SealBroken, DeserializationError) as error:
            what = f"signed an envelope for {self._seat.me.name} that holds no share: {error}"
            raise self.complain(holder, first, [said], InvalidContents, what) from error

    def complain(
        self,
        holder: Holder,
        first: Iterable[Signed[Round1]],
        second: Sequence[Signed[Round2]],
        error: type[ProtocolViolation],
        what: str,
    ) -> ProtocolViolation:
        """Stop because there is no good share for us in some messages. Returns the error to raise.

        first: everybody's; second: of the senders in question, both in roster order. error, what: how it is said, after
        their names. What an envelope shows without a key convicts by itself. Otherwise we complain about the first of
        them, which ends the ceremony; whether it is them or us, the opening shows.
        """
        verdict = self._transcript.judge(second)
        if verdict.culprits:
            return self.convict(*second)
        accused = second[0].sender
        position, listed = self._seat.roster.position(accused.name), [*first]
        digests = b"".join(each.content_digest for each in listed)
        complaint = Complaint(self._seat.ceremony, position, second[0].content_digest, digests)
        said = signed.read(signed.write(complaint, holder), self._seat.roster)
        self._transcript.stop([listed[position - 1], second[0], said])
        names = [each.sender.name for each in second]
        return error(
            f"{' and '.join(names)} {what}",
            hint=f"nobody else can see it yet: send your complaint to everybody; {accused.name} has to answer it",
            culprits=names,
        )
