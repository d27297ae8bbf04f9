"""The pkcs11 backend: from settings and a URI to one open token."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NoReturn

import pkcs11
from pkcs11 import TokenFlag

from frost_hsm.backends import Interaction, PinSource, PinState, TokenInfo
from frost_hsm.backends.pkcs11.calls.answers import explained
from frost_hsm.backends.pkcs11.modules.module import Module, load, locked, pauses
from frost_hsm.backends.pkcs11.modules.p11kit import NAME, find_proxy
from frost_hsm.backends.pkcs11.session import SharedSession
from frost_hsm.backends.pkcs11.token import Pkcs11Token
from frost_hsm.backends.uri import Pkcs11Uri
from frost_hsm.errors import (
    MechanismUnsupported,
    ModuleUnavailable,
    PinFinalTry,
    PinLocked,
    PinProblem,
    PinUnusable,
    TokenAmbiguous,
    TokenNotFound,
    TokenProblem,
)

_SOFTWARE = ("softhsm", "nss", "kryoptic", "opencryptoki soft", "ibm soft", "ibm sw tpm", "sw tpm", "gnome keyring")
"""How manufacturer, model, or the one and then the other, of software tokens begin."""

MAKE_ONE = "for SoftHSM2: softhsm2-util --init-token --free --label NAME"


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a module comes from, and how a URI says so."""

    name: str
    path: str
    uri: Pkcs11Uri  # module-name, module-path or nothing

    def info(self, token: pkcs11.Token) -> TokenInfo:
        """Describe a token that this module brings."""
        flags = token.flags
        if flags & TokenFlag.USER_PIN_LOCKED:
            state = PinState.LOCKED
        elif not flags & TokenFlag.USER_PIN_INITIALIZED:
            state = PinState.NOT_SET
        elif flags & TokenFlag.USER_PIN_FINAL_TRY:
            state = PinState.FINAL_TRY
        else:
            state = PinState.LOW if flags & TokenFlag.USER_PIN_COUNT_LOW else PinState.OK
        serial = _serial(token)
        uri = Pkcs11Uri(
            token=token.label,
            serial=serial or None,
            manufacturer=None if _identifies(serial) else token.manufacturer_id,
            model=None if _identifies(serial) else token.model,
            module_name=self.uri.module_name,
            module_path=self.uri.module_path,
        )
        return TokenInfo(
            uri=str(uri),
            label=token.label,
            serial=serial,
            manufacturer=token.manufacturer_id,
            model=token.model,
            source=self.name,
            initialised=bool(flags & TokenFlag.TOKEN_INITIALIZED),
            pin_state=state,
            has_own_pin_entry=bool(flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH),
            is_software=_is_software(token.manufacturer_id, token.model),
        )


