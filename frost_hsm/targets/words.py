"""How what is signed is said in words: nothing steers the terminal, and different things look different."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from frost_hsm.errors import NotPossible

_PREVIEW: Final = 200  # bytes
_BLANK: Final = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
"""Letters and marks that nothing is seen of: fillers, joiners, selectors of variants."""

_UNSEEN: Final = re.compile(
    f"[\0-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb{_BLANK}]"
)
"""What steers a terminal, hides or turns round; by number, for what one signer refuses all have to refuse."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def quoted(text: str) -> str:
    r"""Put a text in quotes; what is not printable, and ``"`` and ``\``, in escapes."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() and not _UNSEEN.match(letter) else f"\\u{{{ord(letter):x}}}"


def require_line(text: str, what: str, most: int = 255) -> None:
    """Raise `NotPossible` unless a text is one line, without anything unseen, of up to ``most`` characters."""
    if _UNSEEN.search(text) or len(text) > most:
        raise NotPossible(f"{what} is not one printable line of up to {most} characters")


def indented(text: str) -> list[str]:
    """Show a text of many lines, each behind a bar that nothing in it can get before."""
    return [f"  | {''.join(map(_escaped, line))}" for line in text.split("\n")]


def moment(seconds: int) -> str:
    """Say when: UTC, to the second. Beyond the year 9999 the number alone is said."""
    try:
        return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except OverflowError:
        return f"{seconds} seconds after 1970"


def contents_lines(contents: bytes) -> list[str]:
    """Say which contents these are, and how they begin."""
    begin = contents[:_PREVIEW].decode(errors="replace").split("\n")[0]
    return [
        f"  size     {len(contents)} bytes",
        f"  sha256   {hashlib.sha256(contents).hexdigest()}",
        f"  begins   {quoted(begin)}",
    ]
