"""Tokens that are passphrase-protected files: for development, tests and machines without a token.

``software:PATH`` names one. Private keys and the values of records are sealed under the passphrase; labels,
certificates, public keys and the names of records can be read by whoever has the file. There is no physical
protection: a copy of the file can be attacked for ever, and the count of wrong passphrases, kept in the file
as a token would keep it, stops nobody who has a copy. Putting an older copy back undoes what happened since.

``file`` keeps it, ``sealing`` closes it, ``token`` uses it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from frost_hsm.backends import Interaction, PinSource, PinState, TokenInfo
from frost_hsm.backends.arguments import check_name
from frost_hsm.backends.software.file import LOG2_N_RANGE, Contents, TokenFile
from frost_hsm.backends.software.sealing import Unsealable, key_from, seal, unseal
from frost_hsm.backends.software.token import SoftwareToken
from frost_hsm.errors import (
    ConfigProblem,
    FrostHsmError,
    PinFinalTry,
    PinIncorrect,
    PinLocked,
    PinUnusable,
    StorageProblem,
    UsageProblem,
)
from frost_hsm.home_directory import expand
from frost_hsm.secret import Secret

MAX_TRIES = 10

_SETTINGS = ("directory", "scrypt_log2_n")


class SoftwareBackend:
    """Brings the tokens that are files; see `frost_hsm.backends.Backend`.

    settings: ``scrypt_log2_n``, the cost of a new token's passphrase, "15" unless said (32 MiB of memory);
    ``directory``, whose files ``*.token`` `tokens` lists.
    """

    def __init__(self, settings: Mapping[str, str], interaction: Interaction) -> None:
        for name in settings:
            if name not in _SETTINGS:
                raise ConfigProblem(
                    f'the software backend has no setting "{name}"', hint=f"it has {', '.join(_SETTINGS)}"
                )
        cost = settings.get("scrypt_log2_n", "15")
        if cost not in map(str, LOG2_N_RANGE):
            raise ConfigProblem(
                f'scrypt_log2_n is "{cost}"', hint=f"possible are {LOG2_N_RANGE[0]} to {LOG2_N_RANGE[-1]}"
            )
        self._scrypt_log2_n = int(cost)
        self._directory = settings.get("directory")

    def describe(self) -> list[tuple[bool, str]]:
        """Say that it works, which tokens the directory holds, and what is wrong with any of them."""
        lines = [(True, "software: tokens are files, protected by a passphrase and nothing else")]
        try:
            files = self._files()
        except FrostHsmError as error:
            return [*lines, (False, f"software: {error}")]
        for file in files:
            try:
                info = _info(file, file.read())
                lines.append((True, f'software: token "{info.label}", serial {info.serial}: {info.uri}'))
            except FrostHsmError as error:
                lines.append((False, f"software: {error}"))
        return lines

    def tokens(self) -> list[TokenInfo]:
        """List the tokens of the directory that the settings name; none if they name none."""
        return [_info(file, file.read()) for file in self._files()]

    def open(self, uri: str, pin_source: PinSource | None, *, allow_final_try: bool = False) -> SoftwareToken:
        """Open the file that ``uri`` names. Raises `StorageProblem` for one damaged or open to others."""
        file = TokenFile(_path(uri))
        with file.lock() if file.path.exists() else nullcontext():  # not in the middle of another's login
            info = _info(file, file.read())
        if pin_source is None:
            return SoftwareToken(file, info, None)
        _check_tries(info, allow_final_try)
        return SoftwareToken(file, info, _log_in(file, _ask(pin_source, info), allow_final_try))

    def create(self, uri: str, pin_source: PinSource) -> TokenInfo:
        """Make a new token, with the passphrase that ``pin_source`` gives. Raises `OutputExists`."""
        file = TokenFile(_path(uri))
        check_name("a token label", file.path.stem)
        contents = Contents(
            label=file.path.stem,
            serial=os.urandom(8).hex(),
            scrypt_log2_n=self._scrypt_log2_n,
            scrypt_salt=os.urandom(16),
            failed_tries=0,
            check=b"",
        )
        empty = replace(_info(file, contents), initialised=False, pin_state=PinState.NOT_SET)
        with key_from(_ask(pin_source, empty), contents) as key:
            contents = replace(contents, check=seal(key, contents.serial, ("check",), b""))
        file.create(contents)
        return _info(file, contents)

    def _files(self) -> list[TokenFile]:
        if self._directory is None:
            return []
        directory = expand(self._directory)
        try:
            return [TokenFile(path.resolve()) for path in sorted(directory.glob("*.token"))]
        except OSError as error:
            raise StorageProblem(f"directory {directory}: {error.strerror}") from error


def _ask(pin_source: PinSource, info: TokenInfo) -> str:
    passphrase = pin_source(info)
    if not passphrase:
        raise PinUnusable(f"the passphrase for token {info.label} is empty; it was not tried")
    return passphrase


def _log_in(file: TokenFile, passphrase: str, allow_final_try: bool) -> Secret:
    """Count the try, on the disk, before it is made; forget the count if it was right."""
    with file.lock():  # during scrypt too, or threads with the right passphrase would count each other
        contents = file.read()
        _check_tries(_info(file, contents), allow_final_try)
        file.replace(replace(contents, failed_tries=contents.failed_tries + 1))
        key = key_from(passphrase, contents)
        try:
            unseal(key, contents.serial, ("check",), contents.check)
        except Unsealable:
            key.wipe()
            left = MAX_TRIES - contents.failed_tries - 1
            raise PinIncorrect(f"wrong passphrase for token {contents.label}; tries left: {left}") from None
        file.replace(replace(contents, failed_tries=0))
    return key


def _check_tries(info: TokenInfo, allow_final_try: bool) -> None:
    if info.pin_state is PinState.LOCKED:
        raise PinLocked(
            f"token {info.label} is locked after {MAX_TRIES} wrong passphrases",
            hint="restore its file from a backup",
        )
    if info.pin_state is PinState.FINAL_TRY and not allow_final_try:
        raise PinFinalTry(f"one try is left before token {info.label} locks")


def _path(uri: str) -> Path:
    scheme, _, path = uri.partition(":")
    if scheme != "software" or not path or "\0" in path:
        raise UsageProblem(f'"{uri}" names no software token', hint="write software:PATH")
    return expand(path).resolve()


def _info(file: TokenFile, contents: Contents) -> TokenInfo:
    tries_left = MAX_TRIES - contents.failed_tries
    if tries_left <= 0:
        state = PinState.LOCKED
    elif tries_left == 1:
        state = PinState.FINAL_TRY
    else:
        state = PinState.OK if tries_left == MAX_TRIES else PinState.LOW
    return TokenInfo(
        uri=f"software:{file.path}",
        label=contents.label,
        serial=contents.serial,
        manufacturer="frost-hsm",
        model="software token",
        source="software",
        initialised=True,
        pin_state=state,
        has_own_pin_entry=False,
        is_software=True,
    )
