"""A zone whose keys a group has signed, through dnspython: BIND takes it, and refuses it once changed."""

from __future__ import annotations

import re
from pathlib import Path

import dns.dnssec
import dns.zone
import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dns.dnssec import Algorithm, Flag
from stage.memory_group import group, run

from frost_hsm import GroupPrivateKey

ZONE = """$ORIGIN example.org.
@ 3600 IN SOA ns hostmaster 1 3600 600 86400 3600
@ 3600 IN NS ns
ns 3600 IN A 192.0.2.1
"""


def signed_zone(suite: str) -> str:
    """A zone that a machine has signed with its own key, and the group the list of both keys."""
    is_ed25519 = suite == "ed25519"
    algorithm = Algorithm.ED25519 if is_ed25519 else Algorithm.ED448
    zsk_private = (Ed25519PrivateKey if is_ed25519 else Ed448PrivateKey).generate()
    ksk_private = GroupPrivateKey.of(group(suite).key, group(suite).sign)
    ksk = dns.dnssec.make_dnskey(ksk_private.public_key(), algorithm, Flag.ZONE | Flag.SEP)
    zsk = dns.dnssec.make_dnskey(zsk_private.public_key(), algorithm, Flag.ZONE)
    zone = dns.zone.from_text(ZONE, relativize=False)
    dns.dnssec.sign_zone(zone, keys=[(ksk_private, ksk), (zsk_private, zsk)], lifetime=86400, dnskey_ttl=3600)
    return zone.to_text()


def takes(directory: Path, zone: str) -> bool:
    (directory / "zone").write_text(zone)
    return run("dnssec-verify", "-q", "-o", "example.org", "zone", cwd=directory).returncode == 0


@pytest.mark.parametrize("suite", ["ed25519", "ed448"])
def test_bind_takes_it(suite: str, tmp_path: Path) -> None:
    zone = signed_zone(suite)
    assert takes(tmp_path, zone)
    (signature,) = re.findall(r"RRSIG DNSKEY .* @ (\S+)", zone)
    for place in (3, 20):
        changed = signature[:place] + ("A" if signature[place] != "A" else "B") + signature[place + 1 :]
        assert not takes(tmp_path, zone.replace(signature, changed))
    assert not takes(tmp_path, zone.replace("DNSKEY 256", "DNSKEY 384"))
