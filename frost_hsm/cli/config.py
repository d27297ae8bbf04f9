"""The configuration file: who I am, which token is mine, what the backends are told."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from frost_hsm.ceremony.people.identity import RecordPlace
from frost_hsm.ceremony.people.names import NAME
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import ConfigProblem

SCHEMA = "frost-hsm/config/1"
FILE = "config.toml"
MAX_SIZE = 65536
EVERY_KEY = "*"


@dataclass(frozen=True, slots=True)
class Noted:
    """What is to be known of one's identity besides what the token tells, settled when it was made."""

    records: RecordPlace
    keys: tuple[bytes, bytes] | None = None
    """The CKA_IDs of the sign and the agree key, if the token keeps no certificates that would tell."""


@dataclass(frozen=True, slots=True)
class Config:
    """What ``frost-hsm init`` wrote down, and ``identity create`` completed."""

    me: str
    token: str
    """The token URI, exact: with the serial."""
    backends: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """A table of strings for each backend; for ``pkcs11``, the only place a library path is ever read from."""
    identity: Noted | None = None
    """None until the token was first logged in to. From then on it never changes."""
    boards: Mapping[str, str] = field(default_factory=dict)
    """The URI of the board of a key, by its name; ``*`` stands for every other key."""

    def board_of(self, key: str) -> str | None:
        """Return the URI of the board that a key's messages go to."""
        return self.boards.get(key, self.boards.get(EVERY_KEY))

    def encode(self) -> bytes:
        """Write it as TOML."""
        lines = [
            f"schema = {json.dumps(SCHEMA)}",
            f"me = {_quoted(self.me)}",
            f"token = {_quoted(self.token)}",
        ]
        if self.identity is not None:
            lines += ["", "[identity]", f"records = {_quoted(self.identity.records)}"]
            if self.identity.keys is not None:
                sign, agree = self.identity.keys
                lines += [f"sign-key = {_quoted(sign.hex())}", f"agree-key = {_quoted(agree.hex())}"]
        tables = {f"backends.{name}": settings for name, settings in self.backends.items()}
        if self.boards:
            tables["boards"] = self.boards
        for name, table in tables.items():
            lines += ["", f"[{name}]"]
            lines += [f"{_quoted(key)} = {_quoted(value)}" for key, value in table.items()]
        return ("\n".join(lines) + "\n").encode()

    @classmethod
    def load(cls, home: StateDirectory) -> Config:
        """Read it. Raises `ConfigProblem` for anything but what `encode` could have written, comments aside."""
        path = home.path / FILE
        data = home.read(FILE)
        if data is None:
            raise ConfigProblem(f"there is no {path}", hint="write one: frost-hsm init --me NAME")
        if len(data) > MAX_SIZE:
            raise ConfigProblem(f"{path} is larger than {MAX_SIZE} bytes")
        try:
            document = tomllib.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise ConfigProblem(f"{path} is not TOML: {error}") from error
        if document.pop("schema", None) != SCHEMA:
            raise ConfigProblem(f'{path} does not begin with schema = "{SCHEMA}"')
        backends, boards = document.pop("backends", {}), document.pop("boards", {})
        noted = document.pop("identity", None)
        tables = [document, boards, *(backends.values() if isinstance(backends, dict) else [None])]
        if set(document) != {"me", "token"} or not all(map(_is_strings, tables)):
            raise ConfigProblem(
                f"{path} does not hold exactly me, token and tables of strings",
                hint="the tables are [identity], [backends.NAME] and [boards]",
            )
        for name in boards:
            if name != EVERY_KEY and not NAME.fullmatch(name):
                raise ConfigProblem(f'{path}: [boards] names "{name}", which is neither a key nor "{EVERY_KEY}"')
        if not NAME.fullmatch(document["me"]):
            raise ConfigProblem(f"{path}: me is not a name")
        identity = None if noted is None else _noted(path, noted)
        return cls(document["me"], document["token"], backends, identity, boards)

    def save(self, home: StateDirectory) -> None:
        """Write it into the state directory, in place of what was there. Raises `ConfigProblem`."""
        try:
            data = self.encode()
        except UnicodeEncodeError:
            raise ConfigProblem("a path to be written down is not UTF-8", hint="give the file another name") from None
        home.replace(FILE, data)


def _noted(path: Path, table: object) -> Noted:
    keys = {"sign-key", "agree-key"}
    with suppress(ValueError, TypeError):
        if isinstance(table, dict) and set(table) - keys == {"records"}:
            records = RecordPlace(table["records"])
            if keys <= set(table):
                return Noted(records, (bytes.fromhex(table["sign-key"]), bytes.fromhex(table["agree-key"])))
            if not keys & set(table):
                return Noted(records)
    raise ConfigProblem(
        f'{path}: [identity] is not records = "{RecordPlace.TOKEN}" or "{RecordPlace.DIRECTORY}", and both keys or none'
    )


def _is_strings(table: object) -> bool:
    return isinstance(table, dict) and all(isinstance(value, str) for value in table.values())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
