"""The table of what each extra brings says what stands in the package."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import frost_hsm

ROOT = Path(frost_hsm.__file__).parents[1]
TABLE = re.compile(r"^\| `(?P<extra>[a-z]+)` \| (?P<brings>[^|]+) \|", re.MULTILINE)
REQUIREMENT = re.compile(r"(?P<name>[a-z-]+)(\[(?P<extra>[a-z]+)\])?")


def test_every_extra_and_what_it_brings() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    told = {
        found["extra"]: found["brings"] for found in TABLE.finditer((ROOT / "frost_hsm/manual/extras.md").read_text())
    }
    assert told.keys() == extras.keys()
    for extra, requirements in extras.items():
        for requirement in requirements:
            found = REQUIREMENT.match(requirement)
            assert found is not None
            for name in filter(None, found.groups()[::2]):
                assert name in told[extra].lower(), extra
