"""Parties to a key: each with a token, a state directory and the identities of the others.

They are driven in three ways: through the library (`generate`, `sign`), through the command line in this process
(`Party.run`), and through the command line in a process of its own (`Party.launch`).
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frost_hsm import backends, cli
from frost_hsm.backends import KeyKind, TokenInfo
from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Inbox, Incoming
from frost_hsm.ceremony.messages.making import Proposal
from frost_hsm.ceremony.people import identity
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.sealing.marks import Marks, is_mark
from frost_hsm.ceremony.sharing import keygen
from frost_hsm.ceremony.sharing.keygen import KeyGeneration
from frost_hsm.ceremony.signing import session as signing
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.cli.config import Config, Noted

PIN = "frost-1234"
KEY = "treasury"
QUICK = {"software": {"scrypt_log2_n": "10"}}
PROGRAM = (sys.executable, "-c", "from frost_hsm.cli import main; main()")

_ASKING = (
    "peer add",
    "peer remove",
    "ceremony sign",
    "backup restore",
    "dealer accept",
    *(f"{ceremony} {step}" for ceremony in ("dkg", "refresh") for step in ("round1", "confirm")),
    *(f"repair {step}" for step in ("delta", "confirm")),
    "history abandon",
    *(f"sign {step}" for step in ("commit", "respond", "discard")),
)
_WITH_TOKEN = (
    "init",
    "identity create",
    "ceremony sign",
    *(f"dkg {step}" for step in ("propose", "round1", "round2", "finish", "abort")),
    *(f"refresh {step}" for step in ("propose", "round1", "round2", "finish", "confirm", "abort")),
    *(f"repair {step}" for step in ("request", "delta", "sigma", "finish", "confirm")),
    *(f"history {step}" for step in ("standing", "abandon", "leave")),
    *(f"sign {step}" for step in ("request", "commit", "respond", "abort", "preprocess", "discard")),
    "keys delete",
    "recover",
    "backup create",
    "backup restore",
    "dealer split",
    "dealer refresh",
    "dealer accept",
    "dispute answer",
)

Settings = Mapping[str, Mapping[str, str]]
Messages = dict[str, bytes]  # by sender


class Silent:
    """An `Interaction` in front of which nobody sits."""

    def message(self, text: str) -> None:
        pass

    def waiting(self, text: str) -> None:
        pass

    def request_secret(self, prompt: str) -> str:
        raise AssertionError(f"asked for a secret: {prompt}")

    def confirm(self, prompt: str) -> bool:
        raise AssertionError(f"asked to confirm: {prompt}")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


@dataclass
class Party:
    """One participant. Everything of theirs is under ``directory``: home, software token, files to send."""

    name: str
    directory: Path
    uri: str
    settings: Settings = field(default_factory=lambda: QUICK)
    pin: str = PIN
    pins_asked: int = 0
    wrap: Callable[[Any], Any] = lambda token: token
    """Put around the token whenever `holder` opens it."""

    @property
    def home(self) -> StateDirectory:
        return StateDirectory.open(self.directory / "home")

    @property
    def public(self) -> PublicIdentity:
        return PublicIdentity.from_pem((self.directory / "home/identity.pem").read_bytes())

    def open_token(self) -> backends.Token:
        name = backends.scheme(self.uri)
        return backends.load(name, self.settings.get(name, {}), Silent()).open(self.uri, self._ask)

    @contextlib.contextmanager
    def holder(self) -> Iterator[Holder]:
        with self.open_token() as token:
            wrapped = self.wrap(token)
            place = identity.settle_records(wrapped)
            found = [each for each in identity.find(token, place) if each.public == self.public]
            yield Holder(found[0], wrapped)

    def records(self) -> dict[str, bytes]:
        """Every sealed record in the token."""
        with self.open_token() as token:
            return {name: token.read_record(name) for name in token.record_names() if not is_mark(name)}

    def marks(self) -> list[str]:
        """The names of all marks in the token."""
        with self.open_token() as token:
            return sorted(filter(is_mark, token.record_names()))

    def files(self) -> dict[str, bytes]:
        """Every file in the state directory, but for the index of them."""
        home = self.directory / "home"
        files = [path for path in sorted(home.rglob("*")) if path.is_file() and not path.match("index.*")]
        return {str(path.relative_to(home)): path.read_bytes() for path in files if path.name != "head"}

    def key(self, name: str = KEY) -> GroupKey:
        return GroupKey.load(self.home, name, self.public)

    def folder(self, name: str = KEY) -> str:
        """Where the making of a key lies in the state directory."""
        folder = kept.folders(self.home, name)[0]
        return kept.chapter_folder(folder, kept.id_of(folder))

    def ceremony(self, name: str = KEY) -> KeyGeneration:
        return KeyGeneration.load(self.home, name, self.public)

    def join(self, proposal: bytes) -> KeyGeneration:
        ceremony = KeyGeneration(self.home, signed.read(proposal).expect(Proposal), self.public)
        ceremony.accept()
        return ceremony

    def session(self, request: bytes) -> SigningSession:
        return SigningSession.read(self.home, request, self.public)

    def run(self, *arguments: str) -> Ran:
        """Run ``frost-hsm`` in this process, with this party's folder as the working directory."""
        return run(self.directory, *self.arguments(arguments))

    def launch(self, *arguments: str, program: Sequence[str] = PROGRAM) -> Ran:
        """Run ``frost-hsm`` in a process of its own."""
        command = [*program, *self.arguments(arguments)]
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    def arguments(self, arguments: Sequence[str]) -> list[str]:
        """Add the options that nobody has to type here: where the home is, the PIN, and yes."""
        command = " ".join(arguments[:2])
        added = {"--home": [str(self.directory / "home")]}
        if command.startswith(_WITH_TOKEN):
            added["--pin-source"] = [f"file:{self.directory / 'pin'}"]
        if command.startswith(_ASKING):
            added["--yes"] = []
        missing = [[name, *value] for name, value in added.items() if name not in arguments]
        return [*arguments, *(word for option in missing for word in option)]

    def _ask(self, info: TokenInfo) -> str:
        self.pins_asked += 1
        return self.pin


