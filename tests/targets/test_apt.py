"""A repository of Debian's packages whose list a group has signed: apt takes it from them alone, and as it was."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from stage.memory_group import altered, group, run
from stage.signing_things import make, sign

NOW = 1_750_000_000  # in June 2025: not in the future of the machine that runs this
PACKAGES = b"Package: app\nVersion: 1.0\nArchitecture: all\nFilename: app.deb\nSize: 1\nSHA256: %s\n\n" % (b"0" * 64)
RELEASE = (
    f"Origin: Team\nDate: Sun, 15 Jun 2025 15:06:40 UTC\nArchitectures: all\n"
    f"SHA256:\n {hashlib.sha256(PACKAGES).hexdigest()} {len(PACKAGES)} Packages\n"
).encode()


def certificate(which: int = 0) -> bytes:
    by = group("ed25519", which)
    return sign("openpgp-certificate", make("openpgp-certificate", by=by, user_id="Team", now=NOW), by=by).finished


class Apt:
    """A machine of its own that knows one repository, and packages of it alone by this certificate."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.repository = directory / "repository"
        self.repository.mkdir()
        (self.repository / "Packages").write_bytes(PACKAGES)
        for folder in ("state", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d"):
            (directory / folder).mkdir(parents=True)
        (directory / "status").touch()
        settings = {
            **{"Dir": directory, "Dir::State": "state", "Dir::State::status": directory / "status"},
            **{"Dir::Cache": "cache", "Dir::Etc": "etc", "Dir::Bin::methods": "/usr/lib/apt/methods"},
            **{"Dir::Log": directory, "APT::Sandbox::User": "", "Acquire::Languages": "none"},
        }
        lines = (f'{name} "{value}";\n' for name, value in settings.items())
        (directory / "apt.conf").write_text("".join(lines))

    def updates(self, trusted: bytes) -> bool:
        """Whether apt takes the repository, from nothing."""
        shutil.rmtree(self._directory / "state")
        (self._directory / "state/lists/partial").mkdir(parents=True)
        (self._directory / "team.gpg").write_bytes(trusted)
        source = f"deb [signed-by={self._directory}/team.gpg] copy:{self.repository} ./\n"
        (self._directory / "etc/sources.list").write_text(source)
        environment = {"APT_CONFIG": str(self._directory / "apt.conf")}
        run("apt-get", "update", "-q", cwd=self._directory, environment=environment)
        policy = run("apt-cache", "show", "app", cwd=self._directory, environment=environment)
        return b"Version: 1.0" in policy.stdout


@pytest.fixture
def apt(tmp_path: Path) -> Apt:
    return Apt(tmp_path)


def test_a_list_with_the_signature_in_it(apt: Apt) -> None:
    made = sign("openpgp-cleartext", make("openpgp-cleartext", RELEASE, now=NOW)).finished
    (apt.repository / "InRelease").write_bytes(made)
    assert apt.updates(certificate())
    assert not apt.updates(certificate(1))
    (apt.repository / "InRelease").write_bytes(made.replace(b"Origin: Team", b"Origin: Tean"))
    assert not apt.updates(certificate())


def test_a_list_with_the_signature_beside_it(apt: Apt) -> None:
    made = sign("openpgp", make("openpgp", RELEASE, now=NOW)).finished
    (apt.repository / "Release").write_bytes(RELEASE)
    (apt.repository / "Release.gpg").write_bytes(made)
    assert apt.updates(certificate())
    for other in altered(RELEASE, 3):
        (apt.repository / "Release").write_bytes(other)
        assert not apt.updates(certificate())
