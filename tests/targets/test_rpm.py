"""A package that a group has signed for rpm: rpmsign is run twice, with what the group makes in place of gpg's work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from stage.memory_group import altered, group, run
from stage.signing_things import make, sign

from frost_hsm.targets.openpgp import packets as openpgp_packets

NOW = 1_750_000_000  # in June 2025: not in the future of the machine that runs this
SPEC = "Name: app\nVersion: 1\nRelease: 1\nSummary: a\nLicense: MIT\nBuildArch: noarch\n%description\na\n%files\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "app.spec").write_text(SPEC)
    done = run(
        "rpmbuild", "-bb", "-D", f"_topdir {tmp_path}/top", "-D", f"_rpmdir {tmp_path}", "app.spec", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    return tmp_path / "noarch/app-1-1.noarch.rpm"


@pytest.fixture
def rpmkeys(tmp_path: Path) -> Callable[..., bytes]:
    """rpm with the group's certificate, in the armour that it wants, with a checksum: gpg writes it."""
    made = sign("openpgp-certificate", make("openpgp-certificate", user_id="Team", now=NOW)).finished
    (tmp_path / "gnupg").mkdir(mode=0o700)
    gpg = ("gpg", "--homedir", str(tmp_path / "gnupg"), "--batch", "--no-autostart")
    run(*gpg, "--import", cwd=tmp_path, stdin=made)
    (tmp_path / "team.asc").write_bytes(run(*gpg, "--armor", "--export", cwd=tmp_path).stdout)

    def call(*words: str) -> bytes:
        return run("rpmkeys", "--dbpath", str(tmp_path / "rpm"), *words, cwd=tmp_path).stdout

    call("--import", "team.asc")
    return call


def sign_package(package: Path, command: str) -> bool:
    """Have rpmsign call this in place of gpg: it hands over the header, and wants a signature on it."""
    words = ("--addsign", "-D", "_gpg_name Team", "-D", f"__gpg_sign_cmd {command}", str(package))
    return run("rpmsign", *words, cwd=package.parent).returncode == 0


def test_rpm_takes_it(package: Path, rpmkeys: Callable[..., bytes]) -> None:
    assert not sign_package(package, "/bin/sh sh -c 'cat > header; exit 1'")
    made = sign("openpgp", make("openpgp", (package.parent / "header").read_bytes(), now=NOW)).finished
    (package.parent / "header.sig").write_bytes(openpgp_packets.read_armoured("SIGNATURE", made))
    # It reads the header, too: what is written to somebody who has ended fails.
    assert sign_package(package, "/bin/sh sh -c 'cat > header && cp header.sig $0' %{?__signature_filename}")
    key_id = openpgp_packets.fingerprint(group().key).hex()[-8:]
    assert f"Header V4 EdDSA/SHA512 Signature, key ID {key_id}: OK" in rpmkeys("-Kv", str(package)).decode()
    signed = package.read_bytes()
    place = signed.rindex(b"noarch")  # in the header, which is signed
    for other in altered(b"noarch", 2):
        package.write_bytes(signed[:place] + other + signed[place + 6 :])
        assert b"NOT OK" in rpmkeys("-K", str(package))
