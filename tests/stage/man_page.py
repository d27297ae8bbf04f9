"""The man page, made of what the program and the manual say.

``cd tests && python -m stage.man_page`` writes ``frost_hsm/manual/frost-hsm.1`` anew; a test compares it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from frost_hsm import __version__, cli, manual

PATH = Path(manual.__file__).parent / "frost-hsm.1"

_DESCRIPTION = re.compile(r"ARGS\]\.\.\.\n\n(.*?)\nCommands:", re.DOTALL)
_ROW = re.compile(r"^\| ([^|]+) \| (.*?) \|", re.MULTILINE)


def made() -> str:
    """Return the page, in roff."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f'.TH FROST-HSM 1 "" "frost-hsm {__version__}" "User Commands"'
    yield ".SH NAME"
    yield "frost-hsm \\- signing keys that belong to a group, each share sealed in its owner's token"
    yield ".SH SYNOPSIS"
    yield ".B frost-hsm\n.I COMMAND\n[\\fIARGS\\fR]..."
    yield ".SH DESCRIPTION"
    description = _DESCRIPTION.search(cli.help_text())
    assert description is not None
    for paragraph in re.split(r"\n\s*\n", description[1]):
        if re.match(r"\s*A key:", paragraph):
            yield from [".PP", ".nf", *(_escaped(line.strip()) for line in paragraph.splitlines()), ".fi"]
        else:
            yield from [".PP", _escaped(" ".join(paragraph.split()))]
    yield ".SH COMMANDS"
    for name, text in cli.COMMANDS.items():
        yield from [".TP", f".B {_escaped(name)}", _escaped(text)]
    yield ".PP\nEvery command has \\fB\\-\\-help\\fR; a group lists its commands there."
    yield ".SH EXIT STATUS"
    yield from _terms("exit-statuses", r"\d+")
    yield ".SH ENVIRONMENT"
    yield from _terms("configuration", r"[A-Z_0-9`, ]{4,}")
    yield ".SH FILES"
    yield ".TP\n.I $XDG_STATE_HOME/frost-hsm\n.TQ\n.I ~/.local/state/frost-hsm"
    yield "The state directory: config.toml, identities, and all that was said; public, or sealed."
    yield ".SH SEE ALSO"
    yield "\\fBfrost-hsm help\\fR lists the pages of the manual, \\fBfrost-hsm help\\fR \\fITOPIC\\fR shows one."
    yield ".PP\nRFC 9591; \\fBpkcs11-tool\\fR(1), \\fBsofthsm2-util\\fR(1), \\fBopenssl-cms\\fR(1ssl)"


def _terms(page: str, pattern: str) -> Iterator[str]:
    """Give the rows of a page's table whose first column is of a pattern, as terms and what they mean."""
    for term, meaning in _ROW.findall(manual.page(page)):
        if re.fullmatch(pattern, term):
            yield from [".TP", f".B {_escaped(term.replace('`', ''))}", _escaped(meaning.replace("`", ""))]


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("…", "...")
    return f"\\&{text}" if text.startswith(".") else text


if __name__ == "__main__":
    PATH.write_text(made())
