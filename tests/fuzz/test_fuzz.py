"""Every parser under any input: a short pass, or a long one with FROST_HSM_FUZZ_INPUTS=1000000.

hypothesis draws what is changed and how; `run` has the same targets driven by coverage.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from random import Random

import pytest
from fuzz.mutation import mutate
from fuzz.targets import TARGETS, Target, seeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frost_hsm.forms import der, pem

INPUTS = int(os.environ.get("FROST_HSM_FUZZ_INPUTS", "400"))
"""Of each kind, for each target."""

BATCH = 40  # mutants of one draw, each of the one before or of a seed: drawing takes longer than reading

of_every_target = pytest.mark.parametrize("name", TARGETS)

elements = st.recursive(
    st.builds(der.element, st.sampled_from([2, 4, 6, 12, 0x80, 0x81]), st.binary(max_size=40)),
    lambda inside: st.builds(
        lambda tag, parts: der.element(tag, *parts), st.sampled_from([0x30, 0x31, 0xA0, 0xA1, 4]), st.lists(inside)
    ),
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=40).map(bytes.hex),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text("abcdef0123456789_", max_size=8), inside),
).map(lambda document: json.dumps(document).encode())
armoured = st.builds(pem.encode, st.sampled_from(["CMS", "CERTIFICATE", "FROST-HSM BUNDLE"]), elements)
inputs = st.binary(max_size=200) | elements | documents | armoured


def often(count: int) -> settings:
    return settings(max_examples=max(1, count), deadline=None, database=None, suppress_health_check=list(HealthCheck))


def test_the_table_has_a_row_for_every_target() -> None:
    rows = re.findall(r"(?m)^\| ([a-z-]+) \| [0-9,]+ \|", (Path(__file__).parent / "README.md").read_text())
    assert sorted(rows) == sorted(TARGETS)


@of_every_target
def test_the_corpus(name: str) -> None:
    target = TARGETS[name]
    for file, data in seeds(name).items():
        assert target.accepts(data) or file.startswith("found-"), file


@of_every_target
def test_mutants(name: str) -> None:
    target, among = TARGETS[name], list(seeds(name).values())

    @often(INPUTS // BATCH)
    @given(st.sampled_from(among), st.integers(0, 2**64 - 1))
    def run(seed: bytes, drawn: int) -> None:
        data, random = seed, Random(drawn)
        for _ in range(BATCH):
            data = mutant(target, data if random.random() < 0.3 else seed, random)
            target.accepts(data)

    run()


def mutant(target: Target, data: bytes, random: Random) -> bytes:
    start = target.choosing
    return data[:start] + mutate(data[start:], random)


@of_every_target
def test_inputs_of_no_seed(name: str) -> None:
    target = TARGETS[name]

    @often(INPUTS // BATCH)
    @given(st.binary(min_size=target.choosing, max_size=target.choosing), inputs)
    def run(choice: bytes, data: bytes) -> None:
        target.accepts(choice + data)

    run()
