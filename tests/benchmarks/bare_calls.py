"""What a piece of work would cost if it were nothing but its calls of libcrypto.

One run is recorded: each call with its arguments. The calls are then made again, function by function, from a bare
loop, and timed. Whatever the work takes beyond that is ours: Python objects, checks, hashing, encodings.
"""

from __future__ import annotations

import ctypes
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from frost_hsm.groups.libcrypto import Libcrypto

RELEASES = {
    "EC_POINT_free": "EC_POINT_new",
    "BN_clear_free": "BN_secure_new",
    "BN_CTX_free": "BN_CTX_secure_new",
    "BN_free": "BN_bin2bn",
}
"""What frees, and what makes the thing that it frees."""


class RecordedLibcrypto(Libcrypto):
    """A libcrypto that remembers its calls while `recording`; then nothing is freed or cleared, so as to be reused."""

    def __init__(self, library: Libcrypto) -> None:
        self._library = library
        self._calls: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self._skipped: Counter[str] = Counter()
        self.recording = False
        for name, function in vars(library).items():
            setattr(self, name, self._recorder(name, function))

    def _recorder(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        calls = self._calls[name]

        def call(*arguments: Any) -> Any:
            if not self.recording:
                return function(*arguments)
            if name in RELEASES or name == "BN_clear":
                self._skipped[name] += 1
                return None
            calls.append(tuple(_lasting(argument) for argument in arguments))
            return function(*arguments)

        return call

    @property
    def counts(self) -> Counter[str]:
        """Calls by function, the most frequent first."""
        return self._skipped + Counter({name: len(calls) for name, calls in self._calls.items()})

    def replay(self) -> float:
        """Make every recorded call again; return the seconds that took."""
        total = 0.0
        results: dict[str, list[int]] = {}
        for name, calls in self._calls.items():
            function = getattr(self._library, name)
            start = time.perf_counter()
            made = [function(*arguments) for arguments in calls]
            total += time.perf_counter() - start
            results[name] = made
        for name, maker in RELEASES.items():
            if maker == "BN_bin2bn":
                made = [
                    handle
                    for handle, arguments in zip(results[maker], self._calls[maker], strict=True)
                    if arguments[2] is None
                ]
            else:
                made = results[maker]
            function = getattr(self._library, name)
            start = time.perf_counter()
            for handle in made:
                function(handle)
            total += time.perf_counter() - start
        return total


def _lasting(argument: Any) -> Any:
    """Replace a buffer that was lent for the call by one of the same size."""
    if isinstance(argument, ctypes.Array) and argument._type_ is ctypes.c_ubyte:
        return (ctypes.c_ubyte * len(argument))(*([7] * len(argument)))
    return argument
