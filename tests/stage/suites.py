"""Every ciphersuite, P-256 on every implementation of its group, and ZcashFoundation's vectors for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stage import p256

from frost_hsm.frost.ciphersuites import ALL, P256, Ciphersuite

SUITES: dict[str, Ciphersuite] = {**p256.SUITES, **{suite.name: suite for suite in ALL if suite is not P256}}

_VECTORS = Path(__file__).parents[1] / "vectors" / "zf"


def vectors(suite: Ciphersuite, name: str) -> Any:
    """Read a file of ZcashFoundation's for a suite."""
    return json.loads((_VECTORS / f"frost-{suite.name}" / name).read_text())


def sample(suite: Ciphersuite, name: str) -> bytes:
    """Return one value of samples.json: "element1" is the generator, "element2" its double, "scalar1" 1/3."""
    return bytes.fromhex(vectors(suite, "samples.json")[name])


def draws(suite: Ciphersuite, *values: int) -> p256.ScriptedEntropy:
    """Return entropy from which these scalars are drawn."""
    return p256.ScriptedEntropy(*(suite.encode_scalar(value) for value in values))
