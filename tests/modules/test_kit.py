"""The conformance kit that we hand to others, on every module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from modules.starting import Started

KIT = Path(__file__).parent / "kit.py"


def test_the_kit(module: Started, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    told = {"MODULE_PATH": module.path, "MODULE_LABEL": module.label, "MODULE_PIN": module.pin}
    told_words = [f"{variable}={value}" for variable, value in told.items()]
    options = ("-q", "--tb=short", "-p", "no:cacheprovider", "--confcutdir", str(KIT.parent), f"--junitxml={report}")
    command = module.command(*told_words, sys.executable, "-m", "pytest", *options, str(KIT))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    skipped = {
        each.attrib["message"]
        for each in ElementTree.parse(report).iter("skipped")
        if each.get("type") == "pytest.skip"
    }
    assert skipped == {f"the token cannot {what}" for what in module.lacks}
