"""What a command works with: the state directory, the configuration, the identities, the token."""

from __future__ import annotations

import os
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.errors import ConfigProblem, UsageProblem, WrongToken
from frost_hsm.home_directory import expand

if TYPE_CHECKING:  # loaded by those commands alone that need them
    from frost_hsm.backends import Backend, Token
    from frost_hsm.boards import Board
    from frost_hsm.ceremony.people.identity import Holder, Identity, PublicIdentity
    from frost_hsm.ceremony.store import StateDirectory
    from frost_hsm.cli.config import Config, Noted
    from frost_hsm.cli.talk.pin import PinEntry


@dataclass
class Workplace:
    """The shared options of a command and what they lead to; each part is made when it is first asked for."""

    home_path: Path | None = None
    token_uri: str | None = None
    pin_source: str = "prompt"
    allow_final_pin_try: bool = False
    terminal: Terminal = field(default_factory=Terminal)

    # ── What is kept ──

    @cached_property
    def home(self) -> StateDirectory:
        """The state directory, which ``init`` made."""
        from frost_hsm.ceremony.store import StateDirectory

        return StateDirectory.open(self.resolved_home)

    @cached_property
    def resolved_home(self) -> Path:
        """Where the state directory is or will be: state, not configuration, so it is not for syncing."""
        if self.home_path is not None:
            return self.home_path
        return _of_this_user("XDG_STATE_HOME", ".local/state", hint="name one with --home")

    @cached_property
    def config(self) -> Config:
        """What ``init`` wrote down."""
        from frost_hsm.cli.config import Config

        return Config.load(self.home)

    @cached_property
    def me(self) -> PublicIdentity:
        """One's own public identity."""
        from frost_hsm.ceremony.people.identity import PublicIdentity

        data = self.home.read("identity.pem")
        if data is None:
            raise ConfigProblem(f"{self.config.me} has no identity yet", hint="make one: frost-hsm identity create")
        return PublicIdentity.from_pem(data)

    def peers(self) -> Mapping[str, PublicIdentity]:
        """The identities of the others, by name; each is read when it is looked up."""
        return _Peers(self.home)

    # ── Boards ──

    def board(self, uri: str, reader: str = "") -> Board:
        """Open a board, for the reader with this label if there is one.

        What it keeps for itself lies in the cache of this user and may be emptied at any time.
        """
        from frost_hsm import boards

        cache = _of_this_user("XDG_CACHE_HOME", ".cache", hint="set XDG_CACHE_HOME, or HOME")
        return boards.connect(uri, cache / "boards", reader)

    # ── The token ──

    def backend(self, name: str) -> Backend:
        """Load a backend with its settings."""
        from frost_hsm import backends

        return backends.load(name, self.config.backends.get(name, {}), self.terminal)

    @cached_property
    def pin(self) -> PinEntry:
        """Where the PIN comes from; one for the whole command, because a pipe can be read once."""
        from frost_hsm.cli.talk.pin import PinEntry

        return PinEntry(self.pin_source, self.terminal)

    @contextmanager
    def public_token(self) -> Iterator[Token]:
        """Open the token without a PIN: for what anybody may see."""
        from frost_hsm import backends

        uri = self.token_uri or self.config.token
        backend = self.backend(backends.scheme(uri))
        with self._told_of_damage(uri):
            token = backend.open(uri, None)
        with token:
            yield token

    @contextmanager
    def token(self) -> Iterator[Token]:
        """Open the token of ``init`` and log in. Raises `WrongToken`, with no PIN tried, for another."""
        from frost_hsm import backends
        from frost_hsm.cli.talk.pin import token_name

        uri = self.config.token
        if self.token_uri is not None:
            with self.public_token() as public:
                if public.info.uri != uri:
                    raise WrongToken(f"the token of {self.config.me} is {uri}, not {token_name(public.info)}")
        backend = self.backend(backends.scheme(uri))
        with self._told_of_damage(uri):
            token = self.pin.log_in(backend, uri, allow_final_try=self.allow_final_pin_try)
        with token:
            if backends.scheme(uri) == "pkcs11":
                from frost_hsm.cli import token_copy

                token_copy.keep(self.home, token.info)
            yield token

    def _told_of_damage(self, uri: str) -> AbstractContextManager[None]:
        from frost_hsm import backends

        if backends.scheme(uri) != "pkcs11":
            return nullcontext()
        from frost_hsm.cli import token_copy

        return token_copy.told_of_damage(self.home)

    @contextmanager
    def holder(self) -> Iterator[Holder]:
        """Open the token, once it is seen to hold one's own identity and to work with this state directory.

        Raises `WrongToken`, with no PIN tried, and `TokenOwnedElsewhere`.
        """
        from frost_hsm.ceremony.people.identity import Holder
        from frost_hsm.ceremony.sealing.marks import Marks

        with self.public_token() as public:
            identity = self.identity_in(public)
            with self.token() as token:
                holder = Holder(replace(identity, records=self.noted(identity, token).records), token)
                Marks(holder, self.home).require_own()
                yield holder

    def noted(self, identity: Identity, token: Token) -> Noted:
        """Return what is noted of one's identity; with the first login it is settled."""
        from frost_hsm.ceremony.people.identity import settle_records

        return self.config.identity or self.note(replace(identity, records=settle_records(token)), is_in_token=True)

    def note(self, identity: Identity, *, is_in_token: bool) -> Noted:
        """Note where the records of one's identity lie, and its keys if the token does not tell; once, for always."""
        from frost_hsm.cli.config import Noted

        with self.home.lock():
            if self.config.identity is not None:
                return self.config.identity
            noted = Noted(identity.records, None if is_in_token else (identity.sign_key_id, identity.agree_key_id))
            self.config = replace(self.config, identity=noted)
            self.config.save(self.home)
        return noted

    def identity_in(self, public: Token) -> Identity:
        """Find one's own identity in the token, or take it as noted, if the token cannot tell."""
        from frost_hsm.ceremony.people.identity import Identity, find
        from frost_hsm.cli.talk.pin import token_name

        noted = self.config.identity
        if noted is not None and noted.keys is not None:
            return Identity(self.me, *noted.keys, public.info, noted.records)
        for found in find(public):
            if found.public.is_same_token(self.me):
                return replace(found, public=self.me)
        raise WrongToken(f"the identity of {self.me.name} is not in {token_name(public.info)}")


