"""The pure wheel and the platform wheel with the native library: reproducible, and pip takes the right one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("frost_hsm", "pyproject.toml", "README.md", "LICENSE", ".gitignore")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("wheels"),  # which are built once
    pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed: see rustup.rs"),
]


def build_wheel(checkout: Path, target: Path, *, native: bool) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=checkout,
        env={**os.environ, "FROST_HSM_BUILD_NATIVE": str(int(native))},
        check=True,
        capture_output=True,
    )
    [wheel] = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """Both wheels, built in the checkout, and again in a copy of it that lies elsewhere."""
    copy = tmp_path_factory.mktemp("elsewhere") / "copy"
    copy.mkdir()
    left_out = shutil.ignore_patterns("build", "*.so", "__pycache__")
    for name in SOURCES:
        take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        take(ROOT / name, copy / name, **({"ignore": left_out} if take is shutil.copytree else {}))  # type: ignore[operator]
    made = []
    for checkout in (ROOT, copy):
        target = tmp_path_factory.mktemp("wheels")
        pair = [build_wheel(checkout, target / kind, native=kind == "native") for kind in ("pure", "native")]
        made.append((pair[0], pair[1]))
    return made


def test_the_same_sources_make_the_same_bytes(wheels: list[tuple[Path, Path]]) -> None:
    for one, other in zip(*wheels, strict=True):
        assert one.name == other.name
        assert one.read_bytes() == other.read_bytes()


def test_the_platform_wheel_is_the_pure_one_and_the_library(wheels: list[tuple[Path, Path]]) -> None:
    (pure, platform), _ = wheels
    assert pure.name.endswith("-py3-none-any.whl")
    assert "-py3-none-" in platform.name and not platform.name.endswith("-any.whl")
    with zipfile.ZipFile(pure) as one, zipfile.ZipFile(platform) as other:
        library, notices = sorted(set(other.namelist()) - set(one.namelist()), reverse=True)
        assert library.startswith("frost_hsm/groups/native/libfrost_hsm_native.")
        assert notices == "frost_hsm/groups/native/NOTICES.txt"
        for name in set(one.namelist()) & set(other.namelist()):
            assert one.read(name) == other.read(name) or name.endswith(("/WHEEL", "/RECORD"))
        for name in one.namelist():
            assert not name.endswith((".rs", ".toml", ".lock", "native/build.py"))


def test_the_licences_of_what_is_in_the_library_go_with_it(wheels: list[tuple[Path, Path]]) -> None:
    (_, platform), _ = wheels
    with zipfile.ZipFile(platform) as archive:
        notices = archive.read("frost_hsm/groups/native/NOTICES.txt").decode()
    command = ["cargo", "tree", "--locked", "--edges=normal", "--prefix=none", "--format={p}"]
    tree = subprocess.run(command, cwd=ROOT / "frost_hsm/groups/native", check=True, capture_output=True, text=True)
    crates = {tuple(line.split()[:2]) for line in tree.stdout.splitlines() if not line.startswith("frost-hsm-native ")}
    assert len(crates) > 20
    for name, version in crates:
        assert f"\n{name} {version.removeprefix('v')}, " in f"\n{notices}"
    for copyright in (
        "2013 Pieter Wuille",
        "Isis Agora Lovecruft",
        "Thomas Pornin",
        "The RustCrypto Project Developers",
    ):
        assert copyright in notices
    assert str(Path.home()) not in notices


def test_no_path_of_this_machine_is_in_the_library(wheels: list[tuple[Path, Path]]) -> None:
    (_, platform), _ = wheels
    with zipfile.ZipFile(platform) as archive:
        [name] = [name for name in archive.namelist() if "libfrost_hsm_native" in name]
        library = archive.read(name)
    assert str(Path.home() / ".cargo").encode() not in library
    assert str(ROOT).encode() not in library


def test_pip_takes_the_platform_wheel_where_it_fits_and_the_pure_one_elsewhere(
    wheels: list[tuple[Path, Path]], tmp_path: Path
) -> None:
    offered = tmp_path / "offered"
    offered.mkdir()
    for wheel in wheels[0]:
        shutil.copy(wheel, offered)
    common = ["--no-deps", "--no-index", f"--find-links={offered}", "frost-hsm"]
    elsewhere = ["--platform=plan9_mips", "--only-binary=:all:"]
    for target, arguments, expected in (("here", [], wheels[0][1]), ("there", elsewhere, wheels[0][0])):
        command = [sys.executable, "-m", "pip", "download", f"--dest={tmp_path / target}", *arguments, *common]
        subprocess.run(command, check=True, capture_output=True)
        assert [path.name for path in (tmp_path / target).iterdir()] == [expected.name]


def test_what_is_installed_computes_on_the_library(wheels: list[tuple[Path, Path]], tmp_path: Path) -> None:
    program = "from frost_hsm.frost.ciphersuites import ALL; print(*(suite.group.backend for suite in ALL), sep='\\n')"
    for wheel, count in zip(wheels[0], (0, 6), strict=True):
        place = tmp_path / str(count)
        install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", f"--target={place}", str(wheel)]
        subprocess.run(install, check=True, capture_output=True)
        environment = {name: value for name, value in os.environ.items() if name != "FROST_HSM_NATIVE"}
        ran = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(place)},
            check=True,
            capture_output=True,
            text=True,
        )
        assert len(ran.stdout.splitlines()) == 6
        assert ran.stdout.count(str(place)) == count, ran.stdout
