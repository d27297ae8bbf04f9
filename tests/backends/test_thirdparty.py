"""A backend in a distribution of its own: found, listed, loaded by name, held to the contract, never in the way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import NoInteraction

from frost_hsm import backends, errors

DISTRIBUTION = Path(__file__).parents[1] / "thirdparty_backend"


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run Python where the distribution is installed; gives its output."""
    place = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(place)]
    subprocess.run([*pip, *options, str(DISTRIBUTION)], check=True, capture_output=True, text=True)
    environment = {**os.environ, "PYTHONPATH": str(place)}
    environment.pop("PYTEST_XDIST_WORKER", None)

    def run(*arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, cwd=place
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    return run


def test_it_passes_the_kit(run: Callable[..., str]) -> None:
    summary = run(
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--noconftest",
        "-c",
        os.devnull,
        str(DISTRIBUTION / "conformance.py"),
    )
    passed = re.search(r"(\d+) passed", summary)
    assert passed is not None
    assert int(passed[1]) > 40


def test_it_is_listed_and_nothing_is_loaded(run: Callable[..., str]) -> None:
    listed = run(
        "-c",
        "import sys; from frost_hsm import backends; print(*sorted(backends.installed())); "
        "print([name for name in sys.modules if 'tinbox' in name or 'pkcs11' in name])",
    )
    assert listed.splitlines() == ["broken pkcs11 software tinbox", "[]"]


def test_a_broken_one_breaks_itself_alone(run: Callable[..., str], tmp_path: Path) -> None:
    said = run(
        "-c",
        f"""
from frost_hsm import backends, errors
from frost_hsm.backends.software import SoftwareBackend
from frost_hsm.testing import SilentInteraction
try:
    backends.load("broken", {{}}, SilentInteraction())
except errors.BackendUnavailable as error:
    print(error)
tinbox = backends.load("tinbox", {{"directory": {str(tmp_path)!r}}}, SilentInteraction())
info = tinbox.create("tinbox:a", lambda _: "1")
print(info.uri, backends.scheme(info.uri))
print(backends.load("software", {{}}, SilentInteraction()).describe()[0][0])
""",
    )
    broken, used, other = said.splitlines()
    assert broken.startswith('backend "broken" (tinbox 1.0): import failed: ')
    assert "a_library_that_nobody_has" in broken
    assert used == "tinbox:a tinbox"
    assert other == "True"


def test_one_that_is_not_installed() -> None:
    with pytest.raises(errors.BackendUnavailable, match='no backend "tinbox"') as caught:
        backends.load("tinbox", {}, NoInteraction())
    assert caught.value.hint == "installed: pkcs11, software"


@pytest.mark.parametrize("uri", ["", "alice", ":alice", "a b:c", "/path/alice"])
def test_what_has_no_scheme(uri: str) -> None:
    with pytest.raises(errors.UsageProblem):
        backends.scheme(uri)