class Pkcs11Backend:
    """Brings the tokens of PKCS#11 modules; see `frost_hsm.backends.Backend`.

    settings: alias → absolute path of a module; the alias is the ``module-name`` of a URI. Without any,
    p11-kit's proxy is used, which brings every module that the system knows of.
    """

    def __init__(self, settings: Mapping[str, str], interaction: Interaction) -> None:
        self._settings = dict(settings)
        self._interaction = interaction

    def describe(self) -> list[tuple[bool, str]]:
        """Say which modules load, which tokens they bring, and what to do where there is nothing."""
        try:
            sources = self._sources(Pkcs11Uri())
        except ModuleUnavailable as error:
            return [(False, f"pkcs11: {error}; {error.hint}")]
        return [line for source in sources for line in self._describe(source)]

    def tokens(self) -> list[TokenInfo]:
        """List the tokens of every module; one that does not load is told of, and raised if none does."""
        return [source.info(token) for source, _, token in self._present(Pkcs11Uri())]

    def open(self, uri: str, pin_source: PinSource | None, *, allow_final_try: bool = False) -> Pkcs11Token:
        """Open the one initialised token that ``uri`` selects; object, type and id select no token."""
        selector = Pkcs11Uri.parse(uri)
        info, session = self._acquire(selector)
        if pin_source is None:
            return Pkcs11Token(session, info, logged_in=False)
        ask = cache(lambda: self._pin(info, pin_source, allow_final_try))
        waits = pauses()
        while True:
            try:
                session.log_in(ask)
                return Pkcs11Token(session, info, logged_in=True)
            except BaseException as error:
                session.release(logged_in=False)
                # SoftHSM2 misreads a token that another process logs in to; the PIN was given, and not counted as wrong
                may_be_misread = ask.cache_info().currsize and _may_be_misread(error)
                pause = next(waits, None) if may_be_misread else None
                if pause is None or not self._start_again(self._sources(selector)):
                    raise
            time.sleep(pause)
            info, session = self._acquire(selector)

    def _acquire(self, selector: Pkcs11Uri) -> tuple[TokenInfo, SharedSession]:
        """Select the token, and open it or share the session with it; what it says of itself is of now."""
        with locked():  # or another thread could start SoftHSM2 again between the two
            if selector.serial is not None and _identifies(selector.serial):
                for source in self._sources(selector):
                    resumed = SharedSession.resume(
                        os.path.realpath(source.path), lambda module, token: _matches(selector, module, token)
                    )
                    if resumed is not None:
                        return source.info(resumed[0]), resumed[1]
            source, module, token = self._select(selector)
            return source.info(token), SharedSession.acquire(module, token)

    def create(self, uri: str, pin_source: PinSource) -> NoReturn:
        """Raise `MechanismUnsupported`: PKCS#11 tokens are initialised with the vendor's tool."""
        raise MechanismUnsupported("PKCS#11 tokens are initialised with their vendor's tool", hint=MAKE_ONE)

    def _pin(self, info: TokenInfo, pin_source: PinSource, allow_final_try: bool) -> str | None:
        if info.pin_state is PinState.LOCKED:
            raise PinLocked(f'the PIN of token "{info.label}" is locked')
        if info.pin_state is PinState.NOT_SET:
            raise PinUnusable(f'token "{info.label}" has no user PIN', hint="set one with the vendor's tool")
        if info.pin_state is PinState.FINAL_TRY and not allow_final_try:
            raise PinFinalTry(f'one try is left before token "{info.label}" locks its PIN')
        if info.has_own_pin_entry:
            self._interaction.message(f'enter the PIN of token "{info.label}" on its own reader')
            return None
        pin = pin_source(info)
        if not pin:
            raise PinUnusable(f'the PIN for token "{info.label}" is empty; it was not tried')
        return pin

    # ── Modules ──────────────────────────────────────────────────────────────────────────────────────────

    def _sources(self, uri: Pkcs11Uri) -> list[_Source]:
        """List the modules to look in; where the URI names one, that one and no other."""
        if uri.module_path is not None:
            return [_Source(Path(uri.module_path).name, uri.module_path, Pkcs11Uri(module_path=uri.module_path))]
        if uri.module_name is not None:
            path = self._settings.get(uri.module_name)
            if path is None:
                known = ", ".join(sorted(self._settings)) or "none"
                raise ModuleUnavailable(
                    f'no PKCS#11 module "{uri.module_name}" is configured', hint=f"configured: {known}"
                )
            return [_Source(uri.module_name, path, Pkcs11Uri(module_name=uri.module_name))]
        if self._settings:
            return [_Source(name, path, Pkcs11Uri(module_name=name)) for name, path in sorted(self._settings.items())]
        proxy = find_proxy()
        if proxy is None:
            raise ModuleUnavailable(
                "no PKCS#11 module is configured, and p11-kit is not installed",
                hint="name one in the configuration, or in the URI: ?module-path=/usr/lib/…/module.so",
            )
        return [_Source(NAME, proxy, Pkcs11Uri())]

    def _present(self, uri: Pkcs11Uri) -> list[tuple[_Source, Module, pkcs11.Token]]:
        found = []
        failures = []
        sources = self._sources(uri)
        for source in sources:
            try:
                module = load(source.path)
                with locked(), explained(f"looking for tokens of {source.name}"):
                    found += [(source, module, token) for token in module.present_tokens()]
            except TokenProblem as error:
                failures.append(error)
        if len(failures) == len(sources):
            raise failures[0]
        for failure in failures:
            self._interaction.message(f"{failure}; looking further")
        return found

    def _select(self, uri: Pkcs11Uri) -> tuple[_Source, Module, pkcs11.Token]:
        for pause in pauses():
            present = self._present(uri)
            matching = [each for each in present if _matches(uri, each[1], each[2])]
            ready = [each for each in matching if each[2].flags & TokenFlag.TOKEN_INITIALIZED]
            if ready or not self._start_again(self._sources(uri)):
                break
            time.sleep(pause)
        if len(ready) == 1:
            return ready[0]
        if ready:
            uris = [source.info(token).uri for source, _, token in ready]
            raise TokenAmbiguous(f"{len(ready)} tokens match", details=uris)
        if matching:
            raise TokenNotFound("the only token that matches is not initialised", hint=MAKE_ONE)
        return self._select_by_serial(uri, present)

    def _select_by_serial(
        self, uri: Pkcs11Uri, present: Sequence[tuple[_Source, Module, pkcs11.Token]]
    ) -> tuple[_Source, Module, pkcs11.Token]:
        """Take the token that has the serial and another label: it was labelled anew. Raises `TokenNotFound`."""
        if uri.serial is not None and uri.token is not None and _identifies(uri.serial):
            relabelled = [each for each in present if each[2].label and _matches(replace(uri, token=None), *each[1:])]
            if len(relabelled) == 1 and relabelled[0][2].flags & TokenFlag.TOKEN_INITIALIZED:
                now = relabelled[0][2].label
                self._interaction.message(f'note: the token with serial {uri.serial} is "{now}" now, not "{uri.token}"')
                return relabelled[0]
            same_label = [_serial(token) or "none" for _, _, token in present if token.label == uri.token]
            if same_label:
                raise TokenNotFound(
                    f'no token has the serial {uri.serial}; "{uri.token}" has now {", ".join(same_label)}',
                    hint="it is another token, or was initialised again, which emptied it; frost-hsm token list",
                )
        raise TokenNotFound(f"no token matches {uri}")

    def _start_again(self, sources: Sequence[_Source]) -> bool:
        again = False
        for source in sources:
            with suppress(ModuleUnavailable), locked(), explained(f"starting {source.name} again"):
                again |= load(source.path).start_again()
        return again

    def _describe(self, source: _Source) -> list[tuple[bool, str]]:
        try:
            module = load(source.path)
            with locked(), explained(f"looking for tokens of {source.name}"):
                ready = [info for info in map(source.info, module.present_tokens()) if info.initialised]
        except TokenProblem as error:
            return [(False, f"pkcs11: {source.name}: {error}; {error.hint}")]
        lines = [(True, f"pkcs11: {source.name}: {module.describe()}")]
        for info in ready:
            usable = info.pin_state in (PinState.OK, PinState.LOW)
            software = "; software, no physical protection" if info.is_software else ""
            lines.append((usable, f"pkcs11: {info.uri}: {info.model}; PIN {info.pin_state}{software}"))
        if not ready:
            lines.append((False, f"pkcs11: {source.name} has no initialised token; {MAKE_ONE}"))
        return lines


