"""What SECURITY.md points at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / ".github/SECURITY.md").read_text()


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", TEXT))))
def test_every_test_that_is_named_exists(named: str) -> None:
    path, _, function = named.partition("::")
    source = (ROOT / path).read_text()
    assert f"def {function}(" in source if function else "def test_" in source


def test_every_attacker_has_tests() -> None:
    rows = [line for line in TEXT.partition("## Threat model")[2].splitlines() if line.startswith("| ")]
    assert len(rows) > 10
    for row in rows[1:]:
        assert "`tests/" in row, row


def test_links_lead_to_files() -> None:
    for target in re.findall(r"\]\((\.\./[^)#]*)", TEXT):
        assert (ROOT / ".github" / target).exists(), target
