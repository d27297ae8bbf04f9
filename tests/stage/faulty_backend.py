"""A backend around another one, with faults on order: PIN states, a token that goes away, a kill at a call.

```python
backend = FaultyBackend(real, Faults(lost_at=3))          # the third call of a token method loses the token
Faults(pin_state=PinState.FINAL_TRY)                      # as SoftHSM2 never is
Faults(before=hook)                                       # hook(number, name) before each call: count, or kill
```
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from frost_hsm.backends import Backend, PinSource, PinState, Token, TokenInfo
from frost_hsm.errors import PinFinalTry, PinLocked, PinUnusable, TokenLost


@dataclass
class Faults:
    """What goes wrong, and what was called so far: names of token methods, in order, over all tokens opened."""

    pin_state: PinState | None = None
    lost_at: int | None = None  # counted from 1; that call and all after it raise `TokenLost`
    lost_after: int | None = None  # this call is done and then raises, as when the answer does not come back
    before: Callable[[int, str], None] | None = None
    calls: list[str] = field(default_factory=list)


def kill_at(number: int) -> Callable[[int, str], None]:
    """Make a hook that kills the process, without a chance to clean up, before call ``number``."""

    def hook(called: int, _: str) -> None:
        if called == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


class FaultyBackend:
    def __init__(self, real: Backend, faults: Faults) -> None:
        self.real = real
        self.faults = faults

    def describe(self) -> list[tuple[bool, str]]:
        return self.real.describe()

    def tokens(self) -> list[TokenInfo]:
        return [self._as_ordered(info) for info in self.real.tokens()]

    def open(self, uri: str, pin_source: PinSource | None, *, allow_final_try: bool = False) -> FaultyToken:
        if pin_source is not None and self.faults.pin_state is not None:
            if self.faults.pin_state is PinState.LOCKED:
                raise PinLocked("the PIN is locked")
            if self.faults.pin_state is PinState.NOT_SET:
                raise PinUnusable("no user PIN is set")
            if self.faults.pin_state is PinState.FINAL_TRY and not allow_final_try:
                raise PinFinalTry("one try is left")
        ask = pin_source and (lambda info: pin_source(self._as_ordered(info)))
        real = self.real.open(uri, ask, allow_final_try=allow_final_try)
        return FaultyToken(real, self._as_ordered(real.info), self.faults)

    def create(self, uri: str, pin_source: PinSource) -> TokenInfo:
        return self.real.create(uri, pin_source)

    def _as_ordered(self, info: TokenInfo) -> TokenInfo:
        return info if self.faults.pin_state is None else replace(info, pin_state=self.faults.pin_state)


class FaultyToken:
    """Passes everything on to a real token, and counts it."""

    def __init__(self, real: Token, info: TokenInfo, faults: Faults) -> None:
        self._real = real
        self._faults = faults
        self.info = info

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if not callable(value) or name == "close":
            return value

        def call(*arguments: Any) -> Any:
            faults = self._faults
            faults.calls.append(name)
            number = len(faults.calls)
            if faults.before is not None:
                faults.before(number, name)
            if faults.lost_at is not None and number >= faults.lost_at:
                raise TokenLost(f"the token went away at call {number}, {name}")
            result = value(*arguments)
            if number == faults.lost_after:
                raise TokenLost(f"the token went away after call {number}, {name}")
            return result

        return call

    def __enter__(self) -> FaultyToken:
        return self

    def __exit__(self, *exc: object) -> None:
        self._real.close()
