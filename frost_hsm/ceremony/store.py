"""The state directory: what must survive a crash, written so that it does.

    config.toml                        who I am, which token, where modules are
    lock                               held by the one process that changes anything
    identity.pem                       my public identity
    peers/NAME.pem                     theirs
    ceremonies/NAME/proposal.pem       one folder a key generation; once finished, the key of that name
                    round1/WHO.pem     … round2/WHO.pem, confirm/WHO.pem: the transcript, one file a participant
                    public-key-package.json
                    active             once all n confirmations agree
                    evidence.pem       why it was stopped
                    opening/WHO.pem    what answered the complaint of whom
                    given-up           its owner gave it up; what was sealed for it goes
                    repairs/ID/…       request.pem, delta/WHO.pem, sigma/WHO.pem, done/WHO.pem, active
                    epochs/N/…         all of this again for each refresh of that key
    requests/ID/request.pem            one folder a signing request
                commit/WHO.pem         … response/WHO.pem
                signature              once aggregated
    given-up/ID/…                      ceremonies and keys that were given up, under their id
    sealed/NAME                        sealed records of a token that can hold none

    partial                            what is being written
    importing/…                        what is being verified before it is taken in

Every file is public or sealed. A file appears whole or not at all: written as ``partial``, synced, renamed into
its place, and the directory synced. Only what belongs together is decided by a single file appearing, so a crash leaves
the state before or after it, never between. Directories are 0700, files 0600; looser ones are refused.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frost_hsm import file_lock
from frost_hsm.ceremony.people.names import require_name
from frost_hsm.errors import NotKnown, StepConflict, StorageProblem

LOCK_PATIENCE = 30.0
"""Seconds to wait for another process of ours; its steps take well under one, unless it waits for a token."""

PROPOSAL = "proposal.pem"
PUBLIC_KEY_PACKAGE = "public-key-package.json"
ACTIVE = "active"  # holds the check code that all confirmed
EVIDENCE = "evidence.pem"
GIVEN_UP = "given-up"
REQUEST = "request.pem"
SIGNATURE = "signature"

_PARTIAL = "partial"  # the one file that is being written, by the holder of the lock


def ceremony_folder(name: str) -> str:
    """Return the folder of the ceremony and key of this name."""
    return f"ceremonies/{require_name(name)}"


def epoch_folder(name: str, epoch: int) -> str:
    """Return the folder of the ceremony that makes, or made, the shares of an epoch: key generation makes the first."""
    return f"{ceremony_folder(name)}/epochs/{epoch}" if epoch else ceremony_folder(name)


def repairs_folder(name: str, epoch: int) -> str:
    """Return the folder with the repairs of an epoch."""
    return f"{epoch_folder(name, epoch)}/repairs"


def given_up_folder(ceremony: bytes) -> str:
    """Return where a ceremony or key is put that was given up: never to be begun again."""
    return f"given-up/{ceremony.hex()}"


def request_folder(request: bytes) -> str:
    """Return the folder of the signing request with this id."""
    return f"requests/{request.hex()}"


class StateDirectory:
    """One folder with everything one participant keeps; safe for several threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path / "lock"
        self._mutex = threading.RLock()
        self._depth = 0
        self._lock_file = -1

    @classmethod
    def create(cls, path: Path) -> StateDirectory:
        """Make the folder, private to its owner; an existing one is used if it is private."""
        with _storage(path):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> StateDirectory:
        """Use an existing folder. Raises `NotKnown` if it is not there, `StorageProblem` if others can enter it."""
        try:
            status = path.stat()
        except FileNotFoundError:
            raise NotKnown(f"there is no state directory {path}", hint="make one: frost-hsm init") from None
        except OSError as error:
            raise StorageProblem(f"cannot use {path}: {error.strerror}") from error
        if not stat.S_ISDIR(status.st_mode):
            raise StorageProblem(f"{path} is not a directory")
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise StorageProblem(f"{path} is open to other users", hint=f"chown it to yourself and: chmod 700 {path}")
        return cls(path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other thread and process out; may be nested. Whoever changes anything holds it."""
        with self._mutex:
            if self._depth == 0:
                self._acquire()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    os.close(self._lock_file)

    def _acquire(self) -> None:
        with _storage(self._lock_path):
            try:
                self._lock_file = file_lock.acquire(self._lock_path, time.monotonic() + LOCK_PATIENCE)
            except BlockingIOError:
                raise StorageProblem(
                    f"another process is at work in {self.path}", hint="let it finish, then run this again"
                ) from None
            try:
                (self.path / _PARTIAL).unlink(missing_ok=True)  # left by a process that was killed
            except BaseException:
                os.close(self._lock_file)
                raise

    @contextmanager
    def _changing(self, path: Path) -> Iterator[None]:
        """Hold the lock while a file is changed, and make sure that it is still the lock."""
        with self.lock(), _storage(path):
            if not file_lock.is_held(self._lock_file, self._lock_path):
                raise StorageProblem(
                    f"{self._lock_path} was removed while this process was at work",
                    hint="another one may be at work since; see that none is, then run this again",
                )
            yield

    def read(self, name: str) -> bytes | None:
        """Return the contents of a file, or None if there is none."""
        path = self.path / name
        with _storage(path):
            try:
                with path.open("rb") as file:
                    if os.fstat(file.fileno()).st_mode & 0o077:
                        raise StorageProblem(f"{path} is open to other users", hint=f"chmod 600 {path}")
                    return file.read()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file or folder."""
        return (self.path / name).exists()

    def names(self, folder: str) -> list[str]:
        """List what a folder holds, sorted; nothing if it is not there."""
        path = self.path / folder
        with _storage(path):
            try:
                return sorted(entry.name for entry in path.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []

    def files(self, folder: str) -> list[str]:
        """List every file in a folder and below, by its name here, sorted."""
        path = self.path / folder
        with _storage(path):
            return sorted(str(each.relative_to(self.path)) for each in path.rglob("*") if each.is_file())

    def put(self, name: str, data: bytes) -> None:
        """Write a file once and for all. The same contents again are fine; others raise `StepConflict`."""
        with self.lock():
            present = self.read(name)
            if present is None:
                self.replace(name, data)
            elif present != data:
                raise StepConflict(f"{self.path / name} is there already, with other contents")

    def replace(self, name: str, data: bytes) -> None:
        """Write a file, in place of what was there."""
        path, partial = self.path / name, self.path / _PARTIAL
        with self._changing(path):
            self._make_folder(path.parent)
            try:
                descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor with the right mode
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
            _sync_folder(path.parent)

    def remove(self, name: str) -> None:
        """Remove a file; what is not there is fine."""
        path = self.path / name
        with self._changing(path):
            if path.exists():
                path.unlink()
                _sync_folder(path.parent)

    def move(self, folder: str, place: str) -> None:
        """Put a folder in another place, in one step; what was there, given up earlier, goes."""
        source, target = self.path / folder, self.path / place
        with self._changing(source):
            self._make_folder(target.parent)
            if target.exists():
                shutil.rmtree(target)
            source.rename(target)
            _sync_folder(source.parent)
            _sync_folder(target.parent)

    def _make_folder(self, folder: Path) -> None:
        for path in reversed([folder, *folder.parents]):
            if path.is_relative_to(self.path) and not path.exists():
                path.mkdir(mode=0o700)
                _sync_folder(path.parent)


@contextmanager
def _storage(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageProblem(f"cannot use {path}: {error.strerror or error}") from error


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
