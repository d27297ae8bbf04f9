"""The page on benchmarks has the tables that one program writes, and no others."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from frost_hsm import manual

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_each_table_is_one_that_the_program_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    tables = runpy.run_path(str(BENCHMARKS / "tables.py"))
    columns = dict.fromkeys(tables["SUITES"], tables["COLUMNS"])
    for title, program in tables["OTHERS"].items():
        columns[title] = runpy.run_path(str(BENCHMARKS / program))["COLUMNS"]
    page = manual.page("benchmarks")
    heads = re.findall(r"^## ([^\n]+)\n(?:[^#|\n][^\n]*\n|\n)*(\|[^\n]+)\n\| ---", page, re.MULTILINE)
    written = {title: tuple(cell.strip() for cell in head.strip("|").split("|")) for title, head in heads}
    operations = written.pop(tables["OPERATIONS"])
    assert operations[:2] == ("µs", "")
    assert written == columns


def test_each_says_where_and_when_it_was_measured() -> None:
    below = r"^\|[^\n]+\n\n(?!\|)([^\n]*)"
    said = re.findall(below, manual.page("benchmarks") + "\n", re.MULTILINE)
    measured = r"Measured \d{4}-\d\d-\d\d: .+ processors, Python [\d.]+, OpenSSL [\d.]+\."
    assert said
    assert [line for line in said if not re.fullmatch(measured, line)] == []
