"""Messages that wait in a folder until the group has signed them: what a program is run for twice, or waits for.

The program asks for a signature, the message lies in a file, and people sign that as any other:
``frost-hsm sign request KEY *.to-sign`` in that folder, over a board or by files. Once the signature lies beside it,
the same program, run again, goes on; or the one that waited does.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from frost_hsm.errors import InvalidSignature, NotYet, StorageProblem
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets.programs.group_private_key import verify

ENDING: Final = ".to-sign"
_LOOK: Final = 0.2
"""Seconds between two looks for a signature."""


class MessageFolder:
    """A folder of messages for one key: SHA256.to-sign, with 16 digits of it, and SHA256.to-sign.sig for the signature.

    directory: made if it is not there. patience: seconds for which `sign` waits for a signature, in whatever thread
    it is called; 0 to be run again. Any number of programs may share a folder.
    """

    def __init__(self, directory: Path, key: VerifyingKey, *, patience: float = 0) -> None:
        self._directory = directory
        self._key = key
        self._patience = patience

    def sign(self, message: bytes) -> bytes:
        """Return the group's signature on a message: a `SignBy` for `GroupPrivateKey.of`.

        Raises `NotYet` if there is none, the message is in the folder then; `InvalidSignature` if what lies there is
        not the key's, and `StorageProblem`.
        """
        path = self._directory / f"{hashlib.sha256(message).hexdigest()[:16]}{ENDING}"
        end = time.monotonic() + self._patience
        try:
            while (signature := self._find(path, message, is_last=time.monotonic() >= end)) is None:
                self._put(path, message)
                if time.monotonic() >= end:
                    raise NotYet(
                        f"the group has not signed {path}",
                        hint=f"in that folder: frost-hsm sign request KEY *{ENDING}; then run this again",
                    )
                time.sleep(_LOOK)
        except OSError as error:
            raise StorageProblem(f"cannot use the folder {self._directory}: {error.strerror}") from error
        return signature

    def _find(self, path: Path, message: bytes, *, is_last: bool) -> bytes | None:
        of_it = path.with_name(f"{path.name}.sig")
        try:
            signature = of_it.read_bytes()
        except FileNotFoundError:
            return None
        try:
            verify(self._key, message, signature)
        except InvalidSignature as error:
            if not is_last:  # it may be on its way into the folder
                return None
            raise InvalidSignature(f"{of_it} is not a signature by this key on {path}: {error}") from None
        return signature

    def _put(self, path: Path, message: bytes) -> None:
        if path.exists():
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._directory, prefix=".")
        with os.fdopen(handle, "wb") as file:
            file.write(message)
        Path(name).replace(path)  # whole or not at all
