"""Putting on a board what begins a matter, for all who ``join`` there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import click

from frost_hsm.boards import Board
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.using import Attempt, Prepared, SigningRequest
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.signing.ahead import Offered
from frost_hsm.cli.options import Function
from frost_hsm.cli.talk.fingerprints import identity_lines
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, BoardProblem, FrostHsmError, NotKnown, UnknownSender
from frost_hsm.frost.packages import SigningCommitments

_SIGNED = 8192  # bytes that go around what is signed, and more


def to_board(function: Function) -> Function:
    """Add ``--board``."""
    text = "Put it on this board, for all who join there; else on the one that config.toml names for the key, if any."
    return click.option("--board", metavar="URI", help=text)(function)


@dataclass(frozen=True, slots=True)
class Posting:
    """Where to post; nowhere, if there is no board."""

    uri: str | None = None
    board: Board | None = None

    def post(self, data: bytes) -> list[str]:
        """Post a message; returns what is said of that."""
        if self.board is None:
            return []
        self.board.post(data)
        return [f"Posted on {self.uri}"]

    @property
    def fields(self) -> dict[str, object]:
        """Say where it was posted, for programs."""
        return {"board": self.uri} if self.uri is not None else {}

    def next_step(self, by_file: str) -> str:
        """Say what comes next: what ``by_file`` says, or to join."""
        return by_file if self.board is None else f"frost-hsm join {self.uri}, everyone, you too"

    def prepared(self, key: GroupKey, names: Sequence[str], count: int) -> dict[str, list[SigningCommitments]]:
        """Find commitments made ahead that nobody has taken up, as `Offered.left` does."""
        offered = Offered()
        for _, data in self.board.messages() if self.board is not None else ():
            with suppress(FrostHsmError):  # something else, or nobody's of the group
                message = signed.decode(signed.parse(data))
                if isinstance(message, SigningRequest | Attempt | Prepared) and message.commitments:
                    said = signed.read(data, key.roster)
                    if not isinstance(message, Prepared):
                        offered.take(message.commitments, said.content_digest, said.sender)
                    elif message.state == key.state.digest:
                        offered.offer(message, said.sender)
        return offered.left(key, names, count)

    def identity_of(self, name: str) -> PublicIdentity:
        """Find the identity that somebody handed out. Raises `NotKnown`, and `UnknownSender` if there are several."""
        found: dict[bytes, PublicIdentity] = {}
        for _, data in self.board.messages() if self.board is not None else ():
            try:
                public = PublicIdentity.from_pem(data)
            except FrostHsmError:  # something else
                continue
            if public.name == name:
                found[public.digest] = public
        if len(found) > 1:
            raise UnknownSender(
                f"{len(found)} identities are handed out for {name} on {self.uri}",
                hint="get the right one from its owner, and add it: frost-hsm peer add FILE",
            )
        if not found:
            where = f" and hands out no identity on {self.uri}" if self.board is not None else ""
            raise NotKnown(
                f'there is no peer "{name}"{where}', hint=f"add them first: frost-hsm peer add {name}.identity.pem"
            )
        return next(iter(found.values()))


@contextmanager
def posting(place: Workplace, uri: str | None, key: str, size: int = 0) -> Iterator[Posting]:
    """Open the board that is named, or that the key's messages go to, before anything is changed or asked.

    size: bytes of what will be signed. Raises `BoardProblem` if the board does not take as much.
    """
    uri = uri if uri is not None else place.config.board_of(key)
    if uri is None:
        yield Posting()
        return
    with place.board(uri) as board:
        if size * 4 // 3 + _SIGNED > board.max_size:
            raise BoardProblem(
                f"{uri} takes messages of up to {board.max_size} bytes; this one holds {size}",
                hint="use another board, or carry the file",
            )
        yield Posting(uri, board)


def meet(place: Workplace, public: PublicIdentity) -> None:
    """Keep an identity as a peer's, once its fingerprint was compared. Raises `Aborted`, `UnknownSender`."""
    known = place.peers().get(public.name)
    if known == public:
        return
    if known is not None:
        raise UnknownSender(
            f"another identity is said for {public.name} than your peer of that name has",
            hint="somebody may be posing as them; compare fingerprints by voice before you go on",
        )
    is_same = place.terminal.agree(
        f"Compare it with {public.name} by voice or in person. Does it match?",
        what="the fingerprint",
        shown=public.fingerprint,
        last=4,
        lines=identity_lines(public),
    )
    if not is_same:
        raise Aborted(f"{public.name} was not added")
    place.home.put(f"peers/{public.name}.pem", public.to_pem())
