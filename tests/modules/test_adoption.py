"""Keys that a token's own tool made are adopted, and used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from modules.conftest import Own, Start
from modules.starting import Started
from stage import by_command, parties

ID = r"\b((?:[0-9a-f]{2})+)$"


def adopt(module: Started, own: Own, directory: Path, sign: str, agree: str, *options: str) -> None:
    """Let Alice adopt two keys, make a key with Bob, and sign with it."""
    alice = own(module)
    [bob] = parties.gather(directory / "people", ["bob"])
    alice.begin("--adopt-sign", sign, "--adopt-agree", agree, *options)
    by_command.meet(alice, [bob])
    by_command.generate([alice, bob], 2)
    by_command.sign([alice, bob], b"a message", alice)


def pkcs11_tool(module: Started, *words: str) -> str:
    return module.run("pkcs11-tool", "--module", str(module.path), "--login", "--pin", module.pin, *words)


@pytest.mark.parametrize("name", ["softhsm2", "kryoptic"])
@pytest.mark.parametrize("opening", ["EC:prime256v1", "rsa:3072"])
def test_keys_of_pkcs11_tool(name: str, opening: str, start: Start, own: Own, tmp_path: Path) -> None:
    """Made with its defaults: each for all that a key of its type can do."""
    module = start(name)
    pkcs11_tool(module, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "01", "--label", "one")
    pkcs11_tool(module, "--keypairgen", "--key-type", opening, "--id", "02", "--label", "two")
    adopt(module, own, tmp_path, "01", "02")


SIGN, DERIVE = ["--usage-sign"], ["--usage-derive"]


@pytest.mark.parametrize(("length", "agree"), [(1, DERIVE), (16, [*SIGN, *DERIVE]), (100, DERIVE)])
def test_ids_and_uses(length: int, agree: list[str], start: Start, own: Own) -> None:
    module = start("softhsm2")
    for first, uses in (("11", SIGN), ("12", agree)):
        key = ("--keypairgen", "--key-type", "EC:prime256v1", "--id", first * length, "--label", first)
        pkcs11_tool(module, *key, *uses, "--sensitive")
    alice = own(module)
    alice.begin("--adopt-sign", "11" * length, "--adopt-agree", "12" * length)


def test_keys_of_tpm2_ptool(start: Start, own: Own, tmp_path: Path) -> None:
    module = start("tpm2-pkcs11")
    ids = []
    for algorithm in ("ecc256", "rsa2048"):
        key = (f"--algorithm={algorithm}", f"--label={module.label}", f"--key-label={algorithm}")
        made = module.run("tpm2_ptool", "addkey", *key, f"--userpin={module.pin}")
        ids += re.findall(r"private:\n  CKA_ID: '([0-9a-f]+)'", made)
    adopt(module, own, tmp_path, *ids)


@pytest.mark.parametrize("opening", [["-k", "ec", "-q", "nistp256"], ["-k", "rsa", "-g", "3072"]], ids=["ec", "rsa"])
def test_keys_of_certutil(opening: list[str], start: Start, own: Own, tmp_path: Path) -> None:
    """It makes keys that can leave the token unless told otherwise."""
    module = start("nss")
    noise = module.directory / "noise"
    noise.write_bytes(bytes(range(64)))
    where = ("-d", f"sql:{module.directory}", "-f", str(module.directory / "password"))
    stays = ("--keyAttrFlags", "token,private,sensitive,unextractable")
    ids: list[str] = []
    for algorithm in (["-k", "ec", "-q", "nistp256"], opening):
        module.run("certutil", "-G", *where, "-z", str(noise), *stays, *algorithm)
        listed = re.findall(r"^<.*> \w+ +([0-9a-f]{40})", module.run("certutil", "-K", *where), re.MULTILINE)
        ids += [each for each in listed if each not in ids]
    adopt(module, own, tmp_path, *ids, "--allow-imported")
