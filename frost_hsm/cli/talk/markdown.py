"""A page of the manual as a terminal shows it: lines as wide as it is, tables as lists where they are wider.

Markdown as our own pages use it, and no other: headings, paragraphs, lists, tables, fenced blocks, links, comments.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

_LINK = re.compile(r"\[([^\]]+)\]\((?:([a-z0-9-]+)\.md(?:#[^)]*)?|([^)]+))\)")
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_ITEM = re.compile(r"^( *)([-*>]|\d+\.) ", re.MULTILINE)


def rendered(text: str, width: int) -> str:
    """Return a page as text of at most ``width`` columns, sessions and programs in it as they are."""
    return "\n\n".join("\n".join(_block(block, width)) for block in _blocks(_COMMENT.sub("", text))) + "\n"


def _blocks(text: str) -> Iterator[str]:
    block: list[str] = []
    is_fenced = False
    for line in [*text.splitlines(), ""]:
        ends = not line and not is_fenced
        if (ends or (line.startswith("```") and not is_fenced)) and block:
            yield "\n".join(block)
            block = []
        if not ends:
            block.append(line)
        if line.startswith("```"):
            is_fenced = not is_fenced
            if not is_fenced:
                yield "\n".join(block)
                block = []


def _block(block: str, width: int) -> Iterator[str]:
    if block.startswith("```"):
        yield from (f"  {line}".rstrip() for line in block.splitlines()[1:-1])
    elif block.startswith("    "):
        yield from block.splitlines()
    elif block.startswith("#"):
        words = _linked(block.lstrip("# ")).replace("`", "")
        yield from _wrapped(words, width)
        if not block.startswith("###"):
            yield ("=" if block.startswith("# ") else "-") * min(len(words), width)
    elif block.startswith("|"):
        yield from _table(block.splitlines(), width)
    else:
        for item in re.split(r"\n(?= *(?:[-*>]|\d+\.) )", block):
            mark = _ITEM.match(item)
            indent = " " * len(mark[0]) if mark else ""
            words = " ".join(_ITEM.sub("", _linked(item)).split())
            yield from _wrapped(words, width, first=mark[0] if mark else "", then=indent)


def _table(lines: list[str], width: int) -> Iterator[str]:
    rows = [[_linked(cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    header, cells = rows[0], rows[2:]
    widths = [max(len(row[column]) for row in [header, *cells]) for column in range(len(header))]
    if sum(widths) + 2 * len(widths) <= width:
        yield from ("  ".join(map(str.ljust, row, widths)).rstrip() for row in [header, *cells] if any(row))
        return
    for number, row in enumerate(cells):
        if number:
            yield ""
        yield from _wrapped(row[0], width)
        for name, cell in zip(header[1:], row[1:], strict=True):
            if cell:
                begun = f"    {name}: " if name else "    "
                yield from _wrapped(cell, width, first=begun, then="      ")


def _linked(text: str) -> str:
    """Name the page that a link leads to, as it is typed."""
    return _LINK.sub(lambda link: f"{link[1]} ({f'help {link[2]}' if link[2] else link[3]})", text)


def _wrapped(text: str, width: int, first: str = "", then: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    )
