"""How programs ask an agent for a signature by the group: `Agent.sign` is what a `GroupPrivateKey` signs by."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from frost_hsm.agent import ssh_protocol
from frost_hsm.agent.ssh_socket import receive
from frost_hsm.errors import MalformedMessage, NotPossible, NotYet
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets.ssh import wire as ssh_wire


class Agent:
    """The agent of whoever runs the program, ``frost-hsm agent run``, and a key of ed25519 that it knows.

    path: its socket, which it names when it starts. patience: seconds to wait for a signature; None for as long as it
    takes.
    """

    def __init__(self, path: Path, key: VerifyingKey, *, patience: float | None = None) -> None:
        if key.ciphersuite.name not in ssh_wire.SUITES:
            raise NotPossible(f"the agent has no keys of {key.ciphersuite.name}", hint="a key of ed25519")
        self._path = path
        self._key = ssh_wire.public_key(key)
        self._patience = patience

    def sign(self, message: bytes) -> bytes:
        """Have the group sign, in whatever thread this is called: the agent asks the others as for any request.

        message: up to 255 KiB. Raises `Aborted`, with the reason, if there will be no signature; `NotYet` once patience
        has ended; `NotPossible` if there is no agent.
        """
        question = ssh_protocol.ask_raw(self._key, message)
        if len(question) > ssh_protocol.MAX_LENGTH:
            raise NotPossible(f"the agent takes no message of {len(message)} bytes")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(self._patience)
            try:
                connection.connect(os.fspath(self._path))
                connection.sendall(question)
                length = ssh_protocol.length_of(receive(connection, ssh_protocol.LENGTH))
                return ssh_protocol.read_raw_answer(receive(connection, length))
            except TimeoutError:
                raise NotYet(f"the group has not signed within {self._patience:g} seconds") from None
            except (OSError, MalformedMessage) as error:
                said = error.strerror if isinstance(error, OSError) else str(error)
                raise NotPossible(f"no agent answers at {self._path}: {said}", hint="frost-hsm agent run") from error
