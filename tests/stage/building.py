"""Builds what the tests meet that is not Python, once for whatever its sources say, in a cache outside the checkout.

The cache is ``$XDG_CACHE_HOME/frost-hsm/built``; several processes may build at once. As a program it builds what is in
Rust, which takes a minute or two: python -m stage.building
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frost_hsm.frost.ciphersuites import Ciphersuite

_TESTS = Path(__file__).parents[1]


class Unavailable(Exception):
    """A toolchain is not installed, or what it needs cannot be downloaded."""


def rust(suite: Ciphersuite) -> list[str]:
    """Build the peer over ZcashFoundation's crates; return its command line. Raises `Unavailable`."""
    return [str(_rust_peer()), suite.id]


def _rust_peer() -> Path:
    return _cargo(_TESTS / "peers/rust", "frost-peer")


def kryoptic() -> Path:
    """Build the PKCS#11 module kryoptic; return its path. Raises `Unavailable`."""
    return _cargo(_TESTS / "modules/kryoptic", "libkryoptic_module.so")


def noble(suite: Ciphersuite) -> list[str]:
    """Install @noble/curves beside its peer; return its command line. Raises `Unavailable`."""
    source = _TESTS / "peers/noble"
    node = _require("node")
    _require("npm")
    with _cache(source / "package-lock.json") as target:
        if not (target / "node_modules").is_dir():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, target)
            _download(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], target)
        shutil.copy(source / "peer.js", target)
    return [node, str(target / "peer.js"), suite.id]


def _cargo(source: Path, product: str) -> Path:
    _require("cargo")
    with _cache(source / "Cargo.lock") as target:
        built = target / f"{product}-{_digest(source / 'Cargo.toml', *sorted((source / 'src').iterdir()))}"
        if not built.exists():
            _download(["cargo", "fetch", "--locked"], source)
            build = ["cargo", "build", "--release", "--locked", "--offline", "--quiet", "--target-dir", str(target)]
            done = subprocess.run(build, cwd=source, stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                raise Unavailable(f"{' '.join(build)} failed: {done.stderr.strip()[-500:]}")
            shutil.copy(target / "release" / product, target / "new")
            (target / "new").replace(built)
    return built


def _require(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"{program} is not installed")
    return path


def _download(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")


@contextmanager
def _cache(lock_file: Path) -> Iterator[Path]:
    """Lend the folder that belongs to a lock file, to one process at a time."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "frost-hsm" / "built"
    folder = base / f"{lock_file.parent.name}-{_digest(lock_file)}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


if __name__ == "__main__":
    for built in (_rust_peer, kryoptic):
        sys.stdout.write(f"{built()}\n")
