"""Every error of frost-hsm, in one tree: what went wrong, who is provably at fault, what to do about it.

| class              | exit | meaning                                                            |
|--------------------|------|--------------------------------------------------------------------|
| `UsageProblem`     | 2    | parameters that can never work                                     |
| `InvalidSignature` | 10   | a signature does not verify                                        |
| `InputProblem`     | 65+  | a file or package is missing, malformed, altered or foreign        |
| `TokenProblem`     | 69+  | no token, another token, a PIN, a key, a broken seal               |
| `BoardProblem`     | 69+  | a board that is away, or cannot be used                            |
| `NotYet`           | 75   | something from others is missing; the same command works later     |
| `ProtocolViolation`| 76   | somebody broke the protocol and it can be proven: `culprits`       |
| `Refused`          | 76   | doing it again would be dangerous                                  |
| `ConfigProblem`    | 78   | the configuration                                                  |

``code`` is stable and goes into JSON; ``exit`` is the exit status of the command line. A message is one
sentence, lower case, without a full stop, and names the thing. A hint says what to do.

They stand here by the storey that raises them; everybody takes them from this door:

- ``kinds``: what every error is, and the kinds of them that the exit statuses tell apart.
- ``frost``: the protocol's own errors, under ZcashFoundation's names where it has one.
- ``tokens``: tokens, their modules and backends, and PINs.
- ``ceremony``: files and messages between people, the state directory, and what is not done twice.
- ``boards``: boards that are away or cannot be used.
"""

from __future__ import annotations

from frost_hsm.errors.boards import (
    BoardProblem,
    BoardUnreachable,
)
from frost_hsm.errors.ceremony import (
    BadMessageSignature,
    CeremonyStopped,
    Equivocation,
    FileMissing,
    FingerprintMismatch,
    ForeignMessage,
    InvalidContents,
    NonceUsed,
    NotKnown,
    OutputExists,
    StateRolledBack,
    StepConflict,
    StorageProblem,
    TokenOwnedElsewhere,
    UnknownSender,
)
from frost_hsm.errors.frost import (
    DeserializationError,
    DuplicatedIdentifier,
    IdentityCommitment,
    IncorrectCommitment,
    IncorrectNumberOfCommitments,
    IncorrectNumberOfIdentifiers,
    IncorrectNumberOfPackages,
    IncorrectNumberOfSigners,
    IncorrectPackage,
    InvalidIdentityElement,
    InvalidMaxSigners,
    InvalidMinSigners,
    InvalidNonPrimeOrderElement,
    InvalidProofOfKnowledge,
    InvalidSecretShare,
    InvalidSignatureShare,
    InvalidZeroScalar,
    MalformedElement,
    MalformedScalar,
    MissingCommitment,
    NoConstantTime,
    SecretConsumed,
    SecretForked,
    UnchangedShare,
    UnknownIdentifier,
)
from frost_hsm.errors.kinds import (
    Aborted,
    ConfigProblem,
    FrostHsmError,
    InputProblem,
    InvalidSignature,
    MalformedMessage,
    NotPossible,
    NotYet,
    ProtocolViolation,
    Refused,
    UsageProblem,
)
from frost_hsm.errors.tokens import (
    BackendUnavailable,
    KeyExists,
    KeyNotFound,
    KeyPolicy,
    MechanismUnsupported,
    ModuleUnavailable,
    NoTerminal,
    PinFinalTry,
    PinIncorrect,
    PinLocked,
    PinOnCommandLine,
    PinProblem,
    PinUnusable,
    SealBroken,
    TokenAmbiguous,
    TokenLost,
    TokenNotFound,
    TokenProblem,
    TokenReadOnly,
    WrongToken,
)

__all__ = [
    "Aborted",
    "BackendUnavailable",
    "BadMessageSignature",
    "BoardProblem",
    "BoardUnreachable",
    "CeremonyStopped",
    "ConfigProblem",
    "DeserializationError",
    "DuplicatedIdentifier",
    "Equivocation",
    "FileMissing",
    "FingerprintMismatch",
    "ForeignMessage",
    "FrostHsmError",
    "IdentityCommitment",
    "IncorrectCommitment",
    "IncorrectNumberOfCommitments",
    "IncorrectNumberOfIdentifiers",
    "IncorrectNumberOfPackages",
    "IncorrectNumberOfSigners",
    "IncorrectPackage",
    "InputProblem",
    "InvalidContents",
    "InvalidIdentityElement",
    "InvalidMaxSigners",
    "InvalidMinSigners",
    "InvalidNonPrimeOrderElement",
    "InvalidProofOfKnowledge",
    "InvalidSecretShare",
    "InvalidSignature",
    "InvalidSignatureShare",
    "InvalidZeroScalar",
    "KeyExists",
    "KeyNotFound",
    "KeyPolicy",
    "MalformedElement",
    "MalformedMessage",
    "MalformedScalar",
    "MechanismUnsupported",
    "MissingCommitment",
    "ModuleUnavailable",
    "NoConstantTime",
    "NoTerminal",
    "NonceUsed",
    "NotKnown",
    "NotPossible",
    "NotYet",
    "OutputExists",
    "PinFinalTry",
    "PinIncorrect",
    "PinLocked",
    "PinOnCommandLine",
    "PinProblem",
    "PinUnusable",
    "ProtocolViolation",
    "Refused",
    "SealBroken",
    "SecretConsumed",
    "SecretForked",
    "StateRolledBack",
    "StepConflict",
    "StorageProblem",
    "TokenAmbiguous",
    "TokenLost",
    "TokenNotFound",
    "TokenOwnedElsewhere",
    "TokenProblem",
    "TokenReadOnly",
    "UnchangedShare",
    "UnknownIdentifier",
    "UnknownSender",
    "UsageProblem",
    "WrongToken",
]
