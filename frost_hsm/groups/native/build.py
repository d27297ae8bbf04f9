"""Building the library with cargo, and the platform wheel around it with the licences of all that is in the library: a
build hook of hatchling.

It does nothing unless FROST_HSM_BUILD_NATIVE=1, so that whoever has no cargo gets the pure wheel. With it,
``pip wheel .`` makes one that serves every Python on platforms of this kind. The same sources and the same compiler
make the same bytes, wherever they lie: Cargo.lock fixes what is built, and no path of this machine stays in it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

SWITCH = "FROST_HSM_BUILD_NATIVE"

_SOURCES = Path(__file__).parent
_NOTICES = "NOTICES.txt"
_NAMES = {"darwin": "libfrost_hsm_native.dylib", "win32": "frost_hsm_native.dll"}  # as in `library`, not installed yet
_NOTICE = re.compile("(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE)")
_FILE = _NAMES.get(sys.platform, "libfrost_hsm_native.so")


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # of a configuration that it does not look at
    """Puts the library into a wheel, and says for which platforms that wheel is."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library, where that is asked for."""
        if os.environ.get(SWITCH) != "1":
            return
        library = build()
        build_data["force_include"][str(library)] = f"frost_hsm/groups/native/{_FILE}"
        notices = library.with_name(_NOTICES)
        notices.write_text(_notices(), encoding="utf-8")
        build_data["force_include"][str(notices)] = f"frost_hsm/groups/native/{_NOTICES}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform_tag(library)}"


def build() -> Path:
    """Build the library, and return where it is. Raises `CalledProcessError`."""
    target = _SOURCES / "build"
    cargo_home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    places = {_SOURCES: "/frost-hsm", cargo_home: "/cargo"}
    flags = [f"--remap-path-prefix={path.resolve()}={name}" for path, name in places.items()]
    environment = os.environ | {"CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags), "CARGO_TARGET_DIR": str(target)}
    _cargo("build", "--release", env=environment)
    return target / "release" / _FILE


def _cargo(*arguments: str, env: dict[str, str] | None = None, stdout: int | None = None) -> str:
    command = ["cargo", *arguments, "--locked", "--manifest-path", str(_SOURCES / "Cargo.toml")]
    return subprocess.run(command, env=env, check=True, stdout=stdout, text=True).stdout  # noqa: S603  # all of it is ours


def _notices() -> str:
    """Gather what the authors of all that the library is made of want to go with it, each text once."""
    said = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout  # noqa: S607
    [host] = re.findall(r"^host: (.*)$", said, re.MULTILINE)
    known = json.loads(_cargo("metadata", "--format-version=1", f"--filter-platform={host}", stdout=subprocess.PIPE))
    needed = {node["id"]: node["deps"] for node in known["resolve"]["nodes"]}
    linked, waiting = set[str](), [known["resolve"]["root"]]
    while waiting:
        for each in needed[waiting.pop()]:
            if any(kind["kind"] is None for kind in each["dep_kinds"]) and each["pkg"] not in linked:
                linked.add(each["pkg"])
                waiting.append(each["pkg"])
    texts: dict[str, list[str]] = {}
    for package in sorted(known["packages"], key=lambda package: (package["name"], package["version"])):
        if package["id"] in linked:
            for path in sorted(Path(package["manifest_path"]).parent.rglob("*")):  # what a crate carries has its own
                if _NOTICE.match(path.name) and path.is_file():
                    whose = texts.setdefault(path.read_text(encoding="utf-8").strip(), [])
                    whose.append(f"{package['name']} {package['version']}, {package['license']}: {path.name}")
    return "\n\n".join("\n".join([*whose, "", text, "", "─" * 80]) for text, whose in texts.items()) + "\n"


def _platform_tag(library: Path) -> str:
    """Name the platforms that load the library: on Linux, all with the glibc that it asks for, or a newer one."""
    tags = list(platform_tags())
    needed = [(int(a), int(b)) for a, b in re.findall(rb"GLIBC_(\d+)\.(\d+)", library.read_bytes())]
    if needed:
        major, minor = max(needed)
        tags = [tag for tag in tags if tag == f"manylinux_{major}_{minor}_{platform.machine()}"]
    return tags[0]


if __name__ == "__main__":  # for who works on this: build it in this place
    new = _SOURCES / f"new-{_FILE}"
    shutil.copy(build(), new)
    new.replace(_SOURCES / _FILE)  # a process that has the old one keeps it
