"""Nonces made ahead: which commitments people have handed out and nobody has taken up, and one's own stock of them.

Whoever asks takes up what lies on the board. So a pair that was handed out waits in the token until a request takes it,
and is destroyed if that request is over without it, or if the key has gone on. Losing a pair is harmless: whoever it
was promised to is offered another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.using import Prepared
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.sharing.refresh import has_signed, retire
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.ceremony.store import StateDirectory, prepared_folder
from frost_hsm.errors import DeserializationError
from frost_hsm.frost.packages import SigningCommitments


class Offered:
    """The commitments made ahead that were handed out, as far as one has heard, and what took them up.

    Anybody may say either. For a key it counts what its participants say.
    """

    def __init__(self) -> None:
        self._offered: dict[bytes, dict[bytes, dict[PublicIdentity, None]]] = {}  # by the state of the key; by whom
        self._taken: dict[bytes, dict[PublicIdentity, bytes]] = {}  # by which request, as who says

    def offer(self, message: Prepared, sender: PublicIdentity) -> None:
        """Take in what somebody has handed out; the same again from somebody else is not theirs."""
        offered = self._offered.setdefault(message.state, {})
        for each in message.commitments:
            offered.setdefault(each, {}).setdefault(sender)

    def take(self, commitments: Iterable[bytes], request: bytes, sender: PublicIdentity) -> None:
        """Take in that a request, by its id, takes up commitments, itself or in an attempt, as its sender says."""
        for each in commitments:
            self._taken.setdefault(each, {}).setdefault(sender, request)

    def taken_by(self, key: GroupKey, commitments: bytes) -> list[bytes]:
        """Return the ids of the requests that take up commitments, as participants say: one serves."""
        return [request for sender, request in self._taken.get(commitments, {}).items() if sender in key.roster]

    def left(self, key: GroupKey, names: Sequence[str], count: int) -> dict[str, list[SigningCommitments]]:
        """Find commitments that nobody has taken up, of each of these who has as many, in the order of the names.

        Two who ask at the same instant may take the same: they serve one of them.
        """
        found: dict[str, list[SigningCommitments]] = {name: [] for name in names}
        offered = self._offered.get(key.state.digest, {})
        for encoded, senders in list(offered.items()):
            if self.taken_by(key, encoded):
                del offered[encoded]  # it is not looked at again
                continue
            sender = next((each for each in senders if each in key.roster), None)
            if sender is not None and len(found.get(sender.name, range(count))) < count:
                try:
                    found[sender.name].append(SigningCommitments.deserialize(key.suite, encoded))
                except DeserializationError:  # they harm only whoever handed them out
                    del offered[encoded]
        return {name: each for name, each in found.items() if len(each) == count}


class Stock:
    """One's own pairs for a key that were made ahead for all to take up, and that wait in the token.

    The message that hands pairs out is kept in the state directory before the first of them is sealed: so whoever is
    killed leaves no pair in the token that nobody knows of. What was cut short is destroyed by the next `fill_up`.
    """

    def __init__(self, key: GroupKey, home: StateDirectory) -> None:
        self._key = key
        self._home = home
        self._folder = prepared_folder(key.sharing, key.position)

    def handed_out(self) -> list[bytes]:
        """List what goes onto the board, again if the board lost it."""
        return [said.to_pem() for _, said in self._kept() if said.message.state == self._key.state.digest]

    def fill_up(
        self, holder: Holder, count: int, offered: Offered, is_over: Callable[[bytes], bool]
    ) -> tuple[int, bytes | None]:
        """Make pairs until as many wait that nobody has taken up; returns how many were made, and the message for all.

        Where all sign with nonces made ahead, this is what retires the share of an earlier epoch.

        is_over: whether the request with this id takes no answer of mine any more: what no other takes up is destroyed.
        Raises what the token says that has no space left.
        """
        with self._home.lock():
            if has_signed(self._key, self._home):
                retire(self._key, holder, self._home)
            signer = SealedSigner(self._key, holder, self._home)
            waiting = 0
            for path, said in self._kept():
                there = signer.are_prepared(said.message.commitments)
                taken = {each: offered.taken_by(self._key, each) for each in said.message.commitments}
                is_of_another = said.message.state != self._key.state.digest
                is_cut_short = any(each not in there for each, requests in taken.items() if not requests)
                useless = [
                    each
                    for each in there
                    if is_of_another or (all(map(is_over, taken[each])) if taken[each] else is_cut_short)
                ]
                signer.forget(hashlib.sha256(each).digest() for each in useless)
                if len(there) == len(useless):
                    self._home.remove(path)
                waiting += sum(not taken[each] for each in there if each not in useless)
            missing = count - waiting
            return (missing, self._make(signer, holder, missing)) if missing > 0 else (0, None)

    def _make(self, signer: SealedSigner, holder: Holder, count: int) -> bytes:
        written: list[bytes] = []

        def keep(made: Sequence[SigningCommitments]) -> None:
            encoded = tuple(each.serialize() for each in made)
            data = signed.write(Prepared(self._key.ceremony, self._key.state.digest, encoded), holder)
            self._home.put(f"{self._folder}/{hashlib.sha256(data).hexdigest()}.pem", data)
            written.append(data)

        signer.preprocess(count, keep=keep)
        [data] = written
        return data

    def _kept(self) -> list[tuple[str, Signed[Prepared]]]:
        found = self._home.read_all(lambda: self._home.files(self._folder))
        read = {path: signed.read(data, self._key.roster) for path, data in found.items()}
        return [(path, said.expect(Prepared)) for path, said in read.items()]
