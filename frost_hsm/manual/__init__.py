"""The manual: pages in Markdown beside this file, shipped with the program: keys are made where no network is.

``frost-hsm help`` lists the pages and ``frost-hsm help NAME`` shows one. A page is a file ``NAME.md``; its first line
is its title, and `SECTIONS` says where it belongs. What a program knows better than people is put into a page when it
is shown, where a comment says so: the commands (``<!-- commands -->``, by the command line), the error codes
(``error_codes``) and the public names (``public_names``).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Start": (
        "install",
        "by-hand",
        "boards",
    ),
    "How to": (
        "release",
        "ca",
        "ceremony-plan",
        "documents",
        "dnssec",
        "tuf",
        "cose",
        "showing-agreement",
        "one-round",
        "ed25519",
        "targets",
        "disputes",
        "refresh",
        "repair",
        "dealer",
        "hanging",
        "backup",
        "agent",
        "library",
        "pin-sources",
        "your-token",
        "backend",
    ),
    "Reference": (
        "commands",
        "exit-statuses",
        "errors",
        "configuration",
        "files",
        "message-formats",
        "tokens",
        "api",
        "extras",
    ),
    "Explained": (
        "frost",
        "threats",
        "suites",
        "what-is-lost",
        "tests",
        "benchmarks",
        "dependencies",
        "tour",
    ),
}
"""The names of all pages by section, in the order in which one may read them."""

NAMES: Final = tuple(name for names in SECTIONS.values() for name in names)


def page(name: str) -> str:
    """Return a page as it is written, in Markdown. Raises `KeyError` for a name that no page has."""
    if name not in NAMES:
        raise KeyError(name)
    return files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")


def title(name: str) -> str:
    """Return the title of a page."""
    return page(name).partition("\n")[0].removeprefix("# ")
