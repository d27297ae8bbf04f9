r"""The door for text that others chose: names, purposes, file names, messages, what certificates say.

What steers a terminal, cannot be seen, or passes for another letter is written as its number: ``\x1b``, ``\u0430``.
Text that people write in their own script stays readable.
"""

from __future__ import annotations

import os
import re
import shlex

_UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""What `str.isprintable` takes for printable, and nobody sees."""

_MARKS = re.compile(
    r"[\u01c0\u01c3\u0251\u0261\u02d0\u0589\u2010\u2011\u2024\u2044\u2215\u2216\u2236\u29f8\u29f9\ua789]"
)
"""Signs that pass for those of ASCII, in file names most of all."""

_TWINS = re.compile(
    r"[\u0391\u0392\u0395-\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03b1\u03b9\u03ba\u03bd\u03bf"
    r"\u03c1\u03c5\u03f2\u03f3\u0405\u0406\u0408\u0410\u0412\u0415\u0417\u041a\u041c-\u041e\u0420-\u0423\u0425\u0430"
    r"\u0435\u043a\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04ae\u04af\u04bb\u04c0\u04cf\u0501\u051b\u051d"
    r"\u0566\u0578\u057d\u0581\u0585]"
)
"""Letters of Greek, Cyrillic and Armenian that pass for letters of ASCII."""

_MICRO = "\xb5"  # before the s of seconds

_WORD = re.compile(r"\w+")
_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_MORE_THAN_ASCII = ("<wide>", "<font>", "<compat>", "<narrow>")


def visible(text: str) -> str:
    """Return ``text`` as it may be shown: on one line, with numbers for what would deceive eye or terminal."""
    if text.isascii() and text.isprintable():
        return text
    foreign = [letter for letter in text if _is_foreign(letter)]
    has_plain_foreign = any(not _TWINS.fullmatch(letter) for letter in foreign)
    shown = _WORD.sub(lambda word: _separated(word[0], has_plain_foreign), text) if foreign else text
    return "".join(letter if _is_plain(letter) else _number(letter) for letter in shown)


def quoted(word: str) -> str:
    """Write a file name, or another argument, so that a shell which is handed the command takes it for just that."""
    if word.startswith("-") and word != "-":
        word = f"./{word}"
    if visible(word) == word:
        return shlex.quote(word)
    letters = (
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\x{byte:02x}" for byte in os.fsencode(word)
    )
    return f"$'{''.join(letters)}'"


def unusable_secret(text: str) -> str | None:
    """Say why what was typed or read cannot be a PIN or passphrase, None if it can be one. It is not repeated."""
    if not text:
        return "is empty"
    if text.startswith("\ufeff"):
        return "begins with a byte order mark (BOM), which an editor has put there"
    if "\n" in text or "\r" in text:
        return "has more than one line"
    if not text.isprintable() or _UNSEEN.search(text):
        return "has a character that cannot be seen (arrow key, Tab?)"
    return None


def _separated(word: str, has_plain_foreign: bool) -> str:
    """Number the foreign letters of a word that has letters of ASCII too, or has nothing but their twins."""
    foreign = [letter for letter in word if _is_foreign(letter)]
    is_mixed = any(letter.isascii() and letter.isalpha() for letter in word)
    is_twin = not has_plain_foreign and all(_TWINS.fullmatch(letter) for letter in foreign)
    if foreign and (is_mixed or is_twin):
        return "".join(_number(letter) if _is_foreign(letter) else letter for letter in word)
    return word


def _is_foreign(letter: str) -> bool:
    import unicodedata  # here, because most runs show nothing but ASCII

    if letter.isascii() or not letter.isalpha() or letter == _MICRO:
        return False
    return not unicodedata.name(letter, "").startswith("LATIN")


def _is_plain(letter: str) -> bool:
    import unicodedata

    if letter.isascii():
        return letter.isprintable()
    if not letter.isprintable() or _UNSEEN.fullmatch(letter) or _MARKS.fullmatch(letter):
        return False
    stands_for = unicodedata.normalize("NFKC", letter)
    is_twin = len(stands_for) == 1 and stands_for.isascii()
    return not (is_twin and unicodedata.decomposition(letter).startswith(_MORE_THAN_ASCII))


def _number(letter: str) -> str:
    code = ord(letter)
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is no text
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
