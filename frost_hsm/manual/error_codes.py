"""What each error code means and what to do, made from `frost_hsm.errors`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.resources import files

from frost_hsm import errors


def kinds(kind: type[errors.FrostHsmError] = errors.FrostHsmError) -> Iterator[type[errors.FrostHsmError]]:
    """Give every class of errors of the program itself; a plug-in has errors, and pages, of its own."""
    if kind.__module__.startswith(f"{errors.__name__}."):
        yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


def codes() -> dict[str, str]:
    """Return what is to be known of each error code, in Markdown, by the code."""
    found: dict[str, list[str]] = {}
    meanings = _meanings()
    for kind in sorted(kinds(), key=lambda kind: (kind.code, kind.exit)):
        todo = f"What to do: {kind.default_hint}." if kind.default_hint is not None else "The hint says what to do."
        found.setdefault(kind.code, []).append(f"{meanings[kind.__name__]}\n\n{todo}")
    statuses = {kind.code: kind.exit for kind in kinds()}
    return {code: f"## {code}\n\nExit status {statuses[code]}. " + "\n\n".join(texts) for code, texts in found.items()}


def text() -> str:
    """Return the sections of all codes, for the page of them."""
    return "\n\n".join(codes().values())


def _meanings() -> dict[str, str]:
    """Read the docstrings from the sources: Python leaves them away with -OO."""
    sources = [file.read_text(encoding="utf-8") for file in files(errors).iterdir() if file.name.endswith(".py")]
    classes = (node for source in sources for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    return {node.name: re.sub("``([^`]+)``", r"`\1`", ast.get_docstring(node) or "") for node in classes}
