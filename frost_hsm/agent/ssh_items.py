"""What programs of SSH want signed, as items of requests that every signer can read.

They hand over a login, which says all, or the digest of a file. For that the file itself is looked for among those that
the asking program has open, where the system shows them (``/proc``): if one has the digest, it is what is signed, and
signers are shown the tag of git, or the file, and not a digest. Nothing rests on where it was found.
"""

from __future__ import annotations

import io
import stat
import time
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final

from frost_hsm import targets
from frost_hsm.ceremony.messages.using import Item
from frost_hsm.errors import NotPossible
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given
from frost_hsm.targets.own_copy import FileDigest
from frost_hsm.targets.ssh import wire as ssh_wire

_GIT: Final = "git"
_MOST_FILES: Final = 64
_LARGEST: Final = 1 << 30


def item(key: VerifyingKey, data: bytes, process: int) -> Item:
    """Make an item of what a program wants signed. process: its id, or 0. Raises `NotPossible` for anything else."""
    if not ssh_wire.is_to_sign(data):
        return _made("ssh-login", "", key, io.BytesIO(data))
    asked = _made("ssh-digest", "", key, io.BytesIO(data))
    namespace, digest = ssh_wire.read_to_sign(data)
    found = _open_file(process, digest)
    if found is None:
        return asked
    with found as file:
        try:
            if namespace == _GIT:
                return _made("git", "", key, file)
            return _made("ssh", Path(file.name).readlink().name, key, file, namespace=namespace)
        except NotPossible:  # such as a tag with unusual headers
            return asked


def _made(target: str, name: str, key: VerifyingKey, file: BinaryIO, **texts: str) -> Item:
    return Item(target, name, targets.load(target).make(Given(key, file, int(time.time()), texts, {})))


def _open_file(process: int, digest: bytes) -> BufferedReader | None:
    """Open the file with a SHA-512 that a process has open; its name is where the system shows that."""
    for link in _links(process):
        with suppress(OSError):
            status = link.stat()
            if stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST:
                file = link.open("rb")
                if FileDigest.of(file, "sha512").value == digest:
                    file.seek(0)
                    return file
                file.close()
    return None


def _links(process: int) -> list[Path]:
    try:
        return sorted(Path(f"/proc/{process}/fd").iterdir())[:_MOST_FILES] if process else []
    except OSError:
        return []
