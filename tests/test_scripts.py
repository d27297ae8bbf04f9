"""The two commands: what they do on a machine that has everything, and on one that has not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
SCRIPTS = (
    *("softhsm-config/demo.sh", "softhsm-config/test.sh", "softhsm-config/bare.sh"),
    *(".ci/run", ".ci/modules", "tests/modules/debian13.sh"),
)


def run(script: Path | str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CHECKOUT / script, *arguments],
        env={"PATH": os.environ["PATH"], "FROST_HSM_VENV": sys.prefix, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("script", [*SCRIPTS, "softhsm-config/setup.sh"])
def test_shell_reads_it(script: str) -> None:
    assert subprocess.run(["sh", "-n", CHECKOUT / script], check=False).returncode == 0
    assert os.access(CHECKOUT / script, os.X_OK) == (script in SCRIPTS)


@pytest.mark.slow
def test_demo_ends_with_a_verified_signature_and_leaves_nothing(tmp_path: Path, softhsm_module: str) -> None:
    temporary, home = tmp_path / "with a space", tmp_path / "home"
    temporary.mkdir()
    home.mkdir()
    done = run("softhsm-config/demo.sh", TMPDIR=str(temporary), HOME=str(home), SOFTHSM2_MODULE=softhsm_module)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip().startswith("good signature by release.public.json")
    assert done.stderr == ""
    assert list(temporary.iterdir()) == []
    assert list(home.iterdir()) == []


def test_test_passes_its_arguments_and_its_status(tmp_path: Path, softhsm_module: str) -> None:
    good, bad = tmp_path / "test_good.py", tmp_path / "test_bad.py"
    good.write_text("import os\ndef test(): assert os.path.isfile(os.environ['SOFTHSM2_MODULE'])\n")
    bad.write_text("def test(): assert False\n")
    settings = {"TMPDIR": str(tmp_path), "SOFTHSM2_MODULE": softhsm_module}
    done = run("softhsm-config/test.sh", "-q", "-p", "no:cacheprovider", str(good), **settings)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stderr
    assert run("softhsm-config/test.sh", "-q", "-p", "no:cacheprovider", str(bad), **settings).returncode == 1


def test_the_quick_tests_are_some_of_all(softhsm_module: str) -> None:
    done = run("softhsm-config/test.sh", "--quick", "--collect-only", "-q", SOFTHSM2_MODULE=softhsm_module)
    assert done.returncode == 0, done.stderr
    assert 1000 < done.stdout.count("::") < 2500
    assert "tests/cli/test_every_suite.py::" in done.stdout


class Machine:
    """A machine with nothing but a shell's tools and stand-ins, which note how they were called."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "bin"
        self._path.mkdir()
        self._log = directory / "calls"
        self.module = directory / "libsofthsm2.so"
        self._temporary = directory / "tmp"
        self._temporary.mkdir()
        for tool in ("sh", "dirname", "mktemp", "rm", "tr", "sed", "cat", "chmod", "touch"):
            (found,) = [path for path in (Path("/usr/bin") / tool, Path("/bin") / tool) if path.exists()][:1]
            (self._path / tool).symlink_to(found)

    def has(self, program: str, script: str = "") -> None:
        """Put a stand-in on the machine."""
        path = self._path / program
        path.write_text(f'#!/bin/sh\necho "{program} $*" >>"{self._log}"\n{script}\n')
        path.chmod(0o755)

    def installs(self, program: str, then: str) -> None:
        """A package manager: ``install`` succeeds if ``then`` does, and brings everything that is missing."""
        brings = "; ".join(
            f'printf "#!/bin/sh\\n" >"{self._path}/{tool}"; chmod 755 "{self._path}/{tool}"'
            for tool in ("softhsm2-util", "pkcs11-tool", "openssl")
        )
        self.has(program, f'case $1 in install | add) {then}; {brings}; touch "{self.module}" ;; esac')

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the set-up alone."""
        setup = CHECKOUT / "softhsm-config/setup.sh"
        return subprocess.run(
            ["sh", "-euc", f'. "{setup}"; make_work_directory; install_packages'],
            env={
                "PATH": str(self._path),
                "TMPDIR": str(self._temporary),
                "FROST_HSM_VENV": "/nowhere",
                "SOFTHSM2_MODULE": str(self.module),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_root_the_command_to_run_as_root_is_said(machine: Machine) -> None:
    machine.installs("apt-get", "true")
    machine.has("id", "echo 1000")
    done = machine.run()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "hint: as root, run: apt-get install -y --no-install-recommends softhsm2 opensc openssl"
    )
    assert machine.calls == ["id -u"]


def test_lists_of_packages_are_fetched_only_where_they_are_too_old(machine: Machine, tmp_path: Path) -> None:
    machine.has("id", "echo 0")
    once = f'if [ ! -f "{tmp_path}/fetched" ]; then touch "{tmp_path}/fetched"; exit 100; fi'
    machine.installs("apt-get", once)
    assert machine.run().returncode == 0
    install = "apt-get install -y --no-install-recommends softhsm2 opensc openssl"
    assert machine.calls == ["id -u", install, "apt-get update", install]


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("dnf", "dnf install -y softhsm opensc openssl"),
        ("apk", "apk add softhsm opensc openssl"),
        ("brew", "brew install softhsm opensc openssl"),
    ],
)
def test_other_package_managers(machine: Machine, manager: str, command: str) -> None:
    machine.installs(manager, "true")
    machine.has("id", "echo 0")
    assert machine.run().returncode == 0
    assert command in machine.calls
    assert "id -u" not in machine.calls or manager != "brew"


def test_nothing_is_installed_where_nothing_is_missing(machine: Machine) -> None:
    machine.installs("apt-get", "true")
    for program in ("softhsm2-util", "pkcs11-tool", "openssl"):
        machine.has(program)
    machine.module.touch()
    assert machine.run().returncode == 0
    assert machine.calls == []


def test_a_failing_installation_is_shown(machine: Machine) -> None:
    machine.has("id", "echo 0")
    machine.has("dnf", "echo no such package; exit 1")
    done = machine.run()
    assert done.returncode == 1
    assert "no such package" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: this did not work: dnf install")
