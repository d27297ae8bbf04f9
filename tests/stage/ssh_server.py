"""A real sshd on loopback, for one connection."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE = 60  # seconds


@contextmanager
def ssh_server(folder: Path, **trusted: Path) -> Iterator[int]:
    """Serve, and give the port; ``host.pub`` in the folder is its key. trusted: settings that say who is let in."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("sshd is not installed: apt-get install openssh-server")
    if os.geteuid() == 0:  # its service makes this, which root's sshd wants, and nothing has started that here
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host"], check=True)
    settings = {"HostKey": folder / "host", "AuthorizedKeysFile": "none", **trusted}
    (folder / "sshd_config").write_text(
        "".join(f"{name} {value}\n" for name, value in settings.items())
        + "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:  # as inetd does: no port has to be guessed
                command = [program, "-i", "-e", "-f", str(folder / "sshd_config")]
                with (folder / "sshd.log").open("wb") as log:
                    subprocess.run(command, stdin=connection, stdout=connection, stderr=log, check=False)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(PATIENCE)