def run(folder: Path, *arguments: str) -> Ran:
    """Run ``frost-hsm`` in this process, with nothing added."""
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.chdir(folder), contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        status = cli.run(list(arguments))
    for stream in (stdout, stderr):
        stream.flush()
    return Ran(status, *(stream.buffer.getvalue().decode() for stream in (stdout, stderr)))


def software_token(path: Path, pin: str = PIN) -> str:
    """Make a software token and return its URI."""
    backend = backends.load("software", QUICK["software"], Silent())
    return backend.create(f"software:{path}", lambda info: pin).uri


def gather(
    directory: Path,
    names: Sequence[str] = ("alice", "bob", "carol"),
    *,
    new_token: Callable[[str, Path], str] | None = None,
    settings: Settings = QUICK,
    pin: str = PIN,
    agree_kinds: Mapping[str, KeyKind] = {},
) -> list[Party]:
    """Make parties who know each other. new_token: from a name and the party's folder to a token URI.

    Without it they have software tokens. agree_kinds: by name, where it is not ECDH.
    """
    parties = []
    for name in names:
        folder = directory / name
        folder.mkdir(parents=True)
        (folder / "pin").write_text(pin)
        (folder / "pin").chmod(0o600)
        uri = new_token(name, folder) if new_token else software_token(folder / f"{name}.token", pin)
        party = Party(name, folder, uri, settings, pin)
        home = StateDirectory.create(folder / "home")
        with party.open_token() as token:
            made = identity.create(token, name, agree_kinds.get(name, KeyKind.AGREE))
            Config(name, token.info.uri, settings, Noted(made.records)).save(home)
            Marks(Holder(made, token), home).require_own()
        home.put("identity.pem", made.public.to_pem())
        parties.append(party)
    for party in parties:
        for other in parties:
            if other is not party:
                party.home.put(f"peers/{other.name}.pem", other.public.to_pem())
    return parties


def inbox(*messages: bytes | Iterable[bytes]) -> Inbox:
    """Put messages, and collections of them, into one inbox, as if each had been named."""
    flat: list[bytes] = []
    for each in messages:
        flat += [each] if isinstance(each, bytes) else each
    return Inbox([Incoming(f"file {number}", data) for number, data in enumerate(flat)])


def propose(
    parties: Sequence[Party],
    min_signers: int = 2,
    name: str = KEY,
    suite: str = "p256",
    numbering: Numbering = Numbering.POSITIONS,
) -> bytes:
    with parties[0].holder() as holder:
        peers = [party.public for party in parties[1:]]
        return keygen.propose(holder, name, peers, min_signers=min_signers, suite=suite, numbering=numbering)


def round1(parties: Iterable[Party], proposal: bytes) -> Messages:
    return {party.name: party.join(proposal).round1(party.holder) for party in parties}


def round2(parties: Iterable[Party], first: Messages, name: str = KEY) -> Messages:
    return {party.name: party.ceremony(name).round2(party.holder, inbox(first.values())) for party in parties}


def finish(parties: Iterable[Party], first: Messages, second: Messages, name: str = KEY) -> Messages:
    taken = (first.values(), second.values())
    return {party.name: party.ceremony(name).finish(party.holder, inbox(*taken)).message for party in parties}


def confirm(parties: Iterable[Party], confirmations: Messages, name: str = KEY) -> None:
    for party in parties:
        party.ceremony(name).confirm(inbox(confirmations.values()))


def generate(
    parties: Sequence[Party],
    min_signers: int = 2,
    name: str = KEY,
    suite: str = "p256",
    numbering: Numbering = Numbering.POSITIONS,
) -> GroupKey:
    """Run key generation through the library, to the end; returns the key as the first party has it."""
    first = round1(parties, propose(parties, min_signers, name, suite, numbering))
    second = round2(parties, first, name)
    confirm(parties, finish(parties, first, second, name), name)
    return parties[0].key(name)


def request(signers: Sequence[Party], message: bytes, name: str = KEY) -> bytes:
    with signers[0].holder() as holder:
        return signing.request(holder, signers[0].key(name), message, [party.name for party in signers])


def commit(signers: Iterable[Party], wanted: bytes) -> Messages:
    return {party.name: party.session(wanted).commit(party.holder) for party in signers}


def respond(signers: Iterable[Party], wanted: bytes, commitments: Messages) -> Messages:
    taken = commitments.values()
    return {party.name: party.session(wanted).respond(party.holder, inbox(taken)) for party in signers}


def sign(signers: Sequence[Party], message: bytes, name: str = KEY) -> bytes:
    """Sign through the library; returns the encoded signature, which `aggregate` has verified."""
    wanted = request(signers, message, name)
    commitments = commit(signers, wanted)
    responses = respond(signers, wanted, commitments)
    return signers[0].session(wanted).aggregate(inbox(commitments.values(), responses.values()))[0]
