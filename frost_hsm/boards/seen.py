"""What of a board was looked at and is no message: listed once, and not for ever."""

from __future__ import annotations

from typing import Final

_MAX_LISTED: Final = 1000
_MAX_NAME: Final = 200  # characters


class PassedOver:
    """The list behind `Board.passed_over`: each thing once, a name cut where it is long, the list where it is."""

    def __init__(self) -> None:
        self._why: dict[str, str] = {}
        self._more = 0

    def note(self, name: str, why: str) -> None:
        """Say why something is passed over; of what was noted before, the newest reason counts."""
        if len(name) > _MAX_NAME:
            name = name[:_MAX_NAME] + "…"
        if name in self._why or len(self._why) < _MAX_LISTED:
            self._why[name] = why
        else:
            self._more += 1

    def forget(self, name: str) -> None:
        """Take something off the list: it is well now."""
        self._why.pop(name, None)

    def lines(self) -> list[str]:
        """Return the list."""
        listed = [f"{name}: {why}" for name, why in sorted(self._why.items())]
        return [*listed, f"and {self._more} more"] if self._more else listed
