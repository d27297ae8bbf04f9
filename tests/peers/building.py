"""Builds the peers, once for whatever their sources say, into a cache outside the checkout.

The cache is ``$XDG_CACHE_HOME/frost-hsm/peers``; several processes may build at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from frost_hsm.frost.ciphersuites import Ciphersuite

_SOURCES = Path(__file__).parent


class Unavailable(Exception):
    """A toolchain is not installed, or what it needs cannot be downloaded."""


def rust(suite: Ciphersuite) -> list[str]:
    """Build the peer over ZcashFoundation's crates; return its command line. Raises `Unavailable`."""
    source = _SOURCES / "rust"
    _require("cargo")
    with _cache(source / "Cargo.lock") as target:
        program = target / f"frost-peer-{_digest(source / 'Cargo.toml', *sorted((source / 'src').iterdir()))}"
        if not program.exists():
            _download(["cargo", "fetch", "--locked"], source)
            build = ["cargo", "build", "--release", "--locked", "--offline", "--quiet", "--target-dir", str(target)]
            subprocess.run(build, cwd=source, check=True)
            shutil.copy(target / "release" / "frost-peer", target / "new")
            (target / "new").replace(program)
    return [str(program), suite.id]


def noble(suite: Ciphersuite) -> list[str]:
    """Install @noble/curves beside its peer; return its command line. Raises `Unavailable`."""
    source = _SOURCES / "noble"
    node = _require("node")
    _require("npm")
    with _cache(source / "package-lock.json") as target:
        if not (target / "node_modules").is_dir():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, target)
            _download(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], target)
        shutil.copy(source / "peer.js", target)
    return [node, str(target / "peer.js"), suite.id]


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
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "frost-hsm" / "peers"
    folder = base / f"{lock_file.parent.name}-{_digest(lock_file)}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
