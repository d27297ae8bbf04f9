"""Files and messages between people, the state directory, and what is not done twice."""

from __future__ import annotations

from frost_hsm.errors.kinds import InputProblem, ProtocolViolation, Refused


class FileMissing(InputProblem):
    """A named file is not there or cannot be read."""

    code = "file-missing"
    exit = 66
    default_hint = "check the path"


class NotKnown(InputProblem):
    """No peer, key, ceremony or request of this name in the state directory."""

    code = "not-known"
    exit = 66
    default_hint = "see: frost-hsm keys list, frost-hsm peer list, frost-hsm dkg status"


class OutputExists(InputProblem):
    """An output file exists with other contents."""

    code = "output-exists"
    exit = 73
    default_hint = "use another name with -o, or --force"


class StorageProblem(InputProblem):
    """The state directory or a file cannot be written, locked or read."""

    code = "storage"
    exit = 74
    default_hint = "make the directory yours and writable, with space left, and run the same command again"


class BadMessageSignature(InputProblem):
    """A message whose CMS signature does not verify: damaged or altered by anyone, so nobody is named."""

    code = "package-signature"
    default_hint = "this does not show that its sender did anything wrong; ask for it again by another way"


class FingerprintMismatch(InputProblem):
    """An identity is not the one whose fingerprint its owner told."""

    code = "fingerprint-mismatch"
    default_hint = "somebody may have swapped the file; get it from its owner in another way"


class UnknownSender(InputProblem):
    """A message signed by a key that is not in the roster."""

    code = "sender-unknown"
    default_hint = "nothing was changed; add the sender with frost-hsm peer add if you know them"


class ForeignMessage(InputProblem):
    """A good message that belongs to another ceremony, request, suite or step."""

    code = "package-foreign"
    default_hint = "it may be left from an earlier attempt; nothing was changed"


class InvalidContents(ProtocolViolation):
    """A correctly signed message whose contents its sender cannot have made by following the protocol."""

    code = "invalid-contents"
    default_hint = "its sender cannot deny the file: show it to the others"


class Equivocation(ProtocolViolation):
    """Two different signed messages of one step from one sender, or views of one ceremony that differ."""

    code = "equivocation"
    default_hint = "restored from an old backup, or cheating: do not go on; show the evidence file to the others"


class StepConflict(Refused):
    """The same step again with other input than the first time."""

    code = "step-conflict"
    default_hint = "run it with the files of the first time; nothing was changed"


class NonceUsed(Refused):
    """Nonces that have served, or were on their way to when something failed."""

    code = "nonce-used"
    default_hint = "answering twice would reveal your share; ask for a new request"


class StateRolledBack(Refused):
    """The token shows that a later step was taken than the state directory knows of."""

    code = "state-rolled-back"
    default_hint = "put the files you sent beside those of the others and go on: frost-hsm dkg finish NAME --in DIR"


class TokenOwnedElsewhere(Refused):
    """The token works with another state directory; it has to be taken over in so many words."""

    code = "token-owned-elsewhere"
    default_hint = "to go on here, and shut the other one out: frost-hsm init --take-over"


class CeremonyStopped(Refused):
    """The ceremony was aborted here, or stopped by evidence against a participant."""

    code = "ceremony-stopped"
    default_hint = "start a new one: frost-hsm dkg propose"
