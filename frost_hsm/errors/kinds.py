"""What every error is, and the kinds of them that the exit statuses tell apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class FrostHsmError(Exception):
    """What every error of this package is.

    ``details`` are further lines, each about one of several things that the message sums up: no line of them can be
    made by what is inside another.

    ``culprits`` names the participants proven to be at fault, and nobody else: `Identifier` values below
    ``ceremony/``, participant names from there up. It is empty wherever somebody on the way could have done it.
    """

    code: ClassVar[str] = "internal"
    exit: ClassVar[int] = 1
    default_hint: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        culprits: Iterable[object] = (),
        details: Iterable[str] = (),
    ) -> None:
        super().__init__(message)
        self.hint = hint if hint is not None else self.default_hint
        self.culprits = tuple(culprits)
        self.details = tuple(details)


class UsageProblem(FrostHsmError):
    """Parameters that can never work."""

    code = "usage"
    exit = 2
    default_hint = "see --help for what is possible"


class NotPossible(UsageProblem):
    """The request contradicts itself or what it names."""

    code = "not-possible"


class InvalidSignature(FrostHsmError):
    """The signature is not one by this key on this message (ZcashFoundation: ``InvalidSignature``)."""

    code = "signature-invalid"
    exit = 10
    default_hint = "check that the message, the signature and the key belong together"


class InputProblem(FrostHsmError):
    """Something that was read is missing, malformed, altered or belongs elsewhere. Proves nobody's fault."""

    code = "input"
    exit = 65
    default_hint = "ask its sender for the file again; nothing was changed"


class MalformedMessage(InputProblem):
    """Bytes that are not a message of ours in its one canonical form."""

    code = "package-malformed"
    default_hint = "the file was damaged on its way, or is something else; ask for it again"


class NotYet(FrostHsmError):
    """Something from others is missing; the same command works once it is there."""

    code = "waiting"
    exit = 75
    default_hint = "ask for what is missing, then run the same command again"


class ProtocolViolation(FrostHsmError):
    """A correctly signed message is wrong: its sender is at fault, and the message is the proof."""

    code = "protocol-violation"
    exit = 76
    default_hint = "the ceremony is stopped here; show the evidence file to the others, then start a new one"


class Refused(FrostHsmError):
    """Doing this would be dangerous or contradict what was done before."""

    code = "refused"
    exit = 76


class Aborted(FrostHsmError):
    """The person said no, or pressed Ctrl-C."""

    code = "aborted"
    exit = 130


class ConfigProblem(FrostHsmError):
    """The configuration is missing or wrong."""

    code = "config-invalid"
    exit = 78
    default_hint = "write a new one: frost-hsm init"
