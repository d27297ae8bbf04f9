"""Signing between people: request → commit → respond → aggregate.

A request fixes the state of the key, the items and the signers; every signer's own program makes of each item what is
signed, and shows the item itself. There is no coordinator: whoever holds all commitments and responses can aggregate,
without a token. A request that holds commitments made ahead (`SealedSigner.preprocess`) goes straight to respond.

Items that take a second signature, on something made of the first, take one more step. Nobody is asked again: what is
signed then follows from what was agreed to, and its nonces were drawn with the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.signature_shares import Answer
from frost_hsm.ceremony.history.transcript import BEGINNING, STEPS, Status, Transcript
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.message import HASH_LENGTH, random_field
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.messages.using import (
    RAW,
    Abort,
    Commitment,
    Derive,
    Item,
    Response,
    SecondResponse,
    SigningRequest,
    number_of_signatures,
    raw,
)
from frost_hsm.ceremony.people.identity import Holder, OpenHolder, PublicIdentity
from frost_hsm.ceremony.sharing.refresh import has_signed, note_signed, retire
from frost_hsm.ceremony.signing import turns
from frost_hsm.ceremony.signing.aborting import ATTEMPT, SIGNATURES, Aborting, ended
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.ceremony.signing.turns import Turn, invalid
from frost_hsm.ceremony.store import StateDirectory, request_folder
from frost_hsm.errors import (
    CeremonyStopped,
    ForeignMessage,
    NonceUsed,
    NotKnown,
    NotPossible,
)
from frost_hsm.frost.packages import SigningCommitments, SigningPackage, VerifyingKey
from frost_hsm.frost.signing import CheaterDetection
from frost_hsm.secret import Entropy, Secret, system_entropy

ARCHIVED: Final = "archived"
"""Its owner's note that a request is put away (`archiving`)."""


def request(
    holder: Holder,
    key: GroupKey,
    items: bytes | Sequence[Item],
    signers: Sequence[str],
    *,
    commitments: Mapping[str, Sequence[SigningCommitments]] | None = None,
    is_rerandomized: bool = False,
    is_any: bool = False,
    entropy: Entropy = system_entropy,
) -> bytes:
    """Write a request: which key signs what, by whom. Any participant may; returns the signed message.

    items: what is signed, or one raw message. commitments: of each signer one for each signature, made ahead; None if
    they are to commit. is_rerandomized: whether the signatures are to verify under keys that nobody can link to the
    group's without request and commitments (`rerandomized`). is_any: whether those sign it who are there first, as many
    as the key needs (`attempts`); else all of the signers.
    """
    key.require_signers(signers)
    wanted = (Item(RAW, "", items),) if isinstance(items, bytes) else tuple(items)
    if commitments is not None and commitments.keys() != set(signers):
        raise NotPossible("the commitments made ahead are not those of the signers")
    ordered = sorted(signers, key=key.roster.position)
    random = random_field(entropy)
    seed = bytearray(key.suite.group.scalar_length if is_rerandomized else 0)
    entropy(memoryview(seed))
    ahead: tuple[bytes, ...] = ()
    if commitments is not None:
        count = number_of_signatures(wanted)
        if any(len(commitments[name]) != count for name in ordered):
            raise NotPossible(f"it takes one pair of nonces made ahead for each of {count} signatures, of each signer")
        ahead = tuple(commitments[name][number].serialize() for number in range(count) for name in ordered)
    message = SigningRequest(
        key.ceremony,
        key.state.digest,
        key.position,
        random,
        wanted,
        tuple(map(key.roster.position, ordered)),
        bytes(seed),
        ahead,
        key.min_signers if is_any and len(ordered) > key.min_signers else 0,
    )
    return signed.write(message, holder)


