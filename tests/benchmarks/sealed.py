"""People with SoftHSM2 tokens, and tokens whose time is added up: what several benchmarks stand on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stage import parties, softhsm
from stage.parties import Party


class TimedToken:
    """A token that adds up the time spent in its methods, by a clock that returns seconds."""

    def __init__(self, token: Any, clock: Callable[[], float]) -> None:
        self._token = token
        self._clock = clock
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._token, name)
        if not callable(value):
            return value

        def timed(*arguments: Any) -> Any:
            start = self._clock()
            try:
                return value(*arguments)
            finally:
                self.seconds += self._clock() - start

        return timed


def gather(folder: Path, module: str, names: Sequence[str], mark: str = "") -> list[Party]:
    """Make people who know each other, with tokens of SoftHSM2. mark: ends the labels, where there are more."""

    def new_token(name: str, place: Path) -> str:
        label = f"{name}{mark}"
        return f"pkcs11:token={label};serial={softhsm.initialise(module, label, parties.PIN)}"

    settings = {"pkcs11": {"softhsm": module}, **parties.QUICK}
    return parties.gather(folder, names, new_token=new_token, settings=settings)
