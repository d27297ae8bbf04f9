"""Servers of NATS with JetStream, on ports of this machine that are free: one, or three as a cluster."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_PATIENCE = 30.0  # seconds


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@dataclass
class NatsServer:
    """One server, which can be killed and started again with what it had stored."""

    name: str
    directory: Path
    port: int
    monitor: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def configure(self, more: str = "") -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "nats.conf").write_text(
            f'server_name: {self.name}\nlisten: "{self.host}"\nhttp: "127.0.0.1:{self.monitor}"\n'
            f'jetstream {{ store_dir: "{self.directory}", max_mem: 64M, max_file: 256M }}\n{more}\n'
        )

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen([_program(), "-c", self.directory / "nats.conf"], stdout=log, stderr=log)
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self.ask("healthz")
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise AssertionError((self.directory / "log").read_text()) from None
            time.sleep(0.02)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, what: str) -> dict[str, object]:
        """Ask the server's monitor: healthz, jsz, varz."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/{what}", timeout=2) as answer:
            found: dict[str, object] = json.load(answer)
            return found


def _program() -> str:
    """Where the server is: Debian puts it where only root looks."""
    found = shutil.which("nats-server", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip("nats-server is not installed: apt-get install nats-server")
    return found


@contextmanager
def running(directory: Path, configuration: str = "") -> Iterator[NatsServer]:
    """Lend one server. configuration: what its file says besides where it listens and stores."""
    [server] = _make(directory, ["alone"])
    server.configure(configuration)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def cluster(directory: Path) -> Iterator[list[NatsServer]]:
    """Lend three servers that keep every stream of three replicas."""
    servers = _make(directory, ["one", "two", "three"])
    routes = _free_ports(len(servers))
    listed = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
    try:
        for server, port in zip(servers, routes, strict=True):
            server.configure(f'cluster {{ name: board, listen: "127.0.0.1:{port}", routes: [{listed}] }}')
            with (server.directory / "log").open("ab") as log:
                line = [_program(), "-c", server.directory / "nats.conf"]
                server.process = subprocess.Popen(line, stdout=log, stderr=log)
        yield servers
    finally:
        for server in servers:
            server.kill()


def leader_of(stream: str, servers: Sequence[NatsServer]) -> NatsServer | None:
    """Return the server that leads a stream, as the servers that run say."""
    for server in servers:
        if server.process is None:
            continue
        try:
            told = server.ask("jsz?streams=true")
        except OSError:
            continue
        for account in told.get("account_details", []):  # type: ignore[attr-defined]
            for detail in account.get("stream_detail", []):
                leader = detail.get("cluster", {}).get("leader")
                if detail["name"] == stream and leader:
                    return next(each for each in servers if each.name == leader)
    return None


def _make(directory: Path, names: Sequence[str]) -> list[NatsServer]:
    ports = _free_ports(2 * len(names))
    return [
        NatsServer(name, directory / name, port, monitor)
        for name, port, monitor in zip(names, ports[::2], ports[1::2], strict=True)
    ]
