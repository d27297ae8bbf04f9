"""What the manual shows of the agent is so: its rules say what is written there, its unit starts it."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from agent.test_policy import MONDAY, QUESTION

from frost_hsm import manual
from frost_hsm.agent.policy import DAYS, Policy
from frost_hsm.cli.commands.agent import run
from frost_hsm.errors import PinProblem

PAGE = manual.page("agent")


def block(kind: str) -> str:
    [found] = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_policy_allows_and_denies_what_it_says() -> None:
    rules = Policy.parse(block("toml").encode(), "policy.toml")
    assert [rule.name for rule in rules.rules] == ["release tags", "nightly builds"]
    assert rules.judge(QUESTION, MONDAY, lambda rule, day: 0).rule == "release tags"
    assert rules.judge(QUESTION, MONDAY, lambda rule, day: 5).will_pass
    assert rules.judge(QUESTION, MONDAY + timedelta(days=DAYS.index("sat")), lambda rule, day: 0).will_pass
    [tag] = QUESTION.items
    build = replace(tag, target="ssh", size=1 << 20, facts={"path": "build-7.tar.gz", "namespace": "file"})
    nightly = replace(QUESTION, key="nightly", items=(build,))
    assert rules.judge(nightly, MONDAY.replace(hour=23), lambda rule, day: 99).rule == "nightly builds"


def test_what_is_explained_is_what_is_shown() -> None:
    rules = Policy.parse(block("toml").encode(), "policy.toml")
    [tag] = QUESTION.items
    asked = replace(QUESTION, asked_by="bob", items=(replace(tag, facts={"ref": "refs/tags/test"}),))
    said = rules.judge(asked, MONDAY, lambda rule, day: 0).lines
    shown = block("text").splitlines()
    assert said[:2] == shown[:2]
    for miss in shown[2].partition(": ")[2].split("; "):
        assert miss in said[2]


def test_every_entry_of_a_rule_is_in_the_table() -> None:
    named = set(re.findall(r"`(key|target|asked-by|hours|days|per-day|max-size|where\.\w+)`", PAGE))
    facts = ("ref", "namespace", "user", "server", "path")
    assert named == {
        *("key", "target", "asked-by", "hours", "days", "per-day", "max-size"),
        *(f"where.{fact}" for fact in facts),
    }


def test_the_unit_starts_the_agent(tmp_path: Path) -> None:
    unit = configparser.RawConfigParser()
    unit.optionxform = str  # type: ignore[assignment]
    unit.read_string(block("ini"))
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert words[:2] == ["agent", "run"]
    run.make_context("run", words[2:])
    assert unit["Service"]["RestartPreventExitStatus"] == str(PinProblem.exit)
    if shutil.which("systemd-analyze") is not None:
        path = tmp_path / "frost-hsm-agent.service"
        path.write_text(block("ini").replace(program, "/bin/true"))
        done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, check=False, text=True)
        assert path.name not in done.stderr