def _may_be_misread(error: BaseException) -> bool:
    return isinstance(error, PinUnusable) or (isinstance(error, TokenProblem) and not isinstance(error, PinProblem))


def _is_software(manufacturer: str, model: str) -> bool:
    known = [" ".join(text.lower().split()) for text in (manufacturer, model, f"{manufacturer} {model}")]
    return any(text.startswith(_SOFTWARE) for text in known)


def _matches(uri: Pkcs11Uri, module: Module, token: pkcs11.Token) -> bool:
    slot, library = token.slot, module.library
    facts = (
        (uri.token, token.label),
        (uri.serial, _serial(token)),
        (uri.manufacturer, token.manufacturer_id),
        (uri.model, token.model),
        (uri.slot_manufacturer, slot.manufacturer_id),
        (uri.slot_description, slot.slot_description),
        (uri.library_manufacturer, library.manufacturer_id),
        (uri.library_description, library.library_description),
        (uri.library_version, ".".join(map(str, library.library_version))),
    )
    return all(wanted is None or wanted == actual for wanted, actual in facts)


def _identifies(serial: str) -> bool:
    """Whether a serial tells a token from others: some modules give none, or zeros, to all."""
    return bool(serial.strip("0 "))


def _serial(token: pkcs11.Token) -> str:
    return token.serial.rstrip(b"\0 ").decode("utf-8", "replace")
