"""A login to an SSH server: what ``ssh`` asks an agent to sign, taken by ``sshd``.

Signed is one connection: its session id, which server and client have made together, and who logs in there. Newer
programs sign the server's key too, so that nobody between them can use the signature for another server.

Sources: RFC 4252 §7, and PROTOCOL of OpenSSH, ``publickey-hostbound-v00@openssh.com``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.forms.asn1 import OCTETS, TEXT, Structure, optional
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Target, Thing, words
from frost_hsm.targets.ssh import wire as ssh_wire
from frost_hsm.targets.ssh.wire import string

MAX_CHALLENGE: Final = 4096
_USERAUTH_REQUEST: Final = b"\x32"
_SERVICE: Final = b"ssh-connection"
_METHOD, _BOUND_METHOD = b"publickey", b"publickey-hostbound-v00@openssh.com"
_SESSION_LENGTHS: Final = (20, 32, 48, 64)  # of the hashes that key exchanges use


@dataclass(frozen=True, slots=True)
class SshLogin(Structure, Thing):
    """Somebody who logs in, on one connection.

    session: the id of the connection, 20, 32, 48 or 64 bytes. user: the name on the server, one printable line. key:
    who logs in, as OpenSSH encodes it. server_key: the server, likewise; empty where whoever asks does not say.

    SEQUENCE { version INTEGER (2), session OCTET STRING, user UTF8String, key OCTET STRING,
    serverKey [0] OCTET STRING OPTIONAL }
    """

    title = "login to an SSH server"
    asn1 = (OCTETS, TEXT, OCTETS, optional(0, OCTETS, b""))
    ending = ".ssh-signature"

    session: bytes
    user: str
    key: bytes
    server_key: bytes

    def __post_init__(self) -> None:
        if len(self.session) not in _SESSION_LENGTHS:
            raise NotPossible("the id of an SSH connection is not as long as one")
        if not self.user:
            raise NotPossible("a login to an SSH server has no user")
        words.require_line(self.user, "the user of a login")
        if len(self.challenge) > MAX_CHALLENGE:
            raise NotPossible(f"a login to an SSH server is longer than {MAX_CHALLENGE} bytes")

    @classmethod
    def of_challenge(cls, data: bytes) -> SshLogin:
        """Read what ``ssh`` asks to have signed. Raises `MalformedMessage` for anything else."""
        what = "what ssh signs to log in"
        if len(data) > MAX_CHALLENGE:
            raise MalformedMessage(f"{what} is longer than {MAX_CHALLENGE} bytes")
        reader = ssh_wire.Reader(data, what)
        session, _, user = reader.string(), reader.take(1), reader.string()
        _, method = reader.string(), reader.string()
        _, _, key = reader.take(1), reader.string(), reader.string()
        server_key = reader.string() if method == _BOUND_METHOD else b""
        try:
            login = cls(session, user.decode(), key, server_key)
        except (NotPossible, UnicodeDecodeError) as error:
            raise MalformedMessage(f"this is not {what}: {error}") from None
        if login.challenge != data:  # what was passed over is another service or method
            raise MalformedMessage(f"this is not {what}, to get a shell or the like")
        return login

    @property
    def challenge(self) -> bytes:
        """What ``ssh`` asks to have signed."""
        return b"".join(
            (
                string(self.session) + _USERAUTH_REQUEST + string(self.user.encode()) + string(_SERVICE),
                string(_BOUND_METHOD if self.server_key else _METHOD) + b"\x01" + string(ssh_wire.KEY_TYPE),
                string(self.key) + (string(self.server_key) if self.server_key else b""),
            )
        )

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the challenge."""
        if ssh_wire.public_key(key) != self.key:
            raise NotPossible("this is a login with another key")
        return self.challenge

    def lines(self) -> list[str]:
        """Say who logs in, and on which server."""
        return [
            f"  login    to an SSH server, as user {words.quoted(self.user)}",
            f"  server   {self._server or 'not said: it may be any that this connection leads to'}",
            f"  session  {self.session.hex()}",
        ]

    def facts(self) -> Mapping[str, str]:
        """Name the user, and the server by its fingerprint."""
        return {"user": self.user} | ({"server": self._server} if self._server else {})

    @property
    def _server(self) -> str:
        """The fingerprint of the server's key, as ``ssh-keygen -l`` writes it."""
        digest = base64.b64encode(hashlib.sha256(self.server_key).digest()).decode().rstrip("=")
        return f"SHA256:{digest}" if self.server_key else ""

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the signature as an agent answers."""
        return ssh_wire.signature_blob(signature)

    def use(self, file: str) -> str:
        """Say that nobody takes it but the connection itself."""
        return f"it serves the connection that it was asked for, and nothing else: {file}"


class SshLoginTarget(Target):
    """A login to an SSH server."""

    name = "ssh-login"
    suites = ssh_wire.SUITES
    options = ()

    def make(self, given: Given) -> bytes:
        """Take what ``ssh`` asks to have signed."""
        data = given.all(MAX_CHALLENGE)
        try:
            login = SshLogin.of_challenge(data)
        except MalformedMessage as error:
            raise NotPossible(str(error)) from error
        login.to_sign(given.key)  # or with another key
        return login.encode()

    def read(self, data: bytes) -> SshLogin:
        """Read the structure."""
        return SshLogin.decode(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[SshLogin, bytes]:
        """Read what was asked, the file, and the signature."""
        login = SshLogin.of_challenge(file.read(MAX_CHALLENGE + 1))
        reader = ssh_wire.Reader(finished, "a signature of SSH")
        reader.string()  # the algorithm
        return login, reader.string()
