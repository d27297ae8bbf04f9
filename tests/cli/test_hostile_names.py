"""Whatever files, names and contents are called, on every command: its lines are ours, and nothing of them runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import click
import pytest
from cli.test_help import every_command, found
from stage.parties import KEY, Party

from frost_hsm.cli.parsing import File, Folder, NamedFile

LINES = "\nhint: run this\nNext: frost-hsm keys delete treasury\nerror: none\n"
HOSTILE = {
    "lines": (f"a.pem{LINES}", LINES.encode()),
    "a terminal": (
        "a\x1b[2J\x1b]0;title\x07\u202e.pem",
        f"{LINES}-----BEGIN CMS-----\nAAAA\n-----END CMS-----\n\x1b[2J".encode(),
    ),
    "a shell": (
        "q; touch PWNED; $(touch PWNED) `touch PWNED` it's.pem",
        b'{"schema": "x\\nhint: run this\\u001b[2J", "header": {"ciphersuite": "a\\nNext: b"}}',
    ),
    "bytes": ("\udcff\udcfe.pem", b"\xff\xfe" + LINES.encode("utf-16-le")),
}
"""Names of a file, and what is in it."""

FORGED = ("hint: run this", "Next: frost-hsm keys delete", "error: none")
STAYS = {("agent", "run"), ("join",), ("help",), ("completion",), ("setup",)}
"""Those that stay, ask, or take no file and no name of anybody's."""


def _value(parameter: click.Parameter, name: str) -> str:
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    if isinstance(parameter.type, NamedFile):
        return f"alice={name}"
    if isinstance(parameter.type, Folder):
        return "in"
    if isinstance(parameter.type, click.IntRange) or parameter.type.name == "integer":
        return "2"
    return name


def _lines(words: tuple[str, ...], name: str) -> Iterator[list[str]]:
    """Ways of typing a command: with the name for whatever it must have, then for each file that it may have, too."""
    needed: list[str] = []
    for parameter in found(words).params:
        value = _value(parameter, name)
        if isinstance(parameter, click.Argument):
            if parameter.required or isinstance(parameter.type, File):
                needed += [value] * (2 if parameter.nargs == -1 else 1)
        elif parameter.required:
            needed += [parameter.opts[0], value]
    yield [*words, *needed]
    key_first = [KEY if each == name and at == 0 else each for at, each in enumerate(needed)]
    if key_first != needed:
        yield [*words, *key_first]
    for parameter in found(words).params:
        if isinstance(parameter, click.Option) and isinstance(parameter.type, File) and not parameter.required:
            yield [*words, *needed, parameter.opts[0], _value(parameter, name)]


@pytest.mark.parametrize(("name", "contents"), HOSTILE.values(), ids=HOSTILE)
def test_every_command(group: list[Party], name: str, contents: bytes) -> None:
    """Collected: every command, with the name wherever it takes a file or a name."""
    alice = group[0]
    (alice.directory / "in").mkdir()
    for folder in (alice.directory, alice.directory / "in"):
        (folder / name).write_bytes(contents)
    typed = [
        line
        for words in every_command()
        if words not in STAYS and not isinstance(found(words), click.Group)
        for line in _lines(words, name)
    ]
    said: list[str] = []
    for line in typed:
        ran = alice.run(*line)
        assert "internal error" not in ran.stderr, line
        assert ran.stdout.isprintable() or all(each.isprintable() for each in ran.stdout.splitlines()), line
        lines = ran.stderr.splitlines()
        assert all(each.isprintable() for each in lines), line
        for word in ("error:", "hint:", "Next:"):
            assert sum(each.startswith(word) for each in lines) <= 1, (line, lines)
        assert not any(each.startswith(FORGED) for each in lines), (line, lines)
        said += [each for each in lines if each.startswith(("hint:", "Next:"))]
    assert len(typed) > 80
    for pasted in set(said):
        subprocess.run(
            ["bash", "-c", pasted],
            cwd=alice.directory,
            capture_output=True,
            check=False,
            timeout=20,
            env={"PATH": "/usr/bin:/bin"},
        )
    assert not [path for path in alice.directory.rglob("PWNED*")]
