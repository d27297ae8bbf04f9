"""The tables of the manual say what the code says."""

from __future__ import annotations

import inspect
import re
import runpy
import tomllib
from pathlib import Path

from stage import stock_verifiers, walkthrough

from frost_hsm import targets
from frost_hsm.backends import Backend
from frost_hsm.forms import oids
from frost_hsm.frost.ciphersuites import ALL
from frost_hsm.targets import suites


def text(name: str) -> str:
    return walkthrough.PAGES[name].read_text()


def test_exit_statuses_are_those_of_the_errors() -> None:
    page = text("exit-statuses")
    assert walkthrough.with_codes(page) == page
    shown = {int(status) for status in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert shown == {0, *walkthrough.codes()}


def test_content_types_are_those_of_the_messages() -> None:
    rows = re.findall(r"^\| (\.\d+) \|", text("message-formats"), re.MULTILINE)
    ours = [value for value in vars(oids).values() if isinstance(value, str) and value.startswith(f"{oids.ARC}.")]
    assert [f"{oids.ARC}{row}" for row in rows] == ours


def test_suites_are_those_of_the_library() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\S+) \| (\d+) bytes \|", text("suites"), re.MULTILINE)
    assert rows == [(suite.name, suite.id, str(suite.signature_length)) for suite in ALL]


def test_verifiers_are_named_for_the_suites_that_they_judge() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|.*\| whatever verifies [^|]+ \|$", text("suites"), re.MULTILINE)
    assert rows == list(stock_verifiers.VERIFIERS)


def test_the_example_backend_has_the_methods_of_the_contract(tmp_path: Path) -> None:
    (block,) = [each for each in walkthrough.blocks(text("backend")) if each.head == "python file frost_vault.py"]
    (tmp_path / "frost_vault.py").write_text(block.body)
    example = runpy.run_path(str(tmp_path / "frost_vault.py"))["VaultBackend"]
    methods = {name: value for name, value in vars(Backend).items() if inspect.isfunction(value) and name[0] != "_"}
    assert methods
    for name, method in methods.items():
        assert list(inspect.signature(vars(example)[name]).parameters) == list(inspect.signature(method).parameters)


def test_targets_are_those_that_are_installed() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| ([^|]+) \| [^|]+ \| ([^|]+) \|$", text("targets"), re.MULTILINE)
    said = {name: (made_of, set(re.findall(r"[a-z0-9-]{4,}", keys))) for name, made_of, keys in rows}
    ours = {name for name in targets.installed() if type(targets.load(name)).__module__.startswith("frost_hsm.")}
    assert ours <= said.keys()
    every = {suite.name for suite in ALL}
    for name in ours:
        target, (made_of, keys) = targets.load(name), said[name]
        assert (keys or every) == target.suites, name
        told = re.findall(r"`([a-z-]+)`", made_of.partition(";")[2])
        assert set(told) <= {option.name for option in target.options}, name
        needed = {option.name for option in target.options if option.default is None}
        assert needed <= set(told), name


def test_extras_are_those_of_the_package() -> None:
    rows = dict(re.findall(r"^\| `([a-z]+)` \| ([^|]+) \|", text("extras"), re.MULTILINE))
    extras = tomllib.loads((walkthrough.CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert rows.keys() == extras.keys()
    for name, requirements in extras.items():
        for requirement in requirements:
            for package in re.findall("[a-z-]+", requirement):  # with its own extras
                assert package in rows[name].lower()


def test_uses_are_those_of_the_command_line() -> None:
    said = text("targets").partition("dkg propose --for ")[2].partition(" chooses")[0]
    assert set(re.findall(r"[a-z]{2,}", said)) - {"or"} == suites.USES.keys()
