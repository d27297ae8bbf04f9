"""A copy of the one file of a SoftHSM2 token that a crash can empty: kept at each login, put back by a command.

It is kept in the state directory, under the name of the token's own directory. There is no key and no nonce in it, but
what the token checks the PIN by, as in the file itself; so with each new PIN a new copy takes its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frost_hsm.backends import TokenInfo
from frost_hsm.backends.pkcs11.modules import softhsm
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import NotKnown, NotPossible, StorageProblem, TokenNotFound

_FOLDER = "softhsm"


def keep(home: StateDirectory, info: TokenInfo) -> None:
    """Keep the file of a token that was just logged in to, if it is one of SoftHSM2 and the copy is another."""
    found = softhsm.copy_of(info.serial) if info.model.startswith("SoftHSM") and info.serial else None
    if found is None:
        return
    name, contents = found
    with home.lock():
        kept = home.read(f"{_FOLDER}/{name}")
        if kept is None or not softhsm.is_same(kept, contents):
            home.replace(f"{_FOLDER}/{name}", contents)


@contextmanager
def told_of_damage(home: StateDirectory) -> Iterator[None]:
    """Say of a token that is not found in the block that its file is empty, if that is why."""
    try:
        yield
    except TokenNotFound as error:
        for name in home.names(_FOLDER):
            file = softhsm.damaged(name)
            if file is not None:
                raise TokenNotFound(
                    f"{error}: SoftHSM2 was stopped while it wrote {file}, which is empty",
                    hint="put it back, nothing else is lost: frost-hsm token restore",
                ) from error
        raise


def restore(home: StateDirectory) -> list[Path]:
    """Put back every file that is empty or missing; returns which. Raises `NotKnown` and `NotPossible`."""
    kept = home.read_all(lambda: home.files(_FOLDER))
    copies = {path.rpartition("/")[2]: data for path, data in kept.items()}
    if not copies:
        raise NotKnown("no copy of a SoftHSM2 token is kept here", hint="one is made whenever you log in")
    damaged = {name: file for name in copies if (file := softhsm.damaged(name)) is not None}
    if not damaged:
        raise NotPossible(f"no token that a copy is kept of is damaged: {', '.join(copies)}")
    for name, file in damaged.items():
        partial = file.with_suffix(".partial")
        try:
            partial.write_bytes(copies[name])
            partial.chmod(0o600)
            partial.replace(file)
        except OSError as error:
            raise StorageProblem(f"cannot write {file}: {error.strerror}") from error
    return list(damaged.values())
