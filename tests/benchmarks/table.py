"""A table, as each benchmark prints it and the manual shows it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """title: the heading that it stands under in the manual. columns: what is above them. rows: a text for each."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Lay it out for a terminal: what begins with a digit to the right."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.columns))]
        laid_out = (
            "  ".join(
                each.rjust(width) if k and (each[:1].isdigit() or line is self.columns) else each.ljust(width)
                for k, (each, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )
        return "\n".join([self.title, *laid_out])

    def markdown(self) -> str:
        """Write it as the manual has it."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show(table: Table) -> None:
    """Print it, for a person or with ``--json`` for a program."""
    print(json.dumps(asdict(table)) if sys.argv[1:] == ["--json"] else table.text())


def milliseconds(seconds: float) -> str:
    """Write three digits that say something."""
    value = seconds * 1e3
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f}"
