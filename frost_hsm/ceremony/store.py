"""The state directory: what must survive a crash, written so that it does.

    config.toml                        who I am, which token, where modules are
    lock                               held by the one process that changes anything
    identity.pem                       my public identity
    peers/NAME.pem                     theirs
    keys/NAME.CEREMONY/ID/…            one folder a chapter of a key's history; its making is under the key's id
                         beginning.pem         what began it: a proposal, a repair request, an abandonment
                         round1/WHO.pem        … or dealing, delta, sigma, done; confirm/WHO.pem: what was said in it
                         public-key-package.json   what it made
                         evidence.pem          why it was stopped
                         opening/WHO.pem       what answered the complaint of whom
                         signed                its owner's note: a signature by these shares was verified
                         given-up.pem          its owner's note: it is not pursued here, though it may end well
    keys/NAME.CEREMONY/standing/ID.pem where people said that they stand
    requests/ID/beginning.pem          one folder a signing request
                commit/WHO.pem         … response/WHO.pem, abort/WHO.pem
                declined               its owner's note: they said no, and will say so to the others
                archived               its owner's note: it is finished, and no list shows it
                attempts/ID            attempts at it, where it names more signers than are needed
                signatures/N           of each item, once aggregated
    given-up/ID/…                      ceremonies and keys that were given up, under their id
    sealed/NAME                        sealed records of a token that can hold none
    served/SHARING.POSITION/NN         which nonces were let out to serve, in 256 files for each share
    prepared/SHARING.POSITION/N.pem    one's own commitments made ahead that lie on a board
    softhsm/…                          a copy of the one file that SoftHSM2 may lose

    agent/log, agent/ssh.sock          of `frost_hsm.agent`: a chain of its own, and no file of ours

    directory-id                       32 random bytes, made once: what a token knows this directory by
    head, index.N                      what is in it: see `index`
    partial, batch                     what is being written: a file, or a folder

Every file is public or sealed, and everything but ``lock``, ``agent`` and ``config.toml``, which people edit, is in the
`index`, with its SHA-256. So a file that somebody adds is not there; one that was deleted, emptied, cut short, altered,
exchanged or replaced by an older one is still there and is refused when it is read. A directory that is put back as
a whole shows nothing here: the token does (`sealing.marks`).

A file appears whole or not at all: written as ``partial``, synced, put in the index, renamed into its place, and all of
that synced. Many files appear together: written into ``batch``, put in the index by one line, and renamed into their
places, each folder of which is synced once. What belongs together is decided by a single line of the index, so a crash
leaves the state before or after it, never between. A write costs the same in a large directory as in a small one.
Directories are 0700, files 0600; looser ones are refused.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final

from frost_hsm import file_lock
from frost_hsm.ceremony import index
from frost_hsm.ceremony.index import Change, Index
from frost_hsm.errors import NotKnown, StepConflict, StorageProblem

LOCK_PATIENCE = 30.0
"""Seconds to wait for another process of ours; its steps take well under one, unless it waits for a token."""

CONFIGURATION = "config.toml"

ID_LENGTH: Final = 32

_ID = "directory-id"
_OF_A_NEW_ONE = {CONFIGURATION, "lock", _ID, index.PARTIAL, f"{index.LOG}0"}
"""What a directory may hold that has no head: it is empty, or was made a moment ago by somebody who was killed."""
_PAUSE = 0.002  # seconds: what another process has in flight takes a few milliseconds


def given_up_folder(ceremony: bytes) -> str:
    """Return where a ceremony or key is put that was given up: never to be begun again."""
    return f"given-up/{ceremony.hex()}"


def request_folder(request: bytes) -> str:
    """Return the folder of the signing request with this id."""
    return f"requests/{request.hex()}"


def served_folder(sharing: bytes, position: int) -> str:
    """Return the folder that says which nonces were let out to serve with a share."""
    return f"served/{sharing[:16].hex()}.{position}"


def prepared_folder(sharing: bytes, position: int) -> str:
    """Return the folder of the commitments made ahead with a share, for all to take up."""
    return f"prepared/{sharing[:16].hex()}.{position}"


class StateDirectory:
    """One folder with everything one participant keeps; safe for several threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path / "lock"
        self._mutex = threading.RLock()
        self._depth = 0
        self._lock_file = -1
        self._index = Index(path)

    @classmethod
    def create(cls, path: Path) -> StateDirectory:
        """Make the folder, private to its owner, with an id; an existing one is used if it is private."""
        with _storage(path):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = cls.open(path)
        if not home.exists(_ID):
            with home.lock():
                if not home.exists(_ID):
                    with _storage(path):
                        index.sync_folder(path.parent)
                    home.put(_ID, secrets.token_bytes(ID_LENGTH))
        return home

    @classmethod
    def open(cls, path: Path) -> StateDirectory:
        """Use an existing folder.

        Raises `NotKnown` if it is not there, `StorageProblem` if others can enter it or an older version made it.
        """
        try:
            status = path.stat()
        except FileNotFoundError:
            raise NotKnown(f"there is no state directory {path}", hint="make one: frost-hsm setup") from None
        except OSError as error:
            raise StorageProblem(f"cannot use {path}: {error.strerror}") from error
        if not stat.S_ISDIR(status.st_mode):
            raise StorageProblem(f"{path} is not a directory")
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise StorageProblem(f"{path} is open to other users", hint=f"chown it to yourself and: chmod 700 {path}")
        with _storage(path):
            names = {each.name for each in path.iterdir()}
        if index.HEAD not in names and not names <= _OF_A_NEW_ONE:
            raise StorageProblem(
                f"the state directory {path} was made by an older version, or its file {index.HEAD} is gone",
                hint="use that version, or put the file back; or begin afresh elsewhere: frost-hsm init --home DIR",
            )
        return cls(path)

    @property
    def id(self) -> bytes:
        """What a token knows this directory by: 32 random bytes, public. Raises `NotKnown` before `create`."""
        found = self.read(_ID)
        if found is None:
            raise NotKnown(f"there is no state directory {self.path}", hint="make one: frost-hsm setup")
        return found

    # ── One at a time ──

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other thread and process out; may be nested. Whoever changes anything holds it."""
        with self._locked(LOCK_PATIENCE):
            yield

    @contextmanager
    def _locked(self, patience: float) -> Iterator[None]:
        if not self._mutex.acquire(timeout=patience if patience < LOCK_PATIENCE else -1):
            raise self._busy()
        try:
            if self._depth == 0:
                self._acquire(patience)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    os.close(self._lock_file)
        finally:
            self._mutex.release()

    def _acquire(self, patience: float) -> None:
        with _storage(self._lock_path):
            try:
                self._lock_file = file_lock.acquire(self._lock_path, time.monotonic() + patience)
            except BlockingIOError:
                raise self._busy() from None
            try:
                (self.path / index.PARTIAL).unlink(missing_ok=True)  # left by a process that was killed
                self._settle()
                self._remove_batch()
            except BaseException:
                os.close(self._lock_file)
                raise

    def _busy(self) -> StorageProblem:
        return _Busy(f"another process is at work in {self.path}", hint="let it finish, then run this again")

    # ── What is there ──

    def read(self, name: str) -> bytes | None:
        """Return the contents of a file, or None if there is none.

        Raises `StorageProblem` for one that is not as it was written.
        """
        path = self.path / name
        with _storage(path):
            if name == CONFIGURATION:
                return _contents(path)
            while True:
                expected = self._consult(name)
                if not isinstance(expected, str):
                    return None
                head, found = self._index.head, _contents(path)
                if found is not None and _digest(found) == expected:
                    return found
                if self._consult(name) == expected and self._index.head == head:  # not written at this instant
                    raise _refusal(path, is_gone=found is None)

    def read_all(self, listed: Callable[[], Iterable[str]]) -> dict[str, bytes]:
        """Return the contents of the files that are listed, by their names; listed again if one has gone meanwhile.

        Raises `StorageProblem` for one that is not as it was written.
        """
        while True:
            names = list(listed())
            found = {name: data for name in names if (data := self.read(name)) is not None}
            if len(found) == len(names):
                return found

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file or folder."""
        with _storage(self.path, name):
            return self._consult(name) is not None

    def names(self, folder: str) -> list[str]:
        """List what a folder holds, sorted; nothing if it is not there."""
        with _storage(self.path, folder):
            self._consult(folder)
            return self._index.names(folder)

    def files(self, folder: str) -> list[str]:
        """List every file in a folder and below, by its name here, sorted."""
        with _storage(self.path, folder):
            self._consult(folder)
            return self._index.files(folder)

    def _consult(self, name: str) -> str | index.Tree | None:
        """Ask the index, with nothing in flight: what is, ends at once, or we end it for somebody who was killed."""
        deadline = time.monotonic() + LOCK_PATIENCE
        while self._index.load():
            try:
                with self._locked(0):
                    self._settle()
            except _Busy:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
        return self._index.contents(name)

    # ── Changes ──

    def put(self, name: str, data: bytes) -> None:
        """Write a file once and for all. The same contents again are fine; others raise `StepConflict`.

        So what was written once, and was changed from outside since, is mended by writing it again.
        """
        self.put_all({name: data})

    def put_all(self, files: Mapping[str, bytes], replacing: Mapping[str, bytes] = MappingProxyType({})) -> None:
        """As `put`, of files anywhere, by their names: all appear at once, and are synced at once, or none.

        replacing: files that appear with them, in place of what was there.
        """
        with self.lock():
            new = {}
            for name, data in files.items():
                with _storage(self.path, name):
                    there = self._consult(name)
                if there not in (None, _digest(data)):
                    raise StepConflict(f"{self.path / name} is there already, with other contents")
                with suppress(StorageProblem):
                    if there is not None and self.read(name) is not None:
                        continue
                new[name] = data
            self.replace_all({**new, **replacing})

    def replace(self, name: str, data: bytes) -> None:
        """Write a file, in place of what was there."""
        path = self.path / name
        with self._changing(path):
            if name == CONFIGURATION:
                index.replace(self.path, path, data)
                return
            self._make_folder(path.parent)
            partial = index.write_partial(self.path, data)
            with self._in_flight(Change(name, _digest(data))):
                partial.replace(path)

    def replace_all(self, files: Mapping[str, bytes]) -> None:
        """As `replace`, of files anywhere, by their names: all appear at once, and are synced at once, or none."""
        if len(files) < 2:  # which costs less
            for name, data in files.items():
                self.replace(name, data)
            return
        with self._changing(self.path):
            for folder in dict.fromkeys((self.path / name).parent for name in files):
                self._make_folder(folder)
            try:
                index.write_batch(self.path, files.values())
            except BaseException:
                self._remove_batch()
                raise
            with self._in_flight(Change.of_many({name: _digest(data) for name, data in files.items()})):
                pass

    def _remove_batch(self) -> None:
        with suppress(OSError):
            if (self.path / index.BATCH).exists():
                _remove(self.path / index.BATCH)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it; what is not there is fine."""
        with self._changing(self.path / name):
            if self._consult(name) is not None:
                with self._in_flight(Change(name, None)):
                    pass

    def move(self, folder: str, place: str) -> None:
        """Put a folder in another place, in one step; what was there, given up earlier, goes."""
        with self._changing(self.path / folder):
            contents = self._consult(folder)
            if contents is None or not (self.path / folder).exists():
                raise _refusal(self.path / folder, is_gone=True)
            with self._in_flight(Change(place, contents, folder)):
                pass

    @contextmanager
    def _changing(self, path: Path) -> Iterator[None]:
        """Hold the lock while a file is changed, and make sure that it is still the lock."""
        with self.lock(), _storage(path):
            if not file_lock.is_held(self._lock_file, self._lock_path):
                raise StorageProblem(
                    f"{self._lock_path} was removed while this process was at work",
                    hint="another one may be at work since; see that none is, then run this again",
                )
            self._settle()
            yield

    @contextmanager
    def _in_flight(self, change: Change) -> Iterator[None]:
        """Write a change ahead, let the caller begin with it, and end it; if something fails, it may be as if never."""
        try:
            self._index.begin(change)
            yield
            self._settle()
        except BaseException:
            with suppress(OSError, StorageProblem):
                (self.path / index.PARTIAL).unlink(missing_ok=True)
                self._settle()
            raise

    def _settle(self) -> None:
        """End what is in flight, or strike it out: a file that never came to its place, a line cut short."""
        if not self._index.load():
            return
        (self.path / index.PARTIAL).unlink(missing_ok=True)  # of a head, which is written again
        change = self._index.in_flight()
        if change is not None and self._make(change):
            self._index.commit(change)
        else:
            self._index.withdraw()
        self._remove_batch()

    def _make(self, change: Change) -> bool:
        """Make a change if that has not been done, and sync it; returns whether it is made now."""
        if change.source == index.BATCH and isinstance(change.contents, dict):
            return index.place_batch(self.path, dict(index.files_of(change.path, change.contents)))
        path, source = self.path / change.path, self.path / change.source
        if change.source:
            if source.exists():
                self._make_folder(path.parent)
                _remove(path)
                source.rename(path)
        elif change.contents is None:
            _remove(path)
        elif not index.is_written(path, change.contents):
            return False
        if path.parent.exists():
            index.sync_folder(path.parent)
        if change.source and source.parent.exists():  # after that, or neither place may have it after a power cut
            index.sync_folder(source.parent)
        return True

    def _make_folder(self, folder: Path) -> None:
        if folder != self.path and not folder.exists():
            self._make_folder(folder.parent)
            folder.mkdir(mode=0o700)
            index.sync_folder(folder.parent)


class _Busy(StorageProblem):
    """Somebody else holds the lock."""


def _refusal(path: Path, *, is_gone: bool) -> StorageProblem:
    return StorageProblem(f"{path} is gone" if is_gone else f"{path} was changed from outside", hint=index.HINT)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _contents(path: Path) -> bytes | None:
    try:
        return index.read_private(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class _storage:  # noqa: N801 - a context manager, as a function would be, for what is asked thousands of times
    """Say what cannot be used of the state directory: a path, or a name below it."""

    __slots__ = ("_name", "_path")

    def __init__(self, path: Path, name: str = "") -> None:
        self._path, self._name = path, name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise StorageProblem(f"cannot use {self._path / self._name}: {error.strerror or error}") from error