class SigningSession:
    """One request, as one of the participants sees it.

    derive: makes of an item, for a key, the bytes to sign. of: the session of the request that this is an attempt at.
    """

    def __init__(
        self,
        home: StateDirectory,
        key: GroupKey,
        request: Signed[SigningRequest],
        derive: Derive = raw,
        *,
        of: SigningSession | None = None,
    ) -> None:
        wanted = request.message
        if (wanted.ceremony, wanted.state) != (key.ceremony, key.state.digest):
            raise ForeignMessage(f"the request is not for key {key.name} in this state")
        if wanted.signers[-1] > len(key.roster):
            raise invalid(request, f"a request with signers that {key.name} does not have")
        if (wanted.needed or len(wanted.signers)) < key.min_signers:
            raise invalid(request, f"a request with signers that {key.name} cannot have")
        if wanted.randomizer_seed and len(wanted.randomizer_seed) != key.suite.group.scalar_length:
            raise invalid(request, f"a request with a randomizer seed that {key.suite.name} cannot have")
        self.home = home
        self.key = key
        self.request = request
        self.id = request.content_digest
        self.items = wanted.items
        self.is_twice = bool(wanted.twice)
        self.signers = tuple(key.roster.at(position).name for position in wanted.signers)
        self.is_rerandomized = bool(wanted.randomizer_seed)
        self.is_prepared = bool(wanted.commitments)
        self.needed = wanted.needed or len(self.signers)
        self.is_any = bool(wanted.needed)
        self._derive = derive
        self._folder = request_folder(self.id)
        self.transcript = Transcript(
            home,
            self._folder,
            key.roster,
            key.me,
            self._belongs,
            title=f"request {self.id[:8].hex()}",
            stem=self.id[:8].hex(),
            status=f"sign status {self.id[:8].hex()}",
            expected=self.signers,
            enders=[request.sender.name],
            beginning=lambda: [*key.history.lineage(key.state), *([of.request] if of is not None else []), request],
            derive=derive,
        )
        own = Aborting(home, key, request, self.signers, self.transcript)
        self.aborting: Aborting = own if of is None else of.aborting
        self._beginning = f"{self._folder}/{BEGINNING if of is None else ATTEMPT}"

    @classmethod
    def read(cls, home: StateDirectory, data: bytes, me: PublicIdentity, derive: Derive = raw) -> SigningSession:
        """Take a request file; its sender, its key and the state that it names have to be known here."""
        wanted = signed.peek(data, SigningRequest)
        key = GroupKey.find(home, wanted.ceremony, me, at=wanted.state)
        return cls(home, key, signed.read(data, key.roster).expect(SigningRequest), derive)

    @classmethod
    def names(cls, home: StateDirectory, *, archived: bool = False) -> list[str]:
        """List the ids, in hex, of the requests that are kept here, or are put away. Evidence may be kept alone."""
        kept = [name for name in home.names("requests") if home.exists(f"requests/{name}/{BEGINNING}")]
        return [name for name in kept if home.exists(f"requests/{name}/{ARCHIVED}") == archived]

    @classmethod
    def load(cls, home: StateDirectory, prefix: str, me: PublicIdentity, derive: Derive = raw) -> SigningSession:
        """Take up a request that was kept before, by the first digits of its id."""
        # An id that is whole is not looked for among the others.
        every = [prefix] if len(prefix) == 2 * HASH_LENGTH else home.names("requests")
        found = [name for name in every if prefix and name.startswith(prefix)]
        kept = [path for path in (f"requests/{name}/{BEGINNING}" for name in found) if home.exists(path)]
        data = home.read(kept[0]) if len(kept) == 1 else None
        if data is None:
            raise NotKnown(f'there is no one request "{prefix}" here', hint="see: frost-hsm sign status")
        return cls.read(home, data, me, derive)

    # ── The steps ──

    def commit(self, open_holder: OpenHolder, *, entropy: Entropy = system_entropy) -> bytes:
        """Agree to sign: draw nonces for each signature and publish commitments; returns the message for the others."""
        self._require_all()
        self.require_open()
        if self.is_prepared:
            raise NotPossible(
                "the request holds the commitments that its signers made ahead",
                hint="go on with: frost-hsm sign respond",
            )
        return self.offer(open_holder, entropy=entropy)

    def offer(self, open_holder: OpenHolder, *, entropy: Entropy = system_entropy) -> bytes:
        """As `commit`; of an attempt that I answered, to be there for the next, with nonces of its own."""
        self.require_open()
        sent = self.transcript.sent(Commitment)
        if sent is None:
            with self._at_work(open_holder) as holder:
                sent = self.transcript.sent(Commitment)
                if sent is None:
                    signer = SealedSigner(self.key, holder, self.home)
                    signer.forget_ended(partial(ended, self.home, self.key.me.name))
                    self.home.put(self._beginning, self.request.to_pem())
                    commitments = signer.commit_all(self.request.message.signatures, self.id, entropy=entropy)
                    said = Commitment(
                        self.id,
                        tuple(each.serialize() for each in commitments),
                        tuple(y for each in commitments if (y := each.y_coordinates()) is not None),
                    )
                    sent = self.transcript.write(said, holder)
        return sent.to_pem()

    def respond(
        self, open_holder: OpenHolder, inbox: Inbox, subject: bytes | None = None, *, have_committed: bool = False
    ) -> bytes:
        """Sign with the commitments of all signers; returns the message for whoever aggregates.

        subject: what my nonces were made for: else this, or nothing yet where they were made ahead. have_committed:
        whether all have committed to this attempt in this state of the key. The same again returns the stored answer;
        with other commitments, `NonceUsed`.
        """
        self._require_all()
        self.aborting.require_signer()
        self.aborting.keep(inbox)
        self.require_open()
        received = self._gather_commitments(inbox)
        commitments_hash = transcript_hash(received.values())
        sent = self.transcript.sent(Response)
        if sent is None:
            packages = self._first(received).packages
            with self._at_work(open_holder) as holder:
                sent = self.transcript.sent(Response)
                if sent is None:
                    shares = self._shares(holder, packages, subject)
                    self.home.put(self._beginning, self.request.to_pem())
                    sent = self.transcript.write(Response(self.id, commitments_hash, shares), holder, received)
                    if have_committed or not self.is_prepared or has_signed(self.key, self.home):  # all are in it
                        retire(self.key, holder, self.home)
        if sent.message.commitments_hash != commitments_hash:
            raise NonceUsed(f"the nonces for request {self.id[:8].hex()} were used, with other commitments")
        return sent.to_pem()

    def respond_again(self, open_holder: OpenHolder, inbox: Inbox, subject: bytes | None = None) -> bytes:
        """Sign what is signed second, once all have responded; returns the message for whoever aggregates.

        It takes the first signatures, which it makes and verifies itself, so that what it signs is what was agreed to.
        subject, and the same again: as in `respond`.
        """
        self.aborting.require_signer()
        self.aborting.keep(inbox.anew())  # of an attempt, what ends it is said of the request
        self.require_open()
        turn, _ = self._second(self._gather_commitments(inbox), self.transcript.gather(Response, inbox))
        sent = self.transcript.sent(SecondResponse)
        if sent is None:
            with self._at_work(open_holder) as holder:
                sent = self.transcript.sent(SecondResponse)
                if sent is None:
                    self.transcript.keep(turn.answered)
                    shares = self._shares(holder, turn.packages, subject)
                    sent = self.transcript.write(SecondResponse(self.id, turn.answered_hash, shares), holder)
        if sent.message.responses_hash != turn.answered_hash:
            raise NonceUsed(f"the nonces for request {self.id[:8].hex()} were used, with other responses")
        return sent.to_pem()

    @contextmanager
    def _at_work(self, open_holder: OpenHolder) -> Iterator[Holder]:
        """Open the token and keep everybody else out; who said no while we waited is heard from here on."""
        with open_holder() as holder, self.home.lock():
            self.require_open()
            yield holder

    def _shares(self, holder: Holder, packages: Sequence[SigningPackage], subject: bytes | None) -> tuple[bytes, ...]:
        """Sign all of them with nonces that serve once, as `respond` has it; returns the encoded shares."""
        made_for = (b"" if self.is_prepared else self.id) if subject is None else subject
        signer = SealedSigner(self.key, holder, self.home)
        return tuple(share.serialize() for share in signer.sign_all(packages, made_for, randomizer_seed=self._seed))

    def check(self, inbox: Inbox) -> Status:
        """Check the signature shares that are here, before all have come in; needs no token.

        Returns whose are good, and who is missing. `InvalidSignatureShare` names every signer whose share is bad.
        """
        responses, commitments = self.transcript.find(Response, inbox), self._gather_commitments(inbox)
        self._first(commitments).check(responses)
        if not self.is_twice or len(responses) < len(self.signers):
            return self._status("aggregate", responses)
        again = self.transcript.find(SecondResponse, inbox)
        turn, _ = self._second(commitments, self.transcript.gather(Response, inbox))
        turn.check(again)
        return self._status("aggregate", again)

    def aggregate(self, inbox: Inbox, *, cheater_detection: CheaterDetection = CheaterDetection.ALL) -> list[bytes]:
        """Put the responses together and verify each signature before it is let out; needs no token.

        Returns the encoded signatures, one an item, of one that takes two both in a row; they verify under
        `verifying_keys`. `InvalidSignatureShare` names the signers whose share is bad, as many as ``cheater_detection``
        looks for; `InvalidSignature` if it looks for none.
        """
        commitments, responses = self._gather_commitments(inbox), self.transcript.gather(Response, inbox)
        again: Mapping[str, Signed[SecondResponse]] = {}
        if self.is_twice:
            turn, signatures = self._second(commitments, responses, cheater_detection)
            again = self.transcript.gather(SecondResponse, inbox)
            seconds = turn.put_together(again, cheater_detection)
            for number, second in zip(self.request.message.twice, seconds, strict=True):
                signatures[number] += second
        else:
            signatures = self._first(commitments).put_together(responses, cheater_detection)
        with self.home.lock():
            files = {self._beginning: self.request.to_pem(), **self._files_of(signatures)}
            self.transcript.keep(commitments, responses, again, beside=files)
            note_signed(self.key, self.home)
        return signatures

    def adopt(self, signatures: Sequence[bytes]) -> None:
        """Keep the signatures of an attempt at this, which were verified."""
        with self.home.lock():
            self.home.put(self._beginning, self.request.to_pem())
            self.home.replace_all(self._files_of(signatures))
            note_signed(self.key, self.home)

    def _files_of(self, signatures: Sequence[bytes]) -> dict[str, bytes]:
        return {f"{self._folder}/{SIGNATURES}/{number}": encoded for number, encoded in enumerate(signatures)}

    def signature(self, item: int = 0) -> bytes | None:
        """Return the signature of an item that was aggregated here before, encoded."""
        return self.home.read(f"{self._folder}/{SIGNATURES}/{item}")

    @property
    def has_answered(self) -> bool:
        """Whether my last answer to it was sent, by its file alone: many requests that are over are looked at."""
        return self.home.exists(f"{self._folder}/{STEPS[self.last_kind]}/{self.key.me.name}.pem")

    @property
    def last_kind(self) -> type[Answer]:
        """The kind of the last answers to it."""
        return self.request.message.last_answer

    def all_responded(self, inbox: Inbox) -> bool:
        """Whether the first answers of all signers are here."""
        return len(self.transcript.find(Response, inbox)) == len(self.signers)

    @property
    def messages(self) -> list[bytes]:
        """The bytes to sign, one an item, as one's own program makes them."""
        return [self._derive(item, self.key.public_key_package.verifying_key) for item in self.items]

    @property
    def verifying_keys(self) -> list[VerifyingKey]:
        """The keys under which the signatures verify: the group's, or one an item if the request is re-randomized.

        For that the commitments of all signers have to be here; raises `NotYet`.
        """
        if not self.is_rerandomized:
            return [self.key.public_key_package.verifying_key] * len(self.items)
        return [public.verifying_key for public in self._first(self._gather_commitments(Inbox())).public_key_packages]

    def status(self) -> Status:
        """Say what comes next, and who has not been heard for it."""
        if self.signature() is not None:
            return Status("done")
        if why := self.aborting.why_over():
            return Status("aborted", why=why)
        if self.has_answered:
            return self._status("aggregate", self.transcript.known(self.last_kind))
        if self.transcript.sent(Response) is not None:
            return self._status("respond-again", self.transcript.known(Response))
        if self.transcript.sent(Commitment) is not None:
            return self._status("respond", self.transcript.known(Commitment))
        if self.is_prepared and self.key.me.name in self.signers:
            return Status("respond")
        return Status("commit" if self.key.me.name in self.signers else "aggregate")

    def _status(self, step: str, known: Mapping[str, object]) -> Status:
        have = tuple(name for name in self.signers if name in known)
        return Status(step, have, tuple(name for name in self.signers if name not in known))

    # ── What others signed ──

    def _gather_commitments(self, inbox: Inbox) -> dict[str, Signed[Commitment]]:
        """Return the commitments of all signers; none if they stand in the request, whose id then stands for them."""
        self._require_all()
        return {} if self.is_prepared else self.transcript.gather(Commitment, inbox)

    def _first(self, commitments: Mapping[str, Signed[Commitment]]) -> Turn:
        """Return what all answer, once they have committed."""
        return turns.first(self.key, self.request, self.transcript, self.messages, commitments)

    def _second(
        self,
        commitments: Mapping[str, Signed[Commitment]],
        responses: Mapping[str, Signed[Response]],
        detection: CheaterDetection = CheaterDetection.ALL,
    ) -> tuple[Turn, list[bytes]]:
        """Return what all answer once they have responded, and the first signatures, which it is made of."""
        first = self._first(commitments)
        signatures = first.put_together(responses, detection)
        key = self.key.public_key_package.verifying_key
        numbers = self.request.message.twice
        messages = [self._derive(self.items[number], key, signatures[number]) for number in numbers]
        return turns.second(first, messages, responses), signatures

    @property
    def _seed(self) -> Secret | None:
        seed = self.request.message.randomizer_seed
        return Secret(seed) if seed else None

    def _belongs(self, said: Signed[Any]) -> bool:
        if isinstance(said.message, Abort) and said.sender == self.request.sender:
            return said.message.request == self.id
        if isinstance(said.message, Commitment | Response | SecondResponse | Abort):
            return said.message.request == self.id and said.sender.name in self.signers
        return said.content_digest == self.id  # the request itself, lying among the others

    def _require_all(self) -> None:
        """Raise `NotPossible` for a request that is answered in attempts."""
        if self.is_any:
            raise NotPossible(
                f"those of {', '.join(self.signers)} sign it who are there first, over a board",
                hint="frost-hsm join BOARD",
            )

    def require_open(self) -> None:
        """Raise `NotPossible` unless I am to sign, `CeremonyStopped` where it, or the key, came to nothing."""
        self.aborting.require_signer()
        self.key.require_active()
        if why := self.aborting.why_over():
            hint = "ask for a new one: frost-hsm sign request"
            raise CeremonyStopped(f"request {self.id[:8].hex()}: {why}", hint=hint)
