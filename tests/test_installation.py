"""The wheel as people install it: by pip, by pipx, by uv; and the program works however it was installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from stage import walkthrough

CHECKOUT = Path(__file__).parents[1]


def needed(name: str, known: set[str]) -> Iterator[Distribution]:
    """What a distribution needs to run, and what that needs."""
    for line in distribution(name).requires or ():
        wanted = Requirement(line)
        if wanted.name not in known and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            known.add(wanted.name)
            yield distribution(wanted.name)
            yield from needed(wanted.name, known)


def as_wheel(installed: Distribution, folder: Path) -> None:
    """Pack what is installed here into a wheel again."""
    lines = (installed.read_text("WHEEL") or "").splitlines()
    tags = [line.removeprefix("Tag: ").split("-") for line in lines if line.startswith("Tag: ")]
    tag = "-".join(".".join(dict.fromkeys(part)) for part in zip(*tags, strict=True))
    name = f"{installed.name.replace('-', '_')}-{installed.version}-{tag}.whl"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        for file in installed.files or ():
            if not {"..", "__pycache__"} & {*file.parts} and file.name != "direct_url.json":
                wheel.write(str(file.locate()), str(file))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our wheel and those it needs: installing them takes no network."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*pip, folder, CHECKOUT], check=True, capture_output=True)
    for each in (*needed("frost-hsm", set()), distribution("hatchling"), *needed("hatchling", set())):
        as_wheel(each, folder)
    return folder


@pytest.mark.slow
def test_the_page_that_says_how_typed_as_it_stands(wheels: Path, tmp_path: Path) -> None:
    page = walkthrough.PAGES["install"].read_text()
    block = next(each for each in walkthrough.blocks(page) if each.head == "sh")
    here = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    here.pop("PYTHONPATH", None)
    typed = block.body.replace("<this repository>", f"file://{CHECKOUT}")
    script = f"set -e\n{typed}.venv/bin/frost-hsm help install\n"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert page in done.stdout
    assert (tmp_path / "frost-hsm/.venv/share/man/man1/frost-hsm.1").is_file()


def install(installer: str, wheels: Path, folder: Path) -> Path:
    """Install into a folder; returns the program."""
    [wheel] = wheels.glob("frost_hsm-*.whl")
    program = shutil.which(installer, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        pytest.skip(f"{installer} is not installed: pip install {installer}")
    folder.mkdir()
    settings = folder / "uv.toml"
    settings.write_text(f'no-index = true\nfind-links = ["{wheels}"]\n')  # of the first it has no variable
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "UV_CONFIG_FILE": str(settings),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_COMPILE": "1",
        **{name: str(folder / name) for name in ("PIPX_HOME", "PIPX_MAN_DIR", "UV_TOOL_DIR", "UV_CACHE_DIR")},
        "PIPX_DEFAULT_BACKEND": "uv",  # the other one fetches a pip of its own
        **dict.fromkeys(("PIPX_BIN_DIR", "UV_TOOL_BIN_DIR"), str(folder / "bin")),
    }
    empty = [sys.executable, "-m", "venv", "--without-pip", folder]
    commands = {
        "pip": (empty, [program, "--python", folder, "install", wheel]),
        "pipx": ([program, "install", "--python", sys.executable, wheel],),
        "uv": ([program, "tool", "install", "--python", sys.executable, wheel],),
    }
    for command in commands[installer]:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder / "bin/frost-hsm"


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["pip", "pipx", "uv"])
def test_it_works_however_it_was_installed(installer: str, wheels: Path, tmp_path: Path) -> None:
    """Its help, which loads next to nothing; a token, an identity; and doctor, which looks at everything."""
    program = install(installer, wheels, tmp_path / installer)
    (tmp_path / "pin").write_text("frost-1234")
    (tmp_path / "pin").chmod(0o600)

    def run(*arguments: str) -> str:
        command = [program, *arguments]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "Usage: frost-hsm" in run("--help")
    assert run("help", "install").startswith("# Install\n")
    token, pin = f"software:{tmp_path}/alice.token", ("--pin-source", "file:pin")
    run("init", "--me", "alice", "--token", token, "--create", *pin)
    assert "Identity of alice" in run("identity", "create", *pin)
    assert run("doctor", "--login", *pin).splitlines()[-1] == "Ready to take part in a key"
