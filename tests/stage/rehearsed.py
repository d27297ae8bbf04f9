"""A ceremony rehearsed as the manual has it: what came of it, kept; and a browser to look at that.

The commands of the script are taken apart by a shell, as ever, but each runs in a child that is forked with the whole
program loaded, which takes a third of the time.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

from stage.memory_group import run
from stage.page_room import PageRoom
from stage.parties import Party
from stage.preloaded import Preloaded

from frost_hsm.cli.commands import rehearsing

_PROGRAM = shlex.join((sys.executable, "-P", "-m", "frost_hsm"))


class _Typist:
    """Types what a rehearsal has people type. kept: a folder that what was made is copied to."""

    def __init__(self, kept: Path) -> None:
        self.typed: list[str] = []
        self._kept = kept
        self._open = ExitStack()
        self._program: Preloaded | None = None

    def __enter__(self) -> _Typist:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def run(self, folder: Path, environment: Mapping[str, str], line: str, shown: str) -> None:
        if not line.startswith(_PROGRAM):  # the tool of SoftHSM2
            subprocess.run(["sh", "-c", line], env=environment, check=True, stdout=subprocess.DEVNULL)
            return
        apart = ["sh", "-c", "printf '%s\\n'" + line.removeprefix(_PROGRAM)]
        words = subprocess.run(apart, cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()
        if words != ["--version"]:
            words += ["--home", environment["FROST_HSM_HOME"]]
        if self._program is None:
            setting = f"SOFTHSM2_CONF={environment['SOFTHSM2_CONF']}"
            self._program = self._open.enter_context(Preloaded(lambda *words: ["env", setting, *words]))
        ran = self._program.run(folder, words)
        assert ran.status == 0, f"{shown}: {ran.stderr}"
        self.typed.append(shown)
        shutil.copytree(folder, self._kept, dirs_exist_ok=True)


@dataclass(frozen=True)
class Rehearsed:
    """What came of it. script: as it was printed. folder: of the rehearsal, as it was at its end. typed: in order."""

    script: Path
    folder: Path
    typed: list[str]


def rehearse(directory: Path) -> Rehearsed:
    """Follow the page of the manual."""
    return during(directory, lambda: PageRoom(directory, [Party("alice", directory, "")]).follow("ceremony-plan"))


def during(directory: Path, rehearse: Callable[[], object]) -> Rehearsed:
    """Keep what comes of a rehearsal of a plan in a folder."""
    kept, temporary = directory / "kept", directory / "tmp"
    temporary.mkdir()
    with _Typist(kept) as typist, mock.patch("tempfile.tempdir", str(temporary)):

        def type_(room: rehearsing._Room, who: str, line: str, shown: str | None = None) -> None:
            typist.run(room.folder, room._environment(who), line, f"{who}$ {shown or line}")

        with mock.patch.object(rehearsing._Room, "_run", type_):
            rehearse()
    assert [*temporary.iterdir()] == []
    return Rehearsed(directory / "ca.script.html", kept, typist.typed)


class Page(HTMLParser):
    """A page taken apart: its elements in order, and the text of some of them."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        """What stands in elements of each class; in those inside them, too."""
        self._open: list[tuple[str, list[str]]] = []
        self.feed(data.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("meta", "br", "path", "link", "img"):
            return
        classes = (dict(attrs).get("class") or "").split()
        for each in classes:
            self.texts.setdefault(each, []).append("")
        self._open.append((tag, classes))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1][0] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for each in {name for _, classes in self._open for name in classes}:
            self.texts[each][-1] += data


@cache
def in_browser(page: Path) -> tuple[Path, Path]:
    """Open a page in Chromium, without a window; returns what it prints, a PDF, and what it shows, a picture."""
    pdf, picture = page.with_suffix(".pdf"), page.with_suffix(".png")
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={page.parent / 'chromium'}",
    )
    printing = ("--no-pdf-header-footer", f"--print-to-pdf={pdf}")
    showing = ("--window-size=900,3000", f"--screenshot={picture}")
    done = run("chromium", *options, *printing, *showing, page.as_uri(), cwd=page.parent)
    assert done.returncode == 0, done.stderr.decode()
    return pdf, picture
