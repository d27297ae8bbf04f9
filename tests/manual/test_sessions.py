"""The README and the manual are run as programs, and what is shown is what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import walkthrough


def run(machine: walkthrough.Machine, path: Path) -> None:
    for block in walkthrough.blocks(path.read_text()):
        happened = machine.run(block)
        if not walkthrough.is_what_happened(block.body, happened):
            assert walkthrough.without_what_varies(happened) == walkthrough.without_what_varies(block.body), path.name


@pytest.mark.slow
def test_every_block_of_the_manual_is_what_happens(tmp_path: Path, softhsm_module: str) -> None:
    machine = walkthrough.Machine(tmp_path)
    for path in walkthrough.PAGES.values():
        run(machine, path)


@pytest.mark.slow
def test_every_block_of_the_readme_is_what_happens(tmp_path: Path, softhsm_module: str) -> None:
    run(walkthrough.Machine(tmp_path, has_tokens=True), walkthrough.README)


@pytest.mark.parametrize(
    ("written", "happened", "is_so"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n", "a\nc\nb\n", False),
        ("a\n…\nb\n", "a\nc\nd\nb\n", True),
        ("a\n…\nb\n", "a\nb\n", True),
        ("a\n…\nb\n", "a\nc\n", False),
        ("slot 1\n", "slot 2\n", True),
        (f"{'0f' * 32}\n", f"{'1e' * 32}\n", True),
        (f"{'0f' * 32}\n", "nothing of the kind\n", False),
    ],
)
def test_what_a_page_leaves_out_and_what_varies(written: str, happened: str, is_so: bool) -> None:
    assert walkthrough.is_what_happened(written, happened) == is_so
