"""What the manual says of tokens: its tables, and the commands that it has people type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from frost_hsm import manual


def rows(heading: str) -> list[dict[str, str]]:
    """The table under a heading of the page on tokens, a row each, by column."""
    section = manual.page("tokens").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    header, _, *body = [[cell.strip() for cell in line] for line in lines]
    return [dict(zip(header, row, strict=True)) for row in body]


def blocks(word: str) -> Iterator[list[str]]:
    """The arguments of each command in the blocks of this word, on the page that leads through a token."""
    for text in re.findall(rf"^```sh {word}\n(.*?)^```", manual.page("your-token"), re.MULTILINE | re.DOTALL):
        for line in text.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "frost-hsm"
            yield arguments
