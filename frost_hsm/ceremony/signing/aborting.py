"""The end of a signing request before there is a signature: by who asked for it, or by those who will not sign."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Final

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.transcript import BEGINNING, STEPS, Transcript
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import NOTHING, Inbox
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.using import Abort, Attempt, Response, SecondResponse, SigningRequest
from frost_hsm.ceremony.people.identity import OpenHolder
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.ceremony.store import StateDirectory, request_folder
from frost_hsm.errors import NotPossible

SIGNATURES: Final = "signatures"
"""The folder of the signatures of a request, one file an item, by its number."""

ATTEMPTS: Final = "attempts"
"""The folder of the attempts at a request, by their ids in hex."""

ATTEMPT: Final = "attempt.pem"
"""What begins an attempt at a request, in a folder of its own."""

_DECLINED: Final = "declined"


def ended(home: StateDirectory, me: str, subjects: Container[str]) -> Iterator[bytes]:
    """Name the requests, and attempts at them, that I answered or that ended here: nonces of theirs serve no more.

    subjects: 32 digits of the ids of those of which something is left.
    """
    for name in home.names("requests"):
        if name[:32] in subjects and _is_ended(home, me, name):
            yield bytes.fromhex(name)


def has_come_to_an_end(home: StateDirectory, me: str, name: str) -> bool:
    """Say whether a request, by its id in hex, was signed here, or aborted by me."""
    return any(home.exists(f"requests/{name}/{end}") for end in (f"{SIGNATURES}/0", f"{STEPS[Abort]}/{me}.pem"))


def _is_ended(home: StateDirectory, me: str, name: str) -> bool:
    path = f"requests/{name}/{ATTEMPT}"
    attempt = home.read(path) if home.exists(path) else None  # most are none
    if attempt is not None:
        name = signed.peek(attempt, Attempt).request.hex()
    if has_come_to_an_end(home, me, name) or home.exists(f"requests/{name}/{STEPS[SecondResponse]}/{me}.pem"):
        return True
    if not home.exists(f"requests/{name}/{STEPS[Response]}/{me}.pem"):
        return False  # nor is it read: what waits may be many
    beginning = home.read(f"requests/{name}/{BEGINNING}")
    return beginning is None or signed.peek(beginning, SigningRequest).last_answer is Response


class Aborting:
    """How one request may end without a signature. signers: their names."""

    def __init__(
        self,
        home: StateDirectory,
        key: GroupKey,
        request: Signed[SigningRequest],
        signers: tuple[str, ...],
        transcript: Transcript,
    ) -> None:
        self._home = home
        self._key = key
        self._request = request
        self._id = request.content_digest
        self._signers = signers
        self._transcript = transcript

    def decline(self) -> None:
        """Note that I will not sign, durably and without a token; `abort` says so to the others."""
        self.require_signer()
        with self._home.lock():
            self._home.put(f"{self._transcript.folder}/{BEGINNING}", self._request.to_pem())
            self._home.put(f"{self._transcript.folder}/{_DECLINED}", b"")

    def abort(self, open_holder: OpenHolder) -> bytes:
        """End it before there is a signature: for all if I asked for it, else for myself; returns the message.

        First it destroys the nonces that waited for it; the kept message says that this is done. Raises `NotPossible`
        if it is signed, or my answer is on its way.
        """
        sent = self._transcript.sent(Abort)
        if sent is None:
            self._require_abortable()
            with open_holder() as holder, self._home.lock():
                sent = self._transcript.sent(Abort)
                if sent is None:
                    self._require_abortable()
                    self._home.put(f"{self._transcript.folder}/{BEGINNING}", self._request.to_pem())
                    SealedSigner(self._key, holder, self._home).forget([self._id, *self._attempts])
                    sent = self._transcript.write(Abort(self._id), holder)
        return sent.to_pem()

    def why_over(self, inbox: Inbox = NOTHING) -> str:
        """Say in a sentence who has ended it, if too few are left to sign; empty if enough are.

        It is over for me too if I will not sign, and did not ask for it.
        """
        said, asker = self._transcript.find(Abort, inbox), self._request.sender.name
        if asker in said:
            return f"{asker} has ended it"
        gone = [name for name in self._signers if name in said]
        if len(self._signers) - len(gone) < (self._request.message.needed or len(self._signers)):
            return f"{' and '.join(gone)} will not sign"
        return "you will not sign" if self.is_declined and asker != self._key.me.name else ""

    def gone(self, inbox: Inbox = NOTHING) -> list[str]:
        """Name the signers who will not sign."""
        said = self._transcript.find(Abort, inbox)
        return [name for name in self._signers if name in said]

    def keep(self, inbox: Inbox) -> None:
        """Keep what others have said to end it."""
        said = self._transcript.find(Abort, inbox)
        if said.keys() != self._transcript.known(Abort).keys():
            with self._home.lock():
                self._home.put(f"{self._transcript.folder}/{BEGINNING}", self._request.to_pem())
                self._transcript.keep(said)

    @property
    def is_declined(self) -> bool:
        """Whether I have said no."""
        return self._home.exists(f"{self._transcript.folder}/{_DECLINED}") or self._transcript.sent(Abort) is not None

    def _require_abortable(self) -> None:
        is_asker = self._request.sender == self._key.me
        if not is_asker:
            self.require_signer()
        if self._is_signed or (self._has_answered and not is_asker):
            what = "it is signed" if self._is_signed else "your answer is made"
            raise NotPossible(
                f"request {self._id[:8].hex()} cannot be ended: {what}",
                hint=None if is_asker else f"{self._request.sender.name}, who asked, can end it for all",
            )

    @property
    def _has_answered(self) -> bool:
        """Whether my last answer to it, or to an attempt at it, was made: others may sign with it."""
        answer = f"{STEPS[self._request.message.last_answer]}/{self._key.me.name}.pem"
        folders = (self._transcript.folder, *map(request_folder, self._attempts))
        return any(self._home.exists(f"{each}/{answer}") for each in folders)

    @property
    def _attempts(self) -> list[bytes]:
        """The ids of the attempts at it that are known here."""
        return [bytes.fromhex(each) for each in self._home.names(f"{self._transcript.folder}/{ATTEMPTS}")]

    @property
    def _is_signed(self) -> bool:
        return self._home.exists(f"{self._transcript.folder}/{SIGNATURES}/0")

    def require_signer(self) -> None:
        """Raise `NotPossible` unless I am to sign it."""
        if self._key.me.name not in self._signers:
            raise NotPossible(
                f"{self._key.me.name} is not among the signers of this request: {', '.join(self._signers)}",
                hint="ask for a request that names you",
            )
