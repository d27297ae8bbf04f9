"""Who stands around a token in a test: nobody in front, somebody who gives a PIN, many threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Queue
from multiprocessing.synchronize import Barrier

from frost_hsm.backends import Backend, Interaction, TokenInfo
from frost_hsm.errors import FrostHsmError

THREADS = 8


class SilentInteraction:
    """An `Interaction` with nobody in front: what is said is kept, what is asked fails the test."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def message(self, text: str) -> None:
        """Keep it."""
        self.said.append(text)

    def waiting(self, text: str) -> None:
        """Keep it."""
        self.said.append(text)

    def request_secret(self, prompt: str) -> str:
        """Fail."""
        raise AssertionError(f"the backend asked for a secret: {prompt}")

    def confirm(self, prompt: str) -> bool:
        """Fail."""
        raise AssertionError(f"the backend asked: {prompt}")


class PinSourceSpy:
    """A `PinSource` that gives one PIN, or raises, and keeps with what it was called."""

    def __init__(self, pin: str | Exception) -> None:
        self._pin = pin
        self.calls: list[TokenInfo] = []

    def __call__(self, info: TokenInfo) -> str:
        """Note the call, and give the PIN."""
        self.calls.append(info)
        if isinstance(self._pin, Exception):
            raise self._pin
        return self._pin


def delete_in_turn(
    backend: Callable[[Mapping[str, str], Interaction], Backend],
    settings: Mapping[str, str],
    uri: str,
    pin: str,
    names: list[str],
    start: Barrier,
    results: Queue[tuple[str, str]],
) -> None:
    """Be one of several processes that delete the same records, each at the same instant, and tell what came of it."""
    with backend(settings, SilentInteraction()).open(uri, PinSourceSpy(pin)) as token:
        for name in names:
            start.wait(60)
            try:
                token.delete_record(name)
                results.put((name, "deleted"))
            except FrostHsmError as error:
                results.put((name, type(error).__name__))


def at_once(operation: Callable[[], None]) -> list[FrostHsmError | None]:
    """Do the same from many threads; gives None or the error of each. Any other exception fails the test."""

    def attempt(_: int) -> FrostHsmError | None:
        try:
            operation()
        except FrostHsmError as error:
            return error
        return None

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(attempt, range(THREADS)))
