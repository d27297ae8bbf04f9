"""Every package as ZcashFoundation's crates read and write it, in both encodings."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from peers.process import PeerError
from peers.zcash_foundation import Form, Rust, write
from stage import every_package
from stage.every_package import KINDS, read_json, read_postcard

from frost_hsm.errors import DeserializationError
from frost_hsm.frost.ciphersuites import Ciphersuite

MUTATIONS = 60


@pytest.fixture(scope="module")
def packages(suite: Ciphersuite) -> dict[str, Any]:
    return every_package.make(suite)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("kind", KINDS)
def test_the_crates_write_what_we_write(rust: Rust, packages: dict[str, Any], kind: str, form: Form) -> None:
    package = packages[kind]

    rewritten = rust.process.ask("rewrite", kind=kind, form=form, package=write(package, form))

    assert rewritten == {name: write(package, name) for name in Form}


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind != "round1_package"]
)  # its proof's R is not decoded when it is read
def test_the_crates_read_whatever_we_read(suite: Ciphersuite, rust: Rust, packages: dict[str, Any], kind: str) -> None:
    """Change bytes of a package at random: what we still read, they read, and as the same."""
    choices = random.Random(kind)
    original = bytes.fromhex(write(packages[kind], Form.POSTCARD))
    for _ in range(MUTATIONS):
        changed = bytearray(original)
        changed[choices.randrange(len(changed))] ^= 1 << choices.randrange(8)
        try:
            package: Any = read_postcard(suite, kind, bytes(changed))
        except DeserializationError:
            continue
        rewritten = rust.process.ask("rewrite", kind=kind, form=Form.POSTCARD, package=changed.hex())
        assert rewritten["postcard"] == changed.hex()
        assert rewritten["json"] == write(package, Form.JSON)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.endswith("_secret_package")])  # no header there
def test_both_refuse_another_suite_and_version(rust: Rust, packages: dict[str, Any], kind: str) -> None:
    text = json.loads(write(packages[kind], Form.JSON))
    for field, value in (("version", 1), ("ciphersuite", "FROST-P255-SHA256-v1")):
        changed = json.dumps({**text, "header": {**text["header"], field: value}})
        with pytest.raises(DeserializationError):
            read_json(rust.suite, kind, changed)
        with pytest.raises(PeerError, match="DeserializationError"):
            rust.process.ask("rewrite", kind=kind, form=Form.JSON, package=changed)