class _Peers(Mapping[str, "PublicIdentity"]):
    def __init__(self, home: StateDirectory) -> None:
        self._home = home

    def __getitem__(self, name: str) -> PublicIdentity:
        from frost_hsm.ceremony.people.identity import PublicIdentity

        data = self._home.read(f"peers/{name}.pem")
        if data is None:
            raise KeyError(name)
        return PublicIdentity.from_pem(data)

    def __iter__(self) -> Iterator[str]:
        return (name.removesuffix(".pem") for name in self._home.names("peers"))

    def __len__(self) -> int:
        return len(self._home.names("peers"))

    def items(self) -> ItemsView[str, PublicIdentity]:
        return self._all().items()

    def values(self) -> ValuesView[PublicIdentity]:
        return self._all().values()

    def _all(self) -> dict[str, PublicIdentity]:
        from frost_hsm.ceremony.people.identity import PublicIdentity

        found = self._home.read_all(lambda: self._home.files("peers"))  # one may be removed meanwhile
        return {PurePath(path).stem: PublicIdentity.from_pem(data) for path, data in found.items()}


def _of_this_user(variable: str, otherwise: str, *, hint: str) -> Path:
    """Return our folder for what the variable is for, as the XDG specification has it: a relative one is ignored."""
    base = os.environ.get(variable, "")
    if Path(base).is_absolute():
        return Path(base) / "frost-hsm"
    try:
        home = expand("~")
    except UsageProblem:
        raise ConfigProblem("this user has no home directory", hint=hint) from None
    if not Path(os.environ.get("HOME", home)).is_absolute():
        raise ConfigProblem(f'HOME is "{os.environ.get("HOME")}", which is no folder', hint=hint)
    return home / otherwise / "frost-hsm"
